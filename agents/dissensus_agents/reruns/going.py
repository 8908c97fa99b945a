"""What every walk on a branch has in common: carrying what others did, asking with a tape, ending well."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from dissensus_state.errors import (
    BudgetExceeded,
    Conflict,
    DatabaseFailed,
    Denied,
    DissensusError,
    LeaseLost,
    NotFound,
    Refused,
)
from dissensus_state.records import Round
from dissensus_state.takeovers import carried_from

from ..asking import Purse, Tape
from ..crossing import aside
from ..errors import RerunStopped
from ..running import Between, Progress, Run
from ..session import rule_alike
from .branches import DONE, LEFT_OUT, left_out_on
from .changes import Graph
from .lines import Line, is_conflict, read_line

if TYPE_CHECKING:
    from dissensus_state.records import Commit
    from dissensus_state.sessions import Session

Heard: TypeAlias = Callable[[str, Progress], None]
"""Hears what happens on a branch: its name, and what."""

STOPS = (BudgetExceeded, RerunStopped)
UNFIT = (Conflict, Denied, NotFound, Refused)
"""Why something that was done on the line may not be done on the branch."""


def unheard(_: str, __: Progress) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a walk goes by.

    Attributes:
        graph: The graph with what is changed.
        tape: The recorded calls.
        purse: The rerun's own limit.
        heard: Hears what happens.
        most: The most rounds of one way.
    """

    graph: Graph
    tape: Tape
    purse: Purse | None
    heard: Heard
    most: int


class Going(Between):
    """One branch, from where it stands to its end.

    Args:
        session: The session on the branch.
        line: What is gone again.
        means: What it goes by.
    """

    def __init__(self, session: Session[Any], line: Line, means: Means) -> None:
        self.session = session
        self.line = line
        self.means = means
        self.rounds: list[Round] = []
        self.carried: set[tuple[str, int]] = set()

    async def go(self) -> None:
        """Go on to the end; how that was is written down.

        Raises:
            DatabaseFailed: the database is gone.
            LeaseLost: another worker goes on with this branch.
        """
        try:
            body = {"status": await self.gone()}
        except STOPS as error:
            body = {"status": "budget", **error.as_dict()}
        except (DatabaseFailed, LeaseLost):
            raise
        except DissensusError as error:
            body = {"status": "failed", **error.as_dict()}
        await aside(self._write, body)

    @abstractmethod
    async def gone(self) -> str:
        """Go; `finished`, or `parked` where a person would have to rule."""

    def put(self, run: Run) -> None:
        """Give a run its tape, its purse, who acts between its rounds, and who hears of it."""
        logged = run.emit

        def emit(progress: Progress) -> None:
            logged(progress)
            self.means.heard(self.session.branch, progress)

        run.between, run.emit = self, emit
        run.asker.tape, run.asker.purse = self.means.tape, self.means.purse

    def take_up(self) -> None:
        """What the branch has already."""
        own = read_line(self.session, self.line.since)
        self.rounds = [one for one in own.rounds if not is_conflict(one)]
        self.carried = {place for one in own.commits if (place := carried_from(one.source)) is not None}
        for body in left_out_on(self.session):
            self.carried.add((str(body.get("branch")), body["version"]))

    def is_settled(self) -> bool:
        """Whether the newest round of the branch is, as the records say."""
        if not self.rounds:
            return True
        self.rounds[-1] = self.session.round(self.rounds[-1].round)[0]
        return self.rounds[-1].settled

    def bring(self, commit: Commit) -> bool:
        """Carry a commit of the line, once; whether it is, or what did not fit is written down."""
        if (commit.branch, commit.version) in self.carried:
            return True
        self.carried.add((commit.branch, commit.version))
        try:
            made = self.session.carry(commit, key=f"carry/{commit.branch}/{commit.version}")
        except UNFIT as error:
            self.leave_out(commit, error)
            return False
        self.tell("carried", commit, {"as": made.version})
        return True

    def leave_out(self, commit: Commit, error: DissensusError) -> None:
        """Write down that a commit of the line could not be carried."""
        self.session.record(LEFT_OUT, {**_named(commit), **error.as_dict()})
        self.tell(LEFT_OUT, commit, error.as_dict())

    def tell(self, kind: str, commit: Commit, body: dict[str, Any]) -> None:
        """Let whoever listens know what became of a commit of the line."""
        self.means.heard(self.session.branch, Progress(kind, body={**_named(commit), **body}))

    def ruled_alike(self, like: Round | None) -> bool:
        """Let stand on the newest round what a person ruled on exactly its proposals; whether one had."""
        rulings = [] if like is None else self.line.session.round(like.round)[3]
        if like is None or not rulings or rulings[-1].decision == "escalate":
            return False
        try:
            rule_alike(self.session, self.rounds[-1].round, rulings[-1], like.round)
        except UNFIT:
            return False
        body = {"author": rulings[-1].author, "decision": rulings[-1].decision, "like": like.round}
        said = Progress("ruled_alike", like.step, self.rounds[-1].round, body)
        self.means.heard(self.session.branch, said)
        return True

    def _write(self, body: dict[str, Any]) -> None:
        known = [one.body for one in self.session.events(DONE) if one.branch == self.session.branch]
        if not known or known[-1] != body:
            self.session.record(DONE, body)


def _named(commit: Commit) -> dict[str, Any]:
    return {"branch": commit.branch, "version": commit.version, "author": commit.author}
