"""Tenants of one PostgreSQL database see nothing of each other, whatever they ask."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

import dissensus_state
from by_hand import intent
from dissensus_state import migrations, tenants
from dissensus_state.engines import Database, Statement
from dissensus_state.errors import (
    Conflict,
    DatabaseFailed,
    DissensusError,
    NotFound,
    TenantRefused,
    ValueRefused,
)
from dissensus_state.journal import Journal
from dissensus_state.records import Change
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.tables import commits, metadata, sessions
from inquiries import Finding, Inquiry, Notes
from postgres import Postgres

OWNER, APP, SEER = "owner", "app", "seer"
GUARDED = tenants.guarded()
MANY = 1000


@dataclass(frozen=True)
class House:
    """A database with two tenants, and who may log in to it."""

    server: Postgres
    name: str

    def url(self, role: str = "postgres") -> str:
        return self.server.url(self.name).replace("postgres@", f"{role}@")

    def store(self, tenant: str | None, role: str = APP) -> Store:
        return Store.open(self.url(role), tenant=tenant)


@pytest.fixture(scope="module")
def roles(postgres: Postgres) -> None:
    """Who owns the tables, whom the application logs in as, and one that no policy holds."""
    with _superuser(postgres.url()) as connection:
        for command in (f"{OWNER} LOGIN", f"{APP} LOGIN", f"{SEER} LOGIN BYPASSRLS IN ROLE {APP}"):
            connection.execute(sa.text(f"CREATE ROLE {command}"))


@pytest.fixture(scope="module")
def house(postgres: Postgres, roles: None) -> Iterator[House]:
    """Two tenants, `acme` and `globex`, each with rows in every table that has a session."""
    built = _house(postgres, "tenants")
    with _superuser(built.url()) as connection:
        for name in GUARDED:
            for tenant in (1, 2):
                _fill(connection, metadata.tables[name], tenant)
        connection.execute(sa.text("ANALYZE"))
    yield built
    postgres.drop(built.name)


@pytest.fixture(scope="module")
def lived(postgres: Postgres, roles: None) -> Iterator[House]:
    """The same two tenants, with what the state itself wrote."""
    built = _house(postgres, "lived")
    yield built
    postgres.drop(built.name)


def _house(server: Postgres, name: str) -> House:
    server.create(name)
    with _superuser(server.url(name)) as connection:
        connection.execute(sa.text(f"GRANT ALL ON SCHEMA public TO {OWNER}"))
    built = House(server, name)
    Store.open(built.url(OWNER)).close()
    database = Database(built.url(OWNER))
    tenants.enable(database, APP)
    assert [tenants.add(database, name).tenant for name in ("acme", "globex")] == [1, 2]
    database.close()
    return built


def _superuser(url: str) -> Any:
    return sa.create_engine(url, poolclass=sa.pool.NullPool).begin()


def _row(table: sa.Table, session_id: int, n: int) -> dict[str, Any]:
    """A row of any table: what it says is of no matter."""
    made: dict[type, Any] = {int: n, str: f"t{n}", bytes: b"%d" % n, float: 0.5}
    return {column.name: made[column.type.python_type] for column in table.columns} | {
        "session_id": session_id
    }


def _fill(connection: sa.Connection, table: sa.Table, tenant: int) -> None:
    first = tenants.first(tenant) + 1
    of_one = table.name not in {"sessions", "ledger"}
    rows = [_row(table, first + (n % 50 if of_one else n), n) for n in range(MANY)]
    connection.execute(sa.insert(table), rows)


@pytest.fixture(scope="module")
def acme(house: House) -> Iterator[Store]:
    """The store of one of the two tenants."""
    with house.store("acme") as opened:
        yield opened


@pytest.fixture
def connection(acme: Store) -> Iterator[sa.Connection]:
    """A connection of that store, on which any SQL can be said; nothing of it stays."""
    with acme.database.engine.connect() as opened:
        yield opened


def _all_rows(house: House, table: sa.Table) -> list[Any]:
    with _superuser(house.url()) as connection:
        return list(connection.execute(sa.select(table).order_by(*table.primary_key)))


OURS = range(tenants.first(1), tenants.first(2))
THEIRS = range(tenants.first(2), tenants.first(3))


def _only_ours(numbers: sa.ScalarResult[int]) -> int:
    """How many rows there are, all of them ours."""
    found = list(numbers)
    assert all(number in OURS for number in found)
    return len(found)


@pytest.mark.parametrize("name", GUARDED)
def test_a_tenant_reads_its_own_rows_alone(name: str, house: House, connection: sa.Connection) -> None:
    table = metadata.tables[name]
    theirs = next(row for row in _all_rows(house, table) if row.session_id in THEIRS)
    key = [column == theirs._mapping[column.name] for column in table.primary_key]
    assert _only_ours(connection.scalars(sa.select(table.c.session_id))) == MANY
    assert connection.execute(sa.select(table).where(*key)).all() == []
    assert connection.scalar(sa.text(f"SELECT count(*) FROM {name} WHERE session_id >= {THEIRS.start}")) == 0
    assert _only_ours(connection.scalars(sa.text(f"SELECT session_id FROM {name} t ORDER BY t"))) == MANY


@pytest.mark.parametrize("name", GUARDED)
def test_a_tenant_changes_and_removes_its_own_rows_alone(
    name: str, house: House, connection: sa.Connection
) -> None:
    table = metadata.tables[name]
    before = _all_rows(house, table)
    for change in (sa.update(table).values(session_id=table.c.session_id), sa.delete(table)):
        there = change.where(table.c.session_id >= THEIRS.start)
        assert connection.execute(there).rowcount == 0
    assert connection.execute(sa.delete(table)).rowcount == MANY
    connection.commit()
    try:
        assert _all_rows(house, table) == [row for row in before if row.session_id in THEIRS]
    finally:
        with _superuser(house.url()) as again:
            again.execute(sa.insert(table), [row._asdict() for row in before if row.session_id in OURS])
    assert _all_rows(house, table) == before


@pytest.mark.parametrize("name", GUARDED)
def test_a_tenant_puts_nothing_among_the_rows_of_another_and_does_not_learn_what_is_there(
    name: str, house: House, connection: sa.Connection
) -> None:
    table = metadata.tables[name]
    there = next(row for row in _all_rows(house, table) if row.session_id in THEIRS)
    free = _row(table, THEIRS.start + 10**6, 1)
    own = sa.update(table).values(session_id=THEIRS.start + 10**6)
    either = postgresql.insert(table)
    said = {
        _refused(connection, statement, values)
        for statement, values in (
            (sa.insert(table), free),
            (sa.insert(table), there._asdict()),
            (either.on_conflict_do_nothing(), there._asdict()),
            (either.on_conflict_do_update(index_elements=table.primary_key, set_={"session_id": 1}), free),
            (own, {}),
        )
    }
    assert said == {f'new row violates row-level security policy for table "{name}"'}


def _refused(connection: sa.Connection, statement: sa.Executable, values: dict[str, Any]) -> str:
    """What the database says to a statement that it refuses, of which nothing stays."""
    with pytest.raises(sa.exc.ProgrammingError) as caught, connection.begin_nested():
        connection.execute(statement, values or None)
    return str(caught.value.orig).strip().splitlines()[0]


@pytest.mark.parametrize("name", GUARDED)
def test_no_way_leads_round_the_policies(name: str, connection: sa.Connection) -> None:
    copied = connection.connection.cursor()
    with copied.copy(f"COPY {name} (session_id) TO STDOUT") as rows:
        assert sum(int(number) in OURS for (number,) in rows.rows()) == MANY
    for command in (
        f"TRUNCATE {name}",
        f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY",
        f"DROP POLICY dissensus_tenant ON {name}",
    ):
        assert "permission denied" in (said := _refused(connection, sa.text(command), {})) or (
            "must be owner" in said
        )
    connection.execute(sa.text("SET LOCAL row_security = off"))
    assert "would be affected by row-level security" in _refused(
        connection, sa.text(f"SELECT session_id FROM {name}"), {}
    )


@pytest.mark.parametrize("role", [APP, OWNER])
@pytest.mark.parametrize("name", GUARDED)
def test_a_connection_that_is_no_tenants_sees_no_row_at_all(name: str, role: str, house: House) -> None:
    table = metadata.tables[name]
    with _superuser(house.url(role)) as connection:
        for command in ("SELECT 1", "SET LOCAL dissensus.tenant = ''", "RESET ALL"):
            connection.execute(sa.text(command))
            assert connection.execute(sa.select(table)).all() == []
            assert connection.execute(sa.delete(table)).rowcount == 0
            _refused(connection, sa.insert(table), _row(table, OURS.start + 10**6, 1))


def test_every_table_that_has_a_session_is_guarded_once_there_are_tenants(house: House) -> None:
    with _superuser(house.url()) as connection:
        found = connection.execute(
            sa.text(
                """SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, p.polcmd, p.polpermissive
                FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                LEFT JOIN pg_policy p ON p.polrelid = c.oid
                WHERE a.attname = 'session_id' AND c.relkind IN ('r', 'p')"""
            )
        ).all()
    assert sorted(found) == [(name, True, True, "*", True) for name in GUARDED]


def test_tenants_use_the_same_names_and_see_their_own_sessions_alone(lived: House) -> None:
    with lived.store("acme") as acme, lived.store("globex") as globex:
        ours, theirs = acme.create(Notes(a=1), name="plan"), globex.create(Notes(a=2), name="plan")
        assert (acme.session("plan", Notes).state.a, globex.session("plan", Notes).state.a) == (1, 2)
        assert ours.session_id in OURS
        assert theirs.session_id in THEIRS
        with pytest.raises(Conflict, match="There is a session 'plan' already"):
            acme.create(Notes(), name="plan")
        globex.create(Notes(), name="secret")
        with pytest.raises(NotFound):
            acme.session("secret")
        assert {info.name for info in acme.sessions()} & {info.name for info in globex.sessions()} >= {"plan"}


ASKED: dict[str, Callable[[Session[Inquiry]], object]] = {
    "state": lambda session: session.state,
    "raw": lambda session: session.raw(0),
    "at": lambda session: session.at(0),
    "log": lambda session: session.log(),
    "commit_at": lambda session: session.commit_at(0),
    "diff": lambda session: session.diff(0, 1),
    "blame": lambda session: session.blame("/findings"),
    "versions": lambda session: list(session.versions()),
    "verify": lambda session: session.verify(),
    "replay": lambda session: session.replay(),
    "rounds": lambda session: session.rounds(),
    "round": lambda session: session.round(1),
    "events": lambda session: session.events(),
    "budget": lambda session: session.budget,
    "record": lambda session: session.record("note", {}),
    "set_budget": lambda session: session.set_budget(5),
    "take_lease": lambda session: session.take_lease(),
    "begin": lambda session: Journal(session).begin("gather", 1, [intent()]),
    "commit": lambda session: session.commit(Change("ana", (), 1)),
}


@pytest.mark.parametrize("asked", ASKED)
def test_a_guessed_number_of_another_tenants_session_is_to_us_like_one_that_nobody_has(
    asked: str, lived: House
) -> None:
    with lived.store("globex") as globex, lived.store("acme") as acme:
        theirs = globex.create(Inquiry())
        with theirs.transaction("scout", "gather") as tx:
            tx.append("findings", Finding(text="The valve was open"))
        theirs.record("note", {"of": "theirs"})
        Journal(theirs).begin("gather", 1, [intent()])
        before = _told(globex.database, theirs.session_id)
        answers = [
            _answer(
                ASKED[asked], Session(acme.database, replace(theirs.info, session_id=number), theirs.shape)
            )
            for number in (theirs.session_id, OURS.stop - 1)
        ]
        assert answers[0] == answers[1]
        assert _told(globex.database, theirs.session_id) == before
        assert answers[0] != _answer(ASKED[asked], theirs)


def _answer(ask: Callable[[Session[Inquiry]], object], session: Session[Inquiry]) -> str:
    """What comes of asking, whether an answer or an error."""
    try:
        return repr(ask(session))
    except DissensusError as error:
        return repr(error.as_dict())


def _told(database: Database, session_id: int) -> list[Any]:
    """All that the tables hold of a session."""
    with database.reading() as work:
        return [
            work.all(Statement(sa.select(table).where(table.c.session_id == session_id)))
            for table in map(metadata.tables.get, GUARDED)
            if table is not None
        ]


def test_what_is_numbered_at_once_is_numbered_apart(lived: House) -> None:
    def make(tenant: str) -> list[int]:
        with lived.store(tenant) as opened:
            return [opened.create(Notes()).session_id for _ in range(10)]

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(make, ["acme", "globex"] * 4))
    ours = sorted(number for one in numbers[::2] for number in one)
    theirs = sorted(number for one in numbers[1::2] for number in one)
    for found, own in ((ours, OURS), (theirs, THEIRS)):
        assert found == list(range(found[0], found[0] + 40))
        assert found[0] in own


@pytest.mark.parametrize("said", ["SELECT 1", "RESET ALL", "DISCARD ALL", "SELECT 1 / 0"])
def test_a_connection_is_the_tenants_again_after_an_error_and_after_a_reset(said: str, lived: House) -> None:
    statement = Statement(sa.text(said))
    with lived.store("globex") as globex:
        for _ in range(3):
            with suppress(DatabaseFailed), globex.database.writing() as work:
                work.run(Statement(sa.text("SET LOCAL dissensus.tenant = '1'")))
                work.run(statement)
                raise DatabaseFailed
            with suppress(DatabaseFailed), globex.database.reading() as work:
                work.all(statement)
            with globex.database.reading() as work:
                seen = [number for (number,) in work.all(Statement(sa.select(commits.c.session_id)))]
            assert {number in THEIRS for number in seen} == {True}


def test_a_role_that_would_see_all_tenants_is_refused(house: House) -> None:
    for role, what in ((SEER, "has BYPASSRLS"), ("postgres", "is a superuser")):
        with pytest.raises(TenantRefused, match=f"The role '{role}' {what}") as caught:
            house.store("acme", role)
        assert "CREATE ROLE app LOGIN" in caught.value.next_step
        database = Database(house.url(OWNER))
        with pytest.raises(TenantRefused, match=what), closing(database):
            tenants.enable(database, role)


def test_the_owner_of_the_tables_is_held_to_them_too(house: House) -> None:
    with house.store("acme", OWNER) as acme, acme.database.reading() as work:
        seen = [number for (number,) in work.all(Statement(sa.select(commits.c.session_id)))]
    assert {number in OURS for number in seen} == {True}


def test_what_cannot_be_opened_for_a_tenant_says_why_and_what_to_do(
    house: House, tmp_path: Path, postgres: Postgres
) -> None:
    plain = postgres.create("no_tenants")
    file = str(tmp_path / "new.db")
    for url, tenant, why, then in (
        (house.url(APP), None, "none was named", "--tenant NAME"),
        (house.url(), None, "none was named", "--tenant NAME"),
        (house.url(APP), "nobody", "There is no tenant 'nobody'", "tenants add"),
        (house.url(APP), "' OR true --", "There is no tenant", "tenants add"),
        (plain, "acme", "has no tenants", "tenants enable"),
        (file, "acme", "no row-level security", "a file of its own"),
    ):
        with pytest.raises(TenantRefused, match=why) as caught:
            Store.open(url, tenant=tenant)
        assert then in caught.value.next_step
        assert caught.value.code == "tenant.refused"
    assert not Path(file).exists()


@pytest.mark.parametrize("name", ["", " acme", "a\nb", "a\x00b", "a" * 201, "\ud800"])
def test_a_name_that_cannot_be_shown_is_no_tenants(name: str, house: House) -> None:
    with closing(Database(house.url(OWNER))) as database, pytest.raises(ValueRefused):
        tenants.add(database, name)
    with pytest.raises(ValueRefused):
        house.store(name)


def test_the_owner_makes_and_lists_tenants_and_the_application_does_not(house: House) -> None:
    with closing(Database(house.url(OWNER))) as database:
        assert [one.name for one in tenants.listing(database)] == ["default", "acme", "globex"]
        with pytest.raises(Conflict, match="There is a tenant 'acme' already"):
            tenants.add(database, "acme")
    with closing(Database(house.url(APP))) as database:
        for administer in (tenants.listing, partial(tenants.add, name="third")):
            with pytest.raises(TenantRefused, match="The role 'app' does not look after"):
                administer(database)
        with database.reading() as work:
            assert work.all(Statement(sa.select(metadata.tables["tenants"]))) == []


@pytest.fixture
def plain(postgres: Postgres, roles: None) -> Iterator[House]:
    """A database without tenants, with a session in it, that `owner` owns."""
    postgres.create("plain")
    with _superuser(postgres.url("plain")) as connection:
        connection.execute(sa.text(f"GRANT ALL ON SCHEMA public TO {OWNER}"))
    built = House(postgres, "plain")
    with built.store(None, OWNER) as store:
        store.create(Notes(a=1), name="before")
    yield built
    postgres.drop("plain")


def test_what_was_there_before_there_were_tenants_is_the_defaults(plain: House) -> None:
    with plain.store(None, OWNER) as before, closing(Database(plain.url(OWNER))) as database:
        for _ in range(2):
            tenants.enable(database, APP)
        assert before.sessions() == []
        with plain.store("default") as store:
            assert store.session("before", Notes).state.a == 1
            assert store.create(Notes()).session_id == 2
        tenants.add(database, "acme")
        with plain.store("acme") as store:
            assert store.sessions() == []
            assert store.create(Notes(), name="before").session_id == tenants.first(1) + 1


def test_tenants_are_enabled_whole_or_not_at_all(plain: House) -> None:
    with closing(Database(plain.url(OWNER))) as database:
        with pytest.raises(DatabaseFailed, match='role "nobody there" does not exist'):
            tenants.enable(database, "nobody there")
        with pytest.raises(TenantRefused, match="has no tenants"):
            tenants.listing(database)
    with plain.store(None, OWNER) as store:
        assert store.session("before", Notes).state.a == 1


def test_a_database_that_is_guarded_in_part_is_not_opened_until_it_is_mended(plain: House) -> None:
    with closing(Database(plain.url(OWNER))) as database:
        tenants.enable(database, APP)
        with _superuser(plain.url()) as connection:
            connection.execute(sa.text("ALTER TABLE rulings NO FORCE ROW LEVEL SECURITY"))
        for tenant in ("default", None):
            with pytest.raises(TenantRefused, match="but not in rulings") as caught:
                plain.store(tenant)
            assert "tenants enable" in caught.value.next_step
        tenants.enable(database)
    plain.store("default").close()


def test_a_table_that_an_upgrade_makes_is_guarded_and_may_be_used(plain: House) -> None:
    with closing(Database(plain.url(OWNER))) as database:
        tenants.enable(database, APP)
        with database.engine.begin() as connection:
            connection.execute(sa.text("DROP TABLE tags"))
            metadata.tables["tags"].create(connection)
        migrations.upgrade(database)
    with plain.store("default") as store, store.database.reading() as work:
        assert work.all(Statement(sa.select(metadata.tables["tags"]))) == []


CHANGES_ROWS = """
from alembic import op

