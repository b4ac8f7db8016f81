"""CONCATENATION of maps along their channels.

Parts that convolutions have written in place need nothing; others are copied into the joint
map. Facts: docs/format/tiling.md, "Joint maps".
"""

from __future__ import annotations

from dataclasses import replace

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder, tensor_buffer
from .dataflow import scale, zero_point
from .family import Family
from .joint_map import JointPart, joins_maps, joint_parts
from .map_layout import MapLayout
from .patches import InteriorCopyStep, held_apart, own_part, patch_classes
from .plan import Step
from .refusal import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedMapStep(Step):
    """The parts of a joint map are in place: fences, one for each of `parts`."""

    parts: int


def plan_map_concatenation(planner: PlanBuilder, op: Operator) -> None:
    """Copies of the parts that are not in place yet; fences. The program's identity line stays
    until then, if there is one."""
    _check(planner, op)
    joint = op.outputs[0]
    layout = planner.layouts.get(joint)
    if not isinstance(layout, MapLayout):
        layout = planner.lay_out_map(joint)
    in_place = 0
    for tensor, part in zip(op.inputs, joint_parts(planner, op), strict=True):
        source = planner.dataflow.source(tensor)
        if planner.joint_part(source) is None:
            _copy(planner, op, source, part, layout)
        else:
            in_place += 1
    _joint_buffer(planner, joint, layout.words)
    if planner.shared_identity.used:
        planner.identity()
    planner.add(JoinedMapStep(ops=(op.index,), parts=in_place))


def _copy(
    planner: PlanBuilder, op: Operator, source: int, part: JointPart, joint: MapLayout
) -> None:
    layout = planner.map_layout(op, source)
    if held_apart(layout, joint) and not planner.is_exchanged(source):
        raise Refusal(op.index, f"{op.name} reads a part of a map that tiles have not exchanged")
    place = replace(joint, channel_words=part.words, channel_offset=part.offset)
    planner.add(
        InteriorCopyStep(
            ops=(op.index,),
            classes=patch_classes([layout], place),
            channel_words=part.words,
            input=planner.consume(source),
            output=_joint_buffer(planner, part.joint, joint.words),
            identity=planner.identity(),
        )
    )


def _joint_buffer(planner: PlanBuilder, joint: int, words: int) -> str:
    there = planner.has_buffer(tensor_buffer(joint))
    return planner.consume(joint) if there else planner.produce(joint, words)


def _check(planner: PlanBuilder, op: Operator) -> None:
    graph = planner.graph
    output = graph.tensor(op.outputs[0])
    for tensor in map(graph.tensor, op.inputs):
        if (scale(tensor), zero_point(tensor)) != (scale(output), zero_point(output)):
            raise Refusal(
                op.index,
                "CONCATENATION of other scales or zero points",
                actual=f"tensor '{tensor.name}'",
                allowed="the output's",
            )


MAP_CONCATENATION = Family(
    "map concatenation",
    frozenset({"CONCATENATION"}),
    plan=plan_map_concatenation,
    accepts=joins_maps,
    needs=own_part,
    by_parts=joins_maps,
)
