"""What rests on what, on the command line: impact, reads, bisect, retract, suspects, compare."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest

from dissensus.cli.bisecting import compared
from dissensus.cli.errors import Misuse
from dissensus_state.store import Store
from outage import Outage


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


@pytest.fixture
def told(folder: Path) -> Path:
    """A session in which a wrong finding leads to a wrong score."""
    with Store.open("dissensus.db") as store:
        session = store.create(Outage(question="Why?"))
        with session.transaction("scout", "gather") as tx:
            tx.append("findings", "the valve was open")
        with session.transaction("ana", "gather") as tx:
            tx.read("findings/0")
            tx.add("score", 5)
        with session.transaction("ben", "gather") as tx:
            tx.append("findings", "it was cold")
        with session.transaction("caro", "gather") as tx:
            tx.read("score")
            tx.append("findings", "\x1b[31mthe score says so")
        session.fork("idea", 2)
    return folder


SCHEMA = ("--schema", "outage:Outage")


@pytest.mark.usefixtures("told")
def test_impact_is_told_of_a_commit_and_of_a_value(ask: Command) -> None:
    shown = ask("impact", "v1").out
    assert shown.startswith("v1 of main: 2 commits\n")
    assert "v2 of main  ana gather  read /findings/0 at v1: v1 of main" in shown
    assert [item["version"] for item in ask("impact", "/findings/0", "--json").data["commits"]] == [2, 4]
    assert [item["version"] for item in ask("impact", "findings/1", "--json").data["commits"]] == []
    assert [item["version"] for item in ask("impact", "score", "--at", "v3", "--json").data["commits"]] == [4]
    assert "… and 1 more" in ask("impact", "v1", "-n", "1").out
    every = ask("impact", "v1", "--json").data["commits"]
    assert [json.loads(line) for line in ask("impact", "v1", "--jsonl").out.splitlines()] == every
    assert ask("impact", "nothing", code=3).err.startswith("error[not_found]")
    assert ask("impact", "/verdit", code=3).err.startswith("error[not_found]")


@pytest.mark.usefixtures("told")
def test_reads_turns_its_pages(ask: Command) -> None:
    first = ask("reads", "/findings", "-n", "1")
    assert "ana" in first.out
    assert first.err == ""
    first = ask("reads", "/", "-n", "1")
    command = shlex.split(first.err.removeprefix("more: dissensus"))
    assert command[:4] == ["reads", "--limit", "1", "/"]
    assert ask(*command, "--json").data["reads"]
    assert json.loads(ask("reads", "/score", "--jsonl").out)["agent"] == "caro"
    assert ask("reads", "/question").err == "Nobody has read it.\n"
    assert [item["agent"] for item in ask("reads", "/score", "--json").data["reads"]] == ["caro"]


@pytest.mark.usefixtures("told")
def test_a_retraction_marks_what_rests_on_it_in_log_show_and_blame(ask: Command) -> None:
    assert ask("suspects").err == "Nothing is retracted.\n"
    assert "suspect" not in ask("log", "--json").data["commits"][0]
    done = ask("retract", "v1", "--reason", "forged \x1b[31m", "--author", "chair", *SCHEMA)
    assert done.out.startswith("v1 is retracted, by v5\n2 commits suspect:\n")
    assert "rerun --only-impacted" in done.err
    assert "already, by chair" in ask("retract", "v1", "--reason", "again", *SCHEMA, code=4).err
    assert "gather (suspect)" in ask("log").out
    assert "gather (retracted)" in ask("log").out
    assert "retract v1" in ask("log", "-n", "1").out
    by_version = {item["version"]: item for item in ask("log", "--json").data["commits"]}
    assert by_version[1]["retracted"]["author"] == "chair"
    assert by_version[4]["suspect"]["retracted"] == {"branch": "main", "version": 1}
    assert by_version[3]["suspect"] is None
    shown = ask("show", "v2").out
    assert "suspect: it rests on v1 of main, which is retracted" in shown
    assert "ana read /findings/0 at v1" in shown
    assert "retracted by chair in v5: forged" in ask("show", "v1").out
    assert "suspect: it rests on v1" in ask("blame", "/score").out
    assert "\x1b" not in ask("suspects").out + ask("show", "v1").out
    assert ask("impact", "v1").out.startswith("v1 of main retracted by chair: forged")
    assert len(ask("suspects", "--json").data["suspects"]) == 2
    undone = ask("retract", "v1", "--undo", "--reason", "it was right", *SCHEMA)
    assert undone.out == "v1 stands again, by v6\n"
    assert "suspect" not in ask("log").out


@pytest.mark.usefixtures("told")
def test_a_merged_repair_is_told_in_log_show_blame_and_suspects(ask: Command) -> None:
    with Store.open("dissensus.db") as store:
        session = store.session(None, Outage)
        fix = session.fork("fix", 0)
        session.retract(1, author="chair", reason="forged")
        fix.carry(session.commit_at(3))
        with fix.transaction("dora", "gather") as tx:
            tx.add("score", 5)
        fix.supersede("main", author="chair")
    assert ask("suspects", "--json").data["repaired"] == []
    ask("merge", "fix", "--into", "main", "--author", "chair", *SCHEMA)
    assert "gather (repaired)" in ask("log").out
    assert "suspect" not in ask("log").out
    assert "repaired by v6: it rests on v1 of main, which is retracted" in ask("show", "v2").out
    assert "2 commits repaired:" in ask("suspects").out
    data = ask("suspects", "--json").data
    assert (data["suspects"], [item["repaired"] for item in data["repaired"]]) == ([], [6, 6])
    blamed = ask("blame", "/score").out
    assert "written by  dora" in blamed
    assert "v2 of fix" in blamed
    assert "suspect" not in blamed


@pytest.mark.usefixtures("told")
def test_what_is_printed_to_be_copied_says_where_as_the_command_was_told(ask: Command) -> None:
    ask("fork", "aside")
    where = ["-d", "dissensus.db", "-b", "aside"]
    found = ask("bisect", *where, "--test", "/findings == []")
    command = shlex.split(found.out.splitlines()[-1])
    assert command[1:] == ["show", "v1", "--database", "dissensus.db", "--branch", "aside"]
    assert ask(*command[1:], "--json").data["branch"] == "aside"
    said = ask("retract", "v1", "--reason", "forged", *where, *SCHEMA).err
    assert said.endswith("rerun --only-impacted --graph MODULE:NAME --database dissensus.db --branch aside\n")


@pytest.mark.usefixtures("told")
def test_bisect_takes_a_comparison_or_a_command(ask: Command, dissensus: Command) -> None:
    found = ask("bisect", "--test", "/score < 5")
    assert found.out.startswith("v2 of main is the first bad version")
    assert (
        ask("bisect", "--holds", "--test", '/findings contains "it was cold"', "--json").data["version"] == 3
    )
    check = "import json, sys; sys.exit(1 if json.load(sys.stdin)['score'] else 0)"
    told = dissensus("bisect", "--json", "--", sys.executable, "-c", check)
    assert told.data["version"] == 2
    assert told.data["commit"]["author"] == "ana"
    assert "v2: bad (1)" in told.err
    skips = "import os, sys; v = int(os.environ['DISSENSUS_VERSION']); sys.exit(125 if v == 2 else v > 2)"
    assert "Only skipped versions" in dissensus("bisect", "--", sys.executable, "-c", skips, code=3).err
    assert (
        "is ended" in dissensus("bisect", "--", sys.executable, "-c", "import sys; sys.exit(128)", code=2).err
    )
    slow = "import time; time.sleep(60)"
    ended = dissensus("bisect", "--timeout", "0.2", "--", sys.executable, "-c", slow, code=2)
    assert "took more than 0.2 s at v2" in ended.err
    assert "cannot be run" in dissensus("bisect", "--", "no-such-command", code=2).err


@pytest.mark.usefixtures("told")
def test_bisect_says_what_is_not_to_be_found(ask: Command) -> None:
    assert ask("bisect", "--test", "/score > 5", code=3).err.startswith("error[bisect.none]")
    assert "in one way" in ask("bisect", code=2).err
    assert "is no test" in ask("bisect", "--test", "/score ~ 5", code=2).err
    assert "ends in no JSON" in ask("bisect", "--test", "/score == five", code=2).err


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ("/a == 1", True), ("/a == 2", False), ("/a != 2", True), ("/gone != 2", True),
        ("/gone == null", False),
        ("/a < 2", True), ("/a <= 1", True), ("/a > 0.5", True), ("/a >= 2", False), ('/a < "2"', False),
        ('/t > "a"', True), ("/a exists", True), ("/a missing", False), ("/gone missing", True),
        ('/t contains "b"', True), ("/l contains 2", True), ('/l contains {"b": 1}', True),
        ('/d contains "x"', True), ("/d contains 1", False), ("/d/x == null", True), ("/f < 1", False),
    ],
)  # fmt: skip
def test_comparisons_hold_for_what_stands_there(test: str, holds: bool) -> None:  # noqa: FBT001
    state = {"a": 1, "t": "abc", "l": [1, 2, {"b": 1}], "d": {"x": None}, "f": False}
    assert compared(test)(state) is holds


def test_a_jsonpath_query_that_finds_something_holds() -> None:
    pytest.importorskip("jsonpath")
    from dissensus.cli.bisecting import matching

    state = {"findings": [{"source": "x"}]}
    assert matching('$.findings[?@.source=="x"]')(state)
    assert not matching('$.findings[?@.source=="y"]')(state)
    with pytest.raises(Misuse, match="is no JSONPath"):
        matching("$.[")


@pytest.mark.usefixtures("told")
def test_compare_names_branches_or_sessions(ask: Command) -> None:
    found = ask("compare", "main", "idea").out
    assert found.startswith("They part after v2\n")
    assert "/findings/1" in found
    name = ask("sessions", "--json").data["sessions"][0]["name"]
    assert ask("compare", f"{name}:idea", name, "--json").data["one"]["branch"] == "idea"
    other = ask("compare", "main", "main", "--other-database", "dissensus.db", "--json").data
    assert (other["common"], other["differences"]) == (4, [])
    assert ask("compare", "main", "gone", code=3).err.startswith("error[not_found]")
