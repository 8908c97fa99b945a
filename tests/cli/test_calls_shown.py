"""What `dissensus show` tells of calls that did not go straight: tries, failovers, parts, caches."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Protocol

import pytest

from dissensus import Agent, AgentGraph, Budget, Price, SharedState
from dissensus.cli import calls
from dissensus.cli.blocks import plain
from dissensus.models import Failover
from dissensus.testing import Answer, FakeProvider, Fault, Received
from dissensus_agents.messages import Usage
from dissensus_agents.models.catalog import resolve
from dissensus_agents.models.retries import Patience
from dissensus_state.store import Store


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


class Question(SharedState, version=1):
    answer: str = ""


@pytest.fixture
def server() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


def asked_for(name: str, server: FakeProvider) -> Any:
    price = Price(Decimal(1), Decimal(10))
    patience = Patience(attempts=3, seconds=20, pause=0.01)
    return resolve(f"vllm:{name}", base_url=server.url(), price=price, patience=patience)


def run(url: str, server: FakeProvider, *names: str) -> None:
    """One agent whose candidates are these models."""
    graph = AgentGraph(Question)
    models = [asked_for(name, server) for name in names]
    graph.add_step("ask", [Agent("ana", Failover(*models))], writes={"answer"})

    async def ask() -> None:
        with Store.open(url) as store:
            session = store.create(Question(), name="one", budget=Budget(usd=1))
            async for _ in graph.stream(session):
                pass

    asyncio.run(ask())


SAID = '{"reasoning": "so", "confidence": 1, "answer": "42"}'


@pytest.fixture
def told(database_url: str, server: FakeProvider) -> str:
    """A session in which one model is down, and the next is asked twice before it answers."""
    turns = iter([Fault.rate_limit(retry_after=0)])

    def decide(asked: Received) -> Any:
        if asked.model == "down":
            return Fault.status(500, "gone fishing")
        return next(turns, Answer(SAID, usage=Usage(100, 20, cached=1000, written=50), model="next-2026"))

    server.answers(decide)
    run(database_url, server, "down", "next")
    return database_url


def test_a_failover_is_shown_with_who_failed_and_who_answered(ask: Command, told: str) -> None:
    page = ask("show", "r1", "-d", told).out
    first, second = (line.strip() for line in page.splitlines() if line.strip().startswith("call "))
    assert first.startswith("call 1 of ana to vllm:down (vllm:down): failed")
    assert re.search(
        r"answered, 100 \+ 1,000 cached \+ 50 written tokens in, 20 tokens out, \$0\.00\d+, "
        r"[\d,]+ ms, first piece after [\d,]+ ms",
        second,
    )
    assert re.search(r"tried before +rate limit \(429\)", page)
    assert re.search(r"answered by +next-2026", page)


def test_what_is_new_in_calls_has_keys_of_its_own(ask: Command, told: str) -> None:
    failed, answered = ask("show", "r1", "-d", told, "--json").data["round"]["calls"]
    assert (failed["status"], failed["reused"], failed["detail"]["status"]) == ("failed", None, 500)
    assert failed["detail"]["kind"] == "outage"
    assert [one["kind"] for one in answered["tries"]] == ["rate_limit"]
    assert (answered["written_tokens"], answered["cached_tokens"]) == (50, 1000)
    assert answered["answered_by"] == "next-2026"
    assert isinstance(answered["passed_over"], list)


A_CALL = {
    "agent": "ana",
    "attempt": 1,
    "model": "p:m",
    "lineage": "a/b",
    "status": "answered",
    "answer": "the answer",
    "reasoning": None,
    "reasoning_kind": "raw",
    "input_tokens": 1,
    "output_tokens": 2,
    "cached_tokens": 0,
    "reasoning_tokens": 0,
    "written_tokens": 0,
    "estimated": False,
    "usd": 0.5,
    "reserved_usd": 0.5,
    "latency_ms": 1200,
    "ttft_ms": None,
    "finish_reason": "stop",
    "holds": None,
    "request": [{"text": "{}"}, []],
    "answered_by": None,
    "tries": [],
    "passed_over": [],
    "reused": None,
    "detail": None,
}


def page(**more: Any) -> str:
    return plain(calls.call({**A_CALL, **more}))


def test_an_answer_that_broke_off_shows_the_part_that_came_and_that_it_is_charged_in_full() -> None:
    shown = page(status="partial", answer="Once upon", estimated=True, finish_reason="broken_off")
    assert "broke off, a part is kept" in shown
    assert "(estimated), $0.500000 charged in full" in shown
    assert "the part that came:\n      Once upon" in shown
    assert re.search(r"ended +broken_off", shown)
    assert "charged in full" not in page(status="partial", usd=0.1)


def test_a_call_that_is_held_back_shows_what_is_reserved_for_it() -> None:
    shown = page(status="held", answer=None, usd=None, holds={"tokens": 900, "ms": 3000})
    assert "held back, not sent, $0.500000 reserved" in shown
    assert re.search(r'holds beside money +\{"tokens": 900, "ms": 3000\}', shown)
    assert "nobody knows" in page(status="unknown", answer=None)


def test_those_that_were_passed_over_are_shown_with_the_reason() -> None:
    passed = [{"model": "p:x", "why": "rate_limit", "seconds": 12.5}, {"model": "p:y", "why": "budget"}]
    shown = page(passed_over=passed, detail={"passed_over": passed})
    assert re.search(r"passed over +p:x: rate limit, left in peace for 12\.5 s, p:y: budget", shown)
    assert "detail" not in shown


def test_an_answer_that_is_used_again_says_whose_it_was() -> None:
    assert re.search(
        r'used again +\{"session": "one", "round": 3\}', page(reused={"session": "one", "round": 3})
    )


@pytest.mark.parametrize(
    "odd", [{"tries": "none"}, {"tries": [7, None]}, {"tries": [{}]}, {"passed_over": [{"seconds": "x"}]}]
)
def test_records_that_somebody_wrote_by_hand_are_shown_all_the_same(odd: dict[str, Any]) -> None:
    assert "the answer" in page(**odd)
