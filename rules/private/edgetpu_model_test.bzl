"""edgetpu_model_test: what a compiled model must fulfil."""

load("@rules_python//python:py_test.bzl", "py_test")
load(":collect.bzl", "compiled_models")

_RUNNER = "@rules_edgetpu//rules/private:model_test_runner.py"

def _specification_impl(ctx):
    models = compiled_models(ctx, ctx.attr.model)
    if not models[0].manifest:
        fail("%s: %s was compiled by a compiler that writes no manifest, so there is nothing to check" %
             (ctx.label, ctx.attr.model.label))
    if ctx.attr.cpu_operators and not ctx.attr.all_mapped:
        fail("%s: cpu_operators are the exceptions of all_mapped = True" % ctx.label)
    if ctx.files.inputs and len(models) > 1:
        fail("%s: inputs compare one model, but %s are %d" % (ctx.label, ctx.attr.model.label, len(models)))
    if ctx.attr.max_difference and not ctx.files.inputs:
        fail("%s: max_difference has no effect without inputs" % ctx.label)
    if not (ctx.attr.all_mapped or ctx.attr.budgets or ctx.files.inputs):
        fail("%s checks nothing: give all_mapped, a limit or inputs" % ctx.label)
    output = ctx.actions.declare_file(ctx.label.name + ".json")
    ctx.actions.write(output, json.encode({
        "all_mapped": ctx.attr.all_mapped,
        "budgets": {name: int(limit) for name, limit in ctx.attr.budgets.items()},
        "cpu_operators": ctx.attr.cpu_operators,
        "inputs": [file.short_path for file in ctx.files.inputs],
        "max_difference": ctx.attr.max_difference,
        "models": [
            {
                "compiled": model.compiled.short_path,
                "manifest": model.manifest.short_path,
                "source": model.source.short_path,
            }
            for model in models
        ],
    }))
    read = [file for model in models for file in [model.compiled, model.manifest, model.source]]
    return [DefaultInfo(
        files = depset([output]),
        runfiles = ctx.runfiles([output] + read + ctx.files.inputs),
    )]

_specification = rule(
    doc = "What an edgetpu_model_test checks, as a file for its program.",
    implementation = _specification_impl,
    attrs = {
        "all_mapped": attr.bool(
            doc = "Whether operators on the CPU are failures.",
        ),
        "budgets": attr.string_dict(
            doc = "Limits by name.",
        ),
        "cpu_operators": attr.string_list(
            doc = "Operators that may run on the CPU nevertheless.",
        ),
        "inputs": attr.label_list(
            doc = "Input arrays.",
            allow_files = [".npy"],
        ),
        "max_difference": attr.int(
            doc = "Largest allowed difference of an output value.",
        ),
        "model": attr.label(
            doc = "What is tested.",
            allow_files = [".tflite"],
            mandatory = True,
        ),
    },
)

def edgetpu_model_test(
        name,
        model,
        all_mapped = False,
        cpu_operators = [],
        max_on_chip_bytes = None,
        max_off_chip_bytes = None,
        max_size_bytes = None,
        max_cycles = None,
        inputs = [],
        max_difference = 0,
        size = None,
        **kwargs):
    """Tests what a compiled model must fulfil. At least one condition has to be given.

    Example:
      ```starlark
      edgetpu_model_test(
          name = "detector_test",
          model = ":detector_edgetpu",
          all_mapped = True,
          cpu_operators = ["CUSTOM"],
          max_off_chip_bytes = 0,
      )
      ```

    Args:
      name: name of the test.
      model: an `edgetpu_model`, a co-compile group or a pipeline; every model of a group and every segment has to fulfil it.
      all_mapped: every operator must run on the Edge TPU. The reason of one that does not is in the test's log.
      cpu_operators: exceptions of `all_mapped`: names of operators that may run on the CPU, as the compiler's log has them.
      max_on_chip_bytes: limit of the Edge TPU's memory for cached parameters.
      max_off_chip_bytes: limit of the parameters that are streamed for each inference.
      max_size_bytes: limit of the compiled file.
      max_cycles: limit of the Edge TPU's cycles for one inference, as estimated from the instructions.
      inputs: `.npy` files, each an input of the model: the compiled model runs in the emulator, its source on the CPU. Models with one input.
      max_difference: largest allowed difference of an output value, in quantisation steps (of float outputs: the value itself).
      size: the test's size. Default: `"medium"` with inputs, else `"small"`.
      **kwargs: what every test rule takes (`tags`, `flaky`, ...).
    """
    limits = {
        "max_cycles": max_cycles,
        "max_off_chip_bytes": max_off_chip_bytes,
        "max_on_chip_bytes": max_on_chip_bytes,
        "max_size_bytes": max_size_bytes,
    }
    specification = name + "_specification"
    common = {key: kwargs[key] for key in ["tags", "visibility"] if key in kwargs}
    _specification(
        name = specification,
        testonly = True,
        all_mapped = all_mapped,
        budgets = {key: str(limits[key]) for key in limits if limits[key] != None},
        cpu_operators = cpu_operators,
        inputs = inputs,
        max_difference = max_difference,
        model = model,
        **common
    )
    py_test(
        name = name,
        size = size or ("medium" if inputs else "small"),
        srcs = [_RUNNER],
        main = _RUNNER,
        args = ["$(rootpath :%s)" % specification],
        data = [":" + specification],
        deps = ["@rules_edgetpu//compiler"] + (["@rules_edgetpu//rules/private:reference_interpreter"] if inputs else []),
        **kwargs
    )
