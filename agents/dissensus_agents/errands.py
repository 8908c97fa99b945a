"""Asking one seat until something can be used: over its candidates, and over answers that do not fit.

Where it stands follows from the rows of its calls, so that a run that was stopped goes on with the
candidate after those recorded, and nothing recorded is asked for again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dissensus_state.errors import BudgetExceeded
from dissensus_state.journal import Outcome
from dissensus_state.records import Call
from dissensus_state.values import JSON

from .calls import broke_off, never_left, recorded_failure, reply_of
from .departures import Departure
from .errors import MissingKey, ModelFailed
from .judgement.supervisor import is_seat
from .messages import Delta, Reply, Request
from .models.client import Model
from .models.kinds import kind_of_error, refusal_of
from .models.recordings import NotRecorded
from .patterns.failover import Candidates
from .running import Run, Running

_MENDED = {MissingKey.code, NotRecorded.code}
"""Failures that stopped a run; whoever resumes it has mended what they are about."""


@dataclass(slots=True)
class Errand:
    """One seat of a round, and how far asking it has come.

    Args:
        run: The run, with its way of asking.
        running: The round.
        seat: The agent, or the supervisor's seat.
        candidates: The models of the seat.
        base: What each of them is asked at first.
        attempts: How many answers of each candidate may not fit, and how many calls more may break off.
        earlier: The calls of this seat that stand in the records.
        anew: What failed in an earlier run is forgotten: the candidates are asked again.
        reuse: Whether an answer that is recorded for the same question will do; None: as the step has it.
    """

    run: Run
    running: Running
    seat: str
    candidates: Candidates
    base: Request
    attempts: int
    earlier: Sequence[Call]
    anew: bool = False
    reuse: bool | None = None
    calls: list[Call] = field(default_factory=list)
    answers: int = 0
    _request: Request | None = None
    _model: str | None = None
    _gone: set[str] = field(default_factory=set)
    _broken: int = 0
    _unpaid: dict[str, BudgetExceeded] = field(default_factory=dict)

    @property
    def exhausted(self) -> bool:
        """Whether as many answers did not fit as may, and no other candidate is left to ask."""
        return self.answers >= self.attempts and not self._is_passed_on("malformed", self.calls[-1])

    @property
    def attempt(self) -> int:
        """The number of the last call."""
        return len(self.calls)

    async def answer(self) -> tuple[Call, Reply]:
        """The next answer: a recorded one, or one that is asked for now.

        Raises:
            ModelFailed: The last candidate failed.
            BudgetExceeded: No candidate's call fits into the budget.
        """
        while True:
            number = len(self.calls) + 1
            known = next((call for call in self.earlier if call.attempt == number), None)
            departure = None if known is None else self.run.asker.departure(known)
            if departure is None and known is not None:
                found = self._take(await self._settled(known), recorded=True)
            else:
                found = await self._ask(departure or await self._depart(number))
            if found is not None:
                return found

    def unfit(self, reply: Reply, objection: str) -> None:
        """The answer would not do: its model is asked again, and told why; at last the next one is."""
        if self.answers >= self.attempts and self._is_passed_on("malformed", self.calls[-1]):
            self.answers = 0
            self._pass_over(self.calls[-1], "malformed")
            return
        asked = self.base if self._request is None else self._request
        self._request = asked.again(reply.text, objection, reply.echo)

    async def _depart(self, number: int) -> Departure:
        """Write down a call of the first candidate that may be asked and can be paid for."""
        while True:
            left = [model for model in self._left() if model.name not in self._unpaid]
            if not left:
                raise next(iter(self._unpaid.values()))
            try:
                reuse = self.running.step.governor.reuse if self.reuse is None else self.reuse
                unpaid = tuple(self._unpaid)
                given = self.seat, number, left, self._for, unpaid
                made = await self.run.asker.prepared(*given, reuse=reuse, step=self.running.step.name)
                return await self.run.asker.send(self.running.round, made)
            except BudgetExceeded as error:
                named = str(error.context.get("model"))
                known = any(model.name == named for model in left)
                self._unpaid[named if known else left[0].name] = error

    def _left(self) -> list[Model]:
        return self.candidates.after(self._gone, self._model)

    def _for(self, model: Model) -> Request:
        """What a model is asked: only the one that has been asked is shown its answers that would not do."""
        return self._request if self._request is not None and model.name == self._model else self.base

    async def _ask(self, departure: Departure) -> tuple[Call, Reply] | None:
        """Ask now."""
        model = departure.choice.model.name
        if not is_seat(self.seat):
            self.run.tell(self.running, "asked", agent=self.seat, model=model)
        tell = self._tell if self.run.deltas else None
        try:
            call, reply = await self.run.asker.ask(departure, tell)
        except ModelFailed as error:
            self.calls.append(departure.call)
            self._fail(departure.call, error, recorded=False)
            return None
        return self._take(call, reply)

    def _tell(self, delta: Delta) -> None:
        self.run.tell(self.running, "delta", agent=self.seat, text=delta.text, reasoning=delta.reasoning)

    async def _settled(self, known: Call) -> Call:
        """A recorded call; one that was left without an answer by a worker that is gone is settled."""
        return await self.run.asker.give_up(known) if known.status in {"held", "sent"} else known

    def _take(
        self, call: Call, reply: Reply | None = None, *, recorded: bool = False
    ) -> tuple[Call, Reply] | None:
        """Take in what became of a call; the answer, if it is one."""
        self.calls.append(call)
        if call.model != self._model:
            self._model, self._request = call.model, None
        if call.status == "answered":
            return self._heard(call, reply_of(call) if reply is None else reply)
        if never_left(call):
            self._outcome("not_sent", call)
        elif call.status == "failed":
            self._fail(call, recorded_failure(call), recorded=recorded)
        else:
            self._cut_short(call, recorded=recorded)
        return None

    def _heard(self, call: Call, reply: Reply) -> tuple[Call, Reply] | None:
        """An answer, unless it is a refusal and somebody else can be asked."""
        refused = refusal_of(reply)
        if refused is not None and self._is_passed_on(refused, call):
            self._pass_over(call, refused)
            return None
        self.answers += 1
        return call, reply

    def _cut_short(self, call: Call, *, recorded: bool) -> None:
        """A call that broke off, or whose end nobody knows, is asked again, elsewhere if that can be."""
        rule = (call.detail or {}).get("in_flight")
        told: dict[str, JSON] = {"in_flight": rule} if rule else {}
        self._outcome(call.status, call, charged_nano_usd=call.cost, **told)
        if not broke_off(call):
            return
        kind = kind_of_error(recorded_failure(call))
        if self._is_passed_on(kind, call):
            self._pass_over(call, kind)
            return
        self._broken += not (recorded and self.anew)
        if self._broken >= self.attempts:
            raise recorded_failure(call)

    def _fail(self, call: Call, error: ModelFailed, *, recorded: bool) -> None:
        """A call that failed: the next candidate is asked, if that may help and there is one."""
        kind = kind_of_error(error)
        if self._is_passed_on(kind, call):
            self._pass_over(call, kind)
        elif recorded and (self.anew or error.context.get("recorded") in _MENDED):
            self._gone.clear()
            self._model = self._request = None
        else:
            raise error

    def _is_passed_on(self, kind: str, call: Call) -> bool:
        """Whether another candidate may be asked after a failure of this kind."""
        return kind in self.candidates.on and any(model.name != call.model for model in self._left())

    def _pass_over(self, call: Call, kind: str) -> None:
        self._gone.add(call.model)
        self._model = self._request = None
        self._outcome("failover", call, model=call.model, why=kind)
        self.run.tell(self.running, "failover", agent=self.seat, model=call.model, why=kind)

    def _outcome(self, what: str, call: Call, **more: JSON) -> None:
        body = {"agent": call.agent, "attempt": call.attempt, **more}
        self.running.outcomes.append(Outcome(what, body))
