"""A user's own rule on top of rules_edgetpu's providers."""

load("@rules_edgetpu//rules:defs.bzl", "EdgeTpuModelInfo")

def _token_list_impl(ctx):
    output = ctx.actions.declare_file(ctx.label.name + ".txt")
    models = [target[EdgeTpuModelInfo] for target in ctx.attr.models]
    ctx.actions.run_shell(
        command = "cat $@ > " + output.path,
        arguments = [model.token.path for model in models],
        inputs = [model.token for model in models],
        outputs = [output],
    )
    return [DefaultInfo(files = depset([output]))]

token_list = rule(
    doc = "The caching tokens of models, one a line.",
    implementation = _token_list_impl,
    attrs = {
        "models": attr.label_list(
            doc = "Compiled models.",
            providers = [EdgeTpuModelInfo],
        ),
    },
)
