"""`edgetpu_run`: runs a compiled model without hardware."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CompilerError, EmulationError, OptionError, OutputError, Where
from .guard import guarded

if TYPE_CHECKING:
    import numpy as np

    from ..emulator.device import Device
    from ..emulator.model import CompiledModel, ModelResult

    Array = np.ndarray[Any, Any]

_EPILOG = """\
MODEL is a model compiled for the Edge TPU by any compiler. Operators that stay on the CPU run
in ai-edge-litert. Inputs are .npy files in the tensor's type and shape, or images (BMP, PGM,
PPM; other formats with Pillow), which are resized; an input that is not given is random.
With several inputs or outputs say which: --input NAME=FILE. A single --output without a name
takes all outputs: .npy for one, .npz for several.
Exit status: 0 fine, 1 error, 3 hazards found (concurrent mode). Guide: docs/emulator.md.
"""
HAZARDS_FOUND = 3


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(argv)

    def place(error: CompilerError) -> str:
        return "" if error.where.file else f"{options.model}: "

    return guarded(lambda: _run(options), prefix=place)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgetpu_run",
        description="Runs a compiled model on an emulated Edge TPU, exactly.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("model", metavar="MODEL", type=Path)
    add("-i", "--input", action="append", default=[], metavar="[NAME=]FILE", help="an input")
    add("-o", "--output", action="append", default=[], metavar="[NAME=]FILE", help="an output")
    add("--seed", type=int, default=0, help="seed of random inputs (default: 0)")
    add(
        "--mode",
        choices=("functional", "concurrent"),
        help="functional: values, fast (default); concurrent: time and hazards too",
    )
    add("--random_speeds", type=int, metavar="SEED", help="concurrent, units at random speeds")
    add("--profile", action="store_true", help="print cycles, bytes and utilisation")
    add("--instructions", action="store_true", help="with --profile: every instruction too")
    add("--trace", type=Path, metavar="FILE", help="write a Chrome trace (JSON, for Perfetto)")
    add(
        "--partial",
        action="store_true",
        help="leave out CPU operators the interpreter does not know",
    )
    return parser


def _run(options: argparse.Namespace) -> int:
    from ..emulator.model import CompiledModel  # noqa: PLC0415 - keeps --help fast

    model = CompiledModel(options.model)
    inputs = _inputs(model, options)
    device = _device(options)
    try:
        result = model.run(inputs, device, partial=options.partial)
    except EmulationError:
        for report in device.detector.hazards:
            print(f"hazard: {report}", file=sys.stderr)
        raise
    for reason in result.skipped:
        print(f"skipped: {reason}", file=sys.stderr)
    _write_outputs(result, options.output)
    _print_outputs(result)
    return _reports(result, options)


def _device(options: argparse.Namespace) -> Device:
    from ..emulator.device import Device  # noqa: PLC0415
    from ..emulator.timing import Speeds  # noqa: PLC0415

    timed = options.profile or options.trace is not None or options.random_speeds is not None
    if timed and options.mode == "functional":
        raise OptionError("the functional mode has no time", hint="Use --mode concurrent")
    mode = "concurrent" if timed or options.mode == "concurrent" else "functional"
    speeds = Speeds(seed=options.random_speeds)
    record = options.profile or options.trace is not None
    return Device("concurrent" if mode == "concurrent" else "functional", speeds, record=record)


# -- inputs -------------------------------------------------------------------------------------


def _named(items: list[str], names: list[str], what: str) -> dict[str, str]:
    """`NAME=FILE` items; a bare file belongs to the only tensor."""
    found = {}
    for item in items:
        name, separator, file = item.partition("=")
        if separator and name in names:
            found[name] = file
        elif len(names) == 1 and (not separator or Path(item).exists()):
            found[names[0]] = item
        else:
            raise OptionError(
                f"say which {what} the file is for",
                actual=item,
                allowed=", ".join(f"{name}=FILE" for name in names),
            )
    return found


def _inputs(model: CompiledModel, options: argparse.Namespace) -> dict[str, Array]:
    from ..emulator.model import random_inputs  # noqa: PLC0415

    wanted = model.inputs()
    values = random_inputs(model, options.seed)
    for name, file in _named(options.input, list(wanted), "input").items():
        values[name] = _load(Path(file), *wanted[name])
    return values


def _load(path: Path, shape: tuple[int, ...], kind: np.dtype[Any]) -> Array:
    """An input file as an array of that shape and type."""
    import numpy as np  # noqa: PLC0415

    if path.suffix != ".npy":
        return _load_image(path, shape, kind)
    try:
        array: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise OptionError(
            "an input cannot be read", where=Where(file=str(path)), actual=str(error)[:100]
        ) from None
    return array


def _load_image(path: Path, shape: tuple[int, ...], kind: np.dtype[Any]) -> Array:
    """An image, resized to the tensor's height and width. Signed tensors take pixel - 128."""
    import numpy as np  # noqa: PLC0415

    from ..emulator.images import read_image, resized  # noqa: PLC0415

    image_rank = 3
    if len(shape) < image_rank or shape[-1] not in (1, 3) or kind.itemsize != 1:
        raise OptionError(
            "the input tensor is no image", actual=f"{kind}{list(shape)}", hint="Give a .npy file"
        )
    image = read_image(path)
    if image.shape[2] != shape[-1]:
        gray = image.mean(2, keepdims=True).astype(np.uint8)
        image = np.repeat(gray, shape[-1], 2) if shape[-1] == image_rank else gray
    image = resized(image, shape[-3], shape[-2])
    if kind == np.int8:
        image = image ^ np.uint8(0x80)
    return np.broadcast_to(image.view(kind), shape)


