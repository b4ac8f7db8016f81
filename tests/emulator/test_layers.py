"""Layer by layer: what the tensor ops of vendor programs leave in the tiles' memories equals the
reference of each layer, not only the outputs."""

from __future__ import annotations

import pytest

from tests.corpus_paths import pairs, require_corpus
from tests.emulator.layer_maps import layer_matches

MODELS = [
    ("google-coral+test_data/mobilenet_v1_0.25_128_quant_edgetpu", 26),
    ("optical_flow/templates/gabor_64x64_7k_4o_2s_edgetpu", 1),
    ("looming/templates/looming_64x64_3x3_edgetpu", 2),
]
"""(end of the path, layers that must be found)."""


@pytest.mark.parametrize(("name", "least"), MODELS)
def test_every_layer(name, least):
    require_corpus()
    (pair,) = [p for p in pairs() if str(p.compiled).endswith(f"{name}.tflite")]
    matches = layer_matches(pair)
    assert len({match.tensor for match in matches}) >= least
    assert [match for match in matches if match.differing] == []
