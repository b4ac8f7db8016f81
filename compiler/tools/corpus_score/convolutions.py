"""The programs of the corpus that come without a model: one 3x3 convolution each, compiled
here from its shape with weights of our own (no instruction depends on them)."""

from __future__ import annotations

from ...beagle.assembler import assemble
from ...beagle.reader import read_executable
from ...frontend.graph import Graph, Operator, Quantization, Tensor, TensorType
from ...lowering.lower import lower
from ...options import CompileOptions
from ...planning.planner import plan_region
from .compare import ProgramScore, compare_programs
from .corpus import BareProgram

_SEED = 1


def score_program(item: BareProgram) -> ProgramScore:
    """Our execution program of the convolution against the recorded one."""
    executable = read_executable(item.path.read_bytes())
    program = lower(plan_region(convolution_graph(item), release=CompileOptions().release))
    return compare_programs(assemble(program), [c.bitstream for c in executable.chunks])


def convolution_graph(item: BareProgram) -> Graph:
    """A graph of one SAME 3x3 convolution with int8 weights per channel."""
    import numpy as np  # noqa: PLC0415

    height, width, depth, channels = item.shape
    random = np.random.default_rng(_SEED)
    weights = random.integers(-127, 128, (channels, 3, 3, depth), np.int8)
    zeros = (0,) * channels
    scales = tuple((channel + 1) / 2**14 for channel in range(channels))
    bias = np.zeros(channels, np.int32)
    int8, int32 = TensorType.INT8, TensorType.INT32
    (in_scale, in_zero), (out_scale, out_zero) = item.input_quantization, item.output_quantization
    tensors = (
        Tensor(0, "x", (1, height, width, depth), int8, Quantization((in_scale,), (in_zero,))),
        Tensor(1, "w", weights.shape, int8, Quantization(scales, zeros), weights),
        Tensor(
            2,
            "b",
            (channels,),
            int32,
            Quantization(tuple(in_scale * s for s in scales), zeros),
            bias,
        ),
        Tensor(3, "y", (1, height, width, channels), int8, Quantization((out_scale,), (out_zero,))),
    )
    options = {
        "padding": 0,
        "stride_h": 1,
        "stride_w": 1,
        "dilation_h_factor": 1,
        "dilation_w_factor": 1,
        "fused_activation_function": 0,
    }
    op = Operator(0, "CONV_2D", 3, (0, 1, 2), (3,), "Conv2DOptions", options)
    return Graph(item.name, "main", tensors, (op,), (0,), (3,))
