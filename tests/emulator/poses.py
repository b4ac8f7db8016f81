"""PoseNet's multi-person decoder (PersonLab, arXiv:1803.08225), to compare with poses that were
recorded on a device. float32 throughout, as the published decoder computes.

Maps are (rows, columns, channels): `scores` log odds of 17 keypoints, `short` their offsets (y
of all, then x of all), `mid` the offsets along 32 directed edges of the skeleton.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any

import numpy as np

F = np.float32
Array = np.ndarray[Any, Any]
KEYPOINTS = 17
_FORWARD = (
    (0, 1), (1, 3), (0, 2), (2, 4), (0, 5), (5, 7), (7, 9), (5, 11),
    (11, 13), (13, 15), (0, 6), (6, 8), (8, 10), (6, 12), (12, 14), (14, 16),
)  # fmt: skip
EDGES = (*_FORWARD, *((child, parent) for parent, child in _FORWARD))
REFINEMENTS = 5


@dataclass(frozen=True)
class Options:
    max_detections: int
    score_threshold: float
    stride: int
    nms_radius: float


@dataclass
class Pose:
    """points (17, 2) as (y, x) in pixels of the network's input."""

    points: Array
    scores: Array
    score: F = field(default_factory=lambda: F(0))


class Decoder:
    def __init__(self, scores: Array, short: Array, mid: Array, options: Options) -> None:
        self.scores, self.short, self.mid = scores, short, mid
        self.options = options
        self.size = np.array(scores.shape[:2], F) - F(1)
        self.radius = F(F(options.nms_radius) / F(options.stride)) ** 2

    def decode(self) -> list[Pose]:
        poses: list[Pose] = []
        for _, keypoint, point in self._roots():
            if len(poses) == self.options.max_detections:
                break
            if any(_distance(point, pose.points[keypoint]) <= self.radius for pose in poses):
                continue
            pose = self._grow(keypoint, point)
            if _total(pose.scores, range(KEYPOINTS)) / F(KEYPOINTS) >= F(self._threshold()):
                poses.append(pose)
        self._rescore(poses)
        poses = [p for p in poses if p.score >= F(self._threshold())]
        for pose in poses:
            pose.points = pose.points * F(self.options.stride)
        return sorted(poses, key=lambda pose: -pose.score)

    def _threshold(self) -> float:
        return self.options.score_threshold

    def _roots(self) -> list[tuple[F, int, Array]]:
        """Local maxima above the threshold as (score, keypoint, refined point), best first."""
        probability = self._threshold()
        lowest = F(-np.log(1.0 / (probability + 1e-6) - 1.0))
        rows, columns = self.scores.shape[:2]
        padded = np.pad(self.scores, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
        around = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
        peaks = (self.scores >= lowest) & (self.scores >= np.max(around, axis=0))
        found = []
        for y, x, keypoint in np.argwhere(peaks):
            offset = self.short[y, x, [keypoint, KEYPOINTS + keypoint]]
            point = np.clip(np.array([y, x], F) + offset, F(0), self.size)
            found.append((self.scores[y, x, keypoint], int(keypoint), point))
        return sorted(found, key=lambda root: -root[0])

    def _sample(self, tensor: Array, point: Array, channels: list[int]) -> Array:
        """Bilinear interpolation."""
        inside = np.clip(point, F(0), self.size)
        low, high = np.floor(inside).astype(int), np.ceil(inside).astype(int)
        y, x = (point - low.astype(F)).astype(F)
        top = (F(1) - x) * tensor[low[0], low[1], channels]
        top = top + x * tensor[low[0], high[1], channels]
        bottom = (F(1) - x) * tensor[high[0], low[1], channels]
        bottom = bottom + x * tensor[high[0], high[1], channels]
        return (F(1) - y) * top + y * bottom

    def _grow(self, root: int, point: Array) -> Pose:
        """All keypoints of a pose, following the skeleton from its root, best score first."""
        points, scores = np.full((KEYPOINTS, 2), F(-1)), np.full(KEYPOINTS, F(-1e5))
        done = [False] * KEYPOINTS
        first = self._sample(self.scores, point, [root])[0]
        queue: list[tuple[float, int, int, Array]] = [(-first, 0, root, point)]
        count = 1
        while queue:
            negative, _, keypoint, point = heapq.heappop(queue)
            if done[keypoint]:
                continue
            done[keypoint] = True
            points[keypoint], scores[keypoint] = point, -negative
            for number, (parent, child) in enumerate(EDGES):
                if parent != keypoint or done[child]:
                    continue
                place = self._follow(point, number, child)
                score = self._sample(self.scores, place, [child])[0]
                heapq.heappush(queue, (-score, count, child, place))
                count += 1
        return Pose(points, F(1) / (F(1) + np.exp(-scores)))

    def _follow(self, point: Array, edge: int, target: int) -> Array:
        """Along an edge, then to the peak of the target by its short offsets."""
        half = len(EDGES) // 2
        # Four blocks of channels: y and x forward, y and x backward. The published decoder reads
        # the first backward edge one block too early; the recorded poses come from it.
        first = edge + half if edge > half else edge
        point = self._move(self.mid, point, [first, half + first])
        for _ in range(REFINEMENTS):
            point = self._move(self.short, point, [target, KEYPOINTS + target])
        return point

    def _move(self, offsets: Array, point: Array, channels: list[int]) -> Array:
        return np.clip(point + self._sample(offsets, point, channels), F(0), self.size)

    def _rescore(self, poses: list[Pose]) -> None:
        """Keypoints a better pose has too do not count."""
        initial = [_total(pose.scores, range(KEYPOINTS)) for pose in poses]
        order = sorted(range(len(poses)), key=lambda i: -initial[i])
        for rank, index in enumerate(order):
            pose = poses[index]
            counted = [
                k
                for k in range(KEYPOINTS)
                if not any(
                    _distance(pose.points[k], poses[other].points[k]) <= self.radius
                    for other in order[:rank]
                )
            ]
            pose.score = F(_total(pose.scores, counted) / F(KEYPOINTS))


def _distance(a: Array, b: Array) -> F:
    step = b - a
    return F(step[0] * step[0] + step[1] * step[1])


def _total(scores: Array, keypoints: Any) -> F:
    """Sum in descending order, in float32."""
    total = F(0)
    for score in sorted((scores[k] for k in keypoints), reverse=True):
        total = F(total + score)
    return total
