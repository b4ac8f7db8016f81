"""Tables of the TensorFlow Lite schema that operators need, as data.

Read by `frontend.tflite_reader` (decode an operator's options) and by `emit` (write them
again). The text below lists, for every member of the unions BuiltinOptions and
BuiltinOptions2, its number, its name and its fields in schema order. A field is
`name[:type][=default]`; the type is int32 unless given, `type[]` is a vector (`[]` alone a
vector of int32), the default is 0 unless given, and `-` is a removed field that still takes
a slot. Enum fields are written as the integer type that stores them.
Source: the public schema.fbs of TensorFlow 2.18 (field ids only ever grow).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from ..fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class OptionField:
    """One field. `slot` is its index in the vtable; `type` one of bool, int8, uint8, int16,
    int32, uint32, int64, float32, string, or an element type followed by `[]`."""

    slot: int
    name: str
    type: str
    default: bool | int | float | None

    @property
    def is_vector(self) -> bool:
        return self.type.endswith("[]")

    @property
    def is_scalar(self) -> bool:
        return self.type != "string" and not self.is_vector


@dataclass(frozen=True, slots=True)
class OptionTable:
    """One union member: `union` 1 is BuiltinOptions, 2 is BuiltinOptions2."""

    union: int
    number: int
    name: str
    fields: tuple[OptionField, ...]

    def defaults(self) -> dict[str, bool | int | float | None]:
        """What an absent or empty table means: absent strings and vectors are None."""
        return {field.name: field.default for field in self.fields}


def builtin_operator_name(number: int) -> str | None:
    """Name of a BuiltinOperator number, None where the schema has none."""
    names = _operator_names()
    return names[number] if 0 <= number < len(names) else None


def builtin_operator_number(name: str) -> int:
    """Number of a BuiltinOperator name; KeyError for a name the schema does not have."""
    return _operator_numbers()[name]


def option_table(name: str) -> OptionTable:
    """The table called `name`; KeyError for a name the schema does not have."""
    return _tables()[name]


def option_table_of(union: int, number: int) -> OptionTable | None:
    """The member `number` of a union (1 or 2), None where the schema has none."""
    return _tables_by_number().get((union, number))


def option_table_names() -> tuple[str, ...]:
    """Every table's name, BuiltinOptions first."""
    return tuple(_tables())


@functools.cache
def _operator_names() -> tuple[str, ...]:
    return tuple(_BUILTIN_OPERATORS.split())


@functools.cache
def _operator_numbers() -> Mapping[str, int]:
    return {name: number for number, name in enumerate(_operator_names())}


@functools.cache
def _tables() -> Mapping[str, OptionTable]:
    tables = {}
    for union, text in ((1, _BUILTIN_OPTIONS), (2, _BUILTIN_OPTIONS_2)):
        for line in text.replace("\n    ", " ").split("\n"):
            if line:
                table = _parse_table(union, line)
                tables[table.name] = table
    return tables


@functools.cache
def _tables_by_number() -> Mapping[tuple[int, int], OptionTable]:
    return {(table.union, table.number): table for table in _tables().values()}


def _parse_table(union: int, line: str) -> OptionTable:
    number, name, *items = line.split()
    fields = [_parse_field(slot, item) for slot, item in enumerate(items) if item != "-"]
    return OptionTable(union, int(number), name, tuple(fields))


def _parse_field(slot: int, item: str) -> OptionField:
    declaration, _, default = item.partition("=")
    if declaration.endswith("[]") and ":" not in declaration:
        declaration = declaration[:-2] + ":int32[]"
    name, _, kind = declaration.partition(":")
    kind = kind or "int32"
    if kind == "string" or kind.endswith("[]"):
        return OptionField(slot, name, kind, None)
    if kind == "bool":
        return OptionField(slot, name, kind, default == "1")
    value = float(default or 0) if kind == "float32" else int(default or 0)
    return OptionField(slot, name, kind, value)


_BUILTIN_OPERATORS = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6
RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL
CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST
PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN
TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW
ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK
REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR
LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS
WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG
REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL
BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD
UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR
RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM
STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM
STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS
STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG
STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER
STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER
STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE
STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT
STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR
REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT
"""

_BUILTIN_OPTIONS = """
1 Conv2DOptions padding:int8 stride_w stride_h fused_activation_function:int8
    dilation_w_factor=1 dilation_h_factor=1 quantized_bias_type:int8
2 DepthwiseConv2DOptions padding:int8 stride_w stride_h depth_multiplier
    fused_activation_function:int8 dilation_w_factor=1 dilation_h_factor=1
