"""Taking chains of thought, prompts or providers' bodies out of a copy, so that its chain still verifies.

Each leaves its digest, which is what the chain covers. A commit with an empty patch says what was left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from . import heads
from .blobs import gone, gone_text, is_gone, named, reference, stowed
from .engines import Statement, Work, insert
from .lifting import schema_version
from .making import committed, row
from .records import OMIT, Change
from .snapshots import initial
from .tables import blobs, branches, calls, commits, conflicts, proposals, rounds

_session = sa.bindparam("session_id", type_=sa.BigInteger)
_PARTS = {"reasoning": ("reasoning", "echo"), "raw": ("raw",), "prompts": ("request",)}
"""The columns of a call that hold what may be left out; an echo is a provider's own form of reasoning."""

_PAGE = 64

_numbers = Statement(
    sa.select(rounds.c.round).where(rounds.c.session_id == _session).order_by(rounds.c.round)
)
_of_rounds = Statement(
    sa.select(*calls.c["round", "agent", "attempt", "request", "reasoning", "raw", "echo"]).where(
        calls.c.session_id == _session,
        calls.c.round >= sa.bindparam("first"),
        calls.c.round <= sa.bindparam("last"),
    )
)
_write = Statement(
    sa.update(calls)
    .where(
        calls.c.session_id == sa.bindparam("session_id_"),
        calls.c.round == sa.bindparam("round_"),
        calls.c.agent == sa.bindparam("agent_"),
        calls.c.attempt == sa.bindparam("attempt_"),
    )
    .values({name: sa.bindparam(name) for name in ("request", "reasoning", "raw", "echo")})
)
_insert = insert(commits)
_move = Statement(
    sa.update(branches)
    .where(branches.c.session_id == sa.bindparam("session_id_"), branches.c.branch == sa.bindparam("branch_"))
    .values(head=sa.bindparam("head"), head_hash=sa.bindparam("head_hash"))
)
_kept = Statement(sa.select(blobs.c.digest).where(blobs.c.session_id == _session))
_drop = Statement(
    sa.delete(blobs).where(
        blobs.c.session_id == sa.bindparam("session_id_"), blobs.c.digest == sa.bindparam("digest_")
    )
)


def _texts(columns: Sequence[sa.Column[str]]) -> list[Statement]:
    return [
        Statement(sa.select(column).where(column.table.c.session_id == _session, column.is_not(None)))
        for column in columns
    ]


_naming = _texts([commits.c.patch, proposals.c.patch, *conflicts.c["base", "ours", "theirs", "settlement"]])


def leave_out(
    work: Work, session_id: int, branch: str, what: Sequence[str], author: str, reason: str
) -> None:
    """Take parts of all recordings away, and commit that this was done.

    Args:
        branch: Where that is said, closed or not.
        what: Some of `raw`, `reasoning`, `prompts`.
    """
    numbers = [int(found) for (found,) in work.all(_numbers, session_id=session_id)]
    columns = [column for part in what for column in _PARTS[part]]
    for start in range(0, len(numbers), _PAGE):
        page = numbers[start : start + _PAGE]
        _empty(work, session_id, page[0], page[-1], columns)
    if "prompts" in what:
        _drop_prompts(work, session_id)
    _say(work, session_id, branch, what, max(numbers, default=0), author, reason)


def _empty(work: Work, session_id: int, first: int, last: int, columns: Sequence[str]) -> None:
    rows = []
    for number, agent, attempt, *values in work.all(
        _of_rounds, session_id=session_id, first=first, last=last
    ):
        kept = dict(zip(("request", "reasoning", "raw", "echo"), values, strict=True))
        for column in columns:
            value = kept[column]
            if value is not None and not is_gone(value):
                kept[column] = gone_text(value) if isinstance(value, str) else gone(bytes(value))
        rows.append(
            {"session_id_": session_id, "round_": number, "agent_": agent, "attempt_": attempt, **kept}
        )
    work.run_all(_write, rows)


def _drop_prompts(work: Work, session_id: int) -> None:
    """Remove the texts that stand in prompts alone; what a frame names of them is missing then."""
    needed: set[str] = set()
    for statement in _naming:
        for (text,) in work.pages(statement, session_id=session_id):
            needed.update(named(text))
    for (name,) in work.all(_kept, session_id=session_id):
        if reference(bytes(name)) not in needed:
            work.run(_drop, session_id_=session_id, digest_=bytes(name))


def _say(
    work: Work, session_id: int, branch: str, what: Sequence[str], upto: int, author: str, reason: str
) -> None:
    found = heads.read(work, session_id, branch)
    number = schema_version(work, session_id, branch, found.version)
    head = heads.Head(found.version, found.hash, {}, None, initial({}, 0), number)
    said = {OMIT: {"what": sorted(what), "upto": upto, "reason": reason}}
    stored = stowed(())
    made = committed(
        head, branch, Change(author, (), found.version, source=said), stored, None, number, work.clock()
    )
    work.run(_insert, **row(session_id, made, stored))
    work.run(_move, session_id_=session_id, branch_=branch, head=made.version, head_hash=made.hash)
