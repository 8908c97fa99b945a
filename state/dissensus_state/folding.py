"""What each operation makes of the value that stands at its place: pure functions `(old, given)`."""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring

from .errors import ValueRefused
from .values import JSON, canonical, normalise

Change = Callable[[JSON, JSON, str | None, str], JSON]
"""`(old value, given value, key field, pointer of the place)` -> new value."""


def _set(_: JSON, given: JSON, __: str | None, ___: str) -> JSON:
    return given


def _remove(_: JSON, __: JSON, ___: str | None, place: str) -> JSON:
    raise ValueRefused("Only a key of a dictionary can be removed", path=place)


def _append(old: JSON, given: JSON, _: str | None, place: str) -> JSON:
    return _listed("append", old, place) + _listed("append", given, place)


def _add(old: JSON, given: JSON, _: str | None, place: str) -> JSON:
    for number in (old, given):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueRefused("Only numbers can be added", path=place)
    try:
        return normalise(old + given, place)
    except OverflowError:
        raise ValueRefused("The sum is beyond what a number can hold", path=place) from None


def _union(old: JSON, given: JSON, _: str | None, place: str) -> JSON:
    """The items of both, each once, in the order of their texts."""
    there, new = _listed("union", old, place), _listed("union", given, place)
    joined = {_text(item): item for item in [*new, *there]}
    return [joined[text] for text in sorted(joined)]


def _text(item: JSON) -> str:
    return encode_basestring(item) if type(item) is str else canonical(item)


def _merge(old: JSON, given: JSON, key: str | None, place: str) -> JSON:
    items = merge_items(given, key, place)
    if key is None:
        if not isinstance(old, dict):
            raise ValueRefused("Only a dictionary merges by key", path=place)
        return {**old, **items}
    there = merge_items(_listed("merge", old, place), key, place)
    return list({**there, **items}.values())


def merge_items(value: JSON, key: str | None, place: str) -> dict[str, JSON]:
    """What a merge puts where: by the dictionary's key, or by the items' own key field."""
    if key is None and isinstance(value, dict):
        return value
    if key is not None and isinstance(value, list):
        try:
            return {str(item[key]): item for item in value}
        except (KeyError, TypeError):
            pass
    raise ValueRefused(f"A merge takes a dictionary, or a list of objects with the field {key!r}", path=place)


def _max(old: JSON, given: JSON, _: str | None, place: str) -> JSON:
    _check_comparable(old, given, place)
    return given if old is None or (given is not None and _less(old, given)) else old


def _min(old: JSON, given: JSON, _: str | None, place: str) -> JSON:
    _check_comparable(old, given, place)
    return given if old is None or (given is not None and _less(given, old)) else old


def _check_comparable(old: JSON, given: JSON, place: str) -> None:
    if not comparable(old, given):
        raise ValueRefused("Only numbers, or texts, have a greater and a smaller one", path=place)


def comparable(*values: JSON) -> bool:
    """Whether these have a greatest and a smallest: all numbers or all texts, but for those that are None."""
    kinds = {type(value) for value in values} - {type(None)}
    return kinds <= {int, float} or kinds == {str}


def _less(a: JSON, b: JSON) -> bool:
    """Numbers by size, texts by code point.

    A float that equals an integer, from 1e21 on, is less than it: which of two stands must not depend
    on the order in which they came.
    """
    return bool(a < b or (a == b and type(a) is float and type(b) is int))


def _fold(_: JSON, given: JSON, __: str | None, place: str) -> JSON:
    """What the user's merge made of it is stored, so that a replay needs none of the user's code."""
    if not isinstance(given, dict) or "to" not in given:
        raise ValueRefused("A fold holds what was given and what came of it", path=place)
    return given["to"]


def _listed(verb: str, value: JSON, place: str) -> list[JSON]:
    if not isinstance(value, list):
        raise ValueRefused(f"The operation {verb} needs a list here and in its value", path=place)
    return value


APPLY: dict[str, Change] = {
    "set": _set,
    "remove": _remove,
    "append": _append,
    "add": _add,
    "union": _union,
    "merge": _merge,
    "max": _max,
    "min": _min,
    "fold": _fold,
}
