"""What the tests of a round share: a store on each database, and a session in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dissensus_state.sessions import Session
from dissensus_state.store import Store
from panels import Case


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        yield opened


@pytest.fixture
def session(store: Store) -> Iterator[Session[Case]]:
    """A session whose history must verify, whatever the test has done to it (G8)."""
    made = store.create(Case(), name="case")
    yield made
    assert made.verify().versions == made.head + 1
