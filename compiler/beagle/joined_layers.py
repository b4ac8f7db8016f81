"""Output layers whose parts leave the chip as maps of their own.

Every run of pixels that lie side by side in the host's buffer counts as a tile: the driver only
adds up the tables. Reads the Graph level, writes Layer dataclasses. Facts:
docs/format/container.md, "Layers".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..frontend.graph import Tensor
from ..frontend.joined_outputs import JoinedOutput, OutputPart
from .executable import Layer, OutputLayout
from .layers import output_layer, spatial_layout, split

WORD_BYTES = 4


def joined_layer(tensor: Tensor, joined: JoinedOutput) -> Layer:
    """The layer of an output that is a line of pixels."""
    layer = output_layer(tensor)
    offsets = joined.offsets()
    starts: list[int] = []
    lengths: list[int] = []
    for part, offset in zip(joined.parts, offsets, strict=False):
        for start, length in _runs(part):
            starts.append(offset + start)
            lengths.append(length)
    pitch = WORD_BYTES * joined.parts[0].words
    layout = _line(starts, lengths, pitch, along_rows=layer.y > 1)
    return replace(layer, size_bytes=offsets[-1], layout=layout)


def _runs(part: OutputPart) -> Iterator[tuple[int, int]]:
    """(byte of the first, number of) pixels of the line that lie side by side."""
    pixel = WORD_BYTES * part.words * part.groups
    layout = spatial_layout(part.rows, part.columns, pixel, part.bands)
    for row in range(part.rows):
        column = 0
        for width in split(part.columns):
            if width:
                tile = layout.y_tile[row] + layout.x_tile[column]
                below = layout.y_in_tile[row] * layout.x_row_size[column]
                start = layout.tile_offset[tile] + below + layout.x_in_tile[column]
                yield start, width * part.groups
            column += width


def _line(starts: list[int], lengths: list[int], pitch: int, *, along_rows: bool) -> OutputLayout:
    tiles = tuple(number for number, length in enumerate(lengths) for _ in range(length))
    inside = range(max(lengths))
    places = [place for length in lengths for place in inside[:length]]
    if along_rows:
        return OutputLayout(tiles, (0,), tuple(starts), (0,), tuple(places), (pitch,))
    columns = tuple(place * pitch for place in places)
    widths = tuple(length * pitch for length in lengths for _ in range(length))
    return OutputLayout((0,), tiles, tuple(starts), columns, (0,), widths)
