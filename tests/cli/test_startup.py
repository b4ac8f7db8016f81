"""What a command imports: its start-up time is mostly that (docs/performance.md)."""

import os
import subprocess
import sys

from tests.model_builder import ModelBuilder

HEAVY = {"tflite", "flatbuffers", "yaml", "argparse", "json", "asyncio", "unittest"}
OTHER_PARTS = (
    "compiler.emulator",
    "compiler.pipeline",
    "compiler.config",
    "compiler.worker",
    "compiler.tools",
    "compiler.beagle.reader",
    "compiler.beagle.disassembler",
    "compiler.beagle.listing",
    "compiler.explain",
    "compiler.manifest",
)
CODE = """
import sys
known = set(sys.modules)
from compiler.cli.compiler_main import main
status = main(sys.argv[1:])
print(*sorted(set(sys.modules) - known), sep="\\n", file=sys.stderr)
sys.exit(status)
"""


def _imported(*argv, cwd=None):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", CODE, *argv],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=environment,
    )
    assert result.returncode == 0, result.stderr
    return set(result.stderr.split())


def test_version_needs_next_to_nothing():
    modules = _imported("--version")
    ours = {name for name in modules if name.startswith("compiler.")}
    assert "numpy" not in modules and not modules & HEAVY
    assert len(ours) <= 16, sorted(ours)
    assert not any(name.startswith(("compiler.planning", "compiler.beagle")) for name in ours)


def test_a_compilation_leaves_other_parts_alone(tmp_path):
    builder = ModelBuilder().input("x", (1, 16, 16, 8)).conv2d(16, 3).depthwise_conv2d(3)
    (tmp_path / "m.tflite").write_bytes(builder.build())
    modules = _imported("m.tflite", cwd=tmp_path)
    assert "numpy" in modules
    assert not modules & (HEAVY - {"json"})  # numpy may import json
    assert not {name for name in modules if name.startswith(OTHER_PARTS)}


def test_frozen_classes_are_made_fast():
    """Classes on the way of every model use the fast decorator (compiler/fast_dataclass.py)."""
    code = (
        "import dataclasses, sys\n"
        "slow = []\n"
        "standard = dataclasses.dataclass\n"
        "def note(cls=None, **options):\n"
        "    if options.get('frozen') and options.get('slots'):\n"
        "        slow.append(cls)\n"
        "    return standard(cls, **options)\n"
        "dataclasses.dataclass = note\n"
        "import compiler.compilation, compiler.lowering.families, compiler.beagle.parameters\n"
        "print(len(slow))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    if sys.version_info < (3, 13):
        assert int(result.stdout) <= 20, "use compiler.fast_dataclass for frozen classes"
