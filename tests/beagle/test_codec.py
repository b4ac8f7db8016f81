"""One instruction <-> its bits: nothing is lost, nothing is cut off."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler.beagle.codec import Decoder, Encoder, decode, encode, layout_of
from compiler.errors import InternalError, InvalidModelError
from compiler.lowering.program import (
    Flag,
    Halt,
    Infeed,
    Jump,
    LoadLookup,
    MeshMove,
    NarrowToWide,
    Nest,
    Pop,
    RingProduce,
    ScalarFlag,
    ScalarOp,
    Tail,
    TensorKind,
    TensorOp,
    TileFence,
    TileInstruction,
    Wait,
)
from tests.beagle.instruction_strategies import instructions, opcodes, words

COMMON = settings(
    derandomize=True,
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
ALL = [pytest.param(row, id=row.name) for row in opcodes()]


def field_of(instruction, name):
    field = next(f for f in layout_of(instruction).fields if f.name == name)
    return encode(instruction) >> field.start & ((1 << field.width) - 1)


@pytest.mark.parametrize("layout", ALL)
@COMMON
@given(data=st.data(), sequence=st.integers(0, 0xFFFF))
def test_typed_round_trip(layout, data, sequence):
    instruction = data.draw(instructions(layout))
    if not isinstance(instruction, TileInstruction):
        sequence = 0
    encoded = Encoder().to_bytes(instruction, sequence)
    assert len(encoded) == 16 * layout.words
    assert decode(encoded) == (instruction, sequence)


@pytest.mark.parametrize("layout", ALL)
@COMMON
@given(data=st.data())
def test_any_bits_round_trip(layout, data):
    bits = data.draw(words(layout))
    instruction, sequence = Decoder().decode(layout.key, bits)
    assert encode(instruction, sequence) == bits


@pytest.mark.parametrize("layout", ALL)
@COMMON
@given(data=st.data(), sequence=st.integers(0, 0xFFFF))
def test_single_set_bits_round_trip(layout, data, sequence):
    """Sparse words reach what random ones hide: switches off with their fields set."""
    fixed = {*range(6, 12)}
    positions = st.integers(0, 128 * layout.words - 1).filter(lambda p: p not in fixed)
    bits = (layout.key & 0x3F) << 6
    for position in data.draw(st.lists(positions, max_size=6)):
        bits |= 1 << position
    instruction, found = Decoder().decode(layout.key, bits)
    assert encode(instruction, found) == bits


def test_deltas_step_back_over_the_inner_loops():
    nest = Nest(100, ((3, 4), (5, 100), (2, -7)), enabled=7)
    op = TensorOp(narrow_in=nest)
    assert field_of(op, "narrow_in.delta0") == 4
    assert field_of(op, "narrow_in.limit0") == 2
    assert field_of(op, "narrow_in.delta1") == 100 - 2 * 4
    walk = 2 * 4 + 4 * 100
    assert field_of(op, "narrow_in.delta2") == (-7 - walk) % (1 << 19)
    for level in range(3, 8):
        assert field_of(op, f"narrow_in.delta{level}") == (7 - walk) % (1 << 19)
        assert field_of(op, f"narrow_in.limit{level}") == 0


def test_absent_streams_and_fillers_are_zero():
    assert encode(MeshMove(tiles=0)) == MeshMove().direction.value << 6
    op = TensorOp(tiles=0)
    assert encode(op) == TensorKind.MULTIPLY_ADD << 6


def test_levels_of_one_trip_keep_their_stride():
    nest = Nest(8, ((1, 5), (4, 2), (1, 9)))
    decoded, _ = decode(Encoder().to_bytes(RingProduce(wide=nest)))
    assert decoded.wide == nest


def test_trailing_levels_without_effect_are_left_out():
    padded = RingProduce(wide=Nest(8, ((4, 2), (1, 0))))
    assert encode(padded) == encode(RingProduce(wide=Nest(8, ((4, 2),))))


def test_tail_and_buffers():
    nest = Nest(0, ((1024, 1), (5, 1024)), 1, 1, 1024, Tail(16, 1, -1008))
    pop = Pop(buffer=nest)
    assert field_of(pop, "buffer.tail_limit") == 15
    assert field_of(pop, "buffer.tail_level") == 1
    assert field_of(pop, "buffer.tail_adjust") == (1 << 20) - 1008
    assert field_of(pop, "buffer.double_offset") == 1024
    assert decode(Encoder().to_bytes(pop))[0] == pop


def test_thresholds_wrap():
    wait = Wait(ScalarFlag.AVDATA_POP, 0, 70000)
    assert field_of(Pop(waits=(wait,)), "waits0.threshold") == 70000 - 65536
    assert field_of(TileFence(producer_threshold=65537), "producer_threshold") == 1
    space = Wait(Flag.AVDATA, 1, -1, 1, space=True)
    assert field_of(NarrowToWide(waits=(None, space)), "waits1.threshold") == 0xFFFF


def test_sequence_wraps():
    assert encode(TileFence(), 65536 + 5) == encode(TileFence(), 5)
    assert encode(Halt(), 5) == encode(Halt())


def test_negative_zero_and_infinity():
    for value in (-0.0, math.inf, -math.inf, 2.0**-149):
        op, _ = decode(Encoder().to_bytes(TensorOp(clamp_min=value)))
        assert math.copysign(1, op.clamp_min) == math.copysign(1, value)
        assert op.clamp_min == value
    encoder = Encoder()
    assert encoder.encode(TensorOp(clamp_min=0.0)) != encoder.encode(TensorOp(clamp_min=-0.0))


def test_not_a_number_survives_as_extra():
    bits = encode(TensorOp()) | 0x7FC00001 << 1949
    instruction, _ = Decoder().decode(1, bits)
    assert instruction.extra == (("multiplier", 0x7FC00001),)
    assert encode(instruction) == bits


def test_unknown_bits_survive_as_extra():
    bits = encode(MeshMove(signal_sent=2)) | 1 << 476 | 1 << 45
    instruction, _ = Decoder().decode(0x17, bits)
    assert instruction.signal_sent == 2
    assert dict(instruction.extra) == {"head.reserved39": 0x40, "signal_sent.unknown": 1}
    assert encode(instruction) == bits


def test_numpy_integers_are_numbers():
    nest = Nest(np.int64(64), ((np.int32(4), np.int64(1)),))
    wide = TensorOp(input_zero=np.uint8(3), loops=(np.int64(7),), narrow_out=nest)
    plain = TensorOp(input_zero=3, loops=(7,), narrow_out=Nest(64, ((4, 1),)))
    assert encode(wide) == encode(plain)
    assert type(encode(wide)) is int


@pytest.mark.parametrize(
    "instruction",
    [
        TensorOp(tiles=1 << 16),
        TensorOp(loops=(0,)),
        TensorOp(loops=(16385,)),
        TensorOp(loops=(1,) * 9),
        TensorOp(loop_tail=(1, 8)),
        TensorOp(narrow_in=Nest(1 << 18)),
        TensorOp(narrow_in=Nest(-1)),
        TensorOp(narrow_in=Nest(0, ((2, 1 << 18),))),
        TensorOp(narrow_in=Nest(0, ((2, -(1 << 18) - 1),))),
        TensorOp(wide=Nest(0, ((0, 1),))),
        TensorOp(wide=Nest(0, (((1 << 14) + 1, 0),))),
        TensorOp(wide=Nest(0, ((2, 1),) * 9)),
        TensorOp(wide=Nest(0, (), 0x100)),
        TensorOp(wide=Nest(0, (), 0, 8)),
        TensorOp(wide=Nest(0, (), 0, 1, 1 << 14)),
        TensorOp(wide=Nest(0, (), 0, 1, -1)),
        TensorOp(wide=Nest(tail=Tail(0, 1, 0))),
        TensorOp(wide=Nest(tail=Tail(1, 8, 0))),
        TensorOp(wide=Nest(tail=Tail(1, 1, 1 << 13))),
        TensorOp(signal_output=8),
        TensorOp(weight_zero=-1),
        TensorOp(weight_zero=1 << 16),
        TensorOp(initial=1 << 31),
        TensorOp(initial=-(1 << 31) - 1),
        TensorOp(multiplier=0.1),
        TensorOp(multiplier=1e39),
        TensorOp(multiplier=math.nan),
        TensorOp(waits=(Wait(Flag.AVDATA, 8, 1),)),
        TensorOp(waits=(Wait(ScalarFlag.AVDATA_POP, 0, 1),)),
        TensorOp(waits=(Wait(Flag.AVDATA, 0, 1, space=True),)),
        TensorOp(waits=(None,) * 7),
        MeshMove(fill=1 << 32),
        MeshMove(fill=-1),
        LoadLookup(coefficients=(1.0,)),
        Infeed(wait=Wait(Flag.AVDATA, 0, 1)),
        Jump(offset=1 << 14),
        ScalarOp(immediate=-1),
        ScalarOp(immediate=1 << 32),
        TileFence(units=1 << 10),
        TileFence(extra=(("nothing", 1),)),
        TileFence(flags=1, extra=(("flags", 1),)),
        TileFence(extra=(("flags", 1 << 19),)),
        ScalarOp(immediate=1.5),
        TensorOp(loops=[1, 2]),
        TensorOp(wide=None),
    ],
    ids=lambda instruction: instruction.text()[:60],
)
def test_values_that_do_not_fit_are_refused(instruction):
    with pytest.raises(InternalError):
        encode(instruction)


def test_the_error_names_field_value_and_range():
    with pytest.raises(InternalError, match=r"'wide\.base'.*found 16384, allowed 0\.\.16383"):
        encode(TensorOp(wide=Nest(16384)))


def test_other_kinds_of_values_are_refused():
    with pytest.raises(InternalError, match="no opcode"):
        encode(replace(MeshMove(), direction=3))
    with pytest.raises(InternalError, match="no opcode"):
        encode(TileInstruction())


def test_garbage_is_no_instruction():
    with pytest.raises(InvalidModelError, match="unknown instruction"):
        decode(b"\xff" * 16)
    with pytest.raises(InvalidModelError, match="wrong length"):
        decode(Encoder().to_bytes(RingProduce())[:-16])
    with pytest.raises(InvalidModelError):
        decode(b"")
