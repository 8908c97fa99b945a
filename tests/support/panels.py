"""The schema, the voices and the chairs that the tests of a round work with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel

from dissensus_agents.agent import Agent
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Review, Verdict
from dissensus_agents.messages import Request
from dissensus_agents.models.prices import FREE, Price
from dissensus_agents.models.scripted import FunctionModel
from dissensus_agents.running import Progress
from dissensus_state.errors import DissensusError
from dissensus_state.sessions import Session
from dissensus_state.shapes import Add, Append, MergeByKey, SharedState, Union

LOG = "12:01 the disk is full\n12:02 the writer stops"


class Cause(BaseModel):
    """What a panel concludes."""

    cause: str
    detail: str = ""


class Case(SharedState):
    """One field for each way in which writes come together."""

    question: str = "Why did it stop?"
    documents: dict[str, str] = {"log": LOG}
    findings: Annotated[list[str], Append] = []
    tags: Annotated[set[str], Union] = set()
    doubts: Annotated[int, Add] = 0
    answers: Annotated[dict[str, str], MergeByKey] = {}
    verdict: Cause | None = None
    note: str = ""


Said: TypeAlias = Any
"""What a model says: text, a dictionary, a `Reply`, an error to raise, or a function of the request."""


class Voice(FunctionModel):
    """A model that says this, then that, the last of it for ever; it keeps what it was asked."""

    def __init__(self, name: str, *said: Said, lineage: str = "", price: Price | None = FREE) -> None:
        super().__init__(name, self._say, lineage=lineage, price=price)
        self.asked: list[Request] = []
        self._said = said

    def _say(self, request: Request) -> Any:
        self.asked.append(request)
        given = self._said[min(len(self.asked), len(self._said)) - 1]
        if isinstance(given, DissensusError):
            raise given
        return given(request) if callable(given) else given


def agent(name: str, *said: Said, **settings: Any) -> Agent:
    """An agent whose model says this; the model is called after it."""
    voice = {key: settings.pop(key) for key in ("lineage", "price") if key in settings}
    return Agent(name, Voice(f"model-of-{name}", *said, **voice), **settings)


def voice(one: Agent) -> Voice:
    """The model behind an agent that `agent` made."""
    assert isinstance(one.model, Voice)
    return one.model


def cause(text: str, **more: Any) -> dict[str, Any]:
    """An answer that names a cause."""
    return {"verdict": {"cause": text}, "reasoning": f"I think of {text}.", **more}


def panel(*causes: str) -> list[Agent]:
    """An agent for each cause: a, b, c…, each of a lineage of its own."""
    return [
        agent(name, cause(said), lineage=f"maker-{name}/one")
        for name, said in zip("abcdefghi", causes, strict=False)
    ]


def one_step(agents: Iterable[Agent], writes: Iterable[str] = ("verdict",), **settings: Any) -> AgentGraph:
    """A graph of the one step `judge`."""
    return AgentGraph(Case).add_step("judge", list(agents), writes=set(writes), **settings)


def labelled(review: Review, marker: str) -> str:
    """Under which label a position with this text in its values is shown."""
    return next(seen.label for seen in review.positions if marker in json.dumps(dict(seen.values)))


def upholds(marker: str, **verdict: Any) -> Callable[[Review], Verdict]:
    """A supervisor that upholds (or whatever else is given) the position with this text."""

    def chair(review: Review) -> Verdict:
        return Verdict(**{"decision": "uphold", "reason": "so", **verdict}, position=labelled(review, marker))

    return chair


def in_prompt(request: Request, marker: str) -> str:
    """The label of the position with this text in a supervising model's prompt."""
    sources = [part.source or "" for part in request.parts if marker in part.text]
    return next(source.removeprefix("position:") for source in sources if source.startswith("position:"))


def ruling(marker: str, **verdict: Any) -> Callable[[Request], dict[str, Any]]:
    """What a supervising model says that upholds the position with this text."""

    def answer(request: Request) -> dict[str, Any]:
        return {"decision": "uphold", "reason": "so", **verdict, "position": in_prompt(request, marker)}

    return answer


async def told(graph: AgentGraph, session: Session[Any], **options: Any) -> list[Progress]:
    """Everything that a run tells."""
    return [progress async for progress in graph.stream(session, **options)]


def kinds(progress: Iterable[Progress]) -> list[str]:
    """What happened, in order."""
    return [item.kind for item in progress]


def happened(session: Session[Any], kind: str) -> list[dict[str, Any]]:
    """The events of a kind in the history."""
    return [event.body for event in session.events() if event.kind == kind]
