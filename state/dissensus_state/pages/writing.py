"""The page as text: what needs no script as tables, the rest as data that the page's own script reads.

Everything that anybody said is escaped: in tables as HTML, in the data as JSON in which no `<` stands. The
page names the hashes of its script and of its style, so that a browser runs and loads nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

import sqlalchemy as sa

from .. import branches, contest
from ..engines import Statement, Work
from ..errors import ArchiveRefused
from ..showing import visible
from ..tables import sessions
from ..values import JSON, canonical
from .telling import Told, told

if TYPE_CHECKING:
    from ..contest import Paid, Spent

MOST_BYTES = 64 * 1024 * 1024
"""How large a page may be; a browser still opens it."""

_BLOCK = 100
"""How many details stand in one block."""

_MOST_PIECES, _MOST_CHARACTERS = 1_000, 300
"""Of the table of who wrote what: its rows, and the characters of a value."""

_session = Statement(
    sa.select(*sessions.c["name", "schema", "schema_version", "created_at"]).where(
        sessions.c.session_id == sa.bindparam("session_id")
    )
)
_pieces = Statement(
    sa.text(
        "SELECT path, value, exact, verb, version, author, round FROM current "
        "WHERE session = :session AND branch = :branch"
    ).bindparams(sa.bindparam("session", type_=sa.Text), sa.bindparam("branch", type_=sa.Text))
)


def html_page(work: Work, session_id: int, limit: int | None = None) -> Iterator[str]:
    """The story of a session as one HTML page, in pieces.

    What models were asked and the providers' bodies are not in it.

    Args:
        limit: The newest so many commits of each branch (None: all); the page says how many it leaves out.

    Raises:
        ArchiveRefused: it would be over 64 MiB.
    """
    row = work.one(_session, session_id=session_id)
    name, schema, version, created_at = row or ("", "", 0, 0)
    story = told(work, session_id, limit)
    style, script = _file("page.css"), _file("page.js")
    every = branches.all_branches(work, session_id)
    facts = {"schema": f"{schema}, version {version}", "begun": moment(created_at), "commits": _heads(story)}
    spent = contest.spent(work, session_id)
    filled = {
        "title": text(name),
        "style": style,
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "block": str(_BLOCK),
        "facts": table(("", ""), facts.items()),
        "note": text(_note(story)),
        "tables": "".join(
            [
                _branches(every),
                *_money(spent),
                _wrote(work, name, every),
            ]
        ),
    }
    yield from _bounded(_text(story, filled, script))


def _text(story: Told, filled: dict[str, str], script: str) -> Iterator[str]:
    for literal, field, *_ in Formatter().parse(_file("page.html")):
        yield literal
        if field:
            yield filled[field]
    index = {
        "branches": story.branches,
        "authors": list(story.authors),
        "commits": story.lines,
        "rounds": list(story.rounds),
    }
    yield f'<script type="application/json" id="index">{_data(index)}</script>\n'
    yield from _blocks("commits", story.details)
    yield from _blocks("rounds", list(story.rounds.values()))
    yield f"<script>{script}</script>\n</body>\n</html>\n"


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


def _blocks(kind: str, details: Sequence[JSON]) -> Iterator[str]:
    for start in range(0, len(details), _BLOCK):
        lines = "\n".join(map(_data, details[start : start + _BLOCK]))
        yield f'<script type="application/json" id="{kind}-{start // _BLOCK}">\n{lines}\n</script>\n'


def _bounded(pieces: Iterable[str]) -> Iterator[str]:
    """Nothing is written of a page that is too large."""
    kept, size = [], 0
    for piece in pieces:
        size += len(piece.encode())
        if size > MOST_BYTES:
            raise ArchiveRefused(
                f"The page would be over {MOST_BYTES >> 20} MiB, which no browser likes",
                next_step="Tell of fewer commits: --limit 2000 takes the newest of each branch",
            )
        kept.append(piece)
    yield from kept


def _hash(body: str) -> str:
    """How a Content-Security-Policy names a script or a style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}"


def _data(value: JSON) -> str:
    """Data that nothing in it can end: a `<` is written as an escape."""
    return canonical(value).replace("<", "\\u003c")


