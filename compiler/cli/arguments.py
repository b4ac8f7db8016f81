"""Options of `edgetpu_compiler` as data: the parser and `--help` are derived from it.

Accepts what GNU getopt_long accepts: options after models, `-so DIR`, `--x=v` and `--x v`.
"""

from __future__ import annotations

import getopt

from ..errors import OptionError
from ..fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """One option; `value` is the argument's name in the help, empty for a switch."""

    short: str
    long: str
    value: str
    help: str


OPTIONS = (
    Option("h", "help", "", "Print this help and exit."),
    Option(
        "i",
        "intermediate_tensors",
        "names",
        "Comma-separated names of tensors that become outputs of the Edge TPU custom op; what "
        "follows them runs on the CPU. Lists of several models are separated by a colon.",
    ),
    Option(
        "m",
        "min_runtime_version",
        "num",
        "Lowest Edge TPU runtime version the output must run on, 10 to 14 (default: 14).",
    ),
    Option(
        "n",
        "num_segments",
        "num",
        "Compile the model into num segments for a pipeline; auto: the fewest that keep all "
        "parameters on the chip.",
    ),
    Option("o", "out_dir", "dir", "Directory for the output (default: current directory)."),
    Option("s", "show_operations", "", "Print where every operation runs."),
    Option(
        "d",
        "search_delegate",
        "",
        "On failure, search for an earlier point to stop compiling at.",
    ),
    Option(
        "k",
        "delegate_search_step",
        "num",
        "Operations to step back in each attempt of --search_delegate (default: 1).",
    ),
    Option("t", "timeout_sec", "num", "Give up after num seconds (default: 180)."),
    Option(
        "a",
        "enable_multiple_subgraphs",
        "",
        "Map every supported subgraph, each as a custom op of its own.",
    ),
    Option("v", "version", "", "Print the version and exit."),
    Option(
        "",
        "emulate_release",
        "version",
        "Write what this release of the vendor's compiler wrote: 16.0 (default) or 15.0.",
    ),
    Option(
        "",
        "cache_priority",
        "rule",
        "What several models keep on the chip if not everything fits: size, the longest layers "
        "of all (default); order, those of the first model, then of the second, and so on.",
    ),
    Option(
        "",
        "optimize_order",
        "",
        "Cache by order, in the order of the models that streams least.",
    ),
    Option(
        "",
        "weights",
        "numbers",
        "For --optimize_order: how often a second each model runs, separated by commas.",
    ),
    Option(
        "",
        "allow_scratch",
        "",
        "Where the activations of the mapped part do not fit the Edge TPU together, let some "
        "wait in host memory: the part becomes several Edge TPU operators.",
    ),
    Option(
        "",
        "report",
        "format",
        "Also write a manifest beside the compiled model; json is the one format.",
    ),
    Option(
        "",
        "config",
        "file",
        "Compile what an edgetpu.yaml declares: all of it, or the models, groups and pipelines "
        "whose names follow.",
    ),
    Option(
        "",
        "explain",
        "op",
        "Print why an operator (number, name, name of a result, or all) runs where it runs, "
        "and exit.",
    ),
    Option(
        "",
        "dump-ir",
        "level",
        "Print one level of the compiler and exit: graph, partition, plan, program or bitstream.",
    ),
)


@dataclass(frozen=True, slots=True)
class Arguments:
    """Parsed command line: option values by long name ("" for switches), and the models."""

    values: dict[str, str]
    models: tuple[str, ...]

    def has(self, name: str) -> bool:
        return name in self.values

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)


def parse(argv: list[str]) -> Arguments:
    """Parse the command line. Raises OptionError on anything not in `OPTIONS`."""
    shorts = "".join(o.short + (":" if o.value else "") for o in OPTIONS if o.short)
    longs = [o.long + ("=" if o.value else "") for o in OPTIONS]
    try:
        pairs, models = getopt.gnu_getopt(argv, shorts, longs)
    except getopt.GetoptError as error:
        raise OptionError(error.msg, hint="See edgetpu_compiler --help.") from error
    by_flag = {f"-{o.short}": o for o in OPTIONS} | {f"--{o.long}": o for o in OPTIONS}
    values: dict[str, str] = {}
    for flag, value in pairs:
        values[by_flag[flag].long] = value
    return Arguments(values, tuple(models))


def help_text() -> str:
    """`--help` below the version line."""
    lines = ["Usage:", "edgetpu_compiler [options] model...", "", "Options:"]
    for option in OPTIONS:
        flags = f"-{option.short}, " if option.short else "    "
        flags += f"--{option.long}" + (f" {option.value}" if option.value else "")
        lines.append(f"  {flags}")
        lines += _wrapped(option.help, indent=6, width=80)
    return "\n".join(lines) + "\n"


def _wrapped(text: str, indent: int, width: int) -> list[str]:
    lines = [" " * indent]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append(" " * indent)
        lines[-1] += word if lines[-1].isspace() else f" {word}"
    return lines
