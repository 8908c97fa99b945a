"""A run that can be killed at an exact moment: the graph, and the program of a worker process.

As a program it is a nursery: it imports everything once, then forks workers. A worker that reaches the
moment it is to stop at says so and waits: for the file `go` in its folder, or for its death.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from dissensus_agents.agent import Agent
from dissensus_agents.graph import END, AgentGraph
from dissensus_agents.judgement.comparators import By
from dissensus_agents.judgement.supervisor import Review, Supervisor, Verdict
from dissensus_agents.judgement.verifiers import verifier
from dissensus_agents.messages import Reply, Request
from dissensus_agents.models.prices import Price
from dissensus_agents.models.scripted import FunctionModel
from dissensus_state.errors import DissensusError
from dissensus_state.shapes import Append, MergeByKey, SharedState, invariant
from dissensus_state.store import Store
from forking import say, serve

AGENTS = ("zoe", "ben", "cid")
"""Not in the order of their names, which no record keeps."""

PRICE = Price(Decimal(1), Decimal(1), source="a test")


class Moments:
    """Where the worker of this process is to stop, and how it says that it is there."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.stop: tuple[str, int] | None = None
        self.delay = 0.0

    def reached(self, name: str, number: int) -> bool:
        """Whether this is where to stop; if so, it is said."""
        if (name, number) != self.stop:
            return False
        self.stop = None
        say(f"at {name}")
        return True

    def pause(self, name: str, number: int) -> None:
        """Stop here, and everything of this process with it, if this is the moment."""
        if self.reached(name, number):
            while not self._may_go():
                time.sleep(0.002)

    async def wait(self, name: str, number: int) -> None:
        """Stop here alone, if this is the moment."""
        if self.reached(name, number):
            while not self._may_go():  # noqa: ASYNC110 - another process lets it go, through a file
                await asyncio.sleep(0.002)
        elif self.delay:
            await asyncio.sleep(random.uniform(0, self.delay))

    def asked(self, name: str, number: int) -> None:
        """Count a question that a model was really asked, in a file that outlives the process."""
        if self.folder is None:
            return
        file = os.open(self.folder / "asked", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        os.write(file, f"{name} {number}\n".encode())
        os.close(file)

    def _may_go(self) -> bool:
        return self.folder is not None and (self.folder / "go").exists()


moments = Moments()


class Exam(SharedState):
    """Questions to be answered one after the other."""

    questions: int
    answers: Annotated[dict[str, str], MergeByKey] = {}
    notes: Annotated[list[str], Append] = []

    @invariant("answers")
    @staticmethod
    def a_moment_inside_of_the_commit(_: Exam, after: Exam) -> None:
        moments.pause("committing", len(after.answers) - 1)


def number_of(request: Request) -> int:
    """Which question a request is about."""
    text = next(part.text for part in request.parts if part.text.startswith("Question "))
    return int(text.split()[1])


def prompt(view: Any) -> list[str]:
    number = len(view.read("answers"))
    moments.pause("reading", number)
    return [f"Question {number} of {view.read('questions')}"]


def answering(name: str) -> FunctionModel:
    """An agent's model: all agree on every third question, on others cid does not."""

    async def answer(request: Request) -> dict[str, Any]:
        number = number_of(request)
        moments.pause("sent", number)
        moments.asked(name, number)
        await moments.wait(f"{name} asked", number)
        said = "B" if name == "cid" and number % 3 else "A"
        return {"reasoning": f"{name} thinks", "answers": {str(number): said}, "notes": [f"{name} {number}"]}

    return FunctionModel(f"model-of-{name}", answer, lineage=name, price=PRICE)


async def _chair(request: Request) -> str:
    number = number_of(request)
    moments.asked("chair", number)
    await moments.wait("chair asked", number)
    position = next(
        part for part in request.parts if (part.source or "").startswith("position:") and '"B"' in part.text
    )
    return f"{number} {(position.source or '').removeprefix('position:')}"


def _shrugs(review: Review) -> Verdict:
    """The first of the chain: it knows no rule for this, and is asked in each run until that is recorded."""
    moments.pause("passing on", _numbers[-1])
    return Verdict(decision="escalate", reason=f"{len(review.positions)} positions, and no rule")


def _ruling(reply: Reply, _: Review) -> Verdict:
    number, position = reply.text.split()
    moments.pause("ruling", int(number))
    return Verdict(decision="uphold", position=position, reason="it is shorter")


def _apart(one: str, other: str) -> float:
    moments.pause("comparing", _current())
    return float(one != other)


@verifier
def _checked(proposed: Any, _: Any) -> bool:
    moments.pause("checking", _current(proposed))
    return True


_numbers: list[int] = []


def _current(proposed: Any = None) -> int:
    """The question that is compared or checked: the last one that an agent was asked."""
    if proposed is not None:
        return next(int(path.split("/")[2]) for path in proposed if path.startswith("/answers/"))
    return _numbers[-1]


def _onwards(state: Exam) -> str:
    moments.pause("committed", len(state.answers) - 1)
    return "answer" if len(state.answers) < state.questions else END


def exam() -> AgentGraph:
    """Three agents, a chair that prefers the dissent, and a moment at every joint."""

    def noted(view: Any) -> list[str]:
        _numbers.append(len(view.read("answers")))
        return prompt(view)

    agents = [Agent(name, answering(name), prompt=noted, max_output_tokens=50) for name in AGENTS]
    chair = FunctionModel("chair", _chair, lineage="chair", price=PRICE)
    graph = AgentGraph(Exam).add_step(
        "answer",
        agents,
        writes={"answers", "notes"},
        supervisor=[_shrugs, Supervisor(chair, parse=_ruling, max_output_tokens=50)],
        verifiers=[_checked],
        comparators={"answers": By(_apart)},
    )
    return graph.add_edge("answer", _onwards)


async def _work(url: str, session: str) -> None:
    with Store.open(url) as store:
        async for progress in exam().stream(store.session(session, Exam)):
            say(f"{progress.kind} {progress.round} {progress.body.get('agent', '')}".strip())


def work(url: str, session: str, folder: str, stop: tuple[str, int] | None = None, delay: float = 0.0) -> int:
    """Run the exam over a session; the exit status that tells how it ended."""
    moments.folder, moments.stop, moments.delay = Path(folder), stop and (stop[0], stop[1]), delay
    try:
        asyncio.run(_work(url, session))
    except KeyboardInterrupt:
        return 130
    except DissensusError as error:
        say(f"failed {error.code}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    import dissensus_agents.weaving  # noqa: F401 - what every worker needs, loaded once

    serve(work)
