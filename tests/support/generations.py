"""One schema in four generations, as its file would read at four times, and sessions of the first."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel

from dissensus_state.machine import Transition
from dissensus_state.sessions import Session
from dissensus_state.shapes import Append, MergeByKey, SharedState, Union, invariant
from dissensus_state.store import Store
from dissensus_state.upcasting import upcaster


class Claim(BaseModel):
    """A claim under a number."""

    id: str
    text: str = ""


class Named(BaseModel):
    """A claim under a name."""

    name: str
    text: str = ""


class Note(BaseModel):
    """A note with its source."""

    text: str
    source: str = ""


class First(SharedState):
    """What everything begins with."""

    __qualname__ = "Report"
    title: str = ""
    phase: Literal["open", "closed"] = "open"
    text: str = ""
    seconds: float = 0
    notes: Annotated[list[str], Append] = []
    claims: Annotated[list[Claim], MergeByKey("id")] = []
    answers: Annotated[dict[str, str], MergeByKey] = {}

    transitions = [Transition("work", "open -> open"), Transition("close", "open -> closed", writes=[])]


class Second(SharedState, version=2):
    """A field has another name, another its items' type, and one is new."""

    __qualname__ = "Report"
    title: str = ""
    phase: Literal["open", "closed"] = "open"
    body: str = ""
    seconds: float = 0
    notes: Annotated[list[Note], Append] = []
    claims: Annotated[list[Claim], MergeByKey("id")] = []
    answers: Annotated[dict[str, str], MergeByKey] = {}
    tags: Annotated[set[str], Union] = set()

    transitions = First.transitions

    @upcaster(1)
    @staticmethod
    def text_is_body(state: dict[str, Any]) -> dict[str, Any]:
        """The first step."""
        state["body"] = state.pop("text")
        state["notes"] = [{"text": note} for note in state["notes"]]
        return state


class Third(SharedState, version=3):
    """Other units, another key, a rule that is new, and a review where there was none."""

    __qualname__ = "Report"
    title: str = ""
    phase: Literal["open", "closed"] = "open"
    body: str = ""
    milliseconds: int = 0
    notes: Annotated[list[Note], Append] = []
    claims: Annotated[list[Named], MergeByKey("name")] = []
    answers: Annotated[dict[str, str], MergeByKey] = {}
    tags: Annotated[set[str], Union] = set()

    transitions = [
        Transition("work", "open -> open", review=False),
        Transition("close", "open -> closed", writes=[], review=True),
    ]

    text_is_body = Second.text_is_body

    @staticmethod
    @upcaster(2)
    def milliseconds_and_names(state: dict[str, Any]) -> dict[str, Any]:
        """The second step."""
        state["milliseconds"] = round(state.pop("seconds") * 1000)
        state["claims"] = [{"name": f"claim {c['id']}", "text": c["text"]} for c in state["claims"]]
        return state

    @invariant("milliseconds")
    @staticmethod
    def time_does_not_run_backwards(_: Third, after: Third, evidence: Any) -> bool:
        """The rule that older states did not know."""
        return after.milliseconds >= 0 or bool(evidence)


class Grown(First, version=2):
    """The first one with a new field, which needs no upcaster."""

    __qualname__ = "Report"
    tags: Annotated[list[str], Append] = ["new"]


def written(store: Store, **fields: Any) -> Session[First]:
    """A session of the first generation at version 3."""
    session = store.create(First(title="Pumps", **fields))
    with session.transaction("ana", "work") as tx:
        tx.set("text", "It stopped")
        tx.append("notes", "at nine", "with a bang")
    with session.transaction("ben", "work") as tx:
        tx.merge("claims", [{"id": "7", "text": "the valve"}])
        tx.set("answers", {"why": "the valve"})
    with session.transaction("ana", "work") as tx:
        tx.set("seconds", fields.get("seconds", 1.5))
        tx.append("notes", "in the dark")
    return session
