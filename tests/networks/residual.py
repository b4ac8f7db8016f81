"""ResNet-50, DenseNet-121 and VGG-16."""

from __future__ import annotations

import math

from tests.model_core import Value

from .network_builder import NetworkBuilder

_RESNET_STACKS = ((64, 3), (128, 4), (256, 6), (512, 3))
"""(channels of the bottlenecks, bottlenecks)."""
_VGG_STACKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
_DENSENET_BLOCKS = (6, 12, 24, 16)


def resnet_50_slim(size: int = 224, width: float = 1.0) -> bytes:
    """uint8, TF-Slim's v1: the last bottleneck of a stack halves the map, its shortcut by a
    maximum over one pixel."""
    net = NetworkBuilder("uint8", width=width).image(size)
    net.padded(7).conv2d(net.at_width(64), 7, stride=2, padding="valid", activation="relu")
    net.max_pool_2d(3, stride=2, padding="same")
    for number, (channels, units) in enumerate(_RESNET_STACKS):
        for unit in range(units):
            last = unit == units - 1 and number < 3
            _slim_bottleneck(net, net.at_width(channels), 2 if last else 1)
    net.mean(keep_dims=True).conv2d(1001, 1)
    return net.reshape((1, 1001)).softmax().build()


def _slim_bottleneck(net: NetworkBuilder, channels: int, stride: int) -> None:
    trunk = shortcut = net.last
    if trunk.shape[3] != 4 * channels:
        shortcut = net.conv2d(4 * channels, 1, stride=stride).last
    elif stride == 2:
        shortcut = net.max_pool_2d(1, stride=2).last
    net.conv2d(channels, 1, activation="relu", source=trunk)
    if stride == 2:
        net.padded(3).conv2d(channels, 3, stride=2, padding="valid", activation="relu")
    else:
        net.conv2d(channels, 3, activation="relu")
    net.conv2d(4 * channels, 1)
    net.add(shortcut, net.last, activation="relu")


def resnet_50_keras(size: int = 224, width: float = 1.0) -> bytes:
    """int8: explicit paddings, the first bottleneck of a stack halves the map."""
    net = NetworkBuilder("int8", width=width).image(size)
    net.padded((7, 7)).conv2d(net.at_width(64), 7, stride=2, padding="valid", activation="relu")
    net.padded(3).max_pool_2d(3, stride=2)
    for number, (channels, units) in enumerate(_RESNET_STACKS):
        for unit in range(units):
            stride = 2 if number and not unit else 1
            _keras_bottleneck(net, net.at_width(channels), stride, first=not unit)
    return net.classifier(1000, dense=True).build()


def _keras_bottleneck(net: NetworkBuilder, channels: int, stride: int, first: bool) -> None:
    trunk = shortcut = net.last
    if first:
        shortcut = net.conv2d(4 * channels, 1, stride=stride).last
    net.conv2d(channels, 1, stride=stride, activation="relu", source=trunk)
    net.conv2d(channels, 3, activation="relu").conv2d(4 * channels, 1)
    net.add(shortcut, net.last, activation="relu")


def vgg_16(size: int = 224, width: float = 1.0) -> bytes:
    """int8, with its three fully connected layers."""
    net = NetworkBuilder("int8", width=width).image(size)
    for channels, layers in _VGG_STACKS:
        for _ in range(layers):
            net.conv2d(net.at_width(channels), 3, activation="relu")
        net.max_pool_2d(2)
    net.reshape((1, math.prod(net.last.shape)))
    for units in (4096, 4096):
        net.fully_connected(net.at_width(units), activation="relu")
    return net.fully_connected(1000).softmax().build()


def densenet_121(size: int = 224, width: float = 1.0, *, folded: bool = False) -> bytes:
    """int8. A batch normalisation in front of its RELU is a MUL and an ADD by one number a
    channel; `folded`: left out."""
    net = NetworkBuilder("int8", width=width).image(size)
    growth = net.at_width(32)
    net.padded(7).conv2d(2 * growth, 7, stride=2, padding="valid", activation="relu")
    net.padded(3).max_pool_2d(3, stride=2)
    for number, layers in enumerate(_DENSENET_BLOCKS):
        for _ in range(layers):
            _densenet_layer(net, net.last, growth, folded)
        _normalised(net, folded)
        if number < 3:
            net.conv2d(net.last.shape[3] // 2, 1).average_pool_2d(2)
    return net.classifier(1000, dense=True).build()


def _densenet_layer(net: NetworkBuilder, trunk: Value, growth: int, folded: bool) -> None:
    _normalised(net, folded)
    net.conv2d(4 * growth, 1, activation="relu")
    net.conv2d(growth, 3, output=trunk.output)
    net.concatenation(trunk, net.last)


def _normalised(net: NetworkBuilder, folded: bool) -> None:
    if folded:
        return
    channels = net.last.shape[3]
    net.mul(net.last, net.channel_constant(0.5, 1.5, channels))
    net.add(net.last, net.channel_constant(-0.5, 0.5, channels), activation="relu")
