"""Branches on the command line, in git's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest

from outage_story import part

SCHEMA = ("--schema", "outage:Outage")


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


@pytest.fixture
def parted(told: Path) -> Path:
    """The session in the user's folder, with a branch whose verdict is another one."""
    part(str(told))
    return told


@pytest.mark.usefixtures("parted")
def test_a_revision_may_be_of_any_branch_or_a_tag(ask: Command) -> None:
    ask("tag", "best", "idea")
    for revision, verdict in {
        "idea": "idea", "idea~1": "cache", "best": "idea", "best~": "cache", "main": "main", "v4": "main",
    }.items():  # fmt: skip
        found = ask("state", revision, "--json").data
        assert (found["state"]["verdict"], found["branch"]) == (verdict, found["branch"])
    assert ask("state", "best", "--json").data["branch"] == "idea"
    assert ask("state", "v4", "-b", "idea", "--json").data["state"]["verdict"] == "idea"
    assert ask("show", "idea", "--json").data["commit"]["branch"] == "idea"
    assert ask("blame", "/verdict", "--at", "best", "--json").data["value"] == "idea"
    assert ask("log", "-b", "idea", "--json").data["commits"][0]["branch"] == "idea"
    assert ask("verify", "-b", "idea", *SCHEMA, "--json").data["versions"] == 5
    assert ask("replay", "--branch", "idea", "--json").data["versions"] == 5
    for wrong in ("none", "none~1", "v9", "idea~9"):
        assert "error[not_found]" in ask("state", wrong, code=3).err
    assert "error[not_found]" in ask("log", "-b", "none", code=3).err
    assert "is a version of idea" in ask("log", "--before", "idea", code=2).err


@pytest.mark.usefixtures("parted")
def test_two_branches_are_compared(ask: Command) -> None:
    found = ask("diff", "main..idea", "--json").data
    assert found["differences"] == [
        {"path": "/verdict", "kind": "changed", "before": "main", "after": "idea"}
    ]
    assert (found["branch"], found["before_branch"]) == ("idea", "main")
    assert ask("diff", "idea~1..idea", "--json").data["differences"][0]["before"] == "cache"


@pytest.mark.usefixtures("parted")
def test_a_round_is_shown_and_ruled_on_whichever_branch_it_is_of(ask: Command) -> None:
    for number, branch in ((3, "idea"), (4, "main")):
        found = ask("show", f"r{number}", "--json").data
        assert (found["branch"], found["commit"]["branch"], found["commit"]["version"]) == (branch, branch, 4)


@pytest.mark.usefixtures("parted")
def test_branches_are_merged_once_what_they_contest_is_settled(ask: Command) -> None:
    contested = ask("merge", "idea", *SCHEMA, code=4)
    assert "1  /verdict  open, idea into main" in contested.out
    assert "settle 1" in contested.err
    assert "ours    main" in ask("conflicts", "--open").out.replace('"', "")
    assert "error[usage]" in ask("settle", 1, *SCHEMA, code=2).err
    assert "is no JSON" in ask("settle", 1, "--value", "{", *SCHEMA, code=2).err
    assert "error[schema.refused]" in ask("settle", 1, "--value", "7", *SCHEMA, code=18).err
    assert "error[not_found]" in ask("settle", 9, "ours", *SCHEMA, code=3).err
    ask("settle", 1, "ours", *SCHEMA)
    said = ask("settle", 1, "--value", '"both"', "--author", "Grace", *SCHEMA, "--json").data["conflict"]
    assert (said["settlement"], said["settled_by"]) == ({"value": "both"}, "Grace")
    assert "Nothing is contested" in ask("conflicts", "--open").err
    assert "idea merged into main as v5" in ask("merge", "idea", *SCHEMA).out
    assert "main has all that idea has" in ask("merge", "idea", *SCHEMA).out
    assert "main merged into idea as v5" in ask("merge", "main", "--into", "idea", *SCHEMA).out
    assert ask("state", "idea", "--json").data["state"]["verdict"] == "both"
    assert ask("verify", *SCHEMA).code == 0


@pytest.mark.usefixtures("told")
def test_commits_are_reverted_alone_or_as_a_stretch(ask: Command) -> None:
    ask("fork", "idea", "--at", "v2")
    assert "v2 taken back as v3" in ask("revert", "v2", "-b", "idea", *SCHEMA).out
    assert ask("state", "idea", "--json").data["state"]["phase"] == "gathering"
    assert "v1 to v3 taken back as v4" in ask("revert", "v0..v3", "-b", "idea", *SCHEMA).out
    assert ask("state", "idea", "--json").data["state"]["findings"] == []
    assert "error[usage]" in ask("revert", "v1", code=2).err


@pytest.mark.usefixtures("told")
def test_branches_and_tags_are_made_listed_and_ended(ask: Command) -> None:
    assert "idea begins at v2 of main" in ask("fork", "idea", "--at", "HEAD~1").out
    assert "deeper begins at v1 of idea" in ask("fork", "deeper", "--at", "idea~1").out
    assert "There is a branch 'idea' already" in ask("fork", "idea", code=4).err
    assert "is no name for a branch" in ask("fork", "v7", code=18).err
    listed = ask("branch").out
    assert "v2 of main" in listed
    assert "v1 of idea" in listed
    assert "first" in ask("tag", "first", "v0", "--author", "Grace").out
    assert "Grace" in ask("tag").out
    assert ask("tag", "--delete", "first", "--json").data["tags"] == []
    assert "error[usage]" in ask("tag", "--delete", code=2).err
    assert "idea is closed at v2" in ask("close-branch", "idea").out
    assert "closed 2" in ask("branch").out
    assert "error[branch.closed]" in ask("merge", "main", "--into", "idea", *SCHEMA, code=4).err
