"""`dissensus disagreements, show, blame`: what was disputed, how often, and on what an outcome rests."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


def test_disputes_are_counted_by_path_and_suspected_cause(told_url: str, ask: Command) -> None:
    found = ask("disagreements", "--tally", "-d", told_url)
    data = ask("disagreements", "--tally", "-d", told_url, "--json").data
    assert [(row["path"], row["cause"]) for row in data["tally"]] == [("/verdict", "judgement")]
    assert (data["tally"][0]["disputes"], data["tally"][0]["settled"]) == (2, 1)
    assert "/verdict" in found.out
    assert ask("disagreements", "-d", told_url, "--json").data["tally"] == data["tally"]


def test_they_are_counted_over_all_sessions_of_a_database(told_url: str, ask: Command) -> None:
    data = ask("disagreements", "--tally", "--everywhere", "-d", told_url, "--json").data
    assert data["sessions"] >= 1
    assert [row["path"] for row in data["tally"]] == ["/verdict"]
    assert ask("disagreements", "--everywhere", "-d", told_url, code=2).out == ""


def test_those_that_wait_for_a_ruling_can_be_counted_alone(told_url: str, ask: Command) -> None:
    (row,) = ask("disagreements", "--tally", "--open", "-d", told_url, "--json").data["tally"]
    assert (row["disputes"], row["settled"]) == (1, 0)


@pytest.mark.usefixtures("told")
def test_show_and_blame_say_on_what_a_value_rests(ask: Command) -> None:
    shown = ask("show", "HEAD", "--json").data["round"]
    outcome = shown["outcome"]
    assert outcome["word"] in {"verified", "ruled", "agreed", "single"}
    assert outcome["text"].startswith(outcome["word"])
    assert outcome["text"] in ask("show", "HEAD").out
    assert outcome["text"] in ask("blame", "/verdict").out
    assert ask("blame", "/verdict", "--json").data["outcome"] == outcome


def test_verified_is_never_said_where_nothing_from_outside_was_checked(told: Path, ask: Command) -> None:
    for number in range(1, 3):
        outcome = ask("show", f"r{number}", "-d", told, "--json").data["round"]["outcome"]
        assert outcome["word"] != "verified" or outcome["by"]
