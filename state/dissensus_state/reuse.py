"""Answers that are used again: the exact cache of a tenant, which points to recorded calls.

A question is known by the digest of everything that matters to its answer. What is found is checked
where it is recorded: an answer that was redacted or pruned since is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from .blobs import is_gone, unpack_text
from .engines import Statement, Work
from .policies import first
from .records import Call
from .tables import answers, calls, sessions
from .values import parse

REUSED = "reused"
"""Under which name the detail of a call says where its answer was recorded."""

_BESIDE = frozenset({"passed_over", "tries"})
"""What the detail of a call says of how it was made, which is not how the other one was."""

_key = (answers.c.session_id == sa.bindparam("session_id_"), answers.c.digest == sa.bindparam("digest_"))
_recorded = Statement(
    sa.select(
        sessions.c.name,
        answers.c.round,
        answers.c.agent,
        answers.c.attempt,
        *(calls.c[name] for name in ("status", "answer", "reasoning", "reasoning_kind")),
        *(calls.c[name] for name in ("finish_reason", "echo")),
    )
    .select_from(answers)
    .join(
        calls,
        sa.and_(
            calls.c.session_id == answers.c.source,
            calls.c.round == answers.c.round,
            calls.c.agent == answers.c.agent,
            calls.c.attempt == answers.c.attempt,
        ),
    )
    .join(sessions, sessions.c.session_id == answers.c.source)
    .where(*_key)
)
_columns: dict[str, Any] = {column.name: sa.bindparam(column.name) for column in answers.columns}
_newer = {name: _columns[name] for name in ("source", "round", "agent", "attempt", "at")}
_keep = Statement(
    {
        "sqlite": sqlite.insert(answers)
        .values(_columns)
        .on_conflict_do_update(index_elements=["session_id", "digest"], set_=_newer),
        "postgresql": postgresql.insert(answers)
        .values(_columns)
        .on_conflict_do_update(index_elements=["session_id", "digest"], set_=_newer),
    }
)


def found(work: Work, intent: Call) -> Call | None:
    """A call that is answered already: what was recorded for the same question, at no cost.

    Args:
        intent: A call with a `key`.
    """
    if intent.key is None:
        return None
    row = work.one(_recorded, session_id_=first(work.database.tenant), digest_=intent.key)
    if row is None:
        return None
    session, round_, agent, attempt, status, answer, reasoning, kind, finish, echo = row
    if status != "answered" or answer is None or any(is_gone(part) for part in (answer, reasoning, echo)):
        return None
    source = {"session": session, "round": round_, "agent": agent, "attempt": attempt}
    free = replace(intent, reserved=0, holds=None)
    return used_again(
        free,
        replace(
            free,
            answer=unpack_text(answer),
            reasoning=None if reasoning is None else unpack_text(reasoning),
            reasoning_kind="rationale" if kind is None else kind,
            finish_reason="stop" if finish is None else finish,
            echo=None if echo is None else parse(unpack_text(echo)),
        ),
        source,
    )


def used_again(intent: Call, known: Call, source: dict[str, str | int]) -> Call:
    """A call with the answer of another one, which cost nothing."""
    return replace(
        intent,
        status="answered",
        answer=known.answer,
        reasoning=known.reasoning,
        reasoning_kind=known.reasoning_kind,
        finish_reason=known.finish_reason,
        echo=known.echo,
        cost=0,
        detail={**(intent.detail or {}), REUSED: dict(source)},
    )


def played_again(intent: Call, known: Call, source: dict[str, str | int]) -> Call:
    """A call to which the same happens again as to another one, at no cost: an answer, or why none came."""
    told = {name: value for name, value in (known.detail or {}).items() if name not in {*_BESIDE, REUSED}}
    return replace(
        intent,
        reserved=0,
        holds=None,
        status=known.status,
        answer=known.answer,
        reasoning=known.reasoning,
        reasoning_kind=known.reasoning_kind,
        finish_reason=known.finish_reason,
        echo=known.echo,
        cost=0,
        latency_ms=known.latency_ms,
        ttft_ms=known.ttft_ms,
        detail={**told, REUSED: dict(source)},
    )


def is_reused(call: Call) -> bool:
    """Whether a call has the answer of another one."""
    return REUSED in (call.detail or {})


def keep(work: Work, session_id: int, outcomes: Iterable[Call]) -> None:
    """Remember where the answers to questions are recorded; of one question the newest counts.

    They are written in the order of their keys, so that sessions never wait for each other in a circle.
    """
    for call in sorted(outcomes, key=lambda call: call.key or b""):
        _keep_one(work, session_id, call)


def _keep_one(work: Work, session_id: int, call: Call) -> None:
    if call.key is None or call.status != "answered" or is_reused(call):
        return
    if call.finish_reason == "length" or "kind" in (call.detail or {}):
        return  # a cut or refused answer is not worth to be had again
    work.run(
        _keep,
        session_id=first(work.database.tenant),
        digest=call.key,
        source=session_id,
        round=call.round,
        agent=call.agent,
        attempt=call.attempt,
        at=work.clock(),
    )
