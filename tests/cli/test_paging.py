"""`log` and `events`: only what is asked for, a page at a time."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import pytest

from dissensus.cli import paging
from dissensus.cli.border import situation
from dissensus.cli.turning import note_more
from dissensus_state.sifting import ALL_KINDS

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("told")


def versions(ended: Any) -> list[int]:
    return [commit["version"] for commit in ended.data["commits"]]


def test_a_page_ends_with_how_to_get_the_next(ask: Command) -> None:
    every = versions(ask("log", "--json"))
    first = ask("log", "--limit", 2)
    assert "more: dissensus log --limit 2 --before v" in first.err
    command = shlex.split(first.err.removeprefix("more: dissensus"))
    assert versions(ask(*command, "--json")) == every[2:4]
    assert ask("log", "--limit", 2, "--json").data["next"] == every[1]
    assert ask("log", "--json").data["next"] is None
    assert ask("log").err == ""


def test_the_log_is_asked_for_by_author_path_kind_step_text_and_time(ask: Command) -> None:
    every = ask("log", "--json").data["commits"]
    for option, key in (("--author", "author"), ("--agent", "author"), ("--step", "transition")):
        for value in {commit[key] for commit in every} - {None}:
            wanted = [commit["version"] for commit in every if commit[key] == value]
            assert set(wanted) <= set(versions(ask("log", option, value, "--json")))
    assert versions(ask("log", "--path", "/verdict", "--json")) == [
        commit["version"] for commit in every if "/verdict" in commit["writes"]
    ]
    rounds = [commit["version"] for commit in every if commit["round"]]
    assert versions(ask("log", "--kind", "round", "--json")) == rounds
    assert versions(ask("log", "--kind", "round", "--kind", "write", "--json")) == [
        commit["version"] for commit in every
    ]
    assert versions(ask("log", "--since", "2100-01-01", "--json")) == []
    assert len(versions(ask("log", "--until", "2100-01-01", "--json"))) == len(every)
    assert ask("log", "--author", "nobody").err == "No commit is all of that.\n"
    assert "is no moment" in ask("log", "--since", "soon", code=18).err


def test_a_text_is_found_and_it_is_said_where(ask: Command) -> None:
    found = {
        one["version"]: one["found_in"] for one in ask("log", "--text", "CACHE", "--json").data["commits"]
    }
    assert "written" in found[3]
    assert all(set(places) <= {"written", "ruling", "reasoning"} for places in found.values())
    assert "found_in" not in ask("log", "--json").data["commits"][0]
    assert "written" in ask("log", "--text", "CACHE").out
    assert "found" in ask("log", "--text", "CACHE").out.splitlines()[0]
    assert "found" not in ask("log").out.splitlines()[0]


def test_the_kinds_of_the_help_are_those_there_are(ask: Command) -> None:
    assert paging.KINDS == ALL_KINDS
    assert "--kind" in ask("log", "--kind", "odd", code=2).err


def test_events_come_a_page_at_a_time_the_newest_first_page_in_order(ask: Command) -> None:
    every = [event["event"] for event in ask("events", "--json").data["events"]]
    kinds = {event["kind"] for event in ask("events", "--json").data["events"]}
    assert ask("events", "--json").data["next"] is None
    last = ask("events", "--limit", 1, "--json").data
    assert [event["event"] for event in last["events"]] == every[-1:]
    assert last["next"] == (every[-1] if len(every) > 1 else None)
    for kind in kinds:
        assert {event["kind"] for event in ask("events", "--kind", kind, "--json").data["events"]} == {kind}
    assert ask("events", "--kind", "odd").err == "Nothing of that.\n"


def test_the_command_that_turns_a_page_asks_for_the_same_and_tells_no_password(
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = "postgresql://me:secret@host/name?sslmode=require&password=secret"
    given = ["-d", url, "-b", "an-idea", "--tenant", "acme", "--jsonl", "--kind", "round", "--before", "v9"]
    with paging.log.make_context("log", [*given, "--kind", "write"]):
        note_more("--before v7")
    command = shlex.split(capsys.readouterr().err.removeprefix("more: dissensus log "))
    with paging.log.make_context("log", command) as context:
        assert context.params["database"] == "postgresql://me@host/name?sslmode=require"
        assert (situation().branch, situation().tenant, situation().lines) == ("an-idea", "acme", True)
        assert context.params["kind"] == ("round", "write")
        assert context.params["before"] == "v7"


def test_the_next_page_of_a_branch_is_one_of_that_branch(ask: Command) -> None:
    ask("fork", "an-idea")
    first = ask("log", "-b", "an-idea", "--limit", 1)
    assert "--branch an-idea" in first.err
    command = shlex.split(first.err.removeprefix("more: dissensus"))
    assert ask(*command, "--json").data["branch"] == "an-idea"


def test_that_nobody_is_called_nothing_is_not_told_as_the_end_of_the_log(ask: Command) -> None:
    assert ask("log", "--author", "").err == "No commit is all of that.\n"
