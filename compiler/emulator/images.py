"""Reads images for `edgetpu_run`: uncompressed BMP and binary PGM and PPM by itself, other
formats with Pillow where that is installed.
"""

from __future__ import annotations

import importlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, Where

Image = NDArray[np.uint8]
"""(rows, columns, channels): gray or red, green, blue."""
SUPPORTED = "BMP (24 or 32 bits, uncompressed), PGM and PPM (binary, 8 bits)"
_MAX_PIXELS = 1 << 26


def read_image(path: str | Path) -> Image:
    """The pixels of an image file. Raises OptionError."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise OptionError(
            "an image cannot be read", where=Where(file=str(path)), actual=error.strerror
        ) from None
    try:
        if data[:2] == b"BM":
            return _bmp(data)
        if data[:2] in (b"P5", b"P6"):
            return _pnm(data)
        return _other(path)
    except (ValueError, IndexError, struct.error, OverflowError) as error:
        raise OptionError(
            "an image is damaged or of an unknown kind",
            where=Where(file=str(path)),
            actual=str(error)[:100],
            allowed=SUPPORTED,
        ) from None


def _checked(rows: int, columns: int) -> None:
    if rows <= 0 or columns <= 0 or rows * columns > _MAX_PIXELS:
        raise ValueError(f"{columns}x{rows} pixels")


def _bmp(data: bytes) -> Image:
    (offset,) = struct.unpack_from("<I", data, 10)
    columns, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    _checked(abs(height), columns)
    if bits not in (24, 32) or compression not in (0, 3):
        raise ValueError(f"{bits} bits, compression {compression}")
    channels = bits // 8
    pitch = (columns * channels + 3) // 4 * 4
    rows = np.frombuffer(data, np.uint8, abs(height) * pitch, offset).reshape(-1, pitch)
    pixels = rows[:, : columns * channels].reshape(-1, columns, channels)
    upright = pixels[::-1] if height > 0 else pixels
    return np.ascontiguousarray(upright[:, :, 2::-1])


def _pnm(data: bytes) -> Image:
    fields: list[bytes] = []
    position = 2
    while len(fields) < 3:
        while data[position : position + 1].isspace():
            position += 1
        if data[position : position + 1] == b"#":
            position = data.index(b"\n", position)
            continue
        end = position
        while not data[end : end + 1].isspace() and end < len(data):
            end += 1
        fields.append(data[position:end])
        position = end
    columns, rows, highest = (int(field) for field in fields)
    _checked(rows, columns)
    if not 0 < highest < 256:
        raise ValueError(f"{highest} levels")
    channels = 3 if data[:2] == b"P6" else 1
    pixels = np.frombuffer(data, np.uint8, rows * columns * channels, position + 1)
    return pixels.reshape(rows, columns, channels).copy()


def _other(path: str | Path) -> Image:
    try:
        pillow: Any = importlib.import_module("PIL.Image")
    except ImportError:
        raise ValueError("Pillow is not installed") from None
    try:
        with pillow.open(path) as image:
            _checked(image.height, image.width)
            pixels: Any = np.asarray(image.convert("RGB"))
            return np.ascontiguousarray(pixels, np.uint8)
    except OSError as error:
        raise ValueError(str(error)) from None


def resized(image: Image, rows: int, columns: int) -> Image:
    """Bilinear, half-pixel centres, truncated to bytes: as libcoral resizes its inputs."""
    source = image.astype(np.float32)
    top, bottom, y = _axis(rows, image.shape[0])
    left, right, x = _axis(columns, image.shape[1])
    y, x = y[:, None], x[None, :]
    one = np.float32(1)
    total = np.zeros((rows, columns, image.shape[2]), np.float32)
    for row, column, weight in (
        (top, left, (one - y) * (one - x)),
        (top, right, (one - y) * x),
        (bottom, left, y * (one - x)),
        (bottom, right, y * x),
    ):
        total += source[row][:, column] * weight[..., None]
    return total.astype(np.uint8)


def _axis(count: int, size: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float32]]:
    """(lower pixel, upper pixel, weight of the upper) for every output position."""
    step = np.float32(size) / np.float32(count)
    place = (np.arange(count).astype(np.float32) + np.float32(0.5)) * step - np.float32(0.5)
    low = np.maximum(np.floor(place), 0).astype(int)
    high = np.minimum(np.ceil(place), size - 1).astype(int)
    return low, high, (place - low.astype(np.float32)).astype(np.float32)
