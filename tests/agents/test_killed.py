"""G11: a run that is killed at any moment and started again ends as if nothing had happened."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import killable
from dissensus_state.records import Budget
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from killable import Exam, exam
from workers import Nursery

QUESTIONS = 3


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as started:
        yield started


@pytest.fixture(scope="module")
def unkilled() -> list[Any]:
    """What the exam comes to when nothing happens to it."""
    import asyncio

    with Store.open("sqlite://") as store:
        session = store.create(Exam(questions=40))
        asyncio.run(exam().run(session))
        return outcome(session)


def outcome(session: Session[Any]) -> list[Any]:
    """Every commit: who made it, and what it wrote."""
    return [(commit.version, commit.author, commit.patch) for commit in reversed(session.log(limit=100))][1:]


def created(store: Store, questions: int = QUESTIONS) -> Session[Exam]:
    return store.create(Exam(questions=questions), name="exam", budget=Budget(usd=1))


async def is_whole(session: Session[Exam], unkilled: list[Any], folder: Path) -> None:
    """Nothing is lost, nothing is there twice, nothing that was recorded was asked for again."""
    assert outcome(session) == unkilled[: session.state.questions]
    assert session.verify().rounds == session.state.questions
    assert (await exam().replay(session)).calls == 0
    asked = Counter((folder / "asked").read_text().splitlines())
    for round_ in session.rounds():
        calls = session.round(round_.round)[2]
        answered = Counter(call.agent for call in calls if call.status == "answered")
        unknown = Counter(call.agent for call in calls if call.status == "unknown")
        assert {name: answered[name] for name in killable.AGENTS} == dict.fromkeys(killable.AGENTS, 1)
        assert all(call.cost == call.reserved > 0 for call in calls if call.status == "unknown")
        for name, seat in [(name, name) for name in killable.AGENTS] + [("chair", "supervisor")]:
            times = asked[f"{name} {round_.round - 1}"]
            assert answered[seat] <= times <= answered[seat] + unknown[seat], (round_.round, name)
        chain = [ruling.decision for ruling in session.round(round_.round)[3]]
        assert chain == (["escalate", "uphold"] if round_.review else []), round_.round
    assert len(session.rounds()) == session.state.questions
    assert session.budget.held == 0


MOMENTS = {
    "reading": 0,
    "sent": 3,
    "cid asked": 1,
    "comparing": 0,
    "checking": 0,
    "passing on": 0,
    "chair asked": 1,
    "ruling": 0,
    "committing": 0,
    "committed": 0,
}
"""Each moment at which a worker is killed, and how many calls are then on their way."""


@pytest.mark.parametrize("moment", MOMENTS)
async def test_g11_a_run_killed_at_an_exact_moment_goes_on_as_if_it_had_not_been(
    nursery: Nursery, database_url: str, tmp_path: Path, unkilled: list[Any], moment: str
) -> None:
    with Store.open(database_url) as store:
        session = created(store)
        worker = nursery.start(database_url, "exam", tmp_path, stop=(moment, 1))
        worker.says(f"at {moment}")
        if moment == "cid asked":
            worker.says("proposed 2 zoe")
            worker.says("proposed 2 ben")
        assert worker.kill() == -signal.SIGKILL
        in_flight = Counter(call.status for number in _numbers(session) for call in session.round(number)[2])

        assert nursery.start(database_url, "exam", tmp_path).ends() == 0

        assert in_flight["sent"] == MOMENTS[moment]
        unknown = [event for event in session.events() if event.kind == "unknown"]
        assert len(unknown) == MOMENTS[moment]
        await is_whole(session, unkilled, tmp_path)


async def test_g01_of_a_commit_that_is_cut_short_nothing_at_all_is_there(
    nursery: Nursery, database_url: str, tmp_path: Path
) -> None:
    with Store.open(database_url) as store:
        session = created(store)
        worker = nursery.start(database_url, "exam", tmp_path, stop=("committing", 1))
        worker.says("at committing")
        worker.kill()

        round_, proposals, _, rulings = session.round(2)

        assert (session.head, round_.status, [one.decision for one in rulings]) == (1, "review", ["escalate"])
        assert {item.status for item in proposals} == {"open"}


def _numbers(session: Session[Any]) -> list[int]:
    return [item.round for item in session.rounds()]


async def test_g11_a_run_killed_and_interrupted_at_random_moments_goes_on_as_if_it_had_not_been(
    nursery: Nursery, database_url: str, tmp_path: Path, unkilled: list[Any]
) -> None:
    chance = random.Random(20260101)
    with Store.open(database_url) as store:
        session = created(store, questions=40)
        ends = []
        for n in range(26):
            worker = nursery.start(database_url, "exam", tmp_path, delay=0.002)
            number = signal.SIGINT if n % 4 == 3 else signal.SIGKILL
            ends.append(worker.kill_after(chance.randint(1, 22), chance.uniform(0, 0.006), number))

        assert ends.count(-signal.SIGKILL) == 20
        assert ends.count(130) == 6
        assert nursery.start(database_url, "exam", tmp_path).ends() == 0
        await is_whole(session, unkilled, tmp_path)


async def test_g11_a_run_that_is_interrupted_stops_at_once_and_goes_on_later(
    nursery: Nursery, database_url: str, tmp_path: Path, unkilled: list[Any]
) -> None:
    with Store.open(database_url) as store:
        session = created(store)
        worker = nursery.start(database_url, "exam", tmp_path, stop=("cid asked", 1))
        worker.says("at cid asked")
        assert worker.kill(signal.SIGINT) == 130

        assert nursery.start(database_url, "exam", tmp_path).ends() == 0

        await is_whole(session, unkilled, tmp_path)


async def test_g11_an_agent_whose_call_is_cut_short_again_and_again_is_asked_until_it_can_answer(
    nursery: Nursery, database_url: str, tmp_path: Path, unkilled: list[Any]
) -> None:
    with Store.open(database_url) as store:
        session = created(store)
        for _ in range(5):
            worker = nursery.start(database_url, "exam", tmp_path, stop=("cid asked", 1))
            worker.says("at cid asked")
            worker.kill()

        assert nursery.start(database_url, "exam", tmp_path).ends() == 0

        await is_whole(session, unkilled, tmp_path)


async def test_g11_a_worker_whose_session_was_taken_over_cannot_write_any_more(
    nursery: Nursery, database_url: str, tmp_path: Path, unkilled: list[Any]
) -> None:
    with Store.open(database_url) as store:
        session = created(store)
        sleeper = nursery.start(database_url, "exam", tmp_path, stop=("cid asked", 1))
        sleeper.says("at cid asked")
        assert nursery.start(database_url, "exam", tmp_path).ends() == 0
        head = session.head

        (tmp_path / "go").touch()

        sleeper.says("failed lease.lost")
        assert sleeper.ends() == 4
        assert session.head == head
        await is_whole(session, unkilled, tmp_path)


async def test_g11_a_worker_that_wakes_just_before_its_commit_cannot_make_it(
    nursery: Nursery, database_url: str, tmp_path: Path, unkilled: list[Any]
) -> None:
    with Store.open(database_url) as store:
        session = created(store)
        sleeper = nursery.start(database_url, "exam", tmp_path, stop=("ruling", 1))
        sleeper.says("at ruling")
        assert nursery.start(database_url, "exam", tmp_path).ends() == 0

        (tmp_path / "go").touch()

        sleeper.says("failed lease.lost")
        await is_whole(session, unkilled, tmp_path)


async def test_g11_of_workers_that_run_one_session_at_once_one_finishes_and_nothing_is_doubled(
    nursery: Nursery, database_url: str, tmp_path: Path, unkilled: list[Any]
) -> None:
    with Store.open(database_url) as store:
        session = created(store, questions=10)
        workers = [nursery.start(database_url, "exam", tmp_path, delay=0.01) for _ in range(3)]
        ends = sorted(worker.ends() for worker in workers)

        assert set(ends) <= {0, 4}
        assert 0 in ends
        await is_whole(session, unkilled, tmp_path)
