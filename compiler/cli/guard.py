"""How every command ends: a line on standard error and an exit status, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from ..errors import CompilerError

FAILED = 1
INTERRUPTED = 130


def _no_prefix(_error: CompilerError) -> str:
    return ""


def error_line(error: Exception) -> str:
    """What a user reads of an error."""
    if isinstance(error, CompilerError):
        return f"{error.code}: {error}"
    return f"internal-error: {type(error).__name__}: {error}"


def guarded(
    run: Callable[[], int],
    *,
    failed: int = FAILED,
    prefix: Callable[[CompilerError], str] = _no_prefix,
) -> int:
    """Exit status of `run`, with all it printed written out; `failed` if it raises.

    prefix: what to print before an error's own text, such as the file it does not name.
    """
    try:
        status = run()
        sys.stdout.flush()
        return status
    except CompilerError as error:
        print(f"{error.code}: {prefix(error)}{error}", file=sys.stderr)
        return failed
    except BrokenPipeError:
        return failed
    except Exception as error:
        print(error_line(error), file=sys.stderr)
        return failed
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
