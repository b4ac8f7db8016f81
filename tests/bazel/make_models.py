"""Write what the rule tests compile: `make_models.py DENSE DEEP INPUT`.

A model of one dense layer, one of three layers, and an input of both.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tests.model_builder import ModelBuilder

SIZE = 256


def dense(layers: int) -> bytes:
    """An int8 model of dense layers."""
    builder = ModelBuilder("int8", seed=layers).input("input", (1, SIZE))
    for _ in range(layers):
        builder = builder.fully_connected(SIZE)
    return builder.build()


def main(one_layer: str, three_layers: str, array: str) -> None:
    """Write the three files."""
    Path(one_layer).write_bytes(dense(1))
    Path(three_layers).write_bytes(dense(3))
    random = np.random.default_rng(1)
    np.save(array, random.integers(-128, 128, (1, SIZE), np.int8))


if __name__ == "__main__":
    main(*sys.argv[1:])
