"""Build settings: a team's defaults, `--@rules_edgetpu//rules:min_runtime_version=13` in its .bazelrc."""

load("//rules:providers.bzl", "EdgeTpuSettingInfo")

def _edgetpu_setting_impl(ctx):
    value = ctx.build_setting_value
    if value and value not in ctx.attr.allowed:
        fail("%s = %r, but the values are: %s" % (ctx.label, value, ", ".join(ctx.attr.allowed)))
    return [EdgeTpuSettingInfo(value = value)]

edgetpu_setting = rule(
    doc = "A default for every target that does not say otherwise.",
    implementation = _edgetpu_setting_impl,
    attrs = {
        "allowed": attr.string_list(
            doc = "Its values; empty is always allowed, and leaves the choice to the compiler.",
            mandatory = True,
        ),
    },
    build_setting = config.string(flag = True),
    provides = [EdgeTpuSettingInfo],
)
