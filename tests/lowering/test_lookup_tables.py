"""The activation tables: float32 values, ascending breakpoints, and how exact they are."""

import math
import struct

import pytest

from compiler.beagle.codec import Encoder, decode
from compiler.beagle.disassembler import disassemble
from compiler.beagle.reader import compiled_ops, read_custom_options, read_package
from compiler.errors import InternalError
from compiler.lowering.lookup_tables import load_lookup, lookup_tables
from compiler.lowering.program import LoadLookup
from tests.corpus_paths import pairs, require_corpus

TABLES = [pytest.param(table, id=name) for name, table in lookup_tables().items()]


def test_there_are_six():
    assert sorted(lookup_tables()) == [
        "exponential",
        "inverse_root",
        "sigmoid_255",
        "sigmoid_256",
        "tanh_127",
        "tanh_16383",
    ]


@pytest.mark.parametrize("table", TABLES)
def test_shape_and_precision(table):
    values = table.coefficients + table.breakpoints
    assert (len(table.coefficients), len(table.breakpoints)) == (40, 7)
    assert struct.unpack("<47f", struct.pack("<47f", *values)) == values
    assert list(table.breakpoints) == sorted(table.breakpoints)


@pytest.mark.parametrize("table", TABLES)
def test_error_is_as_documented(table):
    steps = 6000
    points = [table.low + (table.high - table.low) * i / steps for i in range(steps + 1)]
    worst = max(abs(table.evaluate(x) - table.function(x)) for x in points)
    assert 0.9 * table.error <= worst <= table.error


@pytest.mark.parametrize("table", TABLES)
def test_segments_meet(table):
    scale = max(abs(table.function(x)) for x in (table.low, table.high))
    for edge in table.breakpoints:
        if math.isfinite(edge):
            below = table.evaluate(math.nextafter(edge, -math.inf))
            assert abs(table.evaluate(edge) - below) < 1e-4 * scale


def test_odd_tables_keep_the_sign():
    table = lookup_tables()["tanh_127"]
    assert table.evaluate(-1.5) == -table.evaluate(1.5)
    assert table.evaluate(0.0) == pytest.approx(0.0, abs=1e-6)
    assert not lookup_tables()["sigmoid_256"].odd


def test_last_breakpoint_of_inverse_root_is_never_reached():
    assert lookup_tables()["inverse_root"].breakpoints[-1] == math.inf


@pytest.mark.parametrize("name", sorted(lookup_tables()))
def test_load_lookup_round_trips(name):
    instruction = load_lookup(name, tiles=0x11)
    assert instruction.tiles == 0x11
    assert decode(Encoder().to_bytes(instruction))[0] == instruction


def test_unknown_table():
    with pytest.raises(InternalError, match="no such lookup table"):
        load_lookup("cosine")


def test_vendor_programs_load_these_tables_only():
    require_corpus()
    known = {(t.coefficients, t.breakpoints): name for name, t in lookup_tables().items()}
    seen = set()
    for pair in pairs():
        for op in compiled_ops(pair.compiled.read_bytes()):
            for executable in read_package(
                read_custom_options(op.custom_options).package
            ).executables:
                chunks = [bytes(c.bitstream) for c in executable.chunks if c.bitstream]
                if _total(chunks) > 1 << 20:
                    continue  # the largest models have none; keeps the test short
                loads = [i for i in disassemble(chunks).instructions if isinstance(i, LoadLookup)]
                seen |= {known[load.coefficients, load.breakpoints] for load in loads}
    assert {"exponential", "inverse_root"} <= seen


def _total(chunks):
    return sum(map(len, chunks))
