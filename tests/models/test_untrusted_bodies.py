"""Whatever a provider sends, a format answers with a reply, with its error, or with "no answer"."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.calls import recorded
from dissensus_agents.messages import Part, Reply, Request
from dissensus_agents.models.anthropic_messages import AnthropicMessages
from dissensus_agents.models.completions import ChatCompletions
from dissensus_agents.models.dialects import DIALECTS
from dissensus_agents.models.formats import Format, NotAnAnswer, ProviderError
from dissensus_agents.models.gemini_content import GeminiContent
from dissensus_agents.models.responses import Responses
from dissensus_state.values import store
from openai_bodies import COMPLETION, COMPLETION_CHUNKS, RESPONSE_OBJECT, RESPONSE_OBJECT_EVENTS
from wire_bodies import MESSAGE, MESSAGE_EVENTS, RESPONSE, RESPONSE_CHUNKS, broken, events

ASKED = Request("You are ana.", (Part("Who was it?"),), {"type": "object"}, effort="high", temperature=1.0)
ERRORS: tuple[dict[str, Any], ...] = (
    {"type": "error", "error": {"type": "overloaded_error", "message": "No", "details": {"error_code": "x"}}},
    {
        "error": {
            "code": 429,
            "status": "RESOURCE_EXHAUSTED",
            "message": "No",
            "details": [{"retryDelay": "3s", "reason": "r"}],
        }
    },
    {"promptFeedback": {"blockReason": "SAFETY"}, "candidates": [{"finishReason": "SAFETY"}]},
)
TOOL = {"type": "tool_use", "id": "t", "name": "answer", "input": {"a": [1]}}
BODIES: dict[Format, tuple[dict[str, Any], tuple[dict[str, Any], ...]]] = {
    AnthropicMessages(): ({**MESSAGE, "content": [*MESSAGE["content"], TOOL]}, MESSAGE_EVENTS),
    GeminiContent(): (RESPONSE, RESPONSE_CHUNKS),
    **{
        ChatCompletions(replace(DIALECTS[name], format=form)): (COMPLETION, COMPLETION_CHUNKS)
        for name, form in (("openai", "json_schema"), ("openrouter", "tool"), ("vllm", "none"))
    },
    Responses(): (RESPONSE_OBJECT, RESPONSE_OBJECT_EVENTS),
}
wires = pytest.mark.parametrize("wire", list(BODIES), ids=lambda wire: wire.name)


def judged(wire: Format, body: dict[str, Any]) -> None:
    """Read a body in full, and use the reply as a run would."""
    found = wire.error_in(body)
    assert found is None or isinstance(found, ProviderError)
    try:
        reply = wire.read(body, ASKED, "m")
    except NotAnAnswer:
        return
    assert isinstance(reply, Reply)
    assert isinstance(reply.text, str)
    assert min(reply.usage.input, reply.usage.output, reply.usage.cached, reply.usage.reasoning) >= 0
    again = ASKED.again(reply.text, "No.", reply.echo)
    store(recorded(again))
    json.loads(wire.body(again, "m", stream=True))


@wires
@given(seed=st.integers(0, 2**32))
def test_no_body_brings_a_format_down(wire: Format, seed: int) -> None:
    body = broken(BODIES[wire][0], seed)
    judged(wire, body)


@wires
@pytest.mark.parametrize("error", ERRORS)
@given(seed=st.integers(0, 2**32))
def test_no_error_brings_a_format_down(wire: Format, error: dict[str, Any], seed: int) -> None:
    judged(wire, broken(error, seed))


@wires
@given(seed=st.integers(0, 2**32), end=st.integers(0, 20))
def test_no_stream_brings_a_format_down(wire: Format, seed: int, end: int) -> None:
    stream = broken(list(BODIES[wire][1]), seed)
    made = wire.assembler()
    for event in events(tuple(one for one in stream if isinstance(one, dict)))[:end]:
        try:
            made.feed(event)
        except NotAnAnswer:
            break
    assert isinstance(made.complete, bool)
    judged(wire, made.body())


@wires
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_anything_at_all_in_the_place_of_a_body_is_no_answer(wire: Format, junk: Any) -> None:
    names = "content candidates error usage usageMetadata type choices output status x_groq object"
    for name in names.split():
        judged(wire, {name: junk})
