"""Makes the calls of a run: each is recorded before it leaves, and its answer as soon as it is whole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeAlias

from dissensus_state.accounts import Account, Policy
from dissensus_state.charges import given_up
from dissensus_state.errors import LeaseLost, located
from dissensus_state.journal import Journal
from dissensus_state.records import Call, CallStatus, Round
from dissensus_state.reuse import is_reused, used_again
from dissensus_state.values import JSON

from .calls import answered, beside, cancelled, intent, lost, recorded_failure, reply_of
from .context.counting import surely_over
from .context.fitting import window_of
from .crossing import aside
from .departures import Departure, seconds_of, wait_for
from .errors import ModelFailed, Untrusted
from .messages import Delta, Reply, Request
from .models.calling import ONCE, Heard, call, most_heard
from .models.client import Model, is_trusted
from .models.health import HEALTH, Health
from .models.kinds import kind_of_error
from .models.limits import Place, line_up
from .patterns.failover import Choice, choose
from .questions import key_of

Tell: TypeAlias = Callable[[Delta], None]

Shared: TypeAlias = tuple[Call, dict[str, str | int]]
"""An answered call, and where it is recorded."""

_ASKED: dict[tuple[int, str, int | None, bytes], asyncio.Future[Shared | None]] = {}
"""The questions that are being asked in this process: event loop, database, tenant and key."""


def _shared(session: str, done: Call | None) -> Shared | None:
    if done is None or done.status != "answered":
        return None
    where: dict[str, str | int] = {
        "session": session,
        "round": done.round,
        "agent": done.agent,
        "attempt": done.attempt,
    }
    return done, where


class Tape(Protocol):
    """Where calls are recorded that are made again."""

    def found(self, step: str, made: Call, request: Request) -> Call | None:
        """The call with whatever became of it when it was recorded, at no cost; None: it is to be made.

        Args:
            step: The step of its round.
            made: The call as it would be made.
            request: What would be asked.
        """


class Purse(Protocol):
    """What the calls of a run may cost together."""

    def hold(self, call: Call) -> None:
        """Put the worst case of a call aside.

        Raises:
            DissensusError: It does not fit; the run stops there.
        """

    def give_back(self, call: Call) -> None:
        """The call is not made after all."""

    def settle(self, calls: Sequence[Call]) -> None:
        """What became of calls."""


class Asker:
    """Makes the calls of a run, each recorded before and after.

    What is to be written at once is written in one transaction.

    Args:
        journal: Where calls are recorded.
        policy: What the session does where a price or an outcome is unknown.
        health: Where it is remembered how providers fare.

    Attributes:
        warn: Hears of each account whose soft limit is reached.
        tape: Where recorded calls are found that are made again at no cost; None: nowhere.
        purse: What all calls of the run together may cost; None: only the session's budget holds.
    """

    def __init__(self, journal: Journal, policy: Policy, health: Health = HEALTH) -> None:
        self.policy = policy
        self.warn: Callable[[Account], None] = lambda _: None
        self.health = health
        self.tape: Tape | None = None
        self.purse: Purse | None = None
        self._journal = journal
        self._leaving: dict[tuple[int, str, int], Departure] = {}
        self._waiting: list[tuple[Call, asyncio.Future[None]]] = []
        self._flush: asyncio.Task[None] | None = None

    def prepare(
        self,
        seat: str,
        number: int,
        left: Sequence[Model],
        request_for: Callable[[Model], Request],
        unpaid: Sequence[str] = (),
        *,
        reuse: bool = False,
        step: str = "",
    ) -> Departure:
        """A call of the first of these models that may be asked, ready to be written down.

        Args:
            seat: Whose call it is.
            number: Its attempt.
            left: The candidates, at least one.
            request_for: What each is to be asked.
            unpaid: The candidates whose calls do not fit into the budget.
            reuse: An answer that is recorded for the same question will do.
            step: The step of the round.

        Raises:
            BudgetExceeded: Its price is unknown, and the session refuses such calls.
            Unavailable: All of them are to be left in peace for longer than there is patience.
            Untrusted: None of them is trusted with what it would be shown.
        """
        left, distrusted = _by_trust(left, request_for)
        if self.tape is not None:
            reuse = False  # what is not recorded on the tape is asked, each time
            known = self._on_tape(self.tape, seat, number, left, request_for, step)
            if known is not None:
                return known
        fitting = [model for model in left if not _overflows(model, request_for(model))] or left
        choice = choose(fitting, self.health)
        request = request_for(choice.model).said_to(choice.model.name, choice.model.lineage)
        try:
            with located(model=choice.model.name):
                made = intent(seat, number, choice.model, request, self.policy)
            if self.purse is not None:
                self.purse.hold(made)
        except BaseException:
            choice.give_back(self.health)
            raise
        place = line_up(choice.model, request)
        passed: list[JSON] = [{"model": model.name, "why": "sensitive"} for model in distrusted]
        passed += [{"model": name, "why": "budget"} for name in unpaid]
        passed += [{"model": one.name, "why": "context_overflow"} for one in left if one not in fitting]
        passed += choice.passed_over
        status: CallStatus = "held" if choice.wait > 0 or place.must_wait else "sent"
        key = key_of(choice.model, request) if reuse else None
        made = replace(made, status=status, detail={"passed_over": passed} if passed else None, key=key)
        return Departure(made, choice, request, place)

    def _on_tape(
        self,
        tape: Tape,
        seat: str,
        number: int,
        left: Sequence[Model],
        request_for: Callable[[Model], Request],
        step: str,
    ) -> Departure | None:
        """The call of the first of these models of which one is recorded, with what became of it."""
        for model in left:
            asked = request_for(model).said_to(model.name, model.lineage)
            made = intent(seat, number, model, asked, replace(self.policy, unpriced="allow"))
            if (known := tape.found(step, made, asked)) is not None:
                return Departure(known, Choice(model), asked, Place())
        return None

    async def prepared(self, *given: Any, **how: Any) -> Departure:
        """The same; in a thread, where a tape has to be looked through."""
        if self.tape is None:
            return self.prepare(*given, **how)
        return await aside(partial(self.prepare, *given, **how))

    def written(self, departures: Iterable[Departure], calls: Iterable[Call]) -> None:
        """These calls stand in the records now, and will be asked for next."""
        for departure, sent in zip(departures, calls, strict=True):
            departure.call = sent
            self._leaving[sent.round, sent.agent, sent.attempt] = departure

    def departure(self, call: Call) -> Departure | None:
        """The call, if it is one that this run has written down and not asked for yet."""
        return self._leaving.pop((call.round, call.agent, call.attempt), None)

    def give_back(self, departures: Iterable[Departure]) -> None:
        """These calls are not made after all."""
        for departure in departures:
            departure.place.give_back()
            departure.choice.give_back(self.health)
            if self.purse is not None:
                self.purse.give_back(departure.call)

    async def send(self, round_: Round, departure: Departure) -> Departure:
        """Write a call down and hold its worst case.

        Raises:
            BudgetExceeded: It does not fit.
        """
        try:
            with located(model=departure.call.model):
                (departure.call,) = await aside(self._journal.send, round_, [departure.call])
        except BaseException:
            self.give_back([departure])
            raise
        return departure

    async def give_up(self, call: Call) -> Call:
        """Settle a call of a worker that is gone: held, it never left; sent, the budget's rule says."""
        left = given_up(call, self.policy.in_flight)
        await self.record(left)
        return left

    async def ask(self, departure: Departure, tell: Tell | None = None) -> tuple[Call, Reply]:
        """Make a call whose intent is written, and record what comes of it.

        One that broke off or was stopped, and may have been billed, comes back as `partial` (or
        `unknown`, if nothing was heard of it), charged in full.

        Args:
            departure: The call.
            tell: Hears each piece of an answer that is streamed.

        Raises:
            ModelFailed: No usable answer came; that is recorded as well.
        """
        if self.tape is not None and is_reused(departure.call):
            if departure.call.status == "failed":
                raise recorded_failure(departure.call)
            return departure.call, reply_of(departure.call)
        if departure.call.key is None:
            return await self._ask(departure, tell)
        if departure.call.status == "answered":
            self.give_back([departure])
            return departure.call, reply_of(departure.call)
        return await self._ask_once(departure, departure.call.key, tell)

    async def _ask_once(self, departure: Departure, key: bytes, tell: Tell | None) -> tuple[Call, Reply]:
        """Ask, unless somebody in this process is asking the same: then the first answer is for all."""
        session, loop = self._journal.session, asyncio.get_running_loop()
        question = (id(loop), session.database.name, session.database.tenant, key)
        while (asked := _ASKED.get(question)) is not None:
            if (first := await asyncio.shield(asked)) is not None:
                self.give_back([departure])
                again = used_again(departure.call, *first)
                await self.record(again)
                return again, reply_of(again)
        mine = _ASKED[question] = loop.create_future()
        done: Call | None = None
        try:
            known = await aside(self._journal.answered_since, departure.call)
            if known is not None:
                self.give_back([departure])
                await self.record(known)
                return known, reply_of(known)
            done, reply = await self._ask(departure, tell)
        finally:
            del _ASKED[question]
            mine.set_result(_shared(session.name, done))
        return done, reply

    async def _ask(self, departure: Departure, tell: Tell | None) -> tuple[Call, Reply]:
        heard = Heard(tell, most_heard(departure.request))
        try:
            await self._depart(departure)
            reply = await call(
                departure.choice.model,
                departure.request,
                heard=heard,
                patience=None if departure.choice.alone else ONCE,
                seconds=seconds_of(departure.call),
                place=departure.place,
                health=self.health,
            )
        except ModelFailed as error:
            return await self._failed(departure.call, error, heard), Reply("", departure.call.model)
        except asyncio.CancelledError:
            await self._cancelled(departure, heard)
            raise
        done = answered(departure.call, reply, heard)
        await self.record(done)
        return done, reply

    async def _depart(self, departure: Departure) -> None:
        """Wait for as long as a held call has to, and say that it leaves before it does."""
        if departure.call.status != "held":
            return
        await wait_for(departure, self.health)
        departure.call = replace(departure.call, status="sent")
        await self.record(departure.call)

    async def _failed(self, sent: Call, error: ModelFailed, heard: Heard) -> Call:
        error.context = {**error.context, "kind": kind_of_error(error)}
        if error.context.get("billed"):
            gone = lost(sent, error, heard)
            await self.record(gone)
            return gone
        detail = {**beside(sent, heard), **error.as_dict()}
        await self.record(replace(sent, status="failed", cost=0, detail=detail))
        raise error

    async def _cancelled(self, departure: Departure, heard: Heard) -> None:
        """Keep the part of an answer that had come; a call of which nothing was heard stays as it is."""
        departure.place.leave()
        departure.choice.give_back(self.health)
        if heard.anything:
            with contextlib.suppress(LeaseLost):
                await self.record(cancelled(departure.call, heard))

    async def record(self, outcome: Call) -> None:
        """Return when it is durable what became of a call: an outcome, or that a held one leaves."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((outcome, done))
        if self._flush is None:
            self._flush = asyncio.create_task(self._write())
        await done

    async def flushed(self) -> None:
        """Return when everything is written that was to be recorded."""
        if self._flush is not None:
            await asyncio.shield(self._flush)

    async def _write(self) -> None:
        await asyncio.sleep(0)
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await self._write_batch(batch)
        self._flush = None

    async def _write_batch(self, batch: Sequence[tuple[Call, asyncio.Future[None]]]) -> None:
        """Write some outcomes; everybody who waits for one of them learns what came of that."""
        outcomes = [outcome for outcome, _ in batch]
        (result,) = await asyncio.gather(aside(self._journal.settle, outcomes), return_exceptions=True)
        if self.purse is not None and not isinstance(result, BaseException):
            self.purse.settle(outcomes)
        for _, done in batch:
            if done.done():
                continue
            if isinstance(result, BaseException):
                done.set_exception(result)
            else:
                done.set_result(None)
        for account in () if isinstance(result, BaseException) else result:
            self.warn(account)


def _by_trust(
    left: Sequence[Model], request_for: Callable[[Model], Request]
) -> tuple[Sequence[Model], Sequence[Model]]:
    """Those that may be asked, and those that are not trusted with what they would be shown.

    Every call of a run goes through here, whosever it is.

    Raises:
        Untrusted: None may be asked.
    """
    distrusted = [model for model in left if not is_trusted(model) and request_for(model).sensitive]
    if not distrusted:
        return left, ()
    trusted = [model for model in left if model not in distrusted]
    if not trusted:
        paths = ", ".join(request_for(left[0]).sensitive)
        raise Untrusted(
            f"{', '.join(model.name for model in distrusted)}: not trusted with {paths}, which is sensitive",
            model=distrusted[0].name,
        )
    return trusted, distrusted


def _overflows(model: Model, request: Request) -> bool:
    """Whether a request surely does not fit into a model's window, so that it need not be asked."""
    window = window_of(model)
    return window is not None and bool(surely_over(request, window))
