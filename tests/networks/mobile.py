"""MobileNet v2 and v3, EfficientNet-EdgeTPU: the networks made of inverted bottlenecks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from .network_builder import NetworkBuilder


@dataclass(frozen=True)
class Blocks:
    """Repetitions of one inverted bottleneck; the first has `stride` and a shortcut only where
    `skip` and the shapes allow one. fused: one kernel x kernel convolution in place of the 1x1
    and the depthwise one. dilation: of the depthwise convolution."""

    channels: int
    repetitions: int = 1
    stride: int = 1
    expansion: float = 6
    kernel: int = 3
    fused: bool = False
    skip: bool = True
    dilation: int = 1
    expanded: int = 0


class MobileBuilder(NetworkBuilder):
    """activation: of every layer but the last of a bottleneck; "prelu": an operator of its own.
    explicit: PAD and VALID in place of SAME where the stride is 2, as Keras does."""

    def __init__(
        self,
        type: str = "int8",  # noqa: A002
        *,
        width: float = 1.0,
        activation: str = "relu6",
        explicit: bool = False,
    ):
        super().__init__(type, width=width)
        self.activation = activation
        self.explicit = explicit

    def strided(self, kernel: int, stride: int) -> dict[str, int | str]:
        """Options of a window; its PAD is built where there is one."""
        if not self.explicit or stride == 1:
            return {"stride": stride, "padding": "same"}
        even = self.last.shape[1] % 2 == 0
        before = kernel // 2 - (1 if even else 0)
        self.pad([(0, 0), (before, kernel // 2), (before, kernel // 2), (0, 0)])
        return {"stride": stride, "padding": "valid"}

    def activated(self) -> MobileBuilder:
        """The activation, where it is no part of the layer in front."""
        if self.activation == "prelu":
            value = self.last
            alpha = self.channel_constant(0.05, 0.5, value.shape[3])
            alpha = replace(alpha, shape=(1, 1, value.shape[3]))
            self.model.tensors[alpha.index].shape = alpha.shape
            self.prelu(alpha, source=value, output=value.output)
            self._set(replace(self.last, spread=0.75 * value.spread))
        return self

    def layer(self, channels: int, kernel: int, **options: Any) -> MobileBuilder:
        """A convolution with the activation."""
        self.conv2d(channels, kernel, activation=self.fused, **options)
        return self.activated()

    def depthwise(self, kernel: int, **options: Any) -> MobileBuilder:
        """A depthwise convolution with the activation."""
        self.depthwise_conv2d(kernel, activation=self.fused, **options)
        return self.activated()

    @property
    def fused(self) -> str:
        """What a layer itself does of the activation."""
        return "none" if self.activation == "prelu" else self.activation

    def stem(self, channels: int) -> MobileBuilder:
        options = self.strided(3, 2)
        return self.layer(self.rounded(channels), 3, **options)

    def blocks(self, blocks: Blocks) -> MobileBuilder:
        for number in range(blocks.repetitions):
            self.block(blocks, 1 if number else blocks.stride, blocks.skip or number > 0)
        return self

    def block(self, block: Blocks, stride: int, skip: bool) -> MobileBuilder:
        trunk, channels = self.last, self.rounded(block.channels)
        expanded = self.rounded(block.expanded) if block.expanded else 0
        expanded = expanded or int(block.expansion * trunk.shape[3])
        if block.fused:
            options = self.strided(block.kernel, stride)
            self.layer(expanded, block.kernel, **options)
        else:
            if expanded != trunk.shape[3]:
                self.layer(expanded, 1)
            self.expansion = self.last
            options = self.strided(block.kernel, stride)
            options["dilation"] = block.dilation
            self.depthwise(block.kernel, **options)
        self.conv2d(channels, 1)
        if skip and self.last.shape == trunk.shape:
            self.add(trunk, self.last)
        return self


V2 = (
    Blocks(16, expansion=1),
    Blocks(24, 2, 2),
    Blocks(32, 3, 2),
    Blocks(64, 4, 2),
    Blocks(96, 3),
    Blocks(160, 3, 2),
    Blocks(320),
)


def _v2(net: MobileBuilder) -> MobileBuilder:
    net.stem(32)
    for blocks in V2:
        net.blocks(blocks)
    return net.conv2d(max(net.rounded(1280), 1280), 1, activation="relu6")


def mobilenet_v2(size: int = 224, width: float = 1.0) -> bytes:
    """uint8, TF-Slim."""
    return _v2(MobileBuilder("uint8", width=width).image(size)).classifier().build()


def mobilenet_v2_keras(size: int = 224, width: float = 1.0) -> bytes:
    """int8, tf.keras.applications."""
    net = MobileBuilder("int8", width=width, explicit=True).image(size)
    return _v2(net).classifier(1000, dense=True).build()


_V3_LARGE_MINIMALISTIC = (
    Blocks(16, expanded=16),
    Blocks(24, 1, 2, expanded=64),
    Blocks(24, expanded=72),
    Blocks(40, 1, 2, expanded=72),
    Blocks(40, 2, expanded=120),
    Blocks(80, 1, 2, expanded=240),
    Blocks(80, expanded=200),
    Blocks(80, 2, expanded=184),
    Blocks(112, expanded=480),
    Blocks(112, expanded=672),
    Blocks(160, 1, 2, expanded=672),
    Blocks(160, 2, expanded=960),
)


def mobilenet_v3_minimalistic(size: int = 224, width: float = 1.0) -> bytes:
    """uint8, large: RELU everywhere, 3x3 windows only, nothing squeezed."""
    net = MobileBuilder("uint8", width=width, activation="relu").image(size)
    net.stem(16)
    for blocks in _V3_LARGE_MINIMALISTIC:
        net.blocks(blocks)
    net.conv2d(net.rounded(960), 1, activation="relu")
    net.average_pool_2d(net.last.shape[1:3]).conv2d(1280, 1, activation="relu")
    return net.conv2d(1001, 1).reshape((1, 1001)).softmax().build()


_EDGETPU = (
    Blocks(16, expansion=1, skip=False),
    Blocks(32, 1, 2, 8, fused=True),
    Blocks(32, 3, 1, 4, fused=True),
    Blocks(48, 1, 2, 8, fused=True),
    Blocks(48, 3, 1, 4, fused=True),
    Blocks(96, 1, 2, 8),
    Blocks(96, 3, 1, 4),
    Blocks(96, 1, 1, 8, skip=False),
    Blocks(96, 3, 1, 4),
    Blocks(160, 1, 2, 8, kernel=5),
    Blocks(160, 3, 1, 4, kernel=5),
    Blocks(192, 1, 1, 8),
)


def mobilenet_edgetpu(size: int = 224, width: float = 1.0) -> bytes:
    """MobileNet-EdgeTPU (v3's family), uint8."""
    net = MobileBuilder("uint8", width=width, activation="relu").image(size)
    net.stem(32)
    for blocks in _EDGETPU:
        net.blocks(blocks)
    return net.conv2d(net.rounded(1280), 1, activation="relu").classifier().build()


_EFFICIENTNET_EDGETPU = (
    Blocks(24, 1, 1, 4, fused=True, skip=False),
    Blocks(32, 2, 2, 8, fused=True),
    Blocks(48, 4, 2, 8, fused=True),
    Blocks(96, 5, 2, 8, kernel=5),
    Blocks(144, 4, 1, 8, kernel=5),
    Blocks(192, 2, 2, 8, kernel=5),
)


def efficientnet_edgetpu(size: int = 224, width: float = 1.0, depth: float = 1.0) -> bytes:
    """uint8 per tensor. S: 224, 1.0, 1.0; M: 240, 1.0, 1.1; L: 300, 1.2, 1.4."""
    net = MobileBuilder("uint8", width=width, activation="relu").image(size)
    net.stem(32)
    for blocks in _EFFICIENTNET_EDGETPU:
        count = math.ceil(depth * blocks.repetitions)
        net.blocks(Blocks(**{**vars(blocks), "repetitions": count}))
    net.conv2d(net.rounded(1280), 1, activation="relu")
    return net.classifier(1001, dense=True).build()


EFFICIENTNET_LITE0 = (
    Blocks(16, expansion=1),
    Blocks(24, 2, 2),
    Blocks(40, 2, 2, kernel=5),
    Blocks(80, 3, 2),
    Blocks(112, 3, kernel=5),
    Blocks(192, 4, 2, kernel=5),
    Blocks(320),
)
