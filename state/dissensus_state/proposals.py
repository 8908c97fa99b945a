"""Writing rounds, proposals and rulings: durable before they are state, and settled once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from . import blobs
from .engines import Statement, Work, insert, insert_absent
from .errors import Conflict
from .intake import sound_proposal
from .records import SETTLED, Proposal, Round, RoundStatus, Ruling
from .rounds import rulings_of
from .tables import proposals, rounds, rulings
from .values import canonical, store

_session: sa.BindParameter[int] = sa.bindparam("session_id")

_insert_round = insert_absent(rounds)
_newest_round = Statement(sa.select(sa.func.max(rounds.c.round)).where(rounds.c.session_id == _session))
_move_round = Statement(
    sa.update(rounds)
    .where(
        rounds.c.session_id == sa.bindparam("session_id_"),
        rounds.c.round == sa.bindparam("round_"),
        *(rounds.c.status != status for status in sorted(SETTLED)),
    )
    .values(
        status=sa.bindparam("status"),
        review=sa.func.coalesce(sa.bindparam("review", type_=sa.Text), rounds.c.review),
    )
)
_insert_proposal = insert(proposals)
_settle_proposals = Statement(
    sa.update(proposals)
    .where(
        proposals.c.session_id == sa.bindparam("session_id_"),
        proposals.c.round == sa.bindparam("round_"),
        proposals.c.status == "open",
    )
    .values(status=sa.bindparam("status"))
)
_settle_proposal = Statement(
    sa.update(proposals)
    .where(
        proposals.c.session_id == sa.bindparam("session_id_"),
        proposals.c.round == sa.bindparam("round_"),
        proposals.c.agent == sa.bindparam("agent_"),
        proposals.c.status == "open",
    )
    .values(status=sa.bindparam("status"))
)
_insert_ruling = insert(rulings)


def open_round(work: Work, session_id: int, new: Round) -> Round:
    """Begin a round; its number is the next of the session."""
    said = {
        "branch": new.branch,
        "step": new.step,
        "base": new.base,
        "status": new.status,
        "started_at": new.started_at,
        "again_of": new.again_of,
        "note": new.note,
    }
    while True:  # another branch of the session may take the same number at once
        row = work.one(_newest_round, session_id=session_id)
        number = 1 + ((row and row[0]) or 0)
        if work.run(_insert_round, session_id=session_id, round=number, review=None, **said) == 1:
            return replace(new, round=number)


def move_round(
    work: Work,
    session_id: int,
    number: int,
    status: RoundStatus,
    review: dict[str, Any] | None = None,
) -> None:
    """Give an unsettled round its new status; a settled one raises `Conflict`."""
    stored = None if review is None else store(review)
    if work.run(_move_round, session_id_=session_id, round_=number, status=status, review=stored) != 1:
        raise Conflict(f"The round {number} is settled already", round=number, retry=False)


def propose(work: Work, session_id: int, number: int, made: Iterable[Proposal]) -> None:
    """Keep what the agents of a round propose."""
    rows = [_proposal_row(work, session_id, number, sound_proposal(item)) for item in made]
    work.run_all(_insert_proposal, rows)


def _proposal_row(work: Work, session_id: int, number: int, item: Proposal) -> dict[str, Any]:
    return {
        "session_id": session_id,
        "round": number,
        "agent": item.agent,
        "status": item.status,
        "patch": blobs.stow(work, session_id, item.patch) if item.patch else None,
        "reads": canonical(list(item.reads)) if item.reads else None,
        "confidence": item.confidence,
        "attempt": item.attempt,
        "detail": None if item.detail is None else store(item.detail),
    }


def settle_proposals(work: Work, session_id: int, number: int, dissent: Iterable[str], status: str) -> None:
    """Settle every open proposal of a round: those that lost as `dissent`, the rest as `status`."""
    for agent in dissent:
        work.run(_settle_proposal, session_id_=session_id, round_=number, agent_=agent, status="dissent")
    work.run(_settle_proposals, session_id_=session_id, round_=number, status=status)


def rule(work: Work, session_id: int, number: int, ruling: Ruling) -> None:
    """Keep a ruling, after those that the round has already."""
    work.run(
        _insert_ruling,
        session_id=session_id,
        round=number,
        n=len(rulings_of(work, session_id, number)) + 1,
        author=ruling.author,
        decision=ruling.decision,
        binding=ruling.binding,
        body=store(ruling.body()),
        at=ruling.at or work.clock(),
    )
