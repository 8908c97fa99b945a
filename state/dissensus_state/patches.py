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
| `max`, `min` | a number or a text, or nothing | keeps the greater, the smaller of both |
| `fold` | any field with a merge of the user's own | puts the merged value there, and keeps what was given |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Literal

from .errors import NotFound, Pruned, ValueRefused
from .folding import APPLY, merge_items
from .growing import Grown, grown
from .values import JSON, Path, canonical, parse_path, pointer

Verb = Literal["set", "remove", "append", "add", "union", "merge", "max", "min", "fold"]

_INDEX = re.compile("0|[1-9][0-9]{0,17}")

COMMUTING: frozenset[str] = frozenset({"append", "add", "union", "max", "min", "fold"})
"""Verbs that give an equally valid state in either order; of folds, those that are not `ordered`."""


def commutes(operation: Operation) -> bool:
    """Whether the operation gives an equally valid state before and after another one like it."""
    return operation.verb in COMMUTING and not is_ordered(operation)


def is_ordered(operation: Operation) -> bool:
    """Whether it is a merge of the user's own that declares that its order matters.

    Where its value was taken away since, nobody knows; it was admitted with it.
    """
    if operation.verb != "fold" or operation.gone is not None:
        return False
    return not isinstance(operation.value, dict) or bool(operation.value.get("ordered"))


VERBS = frozenset(APPLY)
"""All there are."""

_PLAIN = frozenset(APPLY) - {"remove", "fold"}
"""What is written as verb, path and value."""

Gone = tuple[Literal["redacted", "pruned"], str]
"""Why a value is not the one that was written, and the digest of that one."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One typed change at a path.

    `key` is given with `merge` on a list, the name of the field that identifies an item, and with
    `fold`, the name of the merge. `gone` says that the value was taken away since, and how. `text` is the
    canonical text of the value where whoever made the operation had it at hand.
    """

    verb: Verb
    path: Path
    value: JSON = None
    key: str | None = None
    gone: Gone | None = None
    text: str | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> list[JSON]:
        """The operation as it is stored: `[verb, pointer, value, key]`, without what is empty."""
        if self.gone is not None:
            return [self.verb, pointer(self.path), self.value, self.key, *self.gone]
        if self.verb == "remove":
            return [self.verb, pointer(self.path)]
        body = [self.verb, pointer(self.path), self.value]
        return [*body, self.key] if self.key else body

    @property
    def pruned(self) -> bool:
        """Whether nothing is left of its value but the digest."""
        return self.gone is not None and self.gone[0] == "pruned"

    def touched(self) -> tuple[Path, ...]:
        """The paths that this operation writes; a merge writes only the keys it names, if it names any."""
        if self.verb != "merge" or self.pruned:
            return (self.path,)
        return tuple((*self.path, name) for name in _named(self)) or (self.path,)


Patch = tuple[Operation, ...]


def patch_from_json(stored: JSON) -> Patch:
    """Read a patch back from its stored form; `ValueRefused` where it is none."""
    if not isinstance(stored, list | tuple):
        raise ValueRefused(f"{canonical(stored)[:200]} is not a patch")
    return tuple(_operation(item) for item in stored)


def _operation(stored: JSON) -> Operation:
    if isinstance(stored, list | tuple) and len(stored) == 3:  # nearly all; matching costs twice that
        verb, path, value = stored
        if isinstance(verb, str) and verb in _PLAIN and isinstance(path, str):
            return Operation(verb, parse_path(path), value)  # type: ignore[arg-type]
    match stored:
        case ["remove", str(path)]:
            return Operation("remove", parse_path(path))
        case ["merge", str(path), value, str(key)]:
            return Operation("merge", parse_path(path), value, key)
        case ["fold", str(path), {"by": _, "to": _} as value, str(key)]:
            return Operation("fold", parse_path(path), value, key)
        case [str(verb), str(path), value, str() | None as key, "redacted" | "pruned" as how, str(was)]:
            if verb in APPLY:
                return Operation(verb, parse_path(path), value, key, (how, was))  # type: ignore[arg-type]
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
        if operation.gone is not None:
            yield verb, path, [operation.value, *operation.gone]
        elif verb == "merge":
            yield from ((verb, (*path, name), item) for name, item in _named(operation).items())
        elif verb in {"append", "union"}:
            yield from ((verb, path, item) for item in operation.value)
        else:
            yield verb, path, operation.value["by"] if verb == "fold" else operation.value


def apply(state: JSON, patch: Iterable[Operation]) -> JSON:
    """The state after the patch; the one given stays as it was.

    Raises:
        NotFound: an operation names a place that is not there, or its value is gone.
        ValueRefused: an operation does not fit what stands there.
    """
    for operation in patch:
        _check_there(operation)
        state = _at(state, operation.path, operation, 0)
    return state


