"""A session lives through one fault at one adapter; and everything that is wrong with the outcome."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters import asked_at
from dissensus.testing import FakeProvider, Fault
from dissensus.testing.answers import Spoken
from dissensus_agents.agent import Agent
from dissensus_agents.graph import AgentGraph
from dissensus_agents.models.health import HEALTH
from dissensus_agents.models.prices import Price
from dissensus_agents.models.retries import Patience
from dissensus_agents.models.wire import WireModel
from dissensus_state.errors import DissensusError
from dissensus_state.records import Budget, Call
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store

MOST_SECONDS = 60.0
"""Far above what any takes: the machine may be busy, and a call that nothing bounds never ends."""

MOST_BYTES = 64 * 1024 * 1024
PRICE = Price(Decimal(1), Decimal(2), source="a test", since="2026-01-01")
LIMIT = Budget(usd="0.05")
TIMEOUT = 5.0
SHORT_TIMEOUT = 0.5
HANGING = {"silent", "stalled_midway", "slow_loris"}
PATIENCE = Patience(attempts=2, seconds=0.3, pause=0.01)
SOUND = '{"answer": 42}'
SETTLED = {"answered", "partial", "failed", "unknown"}


class Inquiry(SharedState):
    """One question, and its answer."""

    question: str = "What is six times seven?"
    answer: int | None = None


@dataclass(frozen=True, slots=True)
class Lived:
    """What became of one fault: how long it took, how much memory, and what is wrong, if anything."""

    fault: str
    spoken: Spoken
    seconds: float
    bytes: int
    defects: tuple[str, ...]


def lived(
    provider: FakeProvider,
    store: Store,
    fault: Fault,
    spoken: Spoken,
    *,
    whole: bool = False,
    then: str | None = None,
) -> Lived:
    """A session of one agent whose provider has this fault, for ever.

    Args:
        provider: Who is asked.
        store: Where the session is.
        fault: What is wrong.
        spoken: In which format.
        whole: Whether answers come in one piece instead of as a stream.
        then: What the provider says after the fault: a fault for ever, by default.
    """
    HEALTH.forget()
    provider.says(fault, *([] if then is None else [then]))
    before = len(provider.received)
    graph = AgentGraph(Inquiry)
    model = _model(provider, fault, spoken, whole=whole)
    ana = Agent("ana", model, "Answer with a number.", max_output_tokens=1000)
    graph.add_step("answer", [ana], writes={"answer"})
    session = store.create(Inquiry(), budget=LIMIT)
    tracemalloc.start()
    started = time.perf_counter()
    raised = _run(graph, session)
    seconds = time.perf_counter() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    requests = _arrived(provider, before, _attempts(session) if fault.connection == "taken" else 0)
    ended = _outcome(session) if then and raised is None else _failed(session, raised)
    defects = [*_bounds(seconds, peak), *ended, *_calls(session, fault, requests, well=then is not None)]
    return Lived(fault.name, spoken, seconds, peak, tuple(defects))


def mixed(provider: FakeProvider, store: Store, faults: Sequence[Fault], spoken: Spoken) -> tuple[str, ...]:
    """What is wrong after a session lived through these faults, one after the other, and then an answer."""
    HEALTH.forget()
    provider.says(*faults, SOUND)
    before = len(provider.received)
    graph = AgentGraph(Inquiry)
    model = _model(provider, Fault.named("silent"), spoken, whole=False)
    graph.add_step("answer", [Agent("ana", model, max_output_tokens=1000)], writes={"answer"})
    session = store.create(Inquiry(), budget=LIMIT)
    raised = _run(graph, session)
    attempts = _attempts(session)
    requests = _arrived(provider, before, attempts)
    unlike = [f"{requests} requests came, and {attempts} are on record"] if attempts != requests else []
    ended = _outcome(session) if raised is None else _failed(session, raised)
    return (*unlike, *ended)


def handled(found: Sequence[Lived]) -> float:
    """The share of them with nothing wrong."""
    return sum(not one.defects for one in found) / len(found)


def warmed(provider: FakeProvider, store: Store) -> None:
    """Have everything imported that a session needs, so that no fault is charged for it."""
    provider.says(Fault.named("wrong_key"))
    graph = AgentGraph(Inquiry)
    graph.add_step("answer", [Agent("ana", asked_at(provider, "openai"))], writes={"answer"})
    _run(graph, store.create(Inquiry(), budget=Budget(usd=1, unpriced="allow")))


def _model(provider: FakeProvider, fault: Fault, spoken: Spoken, *, whole: bool) -> WireModel:
    return asked_at(
        provider,
        spoken,
        fault.name,
        scheme="https" if fault.connection == "tls" else "http",
        whole=whole,
        price=PRICE,
        timeout=SHORT_TIMEOUT if fault.name in HANGING else TIMEOUT,
        patience=PATIENCE,
    )


def _run(graph: AgentGraph, session: Session[Inquiry]) -> Exception | None:
    try:
        asyncio.run(graph.run(session))
    except Exception as error:  # noqa: BLE001 - whatever comes is judged: only our own errors are expected
        return error
    return None


def _bounds(seconds: float, peak: int) -> Iterator[str]:
    if seconds > MOST_SECONDS:
        yield f"it took {seconds:.1f} s"
    if peak > MOST_BYTES:
        yield f"it took {peak / 2**20:.0f} MB"


def _failed(session: Session[Inquiry], raised: Exception | None) -> Iterator[str]:
    if not isinstance(raised, DissensusError):
        yield f"it ended with {raised!r}"
    yield from _outcome(session)


def _outcome(session: Session[Inquiry]) -> Iterator[str]:
    """The session is sound: the money is held together, and the history verifies."""
    account = session.budget
    if account.held:
        yield f"{account.held} is still held"
    if account.limit is None or account.spent > account.limit:
        yield f"{account.spent} of {account.limit} was spent"
    if account.spent != sum(call.cost or 0 for call in _made(session)):
        yield "the account is not the sum of its calls"
    try:
        session.verify()
    except DissensusError as error:
        yield f"it does not verify: {error}"


def _made(session: Session[Inquiry]) -> list[Call]:
    return [call for opened in session.rounds() for call in session.round(opened.round)[2]]


def _attempts(session: Session[Inquiry]) -> int:
    """How many attempts are on record: each call's own, and those before it that cost nothing."""
    return sum(1 + len((call.detail or {}).get("tries", ())) for call in _made(session))


