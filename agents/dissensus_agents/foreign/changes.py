"""What a step changed, as operations: the difference of two values of a channel. Pure.

LangGraph stores whole values at each step. A list that grew at its end becomes an `append`, a dictionary
that changed is changed key by key, an item that changed in place is set where it stands; everything else
is set whole.
"""

from __future__ import annotations

from typing import Any

from dissensus_state.patches import Operation
from dissensus_state.values import JSON, Path

from .decoding import text_of

_DEEPEST = 16
"""From this level on a value that changed is set whole."""

_MOST_PLACES = 50
"""A list of which more items changed in place than this is set whole."""

Texts = dict[str, bytes]
"""The text of each channel's value, by channel."""


def changes(name: str, old: JSON, new: JSON, before: bytes, after: bytes) -> list[Operation]:
    """What turns a channel's value into another; `before` and `after` are their texts."""
    if type(old) is list and type(new) is list and _continues(before, after) and len(new) > len(old):
        return [Operation("append", (name,), new[len(old) :])]
    return _between((name,), old, new)


def added(value: JSON, written: JSON) -> JSON:
    """What a write makes of the value of a channel whose reducer is not known."""
    if isinstance(written, dict) and written.get("type") == "langgraph.types.Overwrite":
        return written.get("value")
    if value is None or isinstance(value, list):
        if not isinstance(written, list) and value is None:
            return written
        return [*(value or []), *(written if isinstance(written, list) else [written])]
    if isinstance(value, dict) and isinstance(written, dict):
        return {**value, **written}
    return written


def _continues(before: bytes, after: bytes) -> bool:
    """Whether the text of a list is the beginning of another one's."""
    if before == b"[]":
        return True
    return after.startswith(before[:-1]) and after[len(before) - 1 : len(before)] == b","


def _between(path: Path, old: Any, new: Any) -> list[Operation]:
    if len(path) < _DEEPEST:
        if isinstance(old, dict) and isinstance(new, dict):
            return _keys(path, old, new)
        if isinstance(old, list) and isinstance(new, list):
            return _items(path, old, new)
    return [Operation("set", path, new)]


def _keys(path: Path, old: dict[str, Any], new: dict[str, Any]) -> list[Operation]:
    gone = [Operation("remove", (*path, key)) for key in sorted(old.keys() - new.keys())]
    if new and len(gone) == len(old):
        return [Operation("set", path, new)]
    made = list(gone)
    for key in sorted(new):
        if key not in old:
            made.append(Operation("set", (*path, key), new[key]))
        elif not _same(old[key], new[key]):
            made += _between((*path, key), old[key], new[key])
    return made


def _items(path: Path, old: list[Any], new: list[Any]) -> list[Operation]:
    if len(new) < len(old) or not old:
        return [Operation("set", path, new)]
    places = [n for n, item in enumerate(old) if not _same(item, new[n])]
    if len(places) > min(_MOST_PLACES, max(1, len(old) // 2)) or (len(places) == len(old) > 1):
        return [Operation("set", path, new)]
    made = [one for n in places for one in _between((*path, str(n)), old[n], new[n])]
    if len(new) > len(old):
        made.append(Operation("append", path, new[len(old) :]))
    return made


def _same(old: Any, new: Any) -> bool:
    """Whether two plain values have the same text."""
    return old is new or text_of(old) == text_of(new)
