"""How a convolution's weights pass through wide memory: as a whole, or chunk by chunk with the
partial sums kept in wide memory instead. Facts: docs/format/convolution.md, "Weight chunks".
"""

from __future__ import annotations

from ..fast_dataclass import dataclass

DOUBLE_BUFFER_LINES = 32
"""Lines that two chunks with their header vectors may take."""


@dataclass(frozen=True, slots=True)
class WeightChunks:
    """input_words: words of four input channels in a chunk; count: chunks a block of outputs
    needs (1: the block stays resident); lines: wide lines of a chunk, header excluded;
    single_buffered: the next block's weights wait until this one's are used up."""

    input_words: int
    count: int
    lines: int
    single_buffered: bool

    @property
    def slots(self) -> int:
        return 1 if self.single_buffered else 2


def weight_chunks(taps: int, input_words: int, headers: int, pixels: int) -> WeightChunks:
    """Chunks of a dense convolution.

    taps: kernel positions; input_words: words a pixel of its input; headers: header vectors;
    pixels: output pixels of the busiest tile (partial-sum lines of the streamed form).
    """
    lines = taps * input_words
    part = max(
        (
            words
            for words in range(1, input_words + 1)
            if input_words % words == 0 and 2 * (taps * words + headers) <= DOUBLE_BUFFER_LINES
        ),
        default=1,
    )
    streamed = 2 * taps * part + pixels
    if part == input_words or not _prefers_stream(streamed, 2 * lines, taps):
        single = 2 * (lines + headers) > DOUBLE_BUFFER_LINES >= lines + headers
        return WeightChunks(input_words, 1, lines, single)
    return WeightChunks(part, input_words // part, taps * part, single_buffered=False)


def _prefers_stream(streamed: int, resident: int, taps: int) -> bool:
    """Fewer lines win; at a tie 1x1 kernels stay resident and larger ones are streamed."""
    return streamed < resident or (streamed == resident and taps > 1)
