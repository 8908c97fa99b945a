"""Stores of two tenants in one PostgreSQL database, and those who look after them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from by_hand import answered, intent
from dissensus_state import migrations, policies, tenants
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
from houses import GUARDED, OURS, THEIRS, House, built, logged_in, row
from inquiries import Finding, Inquiry, Notes
from migrating import migrate
from postgres import Postgres


@pytest.fixture(scope="module")
def lived(postgres: Postgres) -> Iterator[House]:
    """Two tenants, `acme` and `globex`, with what the state itself writes."""
    with built(postgres, "lived", "acme", "globex") as made:
        yield made


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
    "watch": lambda session: list(session.watch(-1, timeout=0)),
    "rounds": lambda session: session.rounds(),
    "round": lambda session: session.round(1),
    "events": lambda session: session.events(),
    "budget": lambda session: session.budget,
    "record": lambda session: session.record("note", {}),
    "set_budget": lambda session: session.set_budget(5),
    "take_lease": lambda session: session.take_lease(),
    "fork": lambda session: session.fork("idea", 0),
    "close_branch": lambda session: session.close_branch(),
    "branches": lambda session: session.branches(),
    "tag": lambda session: session.tag("first", 0),
    "remove_tag": lambda session: session.remove_tag("first"),
    "tags": lambda session: session.tags(),
    "merge": lambda session: session.merge("other", author="ana"),
    "conflicts": lambda session: session.conflicts(),
    "settle": lambda session: session.settle(1, "ours", author="ana"),
    "revert": lambda session: session.revert(1, author="ana"),
    "begin": lambda session: Journal(session).begin("gather", 1, [intent()]),
    "commit": lambda session: session.commit(Change("ana", (), 1)),
    "documents": lambda session: session.library.documents(),
    "passage": lambda session: session.library.passage("log.txt", 1),
    "search": lambda session: session.library.search("valve"),
    "add": lambda session: session.library.add("log.txt", "text", [("line 1", "The valve")], b"other"),
    "verify the library": lambda session: session.library.verify(),
    "index again": lambda session: session.library.index_again(),
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
        theirs.tag("first", 0)
        for session in (theirs.fork("other"), theirs):
            with session.transaction("scout", "gather") as tx:
                tx.merge("answers", {"why": session.branch})
        theirs.merge("other", author="ana")
        theirs.library.add("log.txt", "text", [("line 1", "The valve was open")], b"log")
        Journal(theirs).begin("gather", theirs.head, [intent()])
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
            sorted(work.all(Statement(sa.select(table).where(table.c.session_id == session_id))), key=repr)
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


def test_a_role_that_would_see_all_tenants_is_refused(lived: House) -> None:
    for role, what in (("seer", "has BYPASSRLS"), ("postgres", "is a superuser")):
        with pytest.raises(TenantRefused, match=f"The role '{role}' {what}") as caught:
            lived.store("acme", role)
        assert "CREATE ROLE app LOGIN" in caught.value.next_step
        for give in (tenants.enable, partial(tenants.bind, name="acme")):
            with lived.database() as database, pytest.raises(TenantRefused, match=what):
                give(database, role=role)


def test_a_role_that_can_become_another_is_bound_to_no_tenant(lived: House) -> None:
    with lived.database() as database:
        with pytest.raises(TenantRefused, match="The role 'member' is a member of 'app'"):
            tenants.bind(database, "acme", "member")
        with pytest.raises(NotFound, match="There is no tenant 'nobody'"):
            tenants.bind(database, "nobody", "acme_app")
        with pytest.raises(DatabaseFailed, match='role "nobody" does not exist'):
            tenants.bind(database, "acme", "nobody")
        for _ in range(2):
            tenants.bind(database, "acme", "acme_app")
        with pytest.raises(Conflict, match="The role 'acme_app' is bound to another tenant"):
            tenants.bind(database, "globex", "acme_app")
    lived.store("acme", "acme_app").close()
    with pytest.raises(TenantRefused, match="There is no tenant 'globex'"):
        lived.store("globex", "acme_app")


def test_an_answer_is_used_again_by_its_own_tenant_and_by_no_other(lived: House) -> None:
    question = replace(intent(), key=b"q" * 32)
    found: dict[str, list[str]] = {}
    for name in ("acme", "globex", "acme", "globex"):
        with lived.store(name) as store:
            journal = Journal(store.create(Notes()))
            begun = journal.begin("gather", 0, [question])
            assert begun is not None
            (call,) = begun[1]
            found.setdefault(name, []).append(call.status)
            if call.status == "sent":
                journal.settle([answered(call, f"what {name} was told")])
            else:
                assert call.answer == f"what {name} was told"
    assert found == {"acme": ["sent", "answered"], "globex": ["sent", "answered"]}


def test_the_owner_of_the_tables_is_held_to_them_too(lived: House) -> None:
    for tenant in ("acme", "globex"):
        with lived.store(tenant) as store:
            store.create(Notes())
    with lived.store("acme", "owner") as acme, acme.database.reading() as work:
        seen = [number for (number,) in work.all(Statement(sa.select(commits.c.session_id)))]
    assert {number in OURS for number in seen} == {True}


def test_what_cannot_be_opened_for_a_tenant_says_why_and_what_to_do(
    lived: House, plain: House, tmp_path: Path
) -> None:
    file = str(tmp_path / "new.db")
    for url, tenant, why, then in (
        (lived.url("app"), None, "none was named", "--tenant NAME"),
        (lived.url(), None, "none was named", "--tenant NAME"),
        (lived.url("app"), "nobody", "There is no tenant 'nobody'", "tenants add"),
        (lived.url("app"), "' OR true --", "There is no tenant", "tenants add"),
        (plain.url(), "acme", "has no tenants", "tenants enable"),
        (file, "acme", "no row-level security", "a file of its own"),
    ):
        with pytest.raises(TenantRefused, match=why) as caught:
            Store.open(url, tenant=tenant)
        assert then in caught.value.next_step
        assert caught.value.code == "tenant.refused"
    assert not Path(file).exists()


@pytest.mark.parametrize("name", ["", " acme", "a\nb", "a\x00b", "a" * 201, "\ud800"])
def test_a_name_that_cannot_be_shown_is_no_tenants(name: str, lived: House) -> None:
    with lived.database() as database, pytest.raises(ValueRefused):
        tenants.add(database, name)
    with pytest.raises(ValueRefused):
        lived.store(name)


def test_the_owner_makes_and_lists_tenants_and_the_application_does_not(lived: House) -> None:
    with lived.database() as database:
        assert [one.name for one in tenants.listing(database)] == ["default", "acme", "globex"]
        with pytest.raises(Conflict, match="There is a tenant 'acme' already"):
            tenants.add(database, "acme")
    with lived.database("app") as database:
        for administer in (tenants.listing, partial(tenants.add, name="third")):
            with pytest.raises(TenantRefused, match="The role 'app' does not look after"):
                administer(database)
        with database.reading() as work:
            assert work.all(Statement(sa.select(metadata.tables["tenants"]))) == []


@pytest.fixture
def plain(postgres: Postgres) -> Iterator[House]:
    """A database without tenants, with a session in it, that `owner` owns."""
    with built(postgres, "plain") as made:
        with made.store(None, "owner") as store:
            store.create(Notes(a=1), name="before")
        yield made


def test_what_was_there_before_there_were_tenants_is_the_defaults(plain: House) -> None:
    with plain.store(None, "owner") as before, plain.database() as database:
        for _ in range(2):
            tenants.enable(database, "app")
        assert before.sessions() == []
        with plain.store("default") as store:
            assert store.session("before", Notes).state.a == 1
            assert store.create(Notes()).session_id == 2
        tenants.add(database, "acme")
        with plain.store("acme") as store:
            assert store.sessions() == []
            assert store.create(Notes(), name="before").session_id == policies.first(1) + 1


def test_tenants_are_enabled_whole_or_not_at_all(plain: House) -> None:
    with plain.database() as database:
        with pytest.raises(DatabaseFailed, match='role "nobody there" does not exist'):
            tenants.enable(database, "nobody there")
        with pytest.raises(TenantRefused, match="has no tenants"):
            tenants.listing(database)
    with plain.store(None, "owner") as store:
        assert store.session("before", Notes).state.a == 1


def test_who_may_not_make_tenants_or_not_now_is_told_what_to_do(
    plain: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with plain.database("app") as database, pytest.raises(DatabaseFailed, match="must be owner") as caught:
        tenants.enable(database)
    assert "the tables' owner" in caught.value.next_step
    monkeypatch.setattr(tenants, "_patience", Statement(sa.text("SET LOCAL lock_timeout = '50ms'")))
    with plain.store(None, "owner") as store, store.database.reading() as work:
        work.all(Statement(sa.select(commits.c.session_id)))
        with plain.database() as database, pytest.raises(DatabaseFailed, match="lock timeout") as caught:
            tenants.enable(database)
    assert "End what holds the tables" in caught.value.next_step


def test_a_database_that_is_guarded_in_part_is_not_opened_until_it_is_mended(plain: House) -> None:
    with plain.database() as database:
        tenants.enable(database, "app")
        with logged_in(plain.url()) as connection:
            connection.execute(sa.text("ALTER TABLE rulings NO FORCE ROW LEVEL SECURITY"))
        for tenant in ("default", None):
            with pytest.raises(TenantRefused, match="but not in rulings") as caught:
                plain.store(tenant)
            assert "tenants enable" in caught.value.next_step
        tenants.enable(database)
    plain.store("default").close()


def test_a_table_that_an_upgrade_makes_is_guarded_like_the_others(plain: House) -> None:
    with plain.database() as database:
        tenants.enable(database, "app")
        tenants.add(database, "acme")
        tenants.bind(database, "acme", "acme_app")
        with database.engine.begin() as connection:
            connection.execute(sa.text("DROP TABLE tags"))
            metadata.tables["tags"].create(connection)
        migrations.upgrade(database)
    tags = metadata.tables["tags"]
    with logged_in(plain.url()) as connection:
        connection.execute(sa.insert(tags), [row(tags, own.start, 1) for own in (OURS, THEIRS)])
    for role in ("app", "acme_app"):
        with plain.store("acme", role) as store, store.database.reading() as work:
            seen = work.all(Statement(sa.select(tags.c.session_id)))
        assert seen == [(OURS.start,)]
    with logged_in(plain.url("acme_app")) as connection:
        connection.execute(sa.text("SET dissensus.tenant = '2'"))
        assert connection.execute(sa.select(tags)).all() == []


def test_a_database_with_tenants_of_any_revision_is_guarded_whole_when_it_is_upgraded(plain: House) -> None:
    with plain.database("postgres") as database:
        migrate(database, "0002")
    with plain.database() as database:
        tenants.enable(database, "app")
        tenants.add(database, "acme")
        tenants.bind(database, "acme", "acme_app")
        migrations.upgrade(database)
        with database.reading() as work:
            assert set(policies.closed(work).items()) == {(name, True) for name in policies.guarded()}
    for role in ("app", "acme_app"):
        with plain.store("acme", role) as store, store.database.reading() as work:
            for name in policies.guarded():
                assert work.all(Statement(sa.select(sa.func.count()).select_from(sa.table(name)))) == [(0,)]


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
    with plain.database() as database:
        tenants.enable(database, "app")
        with pytest.raises(TenantRefused, match="sees no row that is to be changed") as caught:
            migrations.upgrade(database)
        assert "BYPASSRLS" in caught.value.next_step
        assert migrations.revision(database) == migrations.HEAD
    with plain.database("postgres") as database:
        migrations.upgrade(database)
        with database.reading() as work:
            assert work.all(Statement(sa.select(sessions.c.created_at))) == [(7,)]
