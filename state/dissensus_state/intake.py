"""What is given from outside, before and beside its schema: plain data, and types read apart.

Changes and proposals may be made by hand, so that their values are normalised at the door: what is in
memory is then what will be read back.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from .errors import SchemaRefused, ValueRefused
from .patches import Operation, Patch
from .records import Change, Proposal
from .values import JSON, MAX_DEPTH, Path, Where, key_of, normalise, place, pointer

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
    untyped: frozenset[str] = frozenset()
    if isinstance(value, BaseModel):
        untyped, typed = _untyped_fields(type(value)), True
        value = _dumped(value, where)
    if isinstance(value, dict):
        _check_names(value, where, typed=typed)
        return {
            key: item
            if type(item) is str and item.isascii()
            else plain(item, (where, key), depth + 1, typed=typed and key not in untyped)
            for key, item in value.items()
        }
    if isinstance(value, set | frozenset):
        value = sorted(value, key=repr)
    if isinstance(value, list | tuple):
        return [plain(item, (where, n), depth + 1, typed=typed) for n, item in enumerate(value)]
    return value


def _check_names(value: dict[Any, Any], where: Where, *, typed: bool) -> None:
    odd = [key for key in value if type(key) is not str or not key.isascii()]
    if not typed:
        for key in odd:
            key_of(key, where)
    if odd and len({str(key) for key in value}) < len(value):
        raise ValueRefused("Two keys here are one as text", path=place(where))


@functools.lru_cache(maxsize=1024)
def _untyped_fields(model: type[BaseModel]) -> frozenset[str]:
    """The fields of a model whose types do not say what keys the dictionaries in them have."""
    return frozenset(name for name, info in model.model_fields.items() if _is_untyped(info.annotation))


def _is_untyped(annotation: Any) -> bool:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {dict, Mapping, typing.Mapping} and len(arguments) == 2:
        return arguments[0] is str and _is_untyped(arguments[1])
    return annotation in (Any, object, dict) or any(map(_is_untyped, arguments))


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


def sound_change(change: Change) -> Change:
    """A change whose paths and values are as the state holds them; `ValueRefused` where they cannot be."""
    for path in change.reads:
        _check_path(path)
    return replace(
        change,
        patch=sound_patch(change.patch),
        evidence=tuple(normalise(item) for item in change.evidence),
        source=None if change.source is None else normalise(change.source),
    )


def sound_proposal(made: Proposal) -> Proposal:
    """A proposal whose patch and confidence can be stored; `ValueRefused` where they cannot."""
    sure = made.confidence
    if sure is not None:
        if type(sure) not in {int, float} or not 0 <= sure <= 1:
            raise ValueRefused(f"A confidence is a number from 0 to 1, and not {ascii(sure)[:80]}")
        sure = abs(float(sure))
    return replace(made, patch=sound_patch(made.patch), confidence=sure, reads=tuple(normalise(made.reads)))


def sound_patch(patch: Patch) -> Patch:
    """A patch whose paths and values are as the state holds them."""
    return tuple(_sound_operation(operation) for operation in patch)


def _sound_operation(operation: Operation) -> Operation:
    _check_path(operation.path)
    value = normalise(operation.value, pointer(operation.path), len(operation.path))
    return Operation(operation.verb, operation.path, value, operation.key)


def _check_path(path: Path) -> None:
    if not isinstance(path, tuple):
        raise ValueRefused(f"A path is a tuple of texts, and not {ascii(path)[:80]}")
    for token in path:
        key_of(token, "")
