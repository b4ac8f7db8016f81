"""edgetpu_bundle: packs compiled models for a firmware image."""

load("//rules:providers.bzl", "EdgeTpuPipelineInfo")
load(":collect.bzl", "compiled_models")

def _about(target, model):
    """What the bundle's manifest says of a model."""
    about = {
        "min_runtime_version": int(model.min_runtime_version) if model.min_runtime_version else None,
        "source": model.source.basename,
    }
    if EdgeTpuPipelineInfo in target:
        segments = target[EdgeTpuPipelineInfo].segments
        about["pipeline"] = target.label.name
        about["segment"] = segments.index(model)
        about["segments"] = len(segments)
    elif model.group:
        about["group"] = model.group.name
    return about

def _check_names(ctx, models):
    owners = {}
    for target, model in models:
        name = model.compiled.basename
        if name in owners:
            fail("%s: both %s and %s make a file %s" % (ctx.label, owners[name], target.label, name))
        owners[name] = target.label

def _edgetpu_bundle_impl(ctx):
    models = [(target, model) for target in ctx.attr.models for model in compiled_models(ctx, target)]
    if not models:
        fail("%s: models is empty" % ctx.label)
    _check_names(ctx, models)
    prefix = ctx.attr.prefix
    if [part for part in prefix.split("/") if part in [".", ".."]] or prefix.startswith("/"):
        fail("%s: prefix = %r, but it is a folder inside the bundle" % (ctx.label, prefix))
    is_tar = ctx.attr.format == "tar"
    output = ctx.actions.declare_file(ctx.label.name + ".tar") if is_tar else ctx.actions.declare_directory(ctx.label.name)
    specification = ctx.actions.declare_file(ctx.label.name + ".bundle.json")
    ctx.actions.write(specification, json.encode({
        "format": ctx.attr.format,
        "models": [
            {"about": _about(target, model), "compiled": model.compiled.path, "token": model.token.path}
            for target, model in models
        ],
        "output": output.path,
        "prefix": prefix,
    }))
    ctx.actions.run(
        executable = ctx.executable._packer,
        arguments = [specification.path],
        inputs = [specification] + [file for _, model in models for file in [model.compiled, model.token]],
        outputs = [output],
        env = {"LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "1"},
        mnemonic = "EdgeTpuBundle",
        progress_message = "Packing %s" % ctx.label,
    )
    return [DefaultInfo(files = depset([output]), runfiles = ctx.runfiles([output]))]

edgetpu_bundle = rule(
    doc = """Packs compiled models and a manifest for a firmware image: a tar archive or a folder.

The result depends on the models and their names only, so the same sources give the same SHA-256 on every machine.
`models.json` beside the models lists for each `file`, `bytes`, `sha256`, `caching_token`, `min_runtime_version` (null: the compiler's
default), `source`, and `group`, or `pipeline`, `segment` and `segments`.

Example:
  ```starlark
  edgetpu_bundle(
      name = "image",
      models = [
          ":audio",  # a co-compile group: all of its models
          ":detector_pipeline",
      ],
      prefix = "usr/share/models",
  )
  ```""",
    implementation = _edgetpu_bundle_impl,
    attrs = {
        "format": attr.string(
            doc = "`tar`: the file `<name>.tar`. `directory`: the folder `<name>`.",
            default = "tar",
            values = ["tar", "directory"],
        ),
        "models": attr.label_list(
            doc = "Compiled models, co-compile groups and pipelines. Two files of one name are refused.",
            allow_files = [".tflite"],
            mandatory = True,
        ),
        "prefix": attr.string(
            doc = "Folder inside the bundle.",
        ),
        "_packer": attr.label(
            cfg = "exec",
            default = "//rules/private:make_bundle",
            executable = True,
        ),
    },
)
