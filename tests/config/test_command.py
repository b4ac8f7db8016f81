"""`edgetpu_compiler --config`: the same files as the command line gives, in order."""

import pytest

from compiler.cli.compiler_main import main
from tests.model_builder import ModelBuilder

YAML = """\
version: 1
defaults: {min_runtime_version: 13}
models:
  first: {src: x/dense.tflite}
  second: {src: x/other.tflite}
  third: {src: dense3.tflite, emulate_release: 15.0}
  deep: {src: deep.tflite}
cocompile_groups:
  pair: {models: [second, first]}
pipelines:
  cut: {model: deep, num_segments: 2}
"""


def dense(seed, layers=1):
    builder = ModelBuilder("int8", seed=seed).input("input", (1, 256))
    for _ in range(layers):
        builder = builder.fully_connected(256)
    return builder.build()


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "x").mkdir()
    files = {"x/dense": 1, "x/other": 2, "dense3": 3}
    for name, seed in files.items():
        (tmp_path / f"{name}.tflite").write_bytes(dense(seed))
    (tmp_path / "deep.tflite").write_bytes(dense(4, layers=3))
    (tmp_path / "edgetpu.yaml").write_text(YAML)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compiled(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*_edgetpu.tflite"))


def test_all_targets(project, capsys):
    assert main(["--config", "edgetpu.yaml", "-o", "out"]) == 0
    assert compiled(project / "out") == [
        "deep_edgetpu.tflite",
        "deep_segment_0_of_2_edgetpu.tflite",
        "deep_segment_1_of_2_edgetpu.tflite",
        "third_edgetpu.tflite",
        "x/first_edgetpu.tflite",
        "x/second_edgetpu.tflite",
    ]
    assert capsys.readouterr().out.count("Compilation succeeded!") == 5


def test_same_bytes_as_the_plain_command(project):
    assert main(["--config", "edgetpu.yaml", "-o", "out"]) == 0
    assert main(["-m", "13", "-o", "plain", "x/other.tflite", "x/dense.tflite"]) == 0
    assert main(["-m", "13", "-o", "plain", "--emulate_release", "15.0", "dense3.tflite"]) == 0
    pairs = {
        "x/second_edgetpu.tflite": "other_edgetpu.tflite",
        "x/first_edgetpu.tflite": "dense_edgetpu.tflite",
        "third_edgetpu.tflite": "dense3_edgetpu.tflite",
    }
    for ours, plain in pairs.items():
        assert (project / "out" / ours).read_bytes() == (project / "plain" / plain).read_bytes()


def test_member_stands_for_its_group_once(project, capsys):
    assert main(["--config", "edgetpu.yaml", "-o", "out", "first", "pair", "second"]) == 0
    assert compiled(project / "out") == ["x/first_edgetpu.tflite", "x/second_edgetpu.tflite"]
    assert capsys.readouterr().out.count("Models compiled successfully") == 1


def test_pipeline_of_equal_latency(project):
    text = YAML.replace("num_segments: 2", "num_segments: 2, partitioner: profiling")
    (project / "edgetpu.yaml").write_text(text)
    assert main(["--config", "edgetpu.yaml", "-o", "out", "cut"]) == 0
    assert compiled(project / "out") == [
        "deep_segment_0_of_2_edgetpu.tflite",
        "deep_segment_1_of_2_edgetpu.tflite",
    ]


def test_unknown_target(project, capsys):
    assert main(["--config", "edgetpu.yaml", "fourth"]) == 1
    assert "no such target in edgetpu.yaml (found fourth, allowed first," in capsys.readouterr().err
    assert not compiled(project)


@pytest.mark.parametrize("flag", [["-n", "2"], ["-i", "x"], ["-d"]])
def test_options_of_one_model_are_refused(project, capsys, flag):
    assert main(["--config", "edgetpu.yaml", *flag]) == 1
    assert "are not for --config. Give them in the file." in capsys.readouterr().err


def test_error_names_file_line_and_key(project, capsys):
    (project / "edgetpu.yaml").write_text(YAML.replace("num_segments: 2", "num_segments: 1"))
    assert main(["--config", "edgetpu.yaml"]) == 1
    expected = "invalid-config: edgetpu.yaml:11: pipelines.cut.num_segments: out of range (found 1"
    assert capsys.readouterr().err.startswith(expected)


def test_label_needs_bazel(project, capsys):
    (project / "edgetpu.yaml").write_text("version: 1\nmodels: {a: {src: '//x:a.tflite'}}\n")
    assert main(["--config", "edgetpu.yaml"]) == 1
    assert "a Bazel label cannot be compiled without Bazel" in capsys.readouterr().err


def test_failure_of_one_does_not_hide(project, capsys):
    (project / "dense3.tflite").write_bytes(b"nonsense")
    assert main(["--config", "edgetpu.yaml", "-o", "out"]) == 1
    out = capsys.readouterr().out
    assert out.count("Compilation failed!") == 1
    assert out.count("Compilation succeeded!") == 4
