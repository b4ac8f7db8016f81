"""The vendor's co-compiled classifiers: cached sets, execution programs and whole packages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compiler.beagle.assembler import assemble
from compiler.beagle.build import border_layers, build_executable
from compiler.beagle.executable import ExecutableType
from compiler.frontend.tflite_reader import read_model
from compiler.lowering.lower import lower
from compiler.planning.planner import plan_region
from compiler.planning.shared_memory import share
from compiler.release import RELEASE_15

from .. import vendor_transfers as vendor
from ..classifier_shapes import VENDOR_ORDER, mobilenet
from ..corpus_paths import pairs, require_corpus
from ..vendor_layers import executables, vendor_layers

SMALL = "mobilenet_v1_0.25_128_quant"
MEDIUM = "mobilenet_v1_0.5_160_quant"
FILES = [
    f"{SMALL}_cocompiled_with_3quant_edgetpu",
    f"{MEDIUM}_cocompiled_with_3quant_edgetpu",
    f"{SMALL}_cocompiled_with_{MEDIUM}_edgetpu",
    f"{MEDIUM}_cocompiled_with_{SMALL}_edgetpu",
]


def vendor_pair(name):
    require_corpus()
    return next(pair for pair in pairs() if pair.name == name)


def planned(pair):
    return plan_region(read_model(pair.source), release=RELEASE_15)


def vendor_placement(pair, plan):
    """Pieces of each segment; () for those whose bytes are in the streamed parameters."""
    layers = vendor_layers(pair)
    groups = iter(vendor.groups(layers.caching))
    cached = streamed = 0
    placement = []
    for segment in plan.segments:
        size = len(segment.data)
        if layers.streamed[streamed : streamed + size] == segment.data:
            streamed += size
            placement.append(())
        else:
            assert layers.cached[cached : cached + size] == segment.data
            cached += size
            placement.append(vendor.pieces(next(groups)))
    assert (cached, streamed) == (len(layers.cached), len(layers.streamed))
    return tuple(placement)


@pytest.mark.parametrize("name", FILES)
def test_execution_program(name):
    """Given the vendor's placement, every byte of the executable: instructions, field
    offsets, DMA hints, streamed parameters."""
    pair = vendor_pair(name)
    plan = planned(pair)
    program = lower(replace(plan, placement=vendor_placement(pair, plan)))
    (theirs,) = [e for e in executables(pair)[0] if e.type is not ExecutableType.PARAMETER_CACHING]
    graph = read_model(pair.source)
    ours = build_executable(
        program,
        assemble(program),
        program.parameters,
        token=theirs.token,
        border=border_layers(graph, graph.inputs, graph.outputs),
    )
    assert [c.bitstream for c in ours.chunks] == [c.bitstream for c in theirs.chunks]
    assert ours.parameters == theirs.parameters
    assert ours.hints == theirs.hints
    assert ours.chunks == theirs.chunks


def test_the_pair_is_cached_as_a_whole():
    plans = share([planned(vendor_pair(name)) for name in FILES[2:]])
    for name, plan in zip(FILES[2:], plans, strict=True):
        theirs = vendor_placement(vendor_pair(name), plan)
        assert [bool(p) for p in plan.placement] == [bool(p) for p in theirs]
        assert all(plan.placement)


def test_the_placement_of_four_models():
    """Two of the four are known; the shapes of the others, of widths 1.0 and 0.75, are enough."""
    shared = share([mobilenet(width) for width in VENDOR_ORDER])
    for name, result in zip(FILES[:2], shared[1:3], strict=True):
        pair = vendor_pair(name)
        assert list(result.placement) == list(vendor_placement(pair, planned(pair)))


def test_the_placement_of_the_pair():
    pairs_ = [vendor_pair(name) for name in FILES[2:]]
    plans = share([planned(pair) for pair in pairs_])
    for pair, plan in zip(pairs_, plans, strict=True):
        assert list(plan.placement) == list(vendor_placement(pair, plan))
