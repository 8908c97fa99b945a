"""An open store on each database, and sessions in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from inquiries import Finding, Inquiry, Notes

from dissensus_state.store import Session, Store


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An open store, of the database that the test runs on."""
    with Store.open(database_url) as opened:
        yield opened


@pytest.fixture
def notes(store: Store) -> Session[Notes]:
    """A new session in which every write is allowed."""
    return store.create(Notes(), name="notes")


@pytest.fixture
def inquiry(store: Store) -> Session[Inquiry]:
    """A new session with a machine, a review and rules; its first finding is version 1."""
    session = store.create(Inquiry(), name="inquiry")
    with session.transaction("scout", "gather") as tx:
        tx.append("findings", Finding(text="The valve was open", source="log"))
    return session
