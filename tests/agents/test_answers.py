"""What becomes of answers that would not do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dissensus_agents.errors import (
    MalformedAnswer,
    ModelFailed,
    WrongType,
)
from dissensus_agents.graph import AgentGraph
from dissensus_agents.messages import Reply, Usage
from dissensus_state.errors import FieldMissing
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store
from panels import Case, agent, cause, happened, kinds, one_step, told, voice


def attempts(session: Session[Any], name: str, number: int = 1) -> list[tuple[int, str, str | None]]:
    """The calls of an agent in a round: attempt, status, answer."""
    return [
        (call.attempt, call.status, call.answer) for call in session.round(number)[2] if call.agent == name
    ]


async def test_g14_an_answer_that_can_be_mended_is_and_the_history_says_how(session: Session[Case]) -> None:
    said = 'Sure!\n```json\n{"verdict": {"cause": "disk",},}\n```'

    await one_step([agent("ana", said)]).run(session)

    assert session.state.verdict is not None
    assert session.state.verdict.cause == "disk"
    assert attempts(session, "ana") == [(1, "answered", said)]
    (mended,) = happened(session, "repaired")
    assert mended["agent"] == "ana"
    assert {"trailing comma", "code fence"} <= set(mended["repairs"])


async def test_an_answer_that_cannot_be_read_is_asked_again_with_the_objection(
    session: Session[Case],
) -> None:
    ana = agent("ana", "The disk, I think.", '{"verdict": 7}', cause("disk"))

    await one_step([ana]).run(session)

    assert [len(request.turns) for request in voice(ana).asked] == [0, 1, 2]
    last = voice(ana).asked[2]
    assert [turn.answer for turn in last.turns] == ["The disk, I think.", '{"verdict": 7}']
    assert "holds no JSON" in last.turns[0].objection
    assert "/verdict" in last.turns[1].objection
    assert [(n, status) for n, status, _ in attempts(session, "ana")] == [(n, "answered") for n in (1, 2, 3)]
    assert session.round(1)[1][0].attempt == 3


@pytest.mark.parametrize(
    ("answer", "error", "exit_code"),
    [("no JSON at all", MalformedAnswer, 14), ('{"verdict": 7}', WrongType, 15)],
)
async def test_an_agent_is_asked_as_often_as_it_may_be_and_then_abstains(
    session: Session[Case], answer: str, error: type[ModelFailed], exit_code: int
) -> None:
    ana = agent("ana", answer, attempts=2)

    with pytest.raises(error, match="0 of 1 agents proposed something, and 1 must") as raised:
        await one_step([ana]).run(session)

    assert raised.value.exit_code == exit_code
    assert "dissensus show" in raised.value.next_step
    assert attempts(session, "ana") == [(1, "answered", answer), (2, "answered", answer)]
    (abstained,) = happened(session, "abstained")
    assert (abstained["agent"], abstained["code"]) == ("ana", error.code)
    assert (session.round(1)[0].status, session.head) == ("void", 0)


async def test_a_users_own_parse_function_reads_answers_that_are_no_json(session: Session[Case]) -> None:
    def parse(reply: Reply) -> dict[str, Any]:
        first, _, rest = reply.text.partition(":")
        if first != "Cause":
            raise ValueError("the answer begins with Cause:")
        return {"verdict": {"cause": rest.strip()}, "confidence": 0.5}

    ana = agent("ana", "I don't know", "Cause: disk", parse=parse)

    await one_step([ana]).run(session)

    assert voice(ana).asked[0].output_schema is None
    assert "the answer begins with Cause:" in voice(ana).asked[1].turns[0].objection
    proposal = session.round(1)[1][0]
    assert (proposal.confidence, proposal.attempt) == (0.5, 2)
    assert session.blame("/verdict").as_dict()["reasoning"]["ana"] == "Cause: disk"


async def test_a_parse_function_that_names_no_field_of_the_schema_is_an_error_of_its_own(
    session: Session[Case],
) -> None:
    ana = agent("ana", "x", parse=lambda _: {"verdikt": 1})

    with pytest.raises(FieldMissing, match="has the fields question, documents") as raised:
        await one_step([ana]).run(session)

    assert (raised.value.exit_code, raised.value.context["path"]) == (17, "/verdikt")
    await one_step([agent("ana", "x", parse=lambda _: {"verdict": {"cause": "disk"}})]).run(session)
    assert session.head == 1


async def test_a_value_that_the_state_cannot_hold_is_an_objection_and_no_end(session: Session[Case]) -> None:
    ana = agent("ana", '{"note": "\\ud800 and more"}', {"note": "fine"})

    await one_step([ana], ["note"]).run(session)

    assert session.state.note in {"\ufffd and more", "fine"}


async def test_reasoning_and_confidence_and_usage_are_recorded_with_the_call(session: Session[Case]) -> None:
    reply = Reply(
        json.dumps(cause("disk", confidence=0.25)),
        "model-2026-01",
        usage=Usage(input=10, output=5, cached=2, reasoning=7),
        reasoning="first the log",
        reasoning_kind="summary",
        finish_reason="length",
        latency_ms=12,
        ttft_ms=3,
        raw=b'{"id": 1}',
    )

    await one_step([agent("ana", reply)]).run(session)

    _, (proposal,), (call,), _ = session.round(1)
    assert proposal.confidence == 0.25
    assert (call.reasoning, call.reasoning_kind, call.finish_reason) == ("first the log", "summary", "length")
    assert (call.input_tokens, call.output_tokens, call.cached_tokens, call.reasoning_tokens) == (10, 5, 2, 7)
    assert (call.latency_ms, call.ttft_ms, call.raw) == (12, 3, b'{"id": 1}')
    assert call.detail == {"answered_by": "model-2026-01"}


@pytest.mark.parametrize("odd", ["\x00", "\u2028", "𝛑", "\x1b[31m"])
async def test_g13_odd_characters_come_back_as_they_were_on_either_database(
    session: Session[Case], odd: str
) -> None:
    said = {"note": f"a{odd}b", "reasoning": f"r{odd}"}

    await one_step([agent("ana", said)], ["note"]).run(session)

    assert session.state.note == f"a{odd}b"
    assert session.blame("/note").as_dict()["reasoning"]["ana"] == f"r{odd}"
    assert session.verify().versions == 2


async def test_a_run_tells_what_happens_in_the_order_in_which_it_does(session: Session[Case]) -> None:
    progress = await told(one_step([agent("ana", "?", cause("disk"))]), session)

    assert kinds(progress) == [
        "round",
        "asked",
        "answered",
        "asked",
        "answered",
        "proposed",
        "agreed",
        "committed",
        "finished",
    ]


class Sure(SharedState):
    """Fields that are called like what every answer has beside its fields."""

    confidence: float = 0.0
    reasoning: str = ""


async def test_fields_that_are_called_reasoning_and_confidence_are_written_as_they_are(store: Store) -> None:
    session = store.create(Sure())
    ana = agent("ana", {"reasoning": "because", "confidence": 7.5})

    await AgentGraph(Sure).add_step("judge", [ana], writes={"confidence", "reasoning"}).run(session)

    assert (session.state.reasoning, session.state.confidence) == ("because", 7.5)
    assert session.round(1)[1][0].confidence is None


async def test_a_parse_function_whose_confidence_is_none_is_an_objection(session: Session[Case]) -> None:
    ana = agent(
        "ana", "high", "0.5", parse=lambda reply: {"verdict": {"cause": "disk"}, "confidence": _number(reply)}
    )

    await one_step([ana]).run(session)

    assert "A confidence is a number from 0 to 1, and not 'high'" in voice(ana).asked[1].turns[0].objection
    assert session.round(1)[1][0].confidence == 0.5


def _number(reply: Reply) -> Any:
    return float(reply.text) if reply.text[0].isdigit() else reply.text
