"""What a shell is given to complete, asked as bash asks it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Protocol

import pytest


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0, **environment: str) -> Any: ...


def completed(dissensus: Command, line: str) -> list[str]:
    """What bash is offered for the last word of a line."""
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(shlex.split(line)) - (not line.endswith(" ")))}
    ended = dissensus(**asked, _DISSENSUS_COMPLETE="bash_complete")
    assert ended.err == ""
    return [row.partition(",")[2] for row in ended.out.splitlines() if row]


@pytest.mark.usefixtures("told")
def test_sessions_branches_revisions_and_paths_are_completed(dissensus: Command) -> None:
    assert "outage" in completed(dissensus, "dissensus log -s ")
    assert completed(dissensus, "dissensus log -b ma") == ["main"]
    dissensus("fork", "idea", "--at", "v1")
    assert {"idea", "main"} <= set(completed(dissensus, "dissensus merge "))
    assert completed(dissensus, "dissensus merge i") == ["idea"]
    assert completed(dissensus, "dissensus blame /ver") == ["/verdict"]
    for asked in ("at v1", "diff v0..v1", "redact", "impact", "log --path"):
        assert completed(dissensus, f"dissensus {asked} /ver") == ["/verdict"]
    for asked in ("impact v0", "state v0", "log --before v0"):
        assert completed(dissensus, f"dissensus {asked}") == ["v0"]
    assert "user" in completed(dissensus, "dissensus log --author ")
    assert completed(dissensus, "dissensus blame /findings/")[:1] == ["/findings/0"]
    assert completed(dissensus, "dissensus diff v1..i") == ["v1..idea"]
    assert "v0" in completed(dissensus, "dissensus show ")


def test_where_nothing_can_be_read_nothing_is_offered_and_nothing_is_said(
    dissensus: Command, folder: Path
) -> None:
    assert completed(dissensus, "dissensus log -d none.db -s ") == []
    (folder / "notes.db").write_text("no database")
    assert completed(dissensus, "dissensus log -d notes.db -s ") == []
    assert not (folder / "none.db").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_of_its_own(dissensus: Command, shell: str) -> None:
    said = dissensus("completion", shell).out
    assert "_DISSENSUS_COMPLETE" in said
    assert f"{shell}_complete" in said
