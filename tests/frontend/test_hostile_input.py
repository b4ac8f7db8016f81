"""Damaged, foreign and nonsensical files end in one clear error, never in another exception."""

import os
import random
import struct
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler.errors import InvalidModelError, UnsupportedModelError
from compiler.frontend.graph import Graph
from compiler.frontend.tflite_reader import read_model, read_model_bytes
from tests.corpus_paths import require_corpus
from tests.model_builder import ModelBuilder
from tests.tflite_writer import TensorSpec, write_model

SETTINGS = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=300,
    suppress_health_check=list(HealthCheck),
)


def _builder() -> ModelBuilder:
    """Tensors: 0 x, 1 weights, 2 bias, 3 conv, 4 pool, 5 shape, 6 reshape, 7 probabilities."""
    builder = ModelBuilder(seed=2).input("x", (1, 4, 4, 3)).conv2d(4, 3, activation="relu")
    return builder.max_pool_2d(2).reshape((1, 16)).softmax()


MODEL = _builder().build()


def _same(a: Graph, b: Graph) -> bool:
    data = [None if t.data is None else t.data.tobytes() for t in a.tensors]
    return a.text() == b.text() and data == [
        None if t.data is None else t.data.tobytes() for t in b.tensors
    ]


def _read_or_refuse(data: bytes) -> Graph | None:
    """The graph, or None for a refusal; any other exception fails the test."""
    try:
        graph = read_model_bytes(data, "m.tflite")
    except (InvalidModelError, UnsupportedModelError) as error:
        assert str(error).startswith("m.tflite")
        return None
    graph.verify()
    graph.text()
    for tensor in graph.tensors:
        if tensor.data is not None:
            tensor.data.tobytes()
    return graph


# Files


def test_missing_file(tmp_path):
    path = tmp_path / "none.tflite"
    with pytest.raises(InvalidModelError) as caught:
        read_model(path)
    assert str(caught.value) == f"{path}: the file does not exist"


def test_directory(tmp_path):
    with pytest.raises(InvalidModelError, match=r"the input is a directory.*SavedModel"):
        read_model(str(tmp_path))


def test_file_below_a_file(tmp_path):
    (tmp_path / "file").write_bytes(MODEL)
    with pytest.raises(InvalidModelError, match="the file cannot be read"):
        read_model(tmp_path / "file" / "m.tflite")


