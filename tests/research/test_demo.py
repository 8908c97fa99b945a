"""`dissensus demo`, as it is started by somebody who has just installed it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dissensus.research import demo
from dissensus.research.incident import Incident
from dissensus_state.errors import DatabaseFailed, DiskFull
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store


def commands(said: str) -> list[list[str]]:
    """The commands that the demo ends with, as a shell reads them."""
    _, _, end = said.partition("To look into it\n")
    return [shlex.split(line)[1:] for line in end.splitlines()]


def test_the_demo_says_that_it_is_scripted_then_shows_the_answer_its_evidence_dissent_and_cost(
    dissensus, database_url: str
) -> None:
    said = dissensus("demo", "-d", database_url).out
    assert "The models are scripted" in said
    assert "cause     ledger-export moved to 09:40" in said
    assert "service-log.txt: “09:47:30 gate INFO rollout of checkout 4.18.0 complete, 6 of 6" in said
    assert "ana and ben: release of checkout 4.18.0" in said
    assert "2 votes of one lineage (quill/quill-3), worth 1.32" in said
    assert "does not stand in 'service-log.txt': “09:37:30 gate INFO rollout" in said
    assert "Step 2. The log has “09:37:30" in said
    assert re.search(r"\$0\.0[1-9]\d+ of \$1\.000000 for 8 calls, at invented prices", said)


def test_away_from_a_terminal_it_is_plain_text(dissensus) -> None:
    ended = dissensus("demo")
    assert ended.out.replace("\n", "").isprintable()
    assert ended.err == ""


def test_on_a_terminal_it_is_coloured_and_says_the_same(dissensus, on_a_terminal) -> None:
    coloured = on_a_terminal("demo")
    assert "\x1b[1;32mledger-export moved to 09:40\x1b[0m" in coloured.out
    told = set(dissensus("demo").out.replace("-2.db", ".db").splitlines())
    assert set(coloured.plain.splitlines()) == told


def test_whoever_asks_for_no_colours_gets_none_on_a_terminal_either(on_a_terminal) -> None:
    said = on_a_terminal("demo", NO_COLOR="1").out
    assert "The answer" in said
    assert "\x1b" not in said


def test_every_command_that_it_ends_with_can_be_copied_and_works(dissensus, database_url: str) -> None:
    named = commands(dissensus("demo", "-d", database_url).out)
    assert [command[0] for command in named] == ["log", "blame", "disagreements", "replay", "verify"]
    for command in named:
        assert dissensus(*command).out


class Note(SharedState):
    """Somebody else's state."""

    text: str


def test_beside_other_sessions_the_demo_has_a_name_of_its_own_and_its_commands_say_which(
    dissensus, database_url: str
) -> None:
    with Store.open(database_url) as store:
        store.create(Note(text="mine"), name=demo.NAME)
    named = commands(dissensus("demo", "-d", database_url).out)
    for command in named:
        assert dissensus(*command).out


def test_each_demo_without_a_database_has_a_new_file_also_when_they_begin_at_once(
    dissensus, tmp_path: Path
) -> None:
    with ThreadPoolExecutor() as at_once:
        list(at_once.map(dissensus, ["demo"] * 3))
    names = {"dissensus-demo.db", "dissensus-demo-2.db", "dissensus-demo-3.db"}
    assert {path.name for path in tmp_path.glob("*.db")} == names


def test_a_demo_that_has_finished_is_shown_again_and_nothing_is_changed(dissensus, database_url: str) -> None:
    first = dissensus("demo", "-d", database_url).out
    again = dissensus("demo", "-d", database_url).out
    assert "has finished before" in again
    assert again.partition("The answer")[2] == first.partition("The answer")[2]
    with Store.open(database_url) as store:
        assert [len(store.session(info.name).log()) for info in store.sessions()] == [4]


def test_a_demo_in_memory_names_no_commands_that_would_find_nothing(capsys) -> None:
    assert demo.main("sqlite://") == 0
    assert "The answer" in (said := capsys.readouterr().out)
    assert commands(said) == []


def test_a_database_is_shown_as_a_command_takes_it_and_without_its_password() -> None:
    assert demo.address("my demo.db") == "'my demo.db'"
    assert demo.address("postgresql://me:secret@host/name") == "postgresql://me@host/name"
    assert demo.resuming("a.db") == "dissensus demo --database a.db"


def test_what_is_no_database_is_refused_with_a_code_and_a_next_step(dissensus, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are notes")
    refused = dissensus("demo", "-d", "notes.txt", code=9).err
    assert "error[database.not_ours]" in refused
    assert "next: " in refused
    assert (tmp_path / "notes.txt").read_text() == "these are notes"


def test_a_folder_where_nothing_can_be_written_is_named_and_so_is_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(DatabaseFailed, match=r"dissensus-demo\.db cannot be made") as refused:
        demo.main(None)
    assert "--database" in refused.value.next_step


@contextmanager
def room_for(pages: int) -> Iterator[None]:
    """A disk on which a database can't grow beyond so many pages of 4 KiB."""

    def limit(connection: Any, _: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}").close()

    sa.event.listen(sa.Engine, "connect", limit)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "connect", limit)


@pytest.mark.parametrize("pages", [32, 34, 36])
def test_on_a_full_disk_it_stops_with_a_code_and_the_command_it_names_goes_on_when_there_is_room(
    pages: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = str(tmp_path / "demo.db")
    with room_for(pages), pytest.raises(DiskFull) as full:
        demo.main(url)
    assert (full.value.code, full.value.exit_code) == ("database.full", 11)
    assert full.value.context["resume"] == f"dissensus demo --database {url}"
    assert demo.main(url) == 0
    assert "ledger-export moved to 09:40" in capsys.readouterr().out
    with Store.open(url) as store:
        assert store.session(None, Incident).verify().versions == 4


def test_a_disk_without_room_for_the_tables_leaves_a_file_that_is_good_for_the_next_try(
    tmp_path: Path,
) -> None:
    url = str(tmp_path / "demo.db")
    with room_for(20), pytest.raises(DiskFull, match="is full"):
        demo.main(url)
    assert demo.main(url) == 0
