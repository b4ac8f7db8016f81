"""Layers from border tensors: layouts, sizes and the vendor's own layers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.beagle.build import border_layers
from compiler.beagle.executable import DataType
from compiler.beagle.layers import (
    input_layer,
    input_shape,
    layer_dims,
    output_layer,
    output_layout,
    split,
    split_evenly,
)
from compiler.errors import InternalError
from compiler.frontend.graph import Graph, Operator, Quantization, Tensor, TensorType
from tests.vendor_models import VendorOperator, corpus_parameters, vendor_operators

SMALL = settings(derandomize=True, deadline=None, max_examples=60)


def tensor(
    shape: tuple[int, ...], kind: TensorType = TensorType.INT8, index: int = 0, zero: int = -3
) -> Tensor:
    return Tensor(index, f"t{index}", shape, kind, Quantization((0.5,), (zero,)))


@pytest.mark.parametrize(
    ("size", "parts"),
    [(10, (3, 2, 3, 2)), (33, (9, 8, 8, 8)), (2, (1, 0, 1, 0)), (1, (1, 0, 0, 0))],
)
def test_split_halves_twice(size: int, parts: tuple[int, ...]) -> None:
    assert split(size) == parts


@SMALL
@given(st.integers(1, 3000), st.integers(1, 6))
def test_splits_cover_everything(size: int, parts: int) -> None:
    assert sum(split(size)) == size
    bands = split_evenly(size, parts)
    assert sum(bands) == size and max(bands) - min(bands) <= 1


@SMALL
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.integers(1, 3))
def test_layout_gives_every_element_its_own_place(y: int, x: int, z: int, passes: int) -> None:
    """The driver's formula must be a bijection into the tensor's host buffer."""
    layout = output_layout(y, x, z, 1, passes)
    if y * x == 1:
        return
    places = {
        layout.tile_offset[layout.y_tile[row] + layout.x_tile[column]]
        + layout.y_in_tile[row] * layout.x_row_size[column]
        + layout.x_in_tile[column]
        + channel
        for row, column, channel in itertools.product(range(y), range(x), range(z))
    }
    assert len(places) == y * x * z
    assert max(places) < output_layer(tensor((y, x, z)), passes).size_bytes


def test_vector_layout_gives_64_channels_a_tile() -> None:
    layout = output_layout(1, 1, 130, 1)
    assert layout.tile_offset[:4] == (0, 64, 128, 132)
    assert layout.tile_offset[4:] == (132,) * 12
    assert layout.x_row_size == (64,)


def test_layer_numbers() -> None:
    layer = input_layer(tensor((1, 5, 7, 3)))
    assert (layer.y, layer.x, layer.z, layer.size_bytes) == (5, 7, 3, 112)
    assert (layer.zero_point, layer.data_type) == (125, DataType.SIGNED_FIXED_POINT8)
    layer = output_layer(tensor((1, 10), TensorType.UINT8, zero=7))
    assert (layer.size_bytes, layer.zero_point) == (16, 7)
    assert layer.ranges == ((0, 0), (0, 9))
    assert output_layer(tensor((1, 3), TensorType.INT16, zero=0)).zero_point == 1 << 15


def test_dims_are_the_last_three() -> None:
    assert layer_dims((1, 28, 28)) == (1, 28, 28)
    assert layer_dims((128, 128)) == (1, 128, 128)
    assert layer_dims(()) == (1, 1, 1)
    assert layer_dims((1, 9, 8, 7)) == (9, 8, 7)


def test_input_that_only_a_reshape_reads_takes_its_shape() -> None:
    tensors = (tensor((1, 96, 64)), tensor((1, 96, 64), index=1), tensor((1, 96, 64, 1), index=2))
    quantize = Operator(0, "QUANTIZE", 1, (0,), (1,))
    reshape = Operator(1, "RESHAPE", 1, (1,), (2,))
    graph = Graph("g", "main", tensors, (quantize, reshape), (0,), (2,))
    assert input_shape(graph, 0, graph.consumers()) == (1, 96, 64, 1)
    extra = Operator(2, "RELU", 1, (0,), (2,))
    graph = Graph("g", "main", tensors, (quantize, reshape, extra), (0,), (2,))
    assert input_shape(graph, 0, graph.consumers()) == (1, 96, 64)


def test_float_border_is_an_internal_error() -> None:
    with pytest.raises(InternalError, match="not quantised"):
        input_layer(Tensor(0, "x", (1, 4), TensorType.FLOAT32))


@pytest.mark.parametrize("vendor", corpus_parameters(vendor_operators(with_source=True)))
def test_layers_of_vendor_files_from_their_sources(vendor: VendorOperator) -> None:
    """Every layer of both current releases, from nothing but the source model."""
    execution = vendor.package.executables[0]
    border = border_layers(vendor.graph, vendor.inputs, vendor.outputs, vendor.passes())
    assert border.inputs == execution.inputs
    assert border.outputs == execution.outputs
