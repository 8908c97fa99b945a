"""`dissensus export --html`: a session as one page for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


def test_a_session_is_written_as_one_page(told_url: str, ask: Command, tmp_path: Path) -> None:
    target = tmp_path / "story.html"
    data = ask("export", "--html", "-d", told_url, "-o", target, "--json").data
    page = target.read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.rstrip().endswith("</html>")
    assert (data["form"], data["bytes"]) == ("html", len(page.encode()))


@pytest.mark.usefixtures("told")
def test_a_page_is_named_after_its_session_and_can_leave_older_commits_out(ask: Command) -> None:
    name = ask("sessions", "--json").data["sessions"][0]["name"]
    ask("export", "--form", "html", "--limit", "1")
    assert "older commits are left out" in Path(f"{name}.html").read_text("utf-8")


@pytest.mark.usefixtures("told")
def test_only_a_page_can_tell_of_fewer_commits(ask: Command) -> None:
    assert "--html" in ask("export", "--limit", "1", code=2).err
