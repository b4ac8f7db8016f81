"""Which options table an operator takes (schema.fbs names the tables, not the pairing).

Most tables carry their operator's name; the others are listed. Source: the operator
parsers of TensorFlow Lite (flatbuffer_conversions).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from .option_tables import OptionTable, option_table, option_table_names

_OTHER_NAMES = {
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "L2_POOL_2D": "Pool2DOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "MEAN": "ReducerOptions",
    "SUM": "ReducerOptions",
    "REDUCE_PROD": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "REDUCE_ANY": "ReducerOptions",
    "REDUCE_ALL": "ReducerOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "CONV_3D_TRANSPOSE": "Conv3DOptions",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "SequenceRNNOptions",
}


def expected_table(operator: str) -> OptionTable | None:
    """The options table of a builtin operator, None where it takes none that is known."""
    name = _OTHER_NAMES.get(operator) or _by_operator().get(operator.replace("_", "").lower())
    return None if name is None else option_table(name)


@functools.cache
def _by_operator() -> Mapping[str, str]:
    return {name.removesuffix("Options").lower(): name for name in option_table_names()}
