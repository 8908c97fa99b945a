"""The face of the state: open a database, make sessions in it and find them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from . import entering, ledger, migrations, tenants, transitions
from .budgets import Usd
from .engines import Database, wall_clock
from .errors import SchemaRefused, located
from .lineages import MAIN
from .readers import SessionInfo, StateT
from .records import Budget
from .sessions import Session
from .shapes import shape_of


class Store:
    """One database of sessions; use it in a `with` block, or close it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, url: str, *, tenant: str | None = None, clock: Callable[[], int] = wall_clock) -> Store:
        """Open a SQLite file (made if it is not there) or a PostgreSQL database.

        Args:
            url: `inquiry.db`, `sqlite:///inquiry.db` or `postgresql://user@host/name`;
                `sqlite://` is a database in memory.
            tenant: Whose sessions, where a PostgreSQL database keeps tenants apart.
            clock: Milliseconds since 1970, for the times in the history.

        Raises:
            TenantRefused: it needs a tenant, or cannot be opened for this one.
            NotOurs: it holds something else, and is left as it is.
            NeedsMigration: it has an older schema of ours.
            DatabaseFailed: it cannot be reached.
        """
        if tenant is not None:
            tenants.check_url(url)
        database = Database(url, clock)
        try:
            migrations.prepare(database)
            return cls(tenants.opened(database, tenant))
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Give the connections back."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def create(
        self,
        state: StateT,
        *,
        name: str | None = None,
        budget: Budget | Usd | None = None,
        author: str = "user",
    ) -> Session[StateT]:
        """Begin a session with this state as version 0.

        Args:
            state: What it begins with.
            name: What it is called; by default it gets a name of its own.
            budget: What it may spend, or US dollars alone; None sets no limit.
            author: Whom the history names for the first state.

        Raises:
            Conflict: there is a session of that name.
            Refused: the state breaks a rule of its own schema.
        """
        if budget is not None and not isinstance(budget, Budget):
            budget = Budget(usd=budget)
        shape = shape_of(type(state))
        info = SessionInfo(
            0,
            name or f"{type(state).__name__.lower()}-{secrets.token_hex(4)}",
            shape.name,
            shape.version,
            shape.keys,
            self.database.clock(),
        )
        with located(session=info.name), self.database.writing() as work:
            info = entering.enter(work, info)
            head = transitions.begin(work, info.session_id, MAIN, shape.initial(state), shape, author)
            ledger.open_accounts(work, info.session_id, budget or Budget(unpriced="allow"))
        session: Session[StateT] = Session(self.database, info, shape)
        session.remember(head)
        return session

    def session(self, name: str | None = None, schema: type[StateT] | None = None) -> Session[StateT]:
        """Open a session by name; without one, the only session there is.

        Args:
            schema: Its schema, needed to change it. Without, its history can be read and checked.

        Raises:
            NotFound: there is no such session, or none or several to choose from.
            SchemaRefused: it was made with another schema.
        """
        with self.database.reading() as work:
            info = entering.named(work, name)
        if schema is None:
            return Session(self.database, info, None)
        shape = shape_of(schema)
        if not shape.is_named(info.schema):
            raise SchemaRefused(
                f"The session was made with {info.schema}, not with {shape.name}",
                next_step="Open it with the schema it was made with",
                session=info.name,
            )
        return Session(self.database, info, shape)

    def sessions(self) -> list[SessionInfo]:
        """All sessions, oldest first, whatever the clocks said when they were made."""
        with self.database.reading() as work:
            return entering.every(work)

    def import_session(
        self,
        path: str | Path | BinaryIO,
        name: str | None = None,
        schema: type[StateT] | None = None,
        *,
        session: str | None = None,
    ) -> Session[StateT]:
        """Take a session in, as `Session.export` wrote it: all of it, or nothing.

        Every hash is computed again on the way. The same session has the same hashes here as there; a file
        that was changed is refused. `verify` checks the rest: admission, rulings, rights.

        Args:
            path: A file of lines, a stream of them, or a SQLite file of dissensus.
            name: What it is to be called here; as it was called there where None.
            schema: Its schema, needed to change it.
            session: Which session of a SQLite file; not needed where there is only one.

        Returns:
            The session, as it is here.

        Raises:
            NotFound: there is no such file, or session in it.
            ArchiveRefused: the file is no session, or not whole; it says which line, and why.
            Tampered: a hash does not hold; it names the first bad commit.
            Conflict: there is a session of that name.
        """
        from .archive import import_file

        source = Path(path) if isinstance(path, str) else path
        return self.session(import_file(self.database, source, name, session).session, schema)
