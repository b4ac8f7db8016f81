"""Synthetic keywords: eight "words" made of gliding formants, as 48 x 40 spectrograms.

Each word is a sequence of three sounds; a sound is two formant tracks and a noise level.
Speakers differ in pitch, speed, loudness and timing. Values are float32 in [0, 1],
shape (48 frames, 40 mel-like bands, 1).
"""

from __future__ import annotations

import numpy as np

FRAMES, BANDS = 48, 40
WORDS = ("up", "down", "left", "right", "go", "stop", "yes", "no")
# Per word, three sounds of (first formant, second formant, noise), in bands and 0..1.
_SOUNDS = {
    "up": ((9, 16, 0.0), (7, 14, 0.1), (4, 20, 0.9)),
    "down": ((5, 25, 0.6), (12, 18, 0.0), (6, 12, 0.1)),
    "left": ((6, 22, 0.1), (10, 26, 0.0), (14, 34, 0.9)),
    "right": ((6, 14, 0.2), (12, 20, 0.0), (5, 30, 0.7)),
    "go": ((4, 20, 0.7), (8, 12, 0.0), (5, 10, 0.0)),
    "stop": ((20, 36, 1.0), (11, 16, 0.0), (4, 12, 0.8)),
    "yes": ((5, 30, 0.0), (10, 26, 0.0), (24, 38, 1.0)),
    "no": ((4, 14, 0.2), (8, 13, 0.0), (6, 11, 0.0)),
}


def keyword_data(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Spectrograms (count, 48, 40, 1) and word indices (count,)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(WORDS), count)
    data = np.stack([_spectrogram(rng, WORDS[label]) for label in labels])
    return data[..., None].astype(np.float32), labels


def _spectrogram(rng: np.random.Generator, word: str) -> np.ndarray:
    length = int(rng.integers(22, 42))
    start = int(rng.integers(0, FRAMES - length + 1))
    knots = np.array(_SOUNDS[word], np.float32) + rng.normal(0, (0.8, 1.2, 0.06), (3, 3))
    knots[:, :2] *= rng.uniform(0.88, 1.12)
    time = np.linspace(0, 2, length) ** rng.uniform(0.85, 1.15)
    first, second, noise = (
        np.interp(time, [0, time[-1] / 2, time[-1]], knots[:, i]) for i in range(3)
    )
    bands = np.arange(BANDS)[None, :]
    width = rng.uniform(1.2, 2.2)
    voice = np.exp(-(((bands - first[:, None]) / width) ** 2))
    voice += 0.8 * np.exp(-(((bands - second[:, None]) / width) ** 2))
    hiss = noise[:, None] * rng.uniform(0.3, 1.0, (length, BANDS)) * (bands > 12)
    loudness = np.sin(np.linspace(0.3, np.pi - 0.3, length))[:, None] * rng.uniform(0.5, 1.0)
    out = rng.uniform(0, 0.15, (FRAMES, BANDS))
    out[start : start + length] += loudness * (voice * (1 - noise[:, None] * 0.7) + hiss)
    return out.clip(0, 1)
