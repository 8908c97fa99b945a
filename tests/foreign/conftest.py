"""Histories of LangGraph in each of its databases, and a store of ours on each of ours."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

import foreign_graphs as graphs
from dissensus_state.store import Store
from foreign_graphs import Foreign
from postgres import Postgres

_numbers = itertools.count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Foreign]:
    """An empty database for a saver of LangGraph's."""
    if request.param == "sqlite":
        yield Foreign("sqlite", graphs.file_in(tmp_path))
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"foreign_{next(_numbers)}"
    yield Foreign("postgresql", server.create(name))
    server.drop(name)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store of ours with nothing in it."""
    with Store.open(database_url) as opened:
        yield opened
