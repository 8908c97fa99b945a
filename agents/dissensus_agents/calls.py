"""A model call as it is recorded: its intent and its worst case before, what came of it after."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from dissensus_state.accounts import Policy
from dissensus_state.budgets import terms_of
from dissensus_state.charges import NOT_SENT
from dissensus_state.errors import BudgetExceeded
from dissensus_state.records import Call
from dissensus_state.values import JSON, canonical

from .errors import ModelFailed
from .messages import Part, Reply, Request, Turn, Usage
from .models.calling import CallStopped, Heard
from .models.client import Model, tokens_in
from .models.kinds import refusal_of
from .models.prices import Price, Tier, bound, cost, most_input_tokens
from .models.texts import readable

CANCELLED = "call.cancelled"

TIMEOUT = 300.0
"""Seconds that a model is given which names no timeout of its own."""

_BESIDE = {"passed_over", "tries"}
"""What the record of a call says beside what came of it."""


def intent(agent: str, attempt: int, model: Model, request: Request, policy: Policy) -> Call:
    """A call about to be made, with its honest worst case in money, tokens and time.

    Args:
        policy: What the session does with a call whose price is unknown.

    Raises:
        BudgetExceeded: its price is unknown, and the session refuses such calls.
    """
    price = model.price
    terms = _terms(price) if price is not None else assumed(policy)
    if terms is None and policy.unpriced == "refuse":
        raise BudgetExceeded(
            f"The price of {model.name} is unknown, so its call cannot be reserved",
            next_step="Give the model a price, or open the session with Budget(…, unpriced='allow') "
            "or the Price to assume",
            agent=agent,
        )
    sent = most_input_tokens(request)
    return Call(
        agent=agent,
        attempt=attempt,
        model=model.name,
        lineage=model.lineage,
        price=terms,
        request=recorded(request),
        reserved=0 if terms is None else bound(price or price_of(terms), sent, request.max_output_tokens),
        sent_at=0,
        holds={"tokens": sent + request.max_output_tokens, "ms": most_ms(model)},
    )


_terms = functools.lru_cache(maxsize=256)(terms_of)
"""The unit prices as they are stored with the call."""


def assumed(policy: Policy) -> dict[str, JSON] | None:
    """The unit prices that a session assumes of a model whose price is unknown; the record says so."""
    return None if isinstance(policy.unpriced, str) else {**policy.unpriced, "assumed": True}


def price_of(terms: Mapping[str, JSON]) -> Price:
    """The price that stands with a call."""
    return Price(
        **_unit(terms),
        source=str(terms.get("source", "")),
        since=str(terms.get("since", "")),
        tiers=tuple(Tier(int(tier["above"]), **_unit(tier)) for tier in _tiers(terms)),
    )


def _unit(terms: Mapping[str, Any]) -> dict[str, Decimal]:
    return {name: Decimal(terms[name]) for name in ("input", "output", "cached", "written") if name in terms}


def _tiers(terms: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(terms.get("tiers", ()))


def most_ms(model: Model) -> int:
    """How long a call may take: the model's timeout, at which it is stopped where time is budgeted."""
    return round(float(getattr(model, "timeout", TIMEOUT)) * 1000)


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
    if part.shown is not None:
        return [part.source, part.title, part.shown.as_json()]
    return part.source if part.title == part.source else [part.source, part.title]


def answered(call: Call, reply: Reply, heard: Heard | None = None) -> Call:
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
        cost=cost(price_of(call.price), reply.usage) if isinstance(call.price, dict) else None,
        latency_ms=reply.latency_ms,
        ttft_ms=reply.ttft_ms,
        finish_reason=reply.finish_reason,
        detail=_detail(call, reply, heard or Heard()),
        written_tokens=reply.usage.written or None,
        echo=reply.echo,
    )


def _detail(call: Call, reply: Reply, heard: Heard) -> dict[str, JSON] | None:
    detail = beside(call, heard)
    if (kind := refusal_of(reply)) is not None:
        detail["kind"] = kind
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
    detail = {name: value for name, value in (call.detail or {}).items() if name not in _BESIDE}
    message, next_step, code = (str(detail.pop(name, "")) for name in ("message", "next", "code"))
    return ModelFailed(message, next_step=next_step, recorded=code, **detail)


def broke_off(call: Call) -> bool:
    """Whether a call failed after it may have been billed; one cut short from here tells nothing."""
    code = (call.detail or {}).get("code")
    return call.status in {"unknown", "partial"} and code not in {None, CANCELLED}


def never_left(call: Call) -> bool:
    """Whether a call was written down and never sent."""
    return call.status == "failed" and (call.detail or {}).get("code") == NOT_SENT


def lost(call: Call, error: ModelFailed, heard: Heard) -> Call:
    """A call that failed after it may have been billed, with what was heard of it: charged in full."""
    stopped = isinstance(error, CallStopped)
    return _cut(call, heard, error.as_dict(), "stopped" if stopped else "broken_off")


def cancelled(call: Call, heard: Heard) -> Call:
    """A call that was stopped from here, with the part of the answer that had come: charged in full."""
    told = {"code": CANCELLED, "message": "The run was stopped while the answer came", "why": "cancel"}
    return _cut(call, heard, told, "stopped")


def _cut(call: Call, heard: Heard, told: Mapping[str, JSON], finish: str) -> Call:
    said, thought = heard.text, heard.reasoning
    return replace(
        call,
        status="partial" if heard.anything else "unknown",
        answer=readable(said) if said else None,
        reasoning=readable(thought) if thought else None,
        reasoning_kind="raw" if thought else "rationale",
        estimated=True,
        output_tokens=tokens_in(said),
        reasoning_tokens=tokens_in(thought or ""),
        cost=charged(call),
        latency_ms=heard.latency_ms,
        ttft_ms=heard.ttft_ms,
        finish_reason=finish,
        detail={**beside(call, heard), **told},
    )


def charged(call: Call) -> int | None:
    """What a call costs whose cost nobody told: all that was reserved; unknown where there is no price."""
    return None if call.price is None else call.reserved


def beside(call: Call, heard: Heard) -> dict[str, JSON]:
    """What the record says of how a call was made, whatever came of it."""
    tries: dict[str, JSON] = {"tries": list(heard.tries)} if heard.tries else {}
    return {**(call.detail or {}), **tries}
