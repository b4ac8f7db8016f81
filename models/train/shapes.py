"""Synthetic images of shapes: data for the detector and the classifier.

Every image is drawn from a seed, so a run needs no download and gives the same data.
Images are float32 in [0, 1], shape (height, width, 3).
"""

from __future__ import annotations

import numpy as np

DETECTOR_SIZE = 96
DETECTOR_CELL = 8
DETECTOR_CLASSES = ("disc", "square", "triangle")
CLASSIFIER_SIZE = 64
CLASSIFIER_CLASSES = (
    "disc",
    "square",
    "triangle",
    "ring",
    "cross",
    "stripes",
    "checks",
    "star",
    "crescent",
    "diamond",
)


def shape_mask(
    name: str, grid: tuple[np.ndarray, np.ndarray], centre: np.ndarray, radius: float, turn: float
) -> np.ndarray:
    """Boolean mask of one shape: `grid` = pixel y and x, `turn` = rotation in radians."""
    dy, dx = grid[0] - centre[0], grid[1] - centre[1]
    u = (dx * np.cos(turn) + dy * np.sin(turn)) / radius
    v = (dy * np.cos(turn) - dx * np.sin(turn)) / radius
    r = np.hypot(u, v)
    shapes = {
        "disc": lambda: r < 1,
        "square": lambda: np.maximum(abs(u), abs(v)) < 0.85,
        "triangle": lambda: (v > -0.7) & (v < 1.6 * (0.75 - abs(u)) - 0.4),
        "ring": lambda: (r < 1) & (r > 0.6),
        "cross": lambda: ((abs(u) < 0.3) | (abs(v) < 0.3)) & (np.maximum(abs(u), abs(v)) < 1),
        "stripes": lambda: (r < 1) & (np.floor(u * 3) % 2 == 0),
        "checks": lambda: (r < 1) & ((np.floor(u * 2.5) + np.floor(v * 2.5)) % 2 == 0),
        "star": lambda: r < 0.65 + 0.35 * np.cos(5 * np.arctan2(v, u)),
        "crescent": lambda: (r < 1) & (np.hypot(u - 0.45, v) > 0.8),
        "diamond": lambda: abs(u) + abs(v) < 1,
    }
    return shapes[name]()


def background(rng: np.random.Generator, size: int) -> np.ndarray:
    """A smooth colour gradient with noise."""
    ramp = np.linspace(0, 1, size, dtype=np.float32)
    base, slope_y, slope_x = rng.uniform(0, 0.5, (3, 3)).astype(np.float32)
    image = base + ramp[:, None, None] * slope_y + ramp[None, :, None] * slope_x
    return image + rng.normal(0, 0.06, image.shape).astype(np.float32)


def paint(rng: np.random.Generator, image: np.ndarray, mask: np.ndarray) -> None:
    """Fill `mask` with a colour that differs from what lies below."""
    below = image[mask].mean(axis=0) if mask.any() else np.zeros(3, np.float32)
    colour = rng.uniform(0, 1, 3)
    while np.abs(colour - below).max() < 0.4:
        colour = rng.uniform(0, 1, 3)
    image[mask] = colour + rng.normal(0, 0.04, (int(mask.sum()), 3))


def classifier_data(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (count, 64, 64, 3) and class indices (count,)."""
    rng = np.random.default_rng(seed)
    size = CLASSIFIER_SIZE
    grid = np.mgrid[0:size, 0:size].astype(np.float32)
    images = np.empty((count, size, size, 3), np.float32)
    labels = rng.integers(0, len(CLASSIFIER_CLASSES), count)
    for image, label in zip(images, labels, strict=True):
        image[:] = background(rng, size)
        radius = rng.uniform(12, 26)
        centre = rng.uniform(radius, size - radius, 2)
        name = CLASSIFIER_CLASSES[label]
        paint(rng, image, shape_mask(name, grid, centre, radius, rng.uniform(-0.35, 0.35)))
    return images.clip(0, 1), labels


def detector_data(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (count, 96, 96, 3) and targets (count, 12, 12, 8).

    A target cell holds objectness, three class indicators, and the box: offset of the
    centre inside the cell (y, x; 0..1) and the box's half height and width in cells.
    """
    rng = np.random.default_rng(seed)
    size, cell = DETECTOR_SIZE, DETECTOR_CELL
    cells = size // cell
    grid = np.mgrid[0:size, 0:size].astype(np.float32)
    images = np.empty((count, size, size, 3), np.float32)
    targets = np.zeros((count, cells, cells, 8), np.float32)
    for image, target in zip(images, targets, strict=True):
        image[:] = background(rng, size)
        taken: list[tuple[np.ndarray, float]] = []
        for _ in range(rng.integers(1, 4)):
            radius = rng.uniform(8, 18)
            centre = rng.uniform(radius, size - radius, 2)
            if any(np.hypot(*(centre - c)) < radius + r for c, r in taken):
                continue
            taken.append((centre, radius))
            label = int(rng.integers(0, 3))
            turn = rng.uniform(-0.3, 0.3)
            mask = shape_mask(DETECTOR_CLASSES[label], grid, centre, radius, turn)
            paint(rng, image, mask)
            ys, xs = np.nonzero(mask)
            low = np.array([ys.min(), xs.min()], np.float32)
            high = np.array([ys.max(), xs.max()], np.float32) + 1
            middle = (low + high) / 2 / cell
            y, x = middle.astype(int)
            target[y, x, 0] = 1
            target[y, x, 1 + label] = 1
            target[y, x, 4:6] = middle - (y, x)
            target[y, x, 6:8] = (high - low) / 2 / cell
    return images.clip(0, 1), targets
