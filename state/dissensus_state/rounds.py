"""The ground of both stairs: stored rounds, proposals and rulings as records, and their digests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from . import blobs, calls
from .engines import Row, Statement, Work
from .errors import NotFound
from .patches import Patch, patch_from_json, pieces
from .records import Proposal, Round, Ruling
from .tables import proposals, rounds, rulings
from .values import canonical, digest, parse_list, parse_object

_session: sa.BindParameter[int] = sa.bindparam("session_id")
_round: sa.BindParameter[int] = sa.bindparam("round")

columns = [column for column in rounds.c if column.name != "session_id"]
_select_round = Statement(
    sa.select(*columns).where(rounds.c.session_id == _session, rounds.c.round == _round)
)
_last_round = Statement(
    sa.select(*columns)
    .where(rounds.c.session_id == _session, rounds.c.branch == sa.bindparam("branch"))
    .order_by(rounds.c.round.desc())
    .limit(1)
)
_all_rounds = Statement(sa.select(*columns).where(rounds.c.session_id == _session).order_by(rounds.c.round))
_select_proposals = Statement(
    sa.select(
        proposals.c.agent,
        proposals.c.patch,
        proposals.c.reads,
        proposals.c.confidence,
        proposals.c.attempt,
        proposals.c.status,
        proposals.c.detail,
    ).where(proposals.c.session_id == _session, proposals.c.round == _round)
)
_select_rulings = Statement(
    sa.select(
        rulings.c.n,
        rulings.c.author,
        rulings.c.decision,
        rulings.c.binding,
        rulings.c.body,
        rulings.c.at,
    )
    .where(rulings.c.session_id == _session, rulings.c.round == _round)
    .order_by(rulings.c.n)
)
_began = Statement(
    sa.select(
        *rounds.c["branch", "step", "base", "started_at", "again_of", "note", "review"],
    ).where(rounds.c.session_id == _session, rounds.c.round == _round)
)
_proposed = Statement(
    sa.select(*proposals.c["agent", "patch", "reads", "attempt", "detail", "confidence", "status"]).where(
        proposals.c.session_id == _session, proposals.c.round == _round
    )
)
_ruled = Statement(
    sa.select(*rulings.c["n", "author", "decision", "body", "at", "binding"])
    .where(rulings.c.session_id == _session, rulings.c.round == _round)
    .order_by(rulings.c.n)
)


_NAMES = [column.name for column in calls.said_columns]
_REQUEST, _DETAIL = _NAMES.index("request"), _NAMES.index("detail")

_ELSE = "else"
"""What of a round is neither a prompt nor reasoning."""


def round_(work: Work, session_id: int, number: int) -> Round:
    """One round; `NotFound` if there is none of that number."""
    row = work.one(_select_round, session_id=session_id, round=number)
    if row is None:
        raise NotFound(f"There is no round {number}")
    return read_round(row)


def last_round(work: Work, session_id: int, branch: str) -> Round | None:
    """The newest round of a branch: what a resumed run goes on from."""
    row = work.one(_last_round, session_id=session_id, branch=branch)
    return None if row is None else read_round(row)


def all_rounds(work: Work, session_id: int) -> list[Round]:
    """The rounds of a session, in order."""
    return [read_round(row) for row in work.all(_all_rounds, session_id=session_id)]


def read_round(row: Sequence[Any]) -> Round:
    """A round from its columns, in the order of the table."""
    *plain, review = row
    number, branch, step, base, status, started_at, again_of, note = plain
    return Round(
        number,
        branch,
        step,
        base,
        status,
        started_at,
        again_of,
        note,
        None if review is None else parse_object(review),
    )


def proposals_of(work: Work, session_id: int, number: int) -> list[Proposal]:
    """The proposals of a round, by agent."""
    rows = work.all(_select_proposals, session_id=session_id, round=number)
    return [read_proposal(work, session_id, row) for row in sorted(rows, key=_agent)]


def read_proposal(work: Work, session_id: int, row: Row) -> Proposal:
    """A proposal from its columns, in the order of the record's fields."""
    agent, patch, reads, confidence, attempt, status, detail = row
    return Proposal(
        agent=agent,
        patch=() if patch is None else blobs.fetch(work, session_id, patch),
        reads=() if reads is None else tuple(parse_list(reads)),
        confidence=confidence,
        attempt=attempt,
        status=status,
        detail=None if detail is None else parse_object(detail),
    )


