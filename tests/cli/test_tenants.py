"""`dissensus db tenants` and `--tenant`: several tenants in one PostgreSQL database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from outage_story import tell
from postgres import Postgres

PAGE = Path(__file__).parents[2] / "docs/cli.md"


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0, **environment: str) -> Any: ...


@pytest.fixture
def kept(postgres: Postgres, ask: Command) -> tuple[str, str]:
    """A database with the tenant `acme`: its address for the owner, and for the application."""
    with psycopg.connect(postgres.url().replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS kept")
        connection.execute("DROP ROLE IF EXISTS clerk")
        connection.execute("CREATE ROLE clerk LOGIN")
    url = postgres.create("kept").replace("+psycopg", "")
    ask("db", "tenants", "enable", url, "--role", "clerk")
    ask("db", "tenants", "add", url, "acme")
    return url, url.replace("postgres@", "clerk@")


def test_what_is_asked_for_a_tenant_is_answered_from_its_sessions(
    kept: tuple[str, str], ask: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, app = kept
    ask("db", "tenants", "add", owner, "globex")
    tell(app, tenant="acme")
    assert "outage" in ask("sessions", "-d", app, "--tenant", "acme").out
    assert ask("sessions", "-d", app, "--tenant", "globex", "--json").data["sessions"] == []
    monkeypatch.setenv("DISSENSUS_TENANT", "acme")
    assert ask("log", "-d", app, "--json").data["head"] > 0
    ask("log", "-d", app, "--tenant", "globex", code=3)


def test_a_database_of_tenants_is_not_opened_without_one(kept: tuple[str, str], ask: Command) -> None:
    owner, app = kept
    assert "error[tenant.refused]" in ask("sessions", "-d", app, code=10).err
    assert "There is no tenant 'nobody'" in ask("sessions", "-d", app, "--tenant", "nobody", code=10).err
    assert "'postgres' is a superuser" in ask("sessions", "-d", owner, "--tenant", "acme", code=10).err


def test_the_demo_runs_for_a_tenant_and_hands_it_on(kept: tuple[str, str], ask: Command) -> None:
    shown = ask("demo", "-d", kept[1], "--tenant", "acme").out
    assert f"log -d {kept[1]} --tenant acme" in shown
    assert ask("verify", "-d", kept[1], "--tenant", "acme", "--json").data["versions"] > 1


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("asked", [["enable"], ["list"], ["add", "acme"], ["bind", "acme", "app"]])
def test_each_tenant_has_a_file_of_its_own_on_sqlite(asked: list[str], folder: Path, ask: Command) -> None:
    command, *name = asked
    said = ask("db", "tenants", command, "dissensus.db", *name, code=10).err
    assert "Give each tenant a file of its own" in said
    assert "tenant.refused" in ask("log", "--tenant", "acme", code=10).err
    ask("demo", "-d", "new.db", "--tenant", "acme", code=10)
    assert not (folder / "new.db").exists()


def test_the_keys_of_every_answer_are_those_of_the_page(kept: tuple[str, str], ask: Command) -> None:
    rows = re.findall(r"^\| `(db tenants [^`]+)` \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    page = {path: set(keys.split()) for path, keys in rows}
    owner = kept[0]
    assert set(ask("db", "tenants", "enable", owner, "--json").data) == page["db tenants enable"]
    assert set(ask("db", "tenants", "add", owner, "globex", "--json").data) == page["db tenants add"]
    bound = ask("db", "tenants", "bind", owner, "globex", "clerk", "--json").data
    assert set(bound) == page["db tenants bind"]
    told = ask("db", "tenants", "list", owner, "--json").data
    assert set(told) == page["db tenants list"]
    assert [set(one) for one in told["tenants"]] == [page["db tenants list.tenants[]"]] * 3
    assert [one["name"] for one in told["tenants"]] == ["default", "acme", "globex"]
