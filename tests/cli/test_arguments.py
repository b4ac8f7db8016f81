"""The command line accepts the call shapes users have."""

import pytest

from compiler.cli.arguments import OPTIONS, help_text, parse
from compiler.errors import OptionError


def test_options_may_follow_models():
    args = parse(["a.tflite", "-o", "out", "-s", "b.tflite"])
    assert args.models == ("a.tflite", "b.tflite")
    assert args.get("out_dir") == "out"
    assert args.has("show_operations")


@pytest.mark.parametrize(
    "argv", [["-so", "d", "m"], ["-sod", "m"], ["--out_dir=d", "-s", "m"], ["--out_dir", "d", "m"]]
)
def test_every_way_to_give_a_value(argv):
    args = parse(argv)
    assert args.get("out_dir") == "d"
    assert args.models == ("m",)


@pytest.mark.parametrize("argv", [["-z"], ["--nonsense"], ["-o"], ["--version=3"]])
def test_wrong_options_are_named(argv):
    with pytest.raises(OptionError, match="option"):
        parse(argv)


def test_help_lists_every_option():
    text = help_text()
    assert text.startswith("Usage:\nedgetpu_compiler [options] model...\n")
    for option in OPTIONS:
        assert f"--{option.long}" in text
    assert max(map(len, text.splitlines())) <= 80
