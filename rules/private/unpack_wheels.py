"""Unpack wheels into one Bazel package each. Run by pip_repository, with the standard library only.

`unpack_wheels.py FOLDER [PROVIDED...]`: FOLDER holds the wheels, PROVIDED are packages that exist
already and may be depended on. Writes `<package>/site/` (what goes on sys.path), `<package>/bin/`
(programs) and `<package>/BUILD` below the current folder. The result depends on the wheels alone.
"""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path, PurePosixPath

BUILD = """# Written by rules_edgetpu//rules/private:unpack_wheels.py.
load("@rules_python//python:py_library.bzl", "py_library")

package(default_visibility = ["//visibility:public"])

py_library(
    name = "{name}",
    srcs = glob(["site/**/*.py"], exclude = _UNUSED, allow_empty = True),
    data = glob(
        ["site/**"{binaries}],
        exclude = _UNUSED + _DATA + ["site/**/*.py"],
        allow_empty = True,
    ),
    imports = ["site"],
    deps = {deps},
)

# Types and metadata, for checkers.
filegroup(
    name = "data",
    srcs = glob(_DATA, exclude = _UNUSED, allow_empty = True),
)
"""

CONSTANTS = """
# Never read at run time: headers, the packages' own tests, the Fortran interface of numpy.
_UNUSED = [
    "site/**/tests/**",
    "site/**/*.a",
    "site/**/*.c",
    "site/**/*.h",
    "site/**/*.pxd",
    "site/**/*.pyx",
    "site/numpy/f2py/**",
    "**/* *",
]

_DATA = {data}
"""

# mypy's own type files are its run time; elsewhere only checkers read them.
CHECKER_FILES = ["site/**/*.pyi", "site/**/py.typed", "site/*.dist-info/licenses/**"]
CHECKERS = ("ast_serialize", "mypy")


def package_name(distribution: str) -> str:
    """Bazel package of a distribution: lower case, underscores."""
    return re.sub(r"[-_.]+", "_", distribution).lower()


def requirements(metadata: str) -> list[str]:
    """Packages that a wheel's METADATA asks for unconditionally of extras."""
    names = []
    for line in metadata.splitlines():
        if not line:
            break
        if line.startswith("Requires-Dist:") and "extra ==" not in line:
            match = re.match(r"Requires-Dist:\s*([A-Za-z0-9._-]+)", line)
            if match:
                names.append(package_name(match.group(1)))
    return sorted(set(names))


def destination(member: str) -> PurePosixPath | None:
    """Where a wheel's file goes inside its package, None for one that is left out."""
    path = PurePosixPath(member)
    if ".." in path.parts or path.is_absolute():
        raise SystemExit(f"unsafe path in wheel: {member}")
    if path.parts[0].endswith(".data"):
        kind, rest = path.parts[1], PurePosixPath(*path.parts[2:])
        if kind in ("purelib", "platlib"):
            return "site" / rest
        return "bin" / rest if kind == "scripts" else None
    if path.parts[0].endswith(".dist-info") and path.name in ("RECORD", "INSTALLER"):
        return None
    return "site" / path


def unpack(wheel: Path, known: set[str]) -> None:
    """Unpack one wheel and write its BUILD file."""
    name = package_name(wheel.name.split("-")[0])
    package = Path(name)
    deps: list[str] = []
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            target = None if info.is_dir() else destination(info.filename)
            if target is None:
                continue
            if target.name == "METADATA" and target.parent.name.endswith(".dist-info"):
                deps = requirements(archive.read(info).decode())
            out = package / target
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(archive.read(info))
            if target.parts[0] == "bin" or info.external_attr >> 16 & 0o111:
                out.chmod(0o755)
    data = [] if name in CHECKERS else CHECKER_FILES
    head, body = BUILD.split("\npy_library", 1)
    text = (
        head
        + CONSTANTS.format(data=_starlark(data))
        + "\npy_library"
        + body.format(
            name=name,
            binaries=', "bin/**"' if (package / "bin").is_dir() else "",
            deps=_starlark([f"//{d}" for d in deps if d in known and d != name]),
        )
    )
    (package / "BUILD").write_text(text)


def _starlark(strings: list[str]) -> str:
    return "[" + ", ".join(f'"{s}"' for s in strings) + "]"


def main() -> None:
    """Unpack every wheel of the folder named on the command line."""
    wheels = sorted(Path(sys.argv[1]).glob("*.whl"))
    known = {package_name(w.name.split("-")[0]) for w in wheels} | set(sys.argv[2:])
    for wheel in wheels:
        unpack(wheel, known)


main()
