from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.messages import Reply, Request, Usage
from dissensus_agents.models.bodies import parse_body
from dissensus_agents.models.completions import ChatCompletions
from dissensus_agents.models.dialects import find_dialect
from dissensus_agents.models.formats import NotAnAnswer
from dissensus_agents.models.thoughts import Thought, read_thought


@pytest.mark.parametrize(
    ("message", "reasoning", "kind"),
    [
        ({"reasoning_content": "Let me see."}, "Let me see.", "raw"),
        ({"reasoning": "Let me see."}, "Let me see.", "raw"),
        (
            {"reasoning_details": [{"type": "reasoning.text", "text": "Let me see."}]},
            "Let me see.",
            "raw",
        ),
        (
            {
                "reasoning": "In short.",
                "reasoning_details": [{"type": "reasoning.summary", "summary": "In short."}],
            },
            "In short.",
            "summary",
        ),
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}, None, "withheld"),
        ({"reasoning_content": "In short.", "encrypted_content": "x"}, "In short.", "summary"),
        ({}, None, "rationale"),
        (
            {"reasoning": None, "reasoning_content": " ", "reasoning_details": [7]},
            None,
            "rationale",
        ),
    ],
)
def test_reasoning_is_read_under_every_name_and_named_for_what_it_is(
    message: dict[str, Any], reasoning: str | None, kind: str
) -> None:
    thought = read_thought({"content": "42", **message}, "raw")
    assert (thought.text, thought.reasoning, thought.kind) == ("42", reasoning, kind)


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ("<think>\nSix by seven.\n</think>\n\n42", "42", "Six by seven."),
        ("<thinking>Six by seven.</thinking>42", "42", "Six by seven."),
        ("Six by seven.\n</think>\n42", "42", "Six by seven."),
        ("<think>\n\n</think>\n42", "42", None),
        ("<think>Six by sev", "", "Six by sev"),
    ],
)
def test_thinking_that_was_left_in_the_text_is_taken_out_of_it(
    content: str, text: str, reasoning: str | None
) -> None:
    assert read_thought({"content": content}, "raw") == Thought(text, reasoning, "raw")


@pytest.mark.parametrize(
    "content",
    ["The tag <think> opens, </think> closes.", "</think> and </think> are tags", "1 < 2", ""],
)
def test_an_answer_that_speaks_of_the_tags_stays_whole(content: str) -> None:
    assert read_thought({"content": content}, "raw") == Thought(content)


def test_tags_are_left_alone_where_the_reasoning_came_in_a_field() -> None:
    message = {"content": "<think>x</think>42", "reasoning": "Six by seven."}
    assert read_thought(message, "raw").text == "<think>x</think>42"


def test_thinking_that_was_billed_and_not_shown_is_reported_as_withheld() -> None:
    parsed = {
        "choices": [{"message": {"content": "42"}}],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 40,
            "completion_tokens_details": {"reasoning_tokens": 38},
        },
    }
    reply = ChatCompletions(find_dialect("openai")).read(parsed, Request("", ()), "m")
    assert (reply.reasoning, reply.reasoning_kind) == (None, "withheld")
    assert reply.usage == Usage(input=5, output=2, reasoning=38)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "thinking", "summary"]), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["content", "reasoning", "reasoning_details"]), anything))
def test_whatever_a_server_sends_as_a_message_is_read_or_passed_over(
    message: dict[str, Any],
) -> None:
    thought = read_thought(message, "raw")
    assert isinstance(thought.text, str)
    assert thought.reasoning is None or isinstance(thought.reasoning, str)


names = st.sampled_from(["choices", "message", "content", "usage", "error", "code", "model", "refusal"])
nested = st.recursive(anything, lambda inner: st.dictionaries(names, inner) | st.lists(inner), max_leaves=8)
bodies = st.dictionaries(names, nested)


@given(bodies, st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens_details"]), anything))
def test_whatever_a_server_sends_as_a_body_is_a_reply_or_a_clear_error(
    body: dict[str, Any], usage: dict[str, Any]
) -> None:
    for choice in ({}, {"choices": [{"message": body, "finish_reason": body}], "usage": usage}):
        parsed, _ = parse_body(json.dumps({**body, **choice}).encode())
        ollama = ChatCompletions(find_dialect("ollama"))
        error = ollama.error_in(parsed)
        assert error is None or isinstance(error.message, str)
        try:
            reply = ollama.read(parsed, Request("", ()), "m")
        except NotAnAnswer:
            continue
        assert isinstance(reply, Reply)
        assert min(reply.usage.input, reply.usage.output, reply.usage.cached, reply.usage.reasoning) >= 0
