"""The manifest of a compiled model (`--report json`): what went in, what came out and why.

It holds no folder, time or machine, so equal command lines give equal manifests. The fields
are documented in docs/usage.md, "The manifest".
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import VERSION
from .options import PRIORITIES, Request

if TYPE_CHECKING:
    from .compilation import CompiledModel, Run
    from .driver import PlannedModel
    from .planning.plan import Plan

FORMAT = 1
"""Rises when a field changes its meaning or goes away."""


def manifest(compiled: CompiledModel, request: Request, run: Run) -> bytes:
    """The JSON text of one model's manifest."""
    source, report = compiled.source, compiled.report
    outputs = {path: data for path, data in compiled.files().items() if path != source.manifest}
    contents = {
        "format": FORMAT,
        "compiler": {"name": "edgetpu_compiler", "version": VERSION},
        "options": options(request),
        "inputs": [
            {"name": Path(path).name, **_identity(data)}
            for path, data in zip(request.models, run.token_sources, strict=True)
        ],
        "model": {"name": Path(source.path).name, **_identity(source.data)},
        "outputs": [{"name": path.name, **_identity(data)} for path, data in outputs.items()],
        "caching_token": f"{compiled.token:#018x}",
        "runtime_version": request.options.runtime,
        "search_stopped_after": compiled.cut.operators,
        "operators": operators(compiled.model),
        "subgraphs": [_subgraph(compiled.model, i) for i in range(report.subgraphs)],
        "memory": asdict(report.memory),
    }
    return (json.dumps(contents, indent=1) + "\n").encode()


def options(request: Request) -> dict[str, Any]:
    """The options that can change the output, under their long names."""
    weights = request.options.weights
    return {
        "emulate_release": request.options.release.name,
        "min_runtime_version": request.options.min_runtime,
        "enable_multiple_subgraphs": request.options.all_subgraphs,
        "allow_scratch": request.options.allow_scratch,
        "intermediate_tensors": request.intermediate_tensors,
        "num_segments": request.segments or "auto",
        "cache_priority": PRIORITIES[request.options.by_order],
        "optimize_order": weights is not None,
        "weights": list(weights or ()),
        "search_delegate": request.search_step is not None,
        "delegate_search_step": request.search_step,
    }


def operators(model: PlannedModel) -> list[dict[str, Any]]:
    """Target and reason of each operator, with the values that were compared."""
    part = model.partition
    rows: list[dict[str, Any]] = []
    for op in model.graph.operators:
        reason = part.reasons.get(op.index)
        row: dict[str, Any] = {
            "index": op.index,
            "name": op.custom_code or op.name,
            "target": "cpu" if reason else "edge_tpu",
            "status": part.status(op.index).value,
        }
        if reason is not None:
            fields = ("constraint", "message", "actual", "allowed", "tensor", "hint")
            row |= {name: value for name in fields if (value := getattr(reason, name))}
        rows.append(row)
    return rows


def _subgraph(model: PlannedModel, number: int) -> dict[str, Any]:
    subset, plan = model.partition.kept[number], model.plans[number]
    names = [tensor.name for tensor in model.graph.tensors]
    return {
        "operators": list(subset.operators),
        "inputs": [names[index] for index in subset.inputs(model.graph)],
        "outputs": [names[index] for index in subset.outputs(model.graph)],
        "narrow_memory_words": max(
            (plan.narrow[buffer.name] + buffer.words for buffer in plan.buffers), default=0
        ),
        "wide_memory_lines_for_parameters": plan.capacity,
        "parameters": [_layer(plan, index) for index in range(len(plan.segments))],
    }


def _layer(plan: Plan, index: int) -> dict[str, Any]:
    segment, pieces = plan.segments[index], plan.placement[index]
    return {
        "operator": segment.op,
        "kind": segment.kind,
        "bytes": len(segment.data),
        "lines": sum(piece.lines for piece in pieces) if pieces else segment.lines(),
        "cached": bool(pieces),
        "tiles": sorted({piece.tile for piece in pieces}),
    }


def _identity(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
