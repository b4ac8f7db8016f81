"""Inception v1 to v4, uint8, as the public quantised models are built (TF-Slim)."""

from __future__ import annotations

from collections.abc import Sequence

from tests.model_core import Scale, Value

from .network_builder import Branch, NetworkBuilder

Layer = tuple[int, int | tuple[int, int]]
"""(channels, window)."""
_V1_BLOCKS = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)
"""Channels of a block: 1x1; 1x1 and 3x3; 1x1 and 3x3; behind the pool."""
_V2_BLOCKS = (
    (64, 64, 64, 64, 96, 32),
    (64, 64, 96, 64, 96, 64),
    (0, 128, 160, 64, 96, 0),
    (224, 64, 96, 96, 128, 128),
    (192, 96, 128, 96, 128, 128),
    (160, 128, 160, 128, 160, 96),
    (96, 128, 192, 160, 192, 96),
    (0, 128, 192, 192, 256, 0),
    (352, 192, 320, 160, 224, 128),
    (352, 192, 320, 192, 224, 128),
)
"""Channels: 1x1; 1x1 and 3x3; 1x1 and twice 3x3; behind the pool. Without the first and the last:
a block that halves the map."""


class _Inception(NetworkBuilder):
    """Convolutions with a RELU6 behind each, and branches of them."""

    def __init__(self, width: float) -> None:
        super().__init__("uint8", width=width)

    def layer(
        self,
        channels: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: str = "same",
        *,
        source: Value | None = None,
        output: Scale | None = None,
    ) -> _Inception:
        return self.conv2d(
            self.at_width(channels),
            kernel,
            stride=stride,
            padding=padding,
            activation="relu6",
            source=source,
            output=output,
        )

    def chain(self, *layers: Layer, stride: int = 1, padding: str = "same") -> Branch:
        """Layers behind the present result; stride and padding are the last one's."""
        trunk = self.last

        def build(output: Scale | None) -> Value:
            self._set(trunk)
            for channels, kernel in layers[:-1]:
                self.layer(channels, kernel)
            return self.layer(*layers[-1], stride, padding, output=output).last

        return build

    def pool(self, kind: str, channels: int = 0) -> Branch:
        """A 3x3 pool in place, and a 1x1 convolution behind it."""
        trunk = self.last

        def build(output: Scale | None) -> Value:
            pool = self.max_pool_2d if kind == "max" else self.average_pool_2d
            pool(3, stride=1, padding="same", source=trunk)
            return self.layer(channels, 1, output=output).last

        return build

    def shrinking_pool(self, padding: str) -> Branch:
        """A 3x3 maximum of stride 2."""
        trunk = self.last
        return lambda output: self.max_pool_2d(3, stride=2, padding=padding, source=trunk).last

    def fork(self, before: Sequence[Layer], *ends: Layer) -> list[Branch]:
        """Layers, and several that read their result: one branch each."""
        trunk, stem = self.last, []

        def build(end: Layer, output: Scale | None) -> Value:
            if not stem:
                self._set(trunk)
                for layer in before:
                    self.layer(*layer)
                stem.append(self.last)
            return self.layer(*end, source=stem[0], output=output).last

        return [lambda output, end=end: build(end, output) for end in ends]  # type: ignore[misc]


def inception_v1(size: int = 224, width: float = 1.0) -> bytes:
    net = _Inception(width).image(size)
    net.layer(64, 7, 2).max_pool_2d(3, stride=2, padding="same")
    net.layer(64, 1).layer(192, 3).max_pool_2d(3, stride=2, padding="same")
    for number, (a, b, c, d, e, f) in enumerate(_V1_BLOCKS):
        if number in (2, 7):
            net.max_pool_2d(3 if number == 2 else 2, stride=2, padding="same")
        net.join(
            net.chain((a, 1)),
            net.chain((b, 1), (c, 3)),
            net.chain((d, 1), (e, 3)),
            net.pool("max", f),
        )
    return net.classifier().build()


def inception_v2(size: int = 224, width: float = 1.0) -> bytes:
    net = _Inception(width).image(size)
    net.depthwise_conv2d(7, multiplier=8, stride=2).layer(64, 1)
    net.max_pool_2d(3, stride=2, padding="same")
    net.layer(64, 1).layer(192, 3).max_pool_2d(3, stride=2, padding="same")
    for number, (a, b, c, d, e, f) in enumerate(_V2_BLOCKS):
        middle, double = [(b, 1), (c, 3)], [(d, 1), (e, 3), (e, 3)]
        if a == 0:
            net.join(
                net.chain(*middle, stride=2),
                net.chain(*double, stride=2),
                net.shrinking_pool("same"),
                output=net.last.output,
            )
            continue
        pool = net.pool("max" if number == 9 else "average", f)
        net.join(net.chain((a, 1)), net.chain(*middle), net.chain(*double), pool)
    return net.classifier().build()


