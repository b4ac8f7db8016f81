"""`dataclass` that is ready in a quarter of the time, for the short life of a command.

Before Python 3.13 the standard decorator compiles six functions for each frozen class, one at
a time: half a millisecond a class, a fifth of a small compilation. Here one function, the
constructor, is compiled; the others are shared code over the class's slots. To everybody else
the result is an ordinary dataclass: `fields`, `replace`, `match` and `copy` work.

Only `frozen=True, slots=True` is made here (with `eq`, `kw_only` and defaults); anything else
goes to the standard decorator. Measurements: docs/performance.md.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass"]
Values = Callable[[Any], "tuple[Any, ...]"]
Fields = dict[str, "dataclasses.Field[Any]"]


def _dataclass(cls: type | None = None, /, **options: bool) -> object:
    """Parameters and result of `dataclasses.dataclass`."""
    if cls is None:
        return lambda decorated: _dataclass(decorated, **options)
    rest: dict[str, Any] = dict(options)
    eq, kw_only = rest.pop("eq", True), rest.pop("kw_only", False)
    if rest != {"frozen": True, "slots": True} or _is_special(cls):
        return dataclasses.dataclass(**options)(cls)
    return _make(cls, eq, kw_only)


def _is_special(cls: type) -> bool:
    """Whether a field has options of its own, other than a default."""
    own = [value for value in vars(cls).values() if isinstance(value, dataclasses.Field)]
    return any(not (f.init and f.repr and f.compare) or f.hash is not None for f in own)


def _make(cls: type, eq: bool, kw_only: bool) -> type:
    inherited = _inherited(cls)
    own = _own_fields(cls, kw_only)
    fields = inherited | own
    body = {key: value for key, value in vars(cls).items() if key not in own}
    for name in ("__dict__", "__weakref__"):
        body.pop(name, None)
    body["__slots__"] = tuple(name for name in own if name not in inherited)
    values = _values_of(tuple(fields))
    methods: dict[str, object] = {
        "__dataclass_fields__": fields,
        "__dataclass_params__": _PARAMETERS[eq],
        "__match_args__": tuple(f.name for f in fields.values() if not f.kw_only),
        "__repr__": _repr_of(tuple(fields), values),
        "__setattr__": _refuse_change,
        "__delattr__": _refuse_change,
        "__getstate__": lambda self: list(values(self)),
        "__setstate__": _set_state,
    }
    if eq:
        methods |= {"__eq__": _eq_of(values), "__hash__": lambda self: hash(values(self))}
    made: type = type(cls)(cls.__name__, cls.__bases__, methods | body)
    made.__qualname__ = cls.__qualname__
    if "__init__" not in body:
        made.__init__ = _constructor(made, fields)  # type: ignore[misc]
    return made


def _inherited(cls: type) -> Fields:
    fields: Fields = {}
    for base in reversed(cls.__mro__[1:]):
        fields |= vars(base).get("__dataclass_fields__", {})
    return fields


def _own_fields(cls: type, kw_only: bool) -> Fields:
    fields: Fields = {}
    for name, annotation in vars(cls).get("__annotations__", {}).items():
        if str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            continue
        value = vars(cls).get(name, MISSING)
        known = isinstance(value, dataclasses.Field)
        field = value if known else dataclasses.field(default=value)
        field.name, field.type, field.kw_only = name, annotation, kw_only
        field._field_type = dataclasses._FIELD  # type: ignore[attr-defined]
        fields[name] = field
    return fields


def _constructor(made: type, fields: Fields) -> Callable[..., None]:
    """`__init__`: writes the slots through their descriptors, past `__setattr__`."""
    scope: dict[str, Any] = {"FACTORY": dataclasses._HAS_DEFAULT_FACTORY}  # type: ignore[attr-defined]
    parameters: dict[bool, list[str]] = {False: [], True: []}
    lines = []
    for name, field in fields.items():
        scope[f"set_{name}"] = getattr(made, name).__set__
        value, default = name, ""
        if field.default is not MISSING:
            scope[f"default_{name}"], default = field.default, f"=default_{name}"
        elif field.default_factory is not MISSING:
            scope[f"make_{name}"], default = field.default_factory, "=FACTORY"
            value = f"make_{name}() if {name} is FACTORY else {name}"
        parameters[bool(field.kw_only)].append(name + default)
        lines.append(f" set_{name}(self, {value})\n")
    if hasattr(made, "__post_init__"):
        lines.append(" self.__post_init__()\n")
    stars = ["*", *parameters[True]] if parameters[True] else []
    head = ", ".join(["self", *parameters[False], *stars])
    exec(f"def __init__({head}):\n{''.join(lines) or ' pass'}", scope)
    function: Callable[..., None] = scope["__init__"]
    function.__qualname__ = f"{made.__qualname__}.__init__"
    return function


def _values_of(names: tuple[str, ...]) -> Values:
    """Reads all fields of an instance, always as a tuple."""
    if not names:
        return lambda self: ()
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda self: (get(self),)


def _repr_of(names: tuple[str, ...], values: Values) -> Callable[[object], str]:
    def show(self: object) -> str:
        pairs = zip(names, values(self), strict=True)
        return f"{type(self).__qualname__}({', '.join(f'{n}={v!r}' for n, v in pairs)})"

    return show


def _eq_of(values: Values) -> Callable[[object, object], bool]:
    def same(self: object, other: object) -> bool:
        return values(self) == values(other) if type(other) is type(self) else NotImplemented

    return same


def _refuse_change(self: object, name: str, value: object = None) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _set_state(self: object, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):  # type: ignore[arg-type]
        object.__setattr__(self, field.name, value)


def _parameters(eq: bool) -> object:
    """What the standard decorator notes about such a class."""
    sample = dataclasses.make_dataclass("Sample", [], eq=eq, frozen=True)
    return vars(sample)["__dataclass_params__"]


_PARAMETERS = {eq: _parameters(eq) for eq in (False, True)}

if TYPE_CHECKING or sys.version_info >= (3, 13) or not hasattr(dataclasses, "_FIELD"):
    from dataclasses import dataclass
else:
    dataclass = _dataclass
