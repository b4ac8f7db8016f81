"""What a finished compilation says about itself: the values behind the console text, the
`.log` file and the manifest."""

from __future__ import annotations

from collections import Counter

from ..fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One operator of the source model: its TFLite name and the vendor's status string."""

    name: str
    status: str
    on_edge_tpu: bool


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """Wide memory of all tiles in bytes, lane padding included (docs/format/memory.md)."""

    used: int = 0
    remaining: int = 0
    streamed: int = 0


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One compiled model; sizes in bytes, paths as the user wrote them."""

    input_path: str
    output_path: str
    log_path: str
    input_size: int
    output_size: int
    memory: MemoryReport
    subgraphs: int
    operators: tuple[OperatorRow, ...]

    @property
    def on_edge_tpu(self) -> int:
        return sum(row.on_edge_tpu for row in self.operators)

    @property
    def on_cpu(self) -> int:
        return len(self.operators) - self.on_edge_tpu

    def table(self) -> list[tuple[str, int, str]]:
        """(operator, count, status), sorted so that equal runs print equal tables."""
        counts = Counter((row.name, row.status) for row in self.operators)
        return [(name, count, status) for (name, status), count in sorted(counts.items())]
