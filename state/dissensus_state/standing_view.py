"""The SQL of the view `current`: what stands at the head of each branch, piece by piece, and who wrote it.

It replays nothing. Every operation of a branch's patches is a piece at a path; a piece stands unless a
later one replaced its path or an ancestor of it. What builds on what was there (`append`, `union`, `add`,
`max`, `min`, `merge` by a key field) is read together with the piece that it builds on.

A place in the history is `k`: the version and, below it, the number of the operation in its patch.
"""

from __future__ import annotations

from . import standing_pieces
from .dialects import Dialect, bare, inner, token, veiled
from .standing_pieces import DECIMALS, WHO, empty

_K = 10_000_000
"""More operations than a patch of the largest size can hold."""

COLUMNS = "session branch path value exact verb item version n author round at at_ms digest gone"

_RECURSIVE = {"line", "anc", "deep"}
"""The steps that refer to themselves."""

_DONE = [*WHO, *["coded", "setter", "path", "field", "known", "value"]]
_LEFT = [*_DONE, "under", "fog"]
_TOLD = [*_LEFT, *["kind", "all_known", "last", "field_max", "base", "base_known", "base_coded", "form"]]
_SHOWN = [
    "path",
    "value",
    "exact",
    "verb",
    "item",
    "version",
    "n",
    "author",
    "round",
    "at_ms",
    "digest",
    "gone",
]


def current(say: Dialect) -> str:
    """The query; one subquery a branch, so that only the branches that are asked for are worked out.

    It has four stages. SQLite copies a step's text wherever it is named, steps within steps, and works a
    step out again for each row that one joins to it, where it depends on the branch. So there each stage
    hands its rows on as one JSON text, and what would be a join is a union and a window over it.
    """
    stages = [
        ("kept", _first(say), _DONE),
        ("left_over", _second(say), _LEFT),
        ("told", _third(say), _TOLD),
        ("piece", standing_pieces.shown(say), _SHOWN),
    ]
    if say.name == "sqlite":
        read = {name: f"json_extract(p.value, '$[{n}]')" for n, name in enumerate(_SHOWN)}
        source = " CROSS JOIN ".join(_packed(stages, n) for n in range(len(stages)))
        source += " CROSS JOIN json_each(s3.value) p"
    else:
        read = {name: f"p.{name}" for name in _SHOWN}
        steps = [step for n in range(len(stages)) for step in [*_handed(stages, n), *stages[n][1]]]
        source = f"LATERAL ({_with(steps)} SELECT * FROM piece) p"
    shown = {"session": "s.name", "branch": "b.branch", **read, "at": say.instant(read["at_ms"])}
    listed = ", ".join(f"{shown[name]} AS {name}" for name in COLUMNS.split())
    return (
        f"SELECT {listed} FROM branches b JOIN sessions s ON s.session_id = b.session_id CROSS JOIN {source}"
    )


_Step = tuple[str, str]
_Stage = tuple[str, list[_Step], list[str]]


def _with(steps: list[_Step]) -> str:
    told = (
        f"{name} AS {'' if name in _RECURSIVE or name.startswith('from') else 'MATERIALIZED '}({sql})"
        for name, sql in steps
    )
    return f"WITH RECURSIVE {', '.join(told)}"


def _handed(stages: list[_Stage], n: int) -> list[_Step]:
    """The rows of the stage before, as the next one names them."""
    return [(f"from{n - 1}", f"SELECT * FROM {stages[n - 1][0]}")] if n else []


def _packed(stages: list[_Stage], n: int) -> str:
    """A stage of SQLite's as a table of one row: its rows as one JSON text."""
    last, steps, columns = stages[n]
    if n:
        read = ", ".join(
            f"json_extract(x.value, '$[{i}]') AS {name}" for i, name in enumerate(stages[n - 1][2])
        )
        steps = [(f"from{n - 1}", f"SELECT {read} FROM json_each(s{n - 1}.value) x"), *steps]
    rows = f"SELECT json_group_array(json_array({', '.join(columns)})) FROM {last}"
    return f"json_each(json_array(({_with(steps)} {rows}))) s{n}"


def _first(say: Dialect) -> list[_Step]:
    """What was done to each path since it was last replaced."""
    return [
        ("line", _LINE),
        ("docs", _docs(say)),
        ("parts", _parts(say)),
        ("said", _said(say)),
        ("ops", _ops()),
        ("spread", _spread(say)),
        ("done", _done(say)),
        ("topped", _TOPPED),
        ("kept", "SELECT * FROM topped WHERE top IS NULL OR k >= top"),
    ]


