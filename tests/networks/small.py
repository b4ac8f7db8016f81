"""Face embedding, keyword spotting, anomaly detection."""

from __future__ import annotations

from .mobile import Blocks, MobileBuilder
from .network_builder import NetworkBuilder

_MOBILE_FACE = (
    Blocks(64, 5, 2, 2),
    Blocks(128, 1, 2, 4),
    Blocks(128, 6, 1, 2),
    Blocks(128, 1, 2, 4),
    Blocks(128, 2, 1, 2),
)


def mobile_face_net(size: int = 112, width: float = 1.0, *, prelu: bool = False) -> bytes:
    """int8: a depthwise window over the last map, 128 numbers of length 1, of a 1x1 convolution.
    Without `prelu`: RELU and FULLY_CONNECTED, as many make it."""
    net = MobileBuilder("int8", width=width, activation="prelu" if prelu else "relu").image(size)
    net.stem(64).depthwise(3)
    for blocks in _MOBILE_FACE:
        net.blocks(blocks)
    net.layer(net.rounded(512), 1)
    net.depthwise_conv2d(net.last.shape[1:3], padding="valid")
    if prelu:
        net.conv2d(128, 1).reshape((1, 128))
    else:
        net.reshape((1, net.last.shape[3])).fully_connected(128)
    return net.l2_normalization().build()


def ds_cnn(size: int = 49, width: float = 1.0) -> bytes:
    """int8: keyword spotting on `size` frames of 10 coefficients."""
    net = NetworkBuilder("int8", width=width).image((size, 10), 1)
    channels = net.rounded(64)
    net.conv2d(channels, (10, 4), stride=2, activation="relu")
    for _ in range(4):
        net.depthwise_conv2d(3, activation="relu").conv2d(channels, 1, activation="relu")
    net.average_pool_2d(net.last.shape[1:3]).reshape((1, channels))
    return net.fully_connected(12).softmax().build()


def autoencoder(size: int = 640, width: float = 1.0) -> bytes:
    """int8: anomaly detection on `size` numbers, through 8."""
    net = NetworkBuilder("int8", width=width).input("input", (1, size), scale=1 / 64)
    for _ in range(4):
        net.fully_connected(net.at_width(128), activation="relu")
    net.fully_connected(8, activation="relu")
    for _ in range(4):
        net.fully_connected(net.at_width(128), activation="relu")
    return net.fully_connected(size).build()
