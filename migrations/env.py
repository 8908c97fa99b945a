"""How Alembic reaches the database: each migration in a transaction of its own.

`dissensus db upgrade URL` hands its open engine over (`config.attributes["engine"]`). On Alembic's
own command line the address comes from `-x url=…`, else from `sqlalchemy.url` in `alembic.ini`.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import sqlalchemy as sa
from alembic import context

from dissensus_state.engines import Database
from dissensus_state.tables import VERSION_TABLE, metadata


def run() -> None:
    """Run the migrations that are asked for, or print their SQL (`--sql`)."""
    given: sa.Engine | None = context.config.attributes.get("engine")
    if given is not None:
        _run_on(given)
        return
    url = context.get_x_argument(as_dictionary=True).get("url")
    with closing(Database(str(url or context.config.get_main_option("sqlalchemy.url")))) as database:
        if context.is_offline_mode():
            _run_on(database.engine)
            return
        with database.exclusively():
            _run_on(database.engine)


def _run_on(engine: sa.Engine) -> None:
    if context.is_offline_mode():
        _migrate(dialect_name=engine.dialect.name, literal_binds=True)
        return
    with engine.connect() as connection:
        sa.event.listen(connection, "begin", _begin if engine.dialect.name == "sqlite" else _see_all)
        _migrate(connection=connection)


def _begin(connection: sa.Connection) -> None:
    """The driver leaves transactions to us, and without one a half-done migration would stay."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _see_all(connection: sa.Connection) -> None:
    """Where tenants are kept apart, a role that sees no row of theirs is told so, and changes nothing."""
    connection.exec_driver_sql("SET LOCAL row_security = off")


def _migrate(**options: Any) -> None:
    context.configure(
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        transaction_per_migration=True,
        transactional_ddl=True,
        render_as_batch=True,
        compare_type=True,
        **options,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
