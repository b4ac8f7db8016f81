"""Latency estimates of the emulator against published inference times.

    python3 -m benchmarks.emulator_latency [--write-docs]

An estimate is the cycles of the program at 500 MHz and its bytes at the link's two rates, the
fitted numbers: one of instructions and activations, fitted to vendor files that stream nothing, and
one of streamed parameters, fitted to public networks compiled here (their cycles are those of
docs/networks.md). Each net is also predicted with the rate that the other nets give ("others").
Published: coral.ai, model pages, USB 3 on a desktop, milliseconds. `--write-docs` puts the tables
into docs/performance.md. Exit status 1 if an estimate is off by more than the limit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from compiler.emulator.timing import (
    CLOCK_HERTZ,
    LINK_BYTES_PER_SECOND,
    PARAMETER_BYTES_PER_SECOND,
)
from compiler.pipeline.latency import host_bytes, programs
from tests.corpus_paths import CORPUS
from tests.networks.catalogue import NETWORKS
from tests.networks.measure import compiled

from .emulated_cycles import cost
from .pages import DOCS, replace_part, table

PUBLISHED = {
    "google-coral+test_data/mobilenet_v1_0.25_128_quant": 0.9,
    "google-coral+test_data/mobilenet_v1_1.0_224_quant_embedding_extractor": 2.4,
    "google-coral+edgetpu/test_data/mobilenet_v2_1.0_224_inat_bird_quant": 2.6,
    "google-coral+test_data/posenet/posenet_mobilenet_v1_075_353_481_16_quant_decoder": 5.8,
    "google-coral+test_data/posenet/bodypix_mobilenet_v1_075_512_512_16_quant_decoder": 10.7,
    "google-coral+test_data/posenet/posenet_mobilenet_v1_075_721_1281_16_quant_decoder": 32.4,
}
UNUSED = ("bodypix_mobilenet_v1_075_512_512", "posenet_mobilenet_v1_075_721_1281")
"""Nets that the rate in `compiler/emulator/timing.py` was not fitted to."""
PUBLISHED_WITH_CPU = {
    "google-coral+test_data/movenet_single_pose_lightning_ptq": 7.1,
    "google-coral+test_data/deeplabv3_mnv2_dm05_pascal_quant": 36.8,
    "google-coral+test_data/deeplab_mobilenet_edgetpu_slim_cityscapes_quant": 65.9,
}
"""Nets whose times hold CPU operators too: the estimate must stay below."""
LIMIT = 0.20
PAGE, PART, CPU_PART = DOCS / "performance.md", "latency", "latency with the CPU"
STREAM_PART, NETWORKS_PAGE = "latency with streamed parameters", DOCS / "networks.md"
HEAD = (
    "model",
    "cycles",
    "host bytes",
    "chip ms",
    "link ms",
    "estimate ms",
    "published ms",
    "difference",
    "rate of the others",
    "difference then",
)
STREAM_HEAD = (
    "network",
    "cycles",
    "streamed bytes",
    "other bytes",
    "estimate ms",
    "published ms",
    "difference",
    "rate of the others",
    "difference then",
)
CPU_HEAD = ("model", "cycles", "host bytes", "Edge TPU part ms", "published ms")


@dataclass(frozen=True, slots=True)
class Net:
    """A vendor file. published: milliseconds of a whole inference."""

    name: str
    published: float
    cycles: int
    host_bytes: int

    @property
    def chip(self) -> float:
        """Milliseconds on the chip."""
        return self.cycles / CLOCK_HERTZ * 1e3

    def link(self, rate: float) -> float:
        """Milliseconds on a link of `rate` bytes a second."""
        return self.host_bytes / rate * 1e3

    def error(self, rate: float) -> float:
        """(estimate - published) / published."""
        return (self.chip + self.link(rate)) / self.published - 1

    def row(self, others: float) -> tuple[object, ...]:
        """A line of the table; others: the rate that fits the other nets."""
        link = self.link(LINK_BYTES_PER_SECOND)
        used = any(part in self.name for part in UNUSED)
        return (
            self.name.rpartition("/")[2],
            f"{self.cycles:,}",
            f"{self.host_bytes:,}",
            f"{self.chip:.2f}",
            f"{link:.2f}",
            f"{self.chip + link:.2f}",
            self.published,
            f"{self.error(LINK_BYTES_PER_SECOND):+.0%}{' (not fitted)' if used else ''}",
            f"{others / 1e6:.0f} MB/s",
            f"{self.error(others):+.0%}",
        )

    def cpu_row(self) -> tuple[object, ...]:
        """A line of the table of nets with operators on the CPU."""
        part = self.chip + self.link(LINK_BYTES_PER_SECOND)
        name = self.name.rpartition("/")[2]
        return (name, f"{self.cycles:,}", f"{self.host_bytes:,}", f"{part:.2f}", self.published)


def fitted_rate(nets: Sequence[Net]) -> float:
    """Bytes a second that give the least sum of squared relative errors."""
    squares = sum((net.host_bytes / net.published) ** 2 for net in nets)
    rest = sum(net.host_bytes / net.published * (1 - net.chip / net.published) for net in nets)
    return squares / rest * 1e3


@dataclass(frozen=True, slots=True)
class StreamingNet:
    """A public network whose parameters do not fit the chip; `rest`: bytes of everything else."""

    name: str
    published: float
    cycles: int
    streamed: int
    rest: int

    @property
    def known(self) -> float:
        """Milliseconds on the chip and of everything else."""
        return 1e3 * (self.cycles / CLOCK_HERTZ + self.rest / LINK_BYTES_PER_SECOND)

    def error(self, rate: float) -> float:
        """(estimate - published) / published, with parameters at `rate` bytes a second."""
        return (self.known + 1e3 * self.streamed / rate) / self.published - 1

    def row(self, others: float) -> tuple[object, ...]:
        """A line of the table; others: the rate that fits the other nets."""
        estimate = self.known + 1e3 * self.streamed / PARAMETER_BYTES_PER_SECOND
        return (
            self.name,
            f"{self.cycles:,}",
            f"{self.streamed:,}",
            f"{self.rest:,}",
            f"{estimate:.1f}",
            f"{self.published:g}",
            f"{self.error(PARAMETER_BYTES_PER_SECOND):+.0%}",
            f"{others / 1e6:.0f} MB/s",
            f"{self.error(others):+.0%}",
        )


def fitted_parameter_rate(nets: Sequence[StreamingNet]) -> float:
    """Bytes a second that give the least sum of squared relative errors."""
    squares = sum((net.streamed / net.published) ** 2 for net in nets)
    rest = sum(net.streamed / net.published * (1 - net.known / net.published) for net in nets)
    return squares / rest * 1e3


def streaming_nets() -> list[StreamingNet]:
    """The public networks with published times and streamed parameters."""
    cycles = {}
    for line in NETWORKS_PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 6 and cells[6].replace(",", "").isdecimal():
            cycles[cells[1]] = int(cells[6].replace(",", ""))
    nets = []
    for network in NETWORKS:
        if network.published is None or network.name not in cycles:
            continue
        result = compiled(network.build(full=True))
        found = programs(result.data)
        streamed = sum(len(program.parameters) for program in found)
        if streamed and result.mapped[0] == result.mapped[1]:
            rest = sum(map(host_bytes, found)) - streamed
            name = network.name
            nets.append(StreamingNet(name, network.published, cycles[name], streamed, rest))
    return nets


def streaming_summary(nets: Sequence[StreamingNet]) -> str:
    """The table of predictions, and the rates."""
    rates = [fitted_parameter_rate([*nets[:i], *nets[i + 1 :]]) for i in range(len(nets))]
    rows = table(STREAM_HEAD, (net.row(rate) for net, rate in zip(nets, rates, strict=True)))
    best = fitted_parameter_rate(nets) / 1e6
    return f"{rows}\nThe rate that fits all of them best: {best:.0f} MB/s.\n"


def measured(published: dict[str, float]) -> list[Net]:
    """The vendor's files with what their programs cost."""
    assert CORPUS is not None
    nets = []
    for name, milliseconds in published.items():
        found = cost((CORPUS / f"{name}_edgetpu.tflite").read_bytes())
        nets.append(Net(name, milliseconds, found.cycles, found.host_bytes))
    return nets


