"""edgetpu_model: compiles one model for the Edge TPU."""

load("//rules:providers.bzl", "EdgeTpuModelInfo")

_TOOLCHAIN_TYPE = "@rules_edgetpu//rules:toolchain_type"
_RUNTIME_VERSIONS = ["10", "11", "12", "13", "14"]
_SUFFIX = "_edgetpu"

def _checked_runtime(ctx):
    version = ctx.attr.min_runtime_version
    if version and version not in _RUNTIME_VERSIONS:
        fail("%s: min_runtime_version = %s, but there are the runtimes %s" %
             (ctx.label, version, ", ".join(_RUNTIME_VERSIONS)))
    return version

def _checked_release(ctx, compiler):
    release = ctx.attr.emulate_release
    if release and release not in compiler.emulates_releases:
        fail("%s: emulate_release = %r, but the registered compiler can write: %s" %
             (ctx.label, release, ", ".join(compiler.emulates_releases) or "no release by name"))
    return release

def _input_named(ctx, stem):
    """The source under the name `<stem>.tflite`: the compiler names its files after its input."""
    source = ctx.file.src
    if source.basename == stem + ".tflite":
        return source
    named = ctx.actions.declare_file("%s.input/%s.tflite" % (ctx.label.name, stem))
    ctx.actions.symlink(output = named, target_file = source)
    return named

def _edgetpu_model_impl(ctx):
    compiler = ctx.toolchains[_TOOLCHAIN_TYPE].edgetpu
    release = _checked_release(ctx, compiler)
    runtime = _checked_runtime(ctx)
    compiled = ctx.outputs.compiled
    log = ctx.outputs.log
    if not compiled.basename.endswith(_SUFFIX + ".tflite"):
        fail("%s: out = %r, but the compiler's files end in %s.tflite" % (ctx.label, compiled.basename, _SUFFIX))
    source = _input_named(ctx, compiled.basename[:-len(_SUFFIX + ".tflite")])

    args = ctx.actions.args()
    if compiler.action_flag:
        args.add(compiler.action_flag)
    if ctx.attr.show_operations:
        args.add("--show_operations")
    if runtime:
        args.add("--min_runtime_version", runtime)
    if release:
        args.add("--emulate_release", release)
    args.add("--out_dir", compiled.dirname)
    args.add(source)

    ctx.actions.run(
        executable = compiler.compiler,
        arguments = [args],
        inputs = depset([source], transitive = [compiler.inputs]),
        outputs = [compiled, log],
        env = compiler.env,
        mnemonic = "EdgeTpuCompile",
        progress_message = "Compiling %s for the Edge TPU" % ctx.label,
    )
    return [
        DefaultInfo(files = depset([compiled]), runfiles = ctx.runfiles([compiled])),
        OutputGroupInfo(log = depset([log])),
        EdgeTpuModelInfo(
            compiled = compiled,
            log = log,
            min_runtime_version = runtime,
            source = ctx.file.src,
        ),
    ]

_edgetpu_model = rule(
    doc = "Compiles one model for the Edge TPU. See the macro `edgetpu_model`.",
    implementation = _edgetpu_model_impl,
    attrs = {
        "compiled": attr.output(
            doc = "The compiled model.",
            mandatory = True,
        ),
        "emulate_release": attr.string(
            doc = "Write what this vendor release wrote (\"16.0\", \"15.0\"). Empty: the compiler's default.",
        ),
        "log": attr.output(
            doc = "The compiler's log.",
            mandatory = True,
        ),
        "min_runtime_version": attr.string(
            doc = "The oldest Edge TPU runtime that must run the model. Empty: the compiler's default.",
        ),
        "show_operations": attr.bool(
            doc = "Also print the table of operations on the console.",
        ),
        "src": attr.label(
            doc = "The quantised TensorFlow Lite model.",
            allow_single_file = [".tflite"],
            mandatory = True,
        ),
    },
    provides = [EdgeTpuModelInfo],
    toolchains = [_TOOLCHAIN_TYPE],
)

def _stem(name, src, out):
    if out:
        return out[:-len(".tflite")] if out.endswith(".tflite") else out
    file = str(src).split(":")[-1].split("/")[-1]
    stem = file[:-len(".tflite")] if file.endswith(".tflite") else name
    return stem if stem.endswith(_SUFFIX) else stem + _SUFFIX

def edgetpu_model(name, src, out = None, min_runtime_version = None, **kwargs):
    """Compiles one quantised TensorFlow Lite model for the Edge TPU.

    The target's file is the compiled model, `<stem>_edgetpu.tflite`; its output group `log` and the label
    `<stem>_edgetpu.log` are the compiler's log.

    Args:
      name: name of the target.
      src: the `.tflite` model.
      out: name of the compiled model, to compile one source with different options in one package. It ends in
        `_edgetpu.tflite`. Default: after the source.
      min_runtime_version: the oldest Edge TPU runtime that must run it, 10 to 14. Default: the compiler's.
      **kwargs: `emulate_release`, `show_operations`, and what every rule takes (`tags`, `visibility`, ...).
    """
    stem = _stem(name, src, out)
    _edgetpu_model(
        name = name,
        src = src,
        compiled = out or stem + ".tflite",
        log = stem + ".log",
        min_runtime_version = "" if min_runtime_version == None else str(min_runtime_version),
        **kwargs
    )
