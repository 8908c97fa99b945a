"""One model call: its intent and its worst case before, its answer as soon as it is whole."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import replace

from dissensus_state.errors import BudgetExceeded
from dissensus_state.journal import Journal
from dissensus_state.records import Call, Round
from dissensus_state.values import JSON, canonical

from .crossing import aside
from .errors import MissingKey, ModelFailed
from .messages import Part, Reply, Request, Turn, Usage
from .models.client import Model
from .models.prices import Price, Tier, cost, worst_case


def intent(agent: str, attempt: int, model: Model, request: Request, unpriced: str) -> Call:
    """A call about to be made, with its honest worst case.

    Args:
        unpriced: The session's policy for a call whose price is unknown: `refuse` or `allow`.

    Raises:
        BudgetExceeded: its price is unknown, and the session refuses such calls.
    """
    price = model.price
    if price is None and unpriced == "refuse":
        raise BudgetExceeded(
            f"The price of {model.name} is unknown, so its call cannot be reserved",
            next_step="Give the model a price, or open the session with Budget(…, unpriced='allow')",
            agent=agent,
        )
    return Call(
        agent=agent,
        attempt=attempt,
        model=model.name,
        lineage=model.lineage,
        price=None if price is None else _terms(price),
        request=recorded(request),
        reserved=0 if price is None else worst_case(price, request),
        sent_at=0,
    )


@functools.lru_cache(maxsize=256)
def _terms(price: Price) -> JSON:
    """The unit prices as they are stored with the call."""
    tiers: list[JSON] = [{"above": tier.above, **_unit(tier)} for tier in price.tiers]
    terms = {**_unit(price), "source": price.source, "since": price.since, "tiers": tiers}
    return {name: value for name, value in terms.items() if value}


def _unit(price: Price | Tier) -> dict[str, JSON]:
    named = {name: getattr(price, name) for name in ("input", "output", "cached", "written")}
    return {name: str(usd) for name, usd in named.items() if usd is not None}


def recorded(request: Request) -> JSON:
    """A request as it is stored: its frame, its parts by reference, and the turns that were sent back.

    `{"text": …}` is a literal; the journal keeps a long one aside by its digest.
    """
    body: list[JSON] = [{"text": request.frame}, [_stored(part) for part in request.parts]]
    if request.turns:
        body.append([_said(turn) for turn in request.turns])
    return body


def _said(turn: Turn) -> JSON:
    said: list[JSON] = [{"text": turn.answer}, {"text": turn.objection}]
    return said if turn.echo is None else [*said, {"text": canonical(turn.echo)}]


def _stored(part: Part) -> JSON:
    if part.source is None:
        return {"text": part.text, "title": part.title} if part.title else {"text": part.text}
    return part.source if part.title == part.source else [part.source, part.title]


def answered(call: Call, reply: Reply, price: Price | None) -> Call:
    """The call with what came of it."""
    return replace(
        call,
        status="answered",
        answer=reply.text,
        reasoning=reply.reasoning,
        reasoning_kind=reply.reasoning_kind,
        raw=reply.raw,
        input_tokens=reply.usage.input,
        output_tokens=reply.usage.output,
        cached_tokens=reply.usage.cached,
        reasoning_tokens=reply.usage.reasoning,
        estimated=reply.usage.estimated,
        cost=None if price is None else cost(price, reply.usage),
        latency_ms=reply.latency_ms,
        ttft_ms=reply.ttft_ms,
        finish_reason=reply.finish_reason,
        detail=_detail(call, reply),
        written_tokens=reply.usage.written or None,
        echo=reply.echo,
    )


def _detail(call: Call, reply: Reply) -> dict[str, JSON] | None:
    detail: dict[str, JSON] = {}
    if reply.notes:
        detail["notes"] = list(reply.notes)
    if reply.model != call.model:
        detail["answered_by"] = reply.model
    return detail or None


def reply_of(call: Call) -> Reply:
    """A recorded answer as the reply it was."""
    return Reply(
        text=call.answer or "",
        model=call.model,
        usage=Usage(
            call.input_tokens,
            call.output_tokens,
            call.cached_tokens,
            call.reasoning_tokens,
            call.estimated,
            call.written_tokens or 0,
        ),
        reasoning=call.reasoning,
        reasoning_kind=call.reasoning_kind,  # type: ignore[arg-type]
        finish_reason=call.finish_reason,
        latency_ms=call.latency_ms,
        ttft_ms=call.ttft_ms,
        raw=call.raw,
        echo=call.echo,
    )


def recorded_failure(call: Call) -> ModelFailed:
    """The error of a call that is recorded as failed."""
    detail = dict(call.detail or {})
    message, next_step, code = (str(detail.pop(name, "")) for name in ("message", "next", "code"))
    return ModelFailed(message, next_step=next_step, recorded=code, **detail)


def broke_off(call: Call) -> bool:
    """Whether a call failed after it may have been billed; one that a crash cut short tells nothing."""
    return call.status == "unknown" and call.detail is not None


def _unsent(call: Call) -> bool:
    """Whether a failed call never left, so that it says nothing of the model."""
    return (call.detail or {}).get("code") == MissingKey.code


class Asker:
    """Makes the calls of a run, each recorded before and after.

    Answers that come at once are written in one transaction.

    Args:
        journal: Where calls are recorded.
        unpriced: The session's policy for calls of unknown price.
    """

    def __init__(self, journal: Journal, unpriced: str) -> None:
        self.unpriced = unpriced
        self._journal = journal
        self._waiting: list[tuple[Call, asyncio.Future[None]]] = []
        self._flush: asyncio.Task[None] | None = None

    async def attempt(
        self, round_: Round, seat: str, model: Model, request: Request, earlier: Sequence[Call], number: int
    ) -> tuple[Call, Reply]:
        """The answer of one attempt: the recorded one, or one that is asked for now.

        A call that was sent by a worker that is gone may have been answered and billed: it comes
        back as `unknown`, charged in full, and the caller asks again. So it does where the call never
        left for want of a key.

        Args:
            seat: The agent, or the supervisor's seat.
            earlier: The calls of this seat in the round so far.

        Raises:
            ModelFailed: no usable answer came, now or when it was recorded.
        """
        known = next((call for call in earlier if call.attempt == number), None)
        if known is None:
            known = await self._send(round_, intent(seat, number, model, request, self.unpriced))
        elif known.status == "answered":
            return known, reply_of(known)
        elif known.status == "failed" and not _unsent(known):
            raise recorded_failure(known)
        elif known.status == "failed":
            return known, Reply("", known.model)
        elif known.status == "unknown" or not self._is_mine(known):
            return await self._give_up(known), Reply("", known.model)
        return await self.ask(known, model, request)

    def _is_mine(self, call: Call) -> bool:
        return (call.round, call.agent, call.attempt) in self._journal.sent

    async def _give_up(self, call: Call) -> Call:
        if call.status == "unknown":
            return call
        unknown = replace(call, status="unknown", cost=call.reserved)
        await self.record(unknown)
        return unknown

    async def _send(self, round_: Round, call: Call) -> Call:
        return (await aside(self._journal.send, round_, [call]))[0]

    async def ask(self, call: Call, model: Model, request: Request) -> tuple[Call, Reply]:
        """Make a call whose intent is written, and record what comes of it.

        One that broke off, and may have been billed, comes back as `unknown`, charged in full.

        Raises:
            ModelFailed: no usable answer came; that is recorded as well.
        """
        try:
            reply = await model.answer(request)
        except ModelFailed as error:
            if error.context.get("billed"):
                lost = replace(call, status="unknown", cost=call.reserved, detail=error.as_dict())
                await self.record(lost)
                return lost, Reply("", call.model)
            await self.record(replace(call, status="failed", cost=0, detail=error.as_dict()))
            raise
        done = answered(call, reply, model.price)
        await self.record(done)
        return done, reply

    async def record(self, outcome: Call) -> None:
        """Return when the outcome is durable."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((outcome, done))
        if self._flush is None:
            self._flush = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        await asyncio.sleep(0)
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await self._write_batch(batch)
        self._flush = None

    async def _write_batch(self, batch: Sequence[tuple[Call, asyncio.Future[None]]]) -> None:
        """Write some outcomes; everybody who waits for one of them learns what came of that."""
        outcomes = [outcome for outcome, _ in batch]
        (failure,) = await asyncio.gather(aside(self._journal.settle, outcomes), return_exceptions=True)
        for _, done in batch:
            if done.done():
                continue
            if failure is None:
                done.set_result(None)
            else:
                done.set_exception(failure)
