"""Detectors: SSD on MobileNet v1 and v2, SSDLite on MobileDet, EfficientDet-Lite0, YOLOv5."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from flatbuffers import flexbuffers

from tests.model_core import Value

from .mobile import EFFICIENTNET_LITE0, V2, Blocks, MobileBuilder
from .network_builder import NetworkBuilder

_MOST_DETECTIONS = 10


def _boxes_and_scores(
    net: NetworkBuilder,
    maps: Sequence[Value],
    anchors: Sequence[int],
    classes: int,
    head: Callable[[Value, int, str], Value],
) -> tuple[Value, Value]:
    """The heads of all maps, as (anchors, 4) and (anchors, classes), all in one tensor each."""
    parts: dict[str, list[Value]] = {"boxes": [], "scores": []}
    for source, count in zip(maps, anchors, strict=True):
        for kind, depth in (("boxes", 4), ("scores", classes)):
            value = head(source, count * depth, kind)
            total = math.prod(value.shape) // depth
            parts[kind].append(net.reshape((1, total, depth), source=value).last)
    boxes = net.concatenation(*parts["boxes"], axis=1).last
    net.concatenation(*parts["scores"], axis=1)
    return boxes, net.logistic().last


def _detections(net: NetworkBuilder, boxes: Value, scores: Value) -> bytes:
    """TFLite_Detection_PostProcess: boxes, classes, scores and their number. It takes uint8 and
    float32."""
    classes, anchors = scores.shape[2], boxes.shape[1]
    if net.type == "int8":
        boxes, scores = (net.dequantize(source=value).last for value in (boxes, scores))
    options = {
        "max_detections": _MOST_DETECTIONS,
        "max_classes_per_detection": 1,
        "num_classes": classes if net.type == "int8" else classes - 1,
        "nms_score_threshold": 1e-8,
        "nms_iou_threshold": 0.6,
        "y_scale": 10.0,
        "x_scale": 10.0,
        "h_scale": 5.0,
        "w_scale": 5.0,
        "use_regular_nms": False,
    }
    table = _anchors(net, anchors)
    net.op(
        "TFLite_Detection_PostProcess",
        [boxes, scores, table],
        (1, _MOST_DETECTIONS, 4),
        type="float32",
        more_outputs=3,
        custom_options=bytes(flexbuffers.Dumps(options)),
    )
    first = net.last
    shapes = {1: (1, _MOST_DETECTIONS), 2: (1, _MOST_DETECTIONS), 3: (1,)}
    for number, shape in shapes.items():
        net.model.tensors[first.index + number].shape = shape
    results = [first, *(Value(first.index + i, s, "float32") for i, s in shapes.items())]
    return net.output(*results).build()


def _anchors(net: NetworkBuilder, count: int) -> Value:
    if net.type == "int8":
        return net.constant(net.random.uniform(0.1, 0.9, (count, 4)).astype(np.float32))
    codes = net.random.integers(20, 200, (count, 4)).astype(np.uint8)
    return net.constant(codes, "anchors", scales=[1 / 200], zero_points=[0])


def _extra_maps(net: NetworkBuilder, channels: Sequence[int], maps: list[Value]) -> None:
    """Maps of half the size each, behind the backbone."""
    for depth in channels:
        net.conv2d(net.at_width(depth // 2), 1, activation="relu6")
        net.conv2d(net.at_width(depth), 3, stride=2, activation="relu6")
        maps.append(net.last)


def _ssd(net: NetworkBuilder, maps: list[Value], classes: int) -> bytes:
    """Heads of 1x1 convolutions; 3 anchors in the first map, 6 in the others."""
    _extra_maps(net, (512, 256, 256, 128), maps)
    outputs = {"boxes": (0.06, 128), "scores": (0.05, 150)}

    def head(source: Value, depth: int, kind: str) -> Value:
        return net.conv2d(depth, 1, source=source, output=outputs[kind]).last

    anchors = [3, *[6] * (len(maps) - 1)]
    boxes, scores = _boxes_and_scores(net, maps, anchors, classes, head)
    return _detections(net, boxes, scores)


_V1_LAYERS = ((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), *((1, 512),) * 5)


def ssd_mobilenet_v1(size: int = 300, width: float = 1.0, classes: int = 91) -> bytes:
    """uint8, TensorFlow's object detection API."""
    net = NetworkBuilder("uint8", width=width).image(size)
    net.conv2d(net.rounded(32), 3, stride=2, activation="relu6")
    maps = []
    for stride, channels in (*_V1_LAYERS, (2, 1024), (1, 1024)):
        if channels == 1024 and not maps:
            maps.append(net.last)
        net.depthwise_conv2d(3, stride=stride, activation="relu6")
        net.conv2d(net.rounded(channels), 1, activation="relu6")
    return _ssd(net, [*maps, net.last], classes)


