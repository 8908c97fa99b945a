"""A change as data: operations at paths, applied to a state without touching it.

An operation is written as a JSON array, `["set", "/verdict", …]`; a patch is the list of them.
Applying copies the containers along the path and shares everything else, so an older state stays
as it was.

| operation | at | does |
|---|---|---|
| `set` | any path whose parent exists | puts the value there |
| `remove` | a key of a dictionary | takes it away |
| `append` | a list | adds the items of the value at its end |
| `add` | a number | adds the value to it |
| `union` | a list without repetitions | adds the items that are not there yet |
| `merge` | a dictionary, or a list whose items have a key | puts each item at its key |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from .errors import NotFound, ValueRefused
from .values import JSON, Path, canonical, normalise, parse_path, pointer

Verb = Literal["set", "remove", "append", "add", "union", "merge"]

_INDEX = re.compile("0|[1-9][0-9]{0,17}")

COMMUTING: frozenset[str] = frozenset({"append", "add", "union"})
"""Operations that give an equally valid state in either order, so that they may be rebased."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One typed change at a path.

    `key` is only given with `merge` on a list: the name of the field that identifies an item.
    """

    verb: Verb
    path: Path
    value: JSON = None
    key: str | None = None

    def to_json(self) -> list[JSON]:
        """The operation as it is stored: `[verb, pointer, value, key]`, without what is empty."""
        if self.verb == "remove":
            return [self.verb, pointer(self.path)]
        body = [self.verb, pointer(self.path), self.value]
        return [*body, self.key] if self.key else body

    def touched(self) -> tuple[Path, ...]:
        """The paths that this operation writes; a merge writes only the keys it names, if it names any."""
        if self.verb != "merge":
            return (self.path,)
        return tuple((*self.path, name) for name in _merge_items(self)) or (self.path,)


Patch = tuple[Operation, ...]


def patch_from_json(stored: JSON) -> Patch:
    """Read a patch back from its stored form; `ValueRefused` where it is none."""
    if not isinstance(stored, list | tuple):
        raise ValueRefused(f"{canonical(stored)[:200]} is not a patch")
    return tuple(_operation(item) for item in stored)


def _operation(stored: JSON) -> Operation:
    match stored:
        case ["remove", str(path)]:
            return Operation("remove", parse_path(path))
        case [str(verb), str(path), value] if verb in _APPLY and verb != "remove":
            return Operation(verb, parse_path(path), value)  # type: ignore[arg-type]
        case ["merge", str(path), value, str(key)]:
            return Operation("merge", parse_path(path), value, key)
    raise ValueRefused(f"{canonical(stored)[:200]} is not an operation")


def patch_to_json(patch: Patch) -> list[JSON]:
    """A patch as it is stored."""
    return [operation.to_json() for operation in patch]


def touched(patch: Patch) -> tuple[Path, ...]:
    """The write set of a patch: every path it touches."""
    return tuple(path for operation in patch for path in operation.touched())


def pieces(patch: Patch) -> set[str]:
    """What a patch does, item by item, each as canonical text: for asking whether another does no more."""
    return {canonical([verb, pointer(path), value]) for verb, path, value in _pieces(patch)}


def _pieces(patch: Patch) -> Iterator[tuple[str, Path, JSON]]:
    for operation in patch:
        verb, path = operation.verb, operation.path
        if verb == "merge":
            yield from ((verb, (*path, name), item) for name, item in _merge_items(operation).items())
        elif verb in {"append", "union"}:
            yield from ((verb, path, item) for item in operation.value)
        else:
            yield verb, path, operation.value


def apply(state: JSON, patch: Patch) -> JSON:
    """The state after the patch; the one given stays as it was.

    Raises:
        NotFound: an operation names a place that is not there.
        ValueRefused: an operation does not fit what stands there.
    """
    for operation in patch:
        state = _at(state, operation.path, operation, 0)
    return state


def get(state: JSON, path: Path, keys: dict[str, str] | None = None) -> JSON:
    """The value at a path; `NotFound` names the first token that is not there.

    `keys` says of which top-level lists the items are found by a field (`{"claims": "id"}`).
    """
    value = state
    for depth, token in enumerate(path):
        key = keys.get(path[0]) if keys and depth == 1 else None
        try:
            value = value[_position(value, token, key)]
        except (KeyError, IndexError, TypeError, ValueError):
            raise NotFound(f"There is nothing at {pointer(path[: depth + 1])}") from None
    return value


def _position(container: JSON, token: str, key: str | None) -> str | int:
    if not isinstance(container, list):
        return token
    if key is None:
        return _index(token)
    return [str(item[key]) for item in container].index(token)


def _index(token: str) -> int:
    """A position in a list; one place has one name, or conflicts at it would go unseen (RFC 6901)."""
    if _INDEX.fullmatch(token) is None:
        raise ValueError(token)
    return int(token)


def _at(state: JSON, path: Path, operation: Operation, depth: int) -> JSON:
    """Rebuild the containers along the path around the changed place."""
    if depth == len(path):
        return _APPLY[operation.verb](state, operation)
    token = path[depth]
    last = depth + 1 == len(path)
    if isinstance(state, dict):
        if last and operation.verb == "remove":
            return _without(state, token, path)
        if token not in state and not (last and operation.verb == "set"):
            raise NotFound(f"There is nothing at {pointer(path[: depth + 1])}")
        return {**state, token: _at(state.get(token), path, operation, depth + 1)}
    if isinstance(state, list) and _INDEX.fullmatch(token) and int(token) < len(state):
        copy = state.copy()
        copy[int(token)] = _at(state[int(token)], path, operation, depth + 1)
        return copy
    raise NotFound(f"There is nothing at {pointer(path[: depth + 1])}")


def _without(state: dict[str, JSON], token: str, path: Path) -> JSON:
    if token not in state:
        raise NotFound(f"There is nothing at {pointer(path)} to remove")
    return {name: value for name, value in state.items() if name != token}


def _set(_: JSON, operation: Operation) -> JSON:
    return operation.value


def _remove(_: JSON, operation: Operation) -> JSON:
    raise ValueRefused("Only a key of a dictionary can be removed", path=pointer(operation.path))


def _append(old: JSON, operation: Operation) -> JSON:
    return _listed(old, operation) + _listed(operation.value, operation)


def _add(old: JSON, operation: Operation) -> JSON:
    for number in (old, operation.value):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueRefused("Only numbers can be added", path=pointer(operation.path))
    try:
        return normalise(old + operation.value, pointer(operation.path))
    except OverflowError:
        raise ValueRefused("The sum is beyond what a number can hold", path=pointer(operation.path)) from None


def _union(old: JSON, operation: Operation) -> JSON:
    seen = {canonical(item) for item in _listed(old, operation)}
    new = {canonical(item): item for item in _listed(operation.value, operation)}
    joined = old + [item for text, item in new.items() if text not in seen]
    return sorted(joined, key=canonical)


def _merge(old: JSON, operation: Operation) -> JSON:
    items = _merge_items(operation)
    if operation.key is None:
        if not isinstance(old, dict):
            raise ValueRefused("Only a dictionary merges by key", path=pointer(operation.path))
        return {**old, **items}
    there = _merge_items(replace(operation, value=_listed(old, operation)))
    return list({**there, **items}.values())


def _merge_items(operation: Operation) -> dict[str, JSON]:
    """What a merge puts where: by the dictionary's key, or by the items' own key field."""
    value, key = operation.value, operation.key
    if key is None and isinstance(value, dict):
        return value
    if key is not None and isinstance(value, list):
        try:
            return {str(item[key]): item for item in value}
        except (KeyError, TypeError):
            pass
    raise ValueRefused(
        f"A merge takes a dictionary, or a list of objects with the field {key!r}",
        path=pointer(operation.path),
    )


def _listed(value: JSON, operation: Operation) -> list[JSON]:
    if not isinstance(value, list):
        raise ValueRefused(
            f"The operation {operation.verb} needs a list here and in its value",
            path=pointer(operation.path),
        )
    return value


_APPLY: dict[str, Callable[[JSON, Operation], JSON]] = {
    "set": _set,
    "remove": _remove,
    "append": _append,
    "add": _add,
    "union": _union,
    "merge": _merge,
}
