"""The one error family that reaches users.

Every failure a user can cause is a `CompilerError`: a stable code, one sentence, where it
happened, the actual and the allowed value, and a hint. The command line prints it on one
line and exits with status 1; nothing else may escape (docs/architecture.md, "Errors").
"""

from __future__ import annotations

from .fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Where:
    """The place an error or a refusal speaks about; empty parts are not printed."""

    file: str = ""
    op: str = ""
    tensor: str = ""

    def __str__(self) -> str:
        parts = [self.file, self.op, f"tensor '{self.tensor}'" if self.tensor else ""]
        return ", ".join(part for part in parts if part)


class CompilerError(Exception):
    """A failure with everything a user needs to act on it."""

    code = "compiler-error"

    def __init__(
        self,
        message: str,
        *,
        where: Where | None = None,
        actual: object = None,
        allowed: object = None,
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where or Where()
        self.actual = actual
        self.allowed = allowed
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if str(self.where) else self.message
        if self.actual is not None:
            text += f" (found {self.actual}"
            text += f", allowed {self.allowed})" if self.allowed is not None else ")"
        if self.hint:
            text += f". {self.hint}"
        return text


class InvalidModelError(CompilerError):
    """The input is not a TensorFlow Lite model this compiler can read."""

    code = "invalid-model"


class UnsupportedModelError(CompilerError):
    """The model is valid, but cannot be compiled as a whole (for example float weights only)."""

    code = "unsupported-model"


class NotQuantisedError(InvalidModelError):
    """The input is a float model: nothing of it can run on the Edge TPU."""

    code = "not-quantised"


class ResourceError(CompilerError):
    """The mapped part does not fit the chip's memories."""

    code = "out-of-memory"


class OptionError(CompilerError):
    """A command-line option or configuration value is wrong."""

    code = "invalid-option"


class OutputError(CompilerError):
    """An output file could not be written."""

    code = "output-failed"


class InternalError(CompilerError):
    """A level failed its own check: a defect of this compiler, never of the model."""

    code = "internal-error"


class EmulationError(CompilerError):
    """A compiled model cannot be run: its executable is malformed or its program stops."""

    code = "emulation-failed"
