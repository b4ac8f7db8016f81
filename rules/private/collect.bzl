"""The compiled models behind a target: one, those of a group, or the segments of a pipeline."""

load("//rules:providers.bzl", "EdgeTpuGroupInfo", "EdgeTpuModelInfo", "EdgeTpuPipelineInfo")

def compiled_models(ctx, target):
    """The compiled models behind a target.

    Args:
      ctx: of the rule.
      target: what an attribute names.

    Returns:
      A list of EdgeTpuModelInfo.
    """
    if not (EdgeTpuGroupInfo in target or EdgeTpuPipelineInfo in target or EdgeTpuModelInfo in target):
        fail("%s: %s is not a compiled model. Give an edgetpu_model, a co-compile group or a pipeline" % (ctx.label, target.label))
    if EdgeTpuGroupInfo in target:
        return target[EdgeTpuGroupInfo].models
    if EdgeTpuPipelineInfo in target:
        return target[EdgeTpuPipelineInfo].segments
    return [target[EdgeTpuModelInfo]]
