"""RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR."""

from __future__ import annotations

from ...frontend.graph import Graph, Operator
from .base import Context, Violation, constraint, operand, result


@constraint()
def image_to_image(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Input and output must be images: four dimensions, the same number of channels."""
    source, output = operand(graph, op, 0), result(graph, op)
    for tensor in (source, output):
        if tensor is not None and len(tensor.shape) != 4:
            return Violation(tensor.shape, "4 dimensions", tensor.name)
    if source is not None and source.shape[3] != output.shape[3]:
        return Violation(output.shape[3], f"{source.shape[3]} channels", output.name)
    return None


@constraint()
def enlarged_at_most_twice(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """An image may be enlarged at most twice in each direction, to avoid loss in precision."""
    source, output = operand(graph, op, 0), result(graph, op)
    if source is None:
        return None
    for axis in (1, 2):
        if output.shape[axis] > 2 * source.shape[axis]:
            actual = f"{source.shape[axis]} to {output.shape[axis]}"
            hint = "Enlarge in steps of two, or resize on the CPU."
            return Violation(actual, f"up to {2 * source.shape[axis]}", output.name, hint)
    return None


BILINEAR = (image_to_image, enlarged_at_most_twice)
NEAREST = (image_to_image,)