def grow(state: JSON, patch: Patch) -> JSON:
    """The same, with the fields that are appended to as `Grown` lists."""
    state = {**state}
    for operation in patch:
        _check_there(operation)
        path, verb = operation.path, operation.verb
        if len(path) == 1 and verb == "set":
            state[path[0]] = operation.value
        elif len(path) == 1 and verb == "append" and isinstance(state.get(path[0]), list | Grown):
            state[path[0]] = grown(state[path[0]], _items(operation))
        else:
            state = _at(state, path, operation, 0)
    return state


def fold(state: JSON, patch: Iterable[Operation]) -> JSON:
    """The same for whoever owns the state and the patch, which both may be changed on the way."""
    for operation in patch:
        _check_there(operation)
        path, verb = operation.path, operation.verb
        if len(path) == 1 and verb == "set" and type(state) is dict:
            state[path[0]] = operation.value
        elif len(path) == 1 and verb == "append" and type(state.get(path[0])) is list:
            state[path[0]].extend(_items(operation))
        elif not _put(state, operation):
            state = _at(state, path, operation, 0)
    return state


class Folder:
    """Folds patch after patch into a state that it owns: what a merge costs is what it brings.

    It remembers where the items of lists with keys stand, which `fold` has to look for each time.
    """

    def __init__(self, state: JSON) -> None:
        self.state = state
        self._places: dict[str, dict[str, int]] = {}

    def fold(self, patch: Patch) -> None:
        """Take a patch in; what it holds may be changed later on.

        Raises:
            NotFound, ValueRefused, Pruned: as `apply` has it; the state is of no use then.
        """
        for operation in patch:
            if operation.verb != "merge" or operation.key is None or not self._merged(operation):
                self._places.pop(operation.path[0] if operation.path else "", None)
                if not operation.path:
                    self._places.clear()
                self.state = fold(self.state, (operation,))

    def _merged(self, operation: Operation) -> bool:
        """Put the items of a merge into their places, where the list is that of a field."""
        field = operation.path[0] if len(operation.path) == 1 else ""
        there = self.state.get(field)
        if type(there) is not list or operation.pruned:
            return False
        items = _named(operation)
        places = self._places.get(field)
        if places is None:
            names = merge_items(there, operation.key, pointer(operation.path))
            if len(names) != len(there):
                return False
            places = self._places[field] = {name: place for place, name in enumerate(names)}
        for name, item in items.items():
            if name in places:
                there[places[name]] = item
            else:
                places[name] = len(there)
                there.append(item)
        return True


def _put(state: JSON, operation: Operation) -> bool:
    """Put what an operation brings into a dictionary of the state, which is not copied for it."""
    path, verb = operation.path, operation.verb
    there = state.get(path[0]) if path and type(state) is dict else None
    if type(there) is not dict:
        return False
    if len(path) == 2 and verb == "set":
        there[path[1]] = operation.value
    elif len(path) == 1 and verb == "merge" and operation.key is None and type(operation.value) is dict:
        there.update(operation.value)
    else:
        return False
    return True


def _items(operation: Operation) -> list[JSON]:
    """What an `append` brings."""
    if not isinstance(operation.value, list):
        raise ValueRefused("What is appended is a list of items", path=pointer(operation.path))
    return operation.value


def _check_there(operation: Operation) -> None:
    if operation.pruned:
        raise Pruned(f"What was written to {pointer(operation.path) or '/'} is pruned")


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
    return value[:] if isinstance(value, Grown) else value


def _position(container: JSON, token: str, key: str | None) -> str | int:
    if not isinstance(container, list | Grown):
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
    if isinstance(state, Grown):
        state = state[:]
    if depth == len(path):
        return _applied(state, operation)
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


def _applied(old: JSON, operation: Operation) -> JSON:
    change: Callable[..., JSON] = APPLY[operation.verb]
    return change(old, operation.value, operation.key, pointer(operation.path))


def _without(state: dict[str, JSON], token: str, path: Path) -> JSON:
    if token not in state:
        raise NotFound(f"There is nothing at {pointer(path)} to remove")
    return {name: value for name, value in state.items() if name != token}


def _named(operation: Operation) -> dict[str, JSON]:
    return merge_items(operation.value, operation.key, pointer(operation.path))


def by_field(patch: Patch) -> dict[str, list[Operation]]:
    """The operations of a patch by the top-level field that they change."""
    fields: dict[str, list[Operation]] = {}
    for operation in patch:
        fields.setdefault(operation.path[0], []).append(operation)
    return fields


def all_at(operations: Sequence[Operation], verb: Verb) -> bool:
    """Whether all of these are this operation on the whole field."""
    return all(item.verb == verb and len(item.path) == 1 for item in operations)


def keys_of(operations: Sequence[Operation]) -> AbstractSet[str] | None:
    """The keys of a field that these operations put something at, if they do nothing else."""
    if any(item.verb == "remove" or (len(item.path) == 1 and item.verb != "merge") for item in operations):
        return None
    return {path[1] for item in operations for path in item.touched() if len(path) > 1}
