"""Which graph a session was run with: written down by those who run one, found by those who run it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dissensus.cli.errors import Misuse
from dissensus.cli.graphs import graph_of, load_graph, note_run, with_schema
from dissensus.research.incident import Incident, opening
from dissensus_agents.graph import AgentGraph
from dissensus_state.errors import NotFound, SchemaRefused
from dissensus_state.store import Store
from outage import Outage

MODULE = """
from dissensus import Agent, AgentGraph, FunctionModel, SharedState

class Inquiry(SharedState):
    question: str
    verdict: str | None = None

def made(verdict="leak"):
    answer = FunctionModel("it", lambda request: {"reasoning": "", "verdict": verdict})
    graph = AgentGraph(Inquiry).add_step("conclude", [Agent("a", answer)], writes={"verdict"})
    graph.verdict = verdict
    return graph

def of(session):
    return made(session.name)
"""


@pytest.fixture
def home(folder: Path) -> Path:
    (folder / "graphs_in_test.py").write_text(MODULE)
    return folder


def test_a_run_writes_down_its_graph_and_the_models_it_was_given(dissensus: Any, home: Path) -> None:
    given = ["run", "graphs_in_test:made", "-d", "it.db", "--state", '{"question": "Why?"}']
    dissensus(*given, "-s", "one")
    with Store.open("sqlite:///it.db") as store:
        session = store.session("one")
        (event,) = session.events("ran")
        assert event.body == {"graph": "graphs_in_test:made"}
        note_run(session, "graphs_in_test:made")
        assert len(session.events("ran")) == 1, "what is known is not written again"
        note_run(session, "graphs_in_test:made", {"a": ["ollama:llama3.1"]})
        found = graph_of(session, "graphs_in_test:made")
        assert found.steps["conclude"].agents[0].model.name == "ollama:llama3.1"


def test_the_demos_graph_is_found_by_itself(dissensus: Any) -> None:
    dissensus("demo", "-d", "demo.db")
    with Store.open("sqlite:///demo.db") as store:
        graph = graph_of(store.session("demo"))
        assert set(graph.steps) == {"triage", "gather", "conclude"}
        assert with_schema(store.session("demo"), graph).state.verdict is not None


@pytest.mark.parametrize(
    "name", ["graphs_in_test:made", "dissensus.cli.main:main", "dissensus.research.demo:main", "os:abort"]
)
def test_what_a_database_names_is_not_imported_unless_it_is_ours(name: str, home: Path) -> None:
    with Store.open("sqlite:///it.db") as store:
        session = store.create(opening(), name="it")
        note_run(session, name)
        with pytest.raises(Misuse) as told:
            graph_of(session)
        assert told.value.next_step == f"Add --graph {name}"


def test_without_a_run_the_graph_has_to_be_named(home: Path) -> None:
    with Store.open("sqlite:///it.db") as store, pytest.raises(NotFound, match="not written down"):
        graph_of(store.create(opening(), name="it"))


def test_a_function_of_the_session_makes_its_graph(home: Path) -> None:
    with Store.open("sqlite:///it.db") as store:
        session = store.create(opening(), name="mine")
        assert vars(load_graph("graphs_in_test:of", session))["verdict"] == "mine"
        with pytest.raises(SchemaRefused, match="Inquiry"):
            with_schema(session, load_graph("graphs_in_test:made"))


def test_the_schema_of_the_graph_opens_the_session(home: Path) -> None:
    with Store.open("sqlite:///it.db") as store:
        store.create(opening(), name="it")
        opened = with_schema(store.session("it"), AgentGraph(Incident))
        assert opened.state.question == opening().question
        with pytest.raises(SchemaRefused):
            with_schema(store.session("it"), AgentGraph(Outage))
