"""Patterns of all kinds, made of six agents one of which fails: what laws of patterns are tried on."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from dissensus_agents.agent import Agent
from dissensus_agents.errors import ProviderFailed
from dissensus_agents.messages import Request
from dissensus_agents.models.scripted import FunctionModel
from dissensus_agents.patterns.cascade import Cascade, confident
from dissensus_agents.patterns.route import Route
from dissensus_agents.patterns.together import Panel, Parallel
from panels import cause

SAID = {"a": "disk", "b": "net", "c": "disk", "d": None, "e": "cpu", "f": "net"}
"""What each agent says; d fails."""


def one(name: str) -> Agent:
    said = SAID[name]
    answer = None if said is None else cause(said, confidence=(ord(name) - 92) / 10)

    def asked(_: Request) -> Any:
        if answer is None:
            raise ProviderFailed("down")
        return answer

    return Agent(name, FunctionModel(f"m-{name}", asked, lineage=f"maker-{name}/x"))


AGENTS = {name: one(name) for name in SAID}


def leaves() -> st.SearchStrategy[Any]:
    return st.sampled_from(sorted(AGENTS)).map(lambda name: AGENTS[name])


def several(least: int) -> st.SearchStrategy[list[Any]]:
    names = st.lists(st.sampled_from(sorted(AGENTS)), min_size=least, max_size=4, unique=True)
    return names.map(lambda found: [AGENTS[name] for name in found])


def bases() -> st.SearchStrategy[Any]:
    return st.one_of(
        leaves(),
        st.builds(Panel, several(2), grow=st.sampled_from([None, True, 2])),
        st.builds(Parallel, several(1), take=st.sampled_from(["all", "best", "first"])),
    )


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    cascades = st.lists(inner, min_size=1, max_size=3).map(lambda t: Cascade(t, until=confident(0.8)))
    names = st.dictionaries(st.sampled_from(["x", "y", "z"]), inner, min_size=1, max_size=3)
    routes = names.flatmap(
        lambda options: st.sampled_from(sorted(options)).map(
            lambda chosen: Route(options, by=lambda _: chosen)
        )
    )
    return st.one_of(cascades, routes)


PATTERNS = st.recursive(bases(), grown, max_leaves=5)
