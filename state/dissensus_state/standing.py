"""What settled rounds show of the agents in them: one reading for whoever counts over thousands of rounds.

Rounds are read a page at a time, in the order of their keys, so that a store of any size is walked in
bounded memory; a page costs four statements, whatever the number of sessions in it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from . import grades
from .blobs import is_gone
from .engines import Row, Statement, Work
from .records import RULING, SETTLED, Grade, Ruling
from .reuse import REUSED
from .rounds import read_ruling
from .tables import calls, events, models, proposals, rounds, rulings
from .tables import grades as grades_table
from .values import parse_object

PAGE = 1000
"""How many rounds are read at once."""

Key = tuple[int, int]
"""A session's number and a round's."""

_FIRST, _LAST = -(2**62), 2**62


class Line(NamedTuple):
    """One agent in a settled round.

    `status` is that of its proposal, `model` and `lineage` are behind it (empty where nobody was asked).
    `answers` counts the answers that its models gave (none that was used again), `repaired` how often one
    was mended before it could be read. `latency_ms` is that of the answer it rests on, `cost` in nano-USD
    that of all its calls, None where it is not known. `failure` is why it abstained. `grade` is the one that
    counts.
    """

    agent: str
    status: str
    confidence: float | None
    model: str
    lineage: str
    answers: int
    repaired: int
    latency_ms: int | None
    cost: int | None
    failure: dict[str, Any] | None
    grade: Grade | None


class Settled(NamedTuple):
    """A settled round with its agents.

    `at` is when it began, in milliseconds since 1970. `review` is why it was reviewed, None if it was not.
    `ruling` is the last one, `judge` the model and lineage that gave it, None where it was no model; `ruled`
    is the grade of the ruling that counts. `earlier` are the rulings of the chain before the last, each
    with the model and lineage that gave it.
    """

    session_id: int
    round: int
    task: str
    status: str
    at: int
    review: dict[str, Any] | None
    ruling: Ruling | None
    judge: tuple[str, str] | None
    ruled: Grade | None
    lines: tuple[Line, ...]
    earlier: tuple[tuple[Ruling, tuple[str, str] | None], ...] = ()


def _bounds(table: sa.Table) -> list[sa.ColumnElement[bool]]:
    """The rows of the rounds of a page."""
    key = sa.tuple_(table.c.session_id, table.c.round)
    first = sa.tuple_(sa.bindparam("first_session"), sa.bindparam("first_round"))
    last = sa.tuple_(sa.bindparam("last_session"), sa.bindparam("last_round"))
    return [key >= first, key <= last]


_settled = sa.or_(*(rounds.c.status == status for status in sorted(SETTLED)))
_page = (
    sa.select(*rounds.c["session_id", "round", "step", "status", "started_at", "review"])
    .where(
        sa.tuple_(rounds.c.session_id, rounds.c.round)
        > sa.tuple_(sa.bindparam("after_session"), sa.bindparam("after_round")),
        rounds.c.session_id <= sa.bindparam("last_session"),
        rounds.c.started_at >= sa.bindparam("since"),
        _settled,
    )
    .order_by(rounds.c.session_id, rounds.c.round)
    .limit(sa.bindparam("limit"))
)
_page_of_all = Statement(_page)
_page_of_task = Statement(_page.where(rounds.c.step == sa.bindparam("task")))
_proposals = Statement(
    sa.select(
        *proposals.c["session_id", "round", "agent", "status", "confidence", "attempt"],
        sa.case((proposals.c.status == "abstained", proposals.c.detail)),
    ).where(*_bounds(proposals))
)
_again = sa.func.coalesce(calls.c.detail, "").like(sa.literal_column(f"'%\"{REUSED}\":%'"))
_calls = Statement(
    sa.select(
        *calls.c["session_id", "round", "agent", "attempt"],
        *models.c["name", "lineage"],
        *calls.c["status", "latency_ms", "cost"],
        sa.case((_again, 1), else_=0),
    )
    .join(models, sa.and_(models.c.session_id == calls.c.session_id, models.c.model == calls.c.model))
    .where(*_bounds(calls))
)
_rulings = Statement(
    sa.select(
        *rulings.c["session_id", "round", "n", "author", "decision", "binding", "body", "at"],
    ).where(*_bounds(rulings))
)
_grades = Statement(
    sa.select(
        *grades_table.c["session_id", "round", "agent", "n", "is_right"],
        *grades_table.c["basis", "author", "version", "detail", "at"],
    ).where(*_bounds(grades_table))
)
_happened = Statement(
    sa.select(*events.c["session_id", "round", "at", "body"]).where(
        events.c.kind == sa.bindparam("kind"),
        events.c.session_id >= sa.bindparam("first_session"),
        events.c.session_id <= sa.bindparam("last_session"),
    )
)


def settled(
    work: Work,
    session_id: int | None = None,
    *,
    task: str | None = None,
    since: int | None = None,
    after: int | None = None,
    size: int = PAGE,
) -> Iterator[Settled]:
    """The settled rounds of a session, or of the whole store or tenant, by session and number.

    Args:
        work: A transaction that reads; it stands open meanwhile.
        session_id: One session; None for all.
        task: Only rounds of this step.
        since: Only rounds that began then or later, in milliseconds since 1970.
        after: Only rounds of the session with a larger number.
        size: How many rounds are read at once.
    """
    whose = _whose(session_id)
    repairs = _repaired(work, whose)
    last: Key = whose["first_session"], after or 0  # rounds are counted from 1
    given = {"last_session": whose["last_session"], "since": since or 0, "limit": size}
    while True:
        page = _page_of_all if task is None else _page_of_task
        named = {} if task is None else {"task": task}
        rows = work.all(page, after_session=last[0], after_round=last[1], **given, **named)
        if not rows:
            return
        last = rows[-1][0], rows[-1][1]
        yield from _read_page(work, rows, repairs)
        if len(rows) < size:
            return


def _whose(session_id: int | None) -> dict[str, int]:
    return {
        "first_session": _FIRST if session_id is None else session_id,
        "last_session": _LAST if session_id is None else session_id,
    }


def happened(work: Work, kind: str, session_id: int | None = None) -> list[tuple[int, dict[str, Any]]]:
    """When events of a kind happened in a session (None: in all), and what they say."""
    rows = work.all(_happened, kind=kind, **_whose(session_id))
    return [(at, parse_object(body)) for _, _, at, body in rows]


def _repaired(work: Work, whose: dict[str, int]) -> Counter[tuple[int, int, str]]:
    """How often an answer was mended, by session, round and agent."""
    found: Counter[tuple[int, int, str]] = Counter()
    for session_id, number, _, body in work.pages(_happened, kind="repaired", **whose):
        if number is not None:
            found[session_id, number, str(parse_object(body).get("agent", ""))] += 1
    return found


def _read_page(work: Work, rows: Sequence[Row], repairs: Counter[tuple[int, int, str]]) -> Iterator[Settled]:
    names = ("first_session", "first_round", "last_session", "last_round")
    bounds = dict(zip(names, (*rows[0][:2], *rows[-1][:2]), strict=True))
    wanted = {(row[0], row[1]) for row in rows}
    called = _called(work, bounds, wanted)
    graded = _graded(work, bounds, wanted)
    ruled = _ruled(work, bounds, wanted)
    lines: dict[Key, list[Line]] = defaultdict(list)
    for session_id, number, agent, status, confidence, attempt, detail in work.all(_proposals, **bounds):
        key = session_id, number
        if key not in wanted:
            continue
        asked = _asked(called.get((*key, agent), ()), attempt, repairs[*key, agent])
        grade = graded[key].get(agent) if key in graded else None
        lines[key].append(Line(agent, status, confidence, *asked, _detail(detail), grade))
    for session_id, number, task, status, at, review in rows:
        key = session_id, number
        given = ruled.get(key, [])
        ruling = given[-1] if given else None
        yield Settled(
            *(session_id, number, task, status, at, _detail(review)),
            ruling,
            _judge(called, key, ruling),
            graded[key].get(RULING) if key in graded else None,
            tuple(sorted(lines[key], key=_agent)),
            tuple((one, _judge(called, key, one)) for one in given[:-1]),
        )


def _agent(line: Line) -> str:
    """Rows are put in order here and not by the database, which sorts by its locale."""
    return line.agent


def _judge(called: _Calls, key: Key, ruling: Ruling | None) -> tuple[str, str] | None:
    """Model and lineage of the call that a ruling rests on."""
    if ruling is None or ruling.attempt is None:
        return None
    made = called.get((*key, ruling.seat or RULING), ())
    return next(((call.model, call.lineage) for call in made if call.attempt == ruling.attempt), None)


def _detail(text: str | None) -> dict[str, Any] | None:
    return None if text is None or is_gone(text) else parse_object(text)


class _Called(NamedTuple):
    attempt: int
    model: str
    lineage: str
    status: str
    latency_ms: int
    cost: int | None
    again: int


_Calls = dict[tuple[int, int, str], list[_Called]]


def _called(work: Work, bounds: dict[str, int], wanted: set[Key]) -> _Calls:
    """The calls of each agent, and of each seat."""
    found: _Calls = defaultdict(list)
    for session_id, number, agent, *said in work.pages(_calls, PAGE, **bounds):
        if (session_id, number) in wanted:
            found[session_id, number, agent].append(_Called(*said))
    return found


def _asked(
    made: Sequence[_Called], attempt: int, mended: int
) -> tuple[str, str, int, int, int | None, int | None]:
    """What an agent's calls come to: model, lineage, answers, repairs, latency, cost."""
    if not made:
        return "", "", 0, mended, None, 0
    last = next((call for call in made if call.attempt == attempt), made[-1])
    answers = len([call for call in made if call.status == "answered" and not call.again])
    costs = [call.cost for call in made if call.cost is not None]
    cost = sum(costs) if len(costs) == len(made) else None
    timed = last.status == "answered" and not last.again
    return last.model, last.lineage, answers, mended, last.latency_ms if timed else None, cost


