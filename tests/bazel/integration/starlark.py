"""Checks of Starlark files that need no Bazel: what they load exists, and nothing they use is
missing in Bazel 4.2.3 or gone in Bazel 9."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_NAMES = ("BUILD", "MODULE.bazel", "WORKSPACE")
_SKIPPED = ("bazel-", ".")
# Workspaces of their own, with `//` for themselves.
_WORKSPACES = ("e2e/smoke", "examples/firmware_image", "examples/monorepo_release")
_COMPAT = "third_party/compat"
# What Bazel has built in, or writes: cannot be looked up.
_ELSEWHERE = ("@bazel_tools//", "@edgetpu_config//", "@models//")
_GONE = (
    "native.cc_binary",
    "native.cc_library",
    "native.java_library",
    "native.py_binary",
    "native.py_library",
    "native.py_test",
    "native.sh_binary",
    "native.sh_test",
    "native.repository_name",
    "ctx.new_file",
    "ctx.host_configuration",
    "ctx.resolve_tools",
)
"""Removed in some Bazel from 5 to 9."""
_NEW = ("Label.same_package_label", "native.package_relative_label", "config_common", "subrule")
"""Not there in 4.2.3."""
_NEW_ARGUMENTS = ("init", "initializer")
_MODULE_NAMES = ("module_extension", "set", "tag_class")
_LOADED_ONLY_BY_MODULES = ("rules/extensions.bzl",)


def starlark_files(root: Path) -> list[Path]:
    """All Starlark files of the repository."""
    found = [*root.rglob("*.bzl"), *(path for name in _NAMES for path in root.rglob(name))]
    return sorted(
        path
        for path in found
        if path.is_file()
        and not any(part.startswith(_SKIPPED) for part in path.relative_to(root).parts)
    )


def problems(root: Path) -> Iterator[str]:
    """Everything that is wrong, `file:line: what`."""
    for path in starlark_files(root):
        name = str(path.relative_to(root))
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            yield f"{name}:{error.lineno}: {error.msg}"
            continue
        for line, text in [*_load_problems(root, path, tree), *_use_problems(name, tree)]:
            yield f"{name}:{line}: {text}"


def _load_problems(root: Path, path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in tree.body:
        if not _is_call(node, "load"):
            continue
        call = node.value
        label, *names = (ast.literal_eval(argument) for argument in call.args)
        names += [ast.literal_eval(keyword.value) for keyword in call.keywords]
        if label.startswith(_ELSEWHERE):
            continue
        file = _resolve(root, path, label)
        if file is None or not file.is_file():
            yield node.lineno, f"{label} does not exist"
            continue
        known = _defined(file)
        for name in names:
            if name not in known:
                yield node.lineno, f"{label} does not define {name}"


def _is_call(node: ast.stmt, name: str) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == name
    )


def _resolve(root: Path, path: Path, label: str) -> Path | None:
    """The file of a label; other repositories are the stand-ins for them."""
    repository, _, rest = label.rpartition("//")
    package, _, name = rest.rpartition(":")
    if label.startswith(":"):
        return path.parent / name
    if repository == "@rules_edgetpu":
        return root / package / name
    if repository:
        return root / _COMPAT / repository.removeprefix("@") / package / name
    return _workspace(root, path) / package / name


def _workspace(root: Path, path: Path) -> Path:
    folders = [root / folder for folder in _WORKSPACES]
    if root / _COMPAT in path.parents:
        depth = len((root / _COMPAT).parts) + 1
        return Path(*path.parts[:depth])
    return next((folder for folder in folders if folder in path.parents), root)


def _defined(file: Path) -> set[str]:
    """Top-level names of a .bzl file; what it loads is not one of them."""
    names: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def _use_problems(name: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    if name.startswith(_COMPAT):
        return
    nested = _nested_functions(tree)
    for node in ast.walk(tree):
        if node in nested or isinstance(node, ast.Lambda):
            yield node.lineno, "a function inside a function is missing in Bazel 4.2.3"
        elif isinstance(node, ast.Name) and node.id in _MODULE_NAMES:
            if name not in _LOADED_ONLY_BY_MODULES:
                yield node.lineno, f"{node.id} is missing in Bazel 4.2.3"
        elif isinstance(node, ast.expr | ast.keyword) and (text := _use_problem(node)):
            yield node.lineno, text


def _nested_functions(tree: ast.Module) -> set[ast.AST]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inner = (child for node in functions for part in node.body for child in ast.walk(part))
    return {node for node in inner if isinstance(node, ast.FunctionDef)}


def _use_problem(node: ast.expr | ast.keyword) -> str:
    """What is wrong with one expression, or argument of a call."""
    if isinstance(node, ast.Attribute):
        text = ast.unparse(node)
        if text in _GONE:
            return f"{text} is gone in newer Bazel"
        return f"{text} is missing in Bazel 4.2.3" if text in _NEW else ""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return "| for dicts is missing in Bazel 4.2.3"
    if isinstance(node, ast.keyword) and node.arg in _NEW_ARGUMENTS:
        return f"the argument {node.arg} is missing in Bazel 4.2.3"
    if isinstance(node, ast.keyword) and node.arg == "cfg":
        is_host = isinstance(node.value, ast.Constant) and node.value.value == "host"
        return 'cfg = "host" is gone in newer Bazel' if is_host else ""
    return ""
