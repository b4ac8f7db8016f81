"""DMA hints: the DMAs of a program in order, so that the driver can start them early.

Reads descriptors and field offsets, writes DmaHints. Facts: docs/format/container.md,
"DMA hints".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import InternalError
from .executable import (
    BaseAddress,
    DescriptorHint,
    DmaDirection,
    DmaHint,
    DmaHints,
    FenceHint,
    FieldOffset,
    Half,
    InstructionHint,
    InterruptHint,
)
from .host_descriptors import Descriptor, Site, Tag
from .link_fields import site_of


def dma_hints(fired: Sequence[Descriptor], fields: Sequence[Sequence[FieldOffset]]) -> DmaHints:
    """The hints of a program with these descriptors and, per chunk, field offsets.

    Each chunk's fetch stands before the first DMA of the chunk. Adjoining pieces of one
    tensor are one hint. Scratch is fenced before it is read back. The list ends before the
    first DMA inside a loop, as its order is then not known.
    """
    bases = _bases(fields)
    hints: list[DmaHint] = [InstructionHint(0)]
    chunk = 0
    for descriptor in fired:
        if descriptor.repeats:
            return DmaHints(tuple(hints), fully_deterministic=False)
        hints += [InstructionHint(c) for c in range(chunk + 1, descriptor.chunk + 1)]
        chunk = descriptor.chunk
        if descriptor.tag is Tag.INTERRUPT:
            hints.append(InterruptHint(descriptor.offset))
            continue
        _append(hints, _descriptor_hint(descriptor, bases))
    hints += [InstructionHint(c) for c in range(chunk + 1, len(fields))]
    return DmaHints(tuple(hints))


def _bases(fields: Sequence[Sequence[FieldOffset]]) -> dict[Site, FieldOffset]:
    return {
        site_of(chunk, field): field
        for chunk, chunk_fields in enumerate(fields)
        for field in chunk_fields
        if field.half is Half.LOWER
    }


def _descriptor_hint(descriptor: Descriptor, bases: dict[Site, FieldOffset]) -> DescriptorHint:
    field = bases.get(descriptor.low) if descriptor.low is not None else None
    if field is None:
        raise InternalError("a descriptor's address comes from no base", actual=descriptor)
    out = descriptor.tag is Tag.OUTPUT
    direction = DmaDirection.OUTFEED if out else DmaDirection.INFEED
    return DescriptorHint(
        direction, field.base, field.name, descriptor.offset, descriptor.size, field.batch
    )


def _append(hints: list[DmaHint], hint: DescriptorHint) -> None:
    """Add `hint`, merged with the last one where it goes on from there."""
    if hint.base is BaseAddress.SCRATCH and hint.direction is DmaDirection.INFEED:
        hints += [FenceHint(), hint]
        return
    last = hints[-1]
    if isinstance(last, DescriptorHint) and hint == replace(
        last, offset=last.offset + last.size, size=hint.size
    ):
        hints[-1] = replace(last, size=last.size + hint.size)
    else:
        hints.append(hint)
