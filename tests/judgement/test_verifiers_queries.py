"""SQL that is asked: answers, and attacks on a SQLite file and on a PostgreSQL server."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dissensus_agents.errors import GraphError
from dissensus_agents.judgement.evidence import Evidence
from dissensus_agents.judgement.querying import MAX_SQL, queries
from dissensus_agents.judgement.witnessing import run_verifiers
from postgres import Postgres

Found = Callable[..., Evidence]

TABLES = (
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, town TEXT NOT NULL, euros INTEGER NOT NULL)",
    "INSERT INTO orders VALUES (1, 'Turin', 20), (2, 'Turin', 22), (3, 'Aosta', 9)",
)


@pytest.fixture(scope="module")
def server(postgres: Postgres) -> str:
    """A PostgreSQL database, and a login that may read one table of it."""
    url = postgres.create("shop")
    with psycopg.connect(as_login(url, "postgres"), autocommit=True) as connection:
        for statement in TABLES:
            connection.execute(statement.encode())
        connection.execute("CREATE TABLE secrets (word TEXT)")
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("GRANT SELECT ON orders TO reader")
        connection.execute("CREATE ROLE filer LOGIN IN ROLE pg_read_server_files")
    return url


@pytest.fixture
def database(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The URL that queries are asked at."""
    if backend == "postgresql":
        return as_login(request.getfixturevalue("server"), "reader")
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        for statement in TABLES:
            connection.execute(statement)
    connection.close()
    return f"sqlite:///{tmp_path}/shop.db"


