"""The user's model of the state: fields, how concurrent writes to them merge, and its rules.

A schema is a pydantic model derived from `SharedState`; `Shape` is what the store makes of it once:
the adapters that hold each change to its type, so that checking costs what changed and not what is
there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from .errors import FieldMissing, SchemaRefused, ValueRefused, located
from .growing import Grown, extended, settled
from .intake import check_keys, inside, is_set, plain
from .machine import Machine, Rule, Transition
from .merging import Add, Append, Max, Merge, MergeByKey, Min, Replace, Union, merged
from .patches import Operation, Patch, Verb, all_at, apply, by_field, get, is_ordered, keys_of
from .rights import Rights, grants_of
from .sensitive import Sensitive, marks, sensitive_fields
from .values import JSON, Path, canonical, normalise, pointer, seen_through

__all__ = [
    "Add",
    "Append",
    "Max",
    "Merge",
    "MergeByKey",
    "Min",
    "Replace",
    "Sensitive",
    "Shape",
    "SharedState",
    "Union",
    "invariant",
    "rules_for",
    "shape_of",
]


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


_EMPTY: tuple[tuple[str, Any], ...] = (("__pydantic_extra__", None), ("__pydantic_private__", None))
"""The rest of what an instance of pydantic has; `model_construct` looks for aliases first, at each call."""


class SharedState(BaseModel):
    """Base of every schema: `class Inquiry(SharedState, version=2): …`.

    `transitions` (a list of `Transition`) declares the state machine over the field `phase`; `rights`
    (a list of `Rights`) who may read, propose, commit and rule on which paths; methods under
    `@invariant(…)` are its rules. Instances are frozen: the state changes by commits. `formerly` names
    the class as it was called before, so that its sessions are found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    transitions: ClassVar[list[Transition]] = []
    rights: ClassVar[list[Rights]] = []
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
        taking_back: The same for a revert: what stood before a greater value cannot be brought together.
        keys: The key field of each list that merges by key.
        sensitive: The fields that only trusted models may be shown.
    """

    def __init__(self, schema: type[SharedState]) -> None:
        self.schema = schema
        self.version = schema.schema_version
        self.name = f"{schema.__module__}:{schema.__qualname__}"
        self.adapter: TypeAdapter[SharedState] = TypeAdapter(schema)
        self.merges = {name: Merge.of(info.metadata) for name, info in schema.model_fields.items()}
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
        self.rights = grants_of(schema.rights, schema.model_fields)
        self.sensitive = sensitive_fields(schema)
        self._whole_model_rules = bool(schema.__pydantic_decorators__.model_validators)
        self.taking_back: dict[str, Merge] = {
            name: Replace() if merge.own or merge.verb in {"max", "min"} else merge
            for name, merge in self.merges.items()
        }
        self._constrained = {
            name
            for name, info in schema.model_fields.items()
            if not all(Merge.is_marker(item) or marks(item) for item in info.metadata)
        }
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
        typed: SharedState = self._validate(self.adapter, settled(state), ())
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
        if len(path) == 1:
            verb = verb or merge.verb
        verb = verb or "set"
        self._check_place(path, verb)
        if verb == "remove":
            return Operation(verb, path)
        adapter = self._adapter_for(path, verb)
        place, depth = pointer(path), len(path)
        given = value if seen_through(value, depth) is not None else plain(value, place, depth)
        dumped = self.dump(adapter, self._validate(adapter, given, path), place)
        text = seen_through(dumped, depth)
        stored = dumped if text is not None else normalise(dumped, place, depth)
        if depth == 1 and (path[0] in self.sets or path[0] in self.keys):
            stored, text = self._settled(path[0], stored), None
        if verb == "fold":
            return Operation(verb, path, _unresolved(merge, stored), merge.name)
        key = merge.key if verb == "merge" and isinstance(merge, MergeByKey) else None
        return Operation(verb, path, stored, key, text=text)

    def resolved(self, patch: Patch, state: JSON) -> Patch:
        """The patch with what the user's own merges make of the values that stand in this state.

        Raises:
            SchemaRefused, ValueRefused: what a merge returned may not stand there.
        """
        folded = {operation.path[0] for operation in patch if operation.verb == "fold"}
        if not folded:
            return patch
        now: JSON = {name: get(state, (name,)) for name in folded}
        done = []
        for operation in patch:
            made = self._resolved(operation, now) if operation.verb == "fold" else operation
            now = apply(now, (made,)) if operation.path[0] in folded else now
            done.append(made)
        return tuple(done)

    def _resolved(self, operation: Operation, state: JSON) -> Operation:
        """What a fold comes to; one that was made by hand is held to what the field declares."""
        name, given = operation.path[0], operation.value
        merge, place = self.field(name), pointer(operation.path)
        if len(operation.path) > 1 or not merge.own or operation.key != merge.name:
            raise SchemaRefused(f"The field {name!r} does not merge by {operation.key}", path=place)
        if not isinstance(given, dict) or is_ordered(operation) is merge.commutes:
            raise SchemaRefused(f"A fold of {name!r} does not say what {merge.name} declares", path=place)
        asked = self.operation(operation.path, given.get("by"))
        with located(merge=merge.name):
            made = merged(merge, get(state, (name,)), asked.value["by"], place)
            stored = self.operation(operation.path, made, "set").value
        return replace(asked, value={**asked.value, "to": stored})

    def _check_place(self, path: Path, verb: Verb) -> None:
        """The items of a set, and of a list with keys, have no index: they come by the field's own verb."""
        name, own = path[0], self.merges[path[0]].verb
        closed = name in self.sets or name in self.keys
        use = f"Use {'write' if own == 'fold' else own}, or set the whole field"
        if len(path) > 1 and closed:
            raise SchemaRefused(
                f"The items of /{name} are not changed in place", next_step=use, path=pointer(path)
            )
        bound = closed or own == "fold" or verb == "fold"
        if len(path) == 1 and (verb == "remove" or (bound and verb not in {"set", own})):
            raise SchemaRefused(f"The field {name!r} does not take {verb}", next_step=use, path=pointer(path))

    def _settled(self, name: str, stored: JSON) -> JSON:
        """A field's value in its one form: sets sorted and without repetitions, keys unique."""
        if not isinstance(stored, list):
            return stored
        if name in self.sets:
            return [item for _, item in sorted({canonical(item): item for item in stored}.items())]
        if name in self.keys:
            check_keys(stored, self.keys[name], pointer((name,)))
        return stored

    def advance(self, typed: SharedState, before: JSON, after: JSON, patch: Patch) -> SharedState:
        """The typed state after a patch, from the typed and the stored one before and the stored one after.

        Only what the patch touched is read again; items added to a list are added to the typed list
        itself, which `seen` shows at the length that a state has. Raises `SchemaRefused` where the
        touched field no longer fits.
        """
        if self._whole_model_rules:
            return self.typed(after)
        values = {name: typed.__dict__[name] for name in self.merges}
        for name, operations in by_field(patch).items():
            values[name] = self._advance_field(name, values[name], before[name], after[name], operations)
        return self._constructed(values)

    def _advance_field(
        self, name: str, old: Any, before: JSON, after: JSON, operations: list[Operation]
    ) -> Any:
        free = name not in self._constrained
        if free and type(old) is list and all_at(operations, "append"):
            items = [item for operation in operations for item in operation.value]
            new = self._validate(self._adapter_for((name,), "append"), items, (name,))
            return extended(old, len(before), new)
        keys = keys_of(operations)
        if free and keys and type(old) is dict:
            changed = {key: after[key] for key in keys}
            return {**old, **self._validate(self._adapter_for((name,), "merge"), changed, (name,))}
        if free and keys and type(old) is list and name in self.keys and all_at(operations, "merge"):
            return self._keyed(name, old, after, keys)
        whole = after[:] if isinstance(after, Grown) else after
        return self._validate(self._adapter_for((name,), "set"), whole, (name,))

    def _keyed(self, name: str, old: list[Any], after: JSON, keys: AbstractSet[str]) -> list[Any]:
        """A list whose items have a key, some of which were changed where they stood, or added at its end."""
        key = self.keys[name]
        places = [place for place, item in enumerate(after) if str(item[key]) in keys]
        items = [after[place] for place in places]
        known = [*old, *[None] * (len(after) - len(old))]
        for place, item in zip(
            places, self._validate(self._adapter_for((name,), "append"), items, (name,)), strict=True
        ):
            known[place] = item
        return known

    def seen(self, typed: SharedState, state: JSON) -> SharedState:
        """The typed state as it was when the stored one was: lists that have grown since at their length."""
        values = typed.__dict__
        longer: dict[str, Any] = {
            name: Grown(values[name], len(state[name]))
            for name in self.merges
            if type(values[name]) is list and len(values[name]) > len(state[name])
        }
        if not longer:
            return typed
        return self._constructed({**{name: values[name] for name in self.merges}, **longer})

    def _constructed(self, values: dict[str, Any]) -> SharedState:
        """An instance from values that are known to be right."""
        if self.schema.__private_attributes__:
            return self.schema.model_construct(set(values), **values)
        made = self.schema.__new__(self.schema)
        for name, value in (("__dict__", values), ("__pydantic_fields_set__", set(values)), *_EMPTY):
            object.__setattr__(made, name, value)
        return made

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
            return adapter.validator.validate_python(value, by_alias=True, by_name=True)
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
            return adapter.serializer.to_python(value, mode="json", round_trip=True)
        except ValueError as error:
            raise ValueRefused(str(error), path=path) from None


@functools.lru_cache(maxsize=256)
def shape_of(schema: type[SharedState]) -> Shape:
    """The compiled shape of a schema."""
    kind: type[Shape] = getattr(schema, "shape_class", Shape)
    return kind(schema)


def _unresolved(merge: Merge, given: JSON) -> JSON:
    """What is given to a merge of the user's own, until the write is admitted."""
    return {"by": given, "to": None} if merge.commutes else {"by": given, "to": None, "ordered": True}


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


def rules_for(shape: Shape, fields: Iterable[str]) -> list[tuple[tuple[str, ...], Rule]]:
    """The invariants that a change of these fields may break."""
    touched = set(fields)
    return [(names, rule) for names, rule in shape.invariants if not names or touched & set(names)]
