"""AVERAGE_POOL_2D and MEAN: sums of byte planes.

Narrow-to-wide turns the map into pixel planes: a wide line holds four pixels of a row, one in
each byte of every channel's lane. The tensor op reads one byte plane a step against a constant
1, so the accumulator is the sum over the window of (x - input_zero); the requantiser divides:
y = rint(clamp(sum * f32(f32(s_in * f32(1 / n)) * f32(1 / s_out)))) + output_zero.
Facts: docs/format/pooling.md.

Reads GlobalPoolStep and LocalPoolStep; writes the Program level.
"""

from __future__ import annotations

from dataclasses import replace

from ..planning.pooling import GlobalPoolStep, LocalPoolStep, row_planes
from ..planning.vectors import BLOCK_WORDS
from .lower import Lowering
from .program import (
    ALL_TILES,
    Direction,
    Flag,
    MeshMove,
    Mode,
    NarrowToWide,
    Nest,
    TensorOp,
    Wait,
)
from .streams import stream, words

_PIXELS = 4
_LINE_UNITS = 4
_ARRIVALS = (Flag.AVDATA, Flag.EAST_IN, Flag.WEST_IN, Flag.SOUTH_IN, Flag.NORTH_IN)
"""Ways the words of a map can have come."""


def lower_global_pool(lowering: Lowering, step: GlobalPoolStep) -> None:
    """Constant 1; pixel planes; one average a tile; reset."""
    if step.fenced:
        lowering.reset()
    tiles = step.blocks.mask
    source, ones = lowering.address(step.input), lowering.address(step.ones)
    block = BLOCK_WORDS
    _write_ones(lowering, tiles, ones, 1)
    threshold = 1 - step.blocks.tiles
    planes = _planes_source(source, step.width, step.height, block, block)
    waits = tuple(Wait(flag, len(planes.levels), threshold) for flag in _ARRIVALS)
    lines = row_planes(step.width) * step.height
    _store_planes(lowering, tiles, planes, line=step.plane_line, lines=lines, waits=waits)
    output = lowering.address(step.output)
    pitch = 4 * block
    operation = TensorOp(
        tiles=tiles,
        loops=step.kernel,
        narrow_in=_ones_stream(ones, step.kernel, 1),
        narrow_out=stream(4 * output, (block, 4), (1, pitch), (1, pitch), (1, pitch), (1, pitch)),
        wide=_windows(step, lines, (1, 1)),
        partial=Nest(0, ((step.kernel[0] * step.kernel[1], 0),), 0, 1, 4),
        last_lanes=4 * block - 1,
        lanes=4 * block - 1,
    )
    lowering.add(_average(operation, step))
    lowering.reset()


def lower_local_pool(lowering: Lowering, step: LocalPoolStep) -> None:
    """Constant 1 for every window; pixel planes; all windows of a tile; reset."""
    columns, rows = step.outputs
    windows = columns * rows
    source, ones = lowering.address(step.input), lowering.address(step.ones)
    _write_ones(lowering, ALL_TILES, ones, windows)
    pixel = step.pixel_words
    planes = _planes_source(source, step.width, step.height, pixel, pixel)
    lines = row_planes(step.width) * step.height
    _store_planes(lowering, ALL_TILES, planes, line=step.plane_line, lines=lines)
    output, pitch = lowering.address(step.output), 4 * pixel
    operation = TensorOp(
        loops=(*step.kernel, columns, rows),
        narrow_in=_ones_stream(ones, step.kernel, windows),
        narrow_out=stream(
            4 * output,
            (pixel, 4),
            (columns, pitch),
            (rows, columns * pitch),
            (1, pitch),
            (1, windows * pitch),
        ),
        wide=_windows(step, lines, (columns, rows)),
        partial=Nest(0, ((step.kernel[0] * step.kernel[1], 0), (windows, 0)), 0, 1, 4),
        last_lanes=4 * pixel - 1,
        lanes=4 * pixel - 1,
    )
    lowering.add(_average(operation, step))
    lowering.reset()


def _average(operation: TensorOp, step: GlobalPoolStep | LocalPoolStep) -> TensorOp:
    """The operation with what every average has in common."""
    scaling = step.output_scaling
    return replace(
        operation,
        signal_output=3,
        signal_operands=4,
        mode=Mode.POOL,
        byte_slices=3,
        weight_zero=step.input_zero,
        group_level=4,
        reduced=3,
        multiplier=scaling.multiplier,
        clamp_max=scaling.clamp_max,
        clamp_min=scaling.clamp_min,
        output_zero=scaling.zero_point,
    )


def _write_ones(lowering: Lowering, tiles: int, address: int, count: int) -> None:
    """`count` words whose first byte is 1, the operand the pixels are multiplied with."""
    lowering.add(
        MeshMove(tiles=tiles, direction=Direction.NORTH, destination=words(address, count), fill=1)
    )
    lowering.program.idle()


def _ones_stream(address: int, kernel: tuple[int, int], windows: int) -> Nest:
    columns, rows = kernel
    levels = ((columns, 0), (rows, 0), (windows, 4), (1, 4 * windows))
    return Nest(4 * address, levels, 0xC)


def _planes_source(base: int, width: int, height: int, block: int, pitch: int) -> Nest:
    """Four pixels, then the words of a block: 4x4 bytes that the store turns round."""
    rows = row_planes(width)
    inner = ((_PIXELS, pitch), (block, 1))
    middle = ((rows, _PIXELS * pitch),) if rows > 1 else ()
    return stream(base, *inner, *middle, (height, width * pitch))


def _store_planes(
    lowering: Lowering,
    tiles: int,
    planes: Nest,
    *,
    line: int,
    lines: int,
    waits: tuple[Wait, ...] = (),
) -> None:
    lowering.add(
        NarrowToWide(
            tiles=tiles,
            narrow=planes,
            wide=stream(line, (lines, 1)),
            signal=1,
            waits=waits,
            transpose=1,
            fill_level=2,
        )
    )
    lowering.program.idle()


def _windows(step: GlobalPoolStep | LocalPoolStep, lines: int, outputs: tuple[int, int]) -> Nest:
    """Byte planes of the windows: a pixel is one 64-byte unit, a row whole lines."""
    (columns, rows), (right, down) = step.kernel, step.stride
    row = _LINE_UNITS * row_planes(step.width)
    whole = _LINE_UNITS * lines
    return stream(
        _LINE_UNITS * step.plane_line,
        (columns, 1),
        (rows, row),
        (outputs[0], right),
        (outputs[1], down * row),
        (1, whole),
        (1, whole),
    )
