"""The verifier that runs SQL: what a model proposes is asked of the user's database, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from dissensus_state.errors import Refused
from dissensus_state.values import JSON, Path, canonical, normalise, parse_path, pointer

from ..bounds import check_seconds, check_whole
from ..errors import GraphError
from .databases import Answer, Ask, Unreached, asker_of
from .evidence import Evidence, Values, failed, passed, plain, short, unknown
from .fields import reach
from .sameness import alike
from .witnessing import Verifier

MAX_SQL: Final = 20_000
"""Characters of the longest query that is asked."""

_ANY: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class _Queries:
    path: Path
    ask: Ask
    expects: JSON
    equals: Path | None
    tolerance: float
    name: str
    version: str = "1"

    def verify(self, patch_values: Values, state: Values) -> Iterator[Evidence]:
        for path, value in reach(patch_values, self.path):
            yield self._check(path, value, patch_values, state)

    def _check(self, path: Path, value: JSON, proposed: Values, state: Values) -> Evidence:
        if not isinstance(value, str) or not value.strip() or "\x00" in value:
            return failed(self, "there is no query", path)
        if len(value) > MAX_SQL:
            return failed(self, f"the query is longer than {MAX_SQL:,} characters, and was not asked", path)
        claim = self._claim(proposed, state)
        if isinstance(claim, str) and self.equals is not None and claim == _NOWHERE:
            return unknown(self, f"nothing is claimed at {pointer(self.equals)}", path)
        try:
            answer = self.ask(value)
            rows = [[normalise(item) for item in row] for row in answer.rows]
        except Unreached as error:
            return unknown(self, f"the database was not asked: {plain(str(error), 300)}", path)
        except (ValueError, Refused) as error:
            return failed(self, f"the query cannot be answered: {plain(str(error), 300)}", path)
        return self._judged(path, Answer(answer.names, rows, answer.more), claim)

    def _claim(self, proposed: Values, state: Values) -> Any:
        if self.equals is None:
            return self.expects
        found = next(iter([*reach(proposed, self.equals), *reach(state, self.equals)]), None)
        return _NOWHERE if found is None else found[1]

    def _judged(self, path: Path, answer: Answer, claim: Any) -> Evidence:
        if claim is _ANY:
            return passed(self, f"it gives {_count(answer)}", path)
        if answer.more:
            return unknown(self, f"it gives more than was read ({_count(answer)})", path)
        given = shaped(answer, claim)
        shown, wanted = short(canonical(given)), short(canonical(claim))
        if alike(given, claim, self.tolerance):
            return passed(self, f"it gives {shown}", path, decides=self.equals is None)
        where = "" if self.equals is None else f", as {pointer(self.equals)} says"
        return failed(self, f"it gives {shown}, and not {wanted}{where}", path)


_NOWHERE: Final = "\x00nowhere"


def _count(answer: Answer) -> str:
    return f"{'more than ' if answer.more else ''}{len(answer.rows)} row{'s' * (len(answer.rows) != 1)}"


def shaped(answer: Answer, claim: JSON) -> JSON:
    """The rows in the form of what is claimed.

    A list of objects is held against rows by column name, one of lists against rows, any other list against
    the one column; an object against the one row, and anything else against the one value.
    """
    rows, named = answer.rows, [dict(zip(answer.names, row, strict=True)) for row in answer.rows]
    single = len(rows) == 1
    if isinstance(claim, list):
        if claim and isinstance(claim[0], dict):
            return named
        wide = any(isinstance(item, list) for item in claim) or len(answer.names) != 1
        return rows if wide else [row[0] for row in rows]
    if isinstance(claim, dict):
        return named[0] if single else named
    return rows[0][0] if single and len(answer.names) == 1 else rows


def queries(
    path: str,
    database: str,
    *,
    expects: JSON = _ANY,
    equals: str | None = None,
    tolerance: float = 0.0,
    seconds: float = 5.0,
    rows: int = 1000,
    superuser: bool = False,
    name: str = "queries",
) -> Verifier:
    """Check SQL by asking it of a database of yours, which it can read and not change.

    One SELECT is asked, with limits of time, rows and bytes, and its answer is compared. SQLite is opened
    read only, in a process of its own, with an authorizer that allows reading and nothing else. PostgreSQL is
    asked in a read-only transaction that is always rolled back. What a query may *read* is what the login may
    read: give the URL of one that may read what a model's SQL may see, and no more. `docs/verifiers.md` tells
    what each of these walls is, and is not.

    Args:
        path: Where the query is proposed.
        database: `sqlite:///file.db` or `postgresql://…`, as for `Store.open`.
        expects: What it has to give: a match *decides*, since the answer was known beforehand.
        equals: Where the value is claimed that it has to give, as `verdict/total`, in the proposal or else in
            the state. A match says that the value is what the query gives, and not that the query is the
            right one: it does not decide.
        tolerance: Share of a number that it may be off.
        seconds: How long it may take.
        rows: How many rows are read; of more, nothing is said.
        superuser: A superuser of PostgreSQL, or a role that may read or write the server's files, is used all
            the same: its queries can read files of the server, and end other sessions.
        name: What the check is called.

    Raises:
        GraphError: It is no such URL, or both `expects` and `equals` are given.
    """
    check_seconds("queries", seconds=seconds)
    check_whole("queries", rows=rows)
    if expects is not _ANY and equals is not None:
        raise GraphError("queries compares with `expects` or with `equals`, and not with both")
    ask = asker_of(database, seconds=seconds, rows=rows, superuser=superuser)
    target = None if equals is None else parse_path(equals)
    return _Queries(parse_path(path), ask, expects, target, tolerance, name)
