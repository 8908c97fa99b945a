"""The records of the history as the plain data that `--json` prints; docs/cli.md names the keys.

The pages for people are made from the same data, so that the two cannot say different things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dissensus_state.patches import patch_to_json

from .texts import usd

if TYPE_CHECKING:
    from dissensus_state.blame import Blame
    from dissensus_state.records import Account, Call, Event, Proposal, Round, Ruling
    from dissensus_state.sessions import Session, SessionInfo

Data = dict[str, Any]


def place(session: Session[Any]) -> Data:
    """Where an answer was read: what every answer about a session begins with."""
    return {"session": session.name, "branch": session.branch}


def session_data(info: SessionInfo) -> Data:
    """A session of the list."""
    return {
        "name": info.name,
        "schema": info.schema,
        "schema_version": info.schema_version,
        "created_at": info.created_at,
    }


def round_data(
    found: Round,
    proposals: Sequence[Proposal],
    calls: Sequence[Call],
    rulings: Sequence[Ruling],
    decisions: Sequence[Data] = (),
) -> Data:
    """A round with everything that was said in it, and what its pattern decided."""
    return {
        **_heading(found),
        "branch": found.branch,
        "started_at": found.started_at,
        "decisions": [decision_data(item) for item in decisions],
        "review": review_data(found, proposals),
        "proposals": [proposal_data(item) for item in proposals],
        "calls": [call_data(item) for item in calls],
        "rulings": [ruling_data(item) for item in rulings],
    }


def _heading(found: Round) -> Data:
    return {
        "round": found.round,
        "step": found.step,
        "status": found.status,
        "base": found.base,
        "again_of": found.again_of,
        "note": found.note,
    }


def decision_data(body: Data) -> Data:
    """What a pattern decided: which part of it, what it chose and passed over, and why."""
    return {
        "pattern": body.get("pattern", ""),
        "at": body.get("at", ""),
        "chosen": body.get("chosen", []),
        "reason": body.get("reason", ""),
        "confidence": body.get("confidence"),
        "passed_over": body.get("passed_over", []),
    }


def proposal_data(item: Proposal) -> Data:
    """What an agent proposed."""
    return {
        "agent": item.agent,
        "status": item.status,
        "patch": patch_to_json(item.patch),
        "reads": list(item.reads),
        "confidence": item.confidence,
        "attempt": item.attempt,
        "detail": item.detail,
    }


def call_data(item: Call) -> Data:
    """A model call: what it was, what came of it, what it cost."""
    detail = item.detail or {}
    return {
        "agent": item.agent,
        "attempt": item.attempt,
        "model": item.model,
        "lineage": item.lineage,
        "status": item.status,
        "answer": item.answer,
        "reasoning": item.reasoning,
        "reasoning_kind": item.reasoning_kind,
        "request": item.request,
        "input_tokens": item.input_tokens,
        "output_tokens": item.output_tokens,
        "cached_tokens": item.cached_tokens,
        "reasoning_tokens": item.reasoning_tokens,
        "estimated": item.estimated,
        "usd": usd(item.cost),
        "reserved_usd": usd(item.reserved),
        "price": item.price,
        "sent_at": item.sent_at,
        "latency_ms": item.latency_ms,
        "ttft_ms": item.ttft_ms,
        "finish_reason": item.finish_reason,
        "written_tokens": item.written_tokens or 0,
        "holds": item.holds,
        "answered_by": detail.get("answered_by"),
        "tries": detail.get("tries", []),
        "passed_over": detail.get("passed_over", []),
        "reused": detail.get("reused"),
        "detail": item.detail,
    }


def ruling_data(item: Ruling) -> Data:
    """A ruling, with every key whether it says something or not."""
    return {
        "n": item.n,
        "author": item.author,
        "decision": item.decision,
        "reason": item.reason,
        "upheld": list(item.upheld),
        "dissent": list(item.dissent),
        "amendment": patch_to_json(item.amendment),
        "clarification": item.clarification,
        "cause": item.cause,
        "steps": item.steps,
        "seed": item.seed,
        "kinds": item.kinds,
        "notes": list(item.notes),
        "attempt": item.attempt,
        "confidence": item.confidence,
        "readings": list(item.readings),
        "places": item.places,
        "kin": item.kin,
        "seat": item.seat,
        "reverse": item.reverse,
        "advice": item.advice,
        "binding": item.binding.hex(),
        "at": item.at,
    }


def blame_data(found: Blame) -> Data:
    """Who wrote a value, with whole rulings and the money of its calls."""
    return {**found.as_dict(), "rulings": [ruling_data(item) for item in found.rulings]}


def event_data(item: Event) -> Data:
    """Something that happened beside the commits."""
    return {
        "event": item.event,
        "kind": item.kind,
        "at": item.at,
        "round": item.round,
        "body": item.body,
    }


def budget_data(account: Account) -> Data:
    """The budget as it stands."""
    return {
        "limit_usd": usd(account.limit),
        "spent_usd": usd(account.spent),
        "held_usd": usd(account.held),
        "left_usd": usd(account.left),
        "soft_usd": usd(account.soft),
        "unpriced": account.unpriced,
        "in_flight": account.in_flight,
    }


def dispute_data(
    found: Round, proposals: Sequence[Proposal], calls: Sequence[Call], rulings: Sequence[Ruling]
) -> Data:
    """A round that is or was under review, with the reasoning behind each letter and what was decided."""
    review = review_data(found, proposals)
    thought = {call.agent: call.thinking for call in calls if call.status == "answered"}
    return {
        **_heading(found),
        "settled": found.settled,
        "review": review,
        "reasoning": {
            side["letter"]: [thought[agent] for agent in side["agents"] if thought.get(agent)]
            for side in (review or {}).get("positions", ())
        },
        "rulings": [ruling_data(item) for item in rulings],
    }


def review_data(found: Round, proposals: Sequence[Proposal]) -> Data | None:
    """Why a round needs a ruling; `positions` bear the letters that `dissensus rule` takes.

    Raises:
        ValueRefused: a stored disagreement is none.
    """
    review = found.review
    if review is None:
        return None
    from dissensus_agents.session import sides_of_round

    sides = sides_of_round(found, list(proposals))
    letters = {agent: side.label for side in sides for agent in side.agents}
    return {
        "positions": [
            {"letter": side.label, "agents": list(side.agents), "patch": patch_to_json(side.patch)}
            for side in sides
        ],
        "disagreements": [_disagreement(item, letters) for item in review.get("disagreements", ())],
        "immaterial": review.get("immaterial", []),
        "hollow": review.get("hollow", False),
        "votes": review.get("votes"),
        "weighed": review.get("weighed"),
        "asked": review.get("asked", False),
        "failed": review.get("failed", []),
        "passed": review.get("passed", []),
        "unsettled": review.get("unsettled"),
        "verified": review.get("verified", False),
        "sent_to": review.get("sent_to", []),
        "audit": review.get("audit", False),
        "share": review.get("share"),
        "void": review.get("void"),
    }


def _disagreement(stored: Data, letters: Mapping[str, str]) -> Data:
    from dissensus_agents.judgement.disagreement import Disagreement

    positions = [
        {"letters": sorted({letters[name] for name in item["holders"] if name in letters}), **item}
        for item in stored["positions"]
    ]
    entropy = Disagreement.from_dict(stored).entropy
    return {**stored, "entropy": round(entropy, 4), "positions": positions}
