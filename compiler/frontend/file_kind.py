"""Opens the input file and tells a TensorFlow Lite model from everything else."""

from __future__ import annotations

import stat
from pathlib import Path

from ..errors import InvalidModelError, Where

MAX_FILE_BYTES = 2**31 - 1
"""FlatBuffers' own limit, and far beyond any model the Edge TPU can run."""
IDENTIFIER = b"TFL3"

_CONVERT = "Convert it to a fully quantised TensorFlow Lite model first"
_KINDS = (
    (b"PK\x03\x04", "a zip archive", "Unpack it, or convert the Keras model inside it"),
    (b"\x89HDF\r\n\x1a\n", "a Keras HDF5 model", _CONVERT),
    (b"\x1f\x8b", "a gzip archive", "Unpack it first"),
    (b"\x89PNG", "a PNG image", ""),
    (b"\xff\xd8\xff", "a JPEG image", ""),
    (b"\x7fELF", "an executable or library", ""),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "Run `git lfs pull`"),
    (b"<", "an HTML or XML text", "The download probably failed"),
    (b"\x08\x01\x12", "a TensorFlow SavedModel", _CONVERT),
)
_TEXT_BYTES = frozenset((*b"\t\n\r", *range(32, 127)))
_IDENTIFIERS = {
    b"TFL1": "a TensorFlow Lite model of schema version 1",
    b"TFL2": "a TensorFlow Lite model of schema version 2",
    b"DWN1": "a compiled Edge TPU package without its TensorFlow Lite model",
}


def read_file(path: str | Path) -> bytes:
    """The bytes of the regular file at `path`, or InvalidModelError saying why not."""
    where = Where(file=str(path))
    try:
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            raise InvalidModelError(
                "the input is a directory",
                where=where,
                hint="Give a .tflite file; a SavedModel directory must be converted first",
            )
        if not stat.S_ISREG(status.st_mode):
            raise InvalidModelError("the input is not a regular file", where=where)
        if status.st_size > MAX_FILE_BYTES:
            raise InvalidModelError(
                "the file is too large", where=where, actual=status.st_size, allowed=MAX_FILE_BYTES
            )
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise InvalidModelError("the file does not exist", where=where) from None
    except OSError as error:
        reason = error.strerror or "unknown error"
        raise InvalidModelError(f"the file cannot be read: {reason}", where=where) from None
    except ValueError:  # a NUL character in the path
        raise InvalidModelError("the file name is not valid", where=where) from None


def refuse_other_kinds(data: bytes, source: str) -> None:
    """Raise InvalidModelError unless `data` carries the identifier of a TFLite model."""
    where = Where(file=source)
    if not data:
        raise InvalidModelError("the file is empty", where=where)
    if data[4:8] == IDENTIFIER:
        return
    if len(data) < 8:
        raise InvalidModelError(
            "the file is too short for a TensorFlow Lite model",
            where=where,
            actual=f"{len(data)} bytes",
        )
    kind, hint = _kind_of(data)
    raise InvalidModelError(
        f"the file is not a TensorFlow Lite model{f' but {kind}' if kind else ''}",
        where=where,
        actual=f"identifier {data[4:8]!r}",
        allowed=repr(IDENTIFIER),
        hint=hint,
    )


def _kind_of(data: bytes) -> tuple[str, str]:
    if data[4:8] in _IDENTIFIERS:
        return _IDENTIFIERS[data[4:8]], ""
    for magic, kind, hint in _KINDS:
        if data.startswith(magic):
            return kind, hint
    if all(byte in _TEXT_BYTES for byte in data[:256]):
        return "a text file", ""
    return "", ""