def _agent(row: Row) -> str:
    """Rows are put in order here and not by the database, which sorts by its locale."""
    agent: str = row[0]
    return agent


def rulings_of(work: Work, session_id: int, number: int) -> list[Ruling]:
    """The rulings of a round, in order."""
    rows = work.all(_select_rulings, session_id=session_id, round=number)
    return [read_ruling(*row) for row in rows]


def read_ruling(n: int, author: str, decision: Any, binding: bytes, body: str, at: int) -> Ruling:
    """A stored ruling as a record."""
    parts: dict[str, Any] = {"reason": blobs.REDACTED} if blobs.is_gone(body) else parse_object(body)
    return Ruling(
        author=author,
        decision=decision,
        binding=bytes(binding),
        reason=parts.get("reason", ""),
        upheld=tuple(parts.get("upheld", ())),
        dissent=tuple(parts.get("dissent", ())),
        amendment=patch_from_json(parts.get("amendment", ())),
        clarification=parts.get("clarification"),
        cause=parts.get("cause"),
        steps=parts.get("steps", {}),
        seed=parts.get("seed"),
        kinds=parts.get("kinds", {}),
        notes=tuple(parts.get("notes", ())),
        attempt=parts.get("attempt"),
        confidence=parts.get("confidence"),
        readings=tuple(parts.get("readings", ())),
        places=parts.get("places", {}),
        kin=parts.get("kin", {}),
        seat=parts.get("seat"),
        reverse=parts.get("reverse"),
        advice=parts.get("advice"),
        at=at,
        n=n,
        gone=blobs.is_gone(body),
    )


def keeps_to(patch: Patch, ruling: Ruling, made: Iterable[Proposal]) -> bool:
    """Whether a patch does nothing but what the ruling upholds, or puts in its place.

    The move of the phase is left aside: it is the transition's own. Of a ruling that was taken away
    nobody can say more.
    """
    if ruling.gone:
        return True
    ruled = [ruling.amendment]
    if ruling.decision == "uphold":
        ruled = [item.patch for item in made if item.agent in ruling.upheld]
    allowed = {piece for one in ruled for piece in pieces(one)}
    return pieces(tuple(item for item in patch if item.path != ("phase",))) <= allowed


def binding(base: int, made: Iterable[Proposal], *, whole: bool = False) -> bytes:
    """What a ruling is bound to: exactly these proposals, and the version they were made on.

    Args:
        whole: As it was before values could be redacted: over the values and not their digests.
    """
    stated = sorted((item.agent, _statement(item, whole=whole)) for item in made)
    return digest(canonical([base, [list(pair) for pair in stated]]))


def _statement(item: Proposal, *, whole: bool) -> list[Any]:
    patch = [operation.to_json() for operation in item.patch]
    return [
        patch if whole else [blobs.header(operation) for operation in patch],
        list(item.reads),
        None if item.confidence is None else str(float(item.confidence)),
        item.attempt,
    ]


def round_digest(work: Work, session_id: int, number: int, *, whole: bool = False) -> str:
    """What the hash chain says of a round: its calls, proposals and rulings, as they are stored.

    Texts that a model or a person wrote enter by their digests, so that one can be taken away for good
    and the chain still verifies. What moves when the round is settled is left out: its status, and that
    of its proposals, but for the agents that had abstained.

    Args:
        whole: As it was before values could be redacted: over the texts and not their digests.
    """
    given = {"session_id": session_id, "round": number}
    return digest_of(
        [round_covered(row, whole=whole) for row in work.all(_began, **given)],
        [call_covered(row, whole=whole) for row in work.all(calls.said, **given)],
        [proposal_covered(row, whole=whole) for row in sorted(work.all(_proposed, **given), key=_agent)],
        [ruling_covered(row, whole=whole) for row in work.all(_ruled, **given)],
    )


