"""The PARAMETER_CACHING program against the vendor's, byte for byte."""

from __future__ import annotations

import pytest

from compiler.beagle.assembler import assemble
from compiler.errors import InternalError
from compiler.lowering.caching_program import cached_parameters, lower_caching_program
from compiler.lowering.program import Infeed, Pop, RingConsume
from compiler.planning.plan import Piece, Segment
from compiler.release import RELEASE_15, RELEASE_16

from .. import vendor_transfers as vendor
from ..corpus_paths import pairs, require_corpus
from ..vendor_layers import caching_executable


def test_vendor_programs_follow_from_their_transfers():
    require_corpus()
    identical = {"A": 0, "B": 0}
    for pair in pairs():
        executable = caching_executable(pair)
        if executable is None or not vendor.is_current_style(executable):
            continue
        placement = [vendor.pieces(group) for group in vendor.groups(executable)]
        release = RELEASE_16 if vendor.has_folded_addresses(executable) else RELEASE_15
        program = lower_caching_program(vendor.segments(executable), placement, release)
        assert assemble(program) == tuple(chunk.bitstream for chunk in executable.chunks), pair.name
        identical[release.caching_style] += 1
    assert identical == {"A": 21, "B": 29}


def segment(rows, lanes=64, kind="convolution", **more):
    return Segment(0, kind, bytes(64 * rows), lanes, **more)


def tile_parts(program):
    """Everything between the infeed and the last fence."""
    kinds = (Infeed, RingConsume, Pop)
    return [op for op in program.instructions if isinstance(op, kinds)]


@pytest.mark.parametrize("release", [RELEASE_15, RELEASE_16])
def test_one_group_a_layer_consumers_before_pops(release):
    layers = [segment(40), segment(9, 48), segment(7)]
    placement = [[Piece(0, 6, 100), Piece(3, 4, 0)], [], [Piece(5, 2, 8)]]
    program = lower_caching_program(layers, placement, release)
    assert program.caching
    infeed, *rest = tile_parts(program)
    assert [type(op) for op in rest] == [RingConsume, RingConsume, Pop, Pop, RingConsume, Pop]
    assert infeed.wait.threshold == -46
    pops = [op for op in rest if isinstance(op, Pop)]
    assert [pop.waits[0].threshold for pop in pops] == [1, 25, 41]
    assert [pop.destinations for pop in pops] == [1 << 0, 1 << 3, 1 << 5]
    assert cached_parameters(layers, placement) == bytes(64 * 47)


def test_header_lines_of_fully_connected_blocks_have_a_stream_of_their_own():
    layer = segment(
        2 * 52, 64, "fully_connected", headers=("scale", "bias", "zero_point"), blocks=2
    )
    placement = [[Piece(0, 13, 20), Piece(1, 13, 0)]]
    consumers = [
        op
        for op in lower_caching_program([layer], placement, RELEASE_16).instructions
        if isinstance(op, RingConsume)
    ]
    first = consumers[0]
    assert (first.header_first, first.header_last, first.wide.base) == (20, 22, 23)
    assert (first.header_split, first.header_lines, first.wide.levels) == (2, 3, ((10, 1),))


def test_long_streams_run_round_the_feed_buffer():
    layer = segment(5000)
    program = lower_caching_program(
        [layer, layer], [[Piece(0, 1250, 0)], [Piece(1, 1250, 0)]], RELEASE_16
    )
    pops = [op for op in program.instructions if isinstance(op, Pop)]
    assert [pop.buffer.base for pop in pops] == [0, 5000 % 2048]
    assert pops[0].buffer.levels == ((1024, 1), (5, 0))
    assert pops[0].buffer.tail.count == 5000 - 4 * 1024
    whole = lower_caching_program([segment(2048)], [[Piece(0, 512, 0)]], RELEASE_16)
    assert [op.buffer.tail for op in whole.instructions if isinstance(op, Pop)] == [None]


def test_thresholds_wrap_with_the_sixteen_bit_counters():
    layers = [segment(8000)] * 6
    placement = [[Piece(tile, 2000, 0)] for tile in range(6)]
    program = lower_caching_program(layers, placement, RELEASE_16)
    pops = [op for op in program.instructions if isinstance(op, Pop)]
    assert pops[5].waits[0].threshold == 40001 - 65536
    assert len(assemble(program)) == 1


def test_pieces_that_do_not_hold_their_rows_are_a_defect():
    with pytest.raises(InternalError):
        lower_caching_program([segment(40)], [[Piece(0, 9, 0)]], RELEASE_16)
    with pytest.raises(InternalError):
        lower_caching_program([segment(40)], [[]], RELEASE_16)
