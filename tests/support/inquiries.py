"""The schemas that the tests of the state work on, and what they ask of every session."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import methodcaller
from typing import Annotated, Any, Literal

from pydantic import BaseModel

from dissensus_state.machine import Transition
from dissensus_state.records import Commit
from dissensus_state.sessions import Session
from dissensus_state.shapes import Add, Append, MergeByKey, SharedState, Union, invariant
from dissensus_state.transactions import Transaction

START = 1_767_225_600_000
"""The first instant of 2026, in milliseconds since 1970."""


class Finding(BaseModel):
    """Something an agent found."""

    text: str
    source: str = ""


class Claim(BaseModel):
    """Something an agent claims, under a name of its own."""

    id: str
    text: str = ""


def enough_findings(before: Inquiry) -> str | None:
    """Judging starts once there is something to judge."""
    return None if before.findings else "there are no findings to judge"


class Inquiry(SharedState, version=2):
    """A question that several agents work on, with phases, a guard, a review and two rules."""

    question: str = "Why did it stop?"
    phase: Literal["gathering", "judging", "closed"] = "gathering"
    findings: Annotated[list[Finding], Append] = []
    tags: Annotated[set[str], Union] = set()
    doubts: Annotated[int, Add] = 0
    answers: Annotated[dict[str, str], MergeByKey] = {}
    claims: Annotated[list[Claim], MergeByKey("id")] = []
    verdict: str | None = None

    transitions = [
        Transition(
            "gather", "gathering -> gathering", writes=["findings", "tags", "doubts", "answers", "claims"]
        ),
        Transition("open_judging", "gathering -> judging", writes=[], guard=enough_findings),
        Transition("doubt", "gathering, judging -> judging", writes=["doubts"]),
        Transition("conclude", "judging -> closed", writes=["verdict"], review=True),
    ]

    @invariant("doubts")
    @staticmethod
    def doubts_stay_below_a_hundred(before: Inquiry, after: Inquiry) -> bool:
        """A rule that says only whether it holds."""
        return before.doubts <= 100 and after.doubts < 100

    @staticmethod
    @invariant("verdict", "findings")
    def a_verdict_rests_on_findings(_: Inquiry, after: Inquiry, evidence: Any) -> str | None:
        """A rule that says why."""
        if after.verdict is None or after.findings or evidence:
            return None
        return "there are no findings and no evidence"


class Notes(SharedState):
    """A state without a machine: every write is allowed."""

    a: int = 0
    b: int = 0
    text: str = ""
    anything: Any = None
    lines: Annotated[list[str], Append] = []
    tags: Annotated[set[str], Union] = set()
    total: Annotated[float, Add] = 0
    answers: Annotated[dict[str, Any], MergeByKey] = {}
    claims: Annotated[list[Claim], MergeByKey("id")] = []


class Shift(SharedState):
    """Two are on call; each may leave as long as the other stays."""

    ana: bool = True
    ben: bool = True

    @invariant("ana", "ben")
    @staticmethod
    def somebody_is_on_call(_: Shift, after: Shift) -> str | None:
        """The rule that write skew would break."""
        return None if after.ana or after.ben else "both have left"


def ticking() -> Callable[[], int]:
    """A clock that goes one millisecond on each time it is asked."""
    return itertools.count(START).__next__


Work = Callable[[Transaction], Any]


def overtaken(session: Session[Any], late: Work, early: Work, **options: Any) -> Commit | None:
    """Let ben work in a transaction that one of ana's overtakes before it ends."""
    with session.transaction("ben", **options) as second:
        late(second)
        with session.transaction("ana", **options) as first:
            early(first)
    return second.commit


def does(verb: str, *arguments: Any) -> Work:
    """One operation, to be made in a transaction."""
    return methodcaller(verb, *arguments)


@contextmanager
def nothing_changes(session: Session[Any]) -> Iterator[None]:
    """Whatever happens in the block, the session's state and history stay as they were."""
    before = session.head, session.raw(), session.log(), session.rounds()
    yield
    assert (session.head, session.raw(), session.log(), session.rounds()) == before
