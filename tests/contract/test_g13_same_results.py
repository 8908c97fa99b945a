"""G13: SQLite and PostgreSQL give the same results for the same calls."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import state_workers
from by_hand import intent
from dissensus_state import tables
from dissensus_state.errors import DissensusError, ValueRefused
from dissensus_state.journal import Journal
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Notes, does, nothing_changes, ticking
from postgres import Postgres
from tampering import rows, storied


def _told(url: str) -> dict[str, Any]:
    """Everything that a scripted session leaves, but for its number."""
    with Store.open(url, clock=ticking()) as store:
        session = storied(store)
        stored = {
            table.name: [
                {name: value for name, value in row.items() if name not in {"session_id", "name"}}
                for row in rows(session, table)
            ]
            for table in tables.metadata.sorted_tables
            if "session_id" in table.columns
        }
        head, blamed = session.verify().head, session.blame("verdict").as_dict()
        return {**stored, "head": head, "blame": blamed, "replay": session.replay()}


def test_g13_one_script_leaves_the_same_rows_and_the_same_hashes_on_both_databases(
    tmp_path: Path, postgres: Postgres, migrated: str
) -> None:
    url = postgres.create(f"results_{secrets.token_hex(4)}", template=migrated)
    on_sqlite, on_postgres = _told(str(tmp_path / "same.db")), _told(url)
    for name, value in on_sqlite.items():
        assert on_postgres[name] == value, name


def test_g13_the_hashes_depend_on_nothing_of_the_process() -> None:
    heads = set()
    for seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, state_workers.__file__, "script", "sqlite://", "0"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        heads.add(ran.stdout)
    assert len(heads) == 1


TEXTS: list[Any] = ["\x00", "a\x00b", "\ud800", "\U0001f600\udc00", "x" * 100_000]
NUMBERS: list[Any] = [-0.0, 0.1, 5e-324, 1.797e308, 1e21, 1e22, 2**53 + 1, 2**64, -(10**400), 10**4000]
KEYS: list[Any] = [
    {"\x00": 1},
    {1: "a", "1": "b"},
    {None: 1},
    {"b": 1, "a": 2},
    {"\U0001f600": 1, "\uffff": 2},
]
OTHERS: list[Any] = [float("nan"), float("inf"), b"\xff", object(), {"x", "y"}, [[[]]], (1, 2), True, None]
ODD = [*TEXTS, *NUMBERS, *KEYS, *OTHERS]


@pytest.mark.parametrize("value", ODD, ids=lambda value: type(value).__name__)
def test_g13_both_databases_accept_refuse_and_return_the_same(both: tuple[Store, Store], value: Any) -> None:
    one, other = (_answer(store, value) for store in both)
    assert one == other


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, migrated: str) -> Any:
    """A store on each database, with a clock of its own that goes alike."""
    url = postgres.create(f"accepts_{secrets.token_hex(4)}", template=migrated)
    path = str(tmp_path_factory.mktemp("same") / "accepts.db")
    with Store.open(path, clock=ticking()) as sqlite, Store.open(url, clock=ticking()) as postgresql:
        yield sqlite, postgresql


PLACES: list[Callable[[Session[Notes], Any], object]] = [
    lambda session, text: session.transact(does("set", "a", 1), text),
    lambda session, text: session.transact(does("set", "a", 1), "ana", key=text),
    lambda session, text: session.record(text, {}),
    lambda session, text: Journal(session).begin(text, 0, [intent()]),
    lambda session, text: Journal(session).begin("step", 0, [intent(text)]),
    lambda session, text: Journal(session).begin("step", 0, [intent()], note=text),
    lambda session, text: Store(session.database).create(Notes(), name=text),
]


@pytest.mark.parametrize("place", PLACES, ids=["author", "key", "kind", "step", "agent", "note", "name"])
@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "\u00e9\udc00"], ids=ascii)
def test_g13_a_name_that_one_database_cannot_hold_is_refused_by_both(
    notes: Session[Notes], place: Callable[[Session[Notes], str], object], text: str
) -> None:
    with nothing_changes(notes), pytest.raises(ValueRefused, match=r"cannot be stored|is not Unicode"):
        place(notes, text)


def test_g13_a_number_that_one_database_cannot_hold_is_refused_by_both(notes: Session[Notes]) -> None:
    with nothing_changes(notes), pytest.raises(ValueRefused, match="cannot be stored"):
        Journal(notes).begin("step", 0, [replace(intent(), input_tokens=2**63)])
    assert Journal(notes).begin("step", 0, [replace(intent(), input_tokens=2**63 - 1)]) is not None


def _answer(store: Store, value: Any) -> Any:
    session = store.create(Notes())
    try:
        with session.transaction("ana") as tx:
            tx.set("anything", value)
            tx.merge("answers", {"key": value})
    except DissensusError as error:
        return type(error), error.message, error.context.get("path")
    return session.raw(), session.log(1)[0].hash