def digest_of(began: list[Any], said: list[Any], proposed: list[Any], ruled: list[Any]) -> str:
    """The digest of a round from what the chain covers of it, its proposals by agent, its rulings in turn."""
    return digest(canonical([began, sorted(said), proposed, ruled])).hex()


def round_covered(row: Row, *, whole: bool = False) -> list[Any]:
    """A round as the chain covers it: `branch, step, base, started_at, again_of, note, review`."""
    return [*row[:5], *_texts(row[5:], whole=whole)]


def ruling_covered(row: Row, *, whole: bool = False) -> list[Any]:
    """A ruling as the chain covers it: `n, author, decision, body, at, binding`."""
    return [*row[:3], *_texts(row[3:4], whole=whole), row[4], bytes(row[5]).hex()]


def _texts(texts: Iterable[str | None], *, whole: bool) -> list[str | None]:
    return [text if whole or text is None else blobs.text_digest(text) for text in texts]


def proposal_covered(row: Row, *, whole: bool = False, known: str | None = None) -> list[Any]:
    """A proposal as the chain covers it: `agent, patch, reads, attempt, detail, confidence, status`.

    Args:
        known: The digest of its patch, where that is known.
    """
    agent, patch, reads, attempt, detail, confidence, status = row
    covered = known or (patch if whole or patch is None else blobs.patch_digest(patch))
    sure = None if confidence is None else repr(float(confidence))
    return [agent, covered, reads, attempt, *_texts([detail], whole=whole), sure, status == "abstained"]


def call_covered(row: Row, *, whole: bool = False) -> list[Any]:
    """A call as the chain covers it: the columns `calls.said_columns`."""
    *plain, written, holds, echo, answer, reasoning, raw = row
    if whole:
        texts = [None if packed is None else blobs.unpack_text(packed) for packed in (answer, reasoning)]
    else:
        texts = [None if packed is None else blobs.packed_digest(packed) for packed in (answer, reasoning)]
        plain = [
            *plain[:_REQUEST],
            *_texts(plain[_REQUEST : _REQUEST + 1], whole=False),
            *plain[_REQUEST + 1 :],
        ]
        plain[-1:] = _texts(plain[-1:], whole=False)
    told = [*plain, *texts, None if raw is None else blobs.packed_digest(raw)]
    later = [written, holds, None if echo is None else blobs.packed_digest(echo)]
    return told if later == [None, None, None] else [*told, *later]


def gone_parts(work: Work, session_id: int, number: int) -> set[str]:
    """What was taken away of a round: `prompts`, `reasoning`, something else; raw bodies may go (`compact`).

    A note, which a model may have worded, is not looked at: it could say that it is gone.
    """
    given = {"session_id": session_id, "round": number}
    parts: list[tuple[str, Any]] = [(_ELSE, row[-1]) for row in work.all(_began, **given)]
    for row in work.all(calls.said, **given):
        echo, answer, reasoning = row[-4:-1]
        parts += [("prompts", row[_REQUEST]), ("reasoning", reasoning), ("reasoning", echo)]
        parts += [(_ELSE, row[_DETAIL]), (_ELSE, answer)]
    stated = work.all(_proposed, **given)
    parts += [(_ELSE, row[4]) for row in stated] + [(_ELSE, row[3]) for row in work.all(_ruled, **given)]
    found = {part for part, text in parts if blobs.is_gone(text)}
    operations = [
        item for row in stated if row[1] is not None for item in patch_from_json(parse_list(row[1]))
    ]
    return found | {_ELSE for item in operations if item.gone is not None}
