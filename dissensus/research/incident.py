"""The analysis of an incident: what is known of it, how a verdict comes about, and who may say what.

The documents are shipped with the package. The panel and the chair may be any models: the demo takes
scripted ones (`script`), and whoever has a key can take others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from dissensus_agents.agent import Agent
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.comparators import By
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.judgement.verifiers import quotes_stand_in_sources
from dissensus_agents.models.client import Model
from dissensus_state.machine import Transition
from dissensus_state.shapes import Append, SharedState, invariant

QUESTION = "Why did payments fail on 14 October 2026 between 09:40 and 10:22, and how severe was it?"

TRIAGE = "Name the change that is the first suspect, in at most six words, for the others to look into."
READ = "Read the documents. Report what bears on the question, each finding with its quotation."
JUDGE = "Name the one cause of the incident and its severity. Quote the lines that show it."

MAX_ANSWER = 1000
"""Tokens of an answer, thinking included."""

FEWEST_FINDINGS = 3

FIRST = "ola"
"""The agent that reads first, alone, and names a suspect to the others."""


class Quotation(BaseModel):
    """A passage of a document, word for word, and what it shows."""

    source: str = Field(description="The name of the document")
    quote: str = Field(description="The passage, word for word")
    shows: str = Field(description="What it shows, in one sentence")


class Verdict(BaseModel):
    """What the panel has to decide."""

    cause: str = Field(description="The change or event that set it off, in at most six words")
    severity: Literal["minor", "major", "critical"]
    evidence: list[Quotation]


def enough_findings(before: Incident) -> bool | str:
    """Nobody judges what has not been read."""
    there = len(before.findings)
    return there >= FEWEST_FINDINGS or f"{there} findings, and a verdict needs {FEWEST_FINDINGS}"


class Incident(SharedState):
    """An incident, from its documents to a verdict."""

    question: str
    documents: dict[str, str]
    phase: Literal["gathering", "judging", "closed"] = "gathering"
    suspect: str | None = None
    findings: Annotated[list[Quotation], Append] = Field(default_factory=list)
    verdict: Verdict | None = None

    transitions: ClassVar[list[Transition]] = [
        Transition("triage", "gathering -> gathering", writes={"suspect"}),
        Transition("gather", "gathering -> judging", writes={"findings"}),
        Transition("conclude", "judging -> closed", writes={"verdict"}, guard=enough_findings, review=True),
    ]

    @staticmethod
    @invariant("verdict")
    def a_verdict_rests_on_quotations_that_stand(
        _: Incident, after: Incident, evidence: Sequence[Mapping[str, Any]]
    ) -> bool | str:
        """Whoever rules, a verdict with a quotation that no document bears out is not committed."""
        failed = [item["detail"] for item in evidence if not item["passed"]]
        checked = after.verdict is None or any(item["passed"] for item in evidence)
        return "; ".join(failed) or checked or "no quotation was checked"


def opening() -> Incident:
    """The incident before anybody has read anything."""
    folder = files("dissensus.research") / "documents"
    texts = {document.name: document.read_text("utf-8") for document in folder.iterdir()}
    return Incident(question=QUESTION, documents=dict(sorted(texts.items())))


def incident_graph(panel: Mapping[str, Model | str], chair: Model | str) -> AgentGraph:
    """The steps of the analysis: one names a suspect, all read, then all judge and the chair rules.

    Args:
        panel: The model of each agent, by the agent's name; `ola` names the suspect.
        chair: The model that supervises.
    """
    graph = AgentGraph(Incident)
    seats = {name: model for name, model in panel.items() if name != FIRST}
    graph.add_step(
        "triage", _agents({FIRST: panel[FIRST]}, TRIAGE, ["question", "documents"]), writes={"suspect"}
    )
    graph.add_step(
        "gather",
        _agents(seats, READ, ["question", "documents", "suspect"]),
        writes={"findings"},
        verifiers=[quotes_stand_in_sources("findings")],
    )
    graph.add_step(
        "conclude",
        _agents(seats, JUDGE, ["question", "documents", "suspect", "findings"]),
        writes={"verdict"},
        supervisor=Supervisor(chair, name="chair", max_output_tokens=MAX_ANSWER),
        verifiers=[quotes_stand_in_sources("verdict/evidence")],
        comparators={"verdict/evidence": By(_no_matter)},
    )
    return graph.add_edge("triage", "gather").add_edge("gather", "conclude")


def _agents(panel: Mapping[str, Model | str], role: str, reads: list[str]) -> list[Agent]:
    return [
        Agent(name, model, role, reads=reads, max_output_tokens=MAX_ANSWER) for name, model in panel.items()
    ]


def _no_matter(_: Any, __: Any) -> float:
    """Two who name one cause do not disagree because they quote other lines for it."""
    return 0.0
