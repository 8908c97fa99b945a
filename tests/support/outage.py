"""A user's own schema, as it would stand in the folder where the command line is run."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dissensus_state.machine import Transition
from dissensus_state.rights import Rights
from dissensus_state.shapes import Add, Append, SharedState, invariant


class Outage(SharedState, version=2):
    question: str
    phase: Literal["gathering", "judging", "closed"] = "gathering"
    findings: Annotated[list[str], Append] = Field(default_factory=list)
    score: Annotated[int, Add] = 0
    verdict: str | None = None

    transitions: ClassVar = [
        Transition("gather", "gathering -> gathering", writes={"findings", "score"}),
        Transition("open_judging", "gathering -> judging", writes=set()),
        Transition("reconsider", "judging -> judging", writes={"verdict"}, review=True),
        Transition("conclude", "judging -> closed", writes={"verdict"}, review=True),
    ]

    @staticmethod
    @invariant("verdict", "findings")
    def a_verdict_rests_on_findings(_: Outage, after: Outage) -> bool | str:
        return after.verdict is None or bool(after.findings) or "there are no findings"


class Watched(Outage):
    rights: ClassVar = [
        Rights("scout-*", read={"question"}, commit={"findings"}),
        Rights("chair", read="/", rule={"verdict", "phase"}),
    ]


class NoSchema:
    pass