def _arrived(provider: FakeProvider, before: int, expected: int) -> int:
    """How many requests came; one that was given up in haste may arrive a moment later."""
    for _ in range(100):
        if len(provider.received) - before >= expected:
            break
        time.sleep(0.01)
    return len(provider.received) - before


def _calls(session: Session[Inquiry], fault: Fault, requests: int, *, well: bool) -> Iterator[str]:
    """Every attempt has exactly one outcome on record, of the right kind, and is charged where it may be."""
    calls = _made(session)
    if not calls:
        yield "no call is on record"
    attempts = _attempts(session)
    if fault.connection == "taken" and attempts != requests:
        yield f"{requests} requests came, and {attempts} are on record"
    if well and (calls[-1].status, calls[-1].answer) != ("answered", SOUND):
        yield f"the last attempt is {calls[-1].status}"
    for call in calls[:-1] if well else calls:
        yield from _call(call, fault)


def _call(call: Call, fault: Fault) -> Iterator[str]:
    detail = call.detail or {}
    kind = detail.get("kind")
    named = f"attempt {call.attempt}"
    if call.status not in SETTLED:
        yield f"{named} is {call.status}"
    if call.status != "answered" and kind is None:
        yield f"{named} does not say why it failed"
    if kind not in fault.kinds:
        yield f"{named} is called {kind}"
    if any(tried["kind"] not in fault.kinds for tried in detail.get("tries", ())):
        yield f"{named} was tried for another reason: {detail['tries']}"
    if fault.billed and not call.cost:
        yield f"{named} may have been charged, and is not counted"
    if not fault.billed and call.cost:
        yield f"{named} cost nothing, and is charged"
