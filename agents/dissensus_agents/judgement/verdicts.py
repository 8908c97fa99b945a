"""What a supervisor is given and what it gives back: positions without names, and a typed verdict."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from dissensus_state.records import Decision
from dissensus_state.values import JSON

from ..errors import WrongType
from ..messages import Part
from ..positions import label_of
from .ballots import Ballot, Weighed
from .disagreement import Cause, Disagreement
from .verifiers import Evidence


class Step(BaseModel):
    """The first step where the reasoning of a position goes wrong, as it stands there."""

    model_config = ConfigDict(extra="ignore")

    position: str
    step: str


class Verdict(BaseModel):
    """What a supervisor decides, as a model writes it or a function returns it.

    `position` is a label such as "A"; `amendment` gives values by path; `readings` says what an
    ambiguous question can be read as; `confidence` (0 to 1) how sure the supervisor is.
    """

    model_config = ConfigDict(extra="ignore")

    wrong_steps: list[Step] = Field(
        default=[],
        description="For each position whose reasoning fails: its first wrong step, word for word",
    )
    cause: Cause | None = Field(default=None, description="Why the positions diverge")
    readings: list[str] = Field(
        default=[], description="If the question is ambiguous: each way in which it can be read"
    )
    reason: str = Field(default="", description="Why you rule so, in a few sentences")
    decision: Decision = Field(description="uphold, amend, retry, reject or escalate")
    position: str | None = Field(default=None, description="The position upheld or amended")
    amendment: dict[str, Any] | None = Field(default=None, description="Values by path, to amend")
    clarification: str | None = Field(default=None, description="What to tell the panel, to retry")
    confidence: float | None = Field(default=None, ge=0, le=1, description="How sure you are, 0 to 1")


@dataclass(frozen=True, slots=True)
class Seen:
    """One position as the supervisor sees it.

    `reasoning` gives, for each agent behind it, the kind of reasoning that could be read and its
    text (None where it was withheld). `failed` are the checks it did not pass, in words; `evidence` is all
    that verifiers have found on it.
    """

    label: str
    values: Mapping[str, JSON]
    reasoning: tuple[tuple[str, str | None], ...]
    confidence: float | None = None
    failed: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @property
    def withheld(self) -> bool:
        """Whether nobody behind it lets their reasoning be read."""
        return bool(self.reasoning) and all(text is None for _, text in self.reasoning)

    @property
    def verified(self) -> bool:
        """Whether evidence from outside of the models is for it, and none against it."""
        outside = [item for item in self.evidence if item.outside and not item.broke]
        return bool(outside) and all(item.passed for item in outside)


@dataclass(frozen=True, slots=True)
class Review:
    """What a supervisor is given: the question's material, the positions, and what is disputed.

    `audit` says that all agree, and that this agreement was drawn by lot to be looked at; `unsettled` why the
    step's pattern was not sure enough of what it came to. `ballots` are for
    rules, which have to know what the voters are: they name models and their lineages, and are never shown
    to one; their `agent` is a number, their `position` counts in `positions`, as do the shares of
    `weighed`. `sensitive` are the sensitive paths that what it holds may tell of: a model is only shown it
    if it is trusted with them.
    """

    step: str
    positions: tuple[Seen, ...]
    disagreements: tuple[Disagreement, ...]
    material: tuple[Part, ...]
    writes: tuple[str, ...]
    hollow: bool = False
    votes: float | None = None
    audit: bool = False
    unsettled: str = ""
    ballots: tuple[Ballot, ...] = field(default=(), repr=False)  # whoever prints a review names nobody
    weighed: Weighed | None = None
    sensitive: tuple[str, ...] = ()

    def position(self, label: str) -> Seen | None:
        """The position of that label, however it was written."""
        wanted = bare(label)
        return next((seen for seen in self.positions if seen.label == wanted), None)

    @property
    def reversed(self) -> Review:
        """The same with its positions in the other order, under the labels that they have there."""
        count = len(self.positions)
        names = {label_of(n): label_of(count - 1 - n) for n in range(count)}
        turned = tuple(replace(one, label=names[one.label]) for one in reversed(self.positions))
        ballots = tuple(replace(one, position=count - 1 - one.position) for one in self.ballots)
        weighed = self.weighed
        if weighed is not None and weighed.shares is not None:
            weighed = replace(weighed, shares=weighed.shares[::-1])
        disputed = tuple(_renamed(item, names) for item in self.disagreements)
        return replace(self, positions=turned, disagreements=disputed, ballots=ballots, weighed=weighed)


def _renamed(question: Disagreement, names: Mapping[str, str]) -> Disagreement:
    positions = tuple(
        replace(one, holders=tuple(sorted({names.get(holder, holder) for holder in one.holders})))
        for one in question.positions
    )
    return replace(question, positions=positions)


def bare(label: str) -> str:
    """A position's label, however somebody wrote it: `Position a` is `A`."""
    return label.strip().removeprefix("Position").strip().upper()


def sound(verdict: Verdict, review: Review) -> Verdict:
    """The verdict, if it can be carried out; `WrongType` says what is missing."""
    named = review.position(verdict.position) if verdict.position else None
    labels = ", ".join(seen.label for seen in review.positions) or "none"
    if verdict.position and named is None:
        raise WrongType(f"There is no position {verdict.position!r}; there are: {labels}", path="/position")
    if verdict.decision == "uphold" and named is None:
        raise WrongType(f"To uphold, name the position ({labels})", path="/position")
    if verdict.decision == "amend" and not verdict.amendment:
        raise WrongType("To amend, give the values by path", path="/amendment")
    if verdict.decision == "retry" and not verdict.clarification:
        raise WrongType("To retry, give the clarification", path="/clarification")
    return verdict


def shuffled(count: int, seed: int) -> list[int]:
    """The order in which positions are shown."""
    order = list(range(count))
    random.Random(seed).shuffle(order)  # noqa: S311 - an order to be repeated, not a secret
    return order


def blind(positions: Sequence[Seen], seed: int) -> tuple[tuple[Seen, ...], dict[str, str]]:
    """Positions in shuffled order under new labels, and which old label each new one stands for."""
    order = shuffled(len(positions), seed)
    shown, names = [], {}
    for n, index in enumerate(order):
        names[label_of(n)] = positions[index].label
        shown.append(replace(positions[index], label=label_of(n)))
    return tuple(shown), names
