"""Failover: several models for one seat, asked one after the other until one answers.

While another candidate is left, one that fails is not tried again but passed over at once; the last
one gets the whole patience. Candidates that are known to be down are not asked at all. Each one that
is asked has a row of its own in the records, and those passed over are listed in the row of the one
that was asked in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from dissensus_state.values import JSON

from ..errors import GraphError, ModelFailed
from ..models.client import Model, streams
from ..models.formats import FailureKind
from ..models.health import MENDED_BY_PEOPLE, Cooling, Health, key_of
from ..models.retries import PATIENCE, Patience
from ..models.transport import Unavailable

KINDS: tuple[FailureKind, ...] = get_args(FailureKind)

DEFAULT_KINDS: frozenset[FailureKind] = frozenset(KINDS) - {"invalid"}
"""What another model may do better; a request that is wrong in itself is a defect to be seen."""


@dataclass(frozen=True, init=False)
class Failover:
    """Models of which the first that can answers: `Agent("ana", Failover("openai:…", "ollama:…"))`.

    A list of models is the same with the default kinds.

    Args:
        candidates: Each a `Model`, `"provider:model"`, or a function that takes the request.
        on: The kinds of failure that the next candidate is asked after: `timeout`, `rate_limit`,
            `outage`, `broken_off`, `refusal`, `content_policy`, `context_overflow`, `spent`, `key`,
            `unknown_model`, `malformed`, `invalid`; by default all but the last.

    Raises:
        GraphError: There are no candidates, or there is no such kind.
    """

    candidates: tuple[Any, ...]
    on: frozenset[FailureKind]

    def __init__(self, *candidates: Any, on: Iterable[FailureKind] = DEFAULT_KINDS) -> None:
        kinds = frozenset((on,) if isinstance(on, str) else on)
        if unknown := sorted(kinds - frozenset(KINDS)):
            raise GraphError(
                f"There is no kind of failure {unknown[0]!r}", next_step=f"The kinds are {', '.join(KINDS)}"
            )
        if not candidates:
            raise GraphError("A failover needs candidates", next_step="Give models, the best first")
        object.__setattr__(self, "candidates", candidates)
        object.__setattr__(self, "on", kinds)


@dataclass(frozen=True, slots=True)
class Candidates:
    """The models of one seat, in the order in which they are asked, and what makes the next one's turn."""

    models: tuple[Model, ...]
    on: frozenset[FailureKind] = DEFAULT_KINDS

    def after(self, gone: Iterable[str], current: str | None = None) -> list[Model]:
        """Those that can still be asked: the one that is being asked first, then as they were given."""
        left = [model for model in self.models if model.name not in frozenset(gone)]
        return sorted(left, key=lambda model: model.name != current)


def candidates_of(given: Any, name: str, as_model: Callable[[Any, str, int], Model]) -> Candidates:
    """What a user gave as the model of a seat, as its candidates; an alias is what it stands for.

    Raises:
        GraphError: two of them have one name, by which the record tells them apart.
    """
    if isinstance(given, list | tuple):
        given = Failover(*given)
    several = given if isinstance(given, Failover) else Failover(given)
    named = [one for candidate in several.candidates for one in _stands_for(candidate)]
    models = tuple(as_model(one, name, place) for place, one in enumerate(named))
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise GraphError(
            f"Candidates need names of their own, not {', '.join(names)}",
            next_step="Give each model a name=, or leave the second one out",
        )
    return Candidates(models, several.on)


def _stands_for(candidate: Any) -> list[Any]:
    """What a candidate stands for: several models, where it is an alias of the project's settings."""
    if not isinstance(candidate, str) or ":" in candidate:
        return [candidate]
    from ..models.catalog import names_for

    return list(names_for(candidate))


@dataclass(frozen=True, slots=True)
class Choice:
    """Whom to ask now, and who is passed over for it.

    `passed_over` is what the record says of them; `wait` are the seconds that the chosen one has to be
    left in peace; `alone` says that nobody could stand in for it.
    """

    model: Model
    passed_over: tuple[dict[str, JSON], ...] = ()
    wait: float = 0.0
    alone: bool = True

    def give_back(self, health: Health) -> None:
        """The chosen one is not asked after all."""
        health.gave_up(key_of(self.model))


def choose(left: Sequence[Model], health: Health) -> Choice:
    """The first candidate that may be asked now, or the one that may be asked soonest.

    Raises:
        Unavailable: All are to be left in peace for longer than there is patience.
    """
    cooling = [(model, health.cooling(key_of(model)) if heeds(model) else None) for model in left]
    for place, (model, why) in enumerate(cooling):
        if why is None and (not heeds(model) or health.enter(key_of(model)) is None):
            passed = tuple(_passed(one, found) for one, found in cooling[:place] if found is not None)
            others = any(found is None for _, found in cooling[place + 1 :])
            return Choice(model, passed, alone=not others)
    known = [(model, why) for model, why in cooling if why is not None] or [(left[0], Cooling("outage", 0.0))]
    return _soonest(known)


def heeds(model: Model) -> bool:
    """Whether a model has a provider whose health is remembered; a function of one's own has none."""
    return streams(model)


def _passed(model: Model, why: Cooling) -> dict[str, JSON]:
    return {"model": model.name, "why": why.kind, "seconds": round(why.seconds, 3)}


def _soonest(cooling: list[tuple[Model, Cooling]]) -> Choice:
    """Nobody may be asked now: who is asked all the same, and when."""
    model, why = min(cooling, key=lambda one: _delay(one[1]))
    passed = tuple(_passed(one, found) for one, found in cooling if one is not model)
    patience: Patience = getattr(model, "patience", PATIENCE)
    wait = _delay(why)
    if wait > patience.seconds and why.asked:
        raise _come_back(model, why)
    return Choice(model, passed, min(wait, patience.seconds))


def _delay(why: Cooling) -> float:
    """What no waiting mends is asked at once where nobody else is left: somebody may have mended it."""
    return 0.0 if why.kind in MENDED_BY_PEOPLE and not why.asked else why.seconds


def _come_back(model: Model, why: Cooling) -> ModelFailed:
    return Unavailable(
        f"{model.name} asked to be left in peace, for {why.seconds:,.0f} s more",
        next_step=f"Resume in {why.seconds:,.0f} s, or give the agent another model: nothing was sent",
        model=model.name,
        kind=why.kind,
        retry_after=round(why.seconds, 3),
    )
