"""A step that is called wrong is looked up where it is said to stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.judgement.wrong_steps import place_of

TEXT = "First, 3 * 4 = 12.\nThen  the “disk” is\tfull; cafe\u0301 took 3.5 s, and 1,000 rows."


@pytest.mark.parametrize(
    ("step", "stands"),
    [
        ("3 * 4 = 12", "3 * 4 = 12"),
        ('Then the "disk" is full', "Then  the “disk” is\tfull"),
        ("“café took 3.5 s”", "cafe\u0301 took 3.5 s"),
        ("and 1,000 rows...", "and 1,000 rows"),
        ("3 * 4 = 1", None),
        ("took 3", None),
        (".5 s", None),
        ("1,00", None),
        ("then the disk", None),
        ("…", None),
        ("", None),
    ],
)
def test_a_step_stands_word_for_word_or_not_at_all(step: str, stands: str | None) -> None:
    place = place_of(step, TEXT)

    assert (None if place is None else TEXT[slice(*place)]) == stands


@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=60))
def test_what_was_cut_out_of_a_text_between_words_is_found_in_it(before: str, step: str, after: str) -> None:
    wanted = f"so {step} then"

    place = place_of(wanted, f"{before} {wanted} {after}")

    assert place is not None


@given(st.text(max_size=80), st.text(max_size=120))
def test_a_place_lies_in_the_text_and_what_stands_there_is_found_again(step: str, text: str) -> None:
    place = place_of(step, text)

    if place is not None:
        assert 0 <= place[0] < place[1] <= len(text)
        assert place_of(step, text[slice(*place)]) is not None


def test_looking_up_is_bounded_in_time() -> None:
    assert place_of("z" * 2000, "z\u0301" * 150_000) is None
    assert place_of("a b", "a " * 90_000 + "b") is not None
