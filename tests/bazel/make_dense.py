"""Write a one-layer int8 dense model: what the rule tests compile. `make_dense.py OUTPUT`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.model_builder import ModelBuilder


def main() -> None:
    """Write the model to the path on the command line."""
    model = ModelBuilder("int8", seed=1).input("input", (1, 256)).fully_connected(256).build()
    Path(sys.argv[1]).write_bytes(model)


if __name__ == "__main__":
    main()
