"""What every test stands on: databases of its own, and no way to a paid provider."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from dissensus_state.engines import Database
from dissensus_state.migrations import prepare
from postgres import BINARIES, Postgres

_FOREIGN_PREFIXES = ("DISSENSUS_", "LANGCHAIN_", "LANGGRAPH_", "LANGSMITH_", "PG")
_FOREIGN_SUFFIXES = ("_API_KEY", "_BASE_URL", "DATABASE_URL", "_COLOR", "COLUMNS")

_numbers = itertools.count(1)

settings.register_profile("here", deadline=None, max_examples=50)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, print_blob=True)
settings.register_profile("soak", settings.get_profile("here"), max_examples=3000)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_configure() -> None:
    """Seal the tests, and the programs that they start, off from the developer's own settings."""
    for name in list(os.environ):
        foreign = name.startswith(_FOREIGN_PREFIXES) or name.endswith(_FOREIGN_SUFFIXES)
        if foreign and name != BINARIES:
            del os.environ[name]
    os.environ["DISSENSUS_OFFLINE"] = "1"
    os.environ["LANGSMITH_TRACING"] = "false"
    # A shell that starts the tests in the background has them ignore Ctrl-C, and all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this test process."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """The name of a database with today's schema, to be copied."""
    database = Database(postgres.create("migrated"))
    prepare(database)
    database.close()
    return "migrated"


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on."""
    return str(request.param)


@pytest.fixture
def empty_database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with nothing in it; on SQLite, the name of a file that is not there yet."""
    yield from _fresh(backend, request, tmp_path, "template1")


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database to open: a SQLite file that is not there yet, or a PostgreSQL with our schema."""
    template = "" if backend == "sqlite" else request.getfixturevalue("migrated")
    yield from _fresh(backend, request, tmp_path, template)


def _fresh(backend: str, request: pytest.FixtureRequest, folder: Path, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    if backend == "sqlite":
        yield f"sqlite:///{folder / name}.db"
        return
    server: Postgres = request.getfixturevalue("postgres")
    yield server.create(name, template=template)
    server.drop(name)
