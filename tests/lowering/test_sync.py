"""The counters of the lowering context."""

from __future__ import annotations

import pytest

from compiler.errors import InternalError
from compiler.lowering.program import Flag
from compiler.lowering.sync import SyncState


def test_counts_are_private_to_a_tile():
    sync = SyncState()
    sync.advance(Flag.NORTH_IN, 2, 0x0003)
    assert [sync.on_tile(Flag.NORTH_IN, tile) for tile in range(3)] == [2, 2, 0]
    assert sync.count(Flag.NORTH_IN, 0x0003) == 2
    assert sync.is_uniform(0x0003)
    assert not sync.is_uniform(0x0007)
    with pytest.raises(InternalError, match="NORTH_IN"):
        sync.count(Flag.NORTH_IN)


def test_a_reset_clears_every_tile_counter_but_not_the_scalar_core():
    sync = SyncState()
    sync.advance(Flag.PARAMETERS, 5)
    sync.produce("map", 3, 0xFFFF, grouped=True)
    sync.outfed, sync.reset_before_parameters = 64, True
    sync.reset()
    assert sync.count(Flag.PARAMETERS) == sync.count(Flag.AVDATA) == 0
    assert sync.production("map") is None
    assert sync.is_grouped("map")
    assert sync.outfed == 64
    assert not sync.reset_before_parameters


def test_a_partial_reset_keeps_the_other_counters():
    sync = SyncState()
    sync.advance(Flag.PARAMETERS, 5)
    sync.produce("map", 3, 0xFFFF)
    sync.reset([Flag.PARAMETERS])
    assert sync.count(Flag.AVDATA) == 3
    production = sync.production("map")
    assert production is not None
    assert (production.total, production.blocks) == (3, 3)
    sync.reset([Flag.AVDATA])
    assert sync.production("map") is None
