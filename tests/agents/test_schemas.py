"""G12: a graph goes on with a session that was left under an older schema."""

from __future__ import annotations

from typing import Any

import pytest

from by_hand import begun
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Person, Supervisor
from dissensus_agents.session import settle
from dissensus_state.errors import Conflict
from dissensus_state.journal import Journal
from dissensus_state.store import Store
from dissensus_state.upcasting import upcaster
from panels import Case, agent, cause, happened, one_step, panel


class Moved(Case, version=2):
    """The case with a longer verdict."""

    __qualname__ = "Case"
    summary: str = ""

    @upcaster(1)
    @staticmethod
    def note_is_summary(state: dict[str, Any]) -> dict[str, Any]:
        return {**state, "summary": state["note"], "note": ""}


def moved(*said: Any, **settings: Any) -> AgentGraph:
    """Today's graph: one step on today's schema."""
    return AgentGraph(Moved).add_step("judge", [agent("a", *said)], writes={"verdict"}, **settings)


async def test_g12_a_graph_lifts_the_session_before_it_asks_anybody(store: Store) -> None:
    old = store.create(Case(note="It was dark"))
    session = store.session(old.name, Moved)
    await moved(cause("the pump")).run(session)
    migration, commit = reversed(session.log(limit=2))
    assert (migration.source, commit.base, commit.round) == ({"upcast": [1, 2]}, 1, 1)
    assert session.round(1)[0].base == 1
    assert (session.state.summary, session.verify().versions) == ("It was dark", 3)
    assert (await moved(cause("the pump")).replay(session)).rounds == 1


async def test_g12_a_round_left_under_the_older_schema_is_void_and_asked_again(store: Store) -> None:
    old = store.create(Case())
    begun(Journal(old), "judge", "a")
    assert old.budget.held > 0
    session = store.session(old.name, Moved)
    await moved(cause("the pump")).run(session)
    left, again = session.rounds()
    assert (left.status, left.base, again.status, again.again_of) == ("void", 0, "committed", 1)
    assert left.review == {
        "void": [{"code": "schema.outdated", "message": "It was begun under an older schema version"}]
    }
    (call,) = session.round(1)[2]
    assert (call.status, call.cost) == ("unknown", call.reserved)
    assert len(happened(session, "unknown")) == 1
    assert session.budget.held == 0
    assert session.verify().rounds == 1


async def test_g12_a_person_cannot_commit_what_was_proposed_in_the_older_shape(store: Store) -> None:
    graph = one_step(panel("disk", "net"), supervisor=Supervisor(Person("jutta")))
    old = store.create(Case())
    await graph.run(old)
    session = store.session(old.name, Moved)
    with pytest.raises(Conflict, match="Round 1 was begun under schema version 1, not 2"):
        settle(session, 1, decision="uphold", author="jutta", reason="", position="A")
    assert (session.head, session.round(1)[0].status) == (0, "parked")

    settle(session, 1, decision="retry", author="jutta", reason="", clarification="In today's words")
    await moved(cause("the pump"), cause("the pump")).run(session)
    assert [item.status for item in session.rounds()] == ["retried", "committed"]
    assert session.verify().versions == 3
