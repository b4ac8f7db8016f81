"""What is the vendor's, byte for byte, stays the vendor's: the score of the whole corpus."""

from __future__ import annotations

import pytest

from compiler.tools.corpus_score import evidence, report
from compiler.tools.corpus_score.score import CorpusScore, score_corpus
from tests.corpus_paths import require_corpus

FILES = frozenset(
    {
        "mobilenet_v1_1.0_224_quant_embedding_extractor",
        "yamnet_spectra_in",
        "deeplabv3_mnv2_dm05_pascal_quant",
        "dense_256",
        "dense_1024",
        "gabor_64x64_7k_4o_2s",
        "gabor_64x64_p4",
        "bright_16x16",
        "bright_64x64",
        "bright_128x128",
        "color_red_64x64",
        "color_green_128x128",
        "looming_64x64_3x3",
        "movenet_single_pose_lightning_ptq",
        "conv2d_12x128x32_to_32_k3_s1_same_quant",
        "conv2d_12x176x32_to_32_k3_s1_same_quant",
        "conv2d_12x192x32_to_32_k3_s1_same_quant",
        "conv2d_12x128x64_to_64_k3_s1_same_quant",
        "conv2d_12x176x64_to_64_k3_s1_same_quant",
        "conv2d_12x192x64_to_64_k3_s1_same_quant",
        "conv2d_12x128x128_to_128_k3_s1_same_quant",
        "conv2d_12x176x128_to_128_k3_s1_same_quant",
        "conv2d_12x192x128_to_128_k3_s1_same_quant",
    }
)
"""Identical as a whole."""
PACKAGES = frozenset(
    {
        "mobilenet_v1_0.25_128_quant",
        "mobilenet_v1_0.5_160_quant",
        "mobilenet_v1_0.25_128_quant_cocompiled_with_mobilenet_v1_0.5_160_quant",
        "mobilenet_v1_0.5_160_quant_cocompiled_with_mobilenet_v1_0.25_128_quant",
    }
)
"""Packed again with metadata after compiling: the option map is identical."""
PROGRAMS = frozenset({"posenet_mobilenet_v1_075_353_481_16_quant_decoder"})
"""Another tool added an operator to the compiled file: the execution program is identical."""
BARE_PROGRAMS = 123
NOT_COMPARABLE = ("cocompiled_with_3quant", "bodypix", "keras_lstm", "split_concat")
"""Shares the parameter memory with models that are not there; the public source was quantised
again after the vendor compiled it; the LSTM's program is this compiler's own, with parameters
of its own; so are the layers that move channels inside words."""
NEW_GENERATION = ("google-coral+test_data", "google-coral+coralmicro", "ricardo", "RingCanary")


@pytest.fixture(scope="module")
def score() -> CorpusScore:
    result = score_corpus(require_corpus())
    print(report.text_report(result, details=False))
    return result


def _names(score: CorpusScore, verdict: str) -> set[str]:
    return {
        model.name.rpartition("/")[2].removesuffix("_edgetpu.tflite")
        for model in score.models
        if model.verdict == verdict
    }


def test_whole_files_are_identical(score: CorpusScore) -> None:
    missing = FILES - _names(score, "file")
    assert not missing, report.text_report(score)


def test_packages_are_identical(score: CorpusScore) -> None:
    assert not PACKAGES - _names(score, "package") - _names(score, "file")


def test_execution_programs_are_identical(score: CorpusScore) -> None:
    verdicts = ("file", "package", "program")
    assert not PROGRAMS.difference(*(_names(score, verdict) for verdict in verdicts))


def test_every_bare_program_is_identical(score: CorpusScore) -> None:
    different = [name for name, program in score.programs if not program.identical]
    assert different == []
    assert len(score.programs) == BARE_PROGRAMS


def test_no_source_is_an_error(score: CorpusScore) -> None:
    assert {model.name: model.error for model in score.models if model.error} == {}


def test_what_is_mapped_alike_has_the_vendors_parameters(score: CorpusScore) -> None:
    for model in score.models:
        comparable = not any(part in model.name for part in NOT_COMPARABLE)
        if comparable and model.name.startswith(NEW_GENERATION) and model.score:
            assert model.score.parameters or not model.score.mapping, model.name


def test_evidence_page_is_current(score: CorpusScore) -> None:
    if not evidence.PAGE.is_file():
        pytest.skip("docs/ is not among the files of this test")
    hint = "run python -m compiler.tools.corpus_score --write-docs"
    assert evidence.page(score) == evidence.PAGE.read_text(encoding="utf-8"), hint
