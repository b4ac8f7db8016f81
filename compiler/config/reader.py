"""Reads an edgetpu.yaml into a Config: names resolved, defaults filled in, and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from .checks import check
from .config import Bundle, Config, Device, Group, Model, Options, Pipeline, Test, package_of
from .document import Node, read_document
from .entries import Entry, read_sections
from .errors import ConfigError

T = TypeVar("T")
_OPTION_NAMES = tuple(field.name for field in fields(Options))
_BUDGETS = ("max_on_chip_bytes", "max_off_chip_bytes", "max_size_bytes", "max_cycles")


def read_config(path: str) -> Config:
    """The configuration in a file. Raises ConfigError."""
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"cannot read the file: {reason}", file=path) from None
    return parse_config(text, path)


def parse_config(text: bytes, file: str) -> Config:
    """The configuration in a text; `file` is what messages call it. Raises ConfigError."""
    config = _Reader(read_sections(read_document(text, file))).config(file)
    check(config)
    return config


class _Reader:
    """Resolves the names of one file, section by section."""

    def __init__(self, sections: Mapping[str, Mapping[str, Entry]]) -> None:
        self.sections = sections
        self.defaults = sections["defaults"].get("defaults")
        self.devices = {e.name: self._device(e) for e in sections["devices"].values()}
        self.models = {e.name: self._model(e) for e in sections["models"].values()}
        self.groups = {e.name: self._group(e) for e in sections["cocompile_groups"].values()}
        self.pipelines = {e.name: self._pipeline(e) for e in sections["pipelines"].values()}
        if self.defaults:
            self._resolve(self.defaults.at("device"), self.defaults.get("device"), self.devices)

    def config(self, file: str) -> Config:
        return Config(
            file=file,
            devices=self.devices,
            models=self.models,
            groups=self.groups,
            pipelines=self.pipelines,
            tests={e.name: self._test(e) for e in self.sections["tests"].values()},
            bundles={e.name: self._bundle(e) for e in self.sections["bundles"].values()},
        )

    def _device(self, entry: Entry) -> Device:
        return Device(entry.name, entry.node, **entry.values)

    def _model(self, entry: Entry) -> Model:
        device = self._device_of(entry)
        src = entry.get("src")
        return Model(
            name=entry.name,
            node=entry.node,
            src=src,
            package=_folder(entry, "package", package_of(src)),
            device=device,
            intermediate_tensors=entry.get("intermediate_tensors", ()),
            options=self._options(entry, device),
        )

    def _group(self, entry: Entry) -> Group:
        models = self._several(entry, "models", self.models)
        for model in models:
            self._no_own_options(entry, model.name)
        devices = {model.device for model in models}
        device = devices.pop() if len(devices) == 1 else None
        options = self._options(entry, device, search=False)
        return Group(entry.name, entry.node, models[0].package, models, options)

    def _no_own_options(self, group: Entry, name: str) -> None:
        """One compilation has one set of options."""
        model = self.sections["models"][name]
        own = [option for option in _OPTION_NAMES if option in model.values]
        if own:
            model.at(own[0]).fail(
                f"the model is compiled in the group '{group.name}'",
                hint="Give the option to the group: one compilation has one set of options.",
            )

    def _pipeline(self, entry: Entry) -> Pipeline:
        model = self._resolve(entry.at("model"), entry.get("model"), self.models)
        device = entry.get("device") or model.device
        self._resolve(entry.at("device"), device, self.devices)
        if model.intermediate_tensors:
            entry.at("model").fail(
                "a model with intermediate tensors cannot be cut into segments", actual=model.name
            )
        return Pipeline(
            name=entry.name,
            node=entry.node,
            package=model.package,
            model=model,
            num_segments=entry.get("num_segments"),
            partitioner=entry.get("partitioner", "parameter_count"),
            device=device,
            options=self._options(entry, device, behind=self.sections["models"][model.name]),
        )

    def _test(self, entry: Entry) -> Test:
        subjects = [key for key in ("model", "pipeline") if entry.get(key)]
        if len(subjects) != 1:
            entry.node.fail("a test needs one of the keys 'model' and 'pipeline'")
        key = subjects[0]
        among: Mapping[str, Model | Pipeline] = self.models if key == "model" else self.pipelines
        subject = self._resolve(entry.at(key), entry.get(key), among)
        budgets = {name: entry.get(name) for name in _BUDGETS if name in entry.values}
        cpu = entry.get("cpu_operators", () if entry.get("all_mapped") else None)
        if cpu and entry.get("all_mapped"):
            entry.at("cpu_operators").fail("with 'all_mapped', no operator may run on the CPU")
        inputs = entry.get("inputs", ())
        if "max_difference" in entry.values and not inputs:
            entry.at("max_difference").fail("there are no 'inputs' to compare with")
        if inputs and key == "pipeline":
            entry.at("inputs").fail("a pipeline's segments cannot be compared one by one")
        if cpu is None and not budgets and not inputs:
            entry.node.fail("the test checks nothing", hint="Give all_mapped, a limit or inputs.")
        return Test(
            name=entry.name,
            node=entry.node,
            package=subject.package,
            subject=subject,
            cpu_operators=cpu,
            budgets=budgets,
            inputs=inputs,
            max_difference=entry.get("max_difference"),
        )

    def _bundle(self, entry: Entry) -> Bundle:
        models = self._several(entry, "models", self.models)
        pipelines = self._several(entry, "pipelines", self.pipelines)
        if not models and not pipelines:
            entry.node.fail("the bundle is empty", hint="Give models or pipelines.")
        package = models[0].package if models else pipelines[0].package
        return Bundle(
            name=entry.name,
            node=entry.node,
            package=_folder(entry, "package", package),
            models=models,
            pipelines=pipelines,
            format=entry.get("format", "tar"),
            prefix=_folder(entry, "prefix", ""),
        )

    def _device_of(self, entry: Entry) -> str | None:
        """The device an entry names, else that of the defaults."""
        name = entry.get("device") or (self.defaults.get("device") if self.defaults else None)
        source = entry if entry.get("device") else self.defaults or entry
        self._resolve(source.at("device"), name, self.devices)
        return str(name) if name else None

    def _options(
        self,
        entry: Entry,
        device: str | None,
        behind: Entry | None = None,
        *,
        search: bool = True,
    ) -> Options:
        """An entry's options over those of the entry behind it, the defaults and the device."""
        values: dict[str, Any] = {}
        for source in (self.defaults, behind, entry):
            if source:
                values |= {k: v for k, v in source.values.items() if k in _OPTION_NAMES}
        if not search:
            values = {k: v for k, v in values.items() if k not in _OPTION_NAMES[-2:]}
        installed = self.devices[device].runtime_version if device else None
        wanted = values.get("min_runtime_version")
        if installed and wanted is None:
            values["min_runtime_version"] = installed
        elif installed and wanted is not None and wanted > installed:
            entry.at("min_runtime_version").fail(
                f"the device '{device}' has an older runtime", actual=wanted, allowed=installed
            )
        if "delegate_search_step" in entry.values and not values.get("search_delegate"):
            entry.at("delegate_search_step").fail("has no effect without 'search_delegate: true'")
        return Options(**values)

    def _several(self, entry: Entry, key: str, among: Mapping[str, T]) -> tuple[T, ...]:
        """What the list of names stands for."""
        items = entry.at(key).items
        names = entry.get(key, ())
        return tuple(self._resolve(n, name, among) for n, name in zip(items, names, strict=False))

    def _resolve(self, node: Node, name: str | None, among: Mapping[str, T]) -> Any:  # noqa: ANN401
        """What a name stands for; None for none."""
        if name is None:
            return None
        if name not in among:
            known = ", ".join(among) or "none are declared"
            node.fail("there is no such name", actual=name, allowed=known)
        return among[name]


def _folder(entry: Entry, key: str, default: str) -> str:
    """A relative folder without `.` and `..`; `.` is the folder of the file."""
    text = entry.get(key)
    if text is None:
        return default
    if text == ".":
        return ""
    parts = text.split("/")
    if "\\" in text or any(part in ("", ".", "..") for part in parts):
        entry.at(key).fail("expected a folder below that of this file", actual=text)
    return str(text)
