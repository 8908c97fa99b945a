"""All migrations together make today's tables; each happens whole, or not at all."""

from __future__ import annotations

import io
import shutil
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from dissensus_state import migrations
from dissensus_state.engines import Database
from dissensus_state.errors import NotOurs
from dissensus_state.store import Store
from dissensus_state.tables import VERSION_TABLE, metadata
from inquiries import Notes

ROOT = Path(__file__).parents[2]

SQLITE_SCHEMA = "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2"
POSTGRES_SCHEMA = """
    SELECT 'column', table_name,
        concat_ws(' ', ordinal_position, column_name, data_type, is_nullable, column_default)
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'index', tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'constraint', conrelid::regclass::text,
        concat_ws(' ', conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    ORDER BY 1, 2, 3
"""


@pytest.fixture
def database(empty_database_url: str) -> Iterator[Database]:
    """A database with nothing in it."""
    opened = Database(empty_database_url)
    yield opened
    opened.close()


def _schema(database: Database) -> list[tuple[str, ...]]:
    """Every table, column, index and constraint, as the database itself tells it."""
    query = SQLITE_SCHEMA if database.backend == "sqlite" else POSTGRES_SCHEMA
    with database.engine.connect() as connection:
        return [
            tuple(" ".join(str(part).split()) for part in row) for row in connection.execute(sa.text(query))
        ]


def _tables(database: Database) -> set[str]:
    return set(sa.inspect(database.engine).get_table_names())


def test_all_migrations_together_are_the_tables(database: Database) -> None:
    migrations.upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "version_table": VERSION_TABLE}
        )
        assert compare_metadata(context, metadata) == []


def test_a_new_database_is_to_the_letter_what_the_migrations_make(database: Database) -> None:
    migrations.prepare(database)
    made = _schema(database)
    command.downgrade(migrations.config(database), "base")
    assert _tables(database) == {VERSION_TABLE}
    with database.engine.begin() as connection:
        connection.execute(sa.text(f"DROP TABLE {VERSION_TABLE}"))
    migrations.upgrade(database)
    assert _schema(database) == made


def test_the_newest_revision_is_the_one_that_new_databases_are_stamped_with(database: Database) -> None:
    scripts = ScriptDirectory.from_config(migrations.config(database))
    assert scripts.get_current_head() == migrations.HEAD == migrations.revisions()[-1]
    assert [script.revision for script in scripts.walk_revisions()] == sorted(
        migrations.revisions(), reverse=True
    )
    assert migrations.revision(database) is None
    migrations.prepare(database)
    assert migrations.revision(database) == migrations.HEAD


def test_an_upgraded_database_is_opened_and_upgrading_again_changes_nothing(
    empty_database_url: str,
) -> None:
    database = Database(empty_database_url)
    migrations.upgrade(database)
    database.close()
    with Store.open(empty_database_url) as store:
        session = store.create(Notes(a=1))
        migrations.upgrade(store.database)
        assert session.state == Notes(a=1)


def test_a_database_that_was_taken_back_to_nothing_is_made_anew(empty_database_url: str) -> None:
    with Store.open(empty_database_url) as store:
        command.downgrade(migrations.config(store.database), "base")
    with Store.open(empty_database_url) as store:
        assert store.create(Notes(a=1)).state == Notes(a=1)


def test_tables_of_ours_that_do_not_say_where_they_stand_are_left_as_they_are(
    empty_database_url: str,
) -> None:
    with Store.open(empty_database_url) as store, store.database.engine.begin() as connection:
        connection.execute(sa.text(f"DELETE FROM {VERSION_TABLE}"))
    with pytest.raises(NotOurs):
        Store.open(empty_database_url)


def test_somebody_elses_database_is_not_upgraded(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE invoices (n INTEGER)"))
    with pytest.raises(NotOurs):
        migrations.upgrade(database)
    assert _tables(database) == {"invoices"}


BROKEN = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "{revision}", "{before}"


def upgrade():
    op.create_table("table_{revision}", sa.Column("n", sa.Integer))
    if {fails}:
        op.execute("SELECT n FROM no_such_table")


def downgrade():
    op.drop_table("table_{revision}")
"""


def test_a_migration_that_fails_leaves_nothing_and_those_before_it_stay(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations.prepare(database)
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    good, bad = (f"{int(migrations.HEAD) + more:04}" for more in (1, 2))
    for revision, before, fails in ((good, migrations.HEAD, False), (bad, good, True)):
        text = BROKEN.format(revision=revision, before=before, fails=fails)
        (folder / "versions" / f"{revision}_next.py").write_text(text)
    monkeypatch.setattr(migrations, "folder", lambda: folder)
    with pytest.raises(Exception, match="no_such_table"):
        migrations.upgrade(database)
    assert migrations.revision(database) == good
    assert _tables(database) == {*metadata.tables, VERSION_TABLE, f"table_{good}"}


def _on_the_command_line(url: str, printed: io.StringIO) -> Config:
    arguments = Namespace(x=[f"url={url}"])
    return Config(ROOT / "alembic.ini", cmd_opts=arguments, stdout=printed, output_buffer=printed)


def test_alembics_own_command_line_takes_the_address(empty_database_url: str) -> None:
    printed = io.StringIO()
    command.upgrade(_on_the_command_line(empty_database_url, printed), "head")
    command.check(_on_the_command_line(empty_database_url, printed))
    assert "No new upgrade operations detected" in printed.getvalue()
    with Store.open(empty_database_url) as store:
        assert migrations.revision(store.database) == migrations.HEAD


def test_the_sql_of_all_migrations_can_be_printed(backend: str) -> None:
    printed = io.StringIO()
    command.upgrade(_on_the_command_line(f"{backend}://", printed), "head", sql=True)
    assert all(f"CREATE TABLE {name} (" in printed.getvalue() for name in metadata.tables)
