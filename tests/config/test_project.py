"""This repository's own edgetpu.yaml."""

from pathlib import Path

from compiler.config.reader import read_config

ROOT = Path(__file__).parents[2]


def test_every_example_model_is_declared():
    config = read_config(str(ROOT / "edgetpu.yaml"))
    declared = {model.src for model in config.models.values()}
    assert declared >= {"models/keyword.tflite", "models/classifier.tflite"}
    assert all(src.startswith("models/") for src in declared)
    assert config.groups
    assert config.pipelines
