"""Whatever a model or a database says, it stays text."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dissensus.cli.blocks import Grid, Line, Passage, plain
from dissensus.cli.terminal import coloured
from dissensus.cli.texts import compact, encoded, lines, visible, when
from outage_story import HOSTILE

STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
JOINERS = {"\u200c", "\u200d"}

anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def steers(text: str) -> set[str]:
    return {char for char in text if unicodedata.category(char) in STEERING} - JOINERS


@given(st.text())
def test_nothing_shown_can_steer_a_terminal_or_hide_a_word(text: str) -> None:
    assert not steers(visible(text))
    assert not any(map(steers, lines(text)))


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs", "Mn"])))
def test_text_that_steers_nothing_is_shown_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_an_emoji_of_several_parts_stays_whole() -> None:
    assert visible("👩\u200d🔬 ok") == "👩\u200d🔬 ok"


@given(anything)
def test_a_value_shown_to_people_is_still_the_same_json(value: Any) -> None:
    for shown in (compact(value), compact(value, indent=2)):
        assert not steers(shown.replace("\n", ""))
        assert json.loads(shown) == value


@given(anything)
@example("\x7f")
def test_the_json_for_programs_is_one_line_of_printable_ascii(value: Any) -> None:
    assert all(" " <= char <= "~" for char in encoded(value))
    assert json.loads(encoded(value)) == value


@pytest.mark.parametrize("render", [plain, coloured])
def test_no_cell_can_end_its_row_and_no_line_itself(render: Any) -> None:
    page = [Line(HOSTILE), Grid(("a", "b"), ((HOSTILE, HOSTILE), ("x", "y"))), Passage(HOSTILE)]
    shown = render(page)
    assert shown.count("\n") == 1 + 3 + 2
    assert "[bold]loud[/bold]" in shown
    assert "\x1b" not in shown.replace("\x1b[2m", "").replace("\x1b[0m", "")


def test_columns_stand_under_their_names() -> None:
    shown = plain([Grid(("name", "n"), (("a", "10"), ("longer", "2")))])
    assert shown == "name    n\na       10\nlonger  2\n"


def test_a_time_is_shown_in_utc_and_an_impossible_one_as_its_number() -> None:
    assert when(1_700_000_000_000) == "2023-11-14 22:13:20Z"
    assert when(10**30) == f"{10**30} ms"
