"""A lane: a branch of the session on which one item after another is asked, each in rounds of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dissensus_agents.calls import reply_of
from dissensus_agents.graph import AgentGraph
from dissensus_agents.messages import Reply
from dissensus_agents.patterns.spelled import Spelled
from dissensus_agents.running import Progress
from dissensus_state import charges, heads, ledger, rounds
from dissensus_state.errors import DissensusError
from dissensus_state.journal import Journal
from dissensus_state.lineages import MAIN
from dissensus_state.patches import Patch
from dissensus_state.records import Round
from dissensus_state.sessions import Session

from .schema import NOTHING, Benchmark, place_of
from .seats import GraderSeat
from .tasks import Item

PREFIX = "lane-"
AUTHOR = "bench"


@dataclass(slots=True)
class Lane:
    """One branch, and what is known of the item that is being asked on it.

    `replies` are what the models have answered to it, by label. `graphs` are the steps that were run here.
    """

    session: Session[Benchmark]
    replies: dict[str, Reply] = field(default_factory=dict)
    graphs: dict[tuple[str, tuple[str, ...], Spelled | None], AgentGraph] = field(default_factory=dict)
    graders: dict[tuple[str, str], tuple[AgentGraph, GraderSeat]] = field(default_factory=dict)

    @property
    def state(self) -> Mapping[str, Any]:
        """The state as it stands, for reading only."""
        found: Mapping[str, Any] = self.session.current().plain
        return found

    def place(self, item: Item, repeat: int) -> None:
        """Put an item where it is asked from."""
        here, state = place_of(item.id, repeat), self.state
        field_ = "private" if item.sensitive else "asked"
        if state["at"] == here and item.id in state[field_]:
            return
        with self.session.transaction(AUTHOR) as tx:
            if item.id not in state[field_]:
                tx.merge(f"/{field_}", {item.id: item.prompt})
            tx.set("/at", here)

    def put(self, field_: str, values: Mapping[str, Any]) -> None:
        """Put down what no round has said."""
        with self.session.transaction(AUTHOR) as tx:
            tx.merge(f"/{field_}", dict(values))

    def nothing(self, key: str) -> None:
        """Put down that a pattern came to no answer."""
        if key not in self.state["answers"]:
            self.put("answers", {key: NOTHING})

    def last(self) -> Round | None:
        """The newest round of this branch."""
        with self.session.reading() as work:
            return rounds.last_round(work, self.session.session_id, self.session.branch)

    def leave(self, step: str, place: str) -> None:
        """Settle a round that was left open, unless it is of this step and about what is asked now."""
        left = self.last()
        if left is None or left.settled:
            return
        about = self.session.at(left.base).at
        if (left.step, about) == (step, place) and left.status != "parked":
            return
        journal = Journal(self.session)
        with self.session.reading() as work:
            rule = ledger.policy_of(work, self.session.session_id).in_flight
        flying = [call for call in journal.calls(left) if call.status in {"held", "sent"}]
        if flying:
            journal.settle([charges.given_up(call, rule) for call in flying])
        why = {"void": [{"code": "bench.left", "message": "It was left behind: another round is asked now"}]}
        journal.close(left, "void", why=why)

    def heard(self, round_: int) -> dict[str, Reply]:
        """What the models of a round have answered, by label."""
        calls = self.session.round(round_)[2]
        return {call.agent: reply_of(call) for call in calls if call.status == "answered"}


@dataclass(slots=True)
class Told:
    """What a round told while it ran."""

    round: int | None = None
    committed: bool = False
    ruled: bool = False
    abstained: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    failure: DissensusError | None = None

    def hear(self, event: Progress) -> None:
        """Take in what just happened."""
        if event.round is not None:
            self.round = event.round
        if event.kind == "abstained":
            self.abstained[str(event.body.get("agent"))] = event.body
        self.ruled = self.ruled or event.kind == "ruled"
        self.committed = self.committed or event.kind == "committed"


@dataclass(frozen=True, slots=True)
class Fence:
    """Lets one process at a time run a benchmark: whoever begins takes it over from whoever ran it."""

    session: Session[Benchmark]
    epoch: int

    @classmethod
    def taken(cls, session: Session[Benchmark]) -> Fence:
        """Take the benchmark over."""
        return cls(session, session.take_lease())

    def check(self) -> None:
        """Raise `LeaseLost` where another process has taken it over since."""
        with self.session.reading() as work:
            heads.check_lease(heads.peeked(work, self.session.session_id, MAIN), MAIN, self.epoch)


@dataclass(slots=True)
class Known:
    """What stands in the records of a benchmark: which answers, where, and what was asked.

    `rounds` says in which round, and by whom, an answer was given; `stood` on which branch the round is
    open that was left about an item in one of its repeats; `ruled` are the answers that a model has ruled on.
    """

    answers: dict[str, str] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    rounds: dict[str, int] = field(default_factory=dict)
    stood: dict[str, str] = field(default_factory=dict)
    ruled: set[str] = field(default_factory=set)


def known(session: Session[Benchmark]) -> Known:
    """Read what stands in the records."""
    found = Known()
    for name in lanes_of(session):
        lane = session.on(name)
        state = lane.current().plain
        found.answers |= state["answers"]
        found.scores |= state["scores"]
        found.asked |= {**state["asked"], **state["private"]}
        left = Lane(lane).last()
        if left is not None and not left.settled:
            found.stood.setdefault(state["at"], name)
        for commit in lane.log(lane.head + 1):
            if commit.round is not None:
                found.rounds.update(dict.fromkeys(_keys(commit.patch), commit.round))
    reviewed = {one.round for one in session.rounds() if one.review is not None}
    ruled = {number for number in reviewed if any(one.attempt for one in session.round(number)[3])}
    found.ruled = {key for key, number in found.rounds.items() if number in ruled}
    return found


def lanes_of(session: Session[Benchmark]) -> list[str]:
    """The branches on which items were asked."""
    names = [one.name for one in session.branches() if one.name.startswith(PREFIX)]
    return sorted(names, key=lambda name: (len(name), name))


def _keys(patch: Patch) -> list[str]:
    """The answers that a patch brings."""
    return [
        path[1]
        for operation in patch
        for path in operation.touched()
        if path[:1] == ("answers",) and path[1:]
    ]
