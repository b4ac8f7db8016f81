"""Stops a compilation that takes too long.

The compiler's own code runs between short native calls, so an exception that is raised in the
working thread ends it at once; no second process is needed, which would cost start-up time.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class CompilationTimeoutError(BaseException):
    """The time is up. No `except Exception` on the way may hold it back."""


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise CompilationTimeoutError in the body after `seconds`."""
    main = threading.current_thread() is threading.main_thread()
    if main and hasattr(signal, "setitimer"):
        with _alarm(seconds):
            yield
    else:
        with _watchdog(seconds):
            yield


@contextlib.contextmanager
def _alarm(seconds: int) -> Iterator[None]:
    """By the timer signal, which also interrupts system calls."""

    def expire(_number: int, _frame: FrameType | None) -> None:
        raise CompilationTimeoutError

    previous = signal.signal(signal.SIGALRM, expire)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, previous)


@contextlib.contextmanager
def _watchdog(seconds: int) -> Iterator[None]:
    """By a second thread: for worker threads, and systems without timer signals."""
    import ctypes  # noqa: PLC0415 - only here

    worker = ctypes.c_ulong(threading.get_ident())
    lock = threading.Lock()
    running = True

    def expire() -> None:
        with lock:
            if running:
                error = ctypes.py_object(CompilationTimeoutError)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(worker, error)

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            running = False
