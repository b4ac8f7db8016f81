"""A good edgetpu.yaml: names are resolved, defaults filled in, and Bazel gets its targets."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.config.config import Options
from compiler.config.fields import SECTIONS
from compiler.config.json_schema import schema, schema_text
from compiler.config.reader import parse_config, read_config
from compiler.config.targets import main, targets

EXAMPLE = Path(__file__).with_name("example.yaml")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config():
    return read_config(str(EXAMPLE))


def test_example_has_every_key():
    import yaml

    tree = yaml.safe_load(EXAMPLE.read_text())
    for section in SECTIONS:
        entries = tree[section.name].values() if section.named else [tree[section.name]]
        given = {key for entry in entries for key in entry}
        known = {field.name for field in section.fields}
        assert given <= known
        if section.name in ("devices", "models", "tests", "bundles"):
            assert given == known, section.name


def test_defaults_own_values_and_device(config):
    assert config.models["keyword"].options == Options(min_runtime_version=13, timeout_sec=60)
    old = config.models["detector_old"].options
    assert (old.min_runtime_version, old.emulate_release) == (12, "15.0")
    assert config.groups["audio"].options == Options(min_runtime_version=13, timeout_sec=90)


def test_device_gives_the_runtime():
    text = (
        b"version: 1\ndevices: {d: {runtime_version: 11}}\nmodels: {a: {src: a.tflite, device: d}}"
    )
    assert parse_config(text, "f").models["a"].options.min_runtime_version == 11


def test_pipeline_inherits_from_its_model(config):
    options = config.pipelines["detector_pipeline"].options
    assert (options.search_delegate, options.delegate_search_step) == (True, 5)


def test_group_keeps_the_order_of_priority(config):
    assert [model.name for model in config.groups["audio"].models] == ["speaker", "keyword"]
    assert config.group_of(config.models["keyword"]) is config.groups["audio"]
    assert [model.name for model in config.alone()] == ["detector", "detector_old", "made"]


def test_pipeline_names_its_outputs(config):
    assert config.pipelines["detector_pipeline"].outputs == (
        "detector_segment_0_of_2_edgetpu.tflite",
        "detector_segment_1_of_2_edgetpu.tflite",
    )


def test_packages(config):
    packages = {name: model.package for name, model in config.models.items()}
    assert packages == {
        "keyword": "audio",
        "speaker": "audio",
        "detector": "vision",
        "detector_old": "vision",
        "made": "vision",
    }
    assert config.bundles["firmware"].package == "image"


def test_targets(config):
    made = {entry["attributes"]["name"]: entry for entry in targets(config, "ml")}
    assert list(made) == [
        *("detector_edgetpu", "detector_old_edgetpu", "made_edgetpu", "audio"),
        *("detector_pipeline", "keyword_test", "detector_test", "segments_test", "firmware"),
    ]
    assert made["audio"] == {
        "package": "ml/audio",
        "rule": "edgetpu_cocompile_group",
        "attributes": {
            "name": "audio",
            "models": {
                "speaker": "//ml/audio:speaker.tflite",
                "keyword": "//ml/audio:keyword.tflite",
            },
            "intermediate_tensors": {"speaker": ["embedding"]},
            "min_runtime_version": 13,
            "timeout_sec": 90,
        },
    }
    assert made["made_edgetpu"]["attributes"]["src"] == "//tools/train:made.tflite"
    assert made["detector_test"]["attributes"] == {
        "name": "detector_test",
        "model": ":detector_edgetpu",
        "cpu_operators": ["TFLite_Detection_PostProcess"],
        "all_mapped": True,
        "inputs": ["//ml/vision:test/street.npy"],
        "max_difference": 1,
    }
    assert made["firmware"]["attributes"]["models"] == [
        "//ml/audio:keyword_edgetpu",
        "//ml/audio:speaker_edgetpu",
        "//ml/vision:detector_pipeline",
    ]


def test_root_package():
    text = b"version: 1\nmodels: {a: {src: a.tflite}, b: {src: ':b.tflite'}}"
    made = targets(parse_config(text, "f"))
    assert [entry["attributes"]["src"] for entry in made] == ["//:a.tflite", "//:b.tflite"]
    assert {entry["package"] for entry in made} == {""}


def test_targets_program_prints_json(capsys):
    assert main([str(EXAMPLE), ""]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 9


def test_targets_program_prints_an_error_in_one_line(tmp_path, capsys):
    file = tmp_path / "edgetpu.yaml"
    file.write_text("version: 1\nmodel: {}\n")
    assert main([str(file), ""]) == 1
    assert capsys.readouterr().err.startswith(f"{file}:2: model: unknown key")


def test_reading_needs_no_numpy():
    """The repository rule reads the file with nothing but PyYAML."""
    code = f"""import sys; sys.modules['numpy'] = sys.modules['flatbuffers'] = None
from compiler.config.targets import main
sys.exit(main([{str(EXAMPLE)!r}, '']))"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_published_schema_is_current():
    published = (ROOT / "docs/edgetpu.schema.json").read_text()
    assert published == schema_text(), "run python -m compiler.tools.generate_docs"


def test_schema_accepts_the_example():
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    import yaml

    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(yaml.safe_load(EXAMPLE.read_text()), schema())


@pytest.mark.parametrize("text", ["{}", "{version: 2}", "{version: 1, model: {}}"])
def test_schema_refuses(text):
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    import yaml

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), schema())
