"""Write an input for a model: random values in its input's shape and type, always the same.

make_input.py MODEL OUTPUT.npy
"""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import numpy as np

from compiler.frontend.tflite_reader import STORED_TYPES, read_model


def main(model: str, output: str) -> None:
    """The seed is the model's name, so that models get different values."""
    graph = read_model(model)
    tensor = graph.tensors[graph.inputs[0]]
    kind = np.dtype(STORED_TYPES[tensor.type][0])
    limits = np.iinfo(kind)
    random = np.random.default_rng(zlib.crc32(Path(model).name.encode()))
    np.save(output, random.integers(limits.min, limits.max + 1, tensor.shape, kind))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
