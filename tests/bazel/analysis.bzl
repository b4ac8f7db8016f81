"""Analysis tests: what a target's action is, and what is refused."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//rules:defs.bzl", "EdgeTpuGroupInfo", "EdgeTpuModelInfo", "EdgeTpuPipelineInfo")

def _compile_action(env):
    actions = [a for a in analysistest.target_actions(env) if a.mnemonic == "EdgeTpuCompile"]
    asserts.equals(env, 1, len(actions), "compile actions")
    return actions[0]

def _option(argv, name):
    return argv[argv.index(name) + 1] if name in argv else None

def _names(files):
    return sorted([file.basename for file in files])

def _models(target):
    if EdgeTpuGroupInfo in target:
        return target[EdgeTpuGroupInfo].models
    if EdgeTpuPipelineInfo in target:
        return target[EdgeTpuPipelineInfo].segments
    return [target[EdgeTpuModelInfo]]

def _check_groups(env, target, stems, models):
    """The files of the default output, of the output groups and of the providers are the same."""
    groups = {
        ".json": (target[OutputGroupInfo].manifest.to_list(), [model.manifest for model in models]),
        ".log": (target[OutputGroupInfo].log.to_list(), [model.log for model in models]),
        ".tflite": (target[DefaultInfo].files.to_list(), [model.compiled for model in models]),
        ".token": (target[OutputGroupInfo].token.to_list(), [model.token for model in models]),
    }
    for suffix, (files, provided) in groups.items():
        expected = [stem + suffix for stem in stems]
        asserts.equals(env, expected, [file.basename for file in files], "files " + suffix)
        asserts.equals(env, expected, [file.basename for file in provided], "provided " + suffix)

def _contract_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    action = _compile_action(env)
    stems = ctx.attr.stems
    expected = [stem + suffix for stem in stems for suffix in [".json", ".log", ".tflite"]] + ctx.attr.further_outputs
    asserts.equals(env, sorted(expected), _names(action.outputs.to_list()), "outputs")
    for option, value in ctx.attr.options.items():
        asserts.equals(env, value or None, _option(action.argv, option), option)
    for flag in ctx.attr.flags:
        asserts.true(env, flag in action.argv, flag)
    inputs = [argument.rpartition("/")[2] for argument in action.argv if argument.endswith(".tflite")]
    asserts.equals(env, ctx.attr.inputs, inputs, "models on the command line")
    models = _models(target)
    _check_groups(env, target, stems, models)
    for model in models:
        asserts.equals(env, ctx.attr.options.get("--min_runtime_version", ""), model.min_runtime_version)
        asserts.equals(env, len(models) > 1, model.group != None, "group")
    return analysistest.end(env)

_CONTRACT = {
    "flags": attr.string_list(doc = "Options without a value."),
    "further_outputs": attr.string_list(doc = "What the action makes besides compiled models, logs and manifests."),
    "inputs": attr.string_list(doc = "Names of the models on the command line."),
    "options": attr.string_dict(doc = "Option of the command line to its value; empty: not given."),
    "stems": attr.string_list(doc = "The compiled models, without suffix."),
}

contract_test = analysistest.make(
    _contract_test_impl,
    attrs = _CONTRACT,
)

# As a team's .bazelrc would have it.
with_settings_test = analysistest.make(
    _contract_test_impl,
    attrs = _CONTRACT,
    config_settings = {
        "//rules:emulate_release": "15.0",
        "//rules:min_runtime_version": "11",
    },
)

def _hermetic_test_impl(ctx):
    env = analysistest.begin(ctx)
    action = _compile_action(env)
    inputs = _names(action.inputs.to_list())
    asserts.true(env, "interpreter.txt" in inputs, "the interpreter's version is an input")
    asserts.true(env, "dense.tflite" in inputs, "the model is an input")
    for variable in ["PYTHONSAFEPATH", "PYTHONNOUSERSITE", "PYTHONHASHSEED"]:
        asserts.true(env, variable in action.env, variable)
    for argument in action.argv:
        asserts.false(env, argument.startswith("/"), "absolute path in the action: " + argument)
    return analysistest.end(env)

hermetic_test = analysistest.make(_hermetic_test_impl)

def _part_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    model = target[EdgeTpuModelInfo]
    asserts.equals(env, 0, len(analysistest.target_actions(env)), "actions of its own")
    asserts.equals(env, ctx.attr.whole, model.group.name, "group")
    _check_groups(env, target, [ctx.attr.stem], [model])
    return analysistest.end(env)

part_test = analysistest.make(
    _part_test_impl,
    attrs = {
        "stem": attr.string(doc = "The compiled model, without suffix."),
        "whole": attr.string(doc = "Name of its group or pipeline."),
    },
)

def _refused_test_impl(ctx):
    env = analysistest.begin(ctx)
    asserts.expect_failure(env, ctx.attr.message)
    return analysistest.end(env)

_REFUSED = {"message": attr.string(mandatory = True, doc = "Part of the error.")}

_refused_test = analysistest.make(
    _refused_test_impl,
    attrs = _REFUSED,
    expect_failure = True,
)

setting_refused_test = analysistest.make(
    _refused_test_impl,
    attrs = _REFUSED,
    config_settings = {"//rules:min_runtime_version": "9"},
    expect_failure = True,
)

other_compiler_refused_test = analysistest.make(
    _refused_test_impl,
    attrs = _REFUSED,
    config_settings = {"//command_line_option:extra_toolchains": "//tests/bazel:other_toolchain"},
    expect_failure = True,
)

def refused(name, message, rule, subject = None, test = _refused_test, **kwargs):
    """A target that must fail with a message, and the test that it does.

    Args:
      name: name of the test.
      message: part of the error.
      rule: makes the target.
      subject: what is to fail, if it is not the target itself.
      test: analysis test.
      **kwargs: attributes of the target.
    """
    target = name + "_subject"
    rule(name = target, tags = ["manual"], **kwargs)
    test(
        name = name,
        message = message,
        target_under_test = subject or target,
    )
