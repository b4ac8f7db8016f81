"""What compiled models tell the rules that use them."""

EdgeTpuModelInfo = provider(
    doc = "A model, or a segment of one, that is compiled for the Edge TPU.",
    fields = {
        "compiled": "File: the compiled model (`<stem>_edgetpu.tflite`).",
        "group": "Label of the co-compile group or pipeline that it was compiled in; None: alone.",
        "log": "File: the compiler's log, with what runs where and why (`<stem>_edgetpu.log`).",
        "manifest": "File: the JSON manifest (`<stem>_edgetpu.json`); None if the compiler writes none.",
        "min_runtime_version": "string: the oldest runtime that must run it; empty: the compiler's default.",
        "source": "File: the model it was compiled from.",
        "token": "File: one line with the caching token, `0x` and 16 digits. Models with the same token stay in the Edge TPU's memory side by side.",
    },
)

EdgeTpuGroupInfo = provider(
    doc = "Models that are compiled together: they share one Edge TPU's memory and one caching token.",
    fields = {
        "models": "list of EdgeTpuModelInfo, in priority order.",
    },
)

EdgeTpuPipelineInfo = provider(
    doc = "A model that is cut into segments, one for each Edge TPU.",
    fields = {
        "partitioner": "string: how it was cut, `parameter_count` or `profiling`.",
        "segments": "list of EdgeTpuModelInfo, in the order in which they run.",
        "source": "File: the whole model.",
    },
)

EdgeTpuSettingInfo = provider(
    doc = "The value of a build setting of this package.",
    fields = {
        "value": "string: as given on the command line; empty: not given.",
    },
)
