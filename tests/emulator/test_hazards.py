"""The hazard detector on hand-written programs: it finds what timing alone would hide."""

from __future__ import annotations

from dataclasses import replace

from compiler.emulator.hazards import Kind
from compiler.emulator.timing import Speeds
from compiler.lowering.program import (
    Direction,
    Flag,
    Infeed,
    MeshMove,
    NarrowToWide,
    Nest,
    Pop,
    RingConsume,
    RingProduce,
    ScalarFence,
    ScalarFlag,
    TileFence,
    Unit,
    Wait,
    WideToNarrow,
)
from tests.emulator.programs import run, transfer

INTERRUPT = 4


def flat(count, stride=1, base=0):
    return Nest(base, ((count, stride),), 1)


FILL = MeshMove(tiles=1, destination=flat(64), fill=3, signal_received=1)


def pack(*waits):
    return NarrowToWide(
        tiles=1, narrow=flat(64), wide=flat(1, 1, 9), fill_level=1, signal=1, waits=waits
    )


def kinds(*program, **options):
    return {report.kind for report in run(*program, concurrent=True, **options).hazards}


def test_wait_orders_reader_behind_writer():
    assert kinds(FILL, pack(Wait(Flag.SOUTH_IN, 1, 1))) == set()


def test_missing_wait():
    (report,) = run(FILL, pack(), concurrent=True).hazards
    assert report.kind in (Kind.READ_BEFORE_WRITE, Kind.OVERWRITE_BEFORE_READ)
    assert report.tile == 0 and report.address == 0 and report.count == 64
    assert "MeshMove" in str(report) and "NarrowToWide" in str(report)


def test_missing_wait_is_found_at_any_speed():
    for seed in range(6):
        assert kinds(FILL, pack(), speeds=Speeds(seed=seed, spread=2.0))


def test_threshold_one_too_low():
    assert kinds(FILL, pack(Wait(Flag.SOUTH_IN, 1, 0)))


def test_fence_orders_too():
    fence = TileFence(tiles=1, units=Unit.MESH_NORTH)
    assert kinds(FILL, fence, pack()) == set()


def test_fence_for_another_unit_does_not():
    assert kinds(FILL, TileFence(tiles=1, units=Unit.MESH_SOUTH), pack())


def test_one_unit_works_in_order():
    other = MeshMove(tiles=1, destination=flat(64), fill=4)
    assert kinds(FILL, other) == set()


def test_overwrite_before_read():
    reader = pack(Wait(Flag.SOUTH_IN, 1, 1))
    refill = MeshMove(tiles=1, direction=Direction.EAST, destination=flat(8, 8), fill=1)
    reports = run(FILL, reader, refill, concurrent=True).hazards
    assert {report.kind for report in reports} & {
        Kind.OVERWRITE_BEFORE_READ,
        Kind.READ_BEFORE_WRITE,
        Kind.DOUBLE_WRITE,
    }


def test_counter_set_while_it_counts():
    fence = TileFence(tiles=1, flags=1 << Flag.SOUTH_IN)
    assert Kind.UNBALANCED in kinds(FILL, FILL, fence)


def test_counter_set_while_a_unit_waits():
    """The fence waits for the mesh unit, whose signal it throws away, not for the unit that
    waits for this signal."""
    throws_away = TileFence(tiles=1, units=Unit.MESH_NORTH, flags=1 << Flag.SOUTH_IN)
    waits = pack(Wait(Flag.SOUTH_IN, 1, 1))
    assert Kind.EARLY_SET in kinds(FILL, waits, throws_away)
    both = Unit.MESH_NORTH | Unit.NARROW_TO_WIDE
    assert kinds(FILL, waits, replace(throws_away, units=both)) == set()


def test_wait_that_may_see_the_count_before_a_fence():
    """Two fills, a fence that sets the counter between them, and a unit that waits for one: it
    was issued before the fence, and either may be the one."""
    between = TileFence(tiles=1, units=Unit.MESH_NORTH, flags=1 << Flag.SOUTH_IN)
    found = kinds(FILL, pack(Wait(Flag.SOUTH_IN, 1, 1)), between, FILL)
    assert Kind.EARLY_SET in found


def test_counter_no_fence_has_set():
    program = FILL, pack(Wait(Flag.SOUTH_IN, 1, 1))
    assert kinds(*program, counters_set=False) == {Kind.UNSET}
    left_at_zero = TileFence(tiles=1, units=Unit.ALL, flags=1 << Flag.SOUTH_IN)
    assert kinds(*program, left_at_zero, counters_set=False) == set()


