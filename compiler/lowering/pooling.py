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

from ..planning.pooling import GlobalPoolStep, LocalPoolStep, PoolPlace, row_planes
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
    store_part(lowering, step)
    for tiles, block in step.blocks.groups():
        lowering.add(global_average(lowering, step, tiles, block))
    lowering.reset()


def store_part(lowering: Lowering, step: GlobalPoolStep) -> None:
    """Constant 1; pixel planes; idle."""
    ones = lowering.address(step.ones)
    _write_ones(lowering, step.blocks.mask, ones, 1)
    for tiles, block in step.blocks.groups():
        _global_planes(lowering, step, tiles, block)
    lowering.program.idle()


def _global_planes(lowering: Lowering, step: GlobalPoolStep, tiles: int, block: int) -> None:
    """All pixels of the tiles' blocks of `block` words."""
    planes = _planes_source(lowering.address(step.input), step, block, (block, step.width * block))
    alike = len(step.blocks.groups()) == 1
    threshold = 1 - step.blocks.tiles
    waits = tuple(Wait(flag, len(planes.levels), threshold) for flag in _ARRIVALS if alike)
    place = {"line": step.plane_line, "lines": _lines(step)}
    _store_planes(lowering, tiles, planes, block=block, **place, waits=waits)


def global_average(lowering: Lowering, step: GlobalPoolStep, tiles: int, block: int) -> TensorOp:
    """The average of the tiles' blocks of `block` words."""
    output, pitch = lowering.address(step.output), 4 * block
    operation = TensorOp(
        tiles=tiles,
        loops=step.kernel,
        narrow_in=_ones_stream(lowering.address(step.ones), step.kernel, 1),
        narrow_out=stream(4 * output, (block, 4), (1, pitch), (1, pitch), (1, pitch), (1, pitch)),
        wide=_windows(step, (1, 1)),
        partial=Nest(0, ((step.kernel[0] * step.kernel[1], 0),), 0, 1, 4),
        last_lanes=4 * block - 1,
        lanes=4 * block - 1,
    )
    return _average(operation, step)


def lower_local_pool(lowering: Lowering, step: LocalPoolStep) -> None:
    """Constant 1 for every window; pixel planes; all windows of a tile; reset."""
    columns, rows = step.outputs
    ones = lowering.address(step.ones)
    _write_ones(lowering, ALL_TILES, ones, columns * rows)
    for place in step.sources:
        planes = _planes_source(
            lowering.address(step.input) + place.offset,
            step,
            step.block_words,
            (step.pixel_words, place.row_words),
            step.blocks,
        )
        _store_planes(
            lowering,
            place.tiles,
            planes,
            block=step.block_words,
            line=step.plane_line,
            lines=_lines(step),
            blocks=step.blocks,
        )
    lowering.program.idle()
    for place in step.places:
        lowering.add(_average(_local_average(lowering, step, place), step))
    lowering.reset()


def _local_average(lowering: Lowering, step: LocalPoolStep, place: PoolPlace) -> TensorOp:
    """Windows of one block of 64 channels after the other."""
    columns, rows = step.outputs
    windows, taps = columns * rows, step.kernel[0] * step.kernel[1]
    output = 4 * (lowering.address(step.output) + place.offset)
    pitch, row, block = 4 * step.pixel_words, 4 * place.row_words, step.block_words
    many = step.blocks > 1
    if many:
        last = ((step.blocks, 4 * block), (1, rows * row))
        trips = (*step.kernel, columns, rows, step.blocks)
        partial = Nest(0, tuple((count, 0) for count in trips), 0, 2, 4)
    else:
        last = ((1, pitch), (1, rows * row))
        partial = Nest(0, ((taps, 0), (windows, 0)), 0, 1, 4)
    return TensorOp(
        tiles=place.tiles,
        loops=(*step.kernel, columns, rows, *((step.blocks,) if many else ())),
        narrow_in=_ones_stream(lowering.address(step.ones), step.kernel, windows, step.blocks),
        narrow_out=stream(output, (block, 4), (columns, pitch), (rows, row), *last),
        wide=_windows(step, step.outputs, step.blocks),
        partial=partial,
        last_lanes=4 * block - 1,
        lanes=4 * block - 1,
    )


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


def _ones_stream(address: int, kernel: tuple[int, int], windows: int, blocks: int = 1) -> Nest:
    columns, rows = kernel
    levels = ((columns, 0), (rows, 0), (windows, 4), (1, 4 * windows))
    return Nest(4 * address, levels + (((blocks, 0),) if blocks > 1 else ()), 0xC)


def _planes_source(
    base: int,
    step: GlobalPoolStep | LocalPoolStep,
    block: int,
    pitches: tuple[int, int],
    blocks: int = 1,
) -> Nest:
    """Four pixels, then the words of a block: 4x4 bytes that the store turns round. pitches:
    words of a pixel and of a row."""
    pixel, row = pitches
    levels = ((_PIXELS, pixel), (block, 1), (row_planes(step.width), _PIXELS * pixel))
    kept = [(trips, stride) for trips, stride in levels if trips > 1]
    return stream(base, *kept, (step.height, row), *(((blocks, block),) if blocks > 1 else ()))


def _store_planes(
    lowering: Lowering,
    tiles: int,
    planes: Nest,
    *,
    block: int,
    line: int,
    lines: int,
    blocks: int = 1,
    waits: tuple[Wait, ...] = (),
) -> None:
    """A line for the four pixels of every channel word group of the nest; block: its words."""
    wide = ((lines, 1), (blocks, lines)) if blocks > 1 else ((lines, 1),)
    lowering.add(
        NarrowToWide(
            tiles=tiles,
            narrow=planes,
            wide=stream(line, *wide),
            signal=1,
            waits=waits,
            transpose=1,
            fill_level=1 if block == 1 else 2,
        )
    )


def _lines(step: GlobalPoolStep | LocalPoolStep) -> int:
    """Wide lines of a block's pixel planes."""
    return row_planes(step.width) * step.height


def _windows(
    step: GlobalPoolStep | LocalPoolStep, outputs: tuple[int, int], blocks: int = 1
) -> Nest:
    """Byte planes of the windows: a pixel is one 64-byte unit, a row whole lines."""
    (columns, rows), (right, down) = step.kernel, step.stride
    row = _LINE_UNITS * row_planes(step.width)
    whole = _LINE_UNITS * _lines(step)
    return stream(
        _LINE_UNITS * step.plane_line,
        (columns, 1),
        (rows, row),
        (outputs[0], right),
        (outputs[1], down * row),
        (blocks, whole),
        (1, whole * blocks),
    )
