"""`dissensus disagreements, show, blame`: what was disputed, how often, and on what an outcome rests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import pytest


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


def test_disputes_are_counted_by_path_and_suspected_cause(told_url: str, ask: Command) -> None:
    found = ask("disagreements", "--tally", "-d", told_url)
    data = ask("disagreements", "--tally", "-d", told_url, "--json").data
    assert ask("disagreements", "--path", "/none", "-d", told_url).err == "No round is all of that.\n"
    assert json.loads(ask("disagreements", "--tally", "-d", told_url, "--jsonl").out) == data["tally"][0]
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


def test_disputes_are_filtered_and_turned_page_by_page(told_url: str, ask: Command) -> None:
    everything = ask("disagreements", "-d", told_url, "--json").data
    numbers = [item["round"] for item in everything["rounds"]]
    assert everything["next"] is None
    found = ask("disagreements", "-d", told_url, "--path", "/verdict", "--json").data
    assert {item["round"] for item in found["rounds"]} <= set(numbers)
    assert found["rounds"]
    assert ask("disagreements", "-d", told_url, "--cause", "no such cause", "--json").data["rounds"] == []
    first = ask("disagreements", "-d", told_url, "--limit", "1")
    assert f"--after r{numbers[0]}" in first.err
    after = ask("disagreements", "-d", told_url, "--after", f"r{numbers[0]}", "--json").data
    assert [item["round"] for item in after["rounds"]] == numbers[1:]


def test_who_holds_a_position_in_an_open_round_cannot_be_found_out_by_asking_for_an_agent(
    told_url: str, ask: Command
) -> None:
    (waiting,) = (
        item for item in ask("disagreements", "-d", told_url, "--json").data["rounds"] if not item["settled"]
    )
    agents = {agent for side in waiting["review"]["positions"] for agent in side["agents"]}
    for agent in agents:
        found = ask("disagreements", "-d", told_url, "--agent", agent, "--json").data
        assert waiting["round"] not in [item["round"] for item in found["rounds"]]


def test_cost_says_what_disagreement_cost(told_url: str, ask: Command) -> None:
    data = ask("cost", "-d", told_url, "--json").data["disagreement"]
    assert data["contested"] == 2
    assert data["total"]["calls"] == sum(
        data[name]["calls"] for name in ("losing", "rulings", "repeats", "audits")
    )
    assert f"{data['contested']} of {data['rounds']} rounds" in ask("cost", "-d", told_url).out
