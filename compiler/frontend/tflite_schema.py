"""Slot order of the TensorFlow Lite tables that the outer model uses (public schema.fbs)."""

from __future__ import annotations

from ..flatbuffer.schema import TableType

IDENTIFIER = b"TFL3"
VERSION = 3

MODEL = TableType(
    "Model",
    "version:uint32 operator_codes:ref subgraphs:ref description:ref buffers:ref"
    " metadata_buffer:ref metadata:ref signature_defs:ref",
)
OPERATOR_CODE = TableType(
    "OperatorCode",
    "deprecated_builtin_code:int8 custom_code:ref version:int32=1 builtin_code:int32",
)
SUBGRAPH = TableType("SubGraph", "tensors:ref inputs:ref outputs:ref operators:ref name:ref")
TENSOR = TableType(
    "Tensor",
    "shape:ref type:int8 buffer:uint32 name:ref quantization:ref is_variable:bool sparsity:ref"
    " shape_signature:ref has_rank:bool",
)
QUANTIZATION = TableType(
    "QuantizationParameters",
    "min:ref max:ref scale:ref zero_point:ref details_type:uint8"
    " details:ref quantized_dimension:int32",
)
OPERATOR = TableType(
    "Operator",
    "opcode_index:uint32 inputs:ref outputs:ref builtin_options_type:uint8 builtin_options:ref"
    " custom_options:ref custom_options_format:int8 mutating_variable_inputs:ref intermediates:ref"
    " large_custom_options_offset:uint64 large_custom_options_size:uint64"
    " builtin_options_2_type:uint8"
    " builtin_options_2:ref",
)
BUFFER = TableType("Buffer", "data:ref")
