"""The persistent worker: answers requests on standard input until it ends."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from .action import Result, run_action
from .protocol import ProtocolError, WorkResponse, read_request, write_response

Run = Callable[[Sequence[str]], Result]


def serve(requests: BinaryIO, responses: BinaryIO, run: Run = run_action) -> int:
    """Answer every request in order; the exit status is 0 at the end of the stream, 1 if it
    is broken.

    A request that is to be cancelled is answered already: one is run at a time.
    """
    while True:
        try:
            request = read_request(requests)
        except ProtocolError as error:
            print(f"worker: {error}", file=sys.stderr)
            return 1
        if request is None:
            return 0
        if request.cancel:
            continue
        result = run(request.arguments)
        # Graphs and plans refer to themselves: without this, the worker's memory grows.
        gc.collect()
        write_response(responses, WorkResponse(result.status, result.console, request.request_id))


def serve_standard_streams(prefix: Sequence[str] = ()) -> int:
    """Serve on the process's standard streams. prefix: arguments in front of each request's."""
    with _protected_output() as responses:
        return serve(sys.stdin.buffer, responses, lambda argv: run_action([*prefix, *argv]))


@contextlib.contextmanager
def _protected_output() -> Iterator[BinaryIO]:
    """Standard output for responses only; what anything else prints goes to standard error."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "wb") as responses:
        os.dup2(2, 1)
        yield responses
