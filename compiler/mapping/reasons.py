"""Why an operator stays on the CPU: the vendor's status strings plus this compiler's detail."""

from __future__ import annotations

import enum

from ..fast_dataclass import dataclass


class Status(str, enum.Enum):
    """The status column of the `.log` file, in the vendor's words (docs/format/mapping.md)."""

    MAPPED = "Mapped to Edge TPU"
    MORE_THAN_ONE_SUBGRAPH = "More than one subgraph is not supported"
    UNSPECIFIED = (
        "Operation is otherwise supported, but not mapped due to some unspecified limitation"
    )
    UNSUPPORTED_DATA_TYPE = "Operation is working on an unsupported data type"
    NOT_SUPPORTED = "Operation not supported"
    UNSUPPORTED_VERSION = "Operation version not supported"
    UNSUPPORTED_RANK = "Tensor has unsupported rank (up to 3 innermost dimensions mapped)"
    STRIDED_SLICE = "Only Strided-Slice with unitary strides supported"
    NOT_CONSTANT = "Filter, bias, or other param is not constant at compile-time"
    TWO_DIMENSIONAL_OUTPUT = "For example, a fully-connected or softmax layer with 2D output"
    IMPRECISE_RESIZE = "Image-interpolation layer won't run precisely enough on Edge TPU"


@dataclass(frozen=True, slots=True)
class Reason:
    """One operator's reason to stay on the CPU.

    constraint: name of the constraint function; message: its docstring; actual, allowed: the
    values it compared ("" where the message says it all); op: index in the Graph; tensor: name
    of the tensor at fault; hint: what the user can do.
    """

    status: Status
    constraint: str
    message: str
    actual: str = ""
    allowed: str = ""
    op: int = 0
    tensor: str = ""
    hint: str = ""

    def __str__(self) -> str:
        text = self.message
        values = [f"found {self.actual}"] if self.actual else []
        values += [f"allowed {self.allowed}"] if self.allowed else []
        if values:
            text = f"{text.removesuffix('.')} ({', '.join(values)})."
        if self.tensor:
            text += f" Tensor '{self.tensor}'."
        return f"{text} {self.hint}".rstrip()
