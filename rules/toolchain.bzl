"""The toolchain type `//rules:toolchain_type`: the compiler is exchangeable.

Any program that takes the arguments of `edgetpu_compiler` and writes the same files can be registered.
"""

EdgeTpuCompilerInfo = provider(
    doc = "A compiler for the Edge TPU.",
    fields = {
        "action_flag": "string: first argument of a compile action; may be empty.",
        "compiler": "FilesToRunProvider: the program.",
        "emulates_releases": "list of string: values allowed for `--emulate_release`; empty: it has no such option.",
        "env": "dict: environment of a compile action.",
        "inputs": "depset of File: further inputs of every compile action.",
        "partitioners": "list of string: how it can cut a model into segments.",
        "supports_workers": "bool: whether it is a persistent worker.",
        "writes_manifest": "bool: whether it has the option `--report json`.",
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
    if ctx.attr.supports_workers and not ctx.attr.action_flag:
        fail("%s: supports_workers needs an action_flag, by which the program knows that it is one" % ctx.label)
    return [platform_common.ToolchainInfo(edgetpu = EdgeTpuCompilerInfo(
        action_flag = ctx.attr.action_flag,
        compiler = ctx.attr.compiler[DefaultInfo].files_to_run,
        emulates_releases = ctx.attr.emulates_releases,
        env = _PYTHON_ENV,
        inputs = depset(ctx.files.records),
        partitioners = ctx.attr.partitioners,
        supports_workers = ctx.attr.supports_workers,
        writes_manifest = ctx.attr.writes_manifest,
    ))]

edgetpu_toolchain = rule(
    doc = """Declares a compiler.

Wrap it in a `toolchain` of type `@rules_edgetpu//rules:toolchain_type` and register that, before the default one or with
`--extra_toolchains`. The program is called as

`edgetpu_compiler [action_flag] [options] --out_dir DIR MODEL...`

and writes `<stem>_edgetpu.tflite` and `<stem>_edgetpu.log` for each model, or for each segment with `--num_segments`.""",
    implementation = _edgetpu_toolchain_impl,
    attrs = {
        "action_flag": attr.string(
            doc = "First argument in a build, by which it keeps its console text back unless it fails and names no folders.",
        ),
        "compiler": attr.label(
            doc = "The program. It runs on the machine that builds.",
            cfg = "exec",
            executable = True,
            mandatory = True,
        ),
        "emulates_releases": attr.string_list(
            doc = "Vendor releases whose output it can write, if it has the option `--emulate_release`.",
        ),
        "partitioners": attr.string_list(
            doc = "How it can cut a model into segments: `parameter_count` is `--num_segments`; `profiling` is the option `--partitioner profiling` on top.",
            default = ["parameter_count"],
        ),
        "records": attr.label_list(
            doc = "Files that identify what the program runs on (an interpreter's version): a change means new compilations.",
            allow_files = True,
        ),
        "supports_workers": attr.bool(
            doc = "Whether it is a persistent worker (protobuf protocol), and takes `@FILE` for the lines of a file.",
        ),
        "writes_manifest": attr.bool(
            doc = "Whether it has the option `--report json`, which writes `<stem>_edgetpu.json`.",
        ),
    },
    provides = [platform_common.ToolchainInfo],
)
