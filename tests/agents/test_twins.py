"""G13: SQLite and PostgreSQL give the same history for the same calls, to the last hash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.judgement.verifiers import quotes_stand_in_sources
from dissensus_agents.messages import Reply
from dissensus_state.records import Budget
from dissensus_state.store import Store
from inquiries import START
from panels import Case, Voice, agent, cause, ruling, told
from postgres import Postgres


def scripted() -> AgentGraph:
    """Agreement, disagreement, repairs, abstention, a retry, additions, odd text and numbers."""
    gatherers = [
        agent(
            "Zoe", {"findings": ["ö\u2028", "\x00"], "tags": ["B", "a", "𝛑"], "doubts": 3, "confidence": 0.1}
        ),
        agent("ana", '```{"findings": [], "tags": ["é"], "doubts": 10000000000000000000000,}```'),
        agent("_mia", "no json at all", attempts=2),
    ]
    judges = [
        agent("b2", cause("disk", confidence=1 / 3), lineage="one/x"),
        agent("B10", Reply('{"verdict": {"cause": "net"}}', "m", reasoning="raw \x00", reasoning_kind="raw")),
    ]
    again = ruling("disk", decision="retry", clarification="Look \x00 again")
    chair = Voice("chair", "no verdict", again, ruling("disk", cause="judgement"))
    return (
        AgentGraph(Case)
        .add_step("gather", gatherers, writes={"findings", "tags", "doubts"})
        .add_step(
            "judge",
            judges,
            writes={"verdict"},
            supervisor=Supervisor(chair),
            verifiers=[quotes_stand_in_sources()],
        )
        .add_edge("gather", "judge")
    )


async def history(url: str) -> list[Any]:
    """Everything that a session says of itself, and what was told while it ran."""
    with Store.open(url, clock=lambda: START) as store:
        session = store.create(Case(), name="twin", budget=Budget(usd=1))
        progress = await told(scripted(), session)
        rounds = [session.round(item.round) for item in session.rounds()]
        return [
            [(item.kind, item.step, item.round) for item in progress],
            [commit.as_dict() for commit in session.log()],
            session.raw(),
            [(item.status, item.note, item.review) for item, _, _, _ in rounds],
            [[(one.agent, one.status, one.patch, one.detail) for one in made] for _, made, _, _ in rounds],
            [[one.body() for one in given] for _, _, _, given in rounds],
            [(event.kind, event.round, event.body) for event in session.events()],
            session.verify(),
            session.replay(),
            await scripted().replay(session),
            session.blame("/verdict").as_dict(),
        ]


async def test_g13_a_scripted_session_has_the_same_history_and_hashes_on_both_databases(
    tmp_path: Path, postgres: Postgres, migrated: str
) -> None:
    on_sqlite = await history(f"sqlite:///{tmp_path / 'twin.db'}")
    on_postgresql = await history(postgres.create("twin", template=migrated))

    for ours, theirs in zip(on_sqlite, on_postgresql, strict=True):
        assert ours == theirs
    assert on_sqlite[0][-1][0] == "finished"
