"""Reading what proposals say field by field: paths as text, values as plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

from dissensus_state.values import JSON, Path, parse_path, pointer

_Found = TypeVar("_Found")

SILENT: Final[Any] = object()
"""What `said` gives for a path that a proposal does not speak to."""


def said(values: Mapping[str, JSON], path: str) -> JSON:
    """What a proposal says of a path: at it, or inside the nearest value that it proposes above it.

    Whoever proposes a whole object has spoken of every key of it: one that it lacks is null.
    """
    if path in values:
        return values[path]
    for above in _upwards(path):
        if above in values:
            return _descend(values[above], path[len(above) :])
    return SILENT


def inherited(chosen: Mapping[str, _Found], path: str) -> _Found | None:
    """What was chosen for a path, or for the nearest path above it."""
    if path in chosen:
        return chosen[path]
    return next((chosen[above] for above in _upwards(path) if above in chosen), None)


def children(path: str, objects: Iterable[Mapping[str, JSON]]) -> Iterator[str]:
    """The paths of all keys of some objects at a path."""
    return (path + pointer((name,)) for item in objects for name in item)


def reach(values: Mapping[str, JSON], target: Path) -> Iterator[tuple[Path, JSON]]:
    """Every place at or below a path, in values by JSON pointer or by field.

    A list on the way is passed through, so `findings/quotes` reaches the quotes of every finding,
    also where one item alone is proposed (`/findings/-`, `/findings/3`).
    """
    for key, value in values.items():
        at = parse_path(key)
        rest = _remaining(at, target)
        if rest is not None:
            yield from _reached(at, value, rest)


def _remaining(at: Path, target: Path) -> Path | None:
    for token in at:
        if target and token == target[0]:
            target = target[1:]
        elif target and not _is_item(token):
            return None
    return target


def _reached(at: Path, value: JSON, rest: Path) -> Iterator[tuple[Path, JSON]]:
    if not rest:
        yield at, value
    elif isinstance(value, dict) and rest[0] in value:
        yield from _reached((*at, rest[0]), value[rest[0]], rest[1:])
    elif isinstance(value, list):
        named = _is_item(rest[0])
        for n, item in enumerate(value):
            if not named or rest[0] == str(n):
                yield from _reached((*at, str(n)), item, rest[1:] if named else rest)


def _is_item(name: str) -> bool:
    return name == "-" or name.isdecimal()


def _upwards(path: str) -> Iterator[str]:
    while path:
        path = path[: max(path.rfind("/"), 0)]
        yield path


def _descend(value: JSON, below: str) -> JSON:
    for token in below.split("/")[1:]:
        if isinstance(value, dict):
            value = value.get(token.replace("~1", "/").replace("~0", "~"))
        elif isinstance(value, list) and token.isdecimal() and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value