# -- outputs ------------------------------------------------------------------------------------


def _write_outputs(result: ModelResult, items: list[str]) -> None:
    import numpy as np  # noqa: PLC0415

    outputs = result.outputs
    if len(items) == 1 and len(outputs) > 1 and items[0].partition("=")[0] not in outputs:
        numbered = {f"output{i}": array for i, array in enumerate(outputs.values())}
        _save(items[0], lambda path: np.savez(path, **numbered))  # type: ignore[arg-type]
        return
    for name, file in _named(items, list(outputs), "output").items():
        array = outputs[name]
        _save(file, lambda path, array=array: np.save(path, array))


def _save(file: str, write: Any) -> None:  # noqa: ANN401 - a callable of a path
    try:
        write(file)
    except OSError as error:
        raise OutputError(
            "an output cannot be written", where=Where(file=file), actual=error.strerror
        ) from None


def _print_outputs(result: ModelResult) -> None:
    for name, array in result.outputs.items():
        shape = "x".join(str(size) for size in array.shape)
        text = f"{name}: {array.dtype}[{shape}]"
        if array.size:
            text += f" min {array.min()} max {array.max()}"
        print(text)


# -- profile ------------------------------------------------------------------------------------


def _reports(result: ModelResult, options: argparse.Namespace) -> int:
    """Hazards, profile and trace; the exit status."""
    from ..emulator.profile import profile_text, trace  # noqa: PLC0415

    status = 0
    for number, run in enumerate(result.runs):
        print(
            f"Edge TPU operator {number}: {run.loaded_bytes:,} bytes of parameters loaded, "
            f"{run.kept_bytes:,} kept, {run.wiped_bytes:,} wiped"
        )
        for report in run.hazards:
            print(f"hazard: {report}", file=sys.stderr)
            status = HAZARDS_FOUND
        if options.profile:
            print(profile_text(run, instructions=options.instructions), end="")
    if options.trace is not None:
        timelines = [run.timeline for run in result.runs if run.timeline is not None]
        if not timelines:
            raise OptionError("the model has no Edge TPU operator to trace")
        _save(str(options.trace), lambda path: Path(path).write_text(trace(timelines[0])))
    return status


if __name__ == "__main__":
    sys.exit(main())