def ssd_mobilenet_v2(size: int = 300, width: float = 1.0, classes: int = 91) -> bytes:
    """uint8, TensorFlow's object detection API: the first map is inside a bottleneck."""
    net = MobileBuilder("uint8", width=width).image(size)
    net.stem(32)
    maps = []
    for blocks in V2:
        net.blocks(Blocks(**{**vars(blocks), "repetitions": 1}))
        if blocks.channels == 160:
            maps.append(net.expansion)
        rest = {**vars(blocks), "repetitions": blocks.repetitions - 1, "stride": 1}
        net.blocks(Blocks(**rest))
    maps.append(net.conv2d(net.rounded(1280), 1, activation="relu6").last)
    return _ssd(net, maps, classes)


_MOBILEDET = (
    (Blocks(16, 1, 2, 8, fused=True, skip=False), Blocks(16, 1, 1, 4, fused=True)),
    (Blocks(16, 1, 1, 8, fused=True), Blocks(16, 1, 1, 4, fused=True)),
    (Blocks(40, 1, 2, 8, kernel=5, fused=True, skip=False), Blocks(40, 3, 1, 4, fused=True)),
    (Blocks(72, 1, 2, 8, skip=False), Blocks(72, 1, 1, 8), Blocks(72, 2, 1, 4, fused=True)),
    (Blocks(96, 1, 1, 8, kernel=5, skip=False), Blocks(96, 1, 1, 8, kernel=5)),
    (Blocks(96, 2, 1, 8),),
    (Blocks(120, 1, 2, 8, kernel=5, skip=False), Blocks(120, 1, 1, 8)),
    (Blocks(120, 1, 1, 4, kernel=5), Blocks(120, 1, 1, 8), Blocks(384, 1, 1, 8, 5, skip=False)),
)


