"""Console text and `.log` file, line by line what release 16.0 of the vendor's tool prints
(docs/format/texts.md), with this compiler's own version on the version line."""

from __future__ import annotations

from collections.abc import Iterable

from .. import VERSION
from ..errors import (
    CompilerError,
    InvalidModelError,
    NotQuantisedError,
    ResourceError,
    UnsupportedModelError,
)
from .report import ModelReport

VERSION_LINE = f"Edge TPU Compiler version {VERSION}"
FAILED = "Compilation failed! "
SUCCEEDED = "Compilation succeeded! "
CHILD_COMPLETED = "Compilation child process completed within timeout period."
TIMED_OUT = "Compilation timeout. This is usually caused by large activations."
_NOT_ALL_MAPPED = (
    "Model successfully compiled but not all operations are supported by the Edge TPU. "
    "A percentage of the model will instead run on the CPU, which is slower. If possible, "
    "consider updating your model to use only operations supported by the Edge TPU. "
    "For details, visit g.co/coral/model-reqs."
)
_INTERPRETER = (
    "Model failed in Tflite interpreter. Please ensure model can be loaded/run in Tflite "
    "interpreter."
)
_RESTORED = "ERROR: Restored original execution plan after delegate application failure."
_LARGE = "Compilation failed due to large activation tensors in model."
_SEE_LOG = "See the operation log file for individual operation details."


def size_text(size: int) -> str:
    """A byte count as the vendor prints it: `0.00B`, `604.50KiB`, `4.13MiB`."""
    if size < 1 << 10:
        return f"{size:.2f}B"
    if size < 1 << 20:
        return f"{size / (1 << 10):.2f}KiB"
    if size < 1 << 30:
        return f"{size / (1 << 20):.2f}MiB"
    return f"{size / (1 << 30):.2f}GiB"


def timer_line(seconds: int) -> str:
    """The line before a compilation starts."""
    return f"Started a compilation timeout timer of {seconds} seconds."


def search_line(step: int) -> str:
    """The first line of `--search_delegate`."""
    return f"Searching for valid delegate with step {step}"


def try_line(operators: int) -> str:
    """The first line of an attempt of `--search_delegate`."""
    return f"Try to compile segment with {operators} ops"


def tensors_line(names: Iterable[str]) -> str:
    """Where an attempt that leaves operators out ends."""
    return "Intermediate tensors: " + ",".join(names)


def order_line(paths: Iterable[str], tried: int) -> str:
    """Result of `--optimize_order`, the model with priority first."""
    return f"Order that streams least, of {tried} tried: {' '.join(paths)}"


def failure_text(error: CompilerError) -> str:
    """What was wrong (this compiler's line, as TensorFlow Lite prints its own), then the lines
    of the vendor's tool for this kind of failure."""
    detail = f"ERROR: {error}"
    if isinstance(error, NotQuantisedError):
        return f"{detail}\nInvalid model: {error.where.file}\nModel not quantized"
    if isinstance(error, InvalidModelError):
        return f"{detail}\nInvalid model: {error.where.file}\nModel could not be parsed"
    if isinstance(error, UnsupportedModelError):
        return f"{detail}\nCompilation failed: {_INTERPRETER}"
    if isinstance(error, ResourceError):
        return f"{detail}\n{_RESTORED}\nCompilation failed: {_LARGE}"
    return f"Compilation failed: {error}"


def success_text(reports: Iterable[ModelReport], milliseconds: int, show_operations: bool) -> str:
    """Everything between the timer line and `Compilation child process completed`."""
    blocks = list(reports)
    what = "Models" if len(blocks) > 1 else "Model"
    parts = [f"\n{what} compiled successfully in {milliseconds} ms.\n"]
    parts += [_model_text(report, show_operations) for report in blocks]
    return "\n".join(parts)


def _model_text(report: ModelReport, show_operations: bool) -> str:
    memory = report.memory
    lines = [
        f"Input model: {report.input_path}",
        f"Input size: {size_text(report.input_size)}",
        f"Output model: {report.output_path}",
        f"Output size: {size_text(report.output_size)}",
        f"On-chip memory used for caching model parameters: {size_text(memory.used)}",
        f"On-chip memory remaining for caching model parameters: {size_text(memory.remaining)}",
        "Off-chip memory used for streaming uncached model parameters: "
        + size_text(memory.streamed),
        f"Number of Edge TPU subgraphs: {report.subgraphs}",
        f"Total number of operations: {len(report.operators)}",
        f"Operation log: {report.log_path}",
    ]
    if report.on_cpu:
        lines += [
            "",
            _NOT_ALL_MAPPED,
            f"Number of operations that will run on Edge TPU: {report.on_edge_tpu}",
            f"Number of operations that will run on CPU: {report.on_cpu}",
        ]
    lines += ["", _table_text(report)] if show_operations else [_SEE_LOG]
    return "\n".join(lines) + ("" if show_operations else "\n")


def log_text(report: ModelReport) -> str:
    """The `.log` file."""
    head = [VERSION_LINE, f"Input: {report.input_path}", f"Output: {report.output_path}", ""]
    return "\n".join(head) + "\n" + _table_text(report)


def _table_text(report: ModelReport) -> str:
    rows = [f"{name:<31}{count:<11}{status}" for name, count, status in report.table()]
    return "\n".join([f"{'Operator':<31}{'Count':<11}Status", "", *rows]) + "\n"
