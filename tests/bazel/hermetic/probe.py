"""A compiler that looks around: what its action can reach goes into the log.

Called as `probe.py [options] --out_dir DIR MODEL`, as any drop-in compiler.
"""

from __future__ import annotations

import importlib
import json
import os
import site
import socket
import sys
from pathlib import Path

FILES = (
    "MODULE.bazel",
    "edgetpu.yaml",
    "models/keyword.tflite",
    "tests/bazel/hermetic/BUILD",
    "tests/bazel/hermetic/undeclared.txt",
    "tests/bazel/hermetic/undeclared_module.py",
)
NOWHERE = ("192.0.2.1", 9)
"""An address for documentation: with a network, this waits; without, it fails at once."""


def network() -> str:
    """Name of the error of a connection, empty if there is none."""
    try:
        with socket.create_connection(NOWHERE, timeout=2):
            return ""
    except OSError as error:
        return type(error).__name__ if error.errno is None else os.strerror(error.errno)


def importable(name: str) -> bool:
    """Whether a module can be imported."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def main() -> None:
    """Write the two files of a compilation."""
    out_dir = Path(sys.argv[sys.argv.index("--out_dir") + 1])
    model = Path(sys.argv[-1])
    import numpy as np

    facts = {
        "cwd_entries": sorted(os.listdir()),
        "environment": dict(os.environ),
        "files": [name for name in FILES if Path(name).exists()],
        "model_is_there": model.is_file(),
        "network": network(),
        "numpy": np.__file__,
        "undeclared_module": importable("undeclared_module"),
        "user_site": bool(site.ENABLE_USER_SITE),
    }
    (out_dir / f"{model.stem}_edgetpu.tflite").write_bytes(model.read_bytes())
    (out_dir / f"{model.stem}_edgetpu.log").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
