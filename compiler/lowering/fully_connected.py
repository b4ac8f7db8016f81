"""FULLY_CONNECTED: weights on the tiles that compute, or on their way (`moving_weights.py`).

acc[o] = sum_k (x[k] - input_zero) * (w[k, o] - weight_zero[o]) (+ bias[o]);
y[o] = rint(clamp(acc[o] * (scale[o] or multiplier))) + output_zero.
A step takes four inputs of 64 outputs: one wide line. Facts: docs/format/fully_connected.md.

Reads FullyConnectedStep; writes the Program level.
"""

from __future__ import annotations

from ..planning.fully_connected import FullyConnectedStep
from ..planning.plan import Piece
from ..planning.vectors import BLOCK_WORDS
from .builder import ALL_FLAGS
from .lower import Lowering
from .moving_weights import BIAS_UNIT, LINE_UNITS, SLOT_UNITS, MovingWeights
from .program import Flag, Mode, Nest, TensorOp, Wait, WideToNarrow
from .ring_transfer import end_of_round
from .streams import stream


def lower_fully_connected(lowering: Lowering, step: FullyConnectedStep) -> None:
    """Header vectors to the scaling unit; tiles with 64 outputs; the tile with the rest;
    reset and barrier. Tiles that keep the layer at different lines do so one by one."""
    pieces = lowering.placement(step.segments[0])
    if pieces and all(piece.tile == block for block, piece in enumerate(pieces)):
        lower_resident(lowering, step, pieces)
    else:
        _lower_moving(lowering, step, pieces)
    lowering.reset()
    if step.joint_words:
        lowering.program.idle()
        end_of_round(lowering)
    lowering.program.barrier(ALL_FLAGS)
    lowering.sync.reset()
    if step.joint_words:
        lowering.restart_rings()


def lower_resident(lowering: Lowering, step: FullyConnectedStep, pieces: tuple[Piece, ...]) -> None:
    """A layer whose blocks lie on their own tiles, without fences."""
    groups: dict[tuple[int, int], int] = {}
    for block, piece in enumerate(pieces):
        key = piece.address, step.blocks.size(block)
        groups[key] = groups.get(key, 0) | 1 << block
    for line in dict.fromkeys(line for line, _ in groups):
        tiles = sum(mask for (other, _), mask in groups.items() if other == line)
        _load_header(lowering, step, line, tiles)
    for (line, words), tiles in groups.items():
        lowering.add(_matrix_op(lowering, step, line, tiles, words))


def _lower_moving(lowering: Lowering, step: FullyConnectedStep, pieces: tuple[Piece, ...]) -> None:
    weights = MovingWeights(lowering, step, pieces)
    weights.consume()
    weights.load_headers()
    for tiles, words in step.blocks.groups():
        op = _matrix_op(lowering, step, step.weight_line, tiles, words)
        lowering.add(weights.through_fifo(op))
    weights.send()


def _load_header(lowering: Lowering, step: FullyConnectedStep, line: int, tiles: int) -> None:
    """Scales and bias, the leading header lines, to the scaling unit."""
    loaded = [name for name in step.headers if name != "zero_point"]
    if not loaded:
        return
    lowering.add(
        WideToNarrow(
            tiles=tiles,
            wide=Nest(line, ((len(loaded), 1),), 1),
            narrow=Nest(
                0 if loaded[0] == "scale" else BIAS_UNIT,
                ((SLOT_UNITS, 1), (len(loaded), BIAS_UNIT)),
                3,
                2,
                SLOT_UNITS,
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
    output += step.output_offset
    pitch = step.joint_words or words
    largest = min(step.blocks.words, BLOCK_WORDS)
    headers = step.headers
    scaled = "scale" in headers or "bias" in headers
    zero_line = line + headers.index("zero_point") if "zero_point" in headers else None
    scaling = step.output_scaling
    weights = stream(LINE_UNITS * (line + len(headers)), (groups, LINE_UNITS))
    return TensorOp(
        tiles=tiles,
        loops=(groups,),
        narrow_in=stream(4 * vector, (groups, 4), (1, 4 * groups), (1, 4 * groups)),
        narrow_out=stream(4 * output, (words, 4), (1, 4 * pitch), (1, 4 * largest)),
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
