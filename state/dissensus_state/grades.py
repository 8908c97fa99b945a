"""Grades: what is known afterwards of a settled round's proposals, and of the ruling over them.

They are only ever added. Of several on one proposal the newest of the strongest basis counts: a known
answer before a person, a person before a verifier. What a model's ruling says of a proposal is no grade:
that follows from the ruling, and comes from inside the models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import get_args

import sqlalchemy as sa

from . import rights, rounds
from .engines import Row, Statement, Work, insert, insert_absent
from .errors import Conflict, NotFound, Refused, Tampered, ValueRefused
from .objections import readable
from .patches import touched
from .records import RULING, Grade, GradeBasis, Proposal
from .tables import grades

MAX_DETAIL = 2000
"""How many characters of a reason are kept."""

MAX_NAME = 1000
"""How many characters the name of who grades may have."""

STRENGTH: Mapping[str, int] = {"verifier": 1, "person": 2, "reference": 3}
"""Which basis counts before which: the larger one."""

_session: sa.BindParameter[int] = sa.bindparam("session_id")
_columns = sa.select(
    *grades.c["round", "agent", "n", "is_right", "basis", "author", "version", "detail", "at"]
).where(grades.c.session_id == _session)
_of_round = Statement(_columns.where(grades.c.round == sa.bindparam("round")))
_of_session = Statement(_columns)
_insert = insert(grades)
_insert_absent = insert_absent(grades)


def grades_of(work: Work, session_id: int, number: int | None = None) -> list[Grade]:
    """The grades of a round (None: of all), by round and agent, oldest first."""
    if number is None:
        rows = work.all(_of_session, session_id=session_id)
    else:
        rows = work.all(_of_round, session_id=session_id, round=number)
    found = map(read, rows)
    return sorted(found, key=lambda one: (one.round, one.agent, one.n))  # and not as the database sorts


def read(row: Row) -> Grade:
    """A stored grade as a record.

    Raises:
        Tampered: It is right or wrong on no basis that there is; grades are no part of the hash chain.
    """
    number, agent, n, is_right, basis, author, version, detail, at = row
    if basis not in STRENGTH or is_right not in {0, 1}:
        raise Tampered(
            f"A grade of {agent} in round {number} is {is_right!r} on the basis {basis!r}, which is none",
            round=number,
            next_step="It was changed behind our back: restore a backup",
        )
    return Grade(agent, bool(is_right), basis, author, version, detail, number, n, at)


def counting(given: Iterable[Grade]) -> dict[str, Grade]:
    """The grade that counts, for each agent of one round."""
    found: dict[str, Grade] = {}
    for one in given:
        known = found.get(one.agent)
        if known is None or _weight(one) > _weight(known):
            found[one.agent] = one
    return found


def _weight(one: Grade) -> tuple[int, int]:
    return STRENGTH.get(one.basis, 0), one.n


def settle(work: Work, session_id: int, number: int, stated: Iterable[Grade]) -> None:
    """Write down what is known of a round at the moment in which it is settled: its first grades."""
    numbers: dict[str, int] = {}
    rows = []
    for one in stated:
        n = numbers[one.agent] = numbers.get(one.agent, 0) + 1
        kept = replace(one, author=readable(one.author, MAX_NAME), detail=_short(one.detail))
        rows.append(_row(session_id, replace(kept, round=number, n=n, at=work.clock())))
    work.run_all(_insert, rows)


def _short(detail: str | None) -> str | None:
    return None if detail is None else readable(detail, MAX_DETAIL).replace("\x00", "�")


def grade(
    work: Work, session_id: int, grants: rights.Grants | None, number: int, stated: Sequence[Grade]
) -> list[Grade]:
    """Add grades to a settled round; what their author has said last of an agent is not said again.

    Returns:
        The grades as they are stored, whether they were new or not.

    Raises:
        NotFound: there is no such round, no such agent in it, or no ruling.
        Conflict: the round is not settled yet.
        Refused: an agent is graded both right and wrong, nobody is graded, or there is nothing to grade.
        ValueRefused: the author has no name, or a reason is too long.
        Denied: the author may not rule on what was proposed.
    """
    round_ = rounds.round_(work, session_id, number)
    if not round_.settled:
        raise Conflict(
            f"Round {number} is not settled yet: it is {round_.status}",
            next_step="Let it be committed or settled first (`dissensus rule`), then grade it",
            round=number,
            retry=False,
        )
    made = rounds.proposals_of(work, session_id, number)
    _check(stated, number, made, ruled=bool(rounds.rulings_of(work, session_id, number)))
    ruled = [path for item in made if item.status != "abstained" for path in touched(item.patch)]
    for author in {one.author for one in stated}:
        rights.check(grants, author, "rule", ruled)
    return [_added(work, session_id, replace(one, round=number)) for one in stated]


def _check(stated: Sequence[Grade], number: int, made: Sequence[Proposal], *, ruled: bool) -> None:
    if not stated:
        raise Refused("A grade names the agents who were right, or wrong", round=number)
    by_name = {item.agent: item for item in made}
    said: dict[str, bool] = {}
    for one in stated:
        _check_author(one)
        if said.setdefault(one.agent, one.right) != one.right:
            raise Refused(f"{one.agent} cannot be both right and wrong", round=number, agent=one.agent)
        if one.agent == RULING and RULING not in by_name:
            if not ruled:
                raise NotFound(f"There is no ruling on round {number} to be graded", round=number)
            continue
        proposal = by_name.get(one.agent)
        if proposal is None:
            names = ", ".join(sorted(by_name)) or "nobody"
            raise NotFound(f"No {one.agent!r} was asked in round {number}, but {names}", round=number)
        if proposal.status == "abstained":
            raise Refused(f"{one.agent} abstained in round {number}: there is nothing to grade", round=number)


def _check_author(one: Grade) -> None:
    if one.basis not in get_args(GradeBasis):
        raise Refused(f"A grade rests on {', '.join(get_args(GradeBasis))}, and not on {one.basis!r}")
    if not 0 < len(one.author) <= MAX_NAME or not one.author.isprintable():
        raise ValueRefused(
            f"{ascii(one.author)[:80]} cannot be who grades",
            next_step=f"Give up to {MAX_NAME} printable characters",
        )
    if len(one.detail or "") > MAX_DETAIL:
        raise ValueRefused(
            f"The reason has {len(one.detail or ''):,} characters", next_step=f"Give up to {MAX_DETAIL:,}"
        )


def _added(work: Work, session_id: int, one: Grade) -> Grade:
    """The grade as it is stored: the last of its author's on this agent and basis, if that says the same."""
    while True:  # somebody else may take the same number at once
        there = [known for known in grades_of(work, session_id, one.round or 0) if known.agent == one.agent]
        last = next(
            (known for known in reversed(there) if (known.author, known.basis) == (one.author, one.basis)),
            None,
        )
        if last is not None and replace(last, n=0, at=0) == replace(one, n=0, at=0):
            return last
        numbered = replace(one, n=max((known.n for known in there), default=0) + 1, at=work.clock())
        if work.run(_insert_absent, **_row(session_id, numbered)) == 1:
            return numbered


def _row(session_id: int, one: Grade) -> dict[str, object]:
    return {
        "session_id": session_id,
        "round": one.round,
        "agent": one.agent,
        "n": one.n,
        "is_right": int(one.right),
        "basis": one.basis,
        "author": one.author,
        "version": one.version,
        "detail": one.detail,
        "at": one.at,
    }