def test_end_before_a_unit_is_idle():
    barrier = (
        TileFence(tiles=1, units=Unit.ALL, notify=1),
        ScalarFence(notify_tiles=1, notify_count=1),
    )
    assert kinds(FILL, *transfer(INTERRUPT, 0, 0)) == {Kind.EARLY_END}
    assert kinds(FILL, *barrier, *transfer(INTERRUPT, 0, 0)) == set()


def test_notification_nobody_takes():
    assert kinds(TileFence(tiles=1, notify=1)) == {Kind.LEFT_OVER}


def test_ring_messages_without_turns():
    consume = RingConsume(tiles=1, wide=flat(2, 1, 50))
    first = RingProduce(tiles=2, wide=flat(1), destinations=1, signal_sent=1)
    second = RingProduce(tiles=4, wide=flat(1), destinations=1)
    turn = RingProduce(
        tiles=4, wide=flat(1), destinations=1, waits=(Wait(Flag.RING_PRODUCER_A, 1, 1),)
    )
    assert Kind.MESSAGE_ORDER in kinds(consume, first, second)
    assert kinds(consume, first, turn) == set()


def test_rows_nobody_takes():
    produce = RingProduce(tiles=2, wide=flat(1), destinations=1)
    assert kinds(produce) == {Kind.LEFT_OVER}


def test_words_carry_order_over_the_mesh():
    """The receiver's data comes behind whatever the sender knew."""
    send = MeshMove(
        tiles=1,
        direction=Direction.EAST,
        source=flat(4),
        waits=(Wait(Flag.SOUTH_IN, 1, 1),),
    )
    receive = MeshMove(
        tiles=2, direction=Direction.EAST, destination=flat(4, 1, 70), signal_received=1
    )
    read = NarrowToWide(
        tiles=2,
        narrow=flat(4, 1, 70),
        wide=flat(1, 1, 9),
        fill_level=1,
        waits=(Wait(Flag.WEST_IN, 1, 1),),
    )
    assert kinds(FILL, send, receive, read) == set()


def test_reading_memory_nobody_wrote_is_a_note():
    result = run(WideToNarrow(tiles=1, wide=flat(1), narrow=flat(4), fill_level=1), concurrent=True)
    assert result.hazards == []
    assert [report.kind for report in result.notes] == [Kind.UNINITIALISED]


def test_double_buffer_needs_room():
    """A ring consumer that fills two slots must wait for the reader of the first."""

    def program(wait):
        consume = RingConsume(
            tiles=1, wide=Nest(50, ((1, 1), (4, 0)), 1, 1, 1), signal=1, wait=wait
        )
        drain = WideToNarrow(
            tiles=1,
            wide=Nest(50, ((1, 1), (4, 0)), 1, 1, 1),
            narrow=Nest(0, ((64, 1), (4, 64)), 3),
            fill_level=1,
            signal=1,
            waits=(Wait(Flag.RING_READ_A, 1, 1),),
        )
        produce = RingProduce(tiles=2, wide=flat(4), destinations=1)
        return drain, consume, produce

    assert kinds(*program(Wait(Flag.WIDE_TO_NARROW, 1, -1, 1, True))) == set()
    assert kinds(*program(Wait(Flag.WIDE_TO_NARROW, 1, -2, 1, True)))
    assert kinds(*program(None))


def test_two_writes_of_one_value_are_a_note():
    """Two mesh units fill the same words in no certain order."""
    other = replace(FILL, direction=Direction.EAST, signal_received=None)
    assert kinds(FILL, replace(other, fill=4)) == {Kind.DOUBLE_WRITE}
    result = run(FILL, other, concurrent=True)
    assert result.hazards == []
    assert [report.kind for report in result.notes] == [Kind.SAME_WRITE]


def test_data_from_the_host_behind_a_tile_that_sends():
    """Nothing orders the pop behind the tile. If the data are asked for after the tile's
    instruction was issued, the host would have to be faster than the tile: a note."""
    consume = RingConsume(tiles=1, wide=flat(2, 1, 50))
    produce = RingProduce(tiles=2, wide=flat(1), destinations=1)
    infeed = Infeed(activations=1, buffer=flat(32), signal=0)
    waits = (Wait(ScalarFlag.AVDATA_POP, 0, 1),)
    pop = Pop(source=1, buffer=flat(32), waits=waits, on=1, destinations=1, lanes=63)
    asked = transfer(1, 0, 256)
    assert Kind.MESSAGE_ORDER in kinds(*asked, infeed, consume, produce, pop, inputs=bytes(256))
    late = run(consume, produce, *asked, infeed, pop, inputs=bytes(256), concurrent=True)
    assert late.hazards == []
    assert Kind.HOST_ORDER in {report.kind for report in late.notes}
