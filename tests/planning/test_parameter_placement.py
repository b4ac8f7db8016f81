"""Tiles and addresses of cached layers, by hand and against the vendor's placements."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.beagle.assembler import assemble
from compiler.beagle.parameters import pack_layers
from compiler.errors import ResourceError
from compiler.lowering.caching_program import lower_caching_program
from compiler.planning.caching_selection import select_cached
from compiler.planning.parameter_placement import piece_rows, place_parameters, total_lines
from compiler.planning.plan import TILES, Piece, Segment
from compiler.planning.schedule import schedule
from compiler.release import RELEASE_15, RELEASE_16

from .. import vendor_transfers as vendor
from ..corpus_paths import pairs, require_corpus
from ..vendor_layers import caching_executable, vendor_layers

STABLE = settings(derandomize=True, deadline=None, max_examples=60)


def layer(lines, op=0, kind="convolution", **more):
    return Segment(op, kind, bytes(256 * lines), 64, **more)


def tiles(placement):
    return [[piece.tile for piece in pieces] for pieces in placement]


def test_equal_layers_take_the_tiles_in_heap_order():
    placement = place_parameters([layer(10, op) for op in range(16)])
    assert tiles(placement) == [[t] for t in (0, 1, 3, 7, 15, 8, 4, 9, 10, 2, 5, 11, 12, 6, 13, 14)]


def test_packed_layers_come_first_then_the_longest():
    layers = [layer(5, 0), layer(50, 1), layer(1, 2, "depthwise"), layer(7, 3, "depthwise")]
    assert tiles(place_parameters(layers)) == [[7], [3], [1], [0]]
    assert tiles(place_parameters(layers, passes={0: 2})) == [[0], [7], [3], [1]]
    assert tiles(place_parameters(layers, passes={0: 2, 1: 4})) == [[1], [0], [7], [3]]


def test_fully_connected_layers_have_their_turn_by_the_lines_of_a_block():
    layers = [layer(40, 0, "depthwise"), layer(90, 1, "fully_connected", blocks=3)]
    layers += [layer(20, op, "depthwise") for op in (2, 3)]
    assert tiles(place_parameters(layers)) == [[0], [0, 1, 2], [3], [4]]
    moved = dataclasses.replace(layers[1], one_hot=True)
    assert tiles(place_parameters([layers[0], moved])) == [[3], [0, 1, 2]]


def test_blocks_go_first_where_they_would_find_no_room():
    layers = [layer(90, op, "depthwise") for op in range(16)]
    layers.append(layer(30, 16, "fully_connected"))
    placement = place_parameters([*layers, layer(80, 17, "depthwise")][1:], capacity=100)
    assert tiles(placement)[15] == [0]


def test_blocks_go_before_layers_in_spatial_passes_where_they_would_find_no_room():
    layers = [layer(160, 0), layer(16 * 90, 1, "fully_connected", blocks=16)]
    assert tiles(place_parameters(layers, 100, passes={0: 4}))[1] == list(range(16))


def test_blocks_take_the_tiles_of_their_number_and_the_lowest_lines_last_layer_first():
    layers = [
        layer(3 * 20, 0, "fully_connected", blocks=3),
        layer(2 * 30, 1, "fully_connected", blocks=2),
        layer(9, 2),
    ]
    placement = place_parameters(layers)
    assert placement[0] == (Piece(0, 20, 30), Piece(1, 20, 30), Piece(2, 20, 0))
    assert placement[1] == (Piece(0, 30, 0), Piece(1, 30, 0))
    assert placement[2][0].tile > 2
    assert placement[2][0].address == 0


def test_a_block_that_does_not_fit_goes_to_the_next_tile():
    layers = [layer(1100, op, "fully_connected") for op in range(2)]
    assert tiles(place_parameters(layers)) == [[0], [1]]
    many = [layer(25 * 395, op, "fully_connected", blocks=25) for op in range(3)]
    placed = place_parameters(many)
    assert [len(pieces) for pieces in placed] == [25, 25, 25]


def test_tables_are_spread_or_stay_whole():
    table = Segment(1, "table", bytes(64 * 20), 16, spread=(16, 4))
    placement = place_parameters([layer(100, 0), table])
    assert placement[1] == (Piece(0, 16, 0), Piece(1, 4, 0))
    full = [layer(100, op) for op in range(15)]
    whole = place_parameters([*full, table], capacity=110)
    assert len(whole[15]) == 1
    assert piece_rows(table, whole[15]) == (20,)
    assert piece_rows(table, placement[1]) == (16, 4)


def test_a_long_layer_is_cut_at_lines():
    placement = place_parameters([layer(250)], capacity=100)
    assert [piece.lines for piece in placement[0]] == [100, 100, 50]
    assert piece_rows(layer(250), placement[0]) == (400, 400, 200)


def test_reserved_lines_and_streamed_layers():
    placement = place_parameters([layer(5), layer(6)], cached=[1], reserved=34)
    assert placement == ((), (Piece(0, 6, 34),))


def test_what_does_not_fit_is_reported():
    for layers in ([layer(300)], [layer(50, 0, "fully_connected")]):
        with pytest.raises(ResourceError, match="operator 0"):
            place_parameters(layers, capacity=12)


segments_strategy = st.lists(
    st.builds(
        lambda kind, lines, blocks, one_hot: layer(
            lines * (blocks if kind == "fully_connected" else 1),
            0,
            kind,
            blocks=blocks if kind == "fully_connected" else 1,
            one_hot=one_hot and kind == "fully_connected",
        ),
        st.sampled_from(["convolution", "depthwise", "fully_connected"]),
        st.integers(1, 90),
        st.integers(1, 20),
        st.booleans(),
    ),
    max_size=40,
)


@STABLE
@given(
    segments_strategy,
    st.integers(60, 200),
    st.sampled_from([6, 30]),
    st.dictionaries(st.integers(0, 39), st.integers(2, 12)),
)
def test_every_selection_can_be_placed_without_overlap(segments, capacity, small_sort, passes):
    chosen = select_cached(segments, capacity, small_sort=small_sort)
    assert sorted([*chosen.cached, *chosen.streamed]) == list(range(len(segments)))
    placement = place_parameters(
        segments, capacity, cached=chosen.cached, small_sort=small_sort, passes=passes
    )
    used: set[tuple[int, int]] = set()
    for index, pieces in enumerate(placement):
        lines = {(p.tile, p.address + i) for p in pieces for i in range(p.lines)}
        assert len(lines) == (total_lines(segments[index]) if index in chosen.cached else 0)
        assert not lines & used
        assert sum(piece_rows(segments[index], pieces)) in (0, segments[index].rows)
        used |= lines
    assert all(tile < TILES and line < capacity for tile, line in used)


def test_selection_keeps_packed_layers_and_then_the_longest_that_fit():
    layers = [layer(100, 0), layer(60, 1), layer(30, 2, "depthwise"), layer(55, 3)]
    assert select_cached(layers, total=190).cached == (0, 1, 2)
    assert select_cached(layers, total=140).cached == (0, 2)
    assert select_cached([layer(2100, 0, "fully_connected")]).streamed == (0,)


# -- vendor placements ------------------------------------------------------------------------

EXECUTION = {
    # What the execution program of the file decides: lines a tile has for parameters, reserved
    # lines, default (2080, 0).
    "mobilenet_v1_1.0_224_quant_embedding_extractor_edgetpu": (1981, 0),
    "yamnet_spectra_in_edgetpu": (1981, 0),
    "bright_64x64_edgetpu": (1982, 0),
    "color_red_64x64_edgetpu": (1982, 0),
    "split_concat_edgetpu": (2080, 34),
    "ssd_mobilenet_v1_coco_quant_postprocess_segment_0_of_2_edgetpu": (1930, 0),
    "ssd_mobilenet_v1_coco_quant_postprocess_segment_0_of_3_edgetpu": (1930, 0),
    "ssd_mobilenet_v1_coco_quant_postprocess_segment_1_of_3_edgetpu": (1999, 0),
    "ssd_mobilenet_v1_coco_quant_postprocess_segment_1_of_4_edgetpu": (2021, 0),
    "ssd_mobilenet_v1_coco_quant_postprocess_segment_2_of_4_edgetpu": (1999, 0),
}
PASSES = {
    # How often it executes which operators.
    "posenet_mobilenet_v1_075_353_481_16_quant_decoder_edgetpu": {2: range(2, 6)},
    "posenet_mobilenet_v1_075_721_1281_16_quant_decoder_edgetpu": {
        12: range(2, 14),
        2: range(14, 28),
    },
    "bodypix_mobilenet_v1_075_512_512_16_quant_decoder_edgetpu": {2: range(2, 10)},
    "deeplabv3_mnv2_dm05_pascal_quant_edgetpu": {2: range(3, 6)},
    "deeplab_mobilenet_edgetpu_slim_cityscapes_quant_edgetpu": {2: (2, 3, 69, 70, 71)},
}
NOT_REPRODUCED = {
    "movenet_single_pose_lightning_ptq_edgetpu": "its outputs have other scales than the source",
    "keras_lstm_mnist_ptq_edgetpu": "tiles of the one-hot matrices around an LSTM",
    **{
        f"ssd_mobilenet_v1_coco_quant_postprocess_segment_{name}_edgetpu": "order of heads unknown"
        for name in ("1_of_2", "2_of_3", "3_of_4")
    },
}


def placed_program(pair, executable):
    """The caching program from the source (the vendor's own layers where the source is
    unknown), the rules, and EXECUTION."""
    capacity, reserved = EXECUTION.get(pair.name, (2080, 0))
    times = {op: count for count, ops in PASSES.get(pair.name, {}).items() for op in ops}
    layers = vendor_layers(pair)
    if layers is None:
        segments = tuple(vendor.segments(executable))
    else:
        order = schedule(layers.graph, layers.mapped).operators
        segments = pack_layers(layers.graph, order, layers.rules)
    cached = select_cached(segments, capacity).cached
    passes = {index: times[segments[index].op] for index in cached if segments[index].op in times}
    placement = place_parameters(
        segments, capacity, cached=cached, passes=passes, reserved=reserved
    )
    release = RELEASE_16 if vendor.has_folded_addresses(executable) else RELEASE_15
    return assemble(lower_caching_program(segments, placement, release))


def test_vendor_placements_follow_from_the_layers():
    require_corpus()
    identical = {"source": 0, "layers": 0}
    for pair in pairs():
        executable = caching_executable(pair)
        if executable is None or not vendor.is_current_style(executable):
            continue
        if pair.family == "cocompiled" or pair.name in NOT_REPRODUCED:
            continue
        expected = tuple(chunk.bitstream for chunk in executable.chunks)
        assert placed_program(pair, executable) == expected, pair.name
        identical["layers" if pair.source is None else "source"] += 1
    assert identical == {"source": 29, "layers": 12}