def summary(nets: Sequence[Net]) -> str:
    """The table of predictions, and the rates."""
    rates = [fitted_rate([*nets[:i], *nets[i + 1 :]]) for i in range(len(nets))]
    rows = table(HEAD, (net.row(rate) for net, rate in zip(nets, rates, strict=True)))
    return f"{rows}\nThe rate that fits all of them best: {fitted_rate(nets) / 1e6:.0f} MB/s.\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="emulator_latency")
    parser.add_argument("--write-docs", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args(arguments)
    if CORPUS is None:
        print("no vendor corpus")
        return 0
    nets, with_cpu = measured(PUBLISHED), measured(PUBLISHED_WITH_CPU)
    cpu_table = table(CPU_HEAD, (net.cpu_row() for net in with_cpu))
    streaming = streaming_summary(streaming_nets())
    print(summary(nets), streaming, cpu_table, sep="\n", end="")
    if options.write_docs:
        replace_part(PAGE, PART, summary(nets))
        replace_part(PAGE, STREAM_PART, streaming)
        replace_part(PAGE, CPU_PART, cpu_table)
    is_off = any(abs(net.error(LINK_BYTES_PER_SECOND)) > LIMIT for net in nets)
    is_too_long = any(net.error(LINK_BYTES_PER_SECOND) > 0 for net in with_cpu)
    return int(is_off or is_too_long)


if __name__ == "__main__":
    sys.exit(main())
