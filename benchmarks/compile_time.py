"""Time and memory of whole compiler processes, next to Arm's Vela (`ethos-u-vela`).

`python -m benchmarks.compile_time [--runs N] [--json FILE] [MODEL.tflite ...]`: medians of N
runs (default 5) that alternate with Vela's, and the ratio. Vela compiles the same file for its
default core; without it the ratios are left out. Without files: those of `inputs`, and MoveNet
where there is a corpus.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compiler.tools.corpus_score.corpus import find_corpus

from .inputs import MODELS
from .processes import Sample, in_turns, median

ROOT = Path(__file__).resolve().parents[1]
MOVENET = "google-coral+test_data/movenet_single_pose_lightning_ptq.tflite"
OURS = [sys.executable, "-m", "compiler.cli.compiler_main"]
VELA = [
    sys.executable,
    "-c",
    "import sys; from ethosu.vela.vela import main; sys.exit(main(sys.argv[1:]))",
]
_TIMES = "{:>8}{:>8}{:>7}"
_HEAD = " " * 28 + (_TIMES * 2).format("wall s", "Vela", "ratio", "cpu s", "Vela", "ratio")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; the exit status is 0."""
    options = _parser().parse_args(arguments)
    has_vela = importlib.util.find_spec("ethosu") is not None
    rows: list[dict[str, Any]] = []
    print(f"{_HEAD}{'MB':>7}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        variables = environment(folder)
        rows.append(_row("--version", {"ours": [*OURS, "--version"]}, folder, variables, options))
        for path in options.models or [*_written_inputs(folder), *_corpus_inputs()]:
            commands = {"ours": [*OURS, str(path), "-o", "out"]}
            if has_vela:
                commands["vela"] = [*VELA, str(path), "--output-dir", "vela"]
            rows.append(_row(path.stem, commands, folder, variables, options))
    if not has_vela:
        print("no ratios: pip install ethos-u-vela==5.2.0")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="compile_time", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples, too")
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL.tflite")
    return parser


def environment(folder: Path) -> dict[str, str]:
    """Compiled modules are kept, as they are for an installed command, but not in the tree."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(folder)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    return variables


def _written_inputs(folder: Path) -> list[Path]:
    paths = []
    for name, make in MODELS.items():
        paths.append(folder / f"{name}.tflite")
        paths[-1].write_bytes(make())
    return paths


def _corpus_inputs() -> list[Path]:
    """MoveNet, whose residual sums and CPU operators the written ones lack."""
    corpus = find_corpus()
    return [corpus / MOVENET] if corpus else []


def _row(
    label: str,
    commands: Mapping[str, Sequence[str]],
    folder: Path,
    variables: Mapping[str, str],
    options: argparse.Namespace,
) -> dict[str, Any]:
    samples = in_turns(commands, folder, variables, options.runs)
    ours, vela = samples["ours"], samples.get("vela", [])
    text = f"{label[:27]:<28}"
    for key in (_wall, _cpu):
        value, other = median(ours, key), median(vela, key) if vela else 0.0
        numbers = (f"{value:.3f}", f"{other:.3f}", f"{value / other:.2f}") if other else ()
        text += _TIMES.format(*(numbers or (f"{value:.3f}", "", "")))
    print(f"{text}{median(ours, _peak):7.0f}", flush=True)
    values = {name: [[s.wall, s.cpu, s.peak] for s in group] for name, group in samples.items()}
    return {"model": label, "wall_cpu_peak": values}


def _wall(sample: Sample) -> float:
    return sample.wall


def _cpu(sample: Sample) -> float:
    return sample.cpu


def _peak(sample: Sample) -> float:
    return sample.peak


if __name__ == "__main__":
    sys.exit(main())
