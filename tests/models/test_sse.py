from __future__ import annotations

import itertools
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.models.formats import Event, NotAnAnswer
from dissensus_agents.models.sse import MOST_EVENT, Events

ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
names = st.sampled_from(["", "message", "content_block_delta"])
values = st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers() | st.none(), max_size=3)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[Event]]:
    """A stream in any of its spellings, and the events in it."""
    body = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    events = []
    for name, value in draw(st.lists(st.tuples(names, values), max_size=4)):
        end = draw(ENDS)
        space = draw(st.sampled_from([b"", b" "]))
        if draw(st.booleans()):
            body += b": a comment: with a colon" + end
        if name:
            body += b"event:" + space + name.encode() + end
        indent = draw(st.sampled_from([None, 1]))  # data over several lines
        for line in json.dumps(value, ensure_ascii=False, indent=indent).split("\n"):
            body += b"data:" + space + line.encode("utf-8", "surrogatepass") + end
        body += draw(st.sampled_from([b"", b"id: 7" + end, b"retry: 10" + end, b"nonsense" + end])) + end
        events.append(Event(value, name))
    return body, events


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(edges)]


def heard(chunks: list[bytes], most: int = MOST_EVENT) -> list[Event]:
    events = Events(most)
    found = [event for chunk in chunks for event in events.feed(chunk)]
    return found + events.close()


@given(streams(), st.lists(st.integers(0, 10_000), max_size=12))
def test_however_a_stream_is_cut_its_events_are_the_same(
    stream: tuple[bytes, list[Event]], places: list[int]
) -> None:
    body, events = stream
    assert heard(cut(body, places)) == events
    assert heard([body[place : place + 1] for place in range(len(body))]) == events


def test_a_character_that_is_cut_in_two_stays_one() -> None:
    body = 'data: {"text": "schön 🌍"}\n\n'.encode()
    for place in range(len(body)):
        assert heard([body[:place], body[place:]]) == [Event({"text": "schön 🌍"})]


def test_the_end_is_no_event_and_what_follows_it_is_not_read() -> None:
    events = Events()
    found = events.feed(b'data: {"n": 1}\n\ndata: [DONE]\n\ndata: {"n": 2}\n\n')
    assert (found, events.ended, events.feed(b"data: nonsense\n\n")) == ([Event({"n": 1})], True, [])


def test_a_last_event_without_its_empty_line_counts_and_one_that_is_cut_off_does_not() -> None:
    assert heard([b'data: {"n": 1}']) == [Event({"n": 1})]
    assert heard([b'data: {"n": 1}\n']) == [Event({"n": 1})]
    assert heard([b'data: {"n": 1}\n\ndata: {"n"']) == [Event({"n": 1})]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"oops", "not JSON: «oops»"),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"n": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b"\x1b[31mred", "not JSON: «[31mred»"),
    ],
)
def test_data_that_is_no_json_object_is_no_answer(data: bytes, says: str) -> None:
    with pytest.raises(NotAnAnswer) as caught:
        Events().feed(b"data: " + data + b"\n\n")
    assert says in str(caught.value)


def test_bytes_that_are_not_text_are_replaced_and_that_is_known() -> None:
    events = Events()
    assert events.feed(b'data: {"t": "\xff"}\n\n') == [Event({"t": "�"})]
    assert events.mended


@pytest.mark.parametrize("line", [b"data: ", b": comment ", b"event: ", b""])
def test_an_event_is_bounded_whatever_it_is_made_of(line: bytes) -> None:
    events = Events(most=1000)
    with pytest.raises(NotAnAnswer, match="more than 1,000 bytes"):
        for _ in range(1100):
            events.feed(
                line + b"x" if line == b"" else line + b"x" * 10 + (b"\n" if line == b"data: " else b"")
            )


def test_a_long_line_in_single_bytes_costs_no_more_memory_than_the_line() -> None:
    events = Events()
    tracemalloc.start()
    for _ in range(200_000):
        events.feed(b"x")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_nothing_comes_of_nothing() -> None:
    assert heard([b"", b"\n\n\r\n", b":\n\n", b"event: alone\n\n"]) == []


def test_a_name_belongs_to_one_event_only() -> None:
    body: list[Any] = heard([b'event: a\ndata: {}\n\ndata: {"n": 2}\n\n'])
    assert body == [Event({}, "a"), Event({"n": 2})]
