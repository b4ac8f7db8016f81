"""Write the caching token of a compiled model into a file: `read_token.py MODEL OUTPUT`.

One line, `0x` and 16 digits; zeros where nothing is cached and nothing else shares the chip, or
nothing runs on the Edge TPU.
"""

from __future__ import annotations

import sys
from pathlib import Path

from compiler.beagle.reader import compiled_ops, read_custom_options, read_package


def caching_token(model: bytes) -> int:
    """The token of the first executable that has one."""
    for op in compiled_ops(model):
        package = read_custom_options(op.custom_options).package
        for executable in read_package(package).executables:
            if executable.token:
                return executable.token
    return 0


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(f"{caching_token(Path(sys.argv[1]).read_bytes()):#018x}\n")
