"""A long history to be read: a survey that nine agents work on, in rounds and by hand.

Every tenth commit ends a round of three agents and, where they disagree, of a supervisor; the other
nine are written by agents by hand. All goes through the ordinary doors: `AgentGraph.run` and
transactions. Values, prompts and chains of thought are made up from a seed, as long as real ones.

The state grows to some megabytes: findings are appended, claims are merged by key, briefs, notes and
verdicts are replaced. Whoever writes has read something: a brief rests on a finding, a round on the
brief, a claim on the verdict, and so on, so that most of the history rests on its beginning.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, Field

from dissensus import (
    Add,
    Agent,
    AgentGraph,
    Append,
    FunctionModel,
    MergeByKey,
    SharedState,
    Store,
    Supervisor,
)
from dissensus_agents.messages import Reply, Request
from dissensus_state.patches import Operation
from dissensus_state.records import Change
from dissensus_state.sessions import Session
from dissensus_state.values import canonical, parse_path

AGENTS = ("ana", "ben", "caro", "dora", "emil", "fay", "gus", "hana", "ivo")
STEPS = {"weigh": AGENTS[:3], "check": AGENTS[3:6], "judge": AGENTS[6:]}
CYCLE = 10
"""Commits from one round to the next: one that ends it, and nine by hand."""

CLAIMS, TOPICS = 500, 300
PROSE = (
    "the export of orders rose after a change in pricing while supply from the north fell short of what "
    "had been agreed in spring and buyers waited for a sign that rates would hold through winter"
)


class Finding(BaseModel):
    """What somebody has found in a source."""

    source: str
    text: str
    confidence: float


class Claim(BaseModel):
    """What is held to be so, by its number."""

    id: str
    text: str
    by: str


class Verdict(BaseModel):
    """What a round decides."""

    topic: int = Field(description="Which topic it is about")
    holds: bool
    because: str


class Survey(SharedState):
    """The state of the survey."""

    question: str
    brief: str = ""
    findings: Annotated[list[Finding], Append] = Field(default_factory=list)
    claims: Annotated[list[Claim], MergeByKey("id")] = Field(default_factory=list)
    notes: dict[str, str] = Field(default_factory=dict)
    topics: dict[str, str] = Field(default_factory=dict)
    counts: Annotated[int, Add] = 0
    verdict: Verdict | None = None


def text(seed: str, words: int) -> str:
    """Words that look like a sentence, the same for the same seed."""
    chosen, known = random.Random(seed), PROSE.split()
    return " ".join(chosen.choice(known) for _ in range(words))


class Voice:
    """A model that is made up: what it says follows from the request alone."""

    def __init__(self, name: str, lineage: str) -> None:
        self.name, self.lineage = name, lineage

    def __call__(self, request: Request) -> Reply:
        """A verdict with a chain of thought; one model in nine sees it otherwise, by the prompt."""
        asked = hashlib.sha256(request.prompt.encode()).hexdigest()
        dissents = int(hashlib.sha256(f"{asked}{self.name}".encode()).hexdigest(), 16) % 9 == 0
        topic = int(asked, 16) % TOPICS
        said = {"topic": topic, "holds": not dissents, "because": text(f"{asked}{dissents}", 18)}
        return Reply(
            canonical({"verdict": said, "confidence": 0.8}),
            model=self.name,
            reasoning=text(asked + self.name, 150),
            reasoning_kind="raw",
        )

    def model(self) -> FunctionModel:
        """The same as a model of the graph."""
        return FunctionModel(self.name, self, lineage=self.lineage)


def ruling(_: Request) -> Reply:
    """The supervisor upholds whatever stands first."""
    said = {"decision": "uphold", "position": "A", "reason": text("ruling", 20), "confidence": 0.7}
    return Reply(canonical(said), model="chair", reasoning=text("chair", 80), reasoning_kind="raw")


def survey_graph() -> AgentGraph:
    """Three steps of three agents; each is a run of its own."""
    graph = AgentGraph(Survey)
    chair = FunctionModel("made-up:chair", ruling, lineage="chair")
    for step, names in STEPS.items():
        agents = [
            Agent(
                name,
                Voice(f"made-up:{name}", f"line-{number}").model(),
                f"You {step} what is in the brief, and give a verdict on it.",
                reads=["question", "brief", "verdict"],
            )
            for number, name in enumerate(names)
        ]
        graph.add_step(step, agents, writes={"verdict"}, supervisor=Supervisor(chair))
    return graph


class Hand:
    """What agents write by hand between the rounds, each on what it has read."""

    def __init__(self, seed: int) -> None:
        self._chosen = random.Random(seed)
        self._findings = 0
        self._claims: list[str] = []

    def changes(self, cycle: int) -> Iterator[tuple[str, Operation, list[str]]]:
        """The nine of a cycle: author, operation, paths that were read."""
        authors = self._chosen.sample(AGENTS, k=len(AGENTS))
        yield authors[0], *self._finding(cycle)
        yield authors[1], *self._brief(cycle)
        for author in authors[2:5]:
            yield author, *self._claim(f"{cycle}{author}", author)
        for author in authors[5:7]:
            yield author, *self._note(f"{cycle}{author}", author)
        yield authors[7], *self._topic(cycle)
        yield authors[8], Operation("add", ("counts",), 1), []

    def _finding(self, cycle: int) -> tuple[Operation, list[str]]:
        item = {
            "source": f"report-{cycle % 97}.txt",
            "text": text(f"finding{cycle}", 20),
            "confidence": round(self._chosen.random(), 2),
        }
        reads = [f"/topics/t{self._chosen.randrange(cycle)}"] if 0 < cycle < TOPICS else ["/question"]
        self._findings += 1
        return Operation("append", ("findings",), [item]), reads

    def _brief(self, cycle: int) -> tuple[Operation, list[str]]:
        recent = max(0, self._findings - 1 - self._chosen.randrange(20))
        said = text(f"brief{cycle}", 40)
        return Operation("set", ("brief",), said), ["/brief", f"/findings/{recent}"]

    def _claim(self, seed: str, author: str) -> tuple[Operation, list[str]]:
        name = f"c{self._chosen.randrange(CLAIMS)}"
        known = self._chosen.choice(self._claims) if self._claims else None
        self._claims.append(name)
        item = {"id": name, "text": text(seed, 16), "by": author}
        return Operation("merge", ("claims",), [item], "id"), [
            "/verdict",
            *([f"/claims/{known}"] if known else []),
        ]

    def _note(self, seed: str, author: str) -> tuple[Operation, list[str]]:
        return Operation("set", ("notes", author), text(seed, 25)), ["/verdict", "/brief"]

    def _topic(self, cycle: int) -> tuple[Operation, list[str]]:
        name = f"t{cycle % TOPICS}"
        return Operation("set", ("topics", name), text(f"topic{cycle}", 12)), ["/verdict"]


async def build(url: str, commits: int, *, seed: int = 1, name: str = "survey") -> None:
    """Make a session of so many commits, a tenth of which end rounds."""
    with Store.open(url) as store:
        session = store.create(Survey(question=text("question", 30)), name=name)
        graph, hand, steps = survey_graph(), Hand(seed), tuple(STEPS)
        for cycle in range(commits // CYCLE):
            _by_hand(session, hand, cycle)
            await graph.run(session, start=steps[cycle % len(steps)])


def _by_hand(session: Session[Survey], hand: Hand, cycle: int) -> None:
    """The commits of a cycle, one after the other."""
    for author, operation, reads in hand.changes(cycle):
        read = tuple(parse_path(path) for path in reads)
        session.commit(Change(author=author, patch=(operation,), base=session.remembered.version, reads=read))


def summary(session: Session[Any]) -> str:
    """What was made, in a line."""
    rounds = sum(one.status == "committed" for one in session.rounds())
    size = len(canonical(session.raw()))
    return f"{session.head:,} commits, {rounds:,} rounds, a state of {size / 1e6:.1f} MB"
