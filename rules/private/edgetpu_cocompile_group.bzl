"""edgetpu_cocompile_group: compiles models together for one Edge TPU."""

load("//rules:providers.bzl", "EdgeTpuGroupInfo")
load(":compile.bzl", "COMPILE_ATTRS", "SUFFIX", "TOOLCHAIN_TYPE", "check_plain_source", "compile_models", "input_named", "model_providers")
load(":edgetpu_model.bzl", "source_stem")
load(":edgetpu_part.bzl", "edgetpu_part")
load(":merge.bzl", "merged")
load(":options.bzl", "OPTION_ATTRS", "version_text")

def _tensors_arguments(lists):
    return ["--intermediate_tensors", ":".join(lists)] if [names for names in lists if names] else []

def _edgetpu_cocompile_group_impl(ctx):
    for target in ctx.attr.models:
        check_plain_source(ctx, target)
    if ctx.attr.problem:
        fail("%s: %s" % (ctx.label, ctx.attr.problem))
    sources = ctx.files.models
    if len(sources) != len(ctx.attr.stems):
        fail("%s: each of models has to be one .tflite file" % ctx.label)
    models = compile_models(
        ctx,
        inputs = [input_named(ctx, source, stem) for source, stem in zip(sources, ctx.attr.stems)],
        outputs = zip(ctx.outputs.compiled, ctx.outputs.logs, sources),
        arguments = _tensors_arguments(ctx.attr.intermediate_tensors),
        group = ctx.label,
    )
    return model_providers(ctx, models) + [EdgeTpuGroupInfo(models = models)]

_edgetpu_cocompile_group = rule(
    doc = "Compiles models together. See the macro `edgetpu_cocompile_group`.",
    implementation = _edgetpu_cocompile_group_impl,
    attrs = merged(OPTION_ATTRS, COMPILE_ATTRS, {
        "compiled": attr.output_list(
            doc = "The compiled models.",
        ),
        "intermediate_tensors": attr.string_list(
            doc = "The names for each model, separated by commas.",
        ),
        "logs": attr.output_list(
            doc = "The compiler's log of each.",
        ),
        "models": attr.label_list(
            doc = "The quantised TensorFlow Lite models, those first that shall get memory first.",
            allow_files = [".tflite"],
            mandatory = True,
        ),
        "problem": attr.string(
            doc = "What the macro has found to be wrong.",
        ),
        "stems": attr.string_list(
            doc = "Names of the models' files without suffix.",
        ),
    }),
    provides = [EdgeTpuGroupInfo],
    toolchains = [TOOLCHAIN_TYPE],
)

def _makers():
    """What makes the compiled files of this package: {file: (kind of rule, its name)}."""
    makers = {}
    for name, rule in native.existing_rules().items():
        if rule["kind"].startswith("_edgetpu_"):
            outputs = rule.get("compiled")
            for output in outputs if type(outputs) in ["list", "tuple"] else [outputs]:
                makers[str(output).split(":")[-1]] = (rule["kind"], name)
    return makers

def _problem(named, names, tensors):
    """What is wrong with a group's models, empty if nothing is."""
    if len(names) < 2:
        return "a co-compile group has at least two models, this one has %d" % len(names)
    makers = _makers()
    for i, stem in enumerate(names):
        if stem in names[:i]:
            return "two of its models are written to %s%s.tflite. Give them names: models = {NAME: SRC}" % (stem, SUFFIX)
    for i, stem in enumerate(names):
        kind, owner = makers.get(stem + SUFFIX + ".tflite", ("", ""))
        if kind == "_edgetpu_cocompile_group":
            return ("the model %s is in the group %s, too. A model has one caching token, so it is in one group" %
                    (named[i], owner))
        if owner:
            return "%s%s.tflite is made by %s, too. A model is compiled alone or in a group" % (stem, SUFFIX, owner)
    unknown = [key for key in tensors if key not in names]
    if unknown:
        return "intermediate_tensors = {%r: ...}, but its models are: %s" % (unknown[0], ", ".join(names))
    return ""

def edgetpu_cocompile_group(name, models, intermediate_tensors = {}, min_runtime_version = None, **kwargs):
    """Compiles models together, so that their parameters stay in the memory of one Edge TPU side by side.

    One action makes all of them; they have one caching token. Each is a target of its own: `<stem>_edgetpu`, with the files and the provider
    that `edgetpu_model` has. The group's own files are all compiled models.

    Use it for models that run in turn on one Edge TPU. Models that run on separate Edge TPUs are better compiled alone: together, each keeps
    room for the others.

    Example:
      ```starlark
      edgetpu_cocompile_group(
          name = "audio",
          models = [
              "keyword.tflite",  # gets memory first
              "speaker.tflite",
          ],
      )
      ```

    Args:
      name: name of the target that makes all of them.
      models: the `.tflite` models, those first that shall get memory first: a list, or a dict `{NAME: SRC}` for targets and files that are
        called `NAME_edgetpu`. Each is a plain model; no pipeline, and in no other group.
      intermediate_tensors: `{NAME: [tensors]}`: tensors that become outputs of the Edge TPU operator; what follows them runs on the CPU.
      min_runtime_version: the oldest Edge TPU runtime that must run them, 10 to 14. Default: as for `edgetpu_model`.
      **kwargs: `emulate_release`, `enable_multiple_subgraphs`, `timeout_sec`, `show_operations`, and what every rule takes. `tags`,
        `testonly` and `visibility` go to all targets.
    """
    is_named = type(models) == "dict"
    sources = [models[key] for key in models] if is_named else models
    names = [key for key in models] if is_named else [source_stem(model) for model in models]
    problem = _problem(sources, names, intermediate_tensors)
    made = [] if problem else names
    _edgetpu_cocompile_group(
        name = name,
        models = sources,
        problem = problem,
        stems = names,
        compiled = [stem + SUFFIX + ".tflite" for stem in made],
        logs = [stem + SUFFIX + ".log" for stem in made],
        intermediate_tensors = [",".join(intermediate_tensors.get(stem, [])) for stem in names],
        min_runtime_version = version_text(min_runtime_version),
        **kwargs
    )
    common = {key: kwargs[key] for key in ["tags", "testonly", "visibility"] if key in kwargs}
    for index, stem in enumerate(made):
        edgetpu_part(
            name = stem + SUFFIX,
            index = index,
            whole = ":" + name,
            **common
        )
