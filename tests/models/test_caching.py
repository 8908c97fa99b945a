from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dissensus_agents.messages import Part, Request
from dissensus_agents.models.caching import cache_key, kept_parts
from dissensus_agents.models.completions import ChatCompletions
from dissensus_agents.models.dialects import find_dialect
from dissensus_agents.models.formats import Format
from dissensus_agents.models.responses import Responses

LONG = Part("word " * 1000, "/sources", "/sources")
ASKED = Request("You are ana.", (Part("Who?"), LONG, Part("short", "/note")))


def test_what_is_kept_ends_with_the_last_long_part_that_stands_in_the_history() -> None:
    assert kept_parts(ASKED) == 2
    assert kept_parts(replace(ASKED, parts=ASKED.parts[::-1])) == 2
    assert kept_parts(replace(ASKED, parts=(Part(LONG.text),))) == 0


def test_prompts_with_one_beginning_have_one_key_and_others_another() -> None:
    key = cache_key(ASKED)
    assert key is not None
    assert len(key) == 32
    asked_again = ASKED.again("No.", "Why?")
    other_note = replace(ASKED, parts=(*ASKED.parts[:2], Part("else", "/note")))
    assert cache_key(asked_again) == cache_key(other_note) == key
    assert cache_key(replace(ASKED, system="You are bob.")) != key
    assert cache_key(Request("You are ana.", (Part("Who?"),))) is None


WIRES: list[tuple[Format, bool]] = [
    (ChatCompletions(find_dialect("openai")), True),
    (ChatCompletions(find_dialect("vllm")), False),
    (Responses(), True),
]


@pytest.mark.parametrize(("wire", "takes"), WIRES, ids=lambda value: getattr(value, "name", ""))
def test_the_key_is_sent_where_it_is_taken(wire: Format, takes: Any) -> None:
    body = json.loads(wire.body(ASKED, "m", stream=False))
    assert body.get("prompt_cache_key") == (cache_key(ASKED) if takes else None)
    assert "prompt_cache_key" not in json.loads(wire.body(Request("", (Part("Who?"),)), "m", stream=False))
