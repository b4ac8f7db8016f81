"""The table of public networks."""

from __future__ import annotations

import pytest

pytest.importorskip("benchmarks.inputs", reason="benchmarks/ is not among the files of this test")

from benchmarks import networks


def test_a_small_network(capsys):
    assert networks.main(["--small", "--only", "autoencoder"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| autoencoder | 96, 0.25 | 10 of 10 | 0 of 96 |")


def test_the_page_needs_everything(capsys):
    with pytest.raises(SystemExit):
        networks.main(["--only", "autoencoder", "--write-docs"])
    assert "all networks" in capsys.readouterr().err
