"""Lifting stored states of an older schema version to the shape of the present one.

    class Inquiry(SharedState, version=2):
        body: str = ""

        @upcaster(1)
        @staticmethod
        def text_became_body(state):
            state["body"] = state.pop("text")
            return state

All of it is pure: a state is lifted when it is read, and what is stored stays as it is. A new field
with a default needs no upcaster.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from .errors import DissensusError, LinkMissing, NotFound, Refused, SchemaNewer, UpcastFailed, ValueRefused
from .growing import settled
from .patches import get
from .shapes import Shape, SharedState
from .values import JSON, canonical, copied, normalise, parse_path

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""From the stored state of one schema version, as plain JSON, to that of the next."""

UpcastT = TypeVar("UpcastT", bound=Callable[..., Any])

MAX_STATE = 256 * 1024 * 1024
"""What a lifted state may measure in characters: as much as a snapshot may hold."""

MAX_SHOWN = 200
"""How much of a value an error shows."""

_MOST_LINKS = 100
"""Among how many links of a chain those are looked for that are missing."""

USERS_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a function of the user's raises where a state is not what it expects."""


def upcaster(version: int) -> Callable[[UpcastT], UpcastT]:
    """Make a static function of the schema the step from a stored state of `version` to the next.

    It takes the state as plain JSON, which it may change, and returns that of `version + 1`. It must
    say the same whenever it is asked: no clock, no random numbers, nothing from outside.
    """

    def mark(upcast: UpcastT) -> UpcastT:
        function: Any = getattr(upcast, "__func__", upcast)
        function.upcasts_from = version
        return upcast

    return mark


@functools.lru_cache(maxsize=256)
def upcasters_of(schema: type[SharedState]) -> Mapping[int, Upcast]:
    """The upcasters of a schema by the version that they start from.

    Raises:
        UpcastFailed: two start from one version, or one starts where no older version is.
    """
    found: dict[int, Upcast] = {}
    for parent in reversed(schema.__mro__):
        own: dict[int, Upcast] = {}
        for member in vars(parent).values():
            function = member.__func__ if isinstance(member, staticmethod) else member
            version = getattr(function, "upcasts_from", None)
            if version in own:
                raise UpcastFailed(f"{schema.__name__} has two upcasters from version {version}")
            if version is not None:
                own[version] = function
        found |= own
    for version in found:
        if not 0 <= version < schema.schema_version:
            raise UpcastFailed(
                f"{schema.__name__} is at version {schema.schema_version} and upcasts from {version}",
                next_step="Raise the version in `class …(SharedState, version=…)`",
            )
    return found


def check_known(shape: Shape, version: int) -> None:
    """Raise `SchemaNewer` where a state was written under a newer version than the schema's."""
    if version > shape.version:
        raise SchemaNewer(
            f"The state is of schema version {version}, and {shape.name} is at version {shape.version}",
            schema_version=version,
        )


def lift(shape: Shape, state: JSON, version: int) -> JSON:
    """A stored state of a schema version as the schema would store it now; the one given stays.

    Raises:
        SchemaNewer: it was written under a newer version.
        LinkMissing: it does not fit, and there is no upcaster for a step on the way.
        UpcastFailed: an upcaster raised, or what came of them does not fit.
    """
    check_known(shape, version)
    if version == shape.version:
        return state
    lifted = _state(state, f"{version} -> {shape.version}", "What is stored")
    chain = upcasters_of(shape.schema)
    for step in sorted(chain):
        if version <= step < shape.version:
            lifted = _step(chain[step], lifted, step)
    try:
        stored = shape.initial(shape.typed(lifted))
    except Refused as error:
        _refuse(error, shape, lifted, version)
    if len(canonical(stored)) > MAX_STATE:
        raise UpcastFailed(f"The lifted state has more than {MAX_STATE:,} characters")
    return stored


def _state(value: JSON, upcast: str, what: str) -> dict[str, JSON]:
    if not isinstance(value, dict):
        raise UpcastFailed(f"{what} is no state", upcast=upcast, path="/", value=shown(value))
    return settled(value)


def _step(upcast: Upcast, state: JSON, version: int) -> JSON:
    name = f"{version} -> {version + 1}"
    try:
        made = upcast(copied(state))
    except (DissensusError, *USERS_ERRORS) as error:
        raise UpcastFailed(
            f"The upcaster of version {version} raised {type(error).__name__}: {str(error)[:MAX_SHOWN]}",
            upcast=name,
            path="/",
            value=shown(state),
        ) from error
    made = _state(made, name, f"What the upcaster of version {version} returns")
    try:
        return normalise(made)
    except ValueRefused as error:
        path = error.context.get("path") or "/"
        raise UpcastFailed(
            f"What the upcaster of version {version} returns cannot be stored: {error.message}",
            upcast=name,
            path=path,
            value=_value_at(made, path),
        ) from error


def _refuse(error: Refused, shape: Shape, lifted: JSON, version: int) -> NoReturn:
    """Say of a state that does not fit whether a link is missing, or those there are do not suffice."""
    chain = upcasters_of(shape.schema)
    links = itertools.islice(range(version, shape.version), _MOST_LINKS)
    missing = [f"{step} -> {step + 1}" for step in links if step not in chain]
    path = str(error.context.get("path") or "/")
    kind, why = UpcastFailed, ""
    if missing:
        kind, why = LinkMissing, f", and there is no upcaster for {', '.join(missing)}"
    raise kind(
        f"A state of version {version} does not fit version {shape.version}{why}: {error.message}",
        upcast=f"{version} -> {shape.version}",
        path=path,
        value=_value_at(lifted, path),
        missing=missing or None,
    ) from error


def _value_at(state: JSON, path: str) -> str | None:
    try:
        return shown(get(state, parse_path(path)))
    except NotFound:
        return None


def shown(value: JSON) -> str:
    """The beginning of a value's text, for an error."""
    try:
        text = canonical(normalise(value))
    except ValueRefused:
        text = ascii(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
