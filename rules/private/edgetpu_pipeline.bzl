"""edgetpu_pipeline: cuts a model into segments, one for each Edge TPU."""

load("//rules:providers.bzl", "EdgeTpuPipelineInfo")
load(":compile.bzl", "COMPILE_ATTRS", "SUFFIX", "TOOLCHAIN_TYPE", "check_plain_source", "compile_models", "input_named", "model_providers")
load(":edgetpu_model.bzl", "source_stem")
load(":edgetpu_part.bzl", "edgetpu_part")
load(":merge.bzl", "merged")
load(":options.bzl", "OPTION_ATTRS", "SEARCH_ATTRS", "version_text")

_MOST_SEGMENTS = 64

def _check(ctx, compiler):
    count = ctx.attr.num_segments
    if count < 2 or count > _MOST_SEGMENTS:
        fail("%s: num_segments = %d, but a pipeline has 2 to %d" % (ctx.label, count, _MOST_SEGMENTS))
    if ctx.attr.intermediate_tensors:
        fail("%s: segments cannot have intermediate_tensors: their outputs are what the next segment reads" % ctx.label)
    if ctx.attr.partitioner not in compiler.partitioners:
        fail("%s: partitioner = %r, but the registered compiler has: %s" %
             (ctx.label, ctx.attr.partitioner, ", ".join(compiler.partitioners)))

def _edgetpu_pipeline_impl(ctx):
    check_plain_source(ctx, ctx.attr.src)
    _check(ctx, ctx.toolchains[TOOLCHAIN_TYPE].edgetpu)
    arguments = ["--num_segments", str(ctx.attr.num_segments)]
    if ctx.attr.partitioner != "parameter_count":
        arguments += ["--partitioner", ctx.attr.partitioner]
    segments = compile_models(
        ctx,
        inputs = [input_named(ctx, ctx.file.src, ctx.attr.stem)],
        outputs = zip(ctx.outputs.compiled, ctx.outputs.logs, ctx.outputs.sources),
        arguments = arguments,
        extra_outputs = ctx.outputs.sources,
        group = ctx.label,
    )
    return model_providers(ctx, segments) + [
        EdgeTpuPipelineInfo(
            partitioner = ctx.attr.partitioner,
            segments = segments,
            source = ctx.file.src,
        ),
    ]

_edgetpu_pipeline = rule(
    doc = "Cuts a model into segments. See the macro `edgetpu_pipeline`.",
    implementation = _edgetpu_pipeline_impl,
    attrs = merged(OPTION_ATTRS, SEARCH_ATTRS, COMPILE_ATTRS, {
        "compiled": attr.output_list(
            doc = "The compiled segments, in order.",
        ),
        "intermediate_tensors": attr.string_list(
            doc = "Not allowed: here to say so.",
        ),
        "logs": attr.output_list(
            doc = "The compiler's log of each.",
        ),
        "num_segments": attr.int(
            doc = "How many segments.",
            mandatory = True,
        ),
        "partitioner": attr.string(
            doc = "How it is cut.",
            default = "parameter_count",
        ),
        "sources": attr.output_list(
            doc = "The segments as plain models.",
        ),
        "src": attr.label(
            doc = "The quantised TensorFlow Lite model.",
            allow_single_file = [".tflite"],
            mandatory = True,
        ),
        "stem": attr.string(
            doc = "Name of the model in the names of its segments.",
            mandatory = True,
        ),
    }),
    provides = [EdgeTpuPipelineInfo],
    toolchains = [TOOLCHAIN_TYPE],
)

def edgetpu_pipeline(name, src, num_segments, stem = None, partitioner = "parameter_count", min_runtime_version = None, **kwargs):
    """Cuts a model into segments that run one behind the other, each on an Edge TPU of its own.

    The files are `<stem>_segment_<i>_of_<n>_edgetpu.tflite`, in order. Each segment is a target of its own, too: `<name>_segment_<i>`, with
    the files and the provider that `edgetpu_model` has. `<stem>_segment_<i>_of_<n>.tflite` is the segment before compilation.

    Example:
      ```starlark
      edgetpu_pipeline(
          name = "detector_pipeline",
          src = "detector.tflite",
          num_segments = 2,
          partitioner = "profiling",
      )
      ```

    Args:
      name: name of the target that makes all segments.
      src: the `.tflite` model. It is in no co-compile group: a group shares one Edge TPU.
      num_segments: how many segments, 2 to 64.
      stem: name of the model in the names of the files. Default: that of the source.
      partitioner: `"parameter_count"`: segments with about the same amount of parameters. `"profiling"`: segments that take about the same
        time, by a search in which the compiler estimates the cycles of each; no device is asked, so the result is the same everywhere.
      min_runtime_version: the oldest Edge TPU runtime that must run it, 10 to 14. Default: as for `edgetpu_model`.
      **kwargs: the other options of `edgetpu_model` but `intermediate_tensors`, and what every rule takes. `tags`, `testonly` and
        `visibility` go to all targets.
    """
    stem = stem or source_stem(src)
    count = num_segments if num_segments >= 2 and num_segments <= _MOST_SEGMENTS else 0
    segments = ["%s_segment_%d_of_%d" % (stem, i, count) for i in range(count)]
    _edgetpu_pipeline(
        name = name,
        src = src,
        num_segments = num_segments,
        partitioner = partitioner,
        stem = stem,
        compiled = [segment + SUFFIX + ".tflite" for segment in segments],
        logs = [segment + SUFFIX + ".log" for segment in segments],
        sources = [segment + ".tflite" for segment in segments],
        min_runtime_version = version_text(min_runtime_version),
        **kwargs
    )
    common = {key: kwargs[key] for key in ["tags", "testonly", "visibility"] if key in kwargs}
    for index in range(count):
        edgetpu_part(
            name = "%s_segment_%d" % (name, index),
            index = index,
            whole = ":" + name,
            **common
        )
