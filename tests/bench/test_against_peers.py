"""The benchmarks of the state run as a user runs them, tiny, and say all that is asked of them."""

from __future__ import annotations

import importlib
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

from postgres import Postgres

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
N = 30
PEERS = ("langgraph.checkpoint.sqlite", "langgraph.checkpoint.postgres", "eventsourcing")
COMMITS = {
    *("commit.cpu_vs_floor", "commit.cpu_vs_langgraph", "commit.cpu_vs_delta", "commit.growth"),
    *("commit.cpu_vs_eventsourcing", "commit.flushes", "commit.bytes_vs_payload"),
}
READS = {"read.at_vs_decode", "read.head_vs_decode", "read.log_us", "memory.vs_state"}
WRITERS = {"writers.lost", "writers.same_speedup", "langgraph.lost"}
ON_POSTGRESQL = {"writers.apart_vs_raw"}

Module = Callable[[str], ModuleType]


def _missing(package: str) -> bool:
    try:
        return find_spec(package) is None
    except ModuleNotFoundError:
        return True


absent = [package for package in PEERS if _missing(package)]
beside_peers = pytest.mark.skipif(
    bool(absent), reason=f"`make bench` installs what is compared with: {', '.join(absent)}"
)
counts_flushes = any(map(shutil.which, ("strace", "cc", "gcc", "clang")))


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Module:
    """A module of the benchmarks, which are scripts and no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """What `--database` is given: a file beside which others are made, or a server."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path}/beside.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.url()


def figures(script: str, url: str, *options: str) -> Mapping[str, float]:
    """Run a benchmark, and read the last line of its standard output."""
    command = [sys.executable, str(BENCHMARKS / script), "--database", url, "--n", str(N), "--json", *options]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr
    found: Mapping[str, float] = json.loads(ran.stdout.splitlines()[-1])["figures"]
    return found


def named(backend: str, keys: set[str]) -> set[str]:
    return {f"{backend}.{key}" for key in keys}


@pytest.mark.slow
@beside_peers
def test_a_commit_is_held_against_the_floor_and_every_peer(backend: str, url: str) -> None:
    found = figures("commits.py", url, "--repeats", "1")
    asked = COMMITS if backend == "postgresql" or counts_flushes else COMMITS - {"commit.flushes"}
    assert set(found) >= named(backend, asked)
    assert min(found[key] for key in named(backend, asked - {"commit.flushes"})) > 0
    assert backend == "postgresql" or found.get("sqlite.commit.flushes", 1) > 0


@pytest.mark.slow
def test_what_is_read_is_what_was_written_and_is_held_against_decoding_it(backend: str, url: str) -> None:
    found = figures("reads.py", url)
    assert set(found) >= named(backend, READS)
    assert min(found[key] for key in named(backend, READS)) > 0


@pytest.mark.slow
@beside_peers
def test_writers_lose_nothing_where_the_same_loop_with_a_saver_does(backend: str, url: str) -> None:
    found = figures("writers.py", url, "--repeats", "1")
    asked = WRITERS | (ON_POSTGRESQL if backend == "postgresql" else set())
    assert set(found) >= named(backend, asked)
    assert found[f"{backend}.writers.lost"] == 0
    assert found[f"{backend}.langgraph.lost"] > 0


def test_what_a_benchmark_made_is_gone_afterwards(module: Module, url: str, backend: str) -> None:
    places = module("places")
    with places.places(url) as opened:
        for place in opened:
            made = place.fresh("one"), place.fresh("two")
            assert len(set(made)) == 2
            for one in made:
                module("bare").floor(one).close()
            assert all(map(_there, made))
            place.drop(made[0])
    assert not _there(made[0])
    assert not _there(made[1])


def _there(url: str) -> bool:
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///")).exists()
    try:
        psycopg.connect(url.replace("+psycopg", "")).close()
    except psycopg.OperationalError:
        return False
    return True


def test_every_finding_is_a_kibibyte_and_comes_again_from_its_seed(module: Module) -> None:
    findings = module("findings")
    first, again = (list(itertools.islice(findings.updates(7), 50)) for _ in range(2))
    assert first == again
    assert {len(findings.canonical(update.finding).encode()) for update in first} == {1024}
    assert not all(findings.canonical(update.finding).isascii() for update in first)
    assert first != list(itertools.islice(findings.updates(8), 50))


@pytest.mark.parametrize(
    ("found", "acknowledged", "wrong"),
    [
        ("abc", "abc", 0),
        ("ab", "abc", 1),
        ("abbc", "abc", 1),
        ("abc", "ab", 1),
        ("", "abc", 3),
    ],
    ids=["whole", "lost", "doubled", "refused and there", "all lost"],
)
def test_an_update_is_wrong_when_it_is_lost_doubled_or_there_though_refused(
    module: Module, found: str, acknowledged: str, wrong: int
) -> None:
    assert module("writers").differences(list(found), list(acknowledged)) == wrong


def test_the_flushes_of_the_bare_driver_are_one_for_each_commit(
    module: Module, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not counts_flushes and url.startswith("sqlite"):
        pytest.skip("neither strace nor a C compiler is here to count with")
    with module("places").places(url) as opened:
        for place in opened:
            if place.backend == "postgresql":
                pytest.skip("the tests' server is told not to flush; `make bench` starts one that does")
            counted = module("flushes")
            assert counted.flushes("floor", place, 20) == pytest.approx(1, abs=0.1)
            if any(map(shutil.which, ("cc", "gcc", "clang"))):
                monkeypatch.setattr(counted, "_strace_works", lambda: False)
                assert counted.flushes("floor", place, 20) == pytest.approx(1, abs=0.1)
