"""Rounds that ended in a commit, held against it: all that can be said of them without the user's code.

A commit does nothing but what the proposals that it accepts say, or what the ruling puts in their place;
the ruling is on exactly these proposals; each rests on an answer that is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from . import rounds
from .engines import Row, Statement, Work
from .patches import patch_to_json, pieces
from .records import Commit, Proposal, Round, Ruling
from .rights import authors
from .tables import calls, proposals
from .tables import rounds as rounds_table
from .tables import rulings as rulings_table
from .values import JSON

_SPAN = 64
"""Over how many numbers of rounds one reading goes: those of other branches in between are passed over."""


def _in_span(table: sa.Table, *columns: str) -> Statement:
    found = sa.select(*(table.c[name] for name in columns)).where(
        table.c.session_id == sa.bindparam("session_id"),
        table.c.round >= sa.bindparam("first"),
        table.c.round <= sa.bindparam("last"),
    )
    return Statement(found.order_by(table.c.round))


_rounds = _in_span(rounds_table, *(column.name for column in rounds_table.c if column.name != "session_id"))
_proposals = _in_span(
    proposals, "round", "agent", "patch", "reads", "confidence", "attempt", "status", "detail"
)
_rulings = _in_span(rulings_table, "round", "n", "author", "decision", "binding", "body", "at")
_calls = Statement(
    sa.select(calls.c.round, calls.c.agent, calls.c.attempt, calls.c.status, calls.c.answer.is_not(None))
    .where(
        calls.c.session_id == sa.bindparam("session_id"),
        calls.c.round >= sa.bindparam("first"),
        calls.c.round <= sa.bindparam("last"),
    )
    .order_by(calls.c.round)
)


class Ended(NamedTuple):
    """A round with what was proposed in it, what was ruled, and how its calls ended."""

    round: Round
    made: Sequence[Proposal]
    given: Sequence[Ruling]
    calls: Mapping[tuple[str, int], str]

    @property
    def answers(self) -> int:
        """How many answers are recorded."""
        return sum(status == "answered" for status in self.calls.values())


class Unlike(NamedTuple):
    """Where a commit and the round that ended in it do not fit: what the records say, and what stands."""

    field: str
    expected: JSON
    actual: JSON
    call: str | None = None


class Endings:
    """The rounds that the commits of a page ended, some dozens read at once and each given once."""

    def __init__(self, work: Work, session_id: int, numbers: Iterable[int]) -> None:
        self._work, self._session_id = work, session_id
        self._wanted: dict[int, list[int]] = {}
        for number in sorted(set(numbers)):
            self._wanted.setdefault(number // _SPAN, []).append(number)
        self._known: dict[int, Ended] = {}

    def of(self, number: int) -> Ended | None:
        """The round of a number; None where there is none."""
        span = self._wanted.pop(number // _SPAN, None)
        if span is not None:
            self._known |= _read(self._work, self._session_id, span)
        return self._known.pop(number, None)


def _read(work: Work, session_id: int, numbers: Sequence[int]) -> dict[int, Ended]:
    given: dict[str, Any] = {"session_id": session_id, "first": numbers[0], "last": numbers[-1]}
    wanted = set(numbers)
    made = _by_round(work.all(_proposals, **given), wanted)
    ruled = _by_round(work.all(_rulings, **given), wanted)
    asked = _by_round(work.all(_calls, **given), wanted)
    return {
        row[0]: Ended(
            rounds.read_round(row),
            [rounds.read_proposal(work, session_id, one[1:]) for one in made.get(row[0], ())],
            [rounds.read_ruling(*one[1:]) for one in sorted(ruled.get(row[0], ()), key=lambda one: one[1])],
            {
                (agent, attempt): status if status != "answered" or there else "without its answer"
                for _, agent, attempt, status, there in asked.get(row[0], ())
            },
        )
        for row in work.all(_rounds, **given)
        if row[0] in wanted
    }


def _by_round(rows: Iterable[Row], wanted: set[int]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        if row[0] in wanted:
            found.setdefault(row[0], []).append(row)
    return found


def unlike(commit: Commit, there: Ended | None) -> Unlike | None:
    """The first thing in which a commit is not what its round ended in; None where all of it fits."""
    if there is None:
        return Unlike("round", commit.round, None)
    if there.round.status != "committed":
        return Unlike("round: status", "committed", there.round.status)
    if there.round.base != commit.base:
        return Unlike("round: base", there.round.base, commit.base)
    return _of_proposals(there) or _of_ruling(there) or _of_author(commit, there) or _of_patch(commit, there)


def _of_proposals(there: Ended) -> Unlike | None:
    """Whether each proposal is settled, and rests on an answer that is recorded."""
    lost = there.given[-1].dissent if there.given else ()
    untold = bool(there.given) and there.given[-1].gone
    for item in there.made:
        where = f"proposal of {item.agent}"
        if item.status == "abstained":
            if item.patch:
                return Unlike(f"{where}: patch", [], patch_to_json(item.patch))
            continue
        settled = "dissent" if item.agent in lost else "accepted"
        if item.status != settled and not (untold and item.status in {"accepted", "dissent"}):
            return Unlike(f"{where}: status", settled, item.status)
        answer = there.calls.get((item.agent, item.attempt), "not recorded")
        if item.attempt and answer != "answered":
            return Unlike(f"{where}: answer", "answered", answer, f"{item.agent}, attempt {item.attempt}")
    return None


def _of_ruling(there: Ended) -> Unlike | None:
    """Whether the ruling that the commit rests on is on exactly these proposals and this base."""
    if not there.given:
        return None if there.round.review is None else Unlike("ruling", "a ruling", None)
    last = there.given[-1]
    if last.decision not in {"uphold", "amend"}:
        return Unlike("ruling: decision", "uphold or amend", last.decision)
    bindings = [rounds.binding(there.round.base, there.made)]
    if last.binding not in bindings:
        bindings.append(rounds.binding(there.round.base, there.made, whole=True))
    if last.binding not in bindings:
        return Unlike("ruling: binding", bindings[0].hex(), last.binding.hex())
    return None


def _of_author(commit: Commit, there: Ended) -> Unlike | None:
    """Whether the commit bears the names of those whose proposals it accepts, or of who ruled."""
    accepted = {item.agent for item in there.made if item.status == "accepted"}
    rulers = {ruling.author for ruling in there.given}
    if commit.author in {*accepted, *rulers} or set(authors(commit.author)) <= accepted:
        return None
    return Unlike("author", "+".join(sorted(accepted)), commit.author)


def _of_patch(commit: Commit, there: Ended) -> Unlike | None:
    """Whether the patch does nothing but what was accepted; of values that are gone nobody can say."""
    last = there.given[-1] if there.given else None
    if any(item.gone for item in commit.patch) or (last is not None and last.gone):
        return None
    if last is not None and last.decision == "amend":
        allowed = pieces(last.amendment)
    else:
        accepted = [item for item in there.made if item.status == "accepted"]
        if any(operation.gone for item in accepted for operation in item.patch):
            return None
        allowed = {piece for item in accepted for piece in pieces(item.patch)}
    done = pieces(tuple(item for item in commit.patch if item.path != ("phase",)))
    if done <= allowed:
        return None
    return Unlike("patch", sorted(allowed), sorted(done - allowed))
