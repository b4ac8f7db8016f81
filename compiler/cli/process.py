"""The life of a command's process, kept short (docs/performance.md).

A command makes many objects, keeps nearly all of them to its end and then has nothing left to
do: looking for garbage and taking the interpreter apart again is a sixth of a small run. Nor does
it multiply matrices, for which numpy would start a thread a core.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from typing import NoReturn


def run_and_exit(main: Callable[[], int]) -> NoReturn:
    """End the process with the status of `main()`, with everything printed. For the process's
    own entry point only: nothing registered with `atexit` runs."""
    gc.disable()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    status = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # nobody reads any more
        status = status or 1
    os._exit(status)
