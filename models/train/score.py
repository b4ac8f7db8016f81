"""How good a model's outputs are; used by training and by the tests of the compiled models."""

from __future__ import annotations

import numpy as np

from .shapes import DETECTOR_CELL


def classification_accuracy(outputs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Share of `outputs` (count, classes) whose largest entry is the label."""
    return {"accuracy": float((outputs.argmax(-1) == labels).mean())}


def detection_scores(outputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Precision and recall of boxes (right class, overlap of at least one half)."""
    hits = found = present = 0
    for output, target in zip(outputs, targets, strict=True):
        boxes, truths = decode(output, 0.0), decode(target, 0.5)
        found += len(boxes)
        present += len(truths)
        free = list(truths)
        for box in boxes:
            match = next((t for t in free if t[0] == box[0] and overlap(t[1], box[1]) > 0.5), None)
            if match is not None:
                free.remove(match)
                hits += 1
    return {"precision": hits / max(found, 1), "recall": hits / max(present, 1)}


def decode(grid: np.ndarray, threshold: float) -> list[tuple[int, tuple[float, ...]]]:
    """(class, (top, left, bottom, right) in pixels) of the cells above the objectness
    `threshold` that are larger than their eight neighbours; `grid` is (rows, columns, 8)."""
    score = np.pad(grid[..., 0], 1, constant_values=-np.inf)
    peak = np.max(
        [np.roll(score, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)], axis=0
    )[1:-1, 1:-1]
    out = []
    for y, x in np.argwhere((grid[..., 0] > threshold) & (grid[..., 0] >= peak)):
        cell = grid[y, x]
        middle, half = cell[4:6] + np.array([y, x]), np.abs(cell[6:8])
        box = np.concatenate([middle - half, middle + half]) * DETECTOR_CELL
        out.append((int(cell[1:4].argmax()), tuple(float(v) for v in box)))
    return out


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    height = min(a[2], b[2]) - max(a[0], b[0])
    width = min(a[3], b[3]) - max(a[1], b[1])
    if height <= 0 or width <= 0:
        return 0.0
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return height * width / (sum(area) - height * width)
