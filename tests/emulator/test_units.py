"""Each unit by hand-written programs, in both modes."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.emulator.memories import TileMemories
from compiler.errors import EmulationError
from compiler.lowering.program import (
    Direction,
    Flag,
    Infeed,
    Jump,
    Loop,
    MeshMove,
    Mode,
    NarrowToWide,
    Nest,
    Outfeed,
    Pop,
    Ring,
    RingConsume,
    RingProduce,
    ScalarFlag,
    ScalarOp,
    TensorKind,
    TensorOp,
    TileFence,
    Wait,
    WideToNarrow,
)
from tests.emulator.programs import OUTPUT, run, transfer

BOTH = pytest.mark.parametrize("concurrent", [False, True])


def filled(seed=0):
    memories = TileMemories()
    generator = np.random.default_rng(seed)
    memories.narrow_words[:] = generator.integers(0, 1 << 32, memories.narrow_words.shape)
    memories.wide_bytes[:] = generator.integers(0, 256, memories.wide_bytes.shape)
    return memories


def flat(count, stride=1, base=0):
    return Nest(base, ((count, stride),), 1)


@BOTH
def test_narrow_to_wide_packs_64_words_a_line(concurrent):
    memories = filled()
    source = memories.narrow_words.copy()
    op = NarrowToWide(narrow=flat(100, 2), wide=flat(2, 1, 7), fill_level=1)
    run(op, memories=memories, concurrent=concurrent)
    assert (memories.wide_words[:, 7] == source[:, 0:128:2]).all()
    assert (memories.wide_words[:, 8, :36] == source[:, 128:200:2]).all()


@BOTH
def test_narrow_to_wide_one_word_a_line(concurrent):
    memories = filled()
    op = NarrowToWide(tiles=1, narrow=flat(3), wide=flat(3, 1, 7), fill_level=0)
    run(op, memories=memories, concurrent=concurrent)
    assert (memories.wide_words[0, 7:10, 0] == memories.narrow_words[0, :3]).all()


@pytest.mark.parametrize(("transpose", "unit"), [(1, "<u1"), (3, "<u2")])
def test_narrow_to_wide_transposes(transpose, unit):
    memories = filled()
    op = NarrowToWide(narrow=flat(64), wide=flat(1, 1, 7), fill_level=1, transpose=transpose)
    run(op, memories=memories)
    n = 4 // np.dtype(unit).itemsize
    words = memories.narrow_words[:, :64].copy().view(unit).reshape(16, -1, n, n)
    line = memories.wide_lines[:, 7].copy().view(unit).reshape(16, -1, n, n)
    assert (line == words.swapaxes(2, 3)).all()


@BOTH
def test_wide_to_narrow_drops_the_rest_of_a_line(concurrent):
    memories = filled()
    op = WideToNarrow(wide=flat(2, 1, 5), narrow=Nest(0, ((10, 1), (2, 20)), 3), fill_level=1)
    run(op, memories=memories, concurrent=concurrent)
    assert (memories.narrow_words[:, :10] == memories.wide_words[:, 5, :10]).all()
    assert (memories.narrow_words[:, 20:30] == memories.wide_words[:, 6, :10]).all()


@BOTH
def test_wide_to_narrow_skips_leading_words(concurrent):
    memories = filled()
    op = WideToNarrow(
        wide=flat(2, 1, 5), narrow=flat(60), fill_level=1, skip=1, skip_first=0, skip_last=15
    )
    run(op, memories=memories, concurrent=concurrent)
    words = memories.wide_words[:, 5:7].reshape(16, -1)
    assert (memories.narrow_words[:, :60] == words[:, 16:76]).all()


def test_scaling_unit_takes_8_bytes_a_time():
    memories = filled()
    op = WideToNarrow(wide=flat(1, 1, 5), narrow=flat(32, 1, 64), to_scaling=1, fill_level=1)
    run(op, memories=memories)
    assert (memories.scaling_words[:, 128:192] == memories.wide_words[:, 5]).all()


@BOTH
def test_ring_broadcast_with_header(concurrent):
    memories = filled()
    sent = memories.wide_lines[3, 20:26].copy()
    consume = RingConsume(
        tiles=0xF0,
        ring=Ring.B,
        wide=Nest(100, ((2, 1), (2, 2)), 3),
        header=1,
        header_level=0,
        header_first=200,
        header_last=200,
        header_lines=1,
        signal=1,
    )
    produce = RingProduce(tiles=1 << 3, wide=flat(6, 1, 20), channel_b=1, destinations=0xF0)
    run(consume, produce, memories=memories, concurrent=concurrent)
    for tile in range(4, 8):
        assert (memories.wide_lines[tile, 100:104] == sent[[1, 2, 4, 5]]).all()
        assert (memories.wide_lines[tile, 200] == sent[3]).all()


@BOTH
def test_mesh_moves_words_to_the_neighbour(concurrent):
    memories = filled()
    before = memories.narrow_words.copy()
    inner = 0x7777
    send = MeshMove(tiles=0x1111, direction=Direction.EAST, source=flat(5))
    both = MeshMove(
        tiles=inner & ~0x1111,
        direction=Direction.EAST,
        source=flat(5),
        destination=flat(5, 1, 50),
    )
    receive = MeshMove(tiles=0x8888, direction=Direction.EAST, destination=flat(5, 1, 50))
    run(send, both, receive, memories=memories, concurrent=concurrent)
    for tile in range(16):
        if tile % 4:
            assert (memories.narrow_words[tile, 50:55] == before[tile - 1, :5]).all()


def test_mesh_over_the_edge():
    move = MeshMove(tiles=1, direction=Direction.NORTH, source=flat(5))
    with pytest.raises(EmulationError, match="edge"):
        run(move)


def test_mesh_fill():
    fill = MeshMove(destination=flat(3, 2, 8), fill=0xDEADBEEF)
    memories = run(fill).memories
    assert (memories.narrow_words[:, [8, 10, 12]] == 0xDEADBEEF).all()
    assert (memories.narrow_words[:, [9, 11]] == 0).all()


def matrix_op(**changes):
    """4 pixels x 8 inputs -> 64 outputs."""
    fields = {
        "loops": (2, 4),
        "narrow_in": Nest(0, ((2, 4), (4, 8)), 3),
        "narrow_out": Nest(4096, ((16, 4), (4, 64)), 3),
        "wide": Nest(4 * 10, ((2, 4), (4, 0)), 1),
        "mode": Mode.MATRIX,
        "weight_zero": 7,
        "input_zero": 100,
        "output_zero": 50,
        "reduced": 1,
        "lanes": 63,
        "last_lanes": 63,
        "multiplier": float(np.float32(0.001)),
        "clamp_max": 205.0,
        "clamp_min": -50.0,
        "group_level": 2,
    }
    return TensorOp(**{**fields, **changes})


def expected_products(memories, tile):
    x = memories.narrow_bytes[tile, :32].astype(int).reshape(4, 8) - 100
    lines = memories.wide_lines[tile, 10:12].reshape(2, 64, 4).astype(int)
    w = lines.transpose(0, 2, 1).reshape(8, 64) - 7
    return x @ w


@BOTH
def test_matrix_product(concurrent):
    memories = filled()
    sums = [expected_products(memories, tile) for tile in range(16)]
    run(matrix_op(), memories=memories, concurrent=concurrent)
    for tile in range(16):
        values = sums[tile].astype(np.float32) * np.float32(0.001)
        codes = (np.rint(np.clip(values, -50, 205)) + 50).clip(0, 255)
        out = memories.narrow_bytes[tile, 4096 : 4096 + 256].reshape(4, 64)
        assert (out == codes).all()


def test_bias_and_factors_come_from_the_scaling_unit():
    memories = filled()
    memories.scaling_words[:, :64] = np.full(64, 0.002, np.float32).view(np.uint32)
    memories.scaling_words[:, 128:192] = np.arange(-32, 32).astype(np.int32).view(np.uint32)
    sums = expected_products(memories, 5) + np.arange(-32, 32)
    run(matrix_op(bias=1, scales=1), memories=memories)
    values = np.clip(sums.astype(np.float32) * np.float32(0.002), -50, 205)
    out = memories.narrow_bytes[5, 4096 : 4096 + 256].reshape(4, 64)
    assert (out == (np.rint(values) + 50).clip(0, 255)).all()


def test_sums_can_stay_in_wide_memory():
    memories = filled()
    sums = expected_products(memories, 2)
    partial = Nest(4 * 300, ((2, 0), (4, 4)), 3)
    run(matrix_op(mode=Mode.MATRIX_PARTIAL, partial=partial), memories=memories)
    stored = memories.wide_bytes[2].view(np.int32).reshape(-1, 64)[300:304]
    assert (stored == sums).all()


def test_maximum_of_byte_planes():
    memories = filled()
    op = TensorOp(
        kind=TensorKind.MAXIMUM,
        loops=(8,),
        narrow_out=Nest(0, ((16, 4),), 1),
        wide=Nest(40, ((8, 1),), 1),
        reduced=1,
        lanes=63,
        last_lanes=63,
        mode=Mode.IDENTITY,
        byte_slices=3,
        multiplier=1.0,
        clamp_max=float("inf"),
        clamp_min=float("-inf"),
    )
    largest = memories.wide_lines[:, 10:12].reshape(16, 2, 64, 4).max((1, 3))
    run(op, memories=memories)
    assert (memories.narrow_bytes[:, :64] == largest).all()


def test_different_lengths_are_refused():
    with pytest.raises(EmulationError, match="different lengths"):
        run(matrix_op(narrow_in=flat(5, 4)))


@BOTH
def test_host_to_chip_and_back(concurrent):
    """Infeed, pop, ring, outfeed: 100 bytes in, the same out."""
    data = bytes(range(256))
    program = [
        *transfer(1, 0, 256),
        RingConsume(tiles=1, ring=Ring.A, wide=flat(1, 1, 3), signal=1),
        Infeed(activations=1, buffer=flat(32), signal=0),
        Pop(
            source=1,
            buffer=flat(32),
            waits=(Wait(ScalarFlag.AVDATA_POP, 0, 1),),
            on=1,
            destinations=1,
            lanes=63,
        ),
        RingProduce(tiles=1, wide=flat(1, 1, 3), waits=(Wait(Flag.RING_READ_A, 1, 1),), to_host=1),
        *transfer(3, 2, 256),
        Outfeed(buffer=flat(32), limit=0x7F),
    ]
    result = run(*program, inputs=data, concurrent=concurrent)
    assert bytes(result.host.buffers[OUTPUT]) == data
    assert result.hazards == []


def test_scalar_core_counts_in_a_loop():
    add = ScalarOp(operation=0x21, target=1, operand=1, immediate=3)
    store = ScalarOp(command=2, command_slot=9, command_source=1)
    chip = run(Loop(count=5, body=1), add, store).chip
    assert chip.feeds.scalar[9] == 15


def test_predicated_jump():
    program = [
        ScalarOp(operation=0x21, target=1, operand=1, immediate=1),
        ScalarOp(operation=0x2C, target=2, operand=1, immediate=10),  # predicate 2: r1 < 10
        Jump(gate=1, predicate=2, sense=1, offset=-2),
        ScalarOp(command=2, command_slot=9, command_source=1),
    ]
    assert run(*program).chip.feeds.scalar[9] == 10


def test_endless_loop_is_an_error():
    with pytest.raises(EmulationError, match="does not come to an end"):
        run(Jump(offset=0))


@BOTH
def test_dead_lock_names_who_waits(concurrent):
    stuck = WideToNarrow(
        tiles=1, wide=flat(1), narrow=flat(4), waits=(Wait(Flag.RING_READ_A, 1, 1),)
    )
    with pytest.raises(EmulationError, match="dead-lock") as caught:
        run(stuck, concurrent=concurrent)
    assert "wide to narrow" in caught.value.hint


def test_fence_sets_counters():
    chip = run(TileFence(flags=1 << Flag.SOUTH_IN | 1 << Flag.AVDATA, value=5)).chip
    assert chip.counters.tile[Flag.SOUTH_IN] == [5] * 16
    assert chip.counters.tile[Flag.PARAMETERS] == [0] * 16
