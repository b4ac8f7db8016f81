"""Our programs against the vendor's, by the emulator's clock (timed mode), for every source of
the corpus that the vendor compiled.

    python3 -m benchmarks.emulated_cycles [--only PART] [--write-docs]

Prints cycles and host bytes of one inference; `--write-docs` puts the table into
docs/performance.md. Exit status 1 if a program of ours takes more cycles than `SLOWER` allows.
Programs that are the same are run once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from compiler.emulator.timed import emulated_cycles
from compiler.pipeline.latency import host_bytes, programs

from .corpus_pairs import CorpusPair, corpus_pairs
from .pages import DOCS, replace_part, table

PAGE, PART = DOCS / "performance.md", "emulated cycles"
HEAD = ("source", "from", "cycles", "vendor's", "ratio", "host bytes", "vendor's", "ratio")
_BARRIERS = "the vendor's file is of an older release: barriers without notices, or none"
SLOWER: dict[str, tuple[float, str]] = {
    "google-coral+test_data/posenet/bodypix_mobilenet_v1_075_512_512_16_quant_decoder": (
        1.001,
        _BARRIERS,
    ),
    "google-coral+edgetpu/test_data/deeplabv3_mnv2_dm05_pascal_quant": (
        1.023,
        "the last RESIZE_BILINEAR and its outputs take 33,078 cycles more; the vendor's newer file "
        "of this network is the program written here, to the byte",
    ),
    "model_conv_128x128x3x32x7x10": (1.0001, _BARRIERS),
    "model_stride_64x64x3": (1.016, f"{_BARRIERS}: 53 cycles"),
    "model_stride_128x128x3": (1.004, f"{_BARRIERS}: 53 cycles"),
    "model_padding_2x2x3": (
        1.020,
        "PAD alone is a step of its own, with two barriers (168 cycles); the older release merged "
        "it with the input's, which takes longer at 64x64 and 128x128 pixels",
    ),
}
"""{name or last part of the name: (ratio of cycles, why)} of the programs that are slower."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One inference. cycles: of the chip; host_bytes: instructions, parameters that are
    streamed, activations; operators: custom operators in the file, 0 where nothing is mapped."""

    cycles: int
    host_bytes: int
    operators: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A pair and what both programs cost."""

    pair: CorpusPair
    ours: Cost
    vendor: Cost

    @property
    def ratio(self) -> float | None:
        """Our cycles over the vendor's; None where this compiler maps nothing."""
        return self.ours.cycles / self.vendor.cycles if self.ours.operators else None

    @property
    def is_slower(self) -> bool:
        """More cycles than the vendor's, and more than `SLOWER` knows."""
        return (self.ratio or 0.0) > self.known[0]

    @property
    def known(self) -> tuple[float, str]:
        """The entry of `SLOWER`, (1, "") without one."""
        names = (self.pair.name, self.pair.short_name)
        return next((SLOWER[name] for name in names if name in SLOWER), (1.0, ""))

    def row(self) -> tuple[str, ...]:
        """A line of the table."""
        name, origin = self.pair.short_name, self.pair.origin
        vendor = (f"{self.vendor.cycles:,}", f"{self.vendor.host_bytes:,}")
        if self.ratio is None:
            return (name, origin, "not mapped", vendor[0], "", "", vendor[1], "")
        ratio = "=" if self.pair.is_same_program else f"{self.ratio:.3f}"
        traffic = f"{self.ours.host_bytes / self.vendor.host_bytes:.3f}"
        ours = (f"{self.ours.cycles:,}", f"{self.ours.host_bytes:,}")
        return (name, origin, ours[0], vendor[0], ratio, ours[1], vendor[1], traffic)


def cost(compiled: bytes) -> Cost:
    """What one inference of a compiled file costs."""
    found = programs(compiled)
    return Cost(sum(map(emulated_cycles, found)), sum(map(host_bytes, found)), len(found))


def compare(pair: CorpusPair) -> Comparison:
    """Both sides of a pair."""
    vendor = cost(pair.vendor)
    return Comparison(pair, vendor if pair.is_same_program else cost(pair.ours), vendor)


def page_part(found: Sequence[Comparison]) -> str:
    """The table, and why the slower ones are."""
    reasons: dict[str, list[str]] = {}
    for item in found:
        if (item.ratio or 0.0) > 1.0:
            label = f"{item.pair.short_name} ({item.pair.origin})"
            reasons.setdefault(item.known[1], []).append(label)
    lines = (f"- {', '.join(names)}: {reason}.\n" for reason, names in reasons.items())
    slower = "Slower than the vendor's:\n\n" + "".join(lines) if reasons else ""
    return table(HEAD, (item.row() for item in found)) + "\n" + slower


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="emulated_cycles")
    parser.add_argument("--only", default="", metavar="PART", help="of the files' paths")
    parser.add_argument("--write-docs", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args(arguments)
    found = []
    for pair in corpus_pairs(options.only):
        found.append(compare(pair))
        print(*found[-1].row(), sep="  ", flush=True)
    if not found:
        print("no vendor corpus")
        return 0
    if options.write_docs:
        replace_part(PAGE, PART, page_part(found))
    slower = [item.pair.name for item in found if item.is_slower]
    print(f"{len(found)} pairs; slower than the vendor's: {', '.join(slower) or 'none'}")
    return int(bool(slower))


if __name__ == "__main__":
    sys.exit(main())
