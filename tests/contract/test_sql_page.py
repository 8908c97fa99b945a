"""What docs/sql.md promises of the views is what they have; every example on it runs on both databases."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from disputing import disputed
from dissensus_state import views
from dissensus_state.store import Store
from inquiries import Finding, Inquiry

PAGE = (Path(__file__).parents[2] / "docs" / "sql.md").read_text("utf-8")
EXAMPLES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def asked(own_store: Store) -> sa.Engine:
    """A database with the session that the page asks about."""
    session = own_store.create(Inquiry(), name="inquiry")
    with session.transaction("ana", "gather") as tx:
        tx.append("findings", Finding(text="open"))
    disputed(session)
    return own_store.database.engine


def _columns(view: str) -> list[str]:
    """The columns that the page's table names, in its order."""
    section = PAGE.split(f"## `{view}`", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


@pytest.mark.parametrize("view", views.NAMES)
def test_the_page_names_the_columns_of_each_view(view: str, asked: sa.Engine) -> None:
    with asked.connect() as connection:
        names = list(connection.execute(sa.text(f"SELECT * FROM {view}")).keys())
    assert sorted(_columns(view)) == sorted(names)


@pytest.mark.parametrize("query", EXAMPLES)
def test_every_example_of_the_page_runs_and_finds_something(query: str, asked: sa.Engine) -> None:
    with asked.connect() as connection:
        assert connection.execute(sa.text(query)).all()
