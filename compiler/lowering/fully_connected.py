"""FULLY_CONNECTED with resident weights.

acc[o] = sum_k (x[k] - input_zero) * (w[k, o] - weight_zero[o]) (+ bias[o]);
y[o] = rint(clamp(acc[o] * (scale[o] or multiplier))) + output_zero.
A step takes four inputs of 64 outputs: one wide line. Facts: docs/format/fully_connected.md.

Reads FullyConnectedStep; writes the Program level.
"""

from __future__ import annotations

from ..errors import ResourceError, Where
from ..planning.fully_connected import FullyConnectedStep
from ..planning.vectors import BLOCK_WORDS
from .builder import ALL_FLAGS
from .lower import Lowering
from .program import Flag, Mode, Nest, TensorOp, Wait, WideToNarrow
from .streams import stream

_BIAS_UNIT = 64
_SLOT_UNITS = 32
"""The scaling unit holds two slots of 32 8-byte units for scales from 0, for bias from 64."""
_LINE_UNITS = 4
"""64-byte units of a wide line."""


def lower_fully_connected(lowering: Lowering, step: FullyConnectedStep) -> None:
    """Header vectors to the scaling unit; tiles with 64 outputs; the tile with the rest;
    reset and barrier. Tiles that keep the layer at different lines do so one by one."""
    groups = _groups(lowering, step)
    for line in dict.fromkeys(line for line, _ in groups):
        tiles = sum(mask for (other, _), mask in groups.items() if other == line)
        _load_header(lowering, step, line, tiles)
    for (line, words), tiles in groups.items():
        lowering.add(_matrix_op(lowering, step, line, tiles, words))
    lowering.reset()
    lowering.program.barrier(ALL_FLAGS)
    lowering.sync.reset()


def _groups(lowering: Lowering, step: FullyConnectedStep) -> dict[tuple[int, int], int]:
    """(first wide line, words of the block) -> tiles, in tile order."""
    groups: dict[tuple[int, int], int] = {}
    for block, piece in enumerate(lowering.placement(step.segments[0])):
        if piece.tile != block:
            raise ResourceError(
                "the weights of a fully connected layer do not fit the tiles of its outputs",
                where=Where(op=f"operator {step.ops[0]}"),
                actual=f"block {block} on tile {piece.tile}",
            )
        key = piece.address, step.blocks.size(block)
        groups[key] = groups.get(key, 0) | 1 << block
    return groups


def _load_header(lowering: Lowering, step: FullyConnectedStep, line: int, tiles: int) -> None:
    """Scales and bias, the leading header lines, to the scaling unit."""
    loaded = [name for name in step.headers if name != "zero_point"]
    if not loaded:
        return
    units = 2 * min(step.blocks.words, BLOCK_WORDS)
    lowering.add(
        WideToNarrow(
            tiles=tiles,
            wide=Nest(line, ((len(loaded), 1),), 1),
            narrow=Nest(
                0 if loaded[0] == "scale" else _BIAS_UNIT,
                ((units, 1), (len(loaded), _BIAS_UNIT)),
                3,
                2,
                _SLOT_UNITS,
            ),
            signal=2,
            waits=(Wait(Flag.AVDATA, 2, -1, 1, True),),
            to_scaling=1,
            fill_level=1,
        )
    )


def _matrix_op(
    lowering: Lowering, step: FullyConnectedStep, line: int, tiles: int, words: int
) -> TensorOp:
    """One block on the tiles of the mask: `words` groups of four outputs."""
    groups = -(-step.inputs // 4)
    vector, output = lowering.address(step.input), lowering.address(step.output)
    largest = min(step.blocks.words, BLOCK_WORDS)
    headers = step.headers
    scaled = "scale" in headers or "bias" in headers
    zero_line = line + headers.index("zero_point") if "zero_point" in headers else None
    scaling = step.output_scaling
    weights = stream(_LINE_UNITS * (line + len(headers)), (groups, _LINE_UNITS))
    return TensorOp(
        tiles=tiles,
        loops=(groups,),
        narrow_in=stream(4 * vector, (groups, 4), (1, 4 * groups), (1, 4 * groups)),
        narrow_out=stream(4 * output, (words, 4), (1, 4 * words), (1, 4 * largest)),
        wide=weights,
        partial=Nest(0, ((groups, 0),)),
        signal_output=2,
        signal_operands=1,
        waits=(Wait(Flag.WIDE_TO_SCALING, 1, 1),) if scaled else (),
        mode=Mode.MATRIX,
        input_zero=step.input_zero,
        weight_zero=step.weight_zero,
        weight_zero_vector=int(zero_line is not None),
        zero_vector_start=zero_line or 0,
        zero_vector_step=int(zero_line is not None),
        zero_vector_last=zero_line or 0,
        group_level=1,
        reduced=1,
        last_lanes=4 * words - 1,
        lanes=4 * words - 1,
        multiplier=scaling.multiplier,
        clamp_max=scaling.clamp_max,
        clamp_min=scaling.clamp_min,
        output_zero=scaling.zero_point,
        bias=int("bias" in headers),
        scales=int("scale" in headers),
    )
