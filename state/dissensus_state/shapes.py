"""The user's model of the state: fields, how concurrent writes to them merge, and its rules.

A schema is a pydantic model derived from `SharedState`; `Shape` is what the store makes of it once:
the adapters that hold each change to its type, so that checking costs what changed and not what is
there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from .errors import FieldMissing, SchemaRefused, ValueRefused
from .intake import check_keys, inside, is_set, plain
from .machine import Machine, Rule, Transition
from .patches import Operation, Patch, Verb
from .values import JSON, Path, canonical, normalise, pointer


class Merge:
    """How concurrent writes to a field come together; used inside `Annotated`."""

    verb: ClassVar[Verb] = "set"


class Replace(Merge):
    """The whole value is replaced; two writes of it conflict. The default."""


class Append(Merge):
    """Items are added at the end of a list; two appends never conflict."""

    verb = "append"


class Add(Merge):
    """Numbers are added up; two additions never conflict."""

    verb = "add"


class Union(Merge):
    """Items join a set; two unions never conflict."""

    verb = "union"


class MergeByKey(Merge):
    """Items of a dictionary, or of a list by the field `key`; only writes of one key conflict."""

    verb = "merge"

    def __init__(self, key: str | None = None) -> None:
        self.key = key


RuleT = TypeVar("RuleT", bound=Rule)


def invariant(*fields: str) -> Callable[[RuleT], RuleT]:
    """Make a function of the schema a rule that every commit touching these fields must keep.

    The function takes `(before, after, evidence)` or fewer of these from the left; see
    `dissensus_state.machine.Rule` for how it refuses. Without fields it is checked on every commit.
    """

    def mark(rule: RuleT) -> RuleT:
        function: Any = getattr(rule, "__func__", rule)
        function.invariant_fields = fields
        return rule

    return mark


class SharedState(BaseModel):
    """Base of every schema: `class Inquiry(SharedState, version=2): …`.

    `transitions` (a list of `Transition`) declares the state machine over the field `phase`;
    methods under `@invariant(…)` are its rules. Instances are frozen: the state changes by commits.
    `formerly` names the class as it was called before, so that its sessions are found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    transitions: ClassVar[list[Transition]] = []
    schema_version: ClassVar[int] = 1
    formerly: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, version: int | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if version is not None:
            cls.schema_version = version


