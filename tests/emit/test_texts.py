"""The console text and the log, against the shape release 16.0 prints."""

import re

from compiler.emit import texts
from compiler.emit.report import MemoryReport, ModelReport, OperatorRow

MAPPED = "Mapped to Edge TPU"


def report(*rows, used=0, remaining=0, streamed=0):
    return ModelReport(
        input_path="dir/net.tflite",
        output_path="out/net_edgetpu.tflite",
        log_path="out/net_edgetpu.log",
        input_size=4236247,
        output_size=512,
        memory=MemoryReport(used, remaining, streamed),
        subgraphs=1,
        operators=rows,
    )


def test_sizes_have_two_decimals_and_no_space():
    assert texts.size_text(0) == "0.00B"
    assert texts.size_text(512) == "512.00B"
    assert texts.size_text(1024) == "1.00KiB"
    assert texts.size_text(619008) == "604.50KiB"
    assert texts.size_text((1 << 20) - 1) == "1024.00KiB"
    assert texts.size_text(1 << 20) == "1.00MiB"


def test_all_mapped_leaves_out_the_cpu_paragraph():
    text = texts.success_text([report(OperatorRow("CONV_2D", MAPPED, True))], 542, False)
    assert text == (
        "\nModel compiled successfully in 542 ms.\n"
        "\nInput model: dir/net.tflite\n"
        "Input size: 4.04MiB\n"
        "Output model: out/net_edgetpu.tflite\n"
        "Output size: 512.00B\n"
        "On-chip memory used for caching model parameters: 0.00B\n"
        "On-chip memory remaining for caching model parameters: 0.00B\n"
        "Off-chip memory used for streaming uncached model parameters: 0.00B\n"
        "Number of Edge TPU subgraphs: 1\n"
        "Total number of operations: 1\n"
        "Operation log: out/net_edgetpu.log\n"
        "See the operation log file for individual operation details.\n"
    )


def test_partial_mapping_prints_counts_that_log_parsers_look_for():
    rows = [OperatorRow("CONV_2D", MAPPED, True)] * 3 + [
        OperatorRow("LEAKY_RELU", "Operation not supported", False)
    ]
    text = texts.success_text([report(*rows, used=619008)], 7, False)
    assert re.search(r"Number of operations that will run on Edge TPU: (\d+)", text)[1] == "3"
    assert re.search(r"Number of operations that will run on CPU: (\d+)", text)[1] == "1"
    assert "used for caching model parameters: 604.50KiB" in text


def test_log_columns_are_padded_and_rows_sorted():
    rows = [
        OperatorRow("SOFTMAX", "Operation not supported", False),
        OperatorRow("CONV_2D", MAPPED, True),
        OperatorRow("CONV_2D", MAPPED, True),
    ]
    lines = texts.log_text(report(*rows)).splitlines()
    assert lines[0] == texts.VERSION_LINE
    assert lines[1:4] == ["Input: dir/net.tflite", "Output: out/net_edgetpu.tflite", ""]
    assert lines[4] == "Operator                       Count      Status"
    assert lines[5] == ""
    assert lines[6] == "CONV_2D                        2          Mapped to Edge TPU"
    assert lines[7] == "SOFTMAX                        1          Operation not supported"
    assert len(lines) == 8


def test_two_models_are_reported_together():
    row = OperatorRow("CONV_2D", MAPPED, True)
    text = texts.success_text([report(row), report(row)], 9, True)
    assert text.startswith("\nModels compiled successfully in 9 ms.\n\nInput model:")
    assert text.count("Input model:") == 2
