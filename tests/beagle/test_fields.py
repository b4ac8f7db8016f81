"""The bit tables: complete, without overlap, and in step with the Program level."""

import dataclasses

import pytest

from compiler.beagle.fields import layouts
from compiler.beagle.layout import SCALAR, WORD_BITS
from compiler.beagle.records import Kind
from compiler.lowering import program as level

ALL = list(layouts().values())


def _by_name(name):
    return next(row for row in ALL if row.name == name)


def test_there_are_25_opcodes():
    assert len(ALL) == len({row.name for row in ALL}) == 25


@pytest.mark.parametrize("layout", ALL, ids=lambda row: row.name)
def test_fields_tile_the_instruction(layout):
    position = 0
    for field in layout.fields:
        assert field.start == position, field
        assert field.width > 0
        assert field.meaning
        position += field.width
    assert position == layout.words * WORD_BITS


@pytest.mark.parametrize("layout", ALL, ids=lambda row: row.name)
def test_field_names_are_unique(layout):
    names = [field.name for field in layout.fields]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("layout", ALL, ids=lambda row: row.name)
def test_opcode_bits(layout):
    key = {f.name: f for f in layout.records if f.name in ("opcode", "scalar")}
    assert key["opcode"].start == 6
    assert key["scalar"].start == 11
    assert key["opcode"].fixed | key["scalar"].fixed << 5 == layout.key


@pytest.mark.parametrize("layout", [r for r in ALL if r.instruction], ids=lambda row: row.name)
def test_every_attribute_has_a_record(layout):
    attributes = {field.name for field in dataclasses.fields(layout.instruction)}
    attributes -= {"extra", layout.selector[0] if layout.selector else ""}
    assert {record.name for record in layout.records if record.bound} == attributes


def test_every_instruction_class_has_an_opcode():
    classes = {
        value
        for value in vars(level).values()
        if isinstance(value, type) and issubclass(value, level.Instruction)
    }
    abstract = {level.Instruction, level.TileInstruction}
    assert {row.instruction for row in ALL if row.instruction} == classes - abstract


def test_tile_instructions_are_those_with_a_sequence_number():
    for row in ALL:
        tile = row.instruction is not None and issubclass(row.instruction, level.TileInstruction)
        assert (row.record("sequence") is not None) == tile == (not row.key & SCALAR)


@pytest.mark.parametrize(
    ("name", "field", "start", "width"),
    [
        ("tensor_multiply_add", "narrow_in.base", 191, 18),
        ("tensor_multiply_add", "narrow_in.delta7", 468, 19),
        ("tensor_multiply_add", "wide.tail_adjust", 1246, 14),
        ("tensor_multiply_add", "signal_partial.unknown", 1577, 1),
        ("tensor_multiply_add", "waits5.on", 1823, 1),
        ("tensor_multiply_add", "mode", 1843, 5),
        ("tensor_multiply_add", "multiplier", 1949, 32),
        ("tensor_multiply_add", "scales", 2094, 1),
        ("ring_produce", "to_host", 483, 1),
        ("ring_consume_b", "wait.space", 379, 1),
        ("narrow_to_wide", "fill_level", 801, 3),
        ("wide_to_narrow", "to_scaling", 867, 1),
        ("mesh_east", "fill.value", 728, 32),
        ("load_lookup", "breakpoints.6", 1534, 32),
        ("tile_fence", "notify", 107, 4),
        ("scalar_fence", "units", 246, 5),
        ("infeed", "wait.on", 215, 1),
        ("pop", "waits1.on", 391, 1),
        ("pop", "lanes", 434, 6),
        ("outfeed", "limit", 222, 7),
        ("scalar_op", "immediate", 70, 32),
        ("jump", "offset", 17, 15),
        ("start", "bits", 19, 32),
    ],
)
def test_known_positions(name, field, start, width):
    found = next(f for f in _by_name(name).fields if f.name == field)
    assert (found.start, found.width) == (start, width)


def test_unknown_bits_say_so():
    pad = next(f for f in _by_name("mesh_south").fields if f.name == "signal_sent.unknown")
    assert "unknown" in pad.meaning
    reserved = [f for row in ALL for f in row.fields if f.name.startswith("reserved")]
    assert reserved
    assert all(f.kind is Kind.RESERVED for f in reserved)
