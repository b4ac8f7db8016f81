from __future__ import annotations

import json

import numpy as np
import pytest

from compiler.cli.run_main import HAZARDS_FOUND, main
from compiler.emulator.images import read_image, resized
from compiler.errors import OptionError
from tests.emulator.compiled import compile_bytes
from tests.model_builder import ModelBuilder


@pytest.fixture
def model(tmp_path):
    source = ModelBuilder(seed=2).input("x", (1, 8, 8, 3)).conv2d(8, 3).build()
    path = tmp_path / "net_edgetpu.tflite"
    path.write_bytes(compile_bytes(source))
    return path


def test_npy_in_npy_out(model, tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.zeros((1, 8, 8, 3), np.int8))
    out = tmp_path / "y.npy"
    assert main([str(model), "--input", str(tmp_path / "x.npy"), "--output", str(out)]) == 0
    assert np.load(out).shape == (1, 8, 8, 8)
    assert "int8[1x8x8x8]" in capsys.readouterr().out


def test_random_input_depends_on_the_seed(model, tmp_path):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main([str(model), "--seed", seed, "-o", str(tmp_path / f"{name}.npy")]) == 0
    a, b, c = (np.load(tmp_path / f"{name}.npy") for name in "abc")
    assert (a == b).all() and (a != c).any()


def test_image_input(model, tmp_path):
    image = tmp_path / "x.ppm"
    image.write_bytes(b"P6 # comment\n4 4\n255\n" + bytes(range(48)))
    assert main([str(model), "--input", str(image)]) == 0


def test_profile_and_trace(model, tmp_path, capsys):
    trace = tmp_path / "trace.json"
    assert main([str(model), "--profile", "--instructions", "--trace", str(trace)]) == 0
    text = capsys.readouterr().out
    assert "cycles" in text and "TensorOp MULTIPLY_ADD" in text and "section" in text
    events = json.loads(trace.read_text())["traceEvents"]
    assert {event["ph"] for event in events} == {"M", "X"}
    assert all(event["dur"] >= 0 for event in events if event["ph"] == "X")


def test_random_speeds_find_nothing_in_a_sound_model(model):
    assert main([str(model), "--random_speeds", "3"]) == 0 != HAZARDS_FOUND


@pytest.mark.parametrize(
    "arguments",
    [
        ["--input", "missing.npy"],
        ["--input", "missing.bmp"],
        ["--mode", "functional", "--profile"],
        ["--output", "no/such/folder/y.npy"],
    ],
)
def test_errors_are_one_line(model, arguments, capsys):
    assert main([str(model), *arguments]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and ": " in lines[0]


def test_not_a_model(tmp_path, capsys):
    path = tmp_path / "x.tflite"
    path.write_bytes(b"nonsense")
    assert main([str(path)]) == 1
    assert "invalid-model" in capsys.readouterr().err


def bitmap(pixels, top_down=False):
    rows, columns, channels = pixels.shape
    pitch = (columns * channels + 3) // 4 * 4
    body = b"".join(
        row[:, ::-1].tobytes().ljust(pitch, b"\0") for row in (pixels if top_down else pixels[::-1])
    )
    header = b"BM" + (54 + len(body)).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    height = (-rows if top_down else rows).to_bytes(4, "little", signed=True)
    info = (40).to_bytes(4, "little") + columns.to_bytes(4, "little") + height
    info += (1).to_bytes(2, "little") + (8 * channels).to_bytes(2, "little") + bytes(24)
    return header + info + body


@pytest.mark.parametrize("top_down", [False, True])
def test_bitmaps(tmp_path, top_down):
    pixels = np.arange(5 * 3 * 3, dtype=np.uint8).reshape(5, 3, 3)
    path = tmp_path / "x.bmp"
    path.write_bytes(bitmap(pixels, top_down))
    np.testing.assert_array_equal(read_image(path), pixels)


@pytest.mark.parametrize(
    "data", [b"BM", b"P6\n2", b"P5\n9 9\n255\n\0", b"P6\n-1 2\n255\n", b"GIF8"]
)
def test_damaged_images(tmp_path, data):
    path = tmp_path / "x.img"
    path.write_bytes(data)
    with pytest.raises(OptionError, match="damaged"):
        read_image(path)


def test_resize_keeps_an_image_of_the_same_size():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resized(pixels, 6, 7), pixels)
