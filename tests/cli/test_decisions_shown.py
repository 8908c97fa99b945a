"""What `dissensus show` tells of a round's pattern: what it chose, why, and what it passed over."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Protocol

from dissensus_agents.graph import AgentGraph
from dissensus_agents.patterns.cascade import Cascade
from dissensus_agents.patterns.together import Panel
from dissensus_state.store import Store
from panels import Case, panel


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


def test_a_round_shows_what_its_pattern_decided(ask: Command, folder: Path) -> None:
    agents = panel("disk", "net", "net")
    graph = AgentGraph(Case).add_step("judge", Cascade([Panel(agents[:2]), agents[2]]), writes={"verdict"})
    with Store.open(str(folder / "dissensus.db")) as store:
        asyncio.run(graph.run(store.create(Case())))

    data = ask("show", "r1", "--json").data["round"]["decisions"]
    assert [set(item) for item in data] == [
        {"pattern", "at", "chosen", "reason", "confidence", "passed_over"}
    ] * 3
    assert (data[1]["chosen"], data[1]["reason"]) == (["tier 2"], "they disagree: a against b")

    shown = ask("show", "r1").out
    assert "cascade: tier 1\n" in shown
    assert "they disagree: a against b" in shown
    assert "not tier 2" in shown
    assert shown.count("\n  weighed ") == 1  # where there is a review it says so, and the outcome need not
