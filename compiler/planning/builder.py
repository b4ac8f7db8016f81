"""The plan while it is being made: steps, buffers with lifetimes, parameter segments, layouts.

Operator families (`family.py`) write to it; `planner.py` turns it into a Plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ..frontend.graph import Graph, Operator
from ..frontend.movement import picture
from ..release import Release
from .collected_map import is_collected
from .dataflow import Dataflow
from .family import Family
from .identity import ImageIdentity, SharedIdentity
from .joint_map import JointPart, written_in_place
from .map_layout import MapLayout, axis_on_first_tile, map_axis
from .plan import NARROW_WORDS, WIDE_LINES, NarrowBuffer, Segment, Step
from .refusal import Refusal
from .tiling import Interval, MapNeed
from .wide_memory import stack_blocks

IDENTITY_WORDS = 4
"""Four words whose bytes are the 4x4 identity matrix."""

Packer = Callable[[Operator], tuple[Segment, ...]]
"""Parameter data of an operator (beagle.parameters.pack_layer)."""


class PlanBuilder:
    """layouts: source tensor -> where it lives (a MapLayout, or the layout type of another
    family); recorded by whoever produces the tensor, read by its consumers and by the outputs.
    sliced: operators that run in spatial passes, and so do not read whole maps. taken: wide
    lines that outlive a step between spatial passes; zero_padded: maps (sources) whose halo is
    filled before any reader asks, with the zero point outside the picture; sent: outputs that
    went to the host in parts (docs/format/passes.md). parked: maps (sources) that wait in the
    host's memory, and the step that sent them there. place: number of the operator that is
    being planned. later: plans steps behind all operators and outputs. capacity: words of a
    tile's narrow memory; counted: whether the choice of passes counts the results of passes for
    longer than they live."""

    def __init__(
        self,
        graph: Graph,
        release: Release,
        dataflow: Dataflow,
        pack: Packer,
        families: Sequence[Family],
        *,
        identity: SharedIdentity | None = None,
        image_identity: ImageIdentity | None = None,
    ) -> None:
        self.graph = graph
        self.release = release
        self.dataflow = dataflow
        self.families = families
        self.layouts: dict[int, object] = {}
        self.steps: list[Step] = []
        self.segments: list[Segment] = []
        self.notes: dict[str, str] = {}
        self._pack = pack
        self._buffers: dict[str, NarrowBuffer] = {}
        self._names: dict[int, str] = {}
        self._births: dict[int, int] = {}
        self._exchanged: set[int] = set()
        self._segment_indices: dict[int, tuple[int, ...]] = {}
        self.shared_identity = identity or SharedIdentity()
        self.image_identity = image_identity or ImageIdentity()
        self.place = 0
        self.sliced: frozenset[int] = frozenset()
        self.gathered: dict[tuple[str, int, int], str] = {}
        self.taken: dict[str, Interval] = {}
        self.sent: set[int] = set()
        self.passes: dict[int, int] = {}
        self.zero_padded: set[int] = set()
        self.later: list[Callable[[], None]] = []
        self.counted_from: dict[str, int] = {}
        self.capacity = NARROW_WORDS
        self.counted = True
        self.parked: dict[int, Step] = {}

    @property
    def is_whole(self) -> bool:
        """Whether operators work on whole maps, not in a spatial pass."""
        return True

    # -- steps --------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """Number of the step that is being planned: buffers asked for now live in it."""
        return len(self.steps)

    def add(self, step: Step) -> None:
        self.steps.append(step)

    @property
    def lowest_line(self) -> int:
        """Lowest wide line any transient block of the steps so far takes."""
        return min((step.lowest_line for step in self.steps), default=WIDE_LINES)

    # -- narrow memory --------------------------------------------------------------------

    def produce(self, tensor: int, words: int, *, rank: float = 0) -> str:
        """Buffer for a tensor (a source) that the current step writes; `words` per tile. The
        parts of a joint map share its buffer."""
        self._births[tensor] = self.now
        part = self.joint_part(tensor)
        name = tensor_buffer(tensor if part is None else part.joint)
        if part is not None:
            self._names[tensor] = self._name(part.joint)
            if self.has_buffer(name):
                return self.keep(self._names[tensor])
        return self.scratch(name, words, rank=rank)

    def record(self, tensor: int, layout: object) -> None:
        """Where a tensor (a source) lives that the current step writes."""
        self.layouts[tensor] = layout
        self._births.setdefault(tensor, self.now)

    def joint_part(self, tensor: int) -> JointPart | None:
        """The tensor's (a source's) place in a joint map that its writer fills; spatial passes fill
        none that is read behind them."""
        producer = self.dataflow.producer(tensor)
        if producer is not None and producer.index in self.sliced:
            return None
        return written_in_place(self, tensor)

    def take_over(self, tensor: int, buffer: str) -> str:
        """The buffer of an operand that dies now becomes that of the tensor (a source) that the
        current step writes."""
        self._births[tensor] = self.now
        self._names[tensor] = buffer
        self.gathered = {key: name for key, name in self.gathered.items() if key[0] != buffer}
        return self.keep(buffer)

    def consume(self, tensor: int) -> str:
        """Name of the buffer of a tensor that the current step reads: it lives until now."""
        return self.keep(self._name(self.dataflow.source(tensor)))

    def show_as(self, tensor: int, layout: object, buffer: str) -> tuple[object, str]:
        """Let a tensor (a source) be seen elsewhere and in another form until the next call,
        with the halo of a map not filled; returns how it was seen."""
        shown = self.layouts[tensor], self._name(tensor)
        self.layouts[tensor], self._names[tensor] = layout, buffer
        self._exchanged.discard(tensor)
        return shown

    def owns(self, tensor: int, buffer: str) -> bool:
        """Whether a buffer is a tensor's (a source's) own, which nothing else lies in."""
        return buffer == self._name(tensor)

    def birth(self, tensor: int) -> int:
        """The step that wrote a tensor (a source)."""
        return self._births[tensor]

    def dies(self, tensor: int, op: Operator) -> bool:
        """Whether nothing needs a tensor (a source) behind `op`."""
        readers = self.dataflow.readers(tensor)
        return readers[-1].index == op.index and not self.dataflow.is_output(tensor)

    def _name(self, tensor: int) -> str:
        return self._names.get(tensor, tensor_buffer(tensor))

    def identity(self) -> str:
        """The current step needs the program's identity line: scratch to make it from, or ''
        where an earlier step has made it."""
        if not self.shared_identity.ask(self.place):
            return ""
        return self.scratch("identity", IDENTITY_WORDS)

    def block_line(self, lines: int, top: int = WIDE_LINES) -> int:
        """First line of a transient block of the current step, as high below `top` as the lines
        that are taken let it."""
        return stack_blocks(top, {"block": lines}, taken=self.taken.values())["block"]

    def scratch(
        self, name: str, words: int, *, rank: float = 1, steps: int = 1, earlier: int = 0
    ) -> str:
        """A buffer of `words` per tile, alive in the current step, the `steps` - 1 after it
        and `earlier` ones before it (steps that no fence separates from it). Allocation
        order: rank ascending, then size descending, then age (docs/format/memory.md):
        tensors are rank 0, scratch of one step 1."""
        if name in self._buffers:
            raise Refusal(None, f"buffer {name} is asked for twice")
        self._buffers[name] = NarrowBuffer(
            name, words, max(self.now - earlier, 0), self.now + steps - 1, rank
        )
        return name

    def unused(self, name: str) -> str:
        """A name for a buffer that an operator may ask for several times."""
        return f"{name} {self.now}" if self.has_buffer(name) else name

    def has_buffer(self, name: str) -> bool:
        return name in self._buffers

    def set_rank(self, name: str, rank: float) -> None:
        """Change a buffer's place in the order of allocation."""
        self._buffers[name] = replace(self._buffers[name], rank=rank)

    def grows_from(self, name: str, words: int) -> str:
        """A buffer of the current step takes only `words` in it, the rest later."""
        self._buffers[name] = replace(self._buffers[name], at_first=words)
        return name

    def enlarge(self, name: str, words: int) -> None:
        """A buffer has at least `words` words a tile."""
        buffer = self._buffers[name]
        self._buffers[name] = replace(buffer, words=max(words, buffer.words))

    def keep(self, name: str) -> str:
        """Extend the life of a buffer to the current step."""
        buffer = self._buffers[name]
        if buffer.last < self.now:
            self._buffers[name] = replace(buffer, last=self.now)
        return name

    @property
    def buffers(self) -> tuple[NarrowBuffer, ...]:
        return tuple(self._buffers.values())

    @property
    def counted_buffers(self) -> tuple[NarrowBuffer, ...]:
        """The buffers as the choice of passes counts them."""
        begin = self.counted_from
        return tuple(
            replace(b, first=begin[b.name]) if b.name in begin else b for b in self.buffers
        )

    def is_exchanged(self, tensor: int) -> bool:
        """Whether the halo of a map is filled, if it has one."""
        layout = self.layouts[tensor]
        return not isinstance(layout, MapLayout) or not layout.has_halo or tensor in self._exchanged

    def claim_exchange(self, tensor: int) -> bool:
        """Whether the current step is the first that needs the halo of a map filled."""
        if self.is_exchanged(tensor):
            return False
        self._exchanged.add(tensor)
        return True

    # -- parameters -----------------------------------------------------------------------

    def add_segments(self, op: Operator) -> tuple[int, ...]:
        """Pack the operator's parameters, once; returns their indices in the plan's segments."""
        if op.index not in self._segment_indices:
            packed = self._pack(op)
            self.segments += packed
            indices = range(len(self.segments) - len(packed), len(self.segments))
            self._segment_indices[op.index] = tuple(indices)
        return self._segment_indices[op.index]

    def add_segment(self, op: Operator) -> int:
        """As `add_segments` for an operator that needs exactly one; refuses any other."""
        indices = self.add_segments(op)
        if len(indices) != 1:
            raise Refusal(op.index, f"no parameter data is known for this {op.name}")
        return indices[0]

    # -- maps -----------------------------------------------------------------------------

    def map_shape(self, tensor: int) -> tuple[int, int, int]:
        """Height, width and channels of a tensor (a source) as its four-dimensional readers or
        writer see it, or, without such, as its own last three dimensions."""
        flow = self.dataflow
        read = [t for op in flow.readers(tensor) for t in op.inputs if t not in flow.pads]
        names = [t for t in (*read, tensor, *flow.aliases) if t >= 0 and flow.source(t) == tensor]
        for name in names:
            shape = self.graph.tensor(name).shape
            if len(shape) == 4 and shape[0] == 1:
                return shape[1], shape[2], shape[3]
        size = picture(self.graph.tensor(tensor).shape)
        if size is not None:
            return size
        raise Refusal(
            None, f"tensor '{self.graph.tensor(tensor).name}' is not a map of one picture"
        )

    def extent(self, tensor: int) -> tuple[Interval, Interval]:
        """Rows and columns of a tensor (a source) that operators of this planner make."""
        height, width, _ = self.map_shape(tensor)
        return (0, height), (0, width)

    def lay_out_map(self, tensor: int) -> MapLayout:
        """Decide the layout of a tensor (a source) that lives as a map: the union of what all
        its readers need. A part of a joint map lies in that map."""
        part = self.joint_part(tensor)
        if part is not None:
            joint = self.layouts.get(part.joint)
            if not isinstance(joint, MapLayout):
                joint = self.lay_out_map(part.joint)
            place = replace(joint, channel_words=part.words, channel_offset=part.offset)
            self.record(tensor, place)
            return place
        rows, columns = self.extent(tensor)
        needs = [need for op in self.map_readers(tensor) if (need := self.need(op, tensor))]
        channels, collected = self.map_shape(tensor)[2], is_collected(self, tensor)
        layout = MapLayout(
            axis_on_first_tile(*rows)
            if collected
            else map_axis(*rows, [need.rows for need in needs]),
            axis_on_first_tile(*columns)
            if collected
            else map_axis(*columns, [need.columns for need in needs]),
            pixel_words=-(-channels // 4),
            channel_words=-(-channels // 4),
            behind=max((need.behind for need in needs), default=0),
            collected=collected,
        )
        self.record(tensor, layout)
        return layout

    def needs_beyond(self, tensor: int, op: Operator) -> bool:
        """Whether readers of a map (a source) other than `op` read pixels of other tiles."""
        rows, columns = self.extent(tensor)
        others = [other for other in self.map_readers(tensor) if other.index != op.index]
        needs = [need for other in others if (need := self.need(other, tensor))]
        axes = (
            map_axis(*rows, [need.rows for need in needs]),
            map_axis(*columns, [need.columns for need in needs]),
        )
        return any(axis.own != axis.held for axis in axes)

    def map_readers(self, tensor: int) -> Iterable[Operator]:
        """The readers that read the tensor's map as it is."""
        return (op for op in self.dataflow.readers(tensor) if op.index not in self.sliced)

    def need(self, op: Operator, tensor: int) -> MapNeed | None:
        """What the first family that takes such an operator needs of the tensor."""
        for family in self.families:
            need = op.name in family.operators and family.needs(self, op, tensor)
            if need:
                return need
        return None

    def map_layout(self, op: Operator, tensor: int) -> MapLayout:
        """The layout of a map input; refuses a tensor that lives in another form."""
        layout = self.layouts.get(self.dataflow.source(tensor))
        if not isinstance(layout, MapLayout):
            raise Refusal(op.index, f"{op.name} needs its input as a map spread over the tiles")
        return layout


def tensor_buffer(tensor: int) -> str:
    """Name of a tensor's buffer in `Plan.narrow`."""
    return f"tensor {tensor}"