revision, down_revision = "0099", "{head}"


def upgrade():
    op.execute("UPDATE sessions SET created_at = 7")
"""


def test_an_upgrade_that_would_pass_tenants_by_is_refused(
    plain: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions/0099_change.py").write_text(CHANGES_ROWS.format(head=migrations.HEAD))
    monkeypatch.setattr(migrations, "folder", lambda: folder)
    with closing(Database(plain.url(OWNER))) as database:
        tenants.enable(database, APP)
        with pytest.raises(TenantRefused, match="sees no row that is to be changed") as caught:
            migrations.upgrade(database)
        assert "BYPASSRLS" in caught.value.next_step
        assert migrations.revision(database) == migrations.HEAD
    with closing(Database(plain.url())) as database:
        migrations.upgrade(database)
        with database.reading() as work:
            assert work.all(Statement(sa.select(sessions.c.created_at))) == [(7,)]


_VALUES: dict[type, Any] = {str: "t1", bytes: b"1"}


def _statements() -> dict[str, Statement]:
    """Every statement of the state that asks for the rows of one session."""
    found = {}
    for module in pkgutil.iter_modules(dissensus_state.__path__, "dissensus_state."):
        if not module.ispkg and not module.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, Statement):
                    found[f"{module.name.rpartition('.')[2]}.{name}"] = value
    return found


@pytest.mark.parametrize("name", sorted(_statements()))
def test_the_policies_cost_no_statement_its_index(name: str, acme: Store) -> None:
    database = acme.database
    core = _statements()[name]._core
    core = core["postgresql"] if isinstance(core, dict) else core
    text = str(core.compile(dialect=postgresql.dialect(paramstyle="named")))
    if "session_id = " not in text:
        pytest.skip("it does not ask for one session")
    with database.engine.connect() as connection:
        compiled = core.compile(dialect=connection.dialect)
        values = {
            name: OURS.start + 1
            if name.startswith("session_id")
            else _VALUES.get(parameter.type.python_type, 1)
            for name, parameter in compiled.binds.items()
            if parameter.required
        }
        plan = connection.exec_driver_sql(f"EXPLAIN {compiled}", compiled.construct_params(values))
        lines = [line for (line,) in plan]
    assert not [line for line in lines if "Seq Scan" in line], lines
    assert any("Index Cond" in line or "Insert on" in line for line in lines), lines
