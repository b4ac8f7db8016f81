"""What a compiled model tells the rules that use it."""

EdgeTpuModelInfo = provider(
    doc = "A model compiled for the Edge TPU.",
    fields = {
        "compiled": "File: the compiled model (`<stem>_edgetpu.tflite`).",
        "log": "File: the compiler's log, with what runs where and why (`<stem>_edgetpu.log`).",
        "min_runtime_version": "string: the oldest runtime that runs it; empty: the compiler's default.",
        "source": "File: the model it was compiled from.",
    },
)
