"""One run of `edgetpu_compiler` with the text it prints, line by line as release 16.0 of the
vendor's tool (docs/format/texts.md).

A run is a sequence of attempts, each with a time limit: one for a model or for all models
that are compiled together, one for each segment of a pipeline, and with `--search_delegate`
one for each point to stop at.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .emit import texts
from .errors import CompilerError, InternalError
from .options import AUTO_SEGMENTS, Request
from .time_limit import CompilationTimeoutError, time_limit

if TYPE_CHECKING:
    from .compilation import CompiledModel, Run, Source
    from .driver import Cut

T = TypeVar("T")
Say = Callable[[str], None]
Finish = Callable[["list[CompiledModel]"], None]


class AttemptFailedError(Exception):
    """The attempt failed, and its text is printed."""


class Session:
    """Compiles what a Request asks for; every piece of text goes to `say`."""

    def __init__(self, request: Request, say: Say) -> None:
        self.request = request
        self.say = say

    def run(self) -> int:
        """The exit status: 0 only if everything is compiled and written. Raises OptionError
        for a request that makes no sense."""
        from .compilation import check_outputs  # noqa: PLC0415 - keeps --version fast

        self.request.verify()
        check_outputs(self.request.models, self.request.out_dir)
        self.say(texts.VERSION_LINE)
        try:
            if self.request.segments != 1:
                self._segments()
            elif len(self.request.models) > 1:
                self._together()
            else:
                self._whole()
        except AttemptFailedError:
            return 1
        return 0

    # What is compiled

    def _whole(self) -> None:
        with self._guard(begun=False):
            source = self._read(self.request.models[0])
            cut = self._user_cuts([source])[0]
        run = self._run_of([source.data])
        self._search(source, run, cut, lambda compiled: self._write(compiled, run))

    def _together(self) -> None:
        from .compilation import compile_together  # noqa: PLC0415

        with self._guard(begun=False):
            sources = [self._read(path) for path in self.request.models]
            cuts = self._user_cuts(sources)
        run = self._run_of([source.data for source in sources])
        compiled = self._attempt(
            lambda: compile_together(sources, run, cuts),
            lambda compiled: self._write(compiled, run),
        )
        choice = compiled[0].choice
        if choice is not None:
            paths = [self.request.models[number] for number in choice.order]
            self.say(texts.order_line(paths, choice.tried))

    def _segments(self) -> None:
        """The segments are one run; their files are written when the last one is compiled."""
        from .driver import NO_CUT  # noqa: PLC0415

        with self._guard(begun=False):
            whole = self._read(self.request.models[0])
            sources = self._cut(whole)
        run = self._run_of([whole.data], len(sources))
        done: list[CompiledModel] = []
        for source in sources[:-1]:
            done += self._search(source, run, NO_CUT, lambda _: None)

        def write_all(last: list[CompiledModel]) -> None:
            self._write(_with_one_token([*done, *last], run), run)

        self._search(sources[-1], run, NO_CUT, write_all)

    def _cut(self, whole: Source) -> list[Source]:
        from .pipeline.segments import cut_into, fewest_segments  # noqa: PLC0415

        if self.request.segments == AUTO_SEGMENTS:
            return fewest_segments(whole, self.request.options)
        return cut_into(whole, self.request.segments)

    # Attempts

    def _search(self, source: Source, run: Run, cut: Cut, finish: Finish) -> list[CompiledModel]:
        """One attempt, or with `--search_delegate` as many as it takes."""
        from .driver import border_names  # noqa: PLC0415

        step = self.request.search_step
        if step is None:
            return self._attempt(self._work(source, run, cut), finish)
        self.say(texts.search_line(step))
        total = len(source.graph.operators)
        for count in range(total, 0, -step):
            self.say(texts.try_line(count))
            shorter = cut.shortened(count) if count < total else cut
            if count < total:
                self.say(texts.tensors_line(border_names(source.graph, count)))
            with contextlib.suppress(AttemptFailedError):
                return self._attempt(self._work(source, run, shorter), finish)
        raise AttemptFailedError

    def _work(self, source: Source, run: Run, cut: Cut) -> Callable[[], list[CompiledModel]]:
        from .compilation import compile_together  # noqa: PLC0415

        return lambda: compile_together([source], run, [cut])

    def _attempt(
        self, work: Callable[[], list[CompiledModel]], finish: Finish
    ) -> list[CompiledModel]:
        self.say(texts.timer_line(self.request.timeout))
        start = time.monotonic()
        with self._guard():
            compiled = work()
        with self._guard(limited=False):
            finish(compiled)
        milliseconds = round((time.monotonic() - start) * 1000)
        reports = [item.report for item in compiled]
        shown = self.request.show_operations
        text = texts.success_text(reports, milliseconds, shown)
        self.say(text if shown else text.removesuffix("\n"))
        self.say(f"{texts.CHILD_COMPLETED}\n{texts.SUCCEEDED}")
        return compiled

    @contextlib.contextmanager
    def _guard(self, *, begun: bool = True, limited: bool = True) -> Iterator[None]:
        """Turns every failure of the body into its text and AttemptFailedError. begun: the
        timer line is printed; limited: the time counts (not while files are written)."""
        try:
            with time_limit(self.request.timeout) if limited else contextlib.nullcontext():
                yield
        except CompilationTimeoutError:
            self._failed(begun, texts.TIMED_OUT)
        except CompilerError as error:
            self._failed(begun, f"{texts.failure_text(error)}\n{texts.CHILD_COMPLETED}")
        except Exception as error:
            defect = InternalError(f"{type(error).__name__}: {error}")
            self._failed(begun, f"{texts.failure_text(defect)}\n{texts.CHILD_COMPLETED}")

    def _failed(self, begun: bool, text: str) -> None:
        if not begun:
            self.say(texts.timer_line(self.request.timeout))
        self.say(f"{text}\n{texts.FAILED}")
        raise AttemptFailedError from None

    # Files

    def _read(self, path: str) -> Source:
        from .compilation import read_source  # noqa: PLC0415

        return read_source(path, self.request.out_dir)

    def _write(self, compiled: Sequence[CompiledModel], run: Run) -> None:
        from .emit.files import make_directory, write_files  # noqa: PLC0415

        files: dict[Path, bytes] = {}
        if self.request.report:
            from .manifest import manifest  # noqa: PLC0415

            files = {item.source.manifest: manifest(item, self.request, run) for item in compiled}
        for item in compiled:
            files |= item.files()
        if self.request.out_dir:
            make_directory(Path(self.request.out_dir))
        write_files(files)

    def _user_cuts(self, sources: Sequence[Source]) -> list[Cut]:
        from .driver import NO_CUT, Cut  # noqa: PLC0415
        from .mapping.tensor_names import split_lists  # noqa: PLC0415

        if not self.request.intermediate_tensors:
            return [NO_CUT] * len(sources)
        known = [{tensor.name for tensor in source.graph.tensors} for source in sources]
        lists = split_lists(self.request.intermediate_tensors, known)
        return [Cut(names) for names in lists]

    def _run_of(self, data: Sequence[bytes], segments: int = 1) -> Run:
        from .compilation import Run  # noqa: PLC0415

        return Run(self.request.options, tuple(data), self.request.fingerprint(segments))


def _with_one_token(compiled: Sequence[CompiledModel], run: Run) -> list[CompiledModel]:
    """The segments with the token of the whole run, which is known when all are compiled:
    where the search shortened one, it differs."""
    from .compilation import compile_together  # noqa: PLC0415

    token = run.token([item.cut for item in compiled])
    return [
        item if item.token == token else compile_together([item.source], run, [item.cut], token)[0]
        for item in compiled
    ]
