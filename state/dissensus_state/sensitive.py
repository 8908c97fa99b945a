"""What not every model may be shown: the marker, and the fields of a schema that bear it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from .values import Path


class Sensitive:
    """Marks a field that only models that are trusted may be shown: `Annotated[str, Sensitive]`.

    It stands beside a merge (`Annotated[list[str], Append, Sensitive]`), or on a field of a model inside
    the state; then the whole field of the state in which that stands is sensitive.
    """


def sensitive_fields(schema: type[BaseModel]) -> tuple[Path, ...]:
    """The fields of a schema that are marked, or that hold something that is."""
    fields = schema.model_fields.items()
    return tuple(
        (name,)
        for name, info in fields
        if any(map(marks, info.metadata)) or _holds(info.annotation, frozenset({schema}))
    )


def marks(item: Any) -> bool:
    """Whether this piece of metadata says so."""
    return isinstance(item, Sensitive) or (isinstance(item, type) and issubclass(item, Sensitive))


def _holds(annotation: Any, seen: frozenset[Any]) -> bool:
    """Whether a type bears the mark anywhere inside."""
    if hasattr(annotation, "__value__"):  # what `type X = …` makes
        return _holds(annotation.__value__, seen)
    if get_origin(annotation) is Annotated:
        inner, *said = get_args(annotation)
        return any(map(marks, said)) or _holds(inner, seen)
    if isinstance(annotation, type) and annotation not in seen:
        return any(_holds(one, seen | {annotation}) for one in _members(annotation))
    return any(_holds(one, seen) for one in get_args(annotation))


def _members(kind: type) -> Iterator[Any]:
    """The types of what a class is made of, with their marks: a model, a dataclass, a dictionary, a tuple."""
    yield from get_args(kind)
    if issubclass(kind, BaseModel):
        for info in kind.model_fields.values():
            if any(map(marks, info.metadata)):
                yield Annotated[Any, Sensitive]
            yield info.annotation
    elif dataclasses.is_dataclass(kind) or hasattr(kind, "__total__") or hasattr(kind, "_fields"):
        yield from get_type_hints(kind, include_extras=True).values()
