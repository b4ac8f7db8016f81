"""The planners' way to say no: an operator whose plan cannot be derived stays on the CPU."""

from __future__ import annotations

from ..errors import CompilerError


class Refusal(CompilerError):  # noqa: N818 - an answer, not a defect
    """Planning stops at operator `op` (its index in the Graph; None: no single operator is
    at fault). `mapping` turns it into the operator's reason to stay on the CPU."""

    code = "not-plannable"

    def __init__(
        self,
        op: int | None,
        message: str,
        *,
        actual: object = None,
        allowed: object = None,
    ) -> None:
        super().__init__(message, actual=actual, allowed=allowed)
        self.op = op


class NoRoom(Refusal):
    """What has to be in the chip's memories at the same time does not fit."""
