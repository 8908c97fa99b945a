"""A store on each database, open for all tests of this process, and new sessions in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Finding, Inquiry, Notes


@pytest.fixture(scope="session")
def opened() -> Iterator[dict[str, Store]]:
    """The stores that are open, by database."""
    stores: dict[str, Store] = {}
    yield stores
    for store in stores.values():
        store.close()


@pytest.fixture
def store(
    backend: str,
    opened: dict[str, Store],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Store:
    """A store with the sessions of other tests in it; `database_url` is one without."""
    if backend not in opened:
        url = str(tmp_path_factory.mktemp("contract") / "shared.db")
        if backend == "postgresql":
            template = request.getfixturevalue("migrated")
            url = request.getfixturevalue("postgres").create("contract", template=template)
        opened[backend] = Store.open(url)
    return opened[backend]


@pytest.fixture
def own_store(database_url: str) -> Iterator[Store]:
    """A store with nothing in it."""
    with Store.open(database_url) as own:
        yield own


@pytest.fixture
def notes(store: Store) -> Session[Notes]:
    """A new session in which every write is allowed."""
    return store.create(Notes())


@pytest.fixture
def inquiry(store: Store) -> Session[Inquiry]:
    """A new session with a machine, a review and rules; its first finding is version 1."""
    session = store.create(Inquiry())
    with session.transaction("scout", "gather") as tx:
        tx.append("findings", Finding(text="The valve was open", source="log"))
    return session


@pytest.fixture
def database_file(tmp_path: Path) -> Path:
    """The name of a SQLite file that is not there yet."""
    return tmp_path / "state.db"
