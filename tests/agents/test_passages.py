"""Passages of documents in prompts: referred to, never stored again, and found again from the recording."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from dissensus_agents.judgement.citations import quotes_stand_in_documents
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.messages import Part
from dissensus_agents.sources import part, resolve_source
from dissensus_state.blobs import unpack
from dissensus_state.errors import NotFound
from dissensus_state.sessions import Session
from dissensus_state.tables import blobs, calls
from panels import Case, Voice, agent, cause, one_step, ruling, voice

LONG = "The disk was full when the night shift began, and nobody had looked at it. " * 20


@pytest.fixture
def filled(session: Session[Case]) -> Session[Case]:
    session.library.add("log.pdf", "pdf", [("p. 1", "Nothing happened."), ("p. 2", LONG)], b"log")
    return session


def prompts(session: Session[Case]) -> Any:
    def prompt(view: Any) -> list[Part]:
        return [
            Part("Why did it stop?"),
            view.part("/documents/log"),
            part(session.library.passage("log.pdf", 2)),
        ]

    return prompt


def sources(recorded: Any) -> list[tuple[str, str]]:
    """Source and title of each piece of a recorded prompt that is referred to."""
    pieces = [piece for piece in recorded[1] if not isinstance(piece, dict)]
    return [(piece, piece) if isinstance(piece, str) else tuple(piece) for piece in pieces]


async def test_a_passage_in_a_prompt_is_recorded_by_reference_alone(filled: Session[Case]) -> None:
    ana = agent("ana", cause("disk"), prompt=prompts(filled))
    await one_step([ana]).run(filled)
    (asked,) = voice(ana).asked
    assert LONG in asked.prompt
    assert "## log.pdf, p. 2\n" in asked.prompt
    (call,) = filled.round(1)[2]
    assert ("document:log.pdf#2", "log.pdf, p. 2") in sources(call.request)
    with filled.database.engine.connect() as connection:
        kept = [unpack(bytes(data)).decode() for (data,) in connection.execute(sa.select(blobs.c.data))]
        kept += [text for (text,) in connection.execute(sa.select(calls.c.request))]
    assert not any("night shift" in text for text in kept)


async def test_every_piece_of_a_recorded_prompt_leads_back_to_its_text(filled: Session[Case]) -> None:
    chair = Voice("chair", ruling("disk"))
    quotes = {"findings": [json.dumps({"quote": "not there", "source": "log.pdf"})]}
    agents = [
        agent("zoe", cause("disk", **quotes), prompt=prompts(filled)),
        agent("ana", cause("net", **quotes, confidence=0.7), prompt=prompts(filled)),
        agent("ben", cause("net", **quotes), prompt=prompts(filled)),
    ]
    graph = one_step(
        agents,
        ("verdict", "findings"),
        supervisor=Supervisor(chair),
        verifiers=[quotes_stand_in_documents(filled.library, "findings")],
    )
    await graph.run(filled)
    asked = {agent.name: voice(agent).asked[0] for agent in agents} | {"supervisor": chair.asked[0]}
    resolved = 0
    for call in filled.round(1)[2]:
        texts = {one.source: one.text for one in asked[call.agent].parts if one.source}
        for source, _ in sources(call.request):
            assert resolve_source(filled, source, 0, 1) == texts[source]
            resolved += 1
    assert resolved == 3 * 2 + 4
    assert LONG in chair.asked[0].prompt  # a supervisor sees the passages that the panel saw


@pytest.mark.parametrize(
    "source", ["document:log.pdf#3", "document:other#1", "/nothing", "position:X", "odd"]
)
async def test_a_source_that_refers_to_nothing_is_not_found(filled: Session[Case], source: str) -> None:
    await one_step([agent("ana", cause("disk"))]).run(filled)
    with pytest.raises(NotFound):
        resolve_source(filled, source, 0, 1)


async def test_a_round_that_read_passages_is_replayed_and_its_evidence_stands(filled: Session[Case]) -> None:
    quotation = {"verdict": {"cause": "log.pdf", "detail": "the night shift"}, "reasoning": "It says so."}
    ana = agent("ana", quotation, prompt=prompts(filled))
    check = quotes_stand_in_documents(filled.library, "verdict", "detail", "cause")
    graph = one_step([ana], verifiers=[check])
    await graph.run(filled)
    assert (await graph.replay(filled)).rounds == 1
    (evidence,) = filled.commit_at(1).evidence
    assert evidence["passed"]
    assert evidence["detail"] == "stands in 'log.pdf' at p. 2: “the night shift”"
