"""A schema with rights, and what its people may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from dissensus_state.machine import Transition
from dissensus_state.rights import Rights
from dissensus_state.shapes import Append, MergeByKey, SharedState

PEOPLE = [
    Rights("ana", read={"question", "findings"}, propose={"verdict", "findings"}, commit={"findings"}),
    Rights("ben", read={"question", "/answers/mine"}, propose={"verdict"}, commit={"/answers/mine", "score"}),
    Rights("scout-*", read="question", propose="findings", commit="findings"),
    Rights("chair", read="/", rule={"verdict", "findings", "phase"}),
    Rights("clerk", read="/", commit="/"),
    Rights("*", read={"question"}),
]


def desk(rights: Iterable[Rights] = PEOPLE, version: int = 1, *, machine: bool = False) -> type[SharedState]:
    """A schema with these rights; all that it makes have one name, as a schema that was edited has."""

    class Desk(SharedState, version=version):
        question: str = "Why did it stop?"
        phase: Literal["gathering", "closed"] = "gathering"
        findings: Annotated[list[str], Append] = []
        answers: Annotated[dict[str, Any], MergeByKey] = {"mine": {"a": 1}, "yours": 1}
        score: int = 0
        verdict: str | None = None

    Desk.rights = list(rights)
    if machine:
        Desk.transitions = [
            Transition("gather", "gathering -> gathering"),
            Transition("conclude", "gathering -> closed"),
        ]
    return Desk
