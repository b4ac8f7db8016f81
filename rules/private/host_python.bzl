"""Repository rule that finds the host's Python and records which one it is."""

_CANDIDATES = ["python3", "python3.13", "python3.12", "python3.11"]

# Prints the interpreter's own path (not that of a launcher script in front of it).
_PROBE = """
import sys
assert sys.version_info >= (3, 11), "older than Python 3.11"
import pip
print(sys.executable)
"""

_BUILD = """# Written by rules_edgetpu//rules/private:host_python.bzl.
exports_files(["interpreter.txt", "interpreter_path.txt"], visibility = ["//visibility:public"])
"""

_TOOLCHAIN = """
load("@bazel_tools//tools/python:toolchain.bzl", "py_runtime_pair")

py_runtime(
    name = "runtime",
    interpreter_path = "{path}",
    python_version = "PY3",
    stub_shebang = "#!{path}",
)

py_runtime_pair(
    name = "runtime_pair",
    py3_runtime = ":runtime",
)

toolchain(
    name = "py_toolchain",
    toolchain = ":runtime_pair",
    toolchain_type = "@bazel_tools//tools/python:toolchain_type",
    visibility = ["//visibility:public"],
)
"""

def _candidates(rctx):
    chosen = rctx.os.environ.get("EDGETPU_PYTHON")
    if chosen:
        return [chosen]
    found = [str(rctx.which(name)) for name in _CANDIDATES if rctx.which(name)]

    # Behind a launcher of the user's own, the system's interpreter.
    return found + ["/usr/bin/python3"]

def _host_python_impl(rctx):
    refusals = []
    path = None
    for candidate in _candidates(rctx):
        probe = rctx.execute([candidate, "-c", _PROBE])
        if probe.return_code == 0:
            path = probe.stdout.strip()
            break
        reason = probe.stderr.strip().split("\n")[-1]
        refusals.append("%s: %s" % (candidate, reason))
    if not path:
        fail("No Python 3.11 or later with pip was found. Set EDGETPU_PYTHON to one. Tried:\n  " + "\n  ".join(refusals))

    version = rctx.execute([path, "-VV"])
    rctx.file("interpreter.txt", version.stdout, executable = False)

    # The version, too: the wheels that pip_repository takes depend on it.
    rctx.file("interpreter_path.txt", path + "\n" + version.stdout, executable = False)
    build = _BUILD + (_TOOLCHAIN.format(path = path) if rctx.attr.toolchain else "")
    rctx.file("BUILD", build, executable = False)

host_python = repository_rule(
    doc = """Finds a Python of version 3.11 or later that has pip.

    `:interpreter.txt` holds its `-VV` line: an input of every compile action, so that a new interpreter
    means new actions. `:py_toolchain` is the toolchain to register.
    """,
    implementation = _host_python_impl,
    attrs = {
        "toolchain": attr.bool(default = True, doc = "Also define :py_toolchain (Bazel 4 and 5)."),
    },
    configure = True,
    environ = ["EDGETPU_PYTHON", "PATH"],
    local = True,
)
