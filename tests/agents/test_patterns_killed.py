"""G11 for patterns: a run that is killed at any decision goes on the way that was decided."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import killable_patterns
from dissensus_state.records import Budget
from dissensus_state.store import Store
from killable_patterns import Work, work
from workers import Nursery

MOMENTS = [
    "routing",
    "zoe asked",
    "between",
    "cid asked",
    "committing",
    "forking",
    "one asked",
    "two asked",
]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(killable_patterns.__file__) as started:
        yield started


@pytest.mark.parametrize("moment", MOMENTS)
async def test_g11_a_run_of_patterns_killed_at_any_decision_takes_the_same_way(
    nursery: Nursery, database_url: str, tmp_path: Path, moment: str
) -> None:
    with Store.open(database_url) as store:
        session = store.create(Work(), name="work", budget=Budget(usd=1))
        worker = nursery.start(database_url, "work", tmp_path, stop=(moment, 1))
        worker.says(f"at {moment}")
        assert worker.kill() == -signal.SIGKILL

        assert nursery.start(database_url, "work", tmp_path).ends() == 0

        assert [one.step for one in session.rounds()] == ["answer", "write.long.one", "write.long.two"]
        assert (session.state.answer, session.state.notes) == ("B", ["one", "two"])
        for decider in ("routed", "forked"):
            assert (tmp_path / decider).read_text() == "x", "it was decided again"
        chosen = [(one["pattern"], one["chosen"]) for one in session.decisions(1)]
        assert chosen == [
            ("route", ["hard"]),
            ("cascade", ["tier 1"]),
            ("panel", ["zoe", "ben"]),
            ("cascade", ["tier 2"]),
            ("parallel", ["cid", "dan"]),
            ("parallel", ["cid"]),
            ("cascade", ["cid"]),
        ]
        assert [one["chosen"] for one in session.decisions()] == [["long"]]
        (ruling,) = session.round(1)[3]
        assert (ruling.author, ruling.dissent) == ("cascade", ("zoe",))
        asked = Counter(line.split()[0] for line in (tmp_path / "asked").read_text().splitlines())
        for round_ in session.rounds():
            for call in session.round(round_.round)[2]:
                assert call.status in {"answered", "unknown"}
            answered = Counter(c.agent for c in session.round(round_.round)[2] if c.status == "answered")
            unknown = Counter(c.agent for c in session.round(round_.round)[2] if c.status == "unknown")
            for name, times in answered.items():
                assert times == 1
                assert asked[name] <= 1 + unknown[name]
        assert asked["dan"] == asked["eve"] == asked["short"] == 0
        assert session.budget.held == 0
        assert session.verify().versions == 4
        assert (await work().replay(session)).calls == 0
