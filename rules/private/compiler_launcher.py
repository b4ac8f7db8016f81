"""Entry point of the compiler in a build: `edgetpu_compiler`, and one more option.

`--build_action ... --out_dir DIR MODEL` keeps the console text back unless the compilation fails,
and compiles in a folder of its own: console and log name files without the folders of this build.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from pathlib import Path

from compiler.cli.compiler_main import main


def _compile_without_folders(arguments: list[str]) -> int:
    """Compile the last argument in a scratch folder; move the results to `--out_dir`."""
    *options, model_name = arguments
    flag = options.index("--out_dir")
    out_dir, model = Path(options[flag + 1]).absolute(), Path(model_name).absolute()
    del options[flag : flag + 2]
    with tempfile.TemporaryDirectory(dir=out_dir) as scratch, contextlib.chdir(scratch):
        Path(model.name).symlink_to(model)
        status = main([*options, model.name])
        for result in Path.cwd().iterdir():
            if not result.is_symlink():
                result.replace(out_dir / result.name)
    return status


def _run_build_action(arguments: list[str]) -> int:
    console = io.StringIO()
    status = 1
    try:
        with contextlib.redirect_stdout(console):
            status = _compile_without_folders(arguments)
    finally:
        if status:
            sys.stdout.write(console.getvalue())
    return status


if __name__ == "__main__":
    if sys.argv[1:2] == ["--build_action"]:
        sys.exit(_run_build_action(sys.argv[2:]))
    sys.exit(main(sys.argv[1:]))
