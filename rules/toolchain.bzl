"""The toolchain type `//rules:toolchain_type`: the compiler is exchangeable.

Any program that takes the arguments of `edgetpu_compiler` (`-s`, `-m N`, `-o DIR`, the model last) and writes the
same two files can be registered.
"""

EdgeTpuCompilerInfo = provider(
    doc = "A compiler for the Edge TPU.",
    fields = {
        "compiler": "FilesToRunProvider: the program.",
        "emulates_releases": "list of string: values allowed for `--emulate_release`; empty: it has no such option.",
        "env": "dict: environment of a compile action.",
        "inputs": "depset of File: further inputs of every compile action.",
        "action_flag": "string: first argument of a compile action; may be empty.",
    },
)

# A compile action sees the wheels and the compiler, not the user's own packages, and nothing that varies.
_PYTHON_ENV = {
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONNOUSERSITE": "1",
    "PYTHONSAFEPATH": "1",
}

def _edgetpu_toolchain_impl(ctx):
    return [platform_common.ToolchainInfo(edgetpu = EdgeTpuCompilerInfo(
        compiler = ctx.attr.compiler[DefaultInfo].files_to_run,
        emulates_releases = ctx.attr.emulates_releases,
        env = _PYTHON_ENV,
        inputs = depset(ctx.files.records),
        action_flag = ctx.attr.action_flag,
    ))]

edgetpu_toolchain = rule(
    doc = "Declares a compiler. Wrap it in a `toolchain` of type `@rules_edgetpu//rules:toolchain_type` and register that.",
    implementation = _edgetpu_toolchain_impl,
    attrs = {
        "compiler": attr.label(
            doc = "The program. It runs on the machine that builds.",
            cfg = "exec",
            executable = True,
            mandatory = True,
        ),
        "emulates_releases": attr.string_list(
            doc = "Vendor releases whose output it can write, if it has the option `--emulate_release`.",
        ),
        "action_flag": attr.string(
            doc = "First argument in a build, by which it keeps its console text back unless it fails and names no folders.",
        ),
        "records": attr.label_list(
            doc = "Files that identify what the program runs on (an interpreter's version): a change means new compilations.",
            allow_files = True,
        ),
    },
    provides = [platform_common.ToolchainInfo],
)
