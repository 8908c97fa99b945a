"""The views that people ask in SQL say what the library says, the same on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import groupby

import pytest
import sqlalchemy as sa
from alembic import command

from by_hand import concluded
from disputing import DISPUTE, NUL, disputed
from dissensus_state import migrations, policies, tenants, views
from dissensus_state.costs import costs, sums
from dissensus_state.engines import Database
from dissensus_state.store import Store
from houses import House, built, logged_in
from inquiries import Finding, Inquiry, Notes
from postgres import Postgres
from viewing import agree, asked, assembled, pieces


def test_history_has_each_commit_on_each_branch_that_sees_it(store: Store) -> None:
    session = store.create(Inquiry())
    with session.transaction("ana", "gather") as tx:
        tx.read("tags")
        tx.append("findings", Finding(text=NUL))
        tx.merge("answers", {NUL: NUL})
    concluded(session)
    fork = session.fork("aside", 1)
    with fork.transaction("ben", "gather") as tx:
        tx.add("doubts", 2)
    fork.revert(2, author="ben")
    deeper = fork.fork("deeper", 2)
    for one in (session, fork, deeper):
        rows = asked(
            one, "SELECT * FROM history WHERE session = :session AND branch = :branch ORDER BY version DESC"
        )
        told = one.log(100)
        assert [row["version"] for row in rows] == [commit.version for commit in told]
        for row, commit in zip(rows, told, strict=True):
            assert (row["author"], row["transition"], row["round"], row["base"], row["at_ms"]) == (
                commit.author, commit.transition, commit.round, commit.base, commit.at
            )  # fmt: skip
            assert row["kind"] == commit.kind
            assert (row["hash"], row["stored"], row["gone"]) == (commit.hash.hex(), commit.branch, None)
            assert json.loads(row["reads"]) == list(commit.reads)
            assert json.loads(row["writes"]) == [operation.to_json()[1] for operation in commit.patch]
            moment = datetime.fromtimestamp(commit.at / 1000, UTC).isoformat(timespec="milliseconds")
            assert row["at"] == moment.replace("+00:00", "Z")
    kinds = asked(
        fork, "SELECT kind FROM history WHERE session = :session AND branch = :branch ORDER BY version"
    )
    assert [row["kind"] for row in kinds] == ["write", "write", "write", "revert"]
    ruled = asked(
        session, "SELECT step, decision FROM history WHERE session = :session AND round IS NOT NULL"
    )
    assert ruled == [{"step": "conclude", "decision": "uphold"}]


def test_disagreements_are_those_of_the_library_with_who_won(store: Store) -> None:
    session = store.create(Inquiry())
    disputed(session)
    (row,) = asked(session, "SELECT * FROM disagreements_view WHERE session = :session")
    (found,) = session.disagreements()
    assert (row["round"], row["step"], row["status"], row["branch"]) == (
        found.round, found.step, found.status, found.branch
    )  # fmt: skip
    assert (row["path"], row["cause"], row["distance"]) == ("/verdict", "missing evidence", 0.5)
    assert json.loads(row["positions"]) == DISPUTE["positions"]
    assert (row["decision"], row["ruled_by"], row["ruled_cause"]) == ("uphold", "chair", "a misquoted line")
    assert json.loads(row["in_favour"]) == ["ana"]


def test_a_disagreement_that_nobody_has_ruled_on_says_so(store: Store) -> None:
    session = store.create(Inquiry())
    disputed(session, ruled=False)
    (row,) = asked(session, "SELECT * FROM disagreements_view WHERE session = :session")
    assert (row["status"], row["decision"], row["ruled_by"], row["in_favour"]) == ("review", None, None, None)


def test_the_money_adds_up_to_what_the_library_says(store: Store) -> None:
    session = store.create(Inquiry())
    disputed(session)
    rows = asked(session, "SELECT * FROM cost_view WHERE session = :session")
    with session.reading() as work:
        items, (tasks, days) = costs(work, session.session_id), sums(work, session.session_id)
    by_agent = {
        agent: sum(row["calls"] for row in group)
        for agent, group in groupby(sorted(rows, key=lambda row: row["agent"]), lambda row: row["agent"])
    }
    assert by_agent == {item.agent: item.calls for item in items}
    for name, told in (("step", tasks), ("day", days)):
        for one in told:
            mine = [row for row in rows if row[name] == one.name]
            assert sum(row["tokens"] for row in mine) == one.tokens
            assert sum(row["usd"] for row in mine) == pytest.approx(one.cost / 1e9)
            assert sum(row["unknown"] for row in mine) == one.unknown


def test_what_was_redacted_pruned_or_kept_aside_shows_as_such(store: Store) -> None:
    session = store.create(Notes())
    with session.transaction("ana") as tx:
        tx.set("text", "a secret")
    with session.transaction("ben") as tx:
        tx.append("lines", "x" * 70_000)
        tx.append("lines", "after")
        tx.merge("answers", {"why": "y" * 70_000})
    session.redact("/text", author="ana", reason="asked for")
    rows = {row.path: row for row in pieces(session)}
    assert agree(assembled(pieces(session)), session.raw())
    assert rows["/text"].value == '"[redacted]"'
    gone = asked(session, "SELECT path, exact, digest, gone, value FROM current WHERE session = :session")
    told = {(row["path"], row["exact"]): row for row in gone}
    assert told["/text", 1]["gone"] == "redacted"
    assert len(told["/lines", 0]["digest"]) == 43
    assert told["/lines", 0]["value"] is None
    assert told["/lines/-", 0]["value"] == '"after"'
    assert told["/answers", 0]["digest"]
    history = asked(
        session, "SELECT version, kind, gone FROM history WHERE session = :session ORDER BY version"
    )
    assert [(row["kind"], row["gone"]) for row in history] == [
        ("write", None), ("write", "redacted"), ("write", None), ("redaction", None)
    ]  # fmt: skip
    with session.transaction("ben") as tx:
        tx.append("lines", "late")
        tx.set("a", 4)
    session.prune(session.plan_prune(session.head), author="ana")
    assert agree(assembled(pieces(session)), session.raw())
    late = {row.path: (row.value, row.exact) for row in pieces(session)}
    assert late["/a"] == ("4", 1)
    assert late["/text"] == (None, 0)
    pruned = asked(session, "SELECT gone FROM history WHERE session = :session ORDER BY version")
    assert {row["gone"] for row in pruned} == {"pruned", None}


def test_a_database_that_goes_back_has_no_views_and_gets_them_again(empty_database_url: str) -> None:
    with Store.open(empty_database_url) as store:
        assert set(sa.inspect(store.database.engine).get_view_names()) == set(views.NAMES)
        command.downgrade(migrations.config(store.database), "0005")
    with closing(Database(empty_database_url)) as database:
        assert sa.inspect(database.engine).get_view_names() == []
        migrations.upgrade(database)
        assert set(sa.inspect(database.engine).get_view_names()) == set(views.NAMES)


@pytest.fixture(scope="module")
def house(postgres: Postgres) -> Iterator[House]:
    """Two tenants, each with a session that was disputed."""
    with built(postgres, "viewed", "acme", "globex") as made:
        for tenant in ("acme", "globex"):
            with made.store(tenant) as store:
                disputed(store.create(Inquiry(), name=f"of {tenant}"))
        yield made


@pytest.mark.parametrize("view", views.NAMES)
def test_a_tenant_sees_its_own_rows_alone_through_every_view(house: House, view: str) -> None:
    for tenant in ("acme", "globex"):
        with house.store(tenant) as store, store.database.engine.connect() as connection:
            found = connection.execute(sa.text(f"SELECT DISTINCT session FROM {view}")).scalars().all()
            assert found == [f"of {tenant}"]


@pytest.mark.parametrize("view", views.NAMES)
def test_a_view_asks_as_whoever_asks_it_and_not_as_its_owner(postgres: Postgres, view: str) -> None:
    """A role that is bound to a tenant sees that one alone, whatever it sets."""
    with built(postgres, "asking", "acme", "globex") as made:
        with made.store("globex") as store:
            disputed(store.create(Inquiry(), name="of globex"))
        with made.database() as database:
            tenants.bind(database, "acme", "acme_app")
        for role, rows in (("acme_app", 0), ("app", 1)):
            with logged_in(made.url(role)) as connection:
                connection.execute(sa.text("SET dissensus.tenant = '2'"))
                found = connection.execute(sa.text(f"SELECT DISTINCT session FROM {view}")).all()
                assert len(found) == rows


def test_an_upgrade_lets_applications_ask_the_views_that_it_makes(postgres: Postgres) -> None:
    with built(postgres, "lately", "acme") as made:
        with logged_in(made.url("owner")) as connection:
            connection.execute(sa.text(f"REVOKE ALL ON {', '.join(views.NAMES)} FROM app"))
        with made.database() as database:
            migrations.upgrade(database)
        with made.store("acme") as store, store.database.engine.connect() as connection:
            assert connection.execute(sa.text("SELECT * FROM history")).all() == []


def test_the_views_of_an_older_postgresql_are_not_given_to_an_application(postgres: Postgres) -> None:
    """Before version 15 a view asks as its owner, whom no policy holds to one tenant."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policies, "_VIEWS_ASK", 10**9)
        with (
            built(postgres, "unviewed", "acme") as made,
            made.store("acme") as store,
            store.database.engine.connect() as connection,
            pytest.raises(sa.exc.ProgrammingError, match="permission denied for view history"),
        ):
            connection.execute(sa.text("SELECT * FROM history"))