def _second(say: Dialect) -> list[_Step]:
    """What of it is not under an ancestor that was replaced later."""
    return [
        ("place", "SELECT DISTINCT path FROM from0"),
        ("anc", _anc(say)),
        ("seen", _SEEN),
        ("above", _ABOVE),
        ("newest", _NEWEST),
        ("both_of", _both_of()),
        ("left_over", _left_over()),
    ]


def _third(say: Dialect) -> list[_Step]:
    """That with what was done to the same path beside it, and with what all of it builds on."""
    return [("together", _together()), ("told", _told(say))]


_LINE = """
    SELECT o.branch AS branch, CASE WHEN o.base_branch IS NULL THEN -1 ELSE o.base_version END AS low,
        o.head AS high, o.base_branch AS origin, 0 AS depth
    FROM branches o WHERE o.session_id = b.session_id AND o.branch = b.branch
    UNION ALL SELECT o.branch, CASE WHEN o.base_branch IS NULL THEN -1 WHEN o.base_version < l.low
        THEN o.base_version ELSE l.low END, l.low, o.base_branch, l.depth + 1
    FROM line l JOIN branches o ON o.session_id = b.session_id AND o.branch = l.origin WHERE l.depth < 1000"""


def _docs(say: Dialect) -> str:
    """The patches; those with U+0000 in them wear a veil."""
    nul = say.holds("c.patch", r"\u0000")
    return f"""
    SELECT c.version, c.author, c.round, c.at, CASE WHEN {nul} THEN 1 ELSE 0 END AS coded,
        CASE WHEN {nul} THEN {veiled("c.patch")} ELSE c.patch END AS doc
    FROM line l JOIN commits c ON c.session_id = b.session_id AND c.branch = l.branch
        AND c.version > l.low AND c.version <= l.high"""


def _parts(say: Dialect) -> str:
    """The operations as they are stored."""
    op = say.item("o", "d.doc")
    return f"""
    SELECT d.version, d.author, d.round, d.at, d.coded, {say.nth("o")} AS n, {op} AS op,
        {say.size(op)} AS size
    FROM docs d {say.lateral} {say.items("d.doc", "o")}"""


def _said(say: Dialect) -> str:
    """The operations by their parts."""
    return f"""
    SELECT version, author, round, at, coded, n, {say.text("op", 0)} AS verb,
        {inner(say.raw("op", 1))} AS path,
        CASE WHEN size = 2 OR size = 5 THEN NULL WHEN {say.text("op", 0)} = 'fold'
            THEN {say.raw("op", 2, field="to")} ELSE {say.raw("op", 2)} END AS value,
        CASE WHEN size > 3 THEN {say.text("op", 3)} END AS field,
        CASE size WHEN 5 THEN 'blob' WHEN 6 THEN {say.text("op", 4)} END AS mark,
        CASE size WHEN 5 THEN {say.text("op", 2)} WHEN 6 THEN {say.text("op", 5)} END AS digest
    FROM parts"""


def _ops() -> str:
    """The operations. `known` is 0 where a value is kept aside by its digest, or was pruned."""
    aside = "mark IS NOT NULL AND mark <> 'redacted'"
    return f"""
    SELECT version * {_K} + n AS k, version, n, author, round, at, coded, verb,
        {bare("path", "coded")} AS path, field, mark, digest,
        CASE WHEN {aside} OR (verb <> 'remove' AND value IS NULL) THEN 0 ELSE 1 END AS known,
        CASE WHEN {aside} THEN NULL ELSE value END AS value FROM said"""


def _spread(say: Dialect) -> str:
    """The same, with a row for each entry that a merge puts into a dictionary."""
    entries = "o.verb = 'merge' AND o.field IS NULL AND o.known = 1"
    value = f"CASE WHEN {entries} THEN o.value ELSE '{{\"\":0}}' END"
    return f"""
    SELECT o.*, CASE WHEN {entries} THEN 1 ELSE 0 END AS entry, {inner(say.key("e"))} AS name,
        {say.item("e", "e_doc")} AS v
    FROM (SELECT o.*, {value} AS e_doc FROM ops o) o {say.lateral} {say.entries("o.e_doc", "e")}"""


