"""Schemas that admit any field: for histories whose fields nobody has declared.

    class Imported(OpenState): …

What such a class declares is held to its type as always; any other field may hold any JSON value, may
come and go, and merges as a list that is appended to where it is one. Commits may name any transition.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter

from .machine import Machine, Transition
from .merging import Append, Merge, Replace
from .patches import Operation, Patch, Verb
from .shapes import Shape, SharedState
from .values import JSON, Path

_ANY: TypeAdapter[Any] = TypeAdapter(Any)


class _Merges(dict[str, Merge]):
    """The merges of the declared fields; any other is replaced by writes, and appended to by merges."""

    def __missing__(self, name: str) -> Merge:
        return Replace()

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ARG002 - a mapping's
        return self[name] if name in self else Append()


class _AnyName(Machine):
    """No machine: what a commit calls its transition is a label."""

    def find(self, name: str | None, phase: str | None) -> Transition | None:
        return super().find(name, phase) if self.transitions else None


class OpenShape(Shape):
    """What the store knows of a schema that admits any field."""

    def __init__(self, schema: type[SharedState]) -> None:
        super().__init__(schema)
        self.merges = _Merges(self.merges)
        self.taking_back = _Merges(self.taking_back)
        self.machine = _AnyName(schema.transitions, self.machine.phases)
        self._declared = frozenset(schema.model_fields)

    def field(self, name: str) -> Merge:
        """The merge of a field; any name is one."""
        return self.merges[name]

    def operation(self, path: Path, value: Any, verb: Verb | None = None) -> Operation:
        """The same as for any schema; a field that is not declared may also be removed."""
        if len(path) == 1 and verb == "remove" and path[0] not in self._declared:
            return Operation(verb, path)
        return super().operation(path, value, verb)

    def advance(self, typed: SharedState, before: JSON, after: JSON, patch: Patch) -> SharedState:
        """The typed state after a patch: what is declared is read again, the rest is as it is stored."""
        own = tuple(item for item in patch if item.path[0] in self._declared)
        if self._whole_model_rules:
            return self.typed(after)
        return self._opened(super().advance(typed, before, after, own) if own else typed, after)

    def seen(self, typed: SharedState, state: JSON) -> SharedState:
        """The typed state as it was when the stored one was."""
        return self._opened(super().seen(typed, state), state)

    def _opened(self, typed: SharedState, state: JSON) -> SharedState:
        values = {name: typed.__dict__[name] for name in self._declared}
        made = self._constructed(values)
        rest = {name: value for name, value in state.items() if name not in self._declared}
        object.__setattr__(made, "__pydantic_extra__", rest)
        return made

    def _adapter_for(self, path: Path, verb: Verb) -> TypeAdapter[Any]:
        return super()._adapter_for(path, verb) if path[0] in self._declared else _ANY


class OpenState(SharedState):
    """Base of a schema that admits any field."""

    model_config = ConfigDict(extra="allow")

    shape_class: ClassVar[type[Shape]] = OpenShape
