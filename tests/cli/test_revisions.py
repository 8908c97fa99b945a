"""Versions are named as git names commits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus.cli.errors import Misuse
from dissensus.cli.revisions import resolve, round_number
from dissensus_state.errors import NotFound


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v12", 12),
        ("12", 12),
        ("HEAD", 20),
        ("main", 20),
        ("", 20),
        ("main~3", 17),
        ("~1", 19),
        ("~", 19),
        ("HEAD~~", 18),
        ("v12~2~1", 9),
        ("v0", 0),
        ("HEAD~0", 20),
    ],
)
def test_a_version_has_every_name_that_git_would_give_it(text: str, version: int) -> None:
    assert resolve(text, 20, "main") == version


@pytest.mark.parametrize("text", ["v21", "main~21", "v2~3", "other", "v-1", "V1", "v1.5", "\u0661"])
def test_a_version_that_is_not_there_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        resolve(text, 20, "main")


@pytest.mark.parametrize("text", ["main~x", "~1x", "~-1", "~9999999999"])
def test_what_is_no_revision_is_a_misuse_that_says_how_to_write_one(text: str) -> None:
    with pytest.raises(Misuse) as told:
        resolve(text, 20, "main")
    assert "main~3" in told.value.next_step


@given(st.text(), st.integers(0, 10**6))
def test_whatever_is_written_names_a_version_that_exists_or_is_refused(text: str, head: int) -> None:
    try:
        assert 0 <= resolve(text, head, "main") <= head
    except (Misuse, NotFound):
        return


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_going_back_from_the_head_is_counting_down(head: int, back: int) -> None:
    if back <= head:
        assert resolve(f"~{back}", head, "main") == resolve(f"v{head - back}", head, "main")


@pytest.mark.parametrize(
    ("text", "number"), [("r3", 3), ("round:3", 3), ("round3", 3), ("3", None), ("v3", None), ("r", None)]
)
def test_a_round_is_told_from_a_version_by_its_letter(text: str, number: int | None) -> None:
    assert round_number(text) == number
