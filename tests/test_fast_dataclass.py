"""The fast decorator gives what the standard one gives."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import ClassVar, Generic, TypeVar

import pytest

from compiler.fast_dataclass import dataclass as fast

T = TypeVar("T")


@fast(frozen=True, slots=True)
class Point:
    """A class with a default, a constant and a property."""

    x: int
    y: int = 3
    unit: ClassVar[str] = "mm"

    @property
    def sum(self) -> int:
        return self.x + self.y


@fast(frozen=True, slots=True, kw_only=True)
class Named(Point):
    name: str = ""
    tags: list[str] = field(default_factory=list)


@fast(frozen=True, slots=True, eq=False)
class Identity(Generic[T]):
    value: T


@fast(frozen=True, slots=True)
class Empty:
    pass


@fast(frozen=True, slots=True)
class Single:
    value: object

    def __post_init__(self) -> None:
        if self.value == "bad":
            raise ValueError("bad")


@dataclass(frozen=True, slots=True)
class StandardChild(Named):
    more: int = 0


@dataclass(frozen=True, slots=True)
class StandardParent:
    a: int


@fast(frozen=True, slots=True)
class FastChild(StandardParent):
    b: int = 2


def test_construction():
    assert (Point(1).x, Point(1).y, Point(1, y=2).y, Point(4).sum) == (1, 3, 2, 7)
    assert Point.unit == "mm"
    named = Named(1, 2, name="n")
    assert (named.x, named.y, named.name, named.tags) == (1, 2, "n", [])
    assert named.tags is not Named(1).tags
    for wrong in (Point, lambda: Point(1, 2, 3), lambda: Named(1, 2, "n")):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(ValueError, match="bad"):
        Single("bad")


def test_no_dictionary_and_no_change():
    point = Named(1)
    assert not hasattr(point, "__dict__")
    for name in ("x", "name", "other"):
        with pytest.raises(FrozenInstanceError):
            setattr(point, name, 2)
        with pytest.raises(FrozenInstanceError):
            delattr(point, name)


def test_equality_and_hash():
    assert Point(1, 2) == Point(1, 2) != Point(1, 3)
    assert hash(Point(1, 2)) == hash(Point(1, 2))
    assert len({Point(1), Point(1), Point(2)}) == 2
    assert Point(1) != Named(1) and Named(1) != Point(1)
    assert Empty() == Empty() and Single(1) == Single(1) != Single((1,))
    one = Identity(1)
    assert one in [one] and one != Identity(1)
    assert len({one, Identity(1)}) == 2


def test_text():
    assert repr(Named(1, name="n")) == "Named(x=1, y=3, name='n', tags=[])"
    assert repr(Empty()) == "Empty()"
    assert repr(Single(None)) == "Single(value=None)"


def test_it_is_a_dataclass():
    assert dataclasses.is_dataclass(Point)
    assert [f.name for f in fields(Named)] == ["x", "y", "name", "tags"]
    assert [f.default for f in fields(Point)] == [dataclasses.MISSING, 3]
    assert replace(Named(1, name="n"), x=5) == Named(5, name="n")
    assert dataclasses.asdict(Named(1)) == {"x": 1, "y": 3, "name": "", "tags": []}
    match Named(8, 9):
        case Point(x, y):
            assert (x, y) == (8, 9)
    assert Named.__match_args__ == ("x", "y")


def test_copies():
    named = Named(1, tags=["a"])
    deep = copy.deepcopy(named)
    assert deep == named and deep.tags is not named.tags
    assert copy.copy(named).tags is named.tags
    assert pickle.loads(pickle.dumps(Point(1, 2))) == Point(1, 2)


def test_mixed_with_the_standard_decorator():
    child = StandardChild(1, more=4)
    assert (child.x, child.y, child.more, child.name) == (1, 3, 4, "")
    assert child == StandardChild(1, more=4) != StandardChild(1)
    assert FastChild(1) == FastChild(1, 2) and FastChild(1).a == 1
    with pytest.raises(FrozenInstanceError):
        child.x = 2


@pytest.mark.parametrize(
    "options", [{}, {"frozen": True}, {"slots": True}, {"frozen": True, "slots": True, "order": 1}]
)
def test_anything_else_is_the_standard_decorator(options):
    class Plain:
        x: int = 0

    made = fast(**options)(Plain)
    assert repr(made(1)).endswith("Plain(x=1)")
    assert "set_x" not in made.__init__.__globals__


def test_special_fields_are_the_standard_decorators():
    @fast(frozen=True, slots=True)
    class Hidden:
        x: int
        y: int = field(default=0, compare=False, repr=False)

    assert Hidden(1, 2) == Hidden(1, 3)
    assert repr(Hidden(1)).endswith("Hidden(x=1)")
