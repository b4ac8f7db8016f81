"""Random networks with pools, operators that move values, and vectors at their ends.

A network is a function of its seed alone, so a seed is enough to see one again.
"""

from __future__ import annotations

from math import prod

from .model_core import Value
from .random_networks import MOST_VALUES, RandomMaps

_WORD = 4


class RandomMoves(RandomMaps):
    """Maps are drawn as in `random_networks`, with more kinds of layers."""

    KINDS = (
        "conv",
        "conv",
        "depthwise",
        "sum",
        "pointwise",
        "pool",
        "pool",
        "slice",
        "split",
        "join",
        "transpose",
        "depth",
        "repeat",
        "nearest",
        "border",
        "shape",
        "groups",
        "reduce",
    )

    def fits(self, *shape: int) -> bool:
        return prod(shape) <= MOST_VALUES and max(shape[:2]) < 64

    def _other(self, name: str, value: Value, shape: tuple[int, ...], *numbers: object) -> None:
        constants = [self.builder._numbers(list(items), "numbers") for items in numbers]
        self.builder._same(name, [value, *constants], shape, {})

    def _pool(self) -> None:
        value = self.pick()
        name = self.choose(["average_pool_2d", "max_pool_2d", "max_pool_2d"])
        padding = self.choose(["same", "valid"])
        most = 5 if padding == "same" else min(5, *value.shape[1:3])
        kernel = self.choose(range(1, most + 1)), self.choose(range(1, most + 1))
        stride = self.choose([1, 1, 2, 3]), self.choose([1, 1, 2, 3])
        getattr(self.builder, name)(kernel, stride=stride, padding=padding, source=value)

    def _slice(self) -> None:
        value = self.pick()
        first, end = [], []
        for size in value.shape[:3]:
            first.append(self.choose(range(size)))
            end.append(self.choose(range(first[-1] + 1, size + 1)))
        unit = self.choose([1, _WORD])
        words = -(-value.shape[3] // unit)
        start = self.choose(range(words))
        stop = self.choose(range(start + 1, words + 1))
        first, end = [*first, unit * start], [*end, min(unit * stop, value.shape[3])]
        if self.choose([True, False]):
            sizes = [b - a for a, b in zip(first, end, strict=True)]
            self._other("SLICE", value, tuple(sizes), first, sizes)
            return
        steps = [1, self.choose([1, 2, 3]), self.choose([1, 2, 3]), 1]
        self.builder.strided_slice(first, end, steps, source=value)

    def _split(self) -> None:
        value = self.pick()
        axis = self.choose([1, 2, 3])
        parts = [n for n in (2, 3, 4) if value.shape[axis] % n == 0]
        if not parts:
            self._pool()
            return
        results = self.builder.split(self.choose(parts), axis, source=value)
        self.maps.extend(results[1:])
        self.others.extend(results)

    def _join(self) -> None:
        value = self.pick()
        axis = self.choose([1, 2, 3])
        values = [value] * self.choose([2, 3])
        if self.choose([True, False]):
            values[0] = self.builder.max_pool_2d(1, source=value).last
            self.others.append(values[0])
        shape = list(value.shape)
        shape[axis] *= len(values)
        if not self.fits(*shape[1:]):
            self._pool()
            return
        self.builder.concatenation(*values, axis=axis)

    def _transpose(self) -> None:
        self.builder.transpose((0, 2, 1, 3), source=self.pick())

    def _depth(self) -> None:
        value = self.pick()
        sizes = [n for n in (2, 3) if not any(s % n for s in value.shape[1:3])]
        if not sizes or value.shape[3] > 24:
            self._pool()
            return
        block = self.choose(sizes)
        _, height, width, channels = value.shape
        shape = (1, height // block, width // block, channels * block * block)
        self.builder._same("SPACE_TO_DEPTH", [value], shape, {"block_size": block})

    def _repeat(self) -> None:
        value = self.pick()
        times = [self.choose([1, 2]), self.choose([1, 3]), 1]
        if value.shape[3] % _WORD == 0:
            times[2] = self.choose([1, 2])
        shape = tuple(a * b for a, b in zip(value.shape[1:], times, strict=True))
        if self.fits(*shape):
            self._other("TILE", value, (1, *shape), [1, *times])
        else:
            self._pool()

    def _nearest(self) -> None:
        value = self.pick()
        size = tuple(self.choose([n, 2 * n, n + 1, max(1, n // 2)]) for n in value.shape[1:3])
        if not self.fits(*size, value.shape[3]):
            self._pool()
            return
        corners, centers = self.choose([(False, False), (False, True), (True, False)])
        self.builder.resize_nearest_neighbor(
            size, align_corners=corners, half_pixel_centers=centers, source=value
        )

    def _border(self) -> None:
        value = self.pick()
        pads = [(0, 0), *((self.choose([0, 1, 2]), self.choose([0, 1, 3])) for _ in range(2))]
        after = self.choose([0, 4]) if value.shape[3] % _WORD == 0 else 0
        self.builder.pad([*pads, (self.choose([0, 4]), after)], source=value)

    def _shape(self) -> None:
        """Another picture with the same words."""
        value = self.pick()
        _, height, width, channels = value.shape
        shapes = [(width, height, channels), (1, height * width, channels)]
        if channels % _WORD == 0:
            shapes.append((height, width * channels // _WORD, _WORD))
        if channels % _WORD == 0 and width % 2 == 0:
            shapes.append((height, width // 2, 2 * channels))
        shapes = [shape for shape in shapes if self.fits(*shape)]
        if shapes:
            self.builder.reshape((1, *self.choose(shapes)), source=value)
        else:
            self._pool()

    def _groups(self) -> None:
        """Predictors of a detector: groups of channels become pixels."""
        value = self.pick()
        _, height, width, _ = value.shape
        count, size = self.choose([2, 3]), self.choose([1, 3, 5, 9])
        if not self.fits(height * count, width, size):
            self._pool()
            return
        layer = self.builder.conv2d(count * size, self.choose([1, 3]), source=value)
        self.others.append(layer.last)
        layer.reshape((1, height * count, width, size))

    def _reduce(self) -> None:
        value = self.pick()
        axis = self.choose([1, 2])
        shape = [1 if place == axis else size for place, size in enumerate(value.shape)]
        name = self.choose(["MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"])
        axes = self.builder._numbers([axis], "axes")
        self.builder._same(name, [value, axes], shape, {"keep_dims": True})

    def end(self) -> None:
        """Now and then vectors behind a map."""
        value = self.pick()
        kind = self.choose(["", "pool", "flatten", "flatten"])
        size = prod(value.shape)
        if not kind or (kind == "flatten" and size > MOST_VALUES // 4):
            return
        if kind == "pool":
            name = self.choose(["average_pool_2d", "max_pool_2d"])
            getattr(self.builder, name)(value.shape[1:3], stride=1, source=value)
            self.others.append(self.builder.last)
            self.builder.reshape((1, value.shape[3]))
        else:
            self.builder.reshape((1, size), source=value)
        for _ in range(self.choose([0, 1, 2])):
            self.others.append(self.builder.last)
            self.builder.fully_connected(self.choose([1, 3, 10, 64, 70]))
        if self.choose([True, False]):
            self.others.append(self.builder.last)
            self.builder.softmax()
        self.maps.append(self.builder.last)


def moving_network(seed: int, most_layers: int = 7) -> bytes:
    """The .tflite file of a random network."""
    return RandomMoves(seed).finished(most_layers)
