"""`dissensus import-langgraph`: what a user of LangGraph types, and what comes of it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, Protocol

import pytest

import foreign_graphs as graphs

DOCS = Path(__file__).parents[2] / "docs"


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


@pytest.fixture(scope="module")
def told_by_langgraph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a SqliteSaver, written once; the tests take copies."""
    address = graphs.file_in(tmp_path_factory.mktemp("langgraph"))
    with graphs.opened("sqlite", address) as saver:
        graphs.tell(saver)
        saver.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[attr-defined]
    return Path(address)


@pytest.fixture
def source(told_by_langgraph: Path, folder: Path) -> Path:
    return Path(shutil.copy(told_by_langgraph, folder / "checkpoints.sqlite"))


def keys(path: str) -> set[str]:
    """The keys that the page promises for an object."""
    page = (DOCS / "cli.md").read_text("utf-8")
    [found] = re.findall(rf"^\| `{re.escape(path)}` \| (.+) \|$", page, re.MULTILINE)
    return set(found.split())


def test_a_history_is_listed_brought_in_and_read_with_the_same_verbs(ask: Command, source: Path) -> None:
    listed = ask("import-langgraph", source, "--list", "--json").data
    assert set(listed) == keys("import-langgraph --list")
    assert {key for one in listed["threads"] for key in one} == keys("import-langgraph --list.threads[]")
    assert [one["thread"] for one in listed["threads"]] == [
        "parallel", "talk", "asking", "failing", "slow", "functions",
    ]  # fmt: skip
    assert not Path("dissensus.db").exists()
    done = ask("import-langgraph", source, "--json").data
    assert set(done) == keys("import-langgraph")
    assert {key for one in done["sessions"] for key in one} == keys("import-langgraph.sessions[]")
    assert ask("blame", "/log/2", "-s", "parallel", "--json").data["authors"] == ["left"]
    assert ask("verify", "-s", "asking", "--json").data["rules_checked"] is True
    assert ask("state", "v4", "-s", "talk", "--json").data["state"]["turns"] == 1
    assert "interrupted" in ask("events", "-s", "asking").out


def test_the_page_for_people_says_what_became_of_what(ask: Command, source: Path) -> None:
    done = ask("import-langgraph", source, "--thread", "asking", "--name", "mine", "-d", "ours.db").out
    assert re.search(r"^mine +\d+ +0 +\d+ +\d+ +\d+ +main$", done, re.MULTILINE)
    assert "left out, for it only says what runs next" in done
    again = ask("import-langgraph", source, "--thread", "asking", "--name", "mine", "-d", "ours.db").out
    assert re.search(r"^mine +0 +\d+ +0 ", again, re.MULTILINE)


def test_errors_tell_what_it_was_and_make_no_database_for_nothing(ask: Command, source: Path) -> None:
    Path("text.db").write_text("hello " * 1000)
    assert "cannot be read as a SQLite database" in ask("import-langgraph", "text.db", code=27).err
    assert "no database file" in ask("import-langgraph", "none.db", code=3).err
    assert not Path("dissensus.db").exists()
    assert "no thread 'x'" in ask("import-langgraph", source, "--thread", "x", code=3).err
    assert "--list" in ask("import-langgraph", source, "--list", "--name", "x", code=2).err
    ask("import-langgraph", source, "--thread", "talk")
    assert (
        "holds something else"
        in ask("import-langgraph", source, "--thread", "slow", "--name", "talk", code=4).err
    )


def test_a_password_is_not_told(ask: Command) -> None:
    failed = ask("import-langgraph", "postgresql://me:secret@127.0.0.1:1/none", code=10)
    assert "secret" not in failed.err


def test_every_verb_works_on_a_graph_that_was_never_ours(ask: Command, source: Path) -> None:
    ask("import-langgraph", source, "--thread", "asking")
    head = ask("log", "--json").data["head"]
    for verb in (
        ["log", "--graph"], ["log", "--author", "inner"], ["show", "v3"], ["state", "v2"],
        ["diff", "v1..HEAD"],
        ["blame", "/log/0"], ["events"], ["tail"], ["branch"], ["sizes"], ["cost"],
        ["impact", "/log/0"], ["reads", "/log"], ["bisect", "--holds", "--test", "/second exists"],
        ["compare", "main", "fork-1"], ["retract", "v3", "--reason", "wrong", "-b", "fork-1"],
        ["suspects", "-b", "fork-1"],
        ["replay"], ["verify"], ["verify", "-b", "fork-1"],
        ["fork", "idea", "--at", "v3"], ["tag", "asked", "v2"],
    ):  # fmt: skip
        assert ask(*verb).out, verb
    hashes = [one["hash"] for one in ask("log", "--json").data["commits"]]
    ask("export", "-o", "asking.jsonl")
    ask("import", "asking.jsonl", "-d", "elsewhere.db")
    there = ask("log", "-d", "elsewhere.db", "--json").data
    assert (there["head"], [one["hash"] for one in there["commits"]]) == (head, hashes)
    [known] = ask("import-langgraph", source, "--thread", "asking", "-d", "elsewhere.db", "--json").data[
        "sessions"
    ]
    assert (known["checkpoints"], known["events"]) == (0, 0)
    assert ask("revert", "HEAD", "--json").data["version"] == head + 1
