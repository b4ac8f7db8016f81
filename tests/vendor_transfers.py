"""The transfers of a vendor's PARAMETER_CACHING program, read back from its instructions."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from compiler.beagle.disassembler import disassemble
from compiler.beagle.executable import Executable
from compiler.lowering.program import Pop, Program, RingConsume, ScalarFence, TileFence
from compiler.planning.plan import Piece, Segment


@dataclass(frozen=True)
class Transfer:
    tile: int
    address: int
    header: int
    rows: int
    lanes: int

    @property
    def lines(self) -> int:
        return -(-self.rows * 16 // self.lanes)


@functools.cache
def read_program(executable: Executable) -> Program:
    return disassemble([chunk.bitstream for chunk in executable.chunks])


def is_current_style(executable: Executable) -> bool:
    """Styles A and B begin with the tile fence and number tile instructions from 0x8000."""
    program = read_program(executable)
    first, second = program.instructions[:2]
    return program.caching and isinstance(first, TileFence) and isinstance(second, ScalarFence)


def has_folded_addresses(executable: Executable) -> bool:
    """Style A: no conditional instruction in the address arithmetic."""
    return not any(getattr(op, "gate", 0) for op in read_program(executable).instructions)


def groups(executable: Executable) -> list[list[Transfer]]:
    """The transfers of each layer. The rows of a pop are what is left until the next one's
    first row (thresholds are 16 bits and wrap)."""
    layers: list[tuple[list[RingConsume], list[Pop]]] = []
    for op in read_program(executable).instructions:
        if isinstance(op, RingConsume):
            if not layers or layers[-1][1]:
                layers.append(([], []))
            layers[-1][0].append(op)
        elif isinstance(op, Pop):
            layers[-1][1].append(op)
    starts = [pop.waits[0].threshold - 1 for _, pops in layers for pop in pops]
    starts.append(len(executable.parameters) // 64)
    rows = iter([(end - start) % 65536 for start, end in itertools.pairwise(starts)])
    return [
        [_transfer(consume, pop, next(rows)) for consume, pop in zip(*layer, strict=True)]
        for layer in layers
    ]


def _transfer(consume: RingConsume, pop: Pop, rows: int) -> Transfer:
    header = consume.header_lines if consume.header else 0
    return Transfer(
        consume.tiles.bit_length() - 1,
        consume.wide.base - header,
        header,
        rows,
        pop.lanes + 1,
    )


def pieces(group: Iterable[Transfer]) -> tuple[Piece, ...]:
    return tuple(Piece(t.tile, t.lines, t.address) for t in group)


def segments(executable: Executable) -> list[Segment]:
    """One segment a layer, with what placement needs to know of it."""
    found, position = [], 0
    for index, group in enumerate(groups(executable)):
        rows = [transfer.rows for transfer in group]
        data = executable.parameters[64 * position : 64 * (position + sum(rows))]
        position += sum(rows)
        lanes, header = group[0].lanes, group[0].header
        if header:
            names = ("scale", "bias", "zero_point")[:header]
            found.append(Segment(index, "fully_connected", data, lanes, names, len(group)))
        elif len(group) > 1 and len(set(rows)) == 1:
            found.append(Segment(index, "fully_connected", data, lanes, (), len(group)))
        else:
            kind = "depthwise" if looks_depthwise(data, lanes) else "convolution"
            found.append(Segment(index, kind, data, lanes))
    return found


def looks_depthwise(data: bytes, lanes: int) -> bool:
    """Most 16-byte blocks are 4x4 matrices with one value beside the diagonal."""
    if lanes != 64 or len(data) % 256:
        return lanes == 64 and len(data) % 256 != 0
    blocks = np.frombuffer(data, np.uint8).reshape(-1, 16)
    beside = blocks[:, [i for i in range(16) if i % 5]]
    return bool((beside == beside[:, :1]).all(axis=1).mean() > 0.6)
