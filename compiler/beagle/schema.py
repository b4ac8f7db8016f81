"""Slot order of the DarwiNN tables, as in the public schema executable.fbs of libedgetpu.

Used by `executable`, `package` (writers) and `reader`. Meanings: docs/format/container.md.
"""

from __future__ import annotations

from ..flatbuffer.schema import TableType

PACKAGE_IDENTIFIER = b"DWN1"

META = TableType("Meta", "desc:int16 batch:int32 name:ref position:int16")
FIELD_OFFSET = TableType("FieldOffset", "meta:ref offset_bit:int32")
INSTRUCTION_BITSTREAM = TableType("InstructionBitstream", "bitstream:ref field_offsets:ref")
DMA_DESCRIPTOR_HINT = TableType(
    "DmaDescriptorHint", "meta:ref offset_in_bytes:int32 size_in_bytes:int32"
)
INSTRUCTION_HINT = TableType("InstructionHint", "instruction_chunk_index:int32")
INTERRUPT_HINT = TableType("InterruptHint", "type:int16")
FENCE_HINT = TableType("FenceHint", "")
DMA_HINT = TableType("DmaHint", "any_hint_type:uint8 any_hint:ref direction:int16")
DMA_HINTS = TableType("DmaHints", "hints:ref fully_deterministic:bool")
OUTPUT_LAYOUT = TableType(
    "OutputLayout",
    "y_coordinate_to_linear_tile_id_map:ref x_coordinate_to_linear_tile_id_map:ref"
    " linearized_tile_byte_offset:ref x_coordinate_to_local_byte_offset:ref"
    " y_coordinate_to_local_y_offset:ref x_coordinate_to_local_y_row_size:ref",
)
TENSOR_SHAPE = TableType("TensorShape", "dimension:ref")
NUMERICS_CONSTANTS = TableType(
    "NumericsConstants", "zero_point:int32 dequantization_factor:float32"
)
OUTPUT_LAYER = TableType("OutputLayer", "layout:ref data_type:int16 shape_info:ref")
INPUT_LAYER = TableType("InputLayer", "")
LAYER = TableType(
    "Layer",
    "name:ref size_bytes:int32 y_dim:int32 x_dim:int32 z_dim:int32 numerics:ref data_type:int16"
    " any_layer_type:uint8 any_layer:ref execution_count_per_inference:int32=1 cache_on_dram:bool"
    " shape:ref",
)
EXECUTABLE = TableType(
    "Executable",
    "version:int32 name:ref serialized_model:ref batch_size:int32 scratch_size_bytes:int32"
    " instruction_bitstreams:ref parameters:ref dma_hints:ref input_layers:ref"
    " output_layers:ref chip:ref estimated_cycles:int32 used_narrow_memory_bytes_per_tile:int32"
    " type:int16 parameter_caching_token:uint64 use_tpu_dram_for_parameters:bool"
    " estimated_cycles_64bit:int64",
)
MULTI_EXECUTABLE = TableType("MultiExecutable", "serialized_executables:ref")
PACKAGE = TableType(
    "Package",
    "min_runtime_version:int32 serialized_multi_executable:ref signature:ref keypair_version:int32"
    " compiler_version:ref virtual_chip_id:int32 multi_chip_package:ref model_identifier:ref",
)

# Union members, numbered as in the schema.
ANY_LAYER_OUTPUT = 1
ANY_LAYER_INPUT = 2
ANY_HINT_DESCRIPTOR = 1
ANY_HINT_INSTRUCTION = 2
ANY_HINT_INTERRUPT = 3
ANY_HINT_FENCE = 4
