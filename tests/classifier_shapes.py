"""MobileNet v1 by its shapes alone, and a set of four that the vendor compiled together."""

from __future__ import annotations

import itertools
from dataclasses import replace

from compiler.planning.plan import Plan, Segment, Step
from compiler.release import RELEASE_15

WIDTHS = [32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
"""Channels behind the first layer and each of the thirteen pairs of MobileNet v1."""
VENDOR_CAPACITY = 1981
VENDOR_ORDER = [1.0, 0.25, 0.5, 0.75]
VENDOR_STREAMED_BYTES = {0.25: 251072, 0.5: 448320, 0.75: 158144}
"""Streamed parameters of the compiled files of the set (the file of width 1.0 is unknown)."""


def matrix(taps: int, inputs: int, outputs: int, kind: str = "convolution") -> Segment:
    rows_a_block = 1 + taps * -(-inputs // 4)
    lanes = 16 * -(-min(outputs, 64) // 16)
    blocks = -(-outputs // 64)
    data = bytes(blocks * rows_a_block * lanes * 4)
    return Segment(0, kind, data, lanes, ("bias",), blocks if kind == "fully_connected" else 1)


def depthwise(channels: int) -> Segment:
    size = -(-channels // 4) * 10 * 16
    return Segment(0, "depthwise", bytes(-(-size // 64) * 64), 64, ("bias",))


def mobilenet(width: float) -> Plan:
    """The classifier of that width, 1001 classes, softmax included."""
    channels = [int(count * width) for count in WIDTHS]
    layers = [matrix(9, 3, channels[0])]
    for before, after in itertools.pairwise(channels):
        layers += [depthwise(before), matrix(1, before, after)]
    layers.append(matrix(1, channels[-1], 1001, "fully_connected"))
    spread = (16,) * 15 + (11,)
    layers += [Segment(0, "table", bytes(64 * 251), 16, spread=spread) for _ in range(3)]
    layers.append(Segment(0, "table", bytes(64), 16, spread=(1,)))
    layers = [replace(layer, op=op) for op, layer in enumerate(layers)]
    return Plan(RELEASE_15, (Step(lowest_line=VENDOR_CAPACITY),), (), {}, tuple(layers))