def as_login(url: str, name: str) -> str:
    """The URL, with another login."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}://{name}@{rest.rpartition('@')[2]}"


@pytest.fixture
def found(database: str) -> Found:
    """What the verifier finds on a query."""

    def find(sql: Any, proposed: Any = None, state: Any = None, **settings: Any) -> Evidence:
        verdict = {"sql": sql, **(proposed or {})}
        check = queries("verdict/sql", database, **settings)
        (one,) = run_verifiers([check], {"/verdict": verdict}, state or {})
        assert "orders" in tables(database)
        return one

    return find


def tables(database: str) -> list[str]:
    """The tables that there are: an attack has taken none away."""
    if database.startswith("sqlite"):
        with sqlite3.connect(database.removeprefix("sqlite:///")) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master").fetchall()
        connection.close()
        return [row[0] for row in rows]
    with psycopg.connect(as_login(database, "postgres")) as other:
        return [row[0] for row in other.execute("SELECT tablename::text FROM pg_tables").fetchall()]


SUM = "SELECT sum(euros) AS total FROM orders"


@pytest.mark.parametrize(
    ("sql", "expects"),
    [
        (SUM, 51),
        (f"  {SUM};\n", 51),
        (f"{SUM} -- in euros", 51),
        (f"/* first */ WITH t AS ({SUM}) SELECT total FROM t", 51),
        ("SELECT town FROM orders ORDER BY id", ["Turin", "Turin", "Aosta"]),
        ("SELECT id, euros FROM orders WHERE euros < 21 ORDER BY id", [[1, 20], [3, 9]]),
        ("SELECT id, town FROM orders WHERE id = 3", {"id": 3, "town": "Aosta"}),
        ("SELECT town, id FROM orders WHERE id < 3", [{"town": "Turin", "id": n} for n in (1, 2)]),
        ("SELECT id FROM orders WHERE id > 9", []),
        ("SELECT NULL AS lacking", None),
        ("SELECT 0.5 AS half", 0.5),
        ("SELECT 'l''été' AS word", "l'été"),
    ],
)  # fmt: skip
def test_an_answer_that_was_known_decides(found: Found, sql: str, expects: Any) -> None:
    one = found(sql, expects=expects)
    assert (one.passed, one.decides) == (True, True), one.detail


@pytest.mark.parametrize(
    ("sql", "expects", "detail"),
    [
        (SUM, 50, "it gives 51, and not 50"),
        (SUM, [51, 51], "it gives [51], and not [51,51]"),
        ("SELECT id FROM orders ORDER BY id", 1, "it gives [[1],[2],[3]], and not 1"),
        ("SELECT town FROM orders ORDER BY id", ["Turin"], '["Turin","Turin","Aosta"], and not ["Turin"]'),
        ("SELECT nothing FROM orders", 1, "the query cannot be answered: "),
        ("SELEC 1", 1, "the query cannot be answered: "),
        ("", 1, "there is no query"),
        (7, 1, "there is no query"),
        (f"SELECT '{'x' * MAX_SQL}'", 1, "the query is longer than 20,000 characters, and was not asked"),
    ],
)
def test_one_that_is_not_it_has_failed(found: Found, sql: Any, expects: Any, detail: str) -> None:
    one = found(sql, expects=expects)
    assert (one.passed, one.broke) == (False, False)
    assert detail in one.detail


def test_a_claim_is_held_against_its_own_query_which_decides_nothing(found: Found) -> None:
    one = found(SUM, {"total": 51}, equals="verdict/total")
    assert (one.passed, one.decides, one.detail) == (True, False, "it gives 51")
    other = found(SUM, {"total": 50}, equals="verdict/total")
    assert (other.passed, other.detail) == (False, "it gives 51, and not 50, as /verdict/total says")
    assert found(SUM, {}, {"told": 51}, equals="told").passed
    assert found(SUM, {"total": 51.2}, equals="verdict/total", tolerance=0.01).passed
    assert found(SUM, {}, equals="verdict/total").broke


def test_without_a_claim_it_only_has_to_be_answered(found: Found) -> None:
    one = found("SELECT id FROM orders")
    assert (one.passed, one.decides, one.detail) == (True, False, "it gives 3 rows")
    assert found("SELECT id FROM orders", rows=2).detail == "it gives more than 2 rows"
    more = found("SELECT id FROM orders", rows=2, expects=[1, 2])
    assert (more.passed, more.broke) == (False, True)


WRITES = {
    "an insert": "INSERT INTO orders VALUES (9, 'Rome', 1)",
    "an update": "UPDATE orders SET euros = 0",
    "a deletion": "DELETE FROM orders",
    "a table less": "DROP TABLE orders",
    "a table more": "CREATE TABLE mine (x INTEGER)",
    "a second statement": "SELECT 1; DROP TABLE orders",
    "a second statement in a comment's place": "SELECT 1; DELETE FROM orders --",
    "a parenthesis that was not opened": "SELECT 1) AS answer; DROP TABLE orders; SELECT * FROM (SELECT 1",
    "a write that returns": "DELETE FROM orders RETURNING id",
    "the end of the transaction": "COMMIT",
    "a transaction of its own": "BEGIN",
    "an index": "CREATE INDEX mine ON orders (town)",
    "a vacuum": "VACUUM",
}

OF_SQLITE = {
    "another file": "ATTACH DATABASE '/tmp/other.db' AS other",
    "a setting": "PRAGMA query_only = OFF",
    "a setting that is read": "PRAGMA database_list",
    "a setting as a table": "SELECT * FROM pragma_database_list",
    "an extension": "SELECT load_extension('/tmp/evil.so')",
    "a file": "SELECT readfile('/etc/passwd')",
    "a file that is written": "SELECT writefile('/tmp/there', 'x')",
    "a copy": "VACUUM INTO '/tmp/there.db'",
    "a temporary table": "CREATE TEMP TABLE t AS SELECT 1",
    "the schema": "UPDATE sqlite_master SET sql = ''",
}

OF_POSTGRES = {
    "a program": "COPY orders TO PROGRAM 'id > /tmp/there'",
    "a file": "COPY orders TO '/tmp/there'",
    "a file that is read": "SELECT pg_read_file('/etc/passwd')",
    "a folder": "SELECT pg_ls_dir('/')",
    "a large object": "SELECT lo_import('/etc/passwd')",
    "another role": "SELECT set_config('role', 'postgres', true)",
    "writing again": "SELECT set_config('transaction_read_only', 'off', true)",
    "a write by way of a function": "SELECT query_to_xml('DELETE FROM orders', true, true, '')",
    "a table that is not its own": "SELECT * FROM secrets",
    "a block": "DO $$ BEGIN DELETE FROM orders; END $$",
    "a write within": "WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone",
    "a lock": "SELECT * FROM orders FOR UPDATE",
    "a setting": "SET statement_timeout = 0",
    "the configuration": "SELECT pg_reload_conf()",
}


@pytest.mark.parametrize("attack", [*WRITES, *OF_SQLITE, *OF_POSTGRES])
def test_whatever_is_no_reading_is_refused(attack: str, backend: str, found: Found) -> None:
    own = OF_SQLITE if backend == "sqlite" else OF_POSTGRES
    if attack not in {**WRITES, **own}:
        pytest.skip("of the other database")
    one = found({**WRITES, **own}[attack])
    assert not one.passed
    assert not one.broke
    assert found("SELECT count(*), sum(euros) FROM orders", expects=[[3, 51]]).passed


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"


@pytest.mark.parametrize(
    "sql", [f"{ENDLESS} SELECT count(*) FROM n", f"{ENDLESS} SELECT x FROM n ORDER BY x DESC"]
)
def test_what_goes_on_for_ever_is_ended_and_says_nothing(found: Found, sql: str) -> None:
    one = found(sql, seconds=1)
    assert (one.passed, one.broke) == (False, True), one.detail


def test_limits_that_a_query_lifts_hold_all_the_same(backend: str, found: Found) -> None:
    if backend == "sqlite":
        pytest.skip("SQLite has none to be lifted")
    begun = time.monotonic()
    late = "CASE WHEN n > 60 THEN pg_sleep(60) END FROM generate_series(1, 99) AS n"
    one = found(f"SELECT set_config('statement_timeout', '0', true), {late}", seconds=1)
    assert (one.passed, one.broke) == (False, True)
    assert time.monotonic() - begun < 30


def test_an_answer_without_end_is_not_read_to_its_end(backend: str, found: Found) -> None:
    endless = {
        "sqlite": f"{ENDLESS} SELECT x, hex(zeroblob(400)) FROM n",
        "postgresql": f"{ENDLESS} SELECT x, repeat('x', 800) FROM n",
    }
    one = found(endless[backend], rows=100_000)
    assert (one.passed, "more than" in one.detail) == (True, True)


def test_a_row_without_end_is_refused(backend: str, found: Found) -> None:
    huge = {"sqlite": "SELECT zeroblob(900000000)", "postgresql": "SELECT repeat('x', 90000000)"}
    assert not found(huge[backend]).passed


def test_nobody_elses_session_is_ended_by_a_query(server: str) -> None:
    with psycopg.connect(as_login(server, "postgres")) as other:
        sql = f"SELECT pg_terminate_backend({other.info.backend_pid})"
        (one,) = run_verifiers([queries("sql", as_login(server, "reader"))], {"/sql": sql}, {})
        assert not one.passed
        assert other.execute("SELECT 1").fetchone() == (1,)


def test_a_superusers_queries_are_not_asked_unless_you_say_so(server: str) -> None:
    for login, power in (("postgres", "is a superuser"), ("filer", "is a member of pg_read_server_files")):
        check = queries("sql", as_login(server, login))
        (one,) = run_verifiers([check], {"/sql": "SELECT pg_read_file('/etc/passwd')"}, {})
        assert (one.passed, one.broke) == (False, True)
        assert f"the login {login} {power}" in one.detail
        assert "superuser=True" in one.detail
    allowed = queries("sql", as_login(server, "postgres"), superuser=True, expects=51)
    assert run_verifiers([allowed], {"/sql": SUM}, {})[0].passed


def test_a_database_that_is_not_there_is_no_fault_of_the_query(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/none.db", "postgresql://nobody@127.0.0.1:1/none"):
        (one,) = run_verifiers([queries("sql", url, expects=1)], {"/sql": "SELECT 1"}, {})
        assert (one.passed, one.broke) == (False, True)
        assert one.detail.startswith("the database was not asked: ")


def test_what_makes_no_sense_is_refused_where_it_is_written() -> None:
    for url in ("mysql://x/y", "shop.db", "sqlite://"):
        with pytest.raises(GraphError, match="can be asked"):
            queries("sql", url)
    with pytest.raises(GraphError, match="not with both"):
        queries("sql", "sqlite:///x.db", expects=1, equals="total")
