"""A user's own schema, as it would stand in the folder where the command line is run."""

from __future__ import annotations

from typing import Annotated, Literal

from dissensus_state.machine import Transition
from dissensus_state.shapes import Add, Append, SharedState, invariant


class Inquiry(SharedState, version=2):
    question: str
    phase: Literal["gathering", "judging", "closed"] = "gathering"
    findings: Annotated[list[str], Append] = []
    score: Annotated[int, Add] = 0
    verdict: str | None = None

    transitions = [
        Transition("gather", "gathering -> gathering", writes={"findings", "score"}),
        Transition("open_judging", "gathering -> judging", writes=set()),
        Transition("reconsider", "judging -> judging", writes={"verdict"}, review=True),
        Transition("conclude", "judging -> closed", writes={"verdict"}, review=True),
    ]

    @invariant("verdict", "findings")
    def a_verdict_rests_on_findings(before, after):  # noqa: N805
        return after.verdict is None or bool(after.findings) or "there are no findings"


class NoSchema:
    pass
