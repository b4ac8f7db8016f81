"""Packages of the wheel; everything else is in pyproject.toml.

The folder `compiler/` is installed as `edgetpu_compiler`, a name of its own among packages.
"""

from setuptools import find_packages, setup

PACKAGE = "edgetpu_compiler"

setup(
    packages=[PACKAGE] + [f"{PACKAGE}.{name}" for name in find_packages("compiler")],
    package_dir={PACKAGE: "compiler"},
    package_data={"": ["*.json", "*.txt", "py.typed"]},
    # The default, "build", is the file BUILD where file names have no case.
    options={"build": {"build_base": "dist/build"}},
)
