"""Lowering of ADD and SUB of two maps, and of the copies in front of operators on maps.

Reads `SumStep`s, `InteriorCopyStep`s and `ChannelCopyStep`s. Facts:
docs/format/elementwise.md. A sum is

    reset; weights into wide memory; one tensor op for each class of tiles,

and asks the next layer for a reset behind its halo exchange.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..planning.elementwise import SumStep
from ..planning.patches import ChannelCopyStep, InteriorCopyStep, Patch, PatchClass
from .constant_lines import LINE_WORDS, diagonal, fence_identity, write_weights
from .lower import Lowering
from .program import Flag, Mode, Nest, TensorOp, Wait
from .requantise import copying, requantised
from .streams import idle_levels, stream

WORD_BYTES = 4
LINE_UNITS = 4


def end_elementwise(lowering: Lowering, output: str, groups: int, tiles: int) -> None:
    """The result's events; the next layer resets behind its halo exchange."""
    lowering.sync.produce(output, groups, tiles, grouped=True)
    lowering.sync.reset_before_parameters = True


def lower_sum(lowering: Lowering, step: SumStep) -> None:
    """One sum."""
    lowering.reset()
    tiles = 0
    for op in sum_operations(lowering, step):
        lowering.add(op)
        tiles |= op.tiles
    end_elementwise(lowering, step.output, step.channel_words, tiles)


def sum_operations(lowering: Lowering, step: SumStep) -> list[TensorOp]:
    """Write the weights; the ops of the classes. The first operand is the one at the lower
    address."""
    order = sorted((0, 1), key=lambda i: lowering.address(step.terms[i].buffer))
    terms = [step.terms[i] for i in order]
    zero = max(0, -min(term.weight for term in terms))
    image = [word for term in terms for word in diagonal(term.weight, zero)]
    write_weights(lowering, lowering.address(step.scratch), step.line, image)
    return [_sum(lowering, step, tile_class, order, zero) for tile_class in step.classes]


def _sum(
    lowering: Lowering, step: SumStep, tile_class: PatchClass, order: list[int], zero: int
) -> TensorOp:
    first, second = (
        lowering.address(step.terms[i].buffer) + tile_class.sources[i].offset for i in order
    )
    source, target = tile_class.sources[order[0]], tile_class.target
    height, width, words = tile_class.height, tile_class.width, step.channel_words
    idle = idle_levels(width, height, words)
    loops = (2, 2, *(count for count in (width, height) if count > 1), words)
    op = TensorOp(
        tiles=tile_class.tiles,
        loops=loops,
        narrow_in=stream(
            WORD_BYTES * first,
            (2, 2),
            (2, WORD_BYTES * (second - first)),
            *_pixels(source, height, width, words),
        ),
        narrow_out=stream(
            WORD_BYTES * (lowering.address(step.output) + target.offset),
            (1, WORD_BYTES),
            *_pixels(target, height, width, words),
        ),
        wide=Nest(LINE_UNITS * step.line, ((4, LINE_UNITS), *idle), 1),
        partial=Nest(0, ((4, 0), *idle), 0, 1, LINE_UNITS),
        signal_output=4,
        waits=(Wait(Flag.NARROW_TO_WIDE, len(loops), lowering.sync.count(Flag.NARROW_TO_WIDE)),),
        mode=Mode.ELEMENTWISE,
        weight_zero=zero,
        group_level=len(loops) - 1,
        reduced=0b11,
        last_lanes=WORD_BYTES - 1,
        lanes=WORD_BYTES - 1,
        initial=step.initial,
    )
    return requantised(op, step.requantization)


def _pixels(place: Patch, height: int, width: int, words: int) -> tuple[tuple[int, int], ...]:
    """Columns, rows, and the words of a pixel outside of both, in bytes."""
    return (
        (width, WORD_BYTES * place.pixel_words),
        (height, WORD_BYTES * place.row_words),
        (1, WORD_BYTES * place.map_words),
        (words, WORD_BYTES),
    )


def words_of_pixels(base: int, place: Patch, tile_class: PatchClass, words: int) -> Nest:
    """The words of a pixel, columns and rows of a patch in a buffer at word `base`; in bytes."""
    return stream(
        WORD_BYTES * (base + place.offset),
        (words, WORD_BYTES),
        (tile_class.width, WORD_BYTES * place.pixel_words),
        (tile_class.height, WORD_BYTES * place.row_words),
    )


def lower_interior_copy(lowering: Lowering, step: InteriorCopyStep) -> None:
    """idle; copies; idle; reset."""
    fence_identity(lowering, step.identity)
    lowering.program.idle()
    base, target = lowering.address(step.input), lowering.address(step.output)
    copy_patches(lowering, step.classes, step.channel_words, base, target)
    lowering.program.idle()
    lowering.reset()


def lower_channel_copy(lowering: Lowering, step: ChannelCopyStep) -> None:
    """reset; matrix; reset; copies; idle; reset."""
    lowering.reset()
    constants = lowering.address(step.constants)
    write_weights(lowering, constants, step.line, (1,) * LINE_WORDS)
    lowering.reset()
    base, target = lowering.address(step.input), lowering.address(step.output)
    for tile_class in step.classes:
        (source,) = tile_class.sources
        op = copy_words(
            lowering,
            tile_class.tiles,
            (tile_class.height, tile_class.width, step.channel_words),
            (base + source.offset, source),
            (target + tile_class.target.offset, tile_class.target),
        )
        (_, _, *pixels), steps = op.narrow_in.levels, op.loops[1]
        levels = ((1, WORD_BYTES), (step.channel_words, 0), *pixels)
        lowering.add(
            replace(
                op,
                narrow_in=replace(op.narrow_in, levels=levels),
                wide=Nest(step.line, ((1, 1), (steps, 0)), 1).scaled(LINE_UNITS),
            )
        )
    lowering.program.idle()
    lowering.reset()


def copy_patches(
    lowering: Lowering, classes: Iterable[PatchClass], words: int, source: int, target: int
) -> None:
    """Copies of `words` words of each pixel between maps at these word addresses; no signals."""
    for tile_class in classes:
        (patch,) = tile_class.sources
        lowering.add(
            copy_words(
                lowering,
                tile_class.tiles,
                (tile_class.height, tile_class.width, words),
                (source + patch.offset, patch),
                (target + tile_class.target.offset, tile_class.target),
            )
        )


def copy_words(
    lowering: Lowering,
    tiles: int,
    size: tuple[int, int, int],
    source: tuple[int, Patch],
    target: tuple[int, Patch],
) -> TensorOp:
    """Copy `size` (rows, columns, words) between places (word address, strides); no signals."""
    height, width, words = size
    (first, read), (place, written) = source, target
    steps = height * width * words
    return copying(
        TensorOp(
            tiles=tiles,
            loops=(1, steps),
            narrow_in=Nest(
                first,
                (
                    (words, 1),
                    (1, 0),
                    (width, read.pixel_words),
                    (1, 0),
                    (height, read.row_words),
                    (1, 0),
                    (1, read.map_words),
                ),
                0x55,
            ).scaled(WORD_BYTES),
            narrow_out=stream(
                place,
                (words, 1),
                (width, written.pixel_words),
                (height, written.row_words),
                (1, written.map_words),
            ).scaled(WORD_BYTES),
            wide=Nest(lowering.plan.identity_line, ((1, 1), (steps, 0)), 1).scaled(LINE_UNITS),
            partial=Nest(0, ((steps, 0),), 0, 0, 64 * LINE_UNITS),
        )
    )
