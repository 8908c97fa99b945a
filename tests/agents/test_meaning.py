"""Comparators that ask first: recorded, paid for, bounded, replayed; unanswered, texts count as different."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dissensus_agents.errors import GraphError, ModelFailed
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.comparators import Comparator
from dissensus_agents.judgement.lists import SetOf
from dissensus_agents.judgement.meaning import MOST_CHARACTERS, SEAT, Embeddings, SameMeaning
from dissensus_agents.judgement.supervisor import Person, Supervisor
from dissensus_agents.messages import Request
from dissensus_agents.models.prices import Price
from dissensus_agents.recordings.answering import Recordings, answered_from
from dissensus_agents.recordings.exporting import export_recordings
from dissensus_agents.watch.governor import Governor
from dissensus_state.budgets import Budget, Limits
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from panels import Case, Voice, agent, happened, one_step

FULL = "The disk was full"
FULL_TOO = "There was no room left on the device"
NETWORK = "The network was down"


def judge(request: Request) -> dict[str, Any]:
    """A model to which anything about a disk is one thing."""
    same = [("disk" in part.text or "device" in part.text) for part in request.parts if "text" in part.title]
    follows = len(set(same)) == 1
    return {"second_follows_from_first": follows, "first_follows_from_second": follows}


def vectors(texts: list[str]) -> list[list[float]]:
    return [[1.0, 0.1 * len(text) / 100, float("disk" in text or "device" in text)] for text in texts]


async def later(texts: list[str]) -> list[list[float]]:
    return vectors(texts)


def graph(comparator: Comparator, *said: str, **settings: Any) -> AgentGraph:
    agents = [agent(name, {"note": text}) for name, text in zip("abcd", said, strict=False)]
    return one_step(agents, ["note"], comparators={"note": comparator}, **settings)


def seats(session: Session[Any], number: int = 1) -> list[str]:
    return sorted({call.agent.partition("~")[0] for call in session.round(number)[2]})


async def test_texts_that_a_model_finds_the_same_are_one_position(session: Session[Case]) -> None:
    voice = Voice("judge", judge)

    result = await graph(SameMeaning(voice), FULL, FULL_TOO).run(session)

    assert (result.status, session.state.note) == ("finished", FULL)
    assert [item["path"] for item in happened(session, "immaterial")] == ["/note"]
    assert (len(voice.asked), seats(session)) == (1, ["a", "b", SEAT])
    assert await graph_replays(graph(SameMeaning(voice), FULL, FULL_TOO), session)
    assert len(voice.asked) == 1


async def graph_replays(again: AgentGraph, session: Session[Any]) -> bool:
    return (await again.replay(session)).rounds >= 1


async def test_texts_that_it_finds_different_are_reviewed_and_each_pair_is_asked_once(
    session: Session[Case],
) -> None:
    voice = Voice("judge", judge)
    step = graph(SameMeaning(voice), FULL, FULL_TOO, NETWORK, FULL.upper(), supervisor=Supervisor(Person()))

    result = await step.run(session)

    (one,) = (session.round(1)[0].review or {})["disagreements"]
    assert result.status == "parked"
    assert [sorted(position["holders"]) for position in one["positions"]] == [["a", "b", "d"], ["c"]]
    assert len(voice.asked) == 3  # FULL.upper() differs from FULL by its case only


async def test_a_pair_that_was_asked_before_is_not_paid_for_again(session: Session[Case]) -> None:
    voice = Voice("judge", judge)
    step = graph(SameMeaning(voice), FULL, FULL_TOO)

    await step.run(session)
    await step.run(session, start="judge")

    assert len(voice.asked) == 1
    (again,) = [call for call in session.round(2)[2] if call.agent.startswith(SEAT)]
    assert (again.detail or {})["reused"] is not None


@pytest.mark.parametrize(
    ("said", "code"),
    [(ModelFailed("down"), "model.failed"), ("I will not say", "answer.malformed")],
)
async def test_a_pair_that_gets_no_answer_counts_as_different_and_that_is_told(
    session: Session[Case], said: Any, code: str
) -> None:
    voice = Voice("judge", said)
    step = graph(SameMeaning(voice), FULL, FULL_TOO, supervisor=Supervisor(Person()))

    result = await step.run(session)

    (told,) = happened(session, "uncompared")
    assert result.status == "parked"
    assert (told["path"], told["comparator"], told["code"]) == ("/note", "SameMeaning", code)


async def test_a_pair_that_cannot_be_paid_for_counts_as_different_and_that_is_told(store: Store) -> None:
    session = store.create(Case(), name="poor", budget=Budget(usd="0.000001"))
    voice = Voice("judge", judge, price=Price(Decimal(100), Decimal(100)))

    result = await graph(SameMeaning(voice), FULL, FULL_TOO).run(session)

    assert (result.status, voice.asked) == ("parked", [])
    assert [item["code"] for item in happened(session, "uncompared")] == ["budget.exceeded"]


async def test_all_its_calls_are_under_one_limit(store: Store) -> None:
    limits = {SEAT: Limits(calls=2)}
    session = store.create(Case(), name="limited", budget=Budget(usd=1, agents=limits))
    voice = Voice("judge", judge)

    await graph(SameMeaning(voice), FULL, FULL_TOO, "The device had no room").run(session)

    assert len(voice.asked) == 2
    assert [item["code"] for item in happened(session, "uncompared")] == ["budget.exceeded"]
    assert happened(session, "warning") == []


async def test_a_text_too_long_to_be_asked_about_counts_as_different(session: Session[Case]) -> None:
    voice = Voice("judge", judge)

    result = await graph(SameMeaning(voice), FULL, "x " * MOST_CHARACTERS).run(session)

    assert (result.status, voice.asked) == ("parked", [])
    assert [item["code"] for item in happened(session, "uncompared")] == ["comparator.too_long"]


async def test_a_stored_round_is_compared_with_what_it_knew(store: Store) -> None:
    """A round that waits is taken up with the positions that whoever rules was shown."""
    session = store.create(Case(), name="poor", budget=Budget(usd="0.000001"))
    voice = Voice("judge", judge, price=Price(Decimal(100), Decimal(100)))
    step = graph(SameMeaning(voice), FULL, FULL_TOO)

    await step.run(session)
    session.set_budget(Budget(usd=50))
    result = await step.run(session)

    assert (result.status, voice.asked) == ("parked", [])


@pytest.mark.parametrize("embed", [vectors, later])
async def test_embeddings_tell_texts_apart_by_their_cosine_and_are_recorded_as_such(
    session: Session[Case], embed: Any
) -> None:
    result = await graph(Embeddings(embed, 0.9), FULL, FULL_TOO, NETWORK).run(session)

    (one,) = (session.round(1)[0].review or {})["disagreements"]
    (call,) = [call for call in session.round(1)[2] if call.agent.startswith(SEAT)]
    assert result.status == "parked"
    assert [position["holders"] for position in one["positions"]] == [["a", "b"], ["c"]]
    assert one["distance"] == pytest.approx(1 - min(json.loads(call.answer or "")))
    assert (len(json.loads(call.answer or "")), call.cost) == (3, 0)


async def test_near_vectors_of_texts_that_deny_each_other_are_far_apart(session: Session[Case]) -> None:
    step = graph(Embeddings(lambda texts: [[1.0] for _ in texts]), "It is safe", "It is not safe")

    assert (await step.run(session)).status == "parked"


@pytest.mark.parametrize("given", [[], [[1.0]], [[1.0], [0.0]], [[1.0], ["x"]], [[1.0], [1.0, 2.0]], None])
async def test_what_are_no_vectors_is_told(session: Session[Case], given: Any) -> None:
    result = await graph(Embeddings(lambda _: given), FULL, FULL_TOO).run(session)

    assert result.status == "parked"
    assert len(happened(session, "uncompared")) == 1


@pytest.mark.parametrize("comparator", [SameMeaning(Voice("judge", judge)), Embeddings(vectors, 0.9)])
async def test_a_graph_is_answered_from_a_file_of_recordings_its_comparators_as_well(
    session: Session[Case], tmp_path: Path, comparator: Comparator
) -> None:
    graph_ = graph(comparator, FULL, FULL_TOO)
    await graph_.run(session)
    export_recordings(session, tmp_path / "told.jsonl")
    other = Store.open("sqlite://").create(Case())

    result = await answered_from(graph_, Recordings.open(tmp_path / "told.jsonl")).run(other)

    assert (result.status, other.state.note) == ("finished", FULL)
    assert all(call.cost == 0 for call in other.round(1)[2])


async def test_a_panel_that_may_stop_early_asks_before_it_decides_whether_to(session: Session[Case]) -> None:
    voice = Voice("judge", judge)
    governor = Governor(stop_early=True)
    step = graph(SameMeaning(voice), FULL, FULL_TOO, FULL, FULL, governor=governor, hollow_below=1.3)

    result = await step.run(session)

    assert (result.status, len(voice.asked)) == ("finished", 1)
    assert [item.status for item in session.round(1)[1]].count("abstained") == 2


async def test_who_is_asked_since_an_agreement_is_hollow_is_compared_by_meaning_as_well(
    session: Session[Case],
) -> None:
    voice = Voice("judge", judge)
    other = agent("d", {"note": "The device had no room"}, lineage="another/one")
    step = graph(SameMeaning(voice), FULL, FULL_TOO, hollow_below=1.6, hollow=[other])

    result = await step.run(session)

    assert (result.status, len(voice.asked)) == ("finished", 3)
    assert await graph_replays(step, session)


async def test_the_comparators_model_can_be_swapped_for_a_run(session: Session[Case]) -> None:
    voice = Voice("other", judge)
    step = graph(SameMeaning(Voice("judge", ModelFailed("down"))), FULL, FULL_TOO)

    result = await step.run(session, models={SEAT: voice})

    assert (result.status, len(voice.asked)) == ("finished", 1)


async def test_what_has_to_ask_cannot_stand_inside_of_another_comparator(session: Session[Case]) -> None:
    inside = SetOf(items=SameMeaning(Voice("judge", judge)))
    agents = [agent("a", {"findings": ["x"]}), agent("b", {"findings": ["y"]})]

    with pytest.raises(GraphError, match="has to ask"):
        await one_step(agents, ["findings"], comparators={"findings": inside}).run(session)


def test_no_agent_bears_the_name_of_the_seat_that_compares() -> None:
    with pytest.raises(GraphError, match="seat that compares"):
        one_step([agent(SEAT, {"note": "x"})], ["note"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: SameMeaning(Voice("judge", judge), tolerance=2),
        lambda: Embeddings(vectors, 1.5),
        lambda: Embeddings(object()),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_compare_is_refused(make: Any) -> None:
    with pytest.raises(GraphError):
        make()
