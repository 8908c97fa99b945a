"""Bringing a database to this version's schema: new files in place, older ones on request.

A new database gets the tables straight from `tables.metadata` and is stamped with the newest
revision; a test holds that equal to running all migrations. Alembic is only loaded to upgrade.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from . import tenants, views
from .engines import Database, translate
from .errors import DatabaseFailed, NeedsMigration, NotOurs, TenantRefused
from .tables import VERSION_TABLE, metadata

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0006"
"""The newest revision in `migrations/versions`; a test holds it to that."""

_TAKEN = ("branches", "commits", "snapshots")
"""What a writer takes, in this order."""

_HOLD_SECONDS, _PATIENCE_MS = 60, 300
"""How long a migration tries to have the tables for itself, and how long others wait for it meanwhile:
less than the second after which PostgreSQL looks for deadlocks."""

_version = sa.Table(
    VERSION_TABLE,
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)


def prepare(database: Database) -> None:
    """Make an empty database ours, or see that it is.

    Raises:
        NotOurs: it holds other tables, or is no database at all.
        NeedsMigration: it is ours, with an older schema.
        DatabaseFailed: it cannot be reached, or is newer than this version of dissensus.
    """
    stands_at = revision(database)
    if stands_at is None:
        stands_at = _make(database)
    check(stands_at, database.name)
    database.keep_wal()


def _make(database: Database) -> str:
    """Give an empty database its tables; whoever comes second finds them there."""
    try:
        with database.exclusively(), database.engine.begin() as connection:
            if database.backend == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7238911)")
            stands_at = standing(connection, database.name)
            if stands_at is None:
                metadata.create_all(connection)
                for statement in views.made(database.backend):
                    connection.execute(statement)
                _version.create(connection, checkfirst=True)
                connection.execute(_version.insert().values(version_num=HEAD))
    except sa.exc.SQLAlchemyError as error:
        raise told(error, database.name) from error
    return stands_at or HEAD


def revision(database: Database) -> str | None:
    """Where a database stands; None if it is empty. Nothing is changed.

    Raises:
        NotOurs: it holds other tables, or is no database at all.
        DatabaseFailed: it cannot be reached.
    """
    try:
        with database.engine.connect() as connection:
            return standing(connection, database.name)
    except sa.exc.SQLAlchemyError as error:
        raise told(error, database.name) from error


def told(error: sa.exc.SQLAlchemyError, name: str) -> DatabaseFailed:
    """An error on opening a database, which may be no database at all."""
    if "not a database" in str(error):
        return NotOurs(f"{name} is not a SQLite file, and is left as it is")
    if "row-level security" in str(error):
        return TenantRefused(
            f"{name} keeps tenants apart, and this role sees no row that is to be changed",
            next_step="Run it as a superuser or a role with BYPASSRLS that may alter the tables",
        )
    return translate(error, name)


def standing(connection: sa.Connection, name: str) -> str | None:
    """Where the database of a connection stands; None if it is empty.

    Raises:
        NotOurs: it holds other tables.
    """
    found = set(sa.inspect(connection).get_table_names())
    if VERSION_TABLE in found:
        stands_at: str | None = connection.execute(sa.select(_version.c.version_num)).scalar()
        if stands_at is not None:
            return stands_at
    if found - {VERSION_TABLE}:
        raise NotOurs(f"{name} holds other tables ({', '.join(sorted(found)[:3])}, …), and is left as it is")
    return None


def check(stands_at: str | None, name: str) -> None:
    """See that a revision is the newest, or that there is none.

    Raises:
        NeedsMigration: it is older.
        DatabaseFailed: it is newer than this version of dissensus.
    """
    if stands_at in {None, HEAD}:
        return
    if stands_at in revisions():
        raise NeedsMigration(
            f"{name} stands at revision {stands_at}, this version of dissensus at {HEAD}",
            next_step=f"Back it up, then run `dissensus db upgrade {name}`",
        )
    raise _newer(stands_at, name)


def _newer(stands_at: str | None, name: str) -> DatabaseFailed:
    return DatabaseFailed(
        f"{name} was written by a newer dissensus (revision {stands_at})",
        next_step="Upgrade dissensus: pip install -U dissensus",
    )


def upgrade(database: Database, target: str = "head") -> None:
    """Run the migrations that are missing, each in its transaction; tables they make get policies.

    Raises:
        TenantRefused: they change rows of tenants, which this role does not see.
        NotOurs: it holds other tables, and is left as it is.
        DatabaseFailed: it cannot be reached, or is newer than this version of dissensus.
    """
    from alembic import command

    stands_at = revision(database)
    if stands_at not in {None, *revisions()}:
        raise _newer(stands_at, database.name)
    try:
        with database.exclusively():
            command.upgrade(config(database), target)
    except sa.exc.SQLAlchemyError as error:
        raise told(error, database.name) from error
    tenants.mend(database)


def hold(connection: sa.Connection) -> None:
    """Keep everybody else away until this transaction ends; on SQLite its one writer does.

    Those who write take the tables in orders of their own. So on PostgreSQL all are taken before anything
    is changed, those first that a writer takes first, and given back where that takes long: a migration
    never is, nor makes, the victim of a deadlock.

    Raises:
        OperationalError: the tables were in use for too long.
    """
    if connection.dialect.name != "postgresql":
        return
    there = set(sa.inspect(connection).get_table_names())
    ordered = [name for name in _TAKEN if name in there] + sorted(there & {*metadata.tables} - {*_TAKEN})
    take = f"LOCK TABLE {', '.join(ordered)} IN ACCESS EXCLUSIVE MODE"
    until = time.monotonic() + _HOLD_SECONDS
    while True:
        attempt = connection.begin_nested()
        try:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_PATIENCE_MS}")
            connection.exec_driver_sql(take)
        except sa.exc.OperationalError:
            attempt.rollback()
            if time.monotonic() > until:
                raise
            time.sleep(random.uniform(0, _PATIENCE_MS / 1000))  # noqa: S311 - jitter, no secret
        else:
            connection.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")
            attempt.commit()
            return


def config(database: Database) -> Config:
    """Alembic's configuration for this database, wherever dissensus is installed."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(folder()).replace("%", "%%"))
    settings.attributes["engine"] = database.engine
    return settings


def revisions() -> tuple[str, ...]:
    """All revisions there are, oldest first; their files are named `NNNN_what_it_does.py`."""
    return tuple(sorted(path.name[:4] for path in (folder() / "versions").glob("[0-9]*_*.py")))


def folder() -> Path:
    """Where the migrations stand: inside the installed package, or at the top of the repository."""
    installed = Path(__file__).parent / "migrations"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "migrations"
