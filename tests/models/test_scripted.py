from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from pydantic import BaseModel

from dissensus_agents.errors import ModelFailed, ProviderFailed
from dissensus_agents.messages import Part, Reply, Request, Usage
from dissensus_agents.models.client import Model
from dissensus_agents.models.prices import FREE
from dissensus_agents.models.recordings import NotRecorded, RecordedModel, request_digest
from dissensus_agents.models.scripted import FunctionModel, ScriptedModel, ScriptEnded

ASKED = Request("You are terse.", (Part("Which disk is full?"),))


class Verdict(BaseModel):
    cause: str


def ask(model: Model, request: Request = ASKED) -> Reply:
    return asyncio.run(model.answer(request))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("free text", "free text"),
        ({"cause": "Überlauf"}, '{"cause":"Überlauf"}'),
        (Verdict(cause="x"), '{"cause":"x"}'),
        (["a", 1], '["a",1]'),
        ("cut \ud800", "cut �"),
    ],
)
def test_what_a_function_returns_is_the_answer(given: Any, text: str) -> None:
    async def awaited(_: Request) -> Any:
        return given

    assert ask(FunctionModel("f", lambda _: given)).text == text
    assert ask(FunctionModel("f", awaited)).text == text
    assert ask(FunctionModel("f", lambda _: given, thread=True)).text == text
    assert ask(ScriptedModel("s", [given])).text == text


def test_a_function_sees_the_request() -> None:
    assert ask(FunctionModel("f", lambda request: request.prompt)).text == "Which disk is full?"


def test_a_function_that_waits_can_be_kept_off_the_loop() -> None:
    model = FunctionModel("f", lambda _: threading.current_thread().name, thread=True)
    assert ask(model).text != threading.current_thread().name


def test_local_models_are_free_and_of_their_own_lineage_unless_told() -> None:
    for model in (FunctionModel("f", str), ScriptedModel("f", []), RecordedModel("f", str)):
        assert isinstance(model, Model)
        assert (model.name, model.lineage, model.price) == ("f", "f", FREE)
    assert ScriptedModel("f", [], lineage="meta/llama-3").lineage == "meta/llama-3"


def test_tokens_that_nobody_counted_are_a_quarter_of_the_characters_and_said_to_be() -> None:
    reply = ask(ScriptedModel("s", ["12345"]))
    assert reply.usage == Usage(input=-(-ASKED.characters // 4), output=2, estimated=True)


def test_a_whole_reply_is_kept_and_what_it_leaves_open_is_filled_in() -> None:
    said = Reply("12345", "", reasoning="1234", reasoning_kind="raw", latency_ms=700)
    reply = ask(ScriptedModel("s", [said]))
    assert (reply.model, reply.reasoning, reply.reasoning_kind) == ("s", "1234", "raw")
    assert (reply.latency_ms, reply.usage.reasoning, reply.usage.estimated) == (700, 1, True)
    counted = Reply("12345", "another", Usage(1, 2))
    assert ask(ScriptedModel("s", [counted])).usage == Usage(1, 2)


@pytest.mark.parametrize("given", [None, object(), {"a": object()}])
def test_what_is_no_answer_is_a_clear_error(given: Any) -> None:
    with pytest.raises(ModelFailed, match="of f") as caught:
        ask(FunctionModel("f", lambda _: given))
    assert caught.value.next_step.startswith("Return text")


def test_a_defect_in_a_function_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        ask(FunctionModel("f", lambda _: str(1 // 0)))


def test_a_script_that_runs_out_says_so() -> None:
    model = ScriptedModel("s", ["one"])
    ask(model)
    with pytest.raises(ScriptEnded, match=r"has 1 answers; number 2 was asked for") as caught:
        ask(model)
    assert caught.value.context == {"model": "s"}


def test_a_mapping_answers_by_what_stands_in_the_request_in_its_own_order() -> None:
    answers = {"disk": "full", "terse": "yes", "": "anything else"}
    assert ask(ScriptedModel("s", answers)).text == "full"
    assert ask(ScriptedModel("s", answers), Request("terse", ())).text == "yes"
    assert ask(ScriptedModel("s", answers), Request("", ())).text == "anything else"
    with pytest.raises(ScriptEnded, match="No marker"):
        ask(ScriptedModel("s", {"network": "down"}))


def test_a_mapping_gives_the_same_answer_in_another_process_and_order() -> None:
    """A session that was killed is resumed by a model that never saw the first questions."""
    answers = {"disk": ["not json", {"cause": "full"}]}
    sent_back = ASKED.again("not json", "Answer in JSON.")
    assert ask(ScriptedModel("s", answers), sent_back).text == '{"cause":"full"}'
    assert ask(ScriptedModel("s", answers)).text == "not json"
    with pytest.raises(ScriptEnded):
        ask(ScriptedModel("s", answers), sent_back.again("x", "y"))


def test_a_marker_may_stand_in_an_objection() -> None:
    model = ScriptedModel("s", {"/cause: Field required": "mended", "": "first"})
    assert ask(model).text == "first"
    assert ask(model, ASKED.again("first", "/cause: Field required")).text == "mended"


def test_a_script_can_be_a_function_of_the_prompt() -> None:
    assert ask(ScriptedModel("s", str.upper)).text == "WHICH DISK IS FULL?"


def test_a_script_can_fail_as_a_provider_does() -> None:
    model = ScriptedModel("s", [ProviderFailed("overloaded"), "at last"])
    with pytest.raises(ProviderFailed, match="overloaded"):
        ask(model)
    assert ask(model).text == "at last"


def test_a_delay_is_waited_without_holding_up_the_others() -> None:
    async def both() -> list[str]:
        order: list[str] = []

        async def one(name: str, delay: float) -> None:
            order.append((await ScriptedModel(name, [name], delay=delay).answer(ASKED)).text)

        await asyncio.gather(one("slow", 0.05), one("fast", 0))
        return order

    assert asyncio.run(both()) == ["fast", "slow"]


def test_a_recording_is_answered_as_it_was() -> None:
    reply = Reply("text", "the-model", Usage(1, 2), latency_ms=9)
    assert ask(RecordedModel("r", lambda _: reply)) is reply
    assert ask(RecordedModel("r", lambda request: request.prompt[:5])).text == "Which"


def test_what_was_not_recorded_is_never_made_up() -> None:
    with pytest.raises(NotRecorded) as caught:
        ask(RecordedModel("r", lambda _: None))
    assert caught.value.context["model"] == "r"
    assert request_digest(ASKED).startswith(caught.value.context["request"])


def test_requests_have_one_digest_if_and_only_if_the_model_is_sent_the_same() -> None:
    same = Request("You are terse.", (Part("Which disk is full?"),))
    assert request_digest(same) == request_digest(ASKED)
    others = [
        Request("You are terse.", (Part("Which disk is full ?"),)),
        Request("You are terse.", (Part("Which disk is full?"),), {}),
        Request("You are terse.", (Part("Which disk is full?"),), None, 1),
        Request("You are terse.", (Part("Which disk is full?"),), temperature=0.0),
        ASKED.again("a", "b"),
    ]
    assert len({request_digest(request) for request in [ASKED, *others]}) == 6
