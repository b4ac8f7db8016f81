"""edgetpu_model: compiles one model for the Edge TPU."""

load("//rules:providers.bzl", "EdgeTpuModelInfo")
load(":compile.bzl", "COMPILE_ATTRS", "SUFFIX", "TOOLCHAIN_TYPE", "check_plain_source", "compile_models", "input_named", "model_providers")
load(":merge.bzl", "merged")
load(":options.bzl", "OPTION_ATTRS", "SEARCH_ATTRS", "version_text")

def _edgetpu_model_impl(ctx):
    check_plain_source(ctx, ctx.attr.src)
    compiled = ctx.outputs.compiled
    if not compiled.basename.endswith(SUFFIX + ".tflite"):
        fail("%s: out = %r, but the compiler's files end in %s.tflite" % (ctx.label, compiled.basename, SUFFIX))
    tensors = ctx.attr.intermediate_tensors
    source = input_named(ctx, ctx.file.src, compiled.basename[:-len(SUFFIX + ".tflite")])
    models = compile_models(
        ctx,
        inputs = [source],
        outputs = [(compiled, ctx.outputs.log, ctx.file.src)],
        arguments = ["--intermediate_tensors", ",".join(tensors)] if tensors else [],
    )
    return model_providers(ctx, models) + models

_edgetpu_model = rule(
    doc = "Compiles one model for the Edge TPU. See the macro `edgetpu_model`.",
    implementation = _edgetpu_model_impl,
    attrs = merged(OPTION_ATTRS, SEARCH_ATTRS, COMPILE_ATTRS, {
        "compiled": attr.output(
            doc = "The compiled model.",
            mandatory = True,
        ),
        "intermediate_tensors": attr.string_list(
            doc = "Tensors that become outputs of the Edge TPU operator; what follows them runs on the CPU.",
        ),
        "log": attr.output(
            doc = "The compiler's log.",
            mandatory = True,
        ),
        "src": attr.label(
            doc = "The quantised TensorFlow Lite model.",
            allow_single_file = [".tflite"],
            mandatory = True,
        ),
    }),
    provides = [EdgeTpuModelInfo],
    toolchains = [TOOLCHAIN_TYPE],
)

def source_stem(src):
    """Name of a model without folder and suffix; of a rule's label the target's name.

    Args:
      src: a label or file name.

    Returns:
      A string.
    """
    file = str(src).split(":")[-1].split("/")[-1]
    return file[:-len(".tflite")] if file.endswith(".tflite") else file

def _stem(name, src, out):
    if out:
        return out[:-len(".tflite")] if out.endswith(".tflite") else out
    stem = source_stem(src) if str(src).endswith(".tflite") else name
    return stem if stem.endswith(SUFFIX) else stem + SUFFIX

def edgetpu_model(name, src, out = None, min_runtime_version = None, **kwargs):
    """Compiles one quantised TensorFlow Lite model for the Edge TPU.

    | what | where |
    |---|---|
    | compiled model | the target itself, and the label `<stem>_edgetpu.tflite` |
    | log | output group `log`, and the label `<stem>_edgetpu.log` |
    | manifest (JSON: operators with reasons, memory, hashes) | output group `manifest` |
    | caching token | output group `token` |
    | for rules | the provider `EdgeTpuModelInfo` |

    Example:
      ```starlark
      edgetpu_model(
          name = "detector_edgetpu",
          src = "detector.tflite",
          min_runtime_version = 13,
      )
      ```

    Args:
      name: name of the target.
      src: the `.tflite` model: a file, or a target that makes one.
      out: name of the compiled model, to compile one source with different options in one package. It ends in
        `_edgetpu.tflite`. Default: after the source.
      min_runtime_version: the oldest Edge TPU runtime that must run it, 10 to 14. Default: the build setting
        `@rules_edgetpu//rules:min_runtime_version`, else the compiler's.
      **kwargs: `emulate_release` ("16.0", "15.0"), `enable_multiple_subgraphs`, `intermediate_tensors` (list of names), `search_delegate`,
        `delegate_search_step`, `timeout_sec`, `show_operations`: the options of the command line; and what every rule takes
        (`tags`, `visibility`, ...).
    """
    stem = _stem(name, src, out)
    _edgetpu_model(
        name = name,
        src = src,
        compiled = out or stem + ".tflite",
        log = stem + ".log",
        min_runtime_version = version_text(min_runtime_version),
        **kwargs
    )
