"""The operations that turn one state into another: the way back from two states to a patch."""

from __future__ import annotations

from collections.abc import Container, Iterator

from .patches import Operation, Patch, patch_to_json
from .values import JSON, Path, canonical


def delta(before: dict[str, JSON], after: dict[str, JSON], whole: Container[str] = ()) -> Patch:
    """A patch that makes `after` of `before`, as short as setting the places that differ allows.

    Where naming what differs inside of a value takes more text than the value, it is set at once.

    Args:
        whole: Fields whose items have no place of their own (sets, lists with keys): set at once.
    """
    return tuple(_entries(before, after, (), whole))


def _entries(before: JSON, after: JSON, path: Path, whole: Container[str]) -> Iterator[Operation]:
    for name in before:
        if name not in after:
            yield Operation("remove", (*path, name))
    for name, value in after.items():
        if name in before:
            yield from _turned(before[name], value, (*path, name), whole)
        else:
            yield Operation("set", (*path, name), value)


def _turned(before: JSON, after: JSON, path: Path, whole: Container[str]) -> Patch:
    if before is after or canonical(before) == canonical(after):
        return ()
    at_once = (Operation("set", path, after),)
    if path[0] in whole:
        return at_once
    parts = _parts(before, after, path, whole)
    return parts if parts and _length(parts) < _length(at_once) else at_once


def _parts(before: JSON, after: JSON, path: Path, whole: Container[str]) -> Patch:
    """The same inside of a container; nothing where its parts do not answer to each other."""
    if isinstance(before, dict) and isinstance(after, dict):
        return tuple(_entries(before, after, path, whole))
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return tuple(
            operation
            for n, (old, new) in enumerate(zip(before, after, strict=True))
            for operation in _turned(old, new, (*path, str(n)), whole)
        )
    return ()


def _length(patch: Patch) -> int:
    return len(canonical(patch_to_json(patch)))