def ssdlite_mobiledet(size: int = 320, width: float = 1.0, classes: int = 91) -> bytes:
    """uint8, MobileDet for the Edge TPU: a factorised stem, fused bottlenecks, separable heads."""
    net = MobileBuilder("uint8", width=width).image(size)
    net.stem(32).conv2d(8, 1, activation="relu6").conv2d(12, 3, activation="relu6")
    net.conv2d(net.rounded(16), 1)
    maps = []
    for number, stage in enumerate(_MOBILEDET):
        for blocks in stage:
            net.blocks(blocks)
        if number in (5, 7):
            maps.append(net.last)
    for depth in (512, 256, 256, 128):
        net.conv2d(net.at_width(depth // 2), 1, activation="relu6")
        net.depthwise_conv2d(3, stride=2, activation="relu6")
        maps.append(net.conv2d(net.at_width(depth), 1, activation="relu6").last)
    outputs = {"boxes": (0.06, 128), "scores": (0.05, 150)}

    def head(source: Value, depth: int, kind: str) -> Value:
        net.depthwise_conv2d(3, activation="relu6", source=source)
        return net.conv2d(depth, 1, output=outputs[kind]).last

    anchors = [3, *[6] * (len(maps) - 1)]
    boxes, scores = _boxes_and_scores(net, maps, anchors, classes, head)
    return _detections(net, boxes, scores)


class _Pyramid:
    """EfficientDet's weighted pyramid, without weights: maps 3 to 7, sums in both directions."""

    def __init__(self, net: MobileBuilder, channels: int) -> None:
        self.net = net
        self.channels = channels

    def narrowed(self, value: Value) -> Value:
        if value.shape[3] == self.channels:
            return value
        return self.net.conv2d(self.channels, 1, source=value).last

    def lowered(self, value: Value) -> Value:
        return self.net.max_pool_2d(3, stride=2, padding="same", source=self.narrowed(value)).last

    def raised(self, value: Value, like: Value) -> Value:
        size = like.shape[1], like.shape[2]
        return self.net.resize_nearest_neighbor(size, source=value).last

    def node(self, *values: Value) -> Value:
        """Sum of two or three maps, then a separable convolution."""
        self.net.add(values[0], values[1])
        for value in values[2:]:
            self.net.add(self.net.last, value)
        total = self.net.last
        self.net.relu(six=True, source=total).depthwise_conv2d(3)
        return self.net.conv2d(self.channels, 1).last

    def cell(self, maps: Sequence[Value]) -> list[Value]:
        inputs = [self.narrowed(value) for value in maps]
        top = list(inputs)
        for level in range(len(maps) - 2, -1, -1):
            top[level] = self.node(inputs[level], self.raised(top[level + 1], inputs[level]))
        results = [top[0]]
        for level in range(1, len(maps)):
            below = self.lowered(results[-1])
            middle = [top[level]] if level < len(maps) - 1 else []
            results.append(self.node(inputs[level], *middle, below))
        return results


def efficientdet_lite0(
    size: int = 320, width: float = 1.0, cells: int = 3, classes: int = 90
) -> bytes:
    """int8, EfficientNet-Lite0 with a pyramid of 64 channels."""
    net = MobileBuilder("int8", width=width).image(size)
    net.stem(32)
    maps = []
    for blocks in EFFICIENTNET_LITE0:
        net.blocks(blocks)
        if blocks.channels in (40, 112, 320):
            maps.append(net.last)
    pyramid = _Pyramid(net, net.rounded(64))
    for _ in range(2):
        maps.append(pyramid.lowered(maps[-1]))
    for _ in range(cells):
        maps = pyramid.cell(maps)
    outputs = {"boxes": (0.06, 0), "scores": (0.05, 20)}

    def head(source: Value, depth: int, kind: str) -> Value:
        net._set(source)
        for _ in range(3):
            net.depthwise_conv2d(3).conv2d(pyramid.channels, 1, activation="relu6")
        return net.depthwise_conv2d(3).conv2d(depth, 1, output=outputs[kind]).last

    boxes, scores = _boxes_and_scores(net, maps, [9] * 5, classes, head)
    return _detections(net, boxes, scores)


class _Yolo(NetworkBuilder):
    """Convolutions with x * LOGISTIC(x) behind each, and blocks of them."""

    def layer(self, channels: int, kernel: int = 1, stride: int = 1) -> _Yolo:
        if stride > 1:
            around = max(kernel // 2 - (kernel + 1) % 2, 0)
            self.pad([(0, 0), (around, around), (around, around), (0, 0)])
        padding = "same" if stride == 1 else "valid"
        self.conv2d(channels, kernel, stride=stride, padding=padding)
        return self.silu()

    def bottlenecks(self, channels: int, count: int, shortcut: bool = True) -> _Yolo:
        """C3: `count` bottlenecks in one half, a 1x1 convolution in the other."""
        trunk = self.last
        self.layer(channels // 2)
        for _ in range(count):
            before = self.last
            self.layer(channels // 2).layer(channels // 2, 3)
            if shortcut:
                self.add(before, self.last)
        deep = self.last
        self._set(trunk)
        side = self.layer(channels // 2).last
        return self.joined(deep, side).layer(channels)

    def joined(self, *values: Value) -> _Yolo:
        """CONCATENATION, of requantised values where their scales differ."""
        output = values[0].output
        same = []
        for value in values:
            self._set(value)
            same.append(self.with_output(output))
        return self.concatenation(*same)

    def pyramid_pool(self, channels: int) -> _Yolo:
        """SPPF: three 5x5 maxima, one behind the other."""
        self.layer(channels // 2)
        values = [self.last]
        for _ in range(3):
            values.append(self.max_pool_2d(5, stride=1, padding="same").last)
        return self.joined(*values).layer(channels)


def yolov5(size: int = 320, width: float = 0.25, classes: int = 80) -> bytes:
    """int8, as the TensorFlow export writes it, up to the box arithmetic: LOGISTIC of the
    transposed heads. n: 0.25, s: 0.5."""
    net = _Yolo("int8", width=width).image(size)
    wide = [net.at_width(n) for n in (64, 128, 256, 512, 1024)]
    net.layer(wide[0], 6, 2).layer(wide[1], 3, 2).bottlenecks(wide[1], 1)
    low = net.layer(wide[2], 3, 2).bottlenecks(wide[2], 2).last
    middle = net.layer(wide[3], 3, 2).bottlenecks(wide[3], 3).last
    net.layer(wide[4], 3, 2).bottlenecks(wide[4], 1).pyramid_pool(wide[4])
    high = net.layer(wide[3]).last
    net.resize_nearest_neighbor(middle.shape[1:3])
    net.joined(net.last, middle).bottlenecks(wide[3], 1, shortcut=False)
    lateral = net.layer(wide[2]).last
    net.resize_nearest_neighbor(low.shape[1:3])
    heads = [net.joined(net.last, low).bottlenecks(wide[2], 1, shortcut=False).last]
    net.layer(wide[2], 3, 2)
    heads.append(net.joined(net.last, lateral).bottlenecks(wide[3], 1, shortcut=False).last)
    net.layer(wide[3], 3, 2)
    heads.append(net.joined(net.last, high).bottlenecks(wide[4], 1, shortcut=False).last)
    for value in heads:
        pixels, depth = math.prod(value.shape[1:3]), classes + 5
        net.conv2d(3 * depth, 1, source=value).reshape((1, pixels, 3, depth))
        net.transpose((0, 2, 1, 3)).logistic().output()
    return net.build()
