from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.models.keys import CUT, Cutter, Key

SECRET = "c4na/ry+0123456789abcdef"
KEY = Key(SECRET)

# Texts that are full of the key, of its beginnings, and of escapes that may spell it.
bits = st.sampled_from(
    [SECRET, SECRET[:5], SECRET[5:], "c4", "c", "\\", "\\u00", "\\u0063", "\\/", "/", "x", " ", "\n"]
)
texts = st.lists(bits, max_size=8).map("".join)


def spelled(draw: st.DrawFn, text: str) -> str:
    """A text as JSON may write it."""
    ways = [lambda one: one, lambda one: f"\\u{ord(one):04x}", lambda one: f"\\u{ord(one):04X}"]
    return "".join(draw(st.sampled_from(ways))(one) for one in text).replace("/", "\\/")


@st.composite
def spellings(draw: st.DrawFn) -> str:
    return f"{draw(texts)} {spelled(draw, SECRET)} {draw(texts)}"


@given(texts | spellings(), st.lists(st.integers(0, 200), max_size=10))
def test_however_a_text_is_cut_what_is_shown_of_it_is_the_text_without_the_key(
    text: str, places: list[int]
) -> None:
    edges = sorted({0, *(place % (len(text) + 1) for place in places), len(text)})
    cutter = Cutter(KEY)
    pieces = [cutter.feed(text[start:end]) for start, end in itertools.pairwise(edges)]
    shown = "".join([*pieces, cutter.rest()])
    assert SECRET not in shown
    assert shown == KEY.cut(text)


@given(spellings())
def test_a_key_is_found_in_every_spelling_that_json_has_for_it(text: str) -> None:
    cut = KEY.cut(text)
    assert CUT in cut
    assert SECRET not in cut
    assert KEY.cut_bytes(text.encode()).decode() == cut


@given(st.text(max_size=50), st.text(max_size=50))
def test_a_json_text_stays_one_when_a_key_is_cut_out_of_it(before: str, after: str) -> None:
    text = json.dumps({"cause": f"{before}{SECRET}{after}"})
    assert SECRET not in json.loads(KEY.cut(text))["cause"]
    assert SECRET not in json.loads(KEY.cut_bytes(text.encode()))["cause"]


def test_text_is_not_held_back_for_longer_than_it_could_be_the_key() -> None:
    cutter = Cutter(KEY)
    assert cutter.feed("so far c4na") == "so far "
    assert cutter.feed("dian") == "c4nadian"
    assert cutter.rest() == ""


def test_a_message_is_rid_of_keys_that_are_cut_short_or_masked() -> None:
    assert KEY.cut_message(f"{SECRET[:-3]}…") == "[key]…"
    assert (
        Key("").cut_message("Incorrect API key provided: sk-proj-****7890")
        == "Incorrect API key provided: [key]"
    )


@pytest.mark.parametrize("secret", ["", "EMPTY", "ollama", "password"])
def test_words_that_are_no_secret_are_left_standing(secret: str) -> None:
    text = "The password is EMPTY, says ollama."
    assert Key(secret).cut(text) == text
    assert Cutter(Key(secret)).feed(text) == text


def test_many_backslashes_are_no_way_to_keep_us_busy() -> None:
    assert len(KEY.cut("\\" * 200_000 + "\\u0063")) == 200_006
