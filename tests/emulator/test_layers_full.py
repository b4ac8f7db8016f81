"""As `test_layers`, for larger models."""

from __future__ import annotations

import pytest

from tests.corpus_paths import pairs, require_corpus
from tests.emulator.layer_maps import layer_matches

MODELS = [
    ("test_data/mobilenet_v1_1.0_224_quant_embedding_extractor_edgetpu", 27, 5_042_688),
    ("test_data/mobilenet_edgetpu_0.75_224_post_training_quant_edgetpu", 73, 4_981_144),
]
"""(end of the path, layers and values that must be found)."""


@pytest.mark.parametrize(("name", "layers", "values"), MODELS)
def test_every_layer(name, layers, values):
    require_corpus()
    (pair,) = [p for p in pairs() if str(p.compiled).endswith(f"{name}.tflite")]
    matches = layer_matches(pair)
    assert len({match.tensor for match in matches}) >= layers
    assert sum(match.values for match in matches) >= values
    assert [match for match in matches if match.differing] == []
