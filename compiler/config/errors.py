"""What is wrong in an edgetpu.yaml, and where."""

from __future__ import annotations

from ..errors import CompilerError, Where


class ConfigError(CompilerError):
    """A configuration that cannot be used; `str` is `FILE:LINE: KEY: what is wrong`."""

    code = "invalid-config"

    def __init__(
        self,
        message: str,
        *,
        file: str,
        line: int = 0,
        key: str = "",
        actual: object = None,
        allowed: object = None,
        hint: str = "",
    ) -> None:
        super().__init__(
            f"{key}: {message}" if key else message,
            where=Where(file=f"{file}:{line}" if line else file),
            actual=actual,
            allowed=allowed,
            hint=hint,
        )
        self.line = line
        self.key = key
