"""The registry: which function lowers which kind of step. One line each."""

from __future__ import annotations

from collections.abc import Mapping

from ..planning.collected_map import MapCollectionStep
from ..planning.convolution import ConvolutionStep, HaloStep
from ..planning.elementwise import SumStep
from ..planning.flatten import FlattenSpreadStep
from ..planning.fully_connected import FullyConnectedStep, GatherStep
from ..planning.host_maps import HostFetchStep, HostStoreStep
from ..planning.image import ImageInputStep
from ..planning.inverse_root import RootStep
from ..planning.line_reshape import LineReshapeStep
from ..planning.logistic import LogisticStep
from ..planning.lstm import BlockInputStep, LstmStep
from ..planning.map_collection import FlattenGatherStep
from ..planning.map_concatenation import JoinedMapStep
from ..planning.map_moves import MapMoveStep
from ..planning.map_output import MapOutputStep
from ..planning.multiply import ProductStep
from ..planning.normalization import NormalizationStep
from ..planning.parked_pool import ChannelCutStep, JoinPartsStep, PartPoolStep
from ..planning.pass_steps import CollectStep, ParkStep, PassInputStep
from ..planning.patches import ChannelCopyStep, InteriorCopyStep
from ..planning.plan import Step
from ..planning.pointwise import PointwiseStep
from ..planning.pooling import GlobalPoolStep, LocalPoolStep, RelayoutStep
from ..planning.repeated_vector import ColumnsStep, ColumnStep, VectorFunctionStep
from ..planning.resize import ResizeStep
from ..planning.softmax import SoftmaxStep
from ..planning.vector_concatenation import JoinedStep
from ..planning.vector_copy import VectorCopyStep, VectorMoveStep
from ..planning.vectors import VectorInputStep, VectorOutputStep
from ..planning.wide_squares import SquareStep
from ..planning.window_pool import WindowPoolStep
from .collected_map import lower_map_collection
from .convolution import lower_convolution, lower_early_halo
from .elementwise import lower_channel_copy, lower_interior_copy, lower_sum
from .flatten import lower_flatten_gather, lower_flatten_spread
from .fully_connected import lower_fully_connected
from .gather import lower_gather
from .host_maps import lower_host_fetch, lower_host_store
from .image_input import lower_image_input
from .inverse_root import lower_root
from .line_reshape import lower_line_reshape
from .logistic import lower_logistic
from .lower import StepLowering
from .lstm import lower_lstm
from .map_concatenation import lower_joined_map
from .map_moves import lower_map_move
from .map_output import lower_map_output
from .multiply import lower_product
from .normalization import lower_normalization
from .parked_pool import lower_channel_cut, lower_join_parts, lower_part_pool
from .passes import lower_collect, lower_park, lower_pass_input
from .pointwise import lower_pointwise
from .pooling import lower_global_pool, lower_local_pool
from .relayout import lower_relayout
from .repeated_vector import lower_column, lower_columns, lower_vector_function
from .resize import lower_resize
from .softmax import lower_softmax
from .vector_io import lower_vector_input, lower_vector_output
from .vector_moves import lower_joined, lower_vector_copy, lower_vector_move
from .wide_squares import lower_square
from .window_pool import lower_window_pool

LOWERINGS: Mapping[type[Step], StepLowering] = {
    ImageInputStep: lower_image_input,
    ConvolutionStep: lower_convolution,
    HaloStep: lower_early_halo,
    MapCollectionStep: lower_map_collection,
    InteriorCopyStep: lower_interior_copy,
    ChannelCopyStep: lower_channel_copy,
    SumStep: lower_sum,
    SquareStep: lower_square,
    PointwiseStep: lower_pointwise,
    ProductStep: lower_product,
    NormalizationStep: lower_normalization,
    RootStep: lower_root,
    ResizeStep: lower_resize,
    MapOutputStep: lower_map_output,
    JoinedMapStep: lower_joined_map,
    PassInputStep: lower_pass_input,
    CollectStep: lower_collect,
    ParkStep: lower_park,
    RelayoutStep: lower_relayout,
    GlobalPoolStep: lower_global_pool,
    LocalPoolStep: lower_local_pool,
    WindowPoolStep: lower_window_pool,
    HostStoreStep: lower_host_store,
    HostFetchStep: lower_host_fetch,
    ChannelCutStep: lower_channel_cut,
    PartPoolStep: lower_part_pool,
    JoinPartsStep: lower_join_parts,
    VectorFunctionStep: lower_vector_function,
    ColumnStep: lower_column,
    ColumnsStep: lower_columns,
    GatherStep: lower_gather,
    FullyConnectedStep: lower_fully_connected,
    SoftmaxStep: lower_softmax,
    LogisticStep: lower_logistic,
    LstmStep: lower_lstm,
    BlockInputStep: lower_vector_input,
    VectorCopyStep: lower_vector_copy,
    VectorMoveStep: lower_vector_move,
    MapMoveStep: lower_map_move,
    FlattenGatherStep: lower_flatten_gather,
    LineReshapeStep: lower_line_reshape,
    FlattenSpreadStep: lower_flatten_spread,
    JoinedStep: lower_joined,
    VectorInputStep: lower_vector_input,
    VectorOutputStep: lower_vector_output,
}

EXCHANGING: tuple[type[Step], ...] = (
    ConvolutionStep,
    HaloStep,
    MapCollectionStep,
    ResizeStep,
    WindowPoolStep,
    FlattenGatherStep,
    LineReshapeStep,
)
"""Steps that see to a pending reset themselves, most of them behind a halo exchange."""

RESETTING_TWICE: tuple[type[Step], ...] = (ProductStep, LineReshapeStep)
"""Steps that ask for a reset in front of an output, and for one behind it."""

RESTARTING: tuple[type[Step], ...] = (LineReshapeStep,)
"""Steps behind which, if no output follows, the ring messages are waited for and counters start
again."""
