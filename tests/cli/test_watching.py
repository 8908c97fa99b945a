"""`watch` on the command line, on both databases."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from dissensus.cli.turning import copied
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from outage import Outage


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


def find(session: Session[Outage], text: str) -> None:
    """Commit a finding."""
    with session.transaction("analyst", "gather") as tx:
        tx.append("findings", text)


@contextmanager
def watched(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that watches; it has said so."""
    command = [sys.executable, "-m", "dissensus", "watch", *arguments]
    with subprocess.Popen(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        try:
            assert process.stderr.readline().startswith("watching outage, branch main, from v")
            yield process
        finally:
            process.kill()


def read(process: subprocess.Popen[str]) -> Any:
    """The next line of JSON."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@pytest.fixture
def session(database_url: str) -> Iterator[Session[Outage]]:
    """A session in which findings are gathered; it stands at version 2."""
    with Store.open(database_url) as store:
        made = store.create(Outage(question="Why?"), name="outage")
        find(made, "first")
        find(made, "second")
        yield made


def test_commits_are_printed_as_they_land_until_ctrl_c(
    session: Session[Outage], database_url: str, folder: Path
) -> None:
    with watched(folder, "--from", "v2", "--json", "-d", database_url) as process:
        assert read(process)["commit"]["patch"] == [["append", "/findings", ["second"]]]
        for number in (3, 4):
            find(session, "another")
            line = read(process)
            assert (line["session"], line["branch"], line["commit"]["version"]) == (
                "outage",
                "main",
                number,
            )
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    name = session.database.name
    said = said.lstrip("\n")
    assert said.startswith(f"interrupted: everything acknowledged is kept in {name}; `")
    assert said.endswith(f" watch -d {copied(name)} -s outage --from v5` goes on from there\n")


def test_watching_begins_with_what_lands_from_now_on(
    session: Session[Outage], database_url: str, folder: Path
) -> None:
    with watched(folder, "--limit", "1", "-d", database_url) as process:
        find(session, "third")
        out, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    assert out.startswith("v3 ")
    assert out.count("\n") == 1


@pytest.mark.usefixtures("session")
def test_the_version_to_begin_with_may_be_the_next_to_come(ask: Command, database_url: str) -> None:
    def printed(*arguments: str, code: int = 0) -> list[int]:
        out = ask("watch", "--json", "--timeout", 0, "-d", database_url, *arguments, code=code).out
        return [json.loads(line)["commit"]["version"] for line in out.splitlines()]

    assert printed("--from", "v0") == [0, 1, 2]
    assert printed("--from", "HEAD") == [2]
    assert printed("--from", "main~1", "--limit", "1") == [1]
    assert printed("--from", "v3") == printed("--from", "3") == printed() == []
    printed("--from", "v4", code=3)
    printed("--branch", "nowhere", code=3)
    printed("--limit", "0", code=2)


@pytest.mark.usefixtures("told")
def test_what_lands_is_told_as_the_log_tells_it(ask: Command) -> None:
    told = ask("watch", "--from", "v0", "--limit", 4).out.splitlines()
    logged = ask("log").out.splitlines()[1:]
    assert [line.split() for line in told] == [line.split() for line in reversed(logged)]


@pytest.mark.usefixtures("session")
def test_tail_prints_the_newest_commits_oldest_first_and_follows_what_lands(
    session: Session[Outage], ask: Command, database_url: str, folder: Path
) -> None:
    def printed(*arguments: object) -> list[int]:
        out = ask("tail", "--jsonl", "-d", database_url, *arguments).out
        return [json.loads(line)["commit"]["version"] for line in out.splitlines()]

    assert printed() == [0, 1, 2]
    assert printed("-n", 2) == [1, 2]
    assert printed("-n", 0) == []
    command = [sys.executable, "-m", "dissensus", "tail", "-f", "-n", "1", "--json", "-d", database_url]
    with subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE) as process:
        try:
            assert read(process)["commit"]["version"] == 2
            find(session, "third")
            assert read(process)["commit"]["version"] == 3
        finally:
            process.kill()
