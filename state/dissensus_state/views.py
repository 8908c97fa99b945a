"""The views that people ask in SQL: `history`, `current`, `disagreements_view` and `cost_view`.

Revision 0006 of the database makes exactly these, in the words of each database. Whoever changes one
moves this text into that revision first and makes the next one, which drops the views and makes them anew;
so does a revision that changes a column they read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from .dialects import POSTGRESQL, SQLITE, Dialect, bare, inner, veiled
from .later import Later

if TYPE_CHECKING:
    from . import standing_view
else:
    standing_view = Later("standing_view")

NAMES = ("history", "current", "disagreements_view", "cost_view")

_INVOKER = """DO $$ BEGIN IF current_setting('server_version_num')::int >= 150000 THEN
    EXECUTE 'ALTER VIEW {} SET (security_invoker = true)'; END IF; END $$"""
"""From PostgreSQL 15 on a view asks as whoever asks it, so that the policies of tenants hold."""


def made(backend: str) -> list[sa.TextClause]:
    """The statements that make the views.

    Args:
        backend: `sqlite` or `postgresql`.
    """
    say = POSTGRESQL if backend == "postgresql" else SQLITE
    queries = (_history(say), standing_view.current(say), _disagreements(say), _costs(say))
    views = [f"CREATE VIEW {name} AS {query}" for name, query in zip(NAMES, queries, strict=True)]
    guards = [_INVOKER.format(name) for name in NAMES] if backend == "postgresql" else []
    return [_statement(text) for text in (*views, *guards)]


def dropped() -> list[sa.TextClause]:
    """The statements that take the views away."""
    return [_statement(f"DROP VIEW IF EXISTS {name}") for name in reversed(NAMES)]


def _statement(text: str) -> sa.TextClause:
    return sa.text(text.replace(":", "\\:"))


def _coded(text: str, say: Dialect) -> tuple[str, str]:
    """Whether a stored text wears a veil, and the text as it can be read."""
    nul = say.holds(text, r"\u0000")
    return f"CASE WHEN {nul} THEN 1 ELSE 0 END", f"CASE WHEN {nul} THEN {veiled(text)} ELSE {text} END"


_LINE = """
    SELECT session_id, branch AS seen, branch AS stored,
        CASE WHEN base_branch IS NULL THEN -1 ELSE base_version END AS low, head AS high,
        base_branch AS origin, 0 AS depth FROM branches
    UNION ALL SELECT o.session_id, l.seen, o.branch, CASE WHEN o.base_branch IS NULL THEN -1
        WHEN o.base_version < l.low THEN o.base_version ELSE l.low END, l.low, o.base_branch, l.depth + 1
    FROM line l JOIN branches o ON o.session_id = l.session_id AND o.branch = l.origin WHERE l.depth < 1000"""


_KINDS = {
    "merge": "merge",
    "revert": "revert",
    "upcast": "migration",
    "redact": "redaction",
    "prune": "prune",
    "retract": "retraction",
    "carry": "carry",
}
"""What a commit is called, by what its source says: `records.KINDS` as revision 0006 knows them."""


def _history(say: Dialect) -> str:
    """One row for each commit that is visible on a branch, those that it was forked from included."""
    coded, doc = _coded("c.patch", say)
    _, source = _coded("c.source", say)
    op = say.item("o", "q.doc")
    items = say.items("q.doc", "o")
    paths = say.joined(say.raw(op, 1), items, say.nth("o"))
    mark = f"CASE WHEN {say.size(op)} = 6 THEN {say.text(op, 4)} END"
    gone = f"(SELECT min({mark}) FROM {items})"
    key = inner(say.key("f"))
    named = ", ".join(f"'{name}'" for name in _KINDS)
    first = f"(SELECT min({say.binary(key)}) FROM {say.entries('q.source', 'f')} WHERE {key} IN ({named}))"
    kinds = " ".join(f"WHEN '{name}' THEN '{kind}'" for name, kind in _KINDS.items())
    return f"""
    WITH RECURSIVE line AS ({_LINE})
    SELECT q.session, q.branch, q.version, q.author, q.transition, q.step, q.round, q.base,
        {say.instant("q.at")} AS at, q.at AS at_ms,
        CASE {first} {kinds} ELSE CASE WHEN q.round IS NOT NULL THEN 'round' ELSE 'write' END END AS kind,
        q.reads, {bare(f"('[' || coalesce({paths}, '') || ']')", "q.coded")} AS writes, q.decision,
        {gone} AS gone, q.stored, q.hash
    FROM (SELECT s.name AS session, l.seen AS branch, c.version, c.author, c.transition, r.step, c.round,
            coalesce(c.base, c.version - 1) AS base, c.at, c.reads, {coded} AS coded, {doc} AS doc,
            {source} AS source, (SELECT u.decision FROM rulings u WHERE u.session_id = c.session_id
                AND u.round = c.round ORDER BY u.n DESC LIMIT 1) AS decision,
            l.stored, {say.hex("c.hash")} AS hash
        FROM line l JOIN sessions s ON s.session_id = l.session_id
            JOIN commits c ON c.session_id = l.session_id AND c.branch = l.stored
                AND c.version > l.low AND c.version <= l.high
            LEFT JOIN rounds r ON r.session_id = c.session_id AND r.round = c.round) q"""


def _disagreements(say: Dialect) -> str:
    """One row for each path on which the proposals of a round differed, and what was ruled."""
    coded, review = _coded("r.review", say)
    body_coded, body = _coded("u.body", say)
    found = say.field("q.review", "'disagreements'")
    listed = f"CASE WHEN {say.kind(found)} = 'array' THEN {found} ELSE '[]' END"
    item = say.item("d", listed)
    path, positions = say.field("t.item", "'path'"), say.field("t.item", "'positions'")
    return f"""
    SELECT t.session, t.branch, t.round, t.step, t.status, t.n, {say.shown("t.path")} AS path, t.cause,
        t.distance, {bare("t.positions", "t.coded")} AS positions, t.decision, t.ruled_by,
        {bare(say.said("t.body", "cause"), "t.body_coded")} AS ruled_cause,
        {bare(say.field("t.body", "'upheld'"), "t.body_coded")} AS in_favour, t.at, t.at_ms
    FROM (SELECT t.*, {bare(inner(path), "t.coded")} AS path, {positions} AS positions
        FROM (SELECT q.*, {say.nth("d")} AS n, {item} AS item, {say.said(item, "cause")} AS cause,
                {say.number(item, "distance")} AS distance
            FROM (SELECT s.name AS session, r.branch, r.round, r.step, r.status, {coded} AS coded,
                    {review} AS review, u.decision, u.author AS ruled_by, {body_coded} AS body_coded,
                    {body} AS body, {say.instant("r.started_at")} AS at, r.started_at AS at_ms
                FROM rounds r JOIN sessions s ON s.session_id = r.session_id
                    LEFT JOIN rulings u ON u.session_id = r.session_id AND u.round = r.round AND u.n =
                        (SELECT max(m.n) FROM rulings m
                            WHERE m.session_id = r.session_id AND m.round = r.round)
                WHERE r.review IS NOT NULL) q {say.lateral} {say.items(listed, "d")}) t
        WHERE t.cause IS NOT NULL AND t.distance IS NOT NULL AND {say.said("t.item", "path")} IS NOT NULL
            AND {say.kind(positions)} = 'array') t"""


def _costs(say: Dialect) -> str:
    """The calls of each agent to each model, by day and step, added up."""
    settled = "c.status <> 'held' AND c.status <> 'sent'"
    tokens = " + ".join(f"c.{kind}_tokens" for kind in ("input", "output", "cached", "reasoning"))
    spent = f"sum(CASE WHEN {settled} THEN coalesce(c.cost, 0) ELSE 0 END)"
    unknown = f"sum(CASE WHEN {settled} AND c.cost IS NULL THEN 1 ELSE 0 END)"
    return f"""
    SELECT s.name AS session, c.agent, m.name AS model, {say.day("c.sent_at")} AS day,
        coalesce(r.step, '') AS step, {say.whole("count(*)")} AS calls,
        {say.whole(f"sum({tokens} + coalesce(c.written_tokens, 0))")} AS tokens,
        {say.real(spent)} / 1e9 AS usd, {say.whole(unknown)} AS unknown
    FROM calls c JOIN sessions s ON s.session_id = c.session_id
        JOIN models m ON m.session_id = c.session_id AND m.model = c.model
        LEFT JOIN rounds r ON r.session_id = c.session_id AND r.round = c.round
    GROUP BY c.session_id, s.name, c.agent, m.name, {say.day("c.sent_at")}, coalesce(r.step, '')"""
