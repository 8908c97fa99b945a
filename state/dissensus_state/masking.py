"""Which part of an operation wrote a value, and what stands there once it is taken away. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .blobs import REDACTED
from .errors import ValueRefused
from .patches import Operation
from .values import JSON, Path, canonical, pointer


def place_in(operation: Operation, path: Path, length: int, keys: Mapping[str, str]) -> Path | None:
    """Where in an operation's value that stands which it has put at a path; None where it wrote none of it.

    Args:
        length: How long the list was that it appends to.
        keys: The key field of each list that merges by key.
    """
    depth = len(operation.path)
    rest = path[depth:]
    if path[:depth] != operation.path or operation.verb == "remove":
        return None
    verb, value = operation.verb, operation.value
    if verb == "append" and rest:
        position = int(rest[0]) - length
        return (str(position), *rest[1:]) if 0 <= position < len(value) else None
    if verb in {"append", "union"}:
        return None
    if verb == "fold":
        return ("to", *rest)
    if verb == "merge" and not rest:
        return None
    key = operation.key if verb == "merge" else keys.get(path[0]) if depth == 1 else None
    return _by_key(value, rest, key)


def _by_key(value: JSON, rest: Path, key: str | None) -> Path | None:
    if not rest or key is None or not isinstance(value, list):
        return rest if not rest or not isinstance(value, dict) or rest[0] in value else None
    names = [str(item[key]) for item in value]
    return (str(names.index(rest[0])), *rest[1:]) if rest[0] in names else None


def put(value: JSON, place: Path, new: JSON) -> JSON:
    """The value with something else at a place in it."""
    if not place:
        return new
    token, rest = place[0], place[1:]
    if isinstance(value, list):
        position = int(token)
        return [*value[:position], put(value[position], rest, new), *value[position + 1 :]]
    return {**value, token: put(value[token], rest, new)}


def masked(value: JSON, path: Path, key: str | None) -> JSON:
    """The same structure with every text gone.

    Args:
        key: The key field of the list with keys that the path stands in; keys stay.

    Raises:
        ValueRefused: there is a number or a truth value in it, for which nothing can stand by itself.
    """
    if isinstance(value, str):
        return REDACTED
    if isinstance(value, list):
        return [masked(item, (*path, str(number)), key) for number, item in enumerate(value)]
    if isinstance(value, dict):
        at_item = len(path) == 2 and key is not None
        return {
            name: item if at_item and name == key else masked(item, (*path, name), key)
            for name, item in value.items()
        }
    if value is None:
        return None
    raise ValueRefused(
        f"For {canonical(value)[:40]} at {pointer(path)} nothing can stand by itself",
        next_step="Say what is to stand there instead (`replacement`)",
        path=pointer(path),
    )


def keeps_keys(old: JSON, new: JSON, path: Path, key: str | None) -> bool:
    """Whether the items of a list with keys are still found by the same keys."""
    if key is None:
        return True
    if len(path) == 1:
        pairs = zip(old, new, strict=False) if isinstance(new, list) else ()
        return (
            isinstance(new, list)
            and len(old) == len(new)
            and all(_key(a, key) == _key(b, key) for a, b in pairs)
        )
    return _key(old, key) == _key(new, key) if len(path) == 2 else path[2] != key or old == new


def _key(item: JSON, key: str) -> JSON:
    return item.get(key) if isinstance(item, dict) else None


def texts_gone(old: JSON, new: JSON) -> Iterator[str]:
    """The texts of a value that do not stand at the same place of the other."""
    if isinstance(old, str):
        if old != new:
            yield old
    elif isinstance(old, list):
        for number, item in enumerate(old):
            yield from texts_gone(item, new[number] if isinstance(new, list) and number < len(new) else None)
    elif isinstance(old, dict):
        for name, item in old.items():
            yield from texts_gone(item, new.get(name) if isinstance(new, dict) else None)


def leaves(value: JSON, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text of a value with its place."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, (*path, str(number)))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*path, name))
