"""`sizes, redact, prune, compact`: said first, done when asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ask = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("told")

OUTAGE = ("--schema", "outage:Outage", "--author", "clerk")


def test_a_redacted_value_is_gone_from_what_is_shown_and_from_the_file(ask: Ask, told: Path) -> None:
    assert b"the log says so" in told.read_bytes()
    done = ask("redact", "/findings/0", "--reason", "asked for", *OUTAGE)
    assert "/findings/0, written in main v1, is redacted by v4" in done.out
    assert ask("state", "v1", "--json").data["state"]["findings"][0] == "[redacted]"
    assert b"the log says so" not in told.read_bytes()
    (newest,) = ask("log", "-n", "1", "--json").data["commits"]
    assert newest["source"]["redact"]["reason"] == "asked for"
    assert newest["author"] == "clerk"
    assert "values redacted" in ask("verify").out


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["/findings/0"], 2, "--reason"),
        (["/nothing", "--reason", "x"], 3, "There is nothing at /nothing"),
        (["/score", "--reason", "x"], 18, "Say what is to stand there instead"),
        (["/score", "--reason", "x", "--replacement", "{"], 2, "is no JSON"),
    ],
)
def test_what_cannot_be_redacted_is_told_and_changes_nothing(
    ask: Ask, given: list[str], code: int, said: str
) -> None:
    assert said in ask("redact", *given, *OUTAGE, code=code).err
    assert ask("verify", "--json").data["redacted"] == 0


def test_a_replacement_is_given_as_json(ask: Ask) -> None:
    ask("redact", "/score", "--at", "v1", "--reason", "x", "--replacement", "7", *OUTAGE)
    assert ask("state", "--json").data["state"]["score"] == 7


def test_prune_says_what_it_would_end_and_does_it_only_when_told_to(ask: Ask) -> None:
    planned = ask("prune", "v2")
    assert "No version before 2 can be read any more" in planned.out
    assert "Add --yes" in planned.err
    assert ask("state", "v1", "--json").data["version"] == 1
    done = ask("prune", "v2", "--yes", *OUTAGE)
    assert "pruned to v2 by v4" in done.out
    assert "is there from version 2 on" in ask("state", "v1", code=3).err
    assert "values pruned" in ask("verify").out


def test_compact_says_what_it_would_free_and_does_it_only_when_told_to(ask: Ask) -> None:
    assert "to compact: about" in ask("compact", "--raw").out
    done = ask("compact", "--yes", "--json").data
    assert done["compacted"]["snapshots"] == done["plan"]["snapshots"]
    assert ask("verify", "--json").data["versions"] == 4


def test_sizes_are_told_largest_first(ask: Ask) -> None:
    found = ask("sizes", "--json").data
    assert list(found["state"].values()) == sorted(found["state"].values(), reverse=True)
    assert "outage takes about" in ask("sizes").out


@pytest.mark.parametrize(
    "command", ["show v3", "show r1", "disagreements", "blame /verdict", "log", "events", "cost"]
)
def test_every_page_is_shown_after_a_value_of_a_ruled_round_was_redacted(ask: Ask, command: str) -> None:
    assert "cache" in ask("show", "v3").out
    done = ask("redact", "/verdict", "--reason", "asked for", *OUTAGE, "--json").data
    assert {place["path"] for place in done["remains"]} <= {"round 2, which is not settled"}
    for form in ([], ["--json"]):
        assert "cache" not in ask(*command.split(), *form).out.replace("cached_tokens", "")
