"""A pool over a whole map, some channels after the others (docs/format/pooling.md, "Parts of the
channels").

Reads ChannelCutStep, PartPoolStep and JoinPartsStep; writes the Program level.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

from ..planning.parked_pool import (
    RING_LINES,
    ChannelCutStep,
    JoinMessage,
    JoinPartsStep,
    PartPoolStep,
    join_messages,
    join_rounds,
)
from ..planning.tiling import GRID
from .constant_lines import fence_identity
from .elementwise import copy_patches
from .line_transfer import relay_buffer
from .lower import Lowering
from .mesh_transfer import ALL_MESH_FLAGS, INCOMING, OUTGOING
from .pooling import global_average, store_part
from .program import Direction, Flag, MeshMove, Nest, Unit, Wait
from .ring_transfer import RingLines, end_of_round, ring_message
from .streams import words

_MESH_UNITS = Unit.MESH_SOUTH | Unit.MESH_WEST | Unit.MESH_NORTH | Unit.MESH_EAST
_DIRECTIONS = {
    1: Direction.EAST,
    -1: Direction.WEST,
    GRID: Direction.SOUTH,
    -GRID: Direction.NORTH,
}


def lower_channel_cut(lowering: Lowering, step: ChannelCutStep) -> None:
    """idle; copies; reset; idle."""
    fence_identity(lowering, step.identity)
    lowering.program.idle()
    base, target = lowering.address(step.input) + step.first, lowering.address(step.output)
    copy_patches(lowering, step.classes, step.channel_words, base, target)
    lowering.reset()
    lowering.program.idle()


def lower_part_pool(lowering: Lowering, step: PartPoolStep) -> None:
    """Constant 1; pixel planes; one average a tile; every block to the other tiles; all counters
    start again."""
    pool = step.pool
    store_part(lowering, pool)
    lowering.sync.advance(Flag.NARROW_TO_WIDE, 1, pool.blocks.mask)
    vector = lowering.address(pool.output) + step.first
    tiles = range(pool.blocks.tiles)
    for tile in tiles:
        block = pool.blocks.size(tile)
        average = global_average(lowering, pool, 1 << tile, block)
        base = 4 * (vector + pool.blocks.block * tile)
        pitch = 4 * step.words
        levels = ((block, 4), (1, pitch), (1, pitch), (1, 4 * block), (1, pitch))
        lowering.add(
            replace(average, narrow_out=replace(average.narrow_out, base=base, levels=levels))
        )
    lowering.program.idle()
    lines = RingLines(step.consumer_line, step.consumer_line - RING_LINES)
    for reader, sender in itertools.permutations(tiles, 2):
        place = vector + pool.blocks.block * sender
        ring_message(
            lowering,
            sender,
            1 << reader,
            source=place,
            destination=place,
            count=pool.blocks.size(sender),
            lines=lines,
        )
    end_of_round(lowering)
    lowering.reset()
    lowering.restart()


def lower_join_parts(lowering: Lowering, step: JoinPartsStep) -> None:
    """For each part: idle; rounds of moves, each with a fence behind it; idle. reset."""
    for part in step.parts:
        lowering.program.idle()
        for group in join_rounds(join_messages(part, step.blocks)):
            for message in group:
                for move in _moves(lowering, step, message):
                    lowering.add(move)
            lowering.program.tile_fence(ALL_MESH_FLAGS, _MESH_UNITS)
        lowering.program.idle()
    lowering.reset()


def _moves(lowering: Lowering, step: JoinPartsStep, message: JoinMessage) -> Iterator[MeshMove]:
    """The words along their path: sent, passed on in a FIFO (where they turn, by two
    instructions), received."""
    place = words(lowering.address(step.buffer) + message.first, message.words)
    buffer = relay_buffer(lowering.address(step.fifo), message.words)
    path = message.path
    ways = [_DIRECTIONS[there - here] for here, there in itertools.pairwise(path)]
    yield MeshMove(tiles=1 << path[0], direction=ways[0], source=place)
    for tile, (arriving, leaving) in zip(path[1:-1], itertools.pairwise(ways), strict=True):
        yield from _passed_on(1 << tile, arriving, leaving, buffer)
    yield MeshMove(tiles=1 << path[-1], direction=ways[-1], destination=place)


def _passed_on(
    tiles: int, arriving: Direction, leaving: Direction, buffer: Nest
) -> Iterator[MeshMove]:
    data = Wait(INCOMING[arriving], 1, 1)
    room = Wait(OUTGOING[leaving], 1, -1, 1, space=True)
    receive = MeshMove(
        tiles=tiles, direction=arriving, destination=buffer, signal_received=1, waits=(room,)
    )
    send = MeshMove(tiles=tiles, direction=leaving, source=buffer, signal_sent=1, waits=(data,))
    if arriving is leaving:
        yield replace(send, destination=buffer, signal_received=1, waits=(data, room))
    else:
        yield receive
        yield send
