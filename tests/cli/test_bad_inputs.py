"""Whatever file the command gets: one clear error, exit status 1, nothing written."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from compiler.cli.compiler_main import main
from tests.model_builder import ModelBuilder
from tests.tflite_writer import ModelSpec, TensorSpec, write_model

HUGE = 2**31 - 1


def _builder() -> ModelBuilder:
    """Tensors: 0 x, 1 weights, 2 bias, 3 conv, 4 shape, 5 reshape."""
    return ModelBuilder(seed=3).input("x", (1, 8, 8, 4)).conv2d(8, 3).reshape((1, 512))


MODEL = _builder().build()


@pytest.fixture
def refuse(tmp_path, monkeypatch, capsys):
    """Runs the command on a path or bytes; checks all that every refusal has in common and
    gives the text."""
    monkeypatch.chdir(tmp_path)

    def check(source: bytes | Path, *options: str) -> str:
        path = tmp_path / "m.tflite"
        if isinstance(source, bytes):
            path.write_bytes(source)
        else:
            path = source
        before = sorted(tmp_path.rglob("*"))
        status = main([str(path), *options])
        out, err = capsys.readouterr()
        text = out + err
        assert status == 1, text
        assert str(path) in text
        assert "Traceback" not in text and "internal-error" not in text
        assert "Compilation succeeded" not in text
        assert sorted(tmp_path.rglob("*")) == before
        return text

    return check


# Files


def test_missing(refuse, tmp_path):
    assert "does not exist" in refuse(tmp_path / "none.tflite")


def test_missing_with_out_dir(refuse, tmp_path):
    """The folder is not made either."""
    refuse(tmp_path / "none.tflite", "-o", "out")


def test_directory(refuse, tmp_path):
    (tmp_path / "saved_model").mkdir()
    assert "directory" in refuse(tmp_path / "saved_model")


def test_empty(refuse):
    assert "empty" in refuse(b"")


@pytest.mark.parametrize("option", [[], ["-o", "out"]])
def test_truncated_at_every_64th_byte(refuse, option):
    for size in range(64, len(MODEL), 64 if option else 320):
        refuse(MODEL[:size], *option)


def test_truncated_real_model(refuse):
    path = Path(__file__).parents[2] / "models" / "keyword.tflite"
    if not path.is_file():
        pytest.skip("models/ is not among the files of this test")
    data = path.read_bytes()
    for size in range(0, len(data), 64):
        refuse(data[:size])


def _zip(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.tflite", MODEL)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"hello, world\n" * 9, "a text file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "a PNG image"),
        (b"\x89HDF\r\n\x1a\n" + bytes(64), "a Keras HDF5 model"),
        (gzip.compress(MODEL, mtime=0), "a gzip archive"),
        (b"\x7fELF" + bytes(64), "an executable"),
        (bytes(1000), "not a TensorFlow Lite model"),
        (MODEL[::-1], "not a TensorFlow Lite model"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
    ],
)
def test_another_kind_of_file(refuse, data, kind):
    assert kind in refuse(data)


def test_zip_archive(refuse, tmp_path):
    data = _zip(tmp_path / "m.zip")
    assert "a zip archive" in refuse(data)


def test_already_compiled(refuse, tmp_path, capsys):
    path = tmp_path / "m.tflite"
    path.write_bytes(MODEL)
    assert main([str(path), "-o", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    text = refuse(tmp_path / "out" / "m_edgetpu.tflite", "-o", "again")
    assert "compiled" in text


# Models


def _float_model() -> bytes:
    builder = ModelBuilder("float32")
    source = builder.input("x", (1, 8), type="float32").last
    return builder.op("RELU", [source], (1, 8), type="float32").build()


def test_float_model(refuse, tmp_path):
    text = refuse(_float_model())
    assert f"Invalid model: {tmp_path / 'm.tflite'}\nModel not quantized\n" in text
    assert "full integer quantisation" in text


def test_float_model_with_dimensions_of_its_own(refuse):
    builder = _builder()
    spec = builder.spec()
    for tensor in spec.tensors:
        tensor.scales = tensor.zero_points = None
    assert "Model not quantized" in refuse(write_model(spec))


def _edited(tensor: int, **changes) -> bytes:
    spec = _builder().spec()
    for name, value in changes.items():
        setattr(spec.tensors[tensor], name, value)
    return write_model(spec)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape": [-1, 8, 8, 4]}, "dynamic"),
        ({"shape": [1, 8, 8, -5]}, "dimension"),
        ({"shape": [0, 8, 8, 4]}, "no elements"),
        ({"shape": [1, 8, 0, 4]}, "no elements"),
        ({"shape": [HUGE, HUGE, HUGE, HUGE]}, "too many elements"),
        ({"shape": [1, 65536, 65536, 4]}, "too many elements"),
        ({"shape": [1] * 40}, "dimensions"),
        ({"type": 99}, "type"),
    ],
)
@pytest.mark.parametrize("tensor", [0, 3])
def test_wrong_activation(refuse, tensor, changes, words):
    assert words in refuse(_edited(tensor, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [8, 3, 3, 5]},
        {"shape": [HUGE, 3, 3, 4]},
        {"shape": [0, 3, 3, 4]},
        {"shape": [-1, 3, 3, 4]},
        {"scales": [0.1, 0.2]},
        {"buffer": 77},
    ],
)
def test_wrong_weights(refuse, changes):
    refuse(_edited(1, **changes))


def test_no_subgraph_and_no_tensor(refuse):
    refuse(write_model(ModelSpec()))


def test_a_loop(refuse):
    spec = _builder().spec()
    spec.operators[0].inputs[0] = 5
    refuse(write_model(spec))


def test_a_tensor_without_producer(refuse):
    spec = _builder().spec()
    spec.tensors.append(TensorSpec("y", (1, 8, 8, 4), spec.tensors[0].type))
    spec.operators[0].inputs[0] = len(spec.tensors) - 1
    refuse(write_model(spec))


def test_a_default_size_is_no_dynamic_shape(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.tflite").write_bytes(_edited(0, shape_signature=[-1, 8, 8, 4]))
    assert main(["m.tflite"]) == 0


def test_weights_alone_make_a_quantised_model(tmp_path, monkeypatch, capsys):
    spec = _builder().spec()
    for index in (0, 3, 5):
        spec.tensors[index].scales = spec.tensors[index].zero_points = None
        spec.tensors[index].type = 0
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.tflite").write_bytes(write_model(spec))
    assert main(["m.tflite"]) == 0
    assert "Number of Edge TPU subgraphs: 0\n" in capsys.readouterr().out
