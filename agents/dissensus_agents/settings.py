"""The settings of a step, as `AgentGraph.add_step` takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypedDict

from dissensus_state.records import Isolation

from .agent import Agent
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