3 ConcatEmbeddingsOptions num_channels num_columns_per_channel[] embedding_dim_per_channel[]
4 LSHProjectionOptions type:int8
5 Pool2DOptions padding:int8 stride_w stride_h filter_width filter_height
    fused_activation_function:int8
6 SVDFOptions rank fused_activation_function:int8 asymmetric_quantize_inputs:bool
7 RNNOptions fused_activation_function:int8 asymmetric_quantize_inputs:bool
8 FullyConnectedOptions fused_activation_function:int8 weights_format:int8 keep_num_dims:bool
    asymmetric_quantize_inputs:bool quantized_bias_type:int8
9 SoftmaxOptions beta:float32
10 ConcatenationOptions axis fused_activation_function:int8
11 AddOptions fused_activation_function:int8 pot_scale_int16:bool=1
12 L2NormOptions fused_activation_function:int8
13 LocalResponseNormalizationOptions radius bias:float32 alpha:float32 beta:float32
14 LSTMOptions fused_activation_function:int8 cell_clip:float32 proj_clip:float32
    kernel_type:int8 asymmetric_quantize_inputs:bool
15 ResizeBilinearOptions - - align_corners:bool half_pixel_centers:bool
16 CallOptions subgraph:uint32
17 ReshapeOptions new_shape[]
18 SkipGramOptions ngram_size max_skip_size include_all_ngrams:bool
19 SpaceToDepthOptions block_size
20 EmbeddingLookupSparseOptions combiner:int8
21 MulOptions fused_activation_function:int8
22 PadOptions
23 GatherOptions axis batch_dims
24 BatchToSpaceNDOptions
25 SpaceToBatchNDOptions
26 TransposeOptions
27 ReducerOptions keep_dims:bool
28 SubOptions fused_activation_function:int8 pot_scale_int16:bool=1
29 DivOptions fused_activation_function:int8
30 SqueezeOptions squeeze_dims[]
31 SequenceRNNOptions time_major:bool fused_activation_function:int8
    asymmetric_quantize_inputs:bool
32 StridedSliceOptions begin_mask end_mask ellipsis_mask new_axis_mask shrink_axis_mask
    offset:bool
33 ExpOptions
34 TopKV2Options
35 SplitOptions num_splits
36 LogSoftmaxOptions
37 CastOptions in_data_type:int8 out_data_type:int8
38 DequantizeOptions
39 MaximumMinimumOptions
40 ArgMaxOptions output_type:int8
41 LessOptions
42 NegOptions
43 PadV2Options
44 GreaterOptions
45 GreaterEqualOptions
46 LessEqualOptions
47 SelectOptions
48 SliceOptions
49 TransposeConvOptions padding:int8 stride_w stride_h fused_activation_function:int8
    quantized_bias_type:int8
50 SparseToDenseOptions validate_indices:bool
51 TileOptions
52 ExpandDimsOptions
53 EqualOptions
54 NotEqualOptions
55 ShapeOptions out_type:int8
56 PowOptions
57 ArgMinOptions output_type:int8
58 FakeQuantOptions min:float32 max:float32 num_bits narrow_range:bool
59 PackOptions values_count axis
60 LogicalOrOptions
61 OneHotOptions axis
62 LogicalAndOptions
63 LogicalNotOptions
64 UnpackOptions num axis
65 FloorDivOptions
66 SquareOptions
67 ZerosLikeOptions
68 FillOptions
69 BidirectionalSequenceLSTMOptions fused_activation_function:int8 cell_clip:float32
    proj_clip:float32 merge_outputs:bool time_major:bool=1 asymmetric_quantize_inputs:bool
70 BidirectionalSequenceRNNOptions time_major:bool fused_activation_function:int8
    merge_outputs:bool asymmetric_quantize_inputs:bool
71 UnidirectionalSequenceLSTMOptions fused_activation_function:int8 cell_clip:float32
    proj_clip:float32 time_major:bool asymmetric_quantize_inputs:bool
    diagonal_recurrent_tensors:bool
