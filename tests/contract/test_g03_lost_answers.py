"""G3: the line to the database is cut in the middle of a commit; the same key finds out what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from dissensus_state import postgresql
from dissensus_state.errors import DatabaseFailed, OutcomeUnknown
from dissensus_state.records import Commit
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Notes
from postgres import Postgres
from proxy import Cut, Proxy

CUTS: list[Cut] = ["request", "answer", "reset"]

CHANGES = 10
"""More than a commit sends."""

SMALL, LARGE = 1, 70_000
"""A commit that is one statement, and one that is a transaction."""


@pytest.fixture
def proxy(postgres: Postgres, migrated: str) -> Iterator[Proxy]:
    """A line to a database of its own."""
    with Proxy(postgres.create("behind_a_proxy", template=migrated)) as line:
        yield line
    postgres.drop("behind_a_proxy")


@pytest.fixture
def notes(proxy: Proxy) -> Iterator[Session[Notes]]:
    """A session that is reached through the proxy."""
    with Store.open(proxy.url) as store:
        yield store.create(Notes())


def _commit(session: Session[Notes], line: str, size: int) -> Commit:
    with session.transaction("ana", key=line) as tx:
        tx.set("a", tx.read("a") + 1)
        tx.set("text", line * size)
        tx.append("lines", line)
    assert tx.commit is not None
    return tx.commit


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("cut", CUTS)
def test_g03_wherever_the_line_is_cut_in_a_commit_the_error_says_what_is_known_and_a_retry_makes_it_once(
    proxy: Proxy, notes: Session[Notes], cut: Cut, size: int
) -> None:
    unknown, landed, belied, went_through = 0, 0, 0, 0
    for number in range(CHANGES):
        try:
            with proxy.losing(number, cut):
                _commit(notes, str(number), size)
        except DatabaseFailed as error:
            there = notes.head == number + 1
            unknown += isinstance(error, OutcomeUnknown)
            landed += there and isinstance(error, OutcomeUnknown)
            belied += there and not isinstance(error, OutcomeUnknown)
        else:
            went_through += 1
        assert _commit(notes, str(number), size).version == notes.head == number + 1
    assert unknown > 0
    assert belied == 0
    assert landed == (0 if cut == "request" else unknown)
    assert 0 < went_through < CHANGES
    assert notes.state.lines == [str(number) for number in range(CHANGES)]
    assert notes.state.a == CHANGES
    assert notes.verify().versions == notes.replay().versions == CHANGES + 1


def test_g03_an_unknown_outcome_is_told_with_what_to_do_about_it(proxy: Proxy, notes: Session[Notes]) -> None:
    told: list[DatabaseFailed] = []
    for number in range(CHANGES):
        with suppress(DatabaseFailed), _kept(told), proxy.losing(number, "answer"):
            _commit(notes, str(number), LARGE)
    unknown = [error for error in told if isinstance(error, OutcomeUnknown)]
    surely = [error for error in told if error not in unknown]
    assert {(error.code, error.exit_code) for error in unknown} == {("database.outcome_unknown", 21)}
    assert {error.context["session"] for error in told} == {notes.name}
    assert all("did not answer whether the commit was made" in error.message for error in unknown)
    assert all("under the same idempotency key" in error.next_step for error in unknown)
    assert unknown
    assert surely
    assert all(error.message.endswith("nothing was committed") for error in surely)


@contextmanager
def _kept(errors: list[DatabaseFailed]) -> Iterator[None]:
    try:
        yield
    except DatabaseFailed as error:
        errors.append(error)
        raise


def test_a_server_that_accepts_and_says_nothing_is_given_up(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "CONNECT_SECONDS", 2)
    proxy.silent = True
    began = time.monotonic()
    with pytest.raises(DatabaseFailed, match="timeout"):
        Store.open(proxy.url)
    assert time.monotonic() - began < 3
