"""Programs of this compiler next to the vendor's: the table, and its place in the page."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("benchmarks.inputs", reason="benchmarks/ is not among the files of this test")

from benchmarks.corpus_pairs import corpus_pairs
from benchmarks.emulated_cycles import SLOWER, Comparison, Cost, compare, main, page_part
from benchmarks.pages import replace_part, table
from tests.corpus_paths import require_corpus


@pytest.mark.parametrize("name", ["dense_256", "gabor_64x64_p4", "model_padding_64x64x3"])
def test_not_slower_than_the_vendor(name):
    require_corpus()
    (pair,) = corpus_pairs(name)
    found = compare(pair)
    assert found.ratio <= 1.0
    assert found.row()[4] == ("=" if pair.is_same_program else f"{found.ratio:.3f}")


def test_exit_status(capsys):
    require_corpus()
    assert main(["--only", "bright_16x16"]) == 0
    assert "1 pairs; slower than the vendor's: none" in capsys.readouterr().out


def _comparison(name, cycles):
    pair = SimpleNamespace(name=name, short_name=name, is_same_program=False, origin="b")
    return Comparison(pair, Cost(cycles, 50, int(cycles > 0)), Cost(1000, 100, 1))


def test_slower_programs():
    known = next(name for name in SLOWER if "/" not in name)
    assert _comparison("net", 1001).is_slower
    assert not _comparison("net", 1000).is_slower
    assert not _comparison(known, int(1000 * SLOWER[known][0])).is_slower
    assert _comparison(known, 1 + int(1000 * SLOWER[known][0])).is_slower


def test_reasons_stand_below_the_table():
    known = next(name for name in SLOWER if "/" not in name)
    text = page_part([_comparison("net", 900), _comparison(known, 1001), _comparison("cpu", 0)])
    assert "| net | b | 900 | 1,000 | 0.900 | 50 | 100 | 0.500 |\n" in text
    assert "| cpu | b | not mapped | 1,000 |" in text
    assert f"- {known} (b): {SLOWER[known][1]}.\n" in text


def test_part_of_a_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- one: x -->\nold\n<!-- end of one -->\nb\n")
    for _ in range(2):
        replace_part(page, "one", table(("h",), [("new",)]))
        assert page.read_text() == (
            "a\n<!-- one: x -->\n\n| h |\n| --- |\n| new |\n\n<!-- end of one -->\nb\n"
        )
    with pytest.raises(ValueError, match="no part 'two'"):
        replace_part(page, "two", "")
