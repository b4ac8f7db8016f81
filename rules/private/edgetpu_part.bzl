"""A model of a co-compile group, or a segment of a pipeline, as a target of its own."""

load("//rules:providers.bzl", "EdgeTpuGroupInfo", "EdgeTpuModelInfo", "EdgeTpuPipelineInfo")
load(":compile.bzl", "model_providers")

def _edgetpu_part_impl(ctx):
    whole = ctx.attr.whole
    models = whole[EdgeTpuGroupInfo].models if EdgeTpuGroupInfo in whole else whole[EdgeTpuPipelineInfo].segments
    model = models[ctx.attr.index]
    return model_providers(ctx, [model]) + [model]

edgetpu_part = rule(
    doc = "One of the models that an action compiles together.",
    implementation = _edgetpu_part_impl,
    attrs = {
        "index": attr.int(
            doc = "Which one, from 0.",
            mandatory = True,
        ),
        "whole": attr.label(
            doc = "The group or pipeline.",
            mandatory = True,
            providers = [[EdgeTpuGroupInfo], [EdgeTpuPipelineInfo]],
        ),
    },
    provides = [EdgeTpuModelInfo],
)
