"""A target as another registered compiler makes it."""

def _use_compiler_impl(_settings, attr):
    return {"//command_line_option:extra_toolchains": attr.toolchain}

_use_compiler = transition(
    implementation = _use_compiler_impl,
    inputs = [],
    outputs = ["//command_line_option:extra_toolchains"],
)

def _with_compiler_impl(ctx):
    log = ctx.attr.model[0][OutputGroupInfo].log
    return [DefaultInfo(files = log, runfiles = ctx.runfiles(transitive_files = log))]

log_with_compiler = rule(
    doc = "The log of a model, compiled with another compiler.",
    implementation = _with_compiler_impl,
    attrs = {
        "model": attr.label(
            doc = "An edgetpu_model.",
            cfg = _use_compiler,
            mandatory = True,
        ),
        "toolchain": attr.string(
            doc = "Label of the toolchain.",
            mandatory = True,
        ),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
)
