"""What compiler generations pack differently. Reads nothing, writes nothing.

Facts: docs/format/parameters.md, "Generations".
"""

from __future__ import annotations

from ...fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class PackingRules:
    """The defaults are those of every release this compiler emulates.

    keep_zero_bias: a bias that is zero in every channel still gets its header vector.
    flat_kernels: FULLY_CONNECTED on a flattened map is laid out as a convolution whose
        kernel is the map.
    softmax_tables: SOFTMAX over a channel count that is no multiple of four has tables.
    one_hot_vectors: RESHAPE and CONCATENATION to packed vectors are one-hot products.
    lstm_transposes: UNIDIRECTIONAL_SEQUENCE_LSTM has one-hot matrices that move its sequence
        (the vendor's way; this compiler moves it without).
    """

    keep_zero_bias: bool = False
    flat_kernels: bool = False
    softmax_tables: bool = True
    one_hot_vectors: bool = True
    lstm_transposes: bool = False


CURRENT = PackingRules()
