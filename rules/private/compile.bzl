"""The compile action: what edgetpu_model, edgetpu_cocompile_group and edgetpu_pipeline have in common."""

load("//rules:providers.bzl", "EdgeTpuGroupInfo", "EdgeTpuModelInfo", "EdgeTpuPipelineInfo")
load(":options.bzl", "option_arguments", "runtime_version")

TOOLCHAIN_TYPE = "@rules_edgetpu//rules:toolchain_type"
SUFFIX = "_edgetpu"

COMPILE_ATTRS = {
    "_token_reader": attr.label(
        cfg = "exec",
        default = "//rules/private:read_token",
        executable = True,
    ),
}

def input_named(ctx, source, stem):
    """The source under the name `<stem>.tflite`: the compiler names its files after its input.

    Args:
      ctx: of the rule.
      source: File.
      stem: name without suffix.

    Returns:
      A File.
    """
    if source.basename == stem + ".tflite":
        return source
    named = ctx.actions.declare_file("%s.input/%s.tflite" % (ctx.label.name, stem))
    ctx.actions.symlink(output = named, target_file = source)
    return named

def check_plain_source(ctx, target):
    """Fails if a source is a compiled model.

    Args:
      ctx: of the rule.
      target: what an attribute for sources names.
    """
    if EdgeTpuPipelineInfo in target:
        fail(("%s: %s is a pipeline. Its segments run on several Edge TPUs, and what is co-compiled shares one: " +
              "compile the model either way") % (ctx.label, target.label))
    if EdgeTpuModelInfo in target or EdgeTpuGroupInfo in target:
        fail("%s: %s is compiled already. Give the .tflite model that it is made from" % (ctx.label, target.label))

def _declared(ctx, compiler, compiled, log, source, group):
    """EdgeTpuModelInfo of a model to compile, and its outputs that are not declared yet."""
    stem = compiled.basename[:-len(".tflite")]
    manifest = ctx.actions.declare_file(stem + ".json", sibling = compiled) if compiler.writes_manifest else None
    return EdgeTpuModelInfo(
        compiled = compiled,
        group = group,
        log = log,
        manifest = manifest,
        min_runtime_version = runtime_version(ctx),
        source = source,
        token = _read_token(ctx, compiled, stem),
    )

def _read_token(ctx, compiled, stem):
    token = ctx.actions.declare_file(stem + ".token", sibling = compiled)
    ctx.actions.run(
        executable = ctx.executable._token_reader,
        arguments = [compiled.path, token.path],
        inputs = [compiled],
        outputs = [token],
        env = ctx.toolchains[TOOLCHAIN_TYPE].edgetpu.env,
        mnemonic = "EdgeTpuToken",
        progress_message = "Reading the caching token of %s" % compiled.short_path,
    )
    return token

def compile_models(ctx, inputs, outputs, arguments = [], extra_outputs = [], group = None):
    """Compiles models in one action.

    Args:
      ctx: of a rule with OPTION_ATTRS and COMPILE_ATTRS.
      inputs: models, named after their outputs, in priority order.
      outputs: (compiled, log, source) of each compiled model.
      arguments: further arguments.
      extra_outputs: further files that the action writes into the folder of the others.
      group: label for EdgeTpuModelInfo.group.

    Returns:
      A list of EdgeTpuModelInfo, one for each of `outputs`.
    """
    compiler = ctx.toolchains[TOOLCHAIN_TYPE].edgetpu
    models = [_declared(ctx, compiler, compiled, log, source, group) for compiled, log, source in outputs]
    args = ctx.actions.args()
    args.add_all(option_arguments(ctx, compiler) + arguments)
    if compiler.writes_manifest:
        args.add("--report", "json")
    args.add("--out_dir", outputs[0][0].dirname)
    args.add_all(inputs)
    requirements = {}
    if compiler.supports_workers:
        args.use_param_file("@%s", use_always = True)
        args.set_param_file_format("multiline")
        requirements = {"requires-worker-protocol": "proto", "supports-workers": "1"}
    made = [[model.compiled, model.log] + ([model.manifest] if model.manifest else []) for model in models]
    ctx.actions.run(
        executable = compiler.compiler,
        arguments = ([compiler.action_flag] if compiler.action_flag else []) + [args],
        inputs = depset(inputs, transitive = [compiler.inputs]),
        outputs = [file for files in made for file in files] + extra_outputs,
        env = compiler.env,
        execution_requirements = requirements,
        mnemonic = "EdgeTpuCompile",
        progress_message = "Compiling %s for the Edge TPU" % ctx.label,
    )
    return models

def model_providers(ctx, models):
    """DefaultInfo and OutputGroupInfo of compiled models.

    Args:
      ctx: of the rule.
      models: list of EdgeTpuModelInfo.

    Returns:
      A list of providers.
    """
    compiled = [model.compiled for model in models]
    return [
        DefaultInfo(files = depset(compiled), runfiles = ctx.runfiles(compiled)),
        OutputGroupInfo(
            log = depset([model.log for model in models]),
            manifest = depset([model.manifest for model in models if model.manifest]),
            token = depset([model.token for model in models]),
        ),
    ]
