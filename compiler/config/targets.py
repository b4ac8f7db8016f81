"""A configuration as Bazel targets: rule, package and attributes of each, as JSON.

The repository rule behind `edgetpu_config` runs this and writes the macro `edgetpu_targets`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..errors import CompilerError
from .checks import target_of
from .config import (
    Bundle,
    Config,
    Group,
    Model,
    Options,
    Pipeline,
    Test,
    is_label,
    package_of,
)
from .reader import read_config

Item = Model | Group | Pipeline | Test | Bundle


def targets(config: Config, folder: str = "") -> list[dict[str, Any]]:
    """All targets; `folder`: package that holds the file, empty for the root."""
    made: list[tuple[Item, str, dict[str, Any]]] = []
    made += [(m, "edgetpu_model", _model(m, folder)) for m in config.alone()]
    made += [(g, "edgetpu_cocompile_group", _group(g, folder)) for g in config.groups.values()]
    made += [(p, "edgetpu_pipeline", _pipeline(p, folder)) for p in config.pipelines.values()]
    made += [(t, "edgetpu_model_test", _test(t, folder)) for t in config.tests.values()]
    made += [(b, "edgetpu_bundle", _bundle(b, folder)) for b in config.bundles.values()]
    return [
        {"package": _joined(folder, item.package), "rule": rule, "attributes": attributes}
        for item, rule, attributes in made
    ]


def _joined(folder: str, package: str) -> str:
    return "/".join(part for part in (folder, package) if part)


def _model(model: Model, folder: str) -> dict[str, Any]:
    return {
        "name": target_of(model),
        "src": _label(model.src, model.package, folder),
        "out": model.output,
        **_given({"intermediate_tensors": model.intermediate_tensors}),
        **_options(model.options),
    }


def _group(group: Group, folder: str) -> dict[str, Any]:
    tensors = {m.name: list(m.intermediate_tensors) for m in group.models if m.intermediate_tensors}
    return {
        "name": group.name,
        "models": {m.name: _label(m.src, m.package, folder) for m in group.models},
        **_given({"intermediate_tensors": tensors}),
        **_options(group.options),
    }


def _pipeline(pipeline: Pipeline, folder: str) -> dict[str, Any]:
    return {
        "name": pipeline.name,
        "src": _label(pipeline.model.src, pipeline.package, folder),
        "stem": pipeline.model.name,
        "num_segments": pipeline.num_segments,
        "partitioner": pipeline.partitioner,
        **_options(pipeline.options),
    }


def _test(test: Test, folder: str) -> dict[str, Any]:
    allowed = {} if test.cpu_operators is None else {"cpu_operators": list(test.cpu_operators)}
    return {
        "name": test.name,
        "model": f":{_target(test.subject)}",
        "all_mapped": test.cpu_operators is not None,
        **_given(allowed),
        **test.budgets,
        **_given({"inputs": [_label(path, test.package, folder) for path in test.inputs]}),
        **({} if test.max_difference is None else {"max_difference": test.max_difference}),
    }


def _bundle(bundle: Bundle, folder: str) -> dict[str, Any]:
    members: tuple[Model | Pipeline, ...] = (*bundle.models, *bundle.pipelines)
    return {
        "name": bundle.name,
        "models": [f"//{_joined(folder, m.package)}:{_target(m)}" for m in members],
        "format": bundle.format,
        **_given({"prefix": bundle.prefix}),
    }


def _target(subject: Model | Pipeline) -> str:
    return target_of(subject) if isinstance(subject, Model) else subject.name


def _options(options: Options) -> dict[str, Any]:
    return _given(asdict(options))


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """Without what is not set: the rule's own default holds."""
    return {name: value for name, value in values.items() if value}


def _label(path: str, package: str, folder: str) -> str:
    """The label of a file: in this package if it is below, else in that of its own folder."""
    if path.startswith(":"):
        return f"//{folder}{path}"
    if is_label(path):
        return path
    if package and not path.startswith(package + "/"):
        package = package_of(path)
    return f"//{_joined(folder, package)}:{path.removeprefix(package + '/') if package else path}"


def main(arguments: Sequence[str]) -> int:
    """`targets.py FILE FOLDER`: print the JSON; an error on one line and status 1."""
    file, folder = arguments
    try:
        text = json.dumps(targets(read_config(file), folder), indent=1)
    except CompilerError as error:
        print(error, file=sys.stderr)
        return 1
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
