"""Commands of the compiler's package as binaries."""

load("@rules_python//python:py_binary.bzl", "py_binary")

_LAUNCHER = """\
import sys

from compiler.cli.{module} import main

sys.exit(main())
"""

def _launcher_impl(ctx):
    ctx.actions.write(ctx.outputs.out, _LAUNCHER.format(module = ctx.attr.module))

_launcher = rule(
    implementation = _launcher_impl,
    attrs = {
        "module": attr.string(mandatory = True),
        "out": attr.output(mandatory = True),
    },
)

def python_tool(name, module, deps):
    """The command whose `main` is in compiler/cli.

    Args:
      name: of the command.
      module: in compiler/cli, without suffix.
      deps: what it imports.
    """
    launcher = "launch_" + name + ".py"
    _launcher(
        name = name + "_launcher",
        module = module,
        out = launcher,
    )
    py_binary(
        name = name,
        srcs = [launcher],
        main = launcher,
        python_version = "PY3",
        deps = deps,
    )
