"""What entries of an edgetpu.yaml must be to each other."""

from __future__ import annotations

from .config import Config, Group, Model, is_label, package_of
from .document import Node

_ONE_DEVICE = (
    "Co-compiled models share the memory of one Edge TPU. On separate Edge TPUs each would keep "
    "room for the others, and needlessly fetch its own parameters from external memory."
)


def check(config: Config) -> None:
    """Raise ConfigError for what contradicts itself."""
    for model in config.models.values():
        _check_package(model)
    _check_names(config)
    _check_groups(config)
    _check_pipelines(config)
    _check_outputs(config)
    _check_targets(config)


def _check_package(model: Model) -> None:
    if is_label(model.src) or model.package in ("", package_of(model.src)):
        return
    if not model.src.startswith(model.package + "/"):
        model.node.fail(
            "its file is outside of its package", actual=model.src, allowed=f"{model.package}/..."
        )


def _check_names(config: Config) -> None:
    """A name on the command line means one thing."""
    owners: dict[str, Node] = {}
    for section in (config.models, config.groups, config.pipelines):
        for name, entry in section.items():
            other = owners.setdefault(name, entry.node)
            if other is not entry.node:
                entry.node.fail("the name is taken", actual=f"{other.key} in line {other.line}")


def _check_groups(config: Config) -> None:
    member_of: dict[str, Group] = {}
    for group in config.groups.values():
        for model in group.models:
            if other := member_of.get(model.name):
                group.node.fail(
                    f"the model '{model.name}' is in the group '{other.name}', too",
                    hint="A model has one caching token, so it is in one group.",
                )
            member_of[model.name] = group
        _check_devices(group)


def _check_devices(group: Group) -> None:
    """The vendor's caution about co-compilation and several Edge TPUs."""
    devices = {model.device or "no device": model.name for model in group.models}
    if len(devices) > 1:
        where = ", ".join(f"{name} on {device}" for device, name in devices.items())
        group.node.fail("its models run on different devices", actual=where, hint=_ONE_DEVICE)


def _check_pipelines(config: Config) -> None:
    for pipeline in config.pipelines.values():
        if group := config.group_of(pipeline.model):
            pipeline.node.fail(
                f"the model '{pipeline.model.name}' is in the co-compile group '{group.name}'",
                hint="A pipeline runs on several Edge TPUs, a group shares one.",
            )
        device = config.devices[pipeline.device] if pipeline.device else None
        if device and device.edge_tpus < pipeline.num_segments:
            pipeline.node.fail(
                f"the device '{device.name}' has too few Edge TPUs for the segments",
                actual=pipeline.num_segments,
                allowed=device.edge_tpus,
            )


def _check_outputs(config: Config) -> None:
    """No two compilations of a package write the same file."""
    owners: dict[tuple[str, str], str] = {}
    outputs = [(model.node, model.package, model.output) for model in config.models.values()]
    for pipeline in config.pipelines.values():
        outputs += [(pipeline.node, pipeline.package, name) for name in pipeline.outputs]
    for node, package, name in outputs:
        if other := owners.get((package, name)):
            node.fail("writes the same file as another entry", actual=f"{name}, also of {other}")
        owners[(package, name)] = node.key


def _check_targets(config: Config) -> None:
    """Names of Bazel targets in one package are different."""
    owners: dict[tuple[str, str], Node] = {}
    for package, target, node in _targets(config):
        other = owners.setdefault((package, target), node)
        if other is not node:
            node.fail(f"makes the target '{target}' of '{other.key}' once more")


def _targets(config: Config) -> list[tuple[str, str, Node]]:
    named = [(m.package, target_of(m), m.node) for m in config.models.values()]
    named += [(g.package, g.name, g.node) for g in config.groups.values()]
    for pipeline in config.pipelines.values():
        segments = [f"{pipeline.name}_segment_{i}" for i in range(pipeline.num_segments)]
        named += [(pipeline.package, n, pipeline.node) for n in (pipeline.name, *segments)]
    named += [(t.package, t.name, t.node) for t in config.tests.values()]
    named += [(b.package, b.name, b.node) for b in config.bundles.values()]
    return named


def target_of(model: Model) -> str:
    """Name of a model's Bazel target."""
    return f"{model.name}_edgetpu"
