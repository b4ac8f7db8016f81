"""Networks with a result for every pixel: DeepLab v3, U-Net."""

from __future__ import annotations

from tests.model_core import Value

from .mobile import V2, Blocks, MobileBuilder

_DEEPLAB = (*V2[:5], Blocks(160, 3, dilation=2), Blocks(320, dilation=2))
"""MobileNet v2 with an output stride of 16."""


def deeplab_v3(size: int = 513, width: float = 1.0, classes: int = 21) -> bytes:
    """uint8, MobileNet v2: dilated last blocks, a pooled branch, bilinear enlargement to the
    image's size, ARG_MAX. The first convolution after the stride of 16 has no stride."""
    net = MobileBuilder("uint8", width=width).image(size)
    net.stem(32)
    for blocks in _DEEPLAB:
        net.blocks(blocks)
    trunk = net.last
    height, columns = trunk.shape[1:3]
    net.average_pool_2d((height, columns)).conv2d(256, 1, activation="relu6")
    pooled = net.resize_bilinear((height, columns), align_corners=True).last
    net.conv2d(256, 1, activation="relu6", source=trunk, output=pooled.output)
    net.concatenation(pooled, net.last).conv2d(256, 1, activation="relu6").conv2d(classes, 1)
    net.resize_bilinear((height, columns), align_corners=True)
    net.resize_bilinear((size, size), align_corners=True)
    axis = net._numbers(3, "axis")
    net.op("ARG_MAX", [net.last, axis], (1, size, size), type="int64", options={"output_type": 4})
    return net.build()


def unet_mobilenet_v2(
    size: int = 128, width: float = 1.0, classes: int = 3, *, resize: bool = False
) -> bytes:
    """int8, tf.keras: MobileNet v2 down, TRANSPOSE_CONV up (`resize`: a convolution and
    nearest neighbours), joined with the maps inside the bottlenecks."""
    net = MobileBuilder("int8", width=width, explicit=True).image(size)
    net.stem(32)
    skips: list[Value] = []
    for blocks in (*V2[:5], Blocks(160, 3, 2), Blocks(320)):
        if blocks.stride == 2:
            net.block(blocks, 2, skip=True)
            skips.append(net.expansion)
            rest = {**vars(blocks), "stride": 1, "repetitions": blocks.repetitions - 1}
            net.blocks(Blocks(**rest))
        else:
            net.blocks(blocks)
    for channels, skip in zip((512, 256, 128, 64), reversed(skips), strict=True):
        _enlarged(net, net.rounded(channels), resize, "relu")
        value = net.last
        net._set(skip)
        net.concatenation(value, net.with_output(value.output))
    _enlarged(net, classes, resize, "none")
    return net.build()


def _enlarged(net: MobileBuilder, channels: int, resize: bool, activation: str) -> None:
    if resize:
        height, width = net.last.shape[1:3]
        net.conv2d(channels, 3, activation=activation)
        net.resize_nearest_neighbor((2 * height, 2 * width))
    else:
        net.transpose_conv(channels, 3, 2)
        if activation == "relu":
            net.relu()
