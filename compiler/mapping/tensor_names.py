"""Reads the argument of `--intermediate_tensors`.

Names are separated by commas and the lists of several models by colons, but names may hold
both (`serving_default_x:0`): pieces are joined again where only that gives a known name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence


def split_lists(text: str, known: Sequence[Collection[str]]) -> list[tuple[str, ...]]:
    """One tuple of tensor names for each model; `known[i]` are the names of model i.

    Unknown names are kept as they are, for the mapping to refuse them. Without colons for
    every model the last ones get no names.
    """
    if len(known) == 1:
        return [_names(text, known[0])]
    pieces = text.split(":")
    lists = _assign(pieces, known)
    if lists is None:
        lists = [tuple(filter(None, piece.split(","))) for piece in pieces[: len(known) - 1]]
        lists.append(tuple(filter(None, ":".join(pieces[len(known) - 1 :]).split(","))))
    return lists[: len(known)] + [()] * (len(known) - len(lists))


def _assign(
    pieces: Sequence[str], known: Sequence[Collection[str]]
) -> list[tuple[str, ...]] | None:
    """The pieces dealt to the models in order so that every name is known, None if no way."""
    if not known or not pieces:
        return None if pieces else []
    for end in range(1, len(pieces) + 1):
        names = _names(":".join(pieces[:end]), known[0])
        if all(name in known[0] for name in names):
            rest = _assign(pieces[end:], known[1:])
            if rest is not None:
                return [names, *rest]
    return None


def _names(text: str, known: Collection[str]) -> tuple[str, ...]:
    """The longest known names first, from left to right."""
    pieces = text.split(",")
    found: list[str] = []
    start = 0
    while start < len(pieces):
        ends = range(len(pieces), start, -1)
        end = next((e for e in ends if ",".join(pieces[start:e]) in known), start + 1)
        found.append(",".join(pieces[start:end]))
        start = end
    return tuple(name for name in found if name)
