"""Schemas are code: what is imported is what the user names, and nothing that a database names."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Protocol

import pytest


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


def test_a_machine_is_shown_as_a_table_and_as_a_picture(ask: Command) -> None:
    table = " ".join(ask("machine", "outage:Outage").out.split())
    assert "gather gathering -> gathering /findings, /score - no" in table
    assert "conclude judging -> closed /verdict - yes" in table
    picture = ask("machine", "outage:Outage", "--mermaid").out
    assert picture.startswith("stateDiagram-v2\n")
    assert "    judging --> closed: conclude (review)\n" in picture


def test_the_rights_of_a_schema_are_shown_beside_its_machine(ask: Command) -> None:
    table = " ".join(ask("machine", "outage:Watched").out.split())
    assert "rights read propose commit rule" in table
    assert "scout-* /question nothing /findings nothing" in table
    assert "chair / nothing nothing /phase, /verdict" in table
    assert ask("machine", "outage:Watched", "--json").data["rights"][0] == {
        "name": "scout-*",
        "read": ["/question"],
        "propose": [],
        "commit": ["/findings"],
        "rule": [],
    }
    assert ask("machine", "outage:Outage", "--json").data["rights"] == []


def test_a_machine_is_the_same_in_json(ask: Command) -> None:
    told = ask("machine", "outage:Outage", "--json").data
    assert (told["schema"], told["version"]) == ("outage:Outage", 2)
    assert told["phases"] == ["gathering", "judging", "closed"]
    assert [item["name"] for item in told["transitions"]] == [
        "gather",
        "open_judging",
        "reconsider",
        "conclude",
    ]


def test_a_schema_without_transitions_says_that_it_allows_every_write(folder: Path, ask: Command) -> None:
    (folder / "free.py").write_text(
        "from dissensus_state.shapes import SharedState\nclass Free(SharedState):\n    a: int = 0\n"
    )
    assert "every write is allowed" in ask("machine", "free:Free").out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere:Thing", "There is no module nowhere"),
        ("outage.part:Thing", "There is no module outage.part"),
        ("outage:Missing", "There is no Missing in outage"),
        ("outage:NoSchema", "is no schema"),
        ("outage:Outage.transitions", "is no schema"),
        ("outage", "names nothing that can be imported"),
        ("outage.py:Outage", "There is no module outage.py"),
        ("../outage:Outage", "names nothing that can be imported"),
        (":Outage", "names nothing that can be imported"),
        ("needy:Thing", "needs absent_dependency"),
        ("broken:Thing", "cannot be imported"),
    ],
)
def test_what_cannot_be_shown_is_a_misuse_that_says_why(
    folder: Path, ask: Command, name: str, said: str
) -> None:
    (folder / "needy.py").write_text("import absent_dependency")
    (folder / "broken.py").write_text("def (")
    refused = ask("machine", name, code=2)
    assert refused.err.startswith("error[usage]: ")
    assert said in refused.err


@pytest.mark.parametrize("stored", ["trap:Trap", "dissensus.__main__:main", "dissensus_state.x:Y", "a.b"])
def test_no_command_imports_what_a_database_names(
    told: Path, dissensus: Command, stored: str, tmp_path: Path
) -> None:
    sprung = tmp_path / "sprung"
    (told.parent / "trap.py").write_text(f"open({str(sprung)!r}, 'w')")
    with sqlite3.connect(told) as connection:
        connection.execute("UPDATE sessions SET schema = ?", (stored,))
    connection.close()
    dissensus("log")
    dissensus("verify")
    refused = dissensus("rule", "2", "reject", "--reason", "x", code=2)
    assert "it is not imported unless you name it" in refused.err
    assert not sprung.exists()
