"""The page of guarantees names tests that there are, and every guarantee of the design."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guarantees.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if re.match(r"\| [A-Z]\d", line)
]
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_row_says_what_by_what_and_which_test_there_is_for_it(row: list[str]) -> None:
    identity, sentence, mechanism, tests = row
    named = re.findall(r"`(test_\w+)`", tests)
    assert sentence.endswith((".", "*"))
    assert mechanism
    assert named, identity
    assert set(named) <= TESTS, identity


def test_every_guarantee_has_a_row() -> None:
    assert {f"G{number}" for number in range(1, 15)} <= {row[0].partition(".")[0].strip("| ") for row in ROWS}


def test_no_two_rows_have_one_name() -> None:
    names = [row[0] for row in ROWS]
    assert len(set(names)) == len(names)