def _graded(work: Work, bounds: dict[str, int], wanted: set[Key]) -> dict[Key, dict[str, Grade]]:
    found: dict[Key, list[Grade]] = defaultdict(list)
    for session_id, *said in work.pages(_grades, PAGE, **bounds):
        if (session_id, said[0]) in wanted:
            found[session_id, said[0]].append(grades.read(said))
    return {key: grades.counting(given) for key, given in found.items()}


def _ruled(work: Work, bounds: dict[str, int], wanted: set[Key]) -> dict[Key, list[Ruling]]:
    """The rulings of each round, in order."""
    found: dict[Key, list[Ruling]] = defaultdict(list)
    for session_id, number, *said in work.pages(_rulings, PAGE, **bounds):
        if (session_id, number) in wanted:
            found[session_id, number].append(read_ruling(*said))
    return {key: sorted(given, key=lambda one: one.n) for key, given in found.items()}


class Known(NamedTuple):
    """One graded proposal: all that weights rest on."""

    session_id: int
    round: int
    task: str
    agent: str
    model: str
    lineage: str
    right: bool


_strength = sa.case(grades.STRENGTH, value=grades_table.c.basis, else_=0)
_ranked = sa.select(
    *grades_table.c["session_id", "round", "agent", "is_right"],
    sa.func.row_number()
    .over(
        partition_by=(grades_table.c.session_id, grades_table.c.round, grades_table.c.agent),
        order_by=(_strength.desc(), grades_table.c.n.desc()),
    )
    .label("rank"),
).where(grades_table.c.agent != RULING)
_counting = _ranked.subquery("counting")
_known = Statement(
    sa.select(
        _counting.c.session_id,
        _counting.c.round,
        rounds.c.step,
        _counting.c.agent,
        models.c.name,
        models.c.lineage,
        _counting.c.is_right,
    )
    .select_from(_counting)
    .join(rounds, sa.and_(rounds.c.session_id == _counting.c.session_id, rounds.c.round == _counting.c.round))
    .join(
        proposals,
        sa.and_(
            proposals.c.session_id == _counting.c.session_id,
            proposals.c.round == _counting.c.round,
            proposals.c.agent == _counting.c.agent,
        ),
    )
    .join(
        calls,
        sa.and_(
            calls.c.session_id == _counting.c.session_id,
            calls.c.round == _counting.c.round,
            calls.c.agent == _counting.c.agent,
            calls.c.attempt == proposals.c.attempt,
        ),
    )
    .join(models, sa.and_(models.c.session_id == calls.c.session_id, models.c.model == calls.c.model))
    .where(_counting.c.rank == 1)
    .order_by(_counting.c.session_id.desc(), _counting.c.round.desc())
    .limit(sa.bindparam("limit"))
)


def known(work: Work, most: int) -> list[Known]:
    """The graded proposals of the store or tenant, the newest sessions and rounds first.

    Args:
        work: A transaction that reads.
        most: How many are read at most.
    """
    return [Known._make((*row[:-1], bool(row[-1]))) for row in work.all(_known, limit=most)]
