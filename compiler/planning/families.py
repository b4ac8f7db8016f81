"""The registry: every operator family and every border the planner knows, in order of
preference. One line each; nothing else in the driver names an operator."""

from __future__ import annotations

from .convolution import CONVOLUTION
from .family import Border, Family
from .image import IMAGE_INPUT
from .map_output import MAP_OUTPUT

FAMILIES: tuple[Family, ...] = (CONVOLUTION,)
INPUTS: tuple[Border, ...] = (IMAGE_INPUT,)
OUTPUTS: tuple[Border, ...] = (MAP_OUTPUT,)
