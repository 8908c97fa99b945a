"""What differs between two states, path by path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .showing import Shown
from .values import JSON, Path, canonical, pointer

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Difference(Shown):
    """One path that differs: what stood there before, and what after."""

    path: str
    kind: Kind
    before: JSON = None
    after: JSON = None

    def as_dict(self) -> dict[str, Any]:
        """The difference as plain data; a side where nothing stood is left out."""
        sides = {"before": self.before, "after": self.after}
        if self.kind == "added":
            del sides["before"]
        if self.kind == "removed":
            del sides["after"]
        return {"path": self.path, "kind": self.kind, **sides}


def diff(before: JSON, after: JSON, keys: Mapping[str, str] | None = None) -> list[Difference]:
    """The differences from one state to another, in the order of the first.

    Args:
        keys: For top-level lists whose items have an identity, the field that holds it; other lists
            are compared by position.
    """
    return list(_walk(before, after, (), keys or {}))


def _walk(before: JSON, after: JSON, path: Path, keys: Mapping[str, str]) -> Iterator[Difference]:
    if before is after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _entries(before, after, path, keys)
    elif isinstance(before, list) and isinstance(after, list):
        key = keys.get(path[0]) if len(path) == 1 else None
        yield from _entries(_indexed(before, key), _indexed(after, key), path, keys)
    elif type(before) is not type(after) or canonical(before) != canonical(after):
        yield Difference(pointer(path), "changed", before, after)


def _indexed(items: list[JSON], key: str | None) -> dict[str, JSON]:
    if key is None:
        return {str(n): item for n, item in enumerate(items)}
    return {str(item[key]): item for item in items}


def _entries(
    before: dict[str, JSON], after: dict[str, JSON], path: Path, keys: Mapping[str, str]
) -> Iterator[Difference]:
    for name in [*before, *(name for name in after if name not in before)]:
        here = (*path, name)
        if name not in after:
            yield Difference(pointer(here), "removed", before[name])
        elif name not in before:
            yield Difference(pointer(here), "added", None, after[name])
        else:
            yield from _walk(before[name], after[name], here, keys)
