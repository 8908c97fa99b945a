from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus.context import ContextOverflow, Summarised
from dissensus_agents.context.counting import tokens_of
from dissensus_agents.context.summaries import _spans, pending_of, with_summaries
from dissensus_agents.messages import Part, Request, Shown
from dissensus_agents.models.scripted import FunctionModel

CHEAP = FunctionModel("cheap", lambda _: "short")


def asked(text: str) -> Request:
    return Request("", (Part("Who?"), Part(text, "/log", "/log")))


def pending(request: Request, room: int, piece: int | None = None) -> Any:
    return pending_of(request, room, Summarised(CHEAP, piece=piece), "ana", "You read logs.")


def test_what_fits_waits_for_no_summary() -> None:
    assert pending(asked("short"), 1000) == ()


def test_what_is_too_long_is_summarised_by_a_call_at_a_seat_beside_the_agents() -> None:
    (one,) = pending(asked("word " * 4000), 1000)
    assert list(one.asks) == ["ana~summary"]
    (ask,) = one.asks.values()
    assert ask.parts == (Part("word " * 4000, "/log", "/log"),)
    assert "You read logs." in ask.system
    assert ask.max_output_tokens < 1000


def test_a_text_too_long_for_one_call_is_summarised_in_pieces_that_are_stored_by_reference() -> None:
    text = "".join(f"line {n} of the log\n" for n in range(2000))
    (one,) = pending(asked(text), 2000, piece=4000)
    assert list(one.asks)[:3] == ["ana~summary", "ana~summary2", "ana~summary3"]
    pieces = [ask.parts[0] for ask in one.asks.values()]
    assert "".join(part.text for part in pieces) == text
    assert all(part.shown and part.shown.of == len(text) and part.source == "/log" for part in pieces)


def test_the_summary_stands_in_the_place_of_its_part_and_names_the_calls_it_was_made_by() -> None:
    request = asked("word " * 4000)
    waiting = replace(request, pending=pending(request, 1000))
    made = with_summaries(waiting, {"ana~summary": (2, "It was her.")})
    assert made.pending == ()
    assert made.parts[0] == request.parts[0]
    assert made.parts[1].text == "(Too long to be shown: a summary, made by cheap)\n\nIt was her."
    assert made.parts[1].shown == Shown("summary", 1000, summaries=(("ana~summary", 2),))


def test_a_summary_that_is_too_long_itself_is_an_error() -> None:
    request = asked("word " * 4000)
    waiting = replace(request, pending=pending(request, 1000))
    with pytest.raises(ContextOverflow, match="The summary of /log takes about"):
        with_summaries(waiting, {"ana~summary": (1, "word " * 3000)})


@pytest.mark.parametrize(("room", "piece"), [(90, None), (9000, 1)])
def test_a_summary_that_could_say_nothing_is_not_asked_for(room: int, piece: int | None) -> None:
    with pytest.raises(ContextOverflow):
        pending(asked("word " * 12_000), room, piece)


def test_the_words_of_a_prompt_are_not_summarised() -> None:
    with pytest.raises(ContextOverflow):
        pending(Request("", (Part("word " * 4000),)), 1000)


@given(st.text(alphabet="ab \n日", max_size=400), st.integers(1, 60))
def test_pieces_are_the_text_again_and_none_is_longer_than_it_may_be(text: str, most: int) -> None:
    spans = list(_spans(text, most))
    assert "".join(text[begin:end] for begin, end in spans) == text
    if len(spans) > 1:
        assert all(end > begin for begin, end in spans)
        assert all(tokens_of(text[begin:end]) <= most for begin, end in spans)
