"""G11: what becomes of a call that is in flight when its worker dies, at every point of its way."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flying
from dissensus_state.records import Budget, Call
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from flying import Flight
from panels import happened
from workers import Nursery


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(flying.__file__) as started:
        yield started


class Story:
    """A run that is killed and goes on."""

    def __init__(self, nursery: Nursery, url: str, folder: Path, session: Session[Flight]) -> None:
        self.session = session
        self._nursery = nursery
        self._given = {"url": url, "session": session.name, "folder": str(folder)}
        self._folder = folder

    def killed(self, says: str, number: int = signal.SIGKILL, **settings: Any) -> int:
        worker = self._nursery.fork(**self._given, **settings)
        worker.says(says)
        return worker.kill(number)

    async def goes_on(self) -> None:
        """The rest of the run; the books are balanced, and nothing is used that is not whole."""
        assert self._nursery.fork(**self._given).ends() == 0
        assert self.session.state.verdict == "disk"
        assert self.session.budget.held == 0
        spent = sum(call.cost or 0 for call in self.calls())
        assert self.session.budget.spent == spent
        assert self.session.verify()
        assert (await flying.graph().replay(self.session)).calls == 0

    def calls(self, agent: str | None = None) -> list[Call]:
        return [call for call in self.session.round(1)[2] if agent in {None, call.agent}]

    def statuses(self, agent: str) -> list[tuple[str, str]]:
        return [(call.model, call.status) for call in self.calls(agent)]

    @property
    def asked(self) -> Counter[str]:
        return Counter(line.split()[0] for line in (self._folder / "asked").read_text().splitlines())


@pytest.fixture
def story(nursery: Nursery, database_url: str, tmp_path: Path) -> Iterator[Story]:
    with Store.open(database_url) as store:
        yield Story(nursery, database_url, tmp_path, store.create(Flight(), budget=Budget(usd=1)))


async def test_g11_a_call_that_was_held_was_not_sent_and_what_was_reserved_for_it_is_returned(
    story: Story,
) -> None:
    story.killed("answered ana", limited=True)
    held = [call for call in story.calls() if call.status == "held"]
    assert len(held) == 1
    assert story.session.budget.held >= held[0].reserved > 0

    await story.goes_on()

    unsent, answered = story.calls(held[0].agent)
    assert ((unsent.detail or {})["code"], unsent.cost, answered.status) == ("call.not_sent", 0, "answered")
    assert [body["agent"] for body in happened(story.session, "not_sent")] == [held[0].agent]
    assert story.asked["third"] == 2


@pytest.mark.parametrize("moment", ["sent", "in the middle"])
async def test_g11_a_call_that_was_sent_is_unknown_charged_in_full_and_asked_again(
    story: Story, moment: str
) -> None:
    story.killed(f"at second {moment}", stop=(f"second {moment}", 0))
    assert ("second", "sent") in story.statuses("ana")

    await story.goes_on()

    assert story.statuses("ana") == [("first", "failed"), ("second", "unknown"), ("second", "answered")]
    unknown = story.calls("ana")[1]
    assert unknown.cost == unknown.reserved > 0
    assert [body["attempt"] for body in happened(story.session, "unknown") if body["agent"] == "ana"] == [2]
    assert story.asked["first"] == 1


async def test_g11_an_answer_that_is_recorded_is_never_bought_again(story: Story) -> None:
    story.killed("at ana answered", stop=("ana answered", 0))
    answered = {call.agent for call in story.calls() if call.status == "answered"}
    before = story.asked

    await story.goes_on()

    assert "ana" in answered
    assert story.asked["first"] == before["first"]
    assert story.asked["second"] == before["second"] == 1


async def test_g11_a_run_that_is_interrupted_in_the_middle_of_an_answer_keeps_its_part(story: Story) -> None:
    ended = story.killed("at second in the middle", signal.SIGINT, stop=("second in the middle", 0))

    part = story.calls("ana")[1]
    assert (ended, part.status, part.answer) == (130, "partial", flying.ANSWER[:20])
    assert (part.finish_reason, part.cost) == ("stopped", part.reserved)

    await story.goes_on()

    assert story.statuses("ana") == [("first", "failed"), ("second", "partial"), ("second", "answered")]
    assert [body["attempt"] for body in happened(story.session, "partial")] == [2]


async def test_g11_a_run_killed_again_and_again_accounts_for_every_call(story: Story) -> None:
    for point in (
        "first sent",
        "second sent",
        "second in the middle",
        "second in the middle",
        "ana answered",
    ):
        story.killed(f"at {point}", stop=(point, 0))

    await story.goes_on()

    statuses = Counter(call.status for call in story.calls())
    assert statuses["answered"] == 3
    assert set(statuses) <= {"answered", "failed", "unknown"}
    for model in ("second", "third"):
        answered_or_lost = [
            call for call in story.calls() if call.model == model and call.status in {"answered", "unknown"}
        ]
        assert story.asked[model] <= len(answered_or_lost)