72 FloorModOptions
73 RangeOptions
74 ResizeNearestNeighborOptions align_corners:bool half_pixel_centers:bool
75 LeakyReluOptions alpha:float32
76 SquaredDifferenceOptions
77 MirrorPadOptions mode:int8
78 AbsOptions
79 SplitVOptions num_splits
80 UniqueOptions idx_out_type:int8=2
81 ReverseV2Options
82 AddNOptions
83 GatherNdOptions
84 CosOptions
85 WhereOptions
86 RankOptions
87 ReverseSequenceOptions seq_dim batch_dim
88 MatrixDiagOptions
89 QuantizeOptions
90 MatrixSetDiagOptions
91 HardSwishOptions
92 IfOptions then_subgraph_index else_subgraph_index
93 WhileOptions cond_subgraph_index body_subgraph_index
94 DepthToSpaceOptions block_size
95 NonMaxSuppressionV4Options
96 NonMaxSuppressionV5Options
97 ScatterNdOptions
98 SelectV2Options
99 DensifyOptions
100 SegmentSumOptions
101 BatchMatMulOptions adj_x:bool adj_y:bool asymmetric_quantize_inputs:bool
102 CumsumOptions exclusive:bool reverse:bool
103 CallOnceOptions init_subgraph_index
104 BroadcastToOptions
105 Rfft2dOptions
106 Conv3DOptions padding:int8 stride_d stride_w stride_h fused_activation_function:int8
    dilation_d_factor=1 dilation_w_factor=1 dilation_h_factor=1
107 HashtableOptions table_id key_dtype:int8 value_dtype:int8
108 HashtableFindOptions
109 HashtableImportOptions
110 HashtableSizeOptions
111 VarHandleOptions container:string shared_name:string
112 ReadVariableOptions
113 AssignVariableOptions
114 RandomOptions seed:int64 seed2:int64
115 BucketizeOptions boundaries:float32[]
116 GeluOptions approximate:bool
117 DynamicUpdateSliceOptions
118 UnsortedSegmentProdOptions
119 UnsortedSegmentMaxOptions
120 UnsortedSegmentMinOptions
121 UnsortedSegmentSumOptions
122 ATan2Options
123 SignOptions
124 BitcastOptions
125 BitwiseXorOptions
126 RightShiftOptions
"""

_BUILTIN_OPTIONS_2 = """
1 StablehloConcatenateOptions dimension:int64
2 StablehloBroadcastInDimOptions broadcast_dimensions:int64[]
3 StablehloSliceOptions start_indices:int64[] limit_indices:int64[] strides:int64[]
4 StablehloConvolutionOptions window_strides:int64[] padding:int64[] lhs_dilation:int64[]
    rhs_dilation:int64[] window_reversal:bool[] input_batch_dimension:int64
    input_feature_dimension:int64 input_spatial_dimensions:int64[]
    kernel_input_feature_dimension:int64 kernel_output_feature_dimension:int64
    kernel_spatial_dimensions:int64[] output_batch_dimension:int64
    output_feature_dimension:int64 output_spatial_dimensions:int64[] feature_group_count:int64
    batch_group_count:int64 precision_config:uint32[]
5 StablehloCustomCallOptions call_target_name:string has_side_effect:bool backend_config:string
    api_version called_computations[] custom_attributes:uint8[]
6 StablehloReduceOptions dimensions:int64[] body_subgraph_index
7 StablehloScatterOptions indices_are_sorted:bool update_window_dims:int64[]
    inserted_window_dims:int64[] scatter_dims_to_operand_dims:int64[] index_vector_dim:int64
    unique_indices:bool update_computation_subgraph_index
8 StablehloCompareOptions comparison_direction:uint32 compare_type:uint32
9 StablehloDynamicSliceOptions slice_sizes:int64[]
10 StablehloPadOptions edge_padding_low:int64[] edge_padding_high:int64[]
    interior_padding:int64[]
11 StablehloIotaOptions iota_dimension:int64
12 StablehloDotGeneralOptions lhs_batching_dimensions:int64[] rhs_batching_dimensions:int64[]
    lhs_contracting_dimensions:int64[] rhs_contracting_dimensions:int64[]
    precision_config:uint32[]
13 StablehloReduceWindowOptions window_dimensions:int64[] window_strides:int64[]
    base_dilations:int64[] window_dilations:int64[] padding:int64[] body_subgraph_index
14 StablehloSortOptions dimension:int64 is_stable:bool comparator_subgraph_index
15 StablehloWhileOptions cond_subgraph_index body_subgraph_index
16 StablehloGatherOptions offset_dims:int64[] collapsed_slice_dims:int64[]
    start_index_map:int64[] index_vector_dim:int64 slice_sizes:int64[] indices_are_sorted:bool
17 StablehloTransposeOptions permutation:int64[]
18 DilateOptions
19 StablehloRngBitGeneratorOptions algorithm:int8
20 ReduceWindowOptions reduce_function
21 StableHLOCompositeOptions name:string decomposition_subgraph_index
    composite_attributes:uint8[] composite_attributes_format:int8 version
22 StablehloShiftLeftOptions
"""
