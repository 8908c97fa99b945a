"""The index as bytes, and the terms that it is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_state.errors import Tampered
from dissensus_state.postings import (
    Header,
    Run,
    Segment,
    packed_header,
    packed_postings,
    runs_of,
    unpacked_header,
    unpacked_postings,
)
from dissensus_state.terms import LONGEST, terms_of

NUMBERS = st.integers(0, 2**40)


@given(st.dictionaries(NUMBERS, st.integers(1, 2**33), max_size=300))
def test_postings_are_read_back_as_they_were_packed(times: dict[int, int]) -> None:
    numbers = sorted(times)
    often = [times[number] for number in numbers]
    assert unpacked_postings(packed_postings(numbers, often)) == (numbers, often)


@given(
    st.lists(st.tuples(st.integers(1, 2**40), st.integers(1, 500), NUMBERS), unique_by=lambda item: item[:2])
)
def test_a_header_is_read_back_as_it_was_packed(given_: list[tuple[int, int, int]]) -> None:
    places = [item[:2] for item in given_]
    lengths = [item[2] for item in given_]
    header = unpacked_header(packed_header(runs_of(places), lengths))
    assert header == Header([place[0] for place in places], [place[1] for place in places], lengths)


def test_passages_that_follow_each_other_are_one_run() -> None:
    assert runs_of([(1, 1), (1, 2), (1, 4), (2, 5), (2, 6)]) == [
        Run(1, 1, 2),
        Run(1, 4, 1),
        Run(2, 5, 2),
    ]


@given(st.binary(max_size=200))
def test_bytes_that_nobody_has_packed_are_refused_and_never_break_anything(data: bytes) -> None:
    for unpacked in (unpacked_postings, unpacked_header):
        try:
            unpacked(b"\x00" + data)
            unpacked(data)
        except Tampered:
            pass


def test_a_header_that_claims_more_passages_than_it_has_lengths_is_refused() -> None:
    with pytest.raises(Tampered):
        unpacked_header(packed_header([Run(1, 1, 2**50)], [1]))


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=9), max_size=30))
def test_a_segment_counts_every_term_of_every_passage(passages: list[list[str]]) -> None:
    made = Segment()
    for terms in passages:
        made.add(terms)
    assert made.lengths == [len(terms) for terms in passages]
    rows = dict(made.rows())
    assert list(rows) == sorted({term for terms in passages for term in terms})
    for term, data in rows.items():
        numbers, times = unpacked_postings(data)
        assert dict(zip(numbers, times, strict=True)) == {
            n: terms.count(term) for n, terms in enumerate(passages) if term in terms
        }


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The VALVES were open", ["the", "valve", "were", "open"]),
        ("Bodies, boxes, glasses, houses", ["body", "box", "glass", "house"]),
        ("gas bus analysis ties", ["gas", "bus", "analysis", "ty"]),
        ("1,234.5 rpm, 3.5% and 12ms", ["1234.5", "rpm", "3.5", "and", "12", "ms"]),
        ("the company's ‘logs’ isn’t", ["the", "company", "log", "isn", "t"]),
        ("STRASSE Straße ﬁne", ["strasse", "strasse", "fine"]),
        ("A320 x_y covid-19", ["a320", "x", "y", "covid", "19"]),
        ("re\u0301sume\u0301 résumé", ["résumé", "résumé"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("日本語", ["日", "本", "語", "日本", "本語"]),
        ("\uff11\uff12 \uff4b\uff4d", ["12", "km"]),
        ("", []),
    ],
)
def test_the_terms_of_a_text(text: str, terms: list[str]) -> None:
    assert terms_of(text) == terms


def test_a_question_in_signs_asks_for_their_pairs_and_for_single_ones_where_there_is_but_one() -> None:
    assert terms_of("日本語", asked=True) == ["日本", "本語"]
    assert terms_of("水", asked=True) == ["水"]
    assert terms_of("valves of 水", asked=True) == ["valve", "of", "水"]


@given(st.text(max_size=200))
def test_no_text_breaks_the_terms_and_what_is_asked_for_is_among_them(text: str) -> None:
    terms = terms_of(text)
    assert all(term and len(term) <= LONGEST and "\x00" not in term for term in terms)
    assert set(terms_of(text, asked=True)) <= set(terms)


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=200))
def test_plain_text_has_the_same_terms_beside_text_of_other_scripts(text: str) -> None:
    assert [*terms_of(text), "é"] == terms_of(f"{text} é")