def _v3_grid_8(net: _Inception) -> None:
    net.join(
        net.chain((320, 1)),
        *net.fork([(384, 1)], (384, (1, 3)), (384, (3, 1))),
        *net.fork([(448, 1), (384, 3)], (384, (1, 3)), (384, (3, 1))),
        net.pool("average", 192),
    )


def _v3_grid_17(net: _Inception, n: int) -> None:
    net.join(
        net.chain((192, 1)),
        net.chain((n, 1), (n, (1, 7)), (192, (7, 1))),
        net.chain((n, 1), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7))),
        net.pool("average", 192),
    )


def inception_v3(size: int = 299, width: float = 1.0) -> bytes:
    net = _Inception(width).image(size)
    net.layer(32, 3, 2, "valid").layer(32, 3, 1, "valid").layer(64, 3).max_pool_2d(3, stride=2)
    net.layer(80, 1, 1, "valid").layer(192, 3, 1, "valid").max_pool_2d(3, stride=2)
    for behind_pool in (32, 64, 64):
        net.join(
            net.chain((64, 1)),
            net.chain((48, 1), (64, 5)),
            net.chain((64, 1), (96, 3), (96, 3)),
            net.pool("average", behind_pool),
        )
    net.join(
        net.chain((384, 3), stride=2, padding="valid"),
        net.chain((64, 1), (96, 3), (96, 3), stride=2, padding="valid"),
        net.shrinking_pool("valid"),
        output=net.last.output,
    )
    for channels in (128, 160, 160, 192):
        _v3_grid_17(net, channels)
    net.join(
        net.chain((192, 1), (320, 3), stride=2, padding="valid"),
        net.chain((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3), stride=2, padding="valid"),
        net.shrinking_pool("valid"),
        output=net.last.output,
    )
    _v3_grid_8(net)
    _v3_grid_8(net)
    return net.classifier().build()


def _v4_stem(net: _Inception) -> None:
    net.layer(32, 3, 2, "valid").layer(32, 3, 1, "valid").layer(64, 3)
    net.join(
        net.shrinking_pool("valid"),
        net.chain((96, 3), stride=2, padding="valid"),
        output=net.last.output,
    )
    net.join(
        net.chain((64, 1), (96, 3), padding="valid"),
        net.chain((64, 1), (64, (1, 7)), (64, (7, 1)), (96, 3), padding="valid"),
    )
    net.join(
        net.chain((192, 3), stride=2, padding="valid"),
        net.shrinking_pool("valid"),
        output=net.last.output,
    )


def _v4_grid_35(net: _Inception) -> None:
    net.join(
        net.chain((96, 1)),
        net.chain((64, 1), (96, 3)),
        net.chain((64, 1), (96, 3), (96, 3)),
        net.pool("average", 96),
    )


def _v4_grid_17(net: _Inception) -> None:
    net.join(
        net.chain((384, 1)),
        net.chain((192, 1), (224, (1, 7)), (256, (7, 1))),
        net.chain((192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))),
        net.pool("average", 128),
    )


def _v4_grid_8(net: _Inception) -> None:
    net.join(
        net.chain((256, 1)),
        *net.fork([(384, 1)], (256, (1, 3)), (256, (3, 1))),
        *net.fork([(384, 1), (448, (3, 1)), (512, (1, 3))], (256, (1, 3)), (256, (3, 1))),
        net.pool("average", 256),
    )


def inception_v4(size: int = 299, width: float = 1.0) -> bytes:
    net = _Inception(width).image(size)
    _v4_stem(net)
    for _ in range(4):
        _v4_grid_35(net)
    net.join(
        net.chain((384, 3), stride=2, padding="valid"),
        net.chain((192, 1), (224, 3), (256, 3), stride=2, padding="valid"),
        net.shrinking_pool("valid"),
        output=net.last.output,
    )
    for _ in range(7):
        _v4_grid_17(net)
    net.join(
        net.chain((192, 1), (192, 3), stride=2, padding="valid"),
        net.chain((256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3), stride=2, padding="valid"),
        net.shrinking_pool("valid"),
        output=net.last.output,
    )
    for _ in range(3):
        _v4_grid_8(net)
    return net.classifier().build()
