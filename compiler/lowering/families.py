"""The registry: which function lowers which kind of step. One line each."""

from __future__ import annotations

from collections.abc import Mapping

from ..planning.convolution import ConvolutionStep
from ..planning.image import ImageInputStep
from ..planning.map_output import MapOutputStep
from ..planning.plan import Step
from .convolution import lower_convolution
from .image_input import lower_image_input
from .lower import StepLowering
from .map_output import lower_map_output

LOWERINGS: Mapping[type[Step], StepLowering] = {
    ImageInputStep: lower_image_input,
    ConvolutionStep: lower_convolution,
    MapOutputStep: lower_map_output,
}
