"""Model calls and the money for them: the intent before, the answer as soon as it is whole.

A call is written as `sent`, with its worst case reserved, before anything leaves the process. Its
answer is written in a transaction of its own, which also settles what it cost. What is found
`sent` and without an answer after a crash is marked `unknown`: it may have been answered and
billed, so the budget's rule says whether it is charged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import sqlalchemy as sa

from . import ledger, reuse
from .accounts import Account
from .blobs import REDACTED, is_gone, pack, stow_texts, unpack, unpack_text
from .engines import Row, Statement, Work, insert
from .errors import Conflict, ValueRefused
from .records import Call
from .tables import calls, models
from .values import canonical, normalise, parse, parse_object, store

Terms: TypeAlias = tuple[str, str, str, str]
"""Name, lineage, price and frame of a model, the latter two as canonical text."""

_PACKED = ("answer", "reasoning", "raw")
_LATER = ("written_tokens", "holds", "echo")
"""Columns that calls have since revision 0003: the chain covers them where they say something."""

_insert = insert(calls)
_key = (
    calls.c.session_id == sa.bindparam("session_id_"),
    calls.c.round == sa.bindparam("round_"),
    calls.c.agent == sa.bindparam("agent_"),
    calls.c.attempt == sa.bindparam("attempt_"),
)
_settled = (
    "status",
    "answer",
    "reasoning",
    "reasoning_kind",
    "raw",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "estimated",
    "cost",
    "latency_ms",
    "ttft_ms",
    "finish_reason",
    "detail",
    "written_tokens",
    "echo",
)
_answer = Statement(
    sa.update(calls)
    .where(*_key, sa.or_(calls.c.status == "sent", calls.c.status == "held"))
    .values({name: sa.bindparam(name) for name in _settled})
)
_leave = Statement(
    sa.update(calls).where(*_key, calls.c.status == "held").values(status="sent", sent_at=sa.bindparam("now"))
)
_of_round = Statement(
    sa.select(calls, models.c.name, models.c.lineage, models.c.price, models.c.frame)
    .join(models, sa.and_(models.c.session_id == calls.c.session_id, models.c.model == calls.c.model))
    .where(calls.c.session_id == sa.bindparam("session_id"), calls.c.round == sa.bindparam("round"))
)
_APART = {"session_id", "round", "model", *_LATER, *_PACKED}
said_columns = (
    models.c.name,
    models.c.lineage,
    models.c.price,
    models.c.frame,
    *(column for column in calls.c if column.name not in _APART),
    *(calls.c[name] for name in _LATER),
    *(calls.c[name] for name in _PACKED),
)
said = Statement(
    sa.select(*said_columns)
    .join(models, sa.and_(models.c.session_id == calls.c.session_id, models.c.model == calls.c.model))
    .where(calls.c.session_id == sa.bindparam("session_id"), calls.c.round == sa.bindparam("round"))
)
"""Everything that a round's calls say, its packed columns last: what the hash chain covers."""

