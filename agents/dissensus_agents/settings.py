"""The settings of a step, as `AgentGraph.add_step` takes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict

from dissensus_state.records import Isolation
from dissensus_state.shapes import Shape
from dissensus_state.values import parse_path

from .agent import Agent
from .errors import GraphError
from .judgement.ballots import Weigher
from .judgement.comparators import Comparator
from .judgement.supervisor import Chain
from .judgement.witnessing import AnyVerifier
from .watch.governor import Governor

Withheld = Literal["say", "escalate"]
"""What a model's word is worth for a position whose reasoning is withheld and that no verifier has passed: at
the end of the chain it stands, and the ruling says so; or it never does, and a person has to rule."""


class Settings(TypedDict, total=False):
    """How a step is judged, settled and paid for; each may be left out.

    Attributes:
        supervisor: Who rules on a disagreement. Of several, each rules where the one before escalates;
            without one, and where the last one escalates, the round is parked for a person.
        verifiers: Checks that run on what each side proposes; a failed one asks for a ruling.
        comparators: How values at a path are compared; by default it follows from their type. Fields
            that merge by adding up are compared only if they are named here.
        materiality: Up to which distance (0 to 1) a difference is only recorded; for all, or by path.
        weigh: Says what the voices are worth; by default by what the store has graded, else lineages.
        transition: The transition of the schema's machine that the step takes; by default that of its name.
        quorum: How many agents must propose something; by default one.
        hollow_below: From how many effective votes down an agreement is hollow and is reviewed.
        hollow: What a hollow agreement is sent to before a supervisor, in this order: verifiers, and agents
            of other lineages.
        audit: The share (0 to 1) of the agreements that is drawn by lot, and reviewed all the same.
        withheld: What a model's word is worth for a position whose reasoning is withheld.
        isolation: `"snapshot"` keeps a paid answer though what it read has changed.
        again: How often the step is begun again after a conflict, a refusal or a `retry`; by default 2.
        governor: What the step need not pay for; by default that of the graph.
    """

    supervisor: Chain | None
    verifiers: Iterable[AnyVerifier]
    comparators: Mapping[str, Comparator] | None
    materiality: float | Mapping[str, float]
    weigh: Weigher | None
    transition: str | None
    quorum: int | None
    hollow_below: float | None
    hollow: Sequence[AnyVerifier | Agent]
    audit: float
    withheld: Withheld
    isolation: Isolation
    again: int
    governor: Governor | None


def check_settings(shape: Shape, name: str, given: Mapping[str, Any]) -> None:
    """What a step is given is of the right kind: it is said before anybody is asked, and not when it is used.

    Raises:
        GraphError: It is not.
        FieldMissing: The schema has no such field as something is given for.
    """
    if strange := sorted(given.keys() - Settings.__annotations__.keys() - {"plain"}):
        raise GraphError(
            f"The step {name!r} has no setting {strange[0]!r}",
            next_step=f"There are {', '.join(sorted(Settings.__annotations__))}",
        )
    for of, least in (("audit", 0.0), ("hollow_below", 0.0), ("again", 0)):
        _check_number(name, of, given.get(of, 0 if of == "audit" else None), least)
    for of in ("verifiers", "hollow"):
        for one in _several(name, of, given.get(of, ())):
            if not (_verifies(one) or (of == "hollow" and isinstance(one, Agent))):
                raise GraphError(
                    f"{one!r} in `{of}` of the step {name!r} checks nothing",
                    next_step="Give a verifier (`verifier(function)` makes one)"
                    + (" or an Agent" if of == "hollow" else ""),
                )
    _check_weighing(name, given.get("weigh"))
    comparators, materiality = given.get("comparators") or {}, given.get("materiality") or {}
    for path, one in comparators.items():
        if isinstance(one, type) or not callable(getattr(one, "distance", None)):
            raise GraphError(
                f"{one!r} compares nothing at {path!r} in the step {name!r}",
                next_step="Give one of dissensus.comparators, such as Exact(); By(…) makes one of a function",
            )
    for path in (*comparators, *(materiality if isinstance(materiality, Mapping) else ())):
        if parts := parse_path(path):
            shape.field(parts[0])


def _check_weighing(name: str, weigher: object) -> None:
    if weigher is not None and (isinstance(weigher, type) or not callable(getattr(weigher, "weigh", None))):
        raise GraphError(
            f"{weigher!r} weighs nothing in the step {name!r}",
            next_step="Give an object with a method `weigh`, such as Discounted() of dissensus.judgement",
        )


def _check_number(name: str, setting: str, given: object, least: float) -> None:
    if given is None and setting != "audit":
        return
    if given is None or isinstance(given, bool) or not isinstance(given, int | float) or not given >= least:
        raise GraphError(f"`{setting}` of the step {name!r} is a number of {least:g} or more, not {given!r}")
    if not math.isfinite(given):
        raise GraphError(f"`{setting}` of the step {name!r} is a finite number, not {given!r}")


def _several(name: str, setting: str, given: Any) -> tuple[Any, ...]:
    if given is None or isinstance(given, str) or not isinstance(given, Iterable):
        raise GraphError(f"`{setting}` of the step {name!r} is a list, not {given!r}")
    return tuple(given)


def _verifies(one: Any) -> bool:
    kinds = ("verify", "averify", "seat")
    named = isinstance(getattr(one, "name", None), str) and isinstance(getattr(one, "version", None), str)
    return named and not isinstance(one, type) and any(hasattr(one, kind) for kind in kinds)
