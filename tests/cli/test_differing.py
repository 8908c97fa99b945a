"""`diff` and `at`: between versions, branches and sessions, at a path, in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dissensus_state.store import Store
from inquiries import Notes, does

Command = Callable[..., Any]


@pytest.fixture
def two(folder: Path) -> str:
    """A database with two sessions of notes; the first has a branch."""
    name = str(folder / "two.db")
    with Store.open(name) as store:
        first = store.create(Notes(), name="monday")
        first.transact(does("set", "text", "the valve was open\nat noon, they say"), "ana")
        first.transact(does("set", "text", "the pump was open\nat noon, they say"), "ben")
        first.transact(does("append", "lines", "one"), "ben")
        idea = first.fork("idea", 1)
        idea.transact(does("set", "a", 7), "ana")
        second = store.create(Notes(), name="tuesday")
        second.transact(does("append", "lines", "zero"), "ana")
    return name


def test_a_text_is_shown_in_words(ask: Command, two: str) -> None:
    shown = ask("diff", "v1..v2", "-d", two, "-s", "monday")
    assert shown.out == "~ /text  the [-valve-]{+pump+} was open\\nat noon, they say\n"
    [item] = ask("diff", "v1..v2", "-d", two, "-s", "monday", "--json").data["differences"]
    assert item["words"][:3] == [["=", "the "], ["-", "valve"], ["+", "pump"]]
    assert "".join(text for sign, text in item["words"] if sign != "-") == item["after"]


def test_only_what_stands_at_a_path_is_compared(ask: Command, two: str) -> None:
    monday = ("-d", two, "-s", "monday")
    assert ask("diff", "v0..v3", "/lines", *monday).out == '+ /lines/0  "one"\n'
    assert ask("diff", "/lines", *monday).out == ask("diff", "~1..", "lines", *monday).out
    assert ask("diff", "v0..v3", "/lines", *monday, "--json").data["path"] == "/lines"
    nothing = ask("diff", "v0..v3", "/a", *monday, "--exit-code")
    assert (nothing.out, nothing.err) == ("", "Nothing differs.\n")
    assert "nothing at /lines/9 in either version" in ask("diff", "v0..v3", "/lines/9", *monday, code=3).err


def test_branches_and_sessions_are_compared_by_their_names(ask: Command, two: str) -> None:
    data = ask("diff", "main..idea", "-d", two, "-s", "monday", "--json").data
    assert (data["before_branch"], data["branch"], data["session"]) == ("main", "idea", "monday")
    assert [item["path"] for item in data["differences"]] == ["/a", "/lines/0", "/text"]
    data = ask("diff", "monday:v3..tuesday:", "-d", two, "--json").data
    assert (data["before_session"], data["before_branch"], data["before"]) == ("monday", "main", 3)
    assert (data["session"], data["branch"], data["after"]) == ("tuesday", "main", 1)
    assert [item["path"] for item in data["differences"]] == ["/lines/0", "/text"]
    assert ask("diff", "monday:idea~1..tuesday:v0", "/text", "-d", two, "--json").data["before"] == 1
    assert ask("diff", "monday:v1..v2", "-d", two).out == ask("diff", "v1..v2", "-s", "monday", "-d", two).out
    assert "no session 'friday'" in ask("diff", "friday:v1..v2", "-d", two, code=3).err
    assert "no session 'friday'" in ask("diff", "v1..friday:v2", "-s", "monday", "-d", two, code=3).err


def test_a_version_or_a_value_of_it_is_printed_as_json(ask: Command, two: str) -> None:
    monday = ("-d", two, "-s", "monday")
    assert json.loads(ask("at", "v3", *monday).out)["lines"] == ["one"]
    assert ask("at", "v3", *monday).out == ask("state", "v3", *monday).out
    assert ask("at", "HEAD", "/lines/0", *monday).out == ask("at", "/lines/0", *monday).out == '"one"\n'
    assert ask("at", "idea", "a", *monday, "--json").data == {
        "session": "monday",
        "branch": "idea",
        "version": 2,
        "path": "a",
        "value": 7,
    }
    assert ask("at", "v1", "/anything", *monday).out == "null\n"
    assert "nothing at /lines/1 in version 3" in ask("at", "v3", "/lines/1", *monday, code=3).err
    assert "v9" in ask("at", "v9", *monday, code=3).err
