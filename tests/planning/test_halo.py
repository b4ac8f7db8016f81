"""Map layouts and halo exchanges: whatever the windows are, every tile ends up with the pixels
it reads, at the addresses it reads them from."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.lowering.program import Direction
from compiler.planning.halo import EXCHANGE_ORDER, halo_moves
from compiler.planning.map_layout import map_layout
from compiler.planning.tiling import GRID, MapNeed, Window, length, same_padding, split

STABLE = settings(derandomize=True, deadline=None, max_examples=150)
NEIGHBOUR = {
    Direction.NORTH: GRID,
    Direction.SOUTH: -GRID,
    Direction.WEST: 1,
    Direction.EAST: -1,
}
"""Tile the data of a direction comes from, relative to the receiver."""
FILL = ("fill",)


@st.composite
def windows(draw, size):
    """A window over `size` pixels and its number of outputs, padded or not."""
    kernel, stride, dilation = (draw(st.integers(1, n)) for n in (5, 3, 2))
    extent = (kernel - 1) * dilation + 1
    if extent <= size and draw(st.booleans()):
        return Window(kernel, stride, dilation), (size - extent) // stride + 1
    outputs = -(-size // stride)
    before = same_padding(size, outputs, kernel, stride, dilation)
    return Window(kernel, stride, dilation, before), outputs


@st.composite
def layouts(draw):
    height, width = draw(st.integers(1, 23)), draw(st.integers(1, 23))
    needs = []
    for _ in range(draw(st.integers(1, 2))):
        (rows, down), (columns, right) = draw(windows(height)), draw(windows(width))
        needs.append(MapNeed(rows.need(split(0, down)), columns.need(split(0, right))))
    return map_layout(height, width, draw(st.integers(1, 3)), needs), needs


def addresses(layout, rectangle):
    return [
        rectangle.offset + row * rectangle.row_words + column * layout.pixel_words
        for row in range(rectangle.rows)
        for column in range(rectangle.columns)
    ]


def exchange(layout):
    """Each tile's memory (word address of a pixel -> the pixel) after the exchange."""
    memory = []
    for tile in range(GRID * GRID):
        (top, bottom), (left, right) = (
            layout.rows.own[tile // GRID],
            layout.columns.own[tile % GRID],
        )
        memory.append(
            {
                layout.offset(tile, row, column): (row, column)
                for row in range(top, bottom)
                for column in range(left, right)
            }
        )
    for direction in EXCHANGE_ORDER:
        moves = {m.tile: m for m in halo_moves(layout) if m.direction == direction}
        # Data may pass through tiles: as many rounds as it can take hops.
        for _ in range(GRID):
            for tile, move in moves.items():
                if move.destination is None:
                    continue
                to = addresses(layout, move.destination)
                if move.fill:
                    memory[tile].update(dict.fromkeys(to, FILL))
                    continue
                sender = tile + NEIGHBOUR[direction]
                source = addresses(layout, moves[sender].source)
                assert len(source) == len(to)
                for a, b in zip(source, to, strict=True):
                    if a in memory[sender]:
                        memory[tile][b] = memory[sender][a]
    return memory


@STABLE
@given(layouts())
def test_every_tile_gets_what_it_reads(case):
    layout, needs = case
    memory = exchange(layout)
    for tile in range(GRID * GRID):
        assert all(0 <= address < layout.words for address in memory[tile])
        for need in needs:
            rows, columns = need.rows[tile // GRID], need.columns[tile % GRID]
            if rows is None or columns is None:
                continue
            for row in range(*rows):
                for column in range(*columns):
                    inside = 0 <= row < layout.height and 0 <= column < layout.width
                    expected = (row, column) if inside else FILL
                    assert memory[tile][layout.offset(tile, row, column)] == expected


@STABLE
@given(layouts())
def test_a_send_has_its_receiver(case):
    layout, _ = case
    moves = {(m.direction, m.tile): m for m in halo_moves(layout)}
    for (direction, tile), move in moves.items():
        if move.source is None:
            continue
        receiver = moves[direction, tile - NEIGHBOUR[direction]]
        assert not receiver.fill
        assert (receiver.destination.rows, receiver.destination.columns) == (
            move.source.rows,
            move.source.columns,
        )


def test_one_by_one_windows_need_no_halo():
    layout = map_layout(8, 8, 4, [MapNeed(split(0, 8), split(0, 8))])
    assert not layout.has_halo
    assert halo_moves(layout) == ()


def test_pixels_pass_through_a_tile_without_outputs():
    """Six rows, three outputs: the last tile row computes nothing, but owns a row that the
    one before it reads."""
    window = Window(kernel=3, stride=2)
    need = window.need(split(0, 3))
    layout = map_layout(6, 4, 1, [MapNeed(need, split(0, 4))])
    assert need[3] is None
    assert layout.rows.held == ((0, 3), (2, 5), (3, 7), (5, 7))
    assert length(layout.rows.held[3]) == 2