def text(value: object) -> str:
    """Something as it stands there, whatever it says."""
    return html.escape(visible(str(value)))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> str:
    """A table; numbers stand at the right."""
    head = "".join(f"<th>{text(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    above = f"<h2>{text(title)}</h2>\n" if title else ""
    return f"{above}<table>\n{f'<tr>{head}</tr>' if any(columns) else ''}\n{body}</table>\n" if body else ""


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{text('' if value is None else value)}</td>"


def moment(at: int) -> str:
    """Milliseconds since 1970 as a date and a time (UTC)."""
    try:
        return datetime.fromtimestamp(at / 1000, UTC).isoformat(" ", "seconds")
    except (OverflowError, OSError, ValueError):
        return f"{at} ms"


def _heads(story: Told) -> str:
    commits = sum(line[1] is not None for line in story.lines)
    return f"{commits:,} told, {story.left_out:,} left out" if story.left_out else f"{commits:,}"


def _note(story: Told) -> str:
    out = "What models were asked is not in this page; an export has it."
    if story.left_out:
        out += f" {story.left_out:,} older commits are left out (--limit)."
    return out


def _branches(every: Sequence[branches.BranchInfo]) -> str:
    rows = [
        (
            one.name,
            f"v{one.head}",
            "" if one.base_branch is None else f"{one.base_branch} v{one.base_version}",
            "closed" if one.closed_at is not None else "",
            "" if one.pruned is None else f"readable from v{one.pruned} on",
        )
        for one in every
    ]
    return table(("branch", "head", "forked from", "", ""), rows, "Branches")


def _money(spent: Spent) -> Iterator[str]:
    agents = [(one.agent, one.model, one.calls, _usd(one.cost), one.unknown or "") for one in spent.agents]
    yield table(("agent", "model", "calls", "USD", "of unknown cost"), agents, "Cost")
    for kind, items in (("step", spent.steps), ("day", spent.days)):
        rows = [(one.name, one.calls, one.tokens, _usd(one.cost), one.unknown or "") for one in items]
        yield table((kind, "calls", "tokens", "USD", "of unknown cost"), rows, f"Cost by {kind}")
    yield _contest(spent.disagreement)


def _contest(found: contest.Contest) -> str:
    if not found.contested:
        return ""
    kinds: dict[str, Paid] = {
        "proposals that lost": found.losing,
        "rulings": found.rulings,
        "rounds asked again": found.repeats,
        "audits": found.audits,
        "together": found.total,
    }
    rows = [(name, one.calls, _usd(one.cost), one.unknown or "") for name, one in kinds.items()]
    told = f"{found.contested} of {found.rounds} rounds were contested; {found.cells()['changed']}."
    money = table(("", "calls", "USD", "of unknown cost"), rows, "What disagreement cost")
    return f"{money}<p>{text(told)}</p>\n"


def _usd(nano: int) -> str:
    return f"{nano / 1e9:.6f}"


def _wrote(work: Work, session: str, every: Sequence[branches.BranchInfo]) -> str:
    """Who wrote what stands at the head of the main branch, as the view `current` says it."""
    branch = next((one.name for one in every if one.name == "main"), every[0].name if every else "main")
    found = [row for row in work.all(_pieces, session=session, branch=branch) if row[3] != "remove"]
    rows = [
        (
            path,
            _short(value) if exact else "not told here",
            f"v{version}",
            author,
            f"r{round_}" if round_ else "",
        )
        for path, value, exact, _, version, author, round_ in found[-_MOST_PIECES:]
    ]
    columns = ("path", "value", "version", "author", "round")
    shown = table(columns, rows[::-1], f"Who wrote what stands on {branch}")
    if len(found) > _MOST_PIECES:
        more = f"{len(found) - _MOST_PIECES:,} older pieces more: ask the view `current`."
        shown += f'<p class="note">{text(more)}</p>\n'
    return shown


def _short(value: str | None) -> str:
    if value is None or len(value) <= _MOST_CHARACTERS:
        return value or ""
    return f"{value[:_MOST_CHARACTERS]}… ({len(value):,} characters)"