_models = Statement(
    sa.select(models.c.model, models.c.name, models.c.lineage, models.c.price, models.c.frame)
    .where(models.c.session_id == sa.bindparam("session_id"))
    .order_by(models.c.model)
)
_insert_model = insert(models)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a caller knows to be stored already: texts by digest, and numbered ways of asking a model."""

    texts: set[bytes] = field(default_factory=set)
    models: dict[Terms, int] = field(default_factory=dict)

    def copy(self) -> Stored:
        """Another one, to be kept only if what it learns is committed."""
        return Stored(self.texts.copy(), self.models.copy())


def send(work: Work, session_id: int, intents: Sequence[Call], stored: Stored) -> list[Call]:
    """Write down calls that are about to be made, and hold their worst case.

    Args:
        stored: What this caller knows to be stored already; it grows.

    Returns:
        The calls as they are stored: with what they hold beside money; answered, where an answer to the
        same question is used again. One that is reused when it comes is written down as it is.

    Raises:
        BudgetExceeded: together they do not fit; nothing is written then.
    """
    if not intents:
        return []
    known = [call if reuse.is_reused(call) else reuse.found(work, call) for call in intents]
    asked = [call for call, answer in zip(intents, known, strict=True) if answer is None]
    held = iter(ledger.hold(work, session_id, asked) if asked else ())
    written = [next(held) if answer is None else answer for answer in known]
    work.run_all(_insert, [_sent(work, session_id, call, stored) for call in written])
    return written


def _sent(work: Work, session_id: int, call: Call, stored: Stored) -> dict[str, Any]:
    frame, *rest = stow_texts(work, session_id, normalise(call.request), stored.texts)
    model = _model_number(work, session_id, call, canonical(frame), stored.models)
    return {"session_id": session_id, "request": canonical(rest), **_intent(call, model)}


def _model_number(work: Work, session_id: int, call: Call, frame: str, known: dict[Terms, int]) -> int:
    """The number under which this way of asking a model is kept: name, lineage, price and frame."""
    terms = (call.model, call.lineage, store(call.price), frame)
    if terms not in known:
        rows = work.all(_models, session_id=session_id)
        known.update({(name, lineage, price, asked): n for n, name, lineage, price, asked in rows})
    if terms not in known:
        known[terms] = max(known.values(), default=0) + 1
        row = dict(zip(("name", "lineage", "price", "frame"), terms, strict=True))
        work.run(_insert_model, session_id=session_id, model=known[terms], **row)
    return known[terms]


def _intent(call: Call, model: int) -> dict[str, Any]:
    return {
        "round": call.round,
        "agent": call.agent,
        "attempt": call.attempt,
        "model": model,
        "reserved": call.reserved,
        "sent_at": call.sent_at,
        "holds": None if call.holds is None else store(call.holds),
        **_outcome(call),
    }


def _outcome(call: Call) -> dict[str, Any]:
    return {
        "status": call.status,
        "answer": _packed(call.answer),
        "reasoning": _packed(call.reasoning),
        "reasoning_kind": None if call.reasoning_kind == "rationale" else call.reasoning_kind,
        "raw": None if call.raw is None else pack(call.raw),
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "cached_tokens": call.cached_tokens,
        "reasoning_tokens": call.reasoning_tokens,
        "estimated": int(call.estimated),
        "cost": call.cost,
        "latency_ms": call.latency_ms,
        "ttft_ms": call.ttft_ms,
        "finish_reason": None if call.finish_reason == "stop" else call.finish_reason,
        "detail": None if call.detail is None else store(call.detail),
        "written_tokens": call.written_tokens,
        "echo": None if call.echo is None else _packed(store(call.echo)),
    }


def _packed(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return pack(str.encode(text))
    except (TypeError, UnicodeEncodeError):
        raise ValueRefused(f"An answer is a text in Unicode, and not {ascii(text)[:80]}") from None


def _unpacked(data: bytes | None) -> str | None:
    return None if data is None else unpack_text(data)


def settle(work: Work, session_id: int, outcomes: Sequence[Call]) -> list[Account]:
    """Write down what came of calls, and move what was held for them to what they cost.

    Returns:
        The accounts whose soft limit is reached by it, of which nobody was warned yet.

    Raises:
        Conflict: somebody else settled one of them first.
    """
    for call in outcomes:
        if work.run(_answer, **_named(session_id, call), **_outcome(call)) != 1:
            raise _taken(call)
    crossed = ledger.settle(work, session_id, outcomes)
    reuse.keep(work, session_id, outcomes)
    return crossed


def leave(work: Work, session_id: int, held: Iterable[Call], now: int) -> None:
    """Write down that calls leave which were held back until now.

    Raises:
        Conflict: somebody else settled one of them first.
    """
    for call in held:
        if work.run(_leave, **_named(session_id, call), now=now) != 1:
            raise _taken(call)


def _named(session_id: int, call: Call) -> dict[str, Any]:
    """The key of a call, as the statements that change it bind it."""
    return {
        "session_id_": session_id,
        "round_": call.round,
        "agent_": call.agent,
        "attempt_": call.attempt,
    }


def _taken(call: Call) -> Conflict:
    return Conflict("The call was settled by another worker", agent=call.agent, round=call.round, retry=False)


def of_round(work: Work, session_id: int, round_: int) -> list[Call]:
    """The calls of a round, by agent and attempt."""
    found = [_call(row) for row in work.all(_of_round, session_id=session_id, round=round_)]
    return sorted(found, key=lambda call: (call.agent, call.attempt))  # a database sorts by its locale


def _call(row: Row) -> Call:
    (_, round_, agent, attempt, _, status, request, answer, reasoning, kind, raw, tokens_in,
     tokens_out, cached, thought, estimated, reserved, cost, sent_at, latency, ttft, finish, detail,
     written, holds, echo, model, lineage, price, frame) = row  # fmt: skip
    return Call(
        agent=agent,
        attempt=attempt,
        model=model,
        lineage=lineage,
        price=parse(price),
        request=[parse(frame), *([{"text": REDACTED}] if is_gone(request) else parse(request))],
        reserved=reserved,
        sent_at=sent_at,
        round=round_,
        status=status,
        answer=_unpacked(answer),
        reasoning=_unpacked(reasoning),
        reasoning_kind="rationale" if kind is None else kind,
        raw=None if raw is None else unpack(raw),
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cached_tokens=cached,
        reasoning_tokens=thought,
        estimated=bool(estimated),
        cost=cost,
        latency_ms=latency,
        ttft_ms=ttft,
        finish_reason="stop" if finish is None else finish,
        detail=None if detail is None else parse_object(detail),
        written_tokens=written,
        holds=None if holds is None else parse_object(holds),
        echo=None if echo is None or is_gone(echo) else parse(unpack_text(echo)),
    )
