"""A round as it runs: what is in memory between its steps, all of which can be rebuilt from records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from dissensus_state.accounts import Account
from dissensus_state.journal import Journal, Outcome
from dissensus_state.records import Call, Change, Commit, Proposal, Round, Ruling
from dissensus_state.shapes import Shape
from dissensus_state.values import JSON, parse_path

from .asking import Asker
from .judgement.ballots import Weighed, Weigher
from .judgement.comparators import Comparator
from .judgement.disagreement import Comparison
from .judgement.evidence import Evidence
from .judgement.prior import PRIOR
from .judgement.witnessing import AnyVerifier
from .knowing import Knowing
from .messages import Request
from .patterns.asked import Choice
from .patterns.plan import Ask, Decision, Move, Stop
from .positions import Side
from .steps import Step

if TYPE_CHECKING:
    from .watch.watching import Watching


class Between(Protocol):
    """Who has something to do while a run goes from round to round."""

    async def opened(self, running: Running) -> None:
        """A round was opened, or taken up; nobody is asked yet."""

    async def settled(self, running: Running) -> None:
        """A round is settled, or parked; what follows is not decided yet."""

    async def led(self, running: Running, target: str, /) -> str:
        """Where to go after a round, when its edge leads to `target`: there, or END."""


Ending = Literal["", "review", "commit", "committed", "again", "rejected", "parked"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Something that just happened in a run, for whoever watches it.

    `kind` is one of `round`, `fitted`, `asked`, `delta`, `failover`, `answered`, `abstained`, `spared`,
    `decided`, `warning`, `proposed`, `uncompared`, `hollow`, `disagreed`, `agreed`, `reviewing`, `ruled`,
    `ambiguous`, `committed`, `conflict`, `refused`, `parked`, `rejected`, `alarm`, `finished`. `body` holds
    plain data that depends on it.
    """

    kind: str
    step: str = ""
    round: int | None = None
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Run:
    """One run of a graph over a session: its lease, its way of asking, who watches.

    `unheard` are the kinds of events that nobody listens to; `deltas` says that somebody wants to hear
    answers as they come. `weigher` weighs by what the store has graded, which `knowing` reads; None until
    it is needed. `watching` are the alarms that were asked for; `between` is who acts between rounds.
    """

    journal: Journal
    asker: Asker
    emit: Callable[[Progress], None]
    max_rounds: int = 10_000
    unheard: frozenset[str] = frozenset()
    deltas: bool = False
    current: Running | None = None
    rounds: int = 0
    weigher: Weigher | None = None
    knowing: Knowing | None = None
    watching: Watching | None = None
    between: Between | None = None

    def tell(self, running: Running, kind: str, /, **body: Any) -> None:
        """Let whoever watches know what just happened in a round."""
        if kind not in self.unheard:
            self.emit(running.progress(kind, **body))

    def warn(self, account: Account) -> None:
        """Let whoever watches know that a soft limit is reached."""
        if self.current is not None:
            self.emit(self.current.progress("warning", **account.as_dict()))

    @property
    def status(self) -> str:
        """How it ended: `parked` at a round that waits for a person, or `finished`."""
        return "parked" if self.current is not None and self.current.ending == "parked" else "finished"

    @property
    def shape(self) -> Shape:
        """The session's schema."""
        return self.journal.session.shape


@dataclass(slots=True)
class Running:
    """One round between its steps.

    `barred` are the agents that may not be asked, and why. `move` is what its pattern does next, `kept`
    what the records say it did next before the run was stopped; `wave` counts. `answers` are what models
    that route have said, `stop` why nobody else was asked. `lot` is the round whose lot decides on an audit,
    where it is not this one's own.
    """

    step: Step
    round: Round
    state: JSON
    requests: Mapping[str, Request]
    reads: Mapping[str, tuple[str, ...]]
    calls: Sequence[Call]
    proposals: tuple[Proposal, ...] = ()
    stored: bool = False
    comparison: Comparison = field(default_factory=Comparison)
    evidence: Mapping[str, tuple[Evidence, ...]] = field(default_factory=dict)
    checks: dict[tuple[int, str], tuple[Evidence, ...]] = field(default_factory=dict)
    further: tuple[AnyVerifier, ...] = ()
    votes: float = 0.0
    weigher: Weigher = PRIOR
    weighed: Weighed = field(default_factory=partial(Weighed, 0.0))
    weights: dict[str, Weighed] = field(default_factory=dict)
    fetched: Mapping[str, Comparator] = field(default_factory=dict)
    review: dict[str, Any] | None = None
    sides: tuple[Side, ...] = ()
    ruling: Ruling | None = None
    recorded: bool = False
    commit: Commit | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    ending: Ending = ""
    tries: int = 1
    trivial: str | None = None
    barred: Mapping[str, str] = field(default_factory=dict)
    move: Move | None = None
    kept: list[Ask] = field(default_factory=list)
    wave: int = 0
    decisions: tuple[Decision, ...] = ()
    answers: dict[str, Choice] = field(default_factory=dict)
    stop: Stop | None = None
    lot: int | None = None

    @property
    def comparators(self) -> Mapping[str, Comparator]:
        """The step's comparators, with what was fetched for those that have to ask first."""
        return {**self.step.comparators, **self.fetched} if self.fetched else self.step.comparators

    @property
    def verifiers(self) -> tuple[AnyVerifier, ...]:
        """The step's verifiers, and those that this round needs beside them."""
        return (*self.step.verifiers, *self.further)

    @property
    def made(self) -> tuple[Proposal, ...]:
        """The proposals proper: without the agents that abstained."""
        return tuple(item for item in self.proposals if item.status != "abstained")

    def proposal(self, agent: str) -> Proposal:
        """What an agent proposed."""
        return next(item for item in self.proposals if item.agent == agent)

    def call(self, agent: str) -> Call | None:
        """The call that an agent's proposal rests on."""
        attempt = self.proposal(agent).attempt
        return next((c for c in self.calls if (c.agent, c.attempt) == (agent, attempt)), None)

    def lineage(self, agent: str) -> tuple[str, str]:
        """Lineage and name of the model behind an agent."""
        call = self.call(agent)
        model = next(item.model for item in self.step.everybody if item.name == agent)
        return (call.lineage, call.model) if call else (model.lineage, model.name)

    def change(self, author: str, side: Side) -> Change:
        """A side's patch as the one door of writing takes it, without its evidence."""
        reads = {path for agent in side.agents for path in self.proposal(agent).reads}
        return Change(
            author=author,
            patch=side.patch,
            base=self.round.base,
            reads=tuple(parse_path(path) for path in sorted(reads)),
            transition=self.step.transition,
            isolation=self.step.isolation,
            writes=self.step.task.writes,
            round=self.round.round,
        )

    def progress(self, kind: str, /, **body: Any) -> Progress:
        """Something that happened in this round."""
        return Progress(kind, self.step.name, self.round.round, body)
