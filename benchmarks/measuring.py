"""What a finished run has left in the database, checked against what was seen from outside."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exam import Exam

from dissensus_state.engines import read_url
from dissensus_state.patches import patch_to_json
from dissensus_state.records import Call, Commit, Proposal, Round, Ruling
from dissensus_state.sessions import Session
from dissensus_state.values import canonical


@dataclass(frozen=True, slots=True)
class Sizes:
    """The bytes of a database: with its tables only, with the questions, and after the run."""

    empty: int
    begun: int
    ended: int


def integrity(url: str) -> str | None:
    """What SQLite says of its own file: `ok`, or what is broken; None on PostgreSQL."""
    address = read_url(url)
    if address.get_backend_name() != "sqlite":
        return None
    with sqlite3.connect(address.database or "") as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


@dataclass(frozen=True, slots=True)
class Left:
    """Everything that a session's rounds have left."""

    rounds: Sequence[tuple[Round, list[Proposal], list[Call], list[Ruling]]]
    commits: Sequence[Commit]

    @classmethod
    def of(cls, session: Session[Exam]) -> Left:
        """Read it all."""
        rounds = [session.round(opened.round) for opened in session.rounds()]
        return cls(rounds, session.log(limit=2**31 - 1)[::-1])

    @property
    def calls(self) -> list[Call]:
        """All calls, by round."""
        return [call for _, _, calls, _ in self.rounds for call in calls]

    def answer_bytes(self) -> int:
        """Each recorded answer, its reasoning inside it, as plain UTF-8."""
        return sum(len((call.answer or "").encode()) for call in self.calls)

    def patch_bytes(self) -> int:
        """Each distinct patch of a round once, as canonical text; the initial commit's left out."""
        made = {_text(item.patch) for _, proposals, _, _ in self.rounds for item in proposals if item.patch}
        committed = {_text(commit.patch) for commit in self.commits if commit.version}
        return sum(len(text.encode()) for text in made | committed)


def _text(patch: Any) -> str:
    return canonical(patch_to_json(patch))


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often models were asked for what was asked before.

    `recorded`: the earlier answer was on record, or the earlier ask was not given up on record;
    `in_flight`: the earlier ask is on record as of unknown outcome, since its worker was killed.
    """

    recorded: int
    in_flight: int


def repeats(left: Left, asks: Iterable[tuple[int, str, int]]) -> Repeats:
    """Hold every ask that was seen from outside against the calls on record.

    A call is on record before its model is asked, so each ask belongs to the newest call of that
    model for that question that was sent by then. It is the first of that call, and no earlier
    call was answered; else something was asked for twice.
    """
    on_record: dict[tuple[str, int], list[Call]] = defaultdict(list)
    for call in sorted(left.calls, key=lambda call: call.sent_at):
        on_record[call.model, _question(call)].append(call)
    taken: Counter[tuple[str, int, int]] = Counter()
    recorded = in_flight = 0
    for at, model, number in asks:
        sent = [call for call in on_record[model, number] if call.sent_at <= at]
        place = model, number, len(sent)
        if not sent or taken[place] or any(call.status == "answered" for call in sent[:-1]):
            recorded += 1
        else:
            in_flight += any(taken[model, number, n] for n in range(1, len(sent)))
        taken[place] += 1
    return Repeats(recorded, in_flight)


def _question(call: Call) -> int:
    return next(_numbers(call.request))


def _numbers(request: Any) -> Iterator[int]:
    """The question whose path stands anywhere in a request on record."""
    if isinstance(request, str):
        if request.startswith("/questions/"):
            yield int(request.rpartition("/")[2])
        return
    for piece in request.values() if isinstance(request, dict) else request or ():
        yield from _numbers(piece)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of commits that a worker was told of, or that stand twice."""

    acknowledged: int
    lost: int
    doubled: int


def fate(left: Left, acknowledged: Path) -> Fate:
    """Hold every acknowledged commit against the history."""
    answered = {
        (commit.version, int(path[1])) for commit in left.commits if commit.version for path in commit.writes
    }
    told = {tuple(map(int, line.split("\t"))) for line in acknowledged.read_text().splitlines()}
    told.discard((0, -1))
    doubled = Counter(number for _, number in answered)
    return Fate(len(told), len(told - answered), sum(doubled.values()) - len(doubled))
