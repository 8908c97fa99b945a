"""Two agents that disagree and a chair that rules, once as they speak and once as they must not be asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dissensus_agents.agent import Agent
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.messages import Reply
from dissensus_agents.models.scripted import FunctionModel
from panels import Case, Voice, ruling


def silent(name: str) -> FunctionModel:
    """A model that must not be asked."""

    def answer(_: Any) -> str:
        raise AssertionError(f"{name} was asked during a replay")

    return FunctionModel(name, answer)


def parse(reply: Reply) -> dict[str, Any]:
    """What an answer says."""
    return {"verdict": {"cause": reply.text.removeprefix("Cause: ")}}


def prompt(view: Any) -> list[Any]:
    """What both are asked."""
    return ["What is the cause?", view.part("/documents/log")]


def judging(
    voice: Callable[[str, str], Any],
    *,
    prompt: Callable[[Any], Any] = prompt,
    parse: Callable[[Reply], dict[str, Any]] = parse,
    role: str = "You read logs.",
    **settings: Any,
) -> AgentGraph:
    """Two agents with a parse function, in a disorder of names, and a supervising model."""
    agents = [
        Agent(name, voice(name, f"Cause: {said}"), role, prompt=prompt, parse=parse)
        for name, said in (("zoe", "disk"), ("ana", "net"))
    ]
    chair = voice("chair", "")
    return AgentGraph(Case).add_step(
        "judge", agents, writes={"verdict"}, supervisor=Supervisor(chair), **settings
    )


def speaking(name: str, text: str) -> Voice:
    """A model that says this."""
    return Voice(name, ruling("disk") if name == "chair" else text)


def muted(name: str, _: str) -> FunctionModel:
    """A model that says nothing."""
    return silent(name)
