"""`dissensus schema`: what a new schema would break, and lifting a session to it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, Protocol

import pytest

import generations
from dissensus_state.store import Store
from generations import written

PAGE = (Path(__file__).parents[2] / "docs/cli.md").read_text("utf-8")


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


@pytest.fixture
def names(folder: Path) -> list[str]:
    """Three sessions of the first generation in the user's database; the last breaks a later rule."""
    shutil.copy(Path(generations.__file__), folder)
    with Store.open("dissensus.db") as store:
        return [written(store).name, written(store).name, written(store, seconds=-1).name]


def keys(name: str) -> set[str]:
    (found,) = re.findall(rf"^\| `{re.escape(name)}` \| (.+) \|$", PAGE, re.MULTILINE)
    return set(found.split())


def test_a_check_lists_what_breaks_where_and_exits_with_5(names: list[str], ask: Command) -> None:
    told = ask("schema", "check", "generations:Third", code=5).out
    assert told.startswith("generations:Report (version 3) breaks 1 of 3 tried, 3 of an older version\n")
    assert f"{names[2]} main v3 (schema version 1)" in told
    assert "invariant.violated: time does not run backwards: it does not hold" in told
    assert re.search(r'value +{"/milliseconds":-1000}\n', told)


def test_a_check_says_the_same_in_json(names: list[str], ask: Command) -> None:
    told = ask("schema", "check", "generations:Third", "--history", "--json", code=5).data
    assert (told["tried"], told["older"], told["version"]) == (6, 6, 3)
    first, broken = told["broken"]
    assert first["version"] == 0
    (breach,) = broken["breaches"]
    assert (broken["session"], broken["version"], breach["path"]) == (names[2], 3, "/milliseconds")
    assert set(told) == keys("schema check")
    assert set(broken) == keys("schema check.broken[]")
    assert set(breach) == keys("schema check.broken[].breaches[]")


@pytest.mark.usefixtures("names")
def test_a_schema_that_breaks_nothing_passes(ask: Command) -> None:
    assert "breaks nothing: 3 tried" in ask("schema", "check", "generations:Second").out


def test_a_session_is_lifted_by_its_name(names: list[str], ask: Command) -> None:
    lift = ("schema", "migrate", names[0], "--schema", "generations:Third")
    assert f"{names[0]} main v4: schema 1 -> 3" in ask(*lift).out
    assert "at schema version 3 already" in ask(*lift).out
    told = ask("schema", "migrate", names[1], "--schema", "generations:Third", "--json").data
    assert [item["source"] for item in told["commits"]] == [{"upcast": [1, 3]}]
    assert "schema 1 -> 3" in ask("log", "-s", names[0]).out
    assert (
        "under another version of it  4" in ask("verify", "-s", names[0], "--schema", "generations:Third").out
    )


def test_a_session_that_cannot_be_lifted_stays_and_the_reason_is_told(names: list[str], ask: Command) -> None:
    said = ask("schema", "migrate", names[2], "--schema", "generations:Third", code=18).err
    assert "error[invariant.violated]" in said
    assert ask("state", "-s", names[2], "--json").data["version"] == 3


def test_a_session_that_is_not_there_and_a_schema_that_is_not_named_are_told(
    names: list[str], ask: Command
) -> None:
    assert "no session 'nobody'" in ask("schema", "migrate", "nobody", code=3).err
    assert "--schema" in ask("schema", "migrate", names[0], code=2).err


def test_a_program_with_the_older_schema_is_told_to_use_the_newer_one(names: list[str], ask: Command) -> None:
    ask("schema", "migrate", names[0], "--schema", "generations:Third")
    said = ask("schema", "migrate", names[0], "--schema", "generations:First", code=18).err
    assert "error[schema.newer]" in said
    assert "Open it with the newer code" in said
