"""Tries models: each is asked a tiny question, and what it can do is read from its answer.

The calls are made as any others are: recorded, and reserved in the session's budget before they leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, TypeAdapter

from dissensus_state.accounts import Policy
from dissensus_state.errors import BudgetExceeded
from dissensus_state.journal import Journal
from dissensus_state.records import Call, Round
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState

from .asking import Asker
from .crossing import aside
from .errors import MalformedAnswer, ModelFailed, WrongType
from .messages import Part, Reply, Request
from .models.client import Model
from .models.replies import read_answer

STEP = "check"
AT_ONCE = 8
MOST_TOKENS = 2048
"""An answer takes ten; models that think before it need room for that."""


class Check(SharedState, version=1):
    """The state of a session that only tries models: it has nothing to say."""

    note: str = ""


class Sum(BaseModel):
    """What is asked for."""

    sum: int


_ANSWER = TypeAdapter(Sum)
_PARTS = (Part('What is 17 + 25? Answer with a JSON object: {"sum": …}'),)
TYPED = Request(
    "You are tried out. Answer briefly.",
    _PARTS,
    output_schema={
        "type": "object",
        "properties": {"sum": {"type": "integer"}},
        "required": ["sum"],
        "additionalProperties": False,
    },
    max_output_tokens=MOST_TOKENS,
)
PLAIN = replace(TYPED, output_schema=None)


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one model.

    Attributes:
        model: Its name.
        call: Its last call, as it is recorded; None: it was not asked.
        typed: How its answer kept to the schema: `as asked`, `repaired`, `not at all`; None: no answer.
        error: Why it gave none, or was not asked: `code`, `message`, `next`.
    """

    model: str
    call: Call | None = None
    typed: str | None = None
    error: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether it answered."""
        return self.call is not None and self.call.status == "answered" and not self.error


Told = Callable[[Trial], None]


async def tried(
    session: Session[Any], models: Sequence[Model], *, at_once: int = AT_ONCE, tell: Told | None = None
) -> list[Trial]:
    """Ask each model a tiny question, in one round of the session.

    One whose worst case does not fit into the budget while others are being asked is asked after them.

    Args:
        session: Its budget is never overspent.
        models: Each with a name of its own.
        at_once: How many are asked at the same time.
        tell: Hears of each as soon as it is done.
    """
    journal = await aside(Journal, session)
    opened = await aside(journal.begin, STEP, session.head, [])
    if opened is None:
        raise RuntimeError("the session was written to while it was opened")
    asker = Asker(journal, Policy.of(session.budget))
    trying = _Trying(asker, opened[0], asyncio.Semaphore(at_once), tell)
    found = await asyncio.gather(*(trying.first(model) for model in models))
    done = [trial or await trying.again(model) for model, trial in zip(models, found, strict=True)]
    why = {"void": [{"code": "check", "message": "Models were tried: nothing is committed"}]}
    await aside(journal.close, trying.round, "void", why=why)
    return done


@dataclass(frozen=True, slots=True)
class _Trying:
    """One round of trials."""

    asker: Asker
    round: Round
    turn: asyncio.Semaphore
    tell: Told | None

    async def first(self, model: Model) -> Trial | None:
        """Try a model; None if its worst case does not fit while others are being asked."""
        async with self.turn:
            trial = await self._model(model)
        unpaid = trial.error.get("code") == BudgetExceeded.code and trial.call is None
        return None if unpaid and model.price is not None else self._told(trial)

    async def again(self, model: Model) -> Trial:
        """Try a model when all others are settled."""
        return self._told(await self._model(model))

    def _told(self, trial: Trial) -> Trial:
        if self.tell is not None:
            self.tell(trial)
        return trial

    async def _model(self, model: Model) -> Trial:
        """Ask a model, and without a schema where it will not take one."""
        try:
            return _read(model, *await self._asked(model, TYPED, 1))
        except BudgetExceeded as error:
            return Trial(model.name, error=error.as_dict())
        except ModelFailed as error:
            if error.context.get("kind") != "invalid":
                return Trial(model.name, error=error.as_dict())
        try:
            trial = _read(model, *await self._asked(model, PLAIN, 2))
        except (ModelFailed, BudgetExceeded) as error:
            return Trial(model.name, error=error.as_dict())
        return replace(trial, typed="not at all")

    async def _asked(self, model: Model, request: Request, number: int) -> tuple[Call, Reply]:
        departure = self.asker.prepare(model.name, number, [model], lambda _: request)
        return await self.asker.ask(await self.asker.send(self.round, departure))


def _read(model: Model, call: Call, reply: Reply) -> Trial:
    """What an answer shows."""
    if call.status != "answered":
        return Trial(model.name, call, error=dict(call.detail or {}))
    if not reply.text.strip():
        said = f"The answer is empty; it ended with {reply.finish_reason!r}"
        return Trial(model.name, call, error={"code": MalformedAnswer.code, "message": said, "next": ""})
    try:
        _, repairs = read_answer(reply.text, _ANSWER)
    except (MalformedAnswer, WrongType):
        return Trial(model.name, call, "not at all")
    return Trial(model.name, call, "repaired" if repairs else "as asked")
