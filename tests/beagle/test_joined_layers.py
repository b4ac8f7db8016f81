"""Tables of outputs whose parts leave as maps: every element is found where its tile put it."""

from __future__ import annotations

import pytest

from compiler.beagle.joined_layers import joined_layer
from compiler.beagle.layers import spatial_layout
from compiler.frontend.graph import Quantization, Tensor, TensorType
from compiler.frontend.joined_outputs import JoinedOutput, OutputPart


def place(layout, y: int, x: int) -> int:
    """The driver's sum."""
    tile = layout.tile_offset[layout.y_tile[y] + layout.x_tile[x]]
    return tile + layout.y_in_tile[y] * layout.x_row_size[x] + layout.x_in_tile[x]


@pytest.mark.parametrize("along_rows", [False, True])
def test_pixels_lie_where_the_maps_have_them(along_rows):
    parts = (
        OutputPart(0, 5, 6, 3, 2, bands=2),
        OutputPart(1, 1, 3, 1, 2),
        OutputPart(2, 3, 1, 2, 2),
    )
    joined = JoinedOutput(9, parts)
    pixels = 5 * 6 * 3 + 3 + 3 * 2
    shape = (1, pixels, 1, 7) if along_rows else (1, pixels, 7)
    tensor = Tensor(9, "scores", shape, TensorType.UINT8, Quantization((0.5,), (3,)))
    layer = joined_layer(tensor, joined)
    assert layer.size_bytes == joined.offsets()[-1] == 720 + 24 + 48
    line = 0
    for part, offset in zip(parts, joined.offsets(), strict=False):
        source = spatial_layout(part.rows, part.columns, 8 * part.groups, part.bands)
        for row in range(part.rows):
            for column in range(part.columns):
                for group in range(part.groups):
                    wanted = offset + place(source, row, column) + 8 * group
                    at = (line, 0) if along_rows else (0, line)
                    assert place(layer.layout, *at) == wanted
                    line += 1
    assert line == pixels


def test_parts_begin_at_multiples_of_eight_bytes():
    parts = tuple(OutputPart(number, 3, 3, 1, 1) for number in range(3))
    assert JoinedOutput(9, parts).offsets() == [0, 40, 80, 120]
