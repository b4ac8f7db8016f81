"""Field offsets: where the driver writes base addresses into a program.

Reads the Program level and its descriptors, writes FieldOffsets per chunk. A base address is
loaded by two instructions that move the immediate 0 into a register; the driver fills in the
immediates. Facts: docs/format/container.md, "Field offsets".
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InternalError
from ..lowering.program import Program, ScalarOp
from .assembler import positions
from .executable import BaseAddress, FieldOffset, Half
from .host_descriptors import MOVE_IMMEDIATE, Descriptor, Site, Tag

WORD_BITS = 128
IMMEDIATE_BIT = 70
"""First bit of a scalar instruction's 32-bit immediate."""

_FRAME_BASES = (
    (BaseAddress.PARAMETERS, Half.LOWER),
    (BaseAddress.PARAMETERS, Half.UPPER),
    (BaseAddress.SCRATCH, Half.LOWER),
    (BaseAddress.SCRATCH, Half.UPPER),
)
"""What the program's frame loads, in order."""


def link_fields(
    program: Program,
    fired: Sequence[Descriptor],
    *,
    scratch: bool = True,
    names: Sequence[str] = (),
    default_names: tuple[str, str] = ("", ""),
) -> tuple[tuple[FieldOffset, ...], ...]:
    """The field offsets of every chunk, ascending by bit.

    fired: `host_descriptors.descriptors(program)`.
    scratch: the frame's scratch base is linked too (not in PARAMETER_CACHING programs).
    names: the tensor of each activation base load in program order; without it all loads are
        of `default_names` (input, output), as in programs with one of each.
    """
    frame = _frame_sites(program)[: 4 if scratch else 2]
    sites = {site: (*base, "") for site, base in zip(frame, _FRAME_BASES, strict=False)}
    loads = _activation_sites(fired, set(frame))
    pending = list(names)
    for pair in _pairs(loads):
        base = loads[pair[0]][0]
        if names:
            if not pending:
                raise InternalError("a base address is loaded for no tensor", actual=pair[0])
            name = pending.pop(0)
        else:
            name = default_names[base is BaseAddress.OUTPUT]
        for site in pair:
            sites[site] = (*loads[site], name)
    if pending:
        raise InternalError("tensors without a base address", actual=pending)
    return tuple(
        tuple(
            FieldOffset(base, half, WORD_BITS * word + IMMEDIATE_BIT, name)
            for (chunk, word), (base, half, name) in sorted(sites.items())
            if chunk == number
        )
        for number in range(1 + len(program.chunk_starts))
    )


def site_of(chunk: int, field: FieldOffset) -> Site:
    """The instruction whose immediate a field offset names."""
    return chunk, (field.bit - IMMEDIATE_BIT) // WORD_BITS


def _frame_sites(program: Program) -> list[Site]:
    """The first run of base loads: the program's frame."""
    sites: list[Site] = []
    for place, instruction in zip(positions(program), program.instructions, strict=True):
        if (
            isinstance(instruction, ScalarOp)
            and instruction.operation == MOVE_IMMEDIATE
            and instruction.immediate == 0
        ):
            sites.append(place)
        elif sites:
            break
    return sites


def _activation_sites(
    fired: Sequence[Descriptor], frame: set[Site]
) -> dict[Site, tuple[BaseAddress, Half]]:
    """Every site outside the frame that an input or output descriptor takes its address from."""
    loads: dict[Site, tuple[BaseAddress, Half]] = {}
    for descriptor in fired:
        if descriptor.tag not in (Tag.INPUT, Tag.OUTPUT):
            continue
        base = BaseAddress.INPUT if descriptor.tag is Tag.INPUT else BaseAddress.OUTPUT
        for site, half in ((descriptor.low, Half.LOWER), (descriptor.high, Half.UPPER)):
            if site is not None and site not in frame:
                loads[site] = (base, half)
    return loads


def _pairs(loads: dict[Site, tuple[BaseAddress, Half]]) -> list[tuple[Site, Site]]:
    """(upper, lower) sites of each load in program order; the upper half comes first."""
    ordered = sorted(loads)
    pairs = list(zip(ordered[::2], ordered[1::2], strict=False))
    halves = [(loads[first][1], loads[second][1]) for first, second in pairs]
    if len(ordered) % 2 or any(pair != (Half.UPPER, Half.LOWER) for pair in halves):
        raise InternalError("activation base addresses are not loaded in pairs")
    return pairs
