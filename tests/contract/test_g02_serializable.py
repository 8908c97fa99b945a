"""G2: what many processes did at the same time could have been done one after the other.

Real processes work on one database through the public names, and write down what they saw
(`list_append`); a checker that knows nothing of the store then looks for what no serial execution, in
the order of real time, could have shown (`elle`). That it would find it is shown with stores of which
one safeguard was taken out (`mutations`).

What is promised:

- 8 processes, and 4 with 2 threads each: no anomaly in 2,000 transactions;
- a transaction that met a conflict has left nothing, one that was acknowledged is there for good, and
  one that was sent again under its key is there once;
- the history of a session, the versions of its states and the list of all sessions tell one story;
- `isolation="snapshot"` gives up what it says, and loses no write all the same;
- what should not have been admitted is found in the stored history as well: `verify` names it;
- no safeguard stands alone where another one can hold: without the lock the comparison holds, and
  without the comparison the lock, or that a version is there once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from appending import Settings
from elle import Report, check
from list_append import Ran, run
from mutations import MUTATIONS

PANELS = {"4 processes of 2 threads": (4, 2), "8 processes": (8, 1)}

SKEW = {"G-single", "G2-item", "incompatible-order"}
"""What is missed where reads do not count: circles with a read in them, and one's own write seen at a
place where it will not stand, since others are rebased before it."""

Run = Callable[..., tuple[Ran, Report]]


@pytest.fixture
def ran(database_url: str, tmp_path: Path) -> Run:
    """A run on a new database, and what the checker says of it."""

    def one(**settings: object) -> tuple[Ran, Report]:
        done = run(Settings(database_url, str(tmp_path / "history"), **settings))  # type: ignore[arg-type]
        return done, check(done.history)

    return one


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "threads"), PANELS.values(), ids=PANELS)
def test_g02_two_thousand_transactions_of_many_processes_show_no_anomaly(
    ran: Run, processes: int, threads: int
) -> None:
    done, report = ran(processes=processes, threads=threads, transactions=2_000)
    assert report.valid, str(report)
    assert report.outcomes.total() >= 2_000
    assert report.outcomes["info"] == 0
    assert set(done.errors) == {"conflict"}, "nobody meets anything but conflicts, and some are met"
    assert done.exits == [0] * processes
    assert done.verified == []


def test_g02_snapshot_isolation_gives_up_what_it_says_and_loses_nothing(ran: Run) -> None:
    done, report = ran(transactions=800, at_once=1, isolation="snapshot")
    assert "G-single" in report.anomalies, "transactions that would have met a conflict are admitted"
    assert set(report.anomalies) <= SKEW, str(report)
    assert set(done.errors) <= {"conflict"}
    assert done.verified == []


def _tries(*, caught: bool) -> list[tuple[str, str]]:
    return [
        (name, backend)
        for name, mutation in MUTATIONS.items()
        for backend in mutation.backends
        if bool(mutation.caught) is caught
    ]


@pytest.mark.parametrize(("name", "backend"), _tries(caught=True), indirect=["backend"])
def test_a_store_without_a_safeguard_is_caught(name: str, database_url: str, tmp_path: Path) -> None:
    mutation, found, verified = MUTATIONS[name], set[str](), list[str]()
    for seed in range(3):
        done, report = _mutated(name, database_url, tmp_path / str(seed), seed)
        found |= set(report.anomalies)
        verified += done.verified
        if mutation.caught <= found and bool(verified) == mutation.stored:
            return
    pytest.fail(f"{name}: {mutation.what}. Found {found or 'nothing'}, and verify {verified or 'nothing'}")


@pytest.mark.parametrize(("name", "backend"), _tries(caught=False), indirect=["backend"])
def test_g02_the_lock_and_the_comparison_each_hold_alone(
    name: str, database_url: str, tmp_path: Path
) -> None:
    done, report = _mutated(name, database_url, tmp_path, 0)
    assert report.valid, str(report)
    assert report.outcomes["ok"] > 100
    assert done.verified == []


def _mutated(name: str, url: str, folder: Path, seed: int) -> tuple[Ran, Report]:
    mutation = MUTATIONS[name]
    settings = Settings(
        url,
        str(folder / "history"),
        seed=seed,
        transactions=400,
        at_once=1,
        pause=0.01,
        mutation=name,
        isolation=mutation.isolation,
    )
    done = run(settings)
    return done, check(done.history)