def _done(say: Dialect) -> str:
    """What was done to each path. A `setter` replaces whatever stood there; the others build on it."""
    long = f"""substr(v, 1, 1) IN ('-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
        AND NOT ({say.digits("v", "-")} AND length(v) <= {DECIMALS})"""
    unsaid = f"({say.holds('name', chr(92))}) AND {long}"  # SQLite cannot give such a number as it stands
    missing = f"v IS NULL OR ({unsaid})"
    return f"""
    SELECT k, version, n, author, round, at, coded, verb, field, mark, digest,
        CASE WHEN entry = 1 OR verb IN ('set', 'fold', 'remove') THEN 1 ELSE 0 END AS setter,
        CASE WHEN entry = 1 THEN path || '/' || {token(bare("name", "coded"))} ELSE path END AS path,
        CASE WHEN entry = 1 AND ({missing}) THEN 0 ELSE known END AS known,
        CASE WHEN entry = 0 THEN value WHEN {missing} THEN NULL ELSE v END AS value
    FROM spread"""


_TOPPED = """
    SELECT d.*, max(CASE WHEN setter = 1 THEN k END) OVER (PARTITION BY path) AS top FROM done d"""


def _anc(say: Dialect) -> str:
    return f"""
    SELECT path, path AS up FROM place
    UNION ALL SELECT path, {say.parent("up")} FROM anc WHERE up <> ''"""


_SEEN = """
    SELECT NULL AS path, path AS up, CASE WHEN setter = 1 THEN k END AS k,
        CASE WHEN setter = 0 AND verb = 'merge' AND known = 0 THEN k END AS fog FROM from0
    UNION ALL SELECT path, up, NULL, NULL FROM anc"""
"""What was done to each path, and who stands below it; nobody knows what a merge by digest left there."""

_ABOVE = """
    SELECT s.*, max(k) OVER (PARTITION BY up) AS set_at, max(fog) OVER (PARTITION BY up) AS fog_at
    FROM seen s"""

_NEWEST = """
    SELECT path, max(set_at) AS under, max(fog_at) AS fog FROM above WHERE path IS NOT NULL GROUP BY path"""


def _both_of() -> str:
    names = ", ".join(_DONE)
    return f"""
    SELECT {names}, CAST(NULL AS BIGINT) AS under, CAST(NULL AS BIGINT) AS fog, 1 AS own FROM from0
    UNION ALL SELECT {empty(_DONE, path="path")}, under, fog, 0 FROM newest"""


def _left_over() -> str:
    """`under` is the place of what an operation builds on."""
    names = ", ".join(f"b.{name}" for name in _DONE)
    return f"""
    SELECT * FROM (SELECT {names}, b.own, max(b.under) OVER (PARTITION BY b.path) AS under,
        max(b.fog) OVER (PARTITION BY b.path) AS fog FROM both_of b) q
    WHERE own = 1 AND (under IS NULL OR k > under OR (setter = 1 AND k = under))"""


def _together() -> str:
    """A path has one piece that was put there at most; the operations that build on it stand beside it."""
    own, built = "CASE WHEN l.setter = 1 THEN l.{} END", "CASE WHEN l.setter = 0 THEN {} END"
    here = "OVER (PARTITION BY l.path)"
    over = {
        "verb_min": f"min({built.format('l.verb')})",
        "verb_max": f"max({built.format('l.verb')})",
        "field_min": f"min({built.format(_FIELD)})",
        "field_max": f"max({built.format(_FIELD)})",
        "all_known": f"min({built.format('l.known')})",
        "last": f"max({built.format('l.k')})",
        "base": f"max({own.format('value')})",
        "base_known": f"max({own.format('known')})",
        "base_coded": f"max({own.format('coded')})",
    }
    return f"SELECT l.*, {', '.join(f'{sql} {here} AS {name}' for name, sql in over.items())} FROM from1 l"


_FIELD = "coalesce(l.field, '')"


def _told(say: Dialect) -> str:
    """`kind`: a piece by itself, items that stand by themselves, parts of one whole, or a mixture."""
    return f"""
    SELECT t.*, CASE WHEN verb_min IS NULL THEN 'plain'
            WHEN verb_min <> verb_max OR field_min <> field_max THEN 'mixed'
            WHEN verb_min IN ('append', 'merge') THEN 'items' ELSE 'whole' END AS kind,
        CASE WHEN last IS NOT NULL THEN {say.kind("base")} END AS form FROM together t"""
