"""The verifier of quotations: where they are found, and when they stand in their source."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.judgement.verifiers import Evidence, quotes_stand_in_sources, run_verifiers
from dissensus_state.values import JSON, store

LOG = 'ERROR  pool exhausted: 112 ms wait,\n  "checkout" gave up after 3.5 s  (v1.20)'
STATE = {"documents": {"app.log": LOG, "notes": {"text": "Nobody deployed that day."}}}


def _quote(quote: JSON, source: JSON = "app.log") -> dict[str, JSON]:
    return {"quote": quote, "source": source}


def _on(proposed: Mapping[str, JSON], state: Mapping[str, JSON] = STATE) -> tuple[Evidence, ...]:
    return run_verifiers([quotes_stand_in_sources()], proposed, state)


def _one(quote: JSON, source: JSON = "app.log") -> Evidence:
    (found,) = _on({"/verdict": {"cause": "pool", "evidence": [_quote(quote, source)]}})
    return found


@pytest.mark.parametrize(
    ("quote", "source"),
    [
        ("pool exhausted: 112 ms wait", "app.log"),
        ("wait, “checkout” gave\tup", "app.log"),
        ("wait, «checkout» gave", "app.log"),
        ("after 3.5 s", "app.log"),
        ("Nobody deployed", "notes"),
        (LOG, "app.log"),
    ],
)
def test_a_quotation_that_stands_in_its_source_passes(quote: str, source: str) -> None:
    found = _one(quote, source)
    assert found.passed
    assert found.path == "/verdict/evidence/0"
    assert (found.verifier, found.version) == ("quotes_stand_in_sources", "1")
    assert source in found.detail


@pytest.mark.parametrize(
    ("quote", "source", "complaint"),
    [
        ("pool was exhausted", "app.log", "does not stand in 'app.log': “pool was exhausted”"),
        ("POOL EXHAUSTED", "app.log", "does not stand"),
        ("12 ms wait", "app.log", "does not stand"),
        ("gave up after 3", "app.log", "does not stand"),
        ("5 s", "app.log", "does not stand"),
        ("v1.2", "app.log", "does not stand"),
        ("pool", "db.log", "there is no source 'db.log' (known: app.log, notes)"),
        ("pool", None, "names no source"),
        ("pool", "", "names no source"),
        ("", "app.log", "empty"),
        (" \n", "app.log", "empty"),
        ("\u200b", "app.log", "does not stand"),
        (None, "app.log", "empty"),
        (42, "app.log", "empty"),
    ],
)
def test_a_quotation_that_does_not_stand_there_fails_and_says_why(
    quote: JSON, source: JSON, complaint: str
) -> None:
    found = _one(quote, source)
    assert not found.passed
    assert complaint in found.detail


def test_a_quotation_is_the_same_text_however_it_is_encoded() -> None:
    state = {"documents": {"menu": "Das Cafe\u0301 war zu."}}
    (found,) = _on({"/verdict/evidence": [_quote("Caf\u00e9 war", "menu")]}, state)
    assert found.passed


@pytest.mark.parametrize(
    ("proposed", "paths"),
    [
        ({"/verdict": {"evidence": _quote("x")}}, ["/verdict/evidence"]),
        ({"verdict": {"evidence": [_quote("x")]}}, ["/verdict/evidence/0"]),
        (
            {"/verdict/evidence": [_quote("x"), _quote("y")]},
            ["/verdict/evidence/0", "/verdict/evidence/1"],
        ),
        ({"/verdict/evidence/2": _quote("x")}, ["/verdict/evidence/2"]),
        ({"/verdict": {"evidence": "a bare text"}}, ["/verdict/evidence"]),
        ({"/verdict": [{"evidence": [_quote("x")]}]}, ["/verdict/0/evidence/0"]),
        ({"/verdict/evidence": [{"for": [_quote("x")]}]}, ["/verdict/evidence/0/for/0"]),
        ({"/verdict/evidence": ["a bare text"]}, ["/verdict/evidence/0"]),
        ({"/verdict/evidence": [{"source": "app.log"}]}, ["/verdict/evidence/0"]),
        ({"": {"verdict": {"evidence": [_quote("x")]}}}, ["/verdict/evidence/0"]),
        ({"/verdict": None}, []),
        ({"/verdict": {"cause": "pool"}}, []),
        ({"/other": {"evidence": [_quote("x")]}}, []),
        ({"/verdict/evidence": [{"note": "not a quotation"}]}, []),
    ],
)
def test_every_quotation_below_the_path_is_found_and_nothing_else(
    proposed: dict[str, JSON], paths: list[str]
) -> None:
    assert [found.path for found in _on(proposed)] == paths


def test_the_quotations_of_every_item_of_a_list_are_found() -> None:
    check = quotes_stand_in_sources("findings/quotes", "library", "words", "from", name_key="id")
    state = {"library": [{"id": "a", "text": "It rained."}, {"id": "b"}, "stray"]}
    item = {"quotes": [{"words": "rained", "from": "a"}, {"words": "rained", "from": "b"}]}
    for proposed in ({"/findings": [item]}, {"/findings/-": item}, {"/findings/7": item}):
        assert [found.passed for found in run_verifiers([check], proposed, state)] == [True, False]


def test_one_item_of_a_list_can_be_named() -> None:
    check = quotes_stand_in_sources("findings/1", "documents")
    proposed = {"/findings": [_quote("x"), _quote("pool exhausted"), _quote("y")]}
    (found,) = run_verifiers([check], proposed, STATE)
    assert found.passed
    assert found.path == "/findings/1"


def test_sources_are_found_by_the_paths_they_were_read_at() -> None:
    quotes = {"/verdict/evidence": [_quote("pool exhausted")]}
    assert all(found.passed for found in _on(quotes, {"/documents/app.log": LOG}))
    assert not any(found.passed for found in _on(quotes, {}))


def test_a_source_of_a_megabyte_is_searched_however_it_was_written() -> None:
    state = {"documents": {"marks": "a" + "\u0315\u0300" * 500_000 + " the end"}}
    (found,) = _on({"/verdict/evidence": [_quote("the end", "marks")]}, state)
    assert found.passed


@given(proposed=st.text(), source=st.text())
def test_any_part_between_two_spaces_of_a_source_can_be_quoted(proposed: str, source: str) -> None:
    words = source.split()
    part = " ".join(words[len(words) // 3 :][:4])
    if part.strip("\u200b\u2060\ufeff\u00ad"):
        (found,) = _on({"/verdict/evidence": [_quote(part, "s")]}, {"documents": {"s": source}})
        assert found.passed
    (found,) = _on({"/verdict/evidence": [_quote(proposed, "s")]}, {"documents": {"s": source}})
    assert store(found.as_dict())
