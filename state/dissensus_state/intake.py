"""What is given from outside, before and beside its schema: plain data, and types read apart."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from .errors import SchemaRefused, ValueRefused
from .values import JSON, MAX_DEPTH, Where, key_of, normalise, place

_SCALARS = frozenset({str, int, float, bool, type(None)})


def plain(value: Any, where: Where, depth: int, *, typed: bool = False) -> Any:
    """Models inside a value as data, so that they are checked like anything from outside.

    What JSON does not have is refused here: pydantic would make NaN a None, and 1 and "1" one key.

    Args:
        typed: The value stands inside a model, whose types say what its keys are.
    """
    kind = type(value)
    if kind in _SCALARS or depth > MAX_DEPTH:
        return normalise(value, where, depth)
    if isinstance(value, BaseModel):
        value, typed = _dumped(value, where), True
    if isinstance(value, dict):
        _check_names(value, where, typed=typed)
        return {
            key: item
            if type(item) is str and item.isascii()
            else plain(item, (where, key), depth + 1, typed=typed)
            for key, item in value.items()
        }
    if isinstance(value, set | frozenset):
        value = sorted(value, key=repr)
    if isinstance(value, list | tuple):
        return [plain(item, (where, n), depth + 1, typed=typed) for n, item in enumerate(value)]
    return value


def _check_names(value: dict[Any, Any], where: Where, *, typed: bool) -> None:
    if not typed:
        for key in value:
            if type(key) is not str or not key.isascii():
                key_of(key, where)
    elif len({str(key) for key in value}) < len(value):
        raise ValueRefused("Two keys here are one as text", path=place(where))


def _dumped(model: BaseModel, where: Where) -> dict[str, Any]:
    try:
        return model.model_dump(round_trip=True)
    except ValueError as error:
        raise ValueRefused(str(error), path=place(where)) from None


def check_keys(items: list[JSON], key: str, path: str) -> None:
    """Raise `SchemaRefused` unless each item has the field that identifies it, and has it alone."""
    names = [item.get(key) if isinstance(item, dict) else None for item in items]
    if None in names:
        raise SchemaRefused(f"Every item here needs its {key!r}", path=path)
    if len({str(name) for name in names}) < len(names):
        raise SchemaRefused(f"Two items here have the same {key!r}", path=path)


def inside(annotation: Any) -> Any:
    """The type of the items of a dictionary, a list or a set; any type for what holds none."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return inside(get_args(annotation)[0])
    arguments = get_args(annotation)
    if origin in {dict, Mapping, typing.Mapping} and len(arguments) == 2:
        return arguments[1]
    if origin in {list, set, frozenset} and arguments:
        return arguments[0]
    return Any


def is_set(annotation: Any) -> bool:
    """Whether a field holds a set, or either a set or nothing."""
    either = get_origin(annotation) in {typing.Union, types.UnionType}
    parts = set(get_args(annotation)) - {type(None)} if either else {annotation}
    return all((get_origin(part) or part) in {set, frozenset} for part in parts)
