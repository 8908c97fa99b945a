"""Statements that stand for themselves, and what is known of a commit whose answer is lost."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa

from cutting import Wire
from dissensus_state.engines import Database, Statement, insert
from dissensus_state.errors import DatabaseFailed, OutcomeUnknown, ValueRefused
from postgres import Postgres

_words = sa.Table(
    "words",
    sa.MetaData(),
    sa.Column("n", sa.BigInteger, primary_key=True),
    sa.Column("word", sa.Text, nullable=False),
    sa.Column("digest", sa.LargeBinary),
)
_insert = insert(_words)
_all = Statement(sa.select(_words.c.n, _words.c.word, _words.c.digest).order_by(_words.c.n))
_count = Statement(sa.select(sa.func.count()).select_from(_words))
_rename = Statement(sa.update(_words).where(_words.c.n >= sa.bindparam("least")).values(word="new"))
_claim = Statement(
    sa.update(_words)
    .where(_words.c.n == sa.bindparam("which"), _words.c.word == "free")
    .values(word=sa.bindparam("to"))
    .returning(_words.c.n, _words.c.word)
)


def _made(url: str) -> Database:
    database = Database(url)
    with database.exclusively(), database.engine.begin() as connection:
        _words.metadata.create_all(connection)
    database.keep_wal()
    return database


@pytest.fixture
def database(empty_database_url: str) -> Iterator[Database]:
    with closing(_made(empty_database_url)) as made:
        yield made


def test_a_statement_alone_is_committed_and_seen_by_all(database: Database) -> None:
    assert database.alone(_insert, n=1, word="free", digest=b"\x00\xff") == 1
    assert database.peek(_all) == (1, "free", b"\x00\xff")
    with closing(Database(database.url.render_as_string(hide_password=False))) as other:
        assert other.peek(_count) == (1,)
    assert database.alone(_rename, least=0) == 1
    assert database.alone(_rename, least=2) == 0


def test_a_statement_alone_gives_the_row_that_it_returns(database: Database) -> None:
    database.alone(_insert, n=1, word="free", digest=None)
    assert database.alone_one(_claim, which=1, to="mine") == (1, "mine")
    assert database.alone_one(_claim, which=1, to="yours") is None
    assert database.peek(_all) == (1, "mine", None)


def test_a_statement_alone_in_memory_does_the_same() -> None:
    with closing(_made("sqlite://")) as database:
        database.alone(_insert, n=1, word="free", digest=None)
        assert database.alone_one(_claim, which=1, to="mine") == (1, "mine")
        assert database.peek(_all) == (1, "mine", None)


def test_a_peek_that_finds_nothing_is_none_and_pins_nothing(database: Database) -> None:
    assert database.peek(_all) is None
    for n in range(3):
        database.alone(_insert, n=n, word="w", digest=None)
        assert database.peek(_count) == (n + 1,)
        assert database.peek(_all) == (0, "w", None)


def test_a_peek_sees_nothing_of_an_open_transaction(database: Database) -> None:
    with database.writing() as work:
        work.run(_insert, n=1, word="w", digest=None)
        assert database.peek(_count) == (0,)
    assert database.peek(_count) == (1,)


def test_a_statement_alone_that_fails_leaves_nothing_and_says_so(database: Database) -> None:
    database.alone(_insert, n=1, word="w", digest=None)
    with pytest.raises(DatabaseFailed, match="; nothing was committed") as caught:
        database.alone(_insert, n=1, word="again", digest=None)
    assert type(caught.value) is DatabaseFailed
    with pytest.raises(DatabaseFailed, match="; nothing was committed"), database.writing() as work:
        work.run(_insert, n=2, word="w", digest=None)
        work.run(_insert, n=1, word="again", digest=None)
    assert database.peek(_count) == (1,)


@pytest.mark.parametrize("value", ["\x00", "a\ud800", 2**63, -(2**63) - 1])
def test_g13_a_value_that_one_database_cannot_hold_is_refused_by_both(
    database: Database, value: object
) -> None:
    for call in (database.alone, database.alone_one, database.peek):
        with pytest.raises(ValueRefused, match="cannot be stored"):
            call(_claim, which=1, to=value)


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 0])
def test_g13_the_largest_integers_come_back(database: Database, value: int) -> None:
    database.alone(_insert, n=value, word="w" * 100_000, digest=b"")
    assert database.peek(_all) == (value, "w" * 100_000, b"")


@pytest.fixture
def wired(postgres: Postgres) -> Iterator[tuple[Database, Wire]]:
    """A PostgreSQL database at the end of a wire that can be cut."""
    name = f"wired_{secrets.token_hex(4)}"
    url = sa.make_url(postgres.create(name))
    assert url.port is not None
    with Wire(url.port) as wire, closing(_made(str(url.set(port=wire.port)))) as database:
        yield database, wire
    postgres.drop(name)


def _insert_in_a_transaction(database: Database, n: int) -> None:
    with database.writing() as work:
        work.run(_insert, n=n, word="paid for", digest=None)


def _made_at_last(database: Database) -> bool:
    """Whether the row comes to be there: the client hears that its line is cut before the server is done."""
    return any(database.peek(_count) == (1,) or time.sleep(0.01) for _ in range(1000))


def test_a_commit_whose_answer_is_lost_is_told_to_be_unknown(wired: tuple[Database, Wire]) -> None:
    database, wire = wired
    wire.word = b"COMMIT"
    with pytest.raises(OutcomeUnknown, match="did not answer whether the commit was made") as caught:
        _insert_in_a_transaction(database, 1)
    assert (caught.value.code, caught.value.exit_code) == ("database.outcome_unknown", 21)
    assert "idempotency key" in caught.value.next_step
    assert _made_at_last(database)


def test_a_statement_alone_whose_answer_is_lost_is_told_to_be_unknown(wired: tuple[Database, Wire]) -> None:
    database, wire = wired
    wire.word = b"paid for"
    with pytest.raises(OutcomeUnknown):
        database.alone(_insert, n=1, word="paid for", digest=None)
    assert _made_at_last(database)


def test_a_connection_that_breaks_before_the_commit_has_committed_nothing(
    wired: tuple[Database, Wire],
) -> None:
    database, wire = wired
    wire.word = b"paid for"
    with pytest.raises(DatabaseFailed, match="; nothing was committed") as caught:
        _insert_in_a_transaction(database, 1)
    assert not isinstance(caught.value, OutcomeUnknown)
    assert database.peek(_count) == (0,)


def test_a_commit_that_the_server_refuses_is_known_to_have_failed(wired: tuple[Database, Wire]) -> None:
    database, _ = wired
    with database.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE words ADD UNIQUE (word) DEFERRABLE INITIALLY DEFERRED"))
    _insert_in_a_transaction(database, 1)
    with pytest.raises(DatabaseFailed, match="; nothing was committed") as caught:
        _insert_in_a_transaction(database, 2)
    assert not isinstance(caught.value, OutcomeUnknown)
    assert database.peek(_count) == (1,)


def test_connections_on_which_the_server_has_hung_up_are_replaced_unseen(
    wired: tuple[Database, Wire],
) -> None:
    database, _ = wired
    assert database.peek(_count) == (0,)
    with database.engine.connect() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    (line,) = database._connections._idle
    assert line.poll.poll(10_000)  # the news has come
    _insert_in_a_transaction(database, 1)
    assert database.peek(_count) == (1,)


def test_a_forked_child_asks_the_server_on_connections_of_its_own(database: Database) -> None:
    database.alone(_insert, n=1, word="parent", digest=None)
    child = os.fork()
    if child == 0:
        database.alone(_insert, n=2, word="child", digest=None)
        database.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert database.peek(_count) == (2,)
    _insert_in_a_transaction(database, 3)


def test_a_child_forked_in_a_transaction_cannot_end_it(database: Database) -> None:
    child = None
    try:
        with database.writing() as work:
            work.run(_insert, n=1, word="parent", digest=None)
            child = os.fork()
    except DatabaseFailed as error:
        os._exit(0 if "forked in the middle of a" in error.message else 1)
    finally:
        if child == 0:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert database.peek(_count) == (1,)


def test_the_patience_of_an_address_is_the_one_that_counts(postgres: Postgres) -> None:
    with closing(Database(postgres.url() + "?connect_timeout=3")) as database:
        assert database.peek(Statement(sa.select(sa.literal(1)))) == (1,)
