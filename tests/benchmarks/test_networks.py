"""The table of public networks."""

from __future__ import annotations

import pytest

pytest.importorskip("benchmarks.inputs", reason="benchmarks/ is not among the files of this test")

from benchmarks import networks


def test_a_small_network(capsys):
    assert networks.main(["--small", "--only", "autoencoder"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| autoencoder | 96, 0.25 | 10 of 10 | 0 of 96 |")


def test_the_page_keeps_other_networks(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "PAGE", tmp_path / "networks.md")
    for name, row in (("vgg_16", "1"), ("ds_cnn", "2"), ("vgg_16", "3")):
        text = networks.page(name, f"| {name} | {row} |\n", f"- {name}, ADD: {row}\n")
        networks.PAGE.write_text(text)
    assert "| vgg_16 | 3 |\n| ds_cnn | 2 |\n" in text
    assert text.endswith("- vgg_16, ADD: 3\n- ds_cnn, ADD: 2\n")


def test_small_networks_are_not_for_the_page(capsys):
    with pytest.raises(SystemExit):
        networks.main(["--small", "--write-docs"])
    assert "in full" in capsys.readouterr().err
