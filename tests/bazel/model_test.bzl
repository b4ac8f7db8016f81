"""Analysis tests of edgetpu_model: its action, its outputs, and what it refuses."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//rules:defs.bzl", "EdgeTpuModelInfo", "edgetpu_model")

def _compile_action(env):
    actions = [a for a in analysistest.target_actions(env) if a.mnemonic == "EdgeTpuCompile"]
    asserts.equals(env, 1, len(actions), "compile actions")
    return actions[0]

def _option(argv, name):
    return argv[argv.index(name) + 1] if name in argv else None

def _contract_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    action = _compile_action(env)
    outputs = [file.basename for file in action.outputs.to_list()]
    asserts.equals(env, ctx.attr.outputs, sorted(outputs), "outputs")
    for option, value in ctx.attr.options.items():
        asserts.equals(env, value or None, _option(action.argv, option), option)
    files = [file.basename for file in target[DefaultInfo].files.to_list()]
    asserts.equals(env, ctx.attr.outputs[1:], files, "default output")
    log = [file.basename for file in target[OutputGroupInfo].log.to_list()]
    asserts.equals(env, ctx.attr.outputs[:1], log, "output group log")
    asserts.equals(env, ctx.attr.outputs[1], target[EdgeTpuModelInfo].compiled.basename)
    return analysistest.end(env)

_contract_test = analysistest.make(
    _contract_test_impl,
    attrs = {
        "options": attr.string_dict(doc = "Option of the command line to its value; empty: not given."),
        "outputs": attr.string_list(doc = "The log and the compiled model."),
    },
)

def _hermetic_test_impl(ctx):
    env = analysistest.begin(ctx)
    action = _compile_action(env)
    inputs = [file.basename for file in action.inputs.to_list()]
    asserts.true(env, "interpreter.txt" in inputs, "the interpreter's version is an input")
    asserts.true(env, "dense.tflite" in inputs, "the model is an input")
    for variable in ["PYTHONSAFEPATH", "PYTHONNOUSERSITE", "PYTHONHASHSEED"]:
        asserts.true(env, variable in action.env, variable)
    for argument in action.argv:
        asserts.false(env, argument.startswith("/"), "absolute path in the action: " + argument)
    return analysistest.end(env)

_hermetic_test = analysistest.make(_hermetic_test_impl)

def _refused_test_impl(ctx):
    env = analysistest.begin(ctx)
    asserts.expect_failure(env, ctx.attr.message)
    return analysistest.end(env)

_refused_test = analysistest.make(
    _refused_test_impl,
    attrs = {"message": attr.string(mandatory = True, doc = "Part of the error.")},
    expect_failure = True,
)

def _refused(name, message, **kwargs):
    """One edgetpu_model that must fail with `message`."""
    edgetpu_model(
        name = name + "_subject",
        testonly = True,
        out = kwargs.pop("out", name + "_edgetpu.tflite"),
        tags = ["manual"],
        **kwargs
    )
    _refused_test(
        name = name,
        message = message,
        target_under_test = name + "_subject",
    )

def model_tests(name, src):
    """Declares the analysis tests of edgetpu_model.

    Args:
      name: name of a suite of them all.
      src: a model named dense.tflite.
    """
    edgetpu_model(
        name = "defaults",
        testonly = True,
        src = src,
        tags = ["manual"],
    )
    _contract_test(
        name = "defaults_test",
        options = {
            "--emulate_release": "",
            "--min_runtime_version": "",
        },
        outputs = ["dense_edgetpu.log", "dense_edgetpu.tflite"],
        target_under_test = "defaults",
    )
    _hermetic_test(
        name = "hermetic_test",
        target_under_test = "defaults",
    )
    edgetpu_model(
        name = "runtime12",
        testonly = True,
        src = src,
        out = "dense_runtime12_edgetpu.tflite",
        emulate_release = "15.0",
        min_runtime_version = 12,
        tags = ["manual"],
    )
    _contract_test(
        name = "options_test",
        options = {
            "--emulate_release": "15.0",
            "--min_runtime_version": "12",
        },
        outputs = ["dense_runtime12_edgetpu.log", "dense_runtime12_edgetpu.tflite"],
        target_under_test = "runtime12",
    )
    _refused(
        name = "unknown_runtime_test",
        src = src,
        message = "min_runtime_version = 9, but there are the runtimes 10, 11, 12, 13, 14",
        min_runtime_version = 9,
    )
    _refused(
        name = "unknown_release_test",
        src = src,
        emulate_release = "3.1",
        message = "emulate_release = \"3.1\", but the registered compiler can write: 15.0, 16.0",
    )
    _refused(
        name = "output_name_test",
        src = src,
        message = "but the compiler's files end in _edgetpu.tflite",
        out = "fast.tflite",
    )
    _refused(
        name = "source_type_test",
        src = "make_dense.py",
        message = "expected .tflite",
    )
    native.test_suite(
        name = name,
        tests = [
            "defaults_test",
            "hermetic_test",
            "options_test",
            "output_name_test",
            "source_type_test",
            "unknown_release_test",
            "unknown_runtime_test",
        ],
    )
