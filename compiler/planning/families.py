"""The registry: every operator family and every border the planner knows, in order of
preference. One line each; nothing else in the driver names an operator."""

from __future__ import annotations

from .composed import EXTREME, PRELU, SQUARED_DIFFERENCE
from .constant_product import CONSTANT_PRODUCT, ROW
from .convolution import CONVOLUTION
from .elementwise import SUM
from .family import Border, Family
from .flatten import FLATTEN
from .fully_connected import FULLY_CONNECTED
from .gathered_pool import GATHERED_POOL
from .image import IMAGE_INPUT
from .inverse_root import INVERSE_ROOT
from .line_join import LINE_JOIN
from .line_reshape import LINE_RESHAPE
from .logistic import LOGISTIC
from .lstm import LSTM, SEQUENCE_INPUT, STATE_INPUT
from .map_concatenation import MAP_CONCATENATION
from .map_moves import MAP_MOVE
from .map_output import MAP_OUTPUT
from .multiply import PRODUCT
from .normalization import NORMALIZATION
from .parked_pool import PARKED_POOL
from .pointwise import POINTWISE
from .pooling import GLOBAL_POOL, LOCAL_POOL
from .reduced_minimum import REDUCED_MINIMUM
from .repeated_vector import REPEATED_VECTOR, VECTOR_FUNCTION
from .reshape import RESHAPE
from .resize import RESIZE
from .sequence import SEQUENCE_RENAME, SEQUENCE_STEP
from .single_pixel import SINGLE_PIXEL
from .softmax import SOFTMAX
from .transposed_convolution import TRANSPOSED_CONVOLUTION
from .vector_concatenation import VECTOR_CONCATENATION
from .vector_io import VECTOR_INPUT, VECTOR_OUTPUT
from .vector_pointwise import REQUANTISED_LINE
from .window_pool import WINDOW_POOL

FAMILIES: tuple[Family, ...] = (
    REQUANTISED_LINE,
    VECTOR_FUNCTION,
    REPEATED_VECTOR,
    SINGLE_PIXEL,
    FULLY_CONNECTED,
    CONVOLUTION,
    TRANSPOSED_CONVOLUTION,
    PARKED_POOL,
    GLOBAL_POOL,
    LOCAL_POOL,
    REDUCED_MINIMUM,
    WINDOW_POOL,
    GATHERED_POOL,
    SOFTMAX,
    VECTOR_CONCATENATION,
    FLATTEN,
    MAP_CONCATENATION,
    SUM,
    POINTWISE,
    CONSTANT_PRODUCT,
    PRODUCT,
    EXTREME,
    SQUARED_DIFFERENCE,
    PRELU,
    NORMALIZATION,
    INVERSE_ROOT,
    RESIZE,
    LOGISTIC,
    LSTM,
    SEQUENCE_RENAME,
    SEQUENCE_STEP,
    ROW,
    LINE_JOIN,
    MAP_MOVE,
    LINE_RESHAPE,
    RESHAPE,
)
INPUTS: tuple[Border, ...] = (STATE_INPUT, SEQUENCE_INPUT, VECTOR_INPUT, IMAGE_INPUT)
OUTPUTS: tuple[Border, ...] = (VECTOR_OUTPUT, MAP_OUTPUT)