def test_unreadable_file(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(MODEL)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(InvalidModelError, match="the file cannot be read: Permission denied"):
        read_model(path)


def test_name_with_nul():
    with pytest.raises(InvalidModelError, match="the file name is not valid"):
        read_model("a\0b.tflite")


def test_name_too_long():
    with pytest.raises(InvalidModelError, match="the file cannot be read"):
        read_model("a" * 5000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_fifo_does_not_block(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(InvalidModelError, match="not a regular file"):
        read_model(path)


def test_symbolic_link_loop(tmp_path):
    path = tmp_path / "loop"
    path.symlink_to(path)
    with pytest.raises(InvalidModelError, match="the file cannot be read"):
        read_model(path)


def _zip(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.tflite", MODEL)
    return path.read_bytes()


FOREIGN = {
    "empty": (b"", "the file is empty"),
    "seven_bytes": (MODEL[:7], "too short for a TensorFlow Lite model"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(50), "but a PNG image"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(50), "but a JPEG image"),
    "keras": (b"\x89HDF\r\n\x1a\n" + bytes(50), "but a Keras HDF5 model.*Convert it"),
    "gzip": (b"\x1f\x8b\x08" + bytes(50), "but a gzip archive.*Unpack"),
    "text": (b"labels\nbackground\ncat\ndog\n", "but a text file"),
    "html": (b"<!DOCTYPE html><html></html>", "but an HTML.*download"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer.*git lfs pull"),
    "elf": (b"\x7fELF" + bytes(60), "but an executable"),
    "package": (bytes(4) + b"DWN1" + bytes(60), "Edge TPU package"),
    "schema_2": (bytes(4) + b"TFL2" + bytes(60), "schema version 2"),
    "zeros": (bytes(100), r"not a TensorFlow Lite model \(found identifier"),
    "random": (random.Random(1).randbytes(500), "not a TensorFlow Lite model"),
    "only_identifier": (bytes(4) + b"TFL3", "damaged"),
    "root_outside": (b"\xff\xff\xff\xffTFL3" + bytes(64), "Model needs 4 bytes outside the file"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_file(kind):
    data, text = FOREIGN[kind]
    with pytest.raises(InvalidModelError, match=text):
        read_model_bytes(data, "m.tflite")


def test_zip_archive(tmp_path):
    data = _zip(tmp_path / "model.zip")
    with pytest.raises(InvalidModelError, match=r"but a zip archive.*Unpack"):
        read_model_bytes(data, "m.tflite")


def test_model_with_a_zip_behind_it_is_read(tmp_path):
    """Models with metadata carry an archive of associated files at their end."""
    data = MODEL + _zip(tmp_path / "labels.zip")
    assert _same(read_model_bytes(data, "m"), read_model_bytes(MODEL, "m"))


def test_compiled_model():
    builder = ModelBuilder().input("x", (1, 8))
    builder.op("edgetpu-custom-op", [builder.last], (1, 4), custom_options=b"\0" * 40)
    with pytest.raises(InvalidModelError, match=r"already compiled.*quantised TensorFlow Lite"):
        read_model_bytes(builder.build(), "m")
    graph = read_model_bytes(builder.build(), "m", compiled=True)
    assert graph.operators[0].custom_code == "edgetpu-custom-op"


def test_corpus_invalid_models():
    folder = require_corpus() / "google-coral+test_data" / "invalid_models"
    if not folder.is_dir():
        pytest.skip("this corpus has no invalid models")
    for path in sorted(folder.glob("*.tflite")):
        _read_or_refuse(path.read_bytes())


# Damage


def test_cut_at_every_byte():
    whole = read_model_bytes(MODEL, "m.tflite")
    for length in range(len(MODEL)):
        graph = _read_or_refuse(MODEL[:length])
        assert graph is None or _same(graph, whole)


@pytest.mark.parametrize(
    "name", ["mobilenet_v1_0.25_128_quant", "movenet_single_pose_lightning_ptq"]
)
def test_corpus_model_cut_at_many_places(name):
    found = sorted(require_corpus().rglob(f"{name}.tflite"))
    if not found:
        pytest.skip(f"this corpus has no {name}")
    data = found[0].read_bytes()
    whole = read_model_bytes(data, "m.tflite")
    step = 64 * (len(data) // 64 // 300 + 1)
    for length in range(0, len(data), step):
        graph = _read_or_refuse(data[:length])
        assert graph is None or _same(graph, whole)


@SETTINGS
@given(st.lists(st.tuples(st.integers(0, len(MODEL) - 1), st.integers(0, 255)), max_size=6))
def test_changed_bytes(changes):
    data = bytearray(MODEL)
    for position, value in changes:
        data[position] = value
    _read_or_refuse(bytes(data))


@SETTINGS
@given(
    st.integers(0, len(MODEL) // 4 - 1),
    st.sampled_from([0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, len(MODEL)]),
)
def test_changed_words(word, value):
    data = bytearray(MODEL)
    struct.pack_into("<I", data, 4 * word, value)
    _read_or_refuse(bytes(data))


def test_every_bit_of_the_structure():
    """The constants lie in front; everything behind the last one is structure."""
    start = MODEL.rindex(b"softmax") - 600
    for position in range(max(start, 0), len(MODEL)):
        data = bytearray(MODEL)
        data[position] ^= 1 << (position % 8)
        _read_or_refuse(bytes(data))


@SETTINGS
@given(st.binary(max_size=300))
def test_random_bytes_behind_a_header(tail):
    _read_or_refuse(b"\x08\0\0\0TFL3" + tail)


def test_self_references_end_quickly():
    """Thousands of tensors that are one and the same large table."""
    spec = _builder().spec()
    spec.tensors += [TensorSpec("t", [1], 9)] * 2000 + [TensorSpec("t" * 20000, [1] * 30, 9)]
    data = bytearray(write_model(spec))
    vector = _offsets_of(bytes(data), len(spec.tensors))
    end = vector + 4 * len(spec.tensors)
    target = struct.unpack_from("<I", data, end - 4)[0] + end - 4
    for position in range(vector, end, 4):
        struct.pack_into("<I", data, position, target - position)
    start = time.perf_counter()
    with pytest.raises(InvalidModelError, match="refers to the same data too many times"):
        read_model_bytes(bytes(data), "m.tflite")
    assert time.perf_counter() - start < 5


def _offsets_of(data: bytes, count: int) -> int:
    """Where the only vector of `count` items has its items."""
    needle = struct.pack("<I", count)
    position = data.index(needle)
    while position % 4:
        position = data.index(needle, position + 1)
    return position + 4