class Shape:
    """What the store knows of a schema, compiled once: types, merges, rules, machine.

    Attributes:
        name: `module:Class`, how a session remembers its schema.
        merges: The merge of each field.
        keys: The key field of each list that merges by key.
    """

    def __init__(self, schema: type[SharedState]) -> None:
        self.schema = schema
        self.version = schema.schema_version
        self.name = f"{schema.__module__}:{schema.__qualname__}"
        self.adapter: TypeAdapter[SharedState] = TypeAdapter(schema)
        self.merges = {name: _merge_of(info) for name, info in schema.model_fields.items()}
        self.keys = {
            name: merge.key
            for name, merge in self.merges.items()
            if isinstance(merge, MergeByKey) and merge.key
        }
        self.sets = {
            name
            for name, merge in self.merges.items()
            if isinstance(merge, Union) or is_set(schema.model_fields[name].annotation)
        }
        self.invariants = _invariants_of(schema)
        self.machine = Machine(schema.transitions, _phases_of(schema))
        self._whole_model_rules = bool(schema.__pydantic_decorators__.model_validators)
        self._adapters: dict[tuple[str, int, bool], TypeAdapter[Any]] = {}

    def is_named(self, name: str) -> bool:
        """Whether a session of the schema `module:Class` is one of this schema; modules may move."""
        own = self.name.rpartition(":")[2]
        return name.rpartition(":")[2] in {own, *self.schema.formerly}

    def initial(self, state: SharedState) -> JSON:
        """A new state as it is stored; `SchemaRefused` or `ValueRefused` where it may not be."""
        typed = self.typed(plain(state, "", 0))
        stored = normalise(self.dump(self.adapter, typed))
        return {name: self._settled(name, value) for name, value in stored.items()}

    def typed(self, state: JSON) -> SharedState:
        """A stored state as the user's model."""
        typed: SharedState = self._validate(self.adapter, state, ())
        return typed

    def field(self, name: str) -> Merge:
        """The merge of a field; `FieldMissing` names those there are."""
        try:
            return self.merges[name]
        except KeyError:
            raise FieldMissing(
                f"The schema {self.name} has the fields {', '.join(self.merges)}", path=f"/{name}"
            ) from None

    def operation(self, path: Path, value: Any, verb: Verb | None = None) -> Operation:
        """One change, held to the type of its place and made canonical.

        Without a verb, the field's merge decides: an `Append` field is appended to, and so on.

        Raises:
            FieldMissing: the schema has no such field.
            SchemaRefused: the value does not fit.
        """
        if not path:
            raise FieldMissing("A patch changes fields, not the state as a whole")
        merge = self.field(path[0])
        verb = verb or (merge.verb if len(path) == 1 else "set")
        self._check_place(path, verb)
        if verb == "remove":
            return Operation(verb, path)
        adapter = self._adapter_for(path, verb)
        place, depth = pointer(path), len(path)
        typed = self._validate(adapter, plain(value, place, depth), path)
        stored = normalise(self.dump(adapter, typed, place), place, depth)
        if depth == 1:
            stored = self._settled(path[0], stored)
        key = merge.key if verb == "merge" and isinstance(merge, MergeByKey) else None
        return Operation(verb, path, stored, key)

    def _check_place(self, path: Path, verb: Verb) -> None:
        """The items of a set, and of a list with keys, have no index: they come by the field's own verb."""
        name, own = path[0], self.merges[path[0]].verb
        closed = name in self.sets or name in self.keys
        if len(path) > 1 and closed:
            raise SchemaRefused(
                f"The items of /{name} are not changed in place",
                next_step=f"Use {own}, or set the whole field",
                path=pointer(path),
            )
        if len(path) == 1 and (verb == "remove" or (closed and verb not in {"set", own})):
            raise SchemaRefused(
                f"The field {name!r} does not take {verb}",
                next_step=f"Use {own}, or set the whole field",
                path=pointer(path),
            )

    def _settled(self, name: str, stored: JSON) -> JSON:
        """A field's value in its one form: sets sorted and without repetitions, keys unique."""
        if not isinstance(stored, list):
            return stored
        if name in self.sets:
            return [item for _, item in sorted({canonical(item): item for item in stored}.items())]
        if name in self.keys:
            check_keys(stored, self.keys[name], pointer((name,)))
        return stored

    def advance(self, typed: SharedState, after: JSON, patch: Patch) -> SharedState:
        """The typed state after a patch, from the typed state before and the new stored state.

        Only what the patch touched is read again; items added to a list are added to the typed
        list. Raises `SchemaRefused` where the touched field no longer fits.
        """
        if self._whole_model_rules:
            return self.typed(after)
        values = dict(typed.__dict__)
        for name, operations in _by_field(patch).items():
            values[name] = self._advance_field(name, values[name], after, operations)
        return self.schema.model_construct(set(values), **values)

    def _advance_field(self, name: str, old: Any, after: JSON, operations: list[Operation]) -> Any:
        only_added = all(item.verb == "append" and len(item.path) == 1 for item in operations)
        if only_added and isinstance(old, list) and not _constrained(self.schema.model_fields[name]):
            items = [item for operation in operations for item in operation.value]
            return old + self._validate(self._adapter_for((name,), "append"), items, (name,))
        merged = all(item.verb == "merge" and len(item.path) == 1 for item in operations)
        if merged and isinstance(old, dict) and not _constrained(self.schema.model_fields[name]):
            new = {key: item for operation in operations for key, item in operation.value.items()}
            return {**old, **self._validate(self._adapter_for((name,), "merge"), new, (name,))}
        return self._validate(self._adapter_for((name,), "set"), after[name], (name,))

    def _adapter_for(self, path: Path, verb: Verb) -> TypeAdapter[Any]:
        """The type of what an operation brings; `advance` checks what the whole field must be."""
        whole = verb == "set" and len(path) == 1
        place = (path[0], len(path), whole)
        adapter = self._adapters.get(place)
        if adapter is None:
            adapter = self._adapters[place] = TypeAdapter(self._annotation(path, whole=whole))
        return adapter

    def _annotation(self, path: Path, *, whole: bool) -> Any:
        """The type at a path: through dictionaries and lists; any type inside of a model.

        What stands inside a model is checked with its whole field when the patch is applied.
        """
        info = self.schema.model_fields[path[0]]
        annotation: Any = info.annotation
        if whole and info.metadata:
            return Annotated[annotation, *info.metadata]
        for _ in path[1:]:
            annotation = inside(annotation)
        return annotation

    def _validate(self, adapter: TypeAdapter[Any], value: Any, path: Path) -> Any:
        try:
            return adapter.validate_python(value, by_alias=True, by_name=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = pointer((*path, *(str(token) for token in first["loc"])))
            raise SchemaRefused(
                f"{first['msg']} (given: {str(first['input'])[:80]!r})",
                path=where,
                errors=error.error_count() if error.error_count() > 1 else None,
            ) from None

    @staticmethod
    def dump(adapter: TypeAdapter[Any], value: Any, path: str = "") -> JSON:
        """A typed value as plain data; `ValueRefused` where JSON has nothing for it."""
        try:
            return adapter.dump_python(value, mode="json", round_trip=True)
        except ValueError as error:
            raise ValueRefused(str(error), path=path) from None


@functools.lru_cache(maxsize=256)
def shape_of(schema: type[SharedState]) -> Shape:
    """The compiled shape of a schema."""
    return Shape(schema)


def _merge_of(info: FieldInfo) -> Merge:
    for item in info.metadata:
        if isinstance(item, Merge):
            return item
        if isinstance(item, type) and issubclass(item, Merge):
            return item()
    return Replace()


def _constrained(info: FieldInfo) -> bool:
    """Whether the field has conditions on the whole, so that its items alone do not tell."""
    return any(
        not isinstance(item, Merge) and not (isinstance(item, type) and issubclass(item, Merge))
        for item in info.metadata
    )


def _phases_of(schema: type[SharedState]) -> tuple[str, ...] | None:
    info = schema.model_fields.get("phase")
    return tuple(map(str, get_args(info.annotation))) if info else None


def _invariants_of(schema: type[SharedState]) -> tuple[tuple[tuple[str, ...], Rule], ...]:
    found: dict[str, Rule] = {}
    for parent in reversed(schema.__mro__):
        for name, member in vars(parent).items():
            rule = member.__func__ if isinstance(member, staticmethod) else member
            if hasattr(rule, "invariant_fields"):
                found[name] = rule
    for rule in found.values():
        for field in rule.invariant_fields:  # type: ignore[attr-defined]
            if field not in schema.model_fields:
                raise FieldMissing(
                    f"The invariant {rule.__name__} names a field that is not there",
                    path=f"/{field}",
                )
    return tuple((rule.invariant_fields, rule) for rule in found.values())  # type: ignore[attr-defined]


def _by_field(patch: Patch) -> dict[str, list[Operation]]:
    fields: dict[str, list[Operation]] = {}
    for operation in patch:
        fields.setdefault(operation.path[0], []).append(operation)
    return fields


def rules_for(shape: Shape, fields: Iterable[str]) -> list[tuple[tuple[str, ...], Rule]]:
    """The invariants that a change of these fields may break."""
    touched = set(fields)
    return [(names, rule) for names, rule in shape.invariants if not names or touched & set(names)]
