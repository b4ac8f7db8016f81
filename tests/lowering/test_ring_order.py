"""Messages of tiles behind what the host sends: which tiles know that it has arrived."""

from __future__ import annotations

import pytest

from compiler.lowering.builder import ProgramBuilder
from compiler.lowering.program import ALL_TILES, Pop
from compiler.release import RELEASE_16

ROWS = (0xF, 0xF0, 0xF00, 0xF000)


def fed(*destinations: int) -> ProgramBuilder:
    program = ProgramBuilder(RELEASE_16)
    for tiles in destinations:
        program.add(Pop(destinations=tiles))
    return program


@pytest.mark.parametrize(
    ("sender", "readers", "overtakes"),
    [
        (0, 0xF, False),
        (0, 0xF0, True),
        (0, 0x1000, True),
        (5, 0xF, False),
        (5, 0xFF, False),
        (5, ALL_TILES, True),
        (12, ALL_TILES, False),
    ],
)
def test_a_tile_knows_of_the_pops_up_to_its_own(sender, readers, overtakes):
    assert fed(*ROWS).overtakes_feed(sender, readers) == overtakes


def test_nothing_is_under_way_behind_a_barrier():
    program = fed(*ROWS)
    program.idle()
    assert program.overtakes_feed(0, ALL_TILES)
    program.barrier()
    assert not program.overtakes_feed(0, ALL_TILES)


def test_nothing_is_under_way_behind_a_pop_that_counts_as_a_message():
    program = fed(*ROWS)
    program.add(Pop(source=2, destinations=0xF, signal_ring=1))
    assert not program.overtakes_feed(9, ALL_TILES)


def test_tiles_learn_from_those_whose_data_they_get():
    program = fed(*ROWS[:3], 0xF, ROWS[3])
    program.tell(0x3, 1 << 9)
    assert not program.overtakes_feed(9, 0xFFF)
    assert program.overtakes_feed(9, ALL_TILES)
    assert program.overtakes_feed(10, 0xFFF)
    program.tell(0x1000, 1 << 9)
    assert not program.overtakes_feed(9, ALL_TILES)


def test_tiles_learn_from_those_that_had_their_turn():
    program = fed(*ROWS)
    program.takes_turn(5)
    assert not program.overtakes_feed(0, 0xFF)
    assert program.overtakes_feed(0, 0xFFF)
    program.takes_turn(15)
    assert not program.overtakes_feed(0, ALL_TILES)
