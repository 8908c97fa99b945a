"""The SQL of the view `current`: what stands at the head of each branch, piece by piece, and who wrote it.

It replays nothing. Every operation of a branch's patches is a piece at a path; a piece stands unless a
later one replaced its path or an ancestor of it. What builds on what was there (`append`, `union`, `add`,
`max`, `min`, `merge` by a key field) is read together with the piece that it builds on.

A place in the history is `k`: the version and, below it, the number of the operation in its patch.
"""

from __future__ import annotations

from .dialects import Dialect, bare, inner, token, veiled

_K = 10_000_000
"""More operations than a patch of the largest size can hold."""

_DIGITS = 12
"""Integers up to so many digits are added up: nine million of them stay below 2^63."""

_DECIMALS = 15
"""Numbers up to so many characters are compared as floating-point numbers, which they name uniquely."""

COLUMNS = "session branch path value exact verb item version n author round at at_ms digest gone"

_RECURSIVE = {"line", "anc", "deep"}
"""The steps that refer to themselves."""

_WHO = "k version n author round at verb mark digest".split()
_DONE = [*_WHO, *"coded setter path field known value".split()]
_LEFT = [*_DONE, "under", "fog"]
_TOLD = [*_LEFT, *"kind all_known last field_max base base_known base_coded form".split()]
_SHOWN = "path value exact verb item version n author round at_ms digest gone".split()


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
        ("piece", _fourth(say), _SHOWN),
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
    told = (f"{name} AS {'' if name in _RECURSIVE or name.startswith('from') else 'MATERIALIZED '}({sql})" for name, sql in steps)
    return f"WITH RECURSIVE {', '.join(told)}"


def _handed(stages: list[_Stage], n: int) -> list[_Step]:
    """The rows of the stage before, as the next one names them."""
    return [(f"from{n - 1}", f"SELECT * FROM {stages[n - 1][0]}")] if n else []


def _packed(stages: list[_Stage], n: int) -> str:
    """A stage of SQLite's as a table of one row: its rows as one JSON text."""
    last, steps, columns = stages[n]
    if n:
        read = ", ".join(f"json_extract(x.value, '$[{i}]') AS {name}" for i, name in enumerate(stages[n - 1][2]))
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
        ("above", "SELECT s.*, max(k) OVER (PARTITION BY up) AS set_at, max(fog) OVER (PARTITION BY up) AS fog_at "
            "FROM seen s"),
        ("newest", "SELECT path, max(set_at) AS under, max(fog_at) AS fog FROM above WHERE path IS NOT NULL "
            "GROUP BY path"),
        ("both_of", _both_of()),
        ("left_over", _left_over()),
    ]  # fmt: skip


def _third(say: Dialect) -> list[_Step]:
    """That with what was done to the same path beside it, and with what all of it builds on."""
    return [("together", _together()), ("told", _told(say))]


def _fourth(say: Dialect) -> list[_Step]:
    """How it is shown: items by themselves, and wholes put together."""
    return [
        ("deep", _deep(say)),
        ("counted", _counted(say)),
        ("placed", _placed()),
        ("appended", _appended(say)),
        ("taken", _taken()),
        ("united", _united(say)),
        ("joined", f"SELECT DISTINCT path, {bare('v', 'coded')} AS v FROM united"),
        ("strung", f"SELECT DISTINCT path, {say.strung('v', 'path')} AS v FROM joined"),
        ("given", _GIVEN),
        ("sums", _sums(say)),
        ("extremes", _extremes(say)),
        ("built", _built()),
        ("merged", _merged(say)),
        ("named", _named(say)),
        ("keyed", _keyed(say)),
        ("ranked", _ranked()),
        ("raw", _raw()),
        ("piece", _piece(say)),
    ]


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
    SELECT d.version, d.author, d.round, d.at, d.coded, {say.nth("o")} AS n, {op} AS op, {say.size(op)} AS size
    FROM docs d {say.lateral} {say.items("d.doc", "o")}"""


def _said(say: Dialect) -> str:
    """The operations by their parts."""
    return f"""
    SELECT version, author, round, at, coded, n, {say.text("op", 0)} AS verb, {inner(say.raw("op", 1))} AS path,
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
        AND NOT ({say.digits("v", "-")} AND length(v) <= {_DECIMALS})"""
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
"""What was done to each path, and who stands below it. Nobody knows what was under a merge that is not known."""


def _none(columns: list[str], **given: str) -> str:
    """Columns that hold nothing, but for those that are given."""
    whole = {"k", "version", "n", "round", "at", "coded", "setter", "known", "under", "fog"}
    empty = {name: f"CAST(NULL AS {'BIGINT' if name in whole else 'TEXT'})" for name in columns}
    return ", ".join({**empty, **given}.values())


def _both_of() -> str:
    names = ", ".join(_DONE)
    return f"""
    SELECT {names}, CAST(NULL AS BIGINT) AS under, CAST(NULL AS BIGINT) AS fog, 1 AS own FROM from0
    UNION ALL SELECT {_none(_DONE, path="path")}, under, fog, 0 FROM newest"""


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


def _deep(say: Dialect) -> str:
    """The way down to a list that is appended to, from the piece above it that it stands in."""
    first = "substr(d.rest, 2)"
    slash = say.place(f"{first} || '/'", "/")
    word = f"substr({first}, 1, {slash} - 1)"
    name, value = token(inner(say.key("e"))), say.item("e", "d.value")
    if say.name == "sqlite":
        name = f"CASE d.form WHEN 'array' THEN CAST(e.key AS TEXT) ELSE {name} END"
        below = "json_each(d.value) e"
    else:
        entries = say.entries("CASE d.form WHEN 'object' THEN d.value ELSE '{}' END", "e")
        items = say.items("CASE d.form WHEN 'array' THEN d.value ELSE '[]' END", "e")
        both = f"SELECT {name}, {value} FROM {entries} UNION ALL SELECT {say.nth('e')}::text, {value} FROM {items}"
        below, name, value = f"LATERAL ({both}) e(name, v)", "e.name", "e.v"
    return f"""
    SELECT path, substr(path, length(place) + 1) AS rest, value, {say.kind("value")} AS form
    FROM (SELECT x.path, max(value) OVER (PARTITION BY k) AS value, max(place) OVER (PARTITION BY k) AS place FROM (
        SELECT k, path AS place, value, NULL AS path FROM from2 WHERE setter = 1 AND coded = 0 AND known = 1
            AND (verb = 'set' OR verb = 'fold')
        UNION ALL SELECT under, NULL, NULL, path FROM from2
            WHERE k = last AND verb = 'append' AND kind = 'items' AND base_known IS NULL) x) y
    WHERE path IS NOT NULL AND value IS NOT NULL
    UNION ALL SELECT d.path, substr(d.rest, length({word}) + 2), {value}, {say.kind(value)}
    FROM deep d CROSS JOIN {below}
    WHERE d.rest <> '' AND d.form IN ('object', 'array') AND {name} = {word}"""


def _counted(say: Dialect) -> str:
    """The appends that stand, and how long each list was before, where somebody can say."""
    named = ", ".join(_WHO)
    return f"""
    SELECT {named}, path, coded, known, fog, CASE WHEN known = 1 THEN value ELSE '[]' END AS value,
        CASE WHEN known = 1 THEN {say.size("value")} ELSE 0 END AS size,
        CASE WHEN base_known = 1 AND form = 'array' THEN {say.size("base")} END AS low, 1 AS own
    FROM from2 WHERE verb = 'append' AND kind = 'items' AND setter = 0
    UNION ALL SELECT {_none(_WHO)}, path, 0, 1, NULL, '[]', 0, {say.size("value")}, 0
    FROM deep WHERE rest = '' AND form = 'array'"""


def _placed() -> str:
    """The appends, each with where its items begin, if that is known."""
    before = "OVER (PARTITION BY path ORDER BY own, k ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    return f"""
    SELECT c.*, max(low) OVER (PARTITION BY path) + coalesce(sum(size) {before}, 0) AS start,
        coalesce(min(known) {before}, 1) AS sure FROM counted c"""


def _appended(say: Dialect) -> str:
    """Each item that was appended, with where it stands, if that is known."""
    place = say.whole(f"CASE WHEN c.sure = 1 THEN c.start + {say.nth('i')} END")
    who = ", ".join(f"c.{name}" for name in _WHO)
    return f"""
    SELECT {who}, c.path || '/' || coalesce(CAST({place} AS TEXT), '-') AS path, c.fog, c.coded,
        {say.item("i", "c.value")} AS value, {place} AS item, {say.nth("i")} AS nth
    FROM placed c {say.lateral} {say.items("c.value", "i")}"""


def _taken() -> str:
    """The items that were not written over since."""
    items = ", ".join([*_WHO, "path", "fog", "coded", "value", "item", "nth"])
    none = _none([*_WHO, "path", "fog", "coded", "value", "known", "under"], path="path")
    return f"""
    SELECT * FROM (SELECT x.*, max(over) OVER (PARTITION BY path) AS set_at FROM (
        SELECT {items}, CAST(NULL AS BIGINT) AS over FROM appended
        UNION ALL SELECT {none}, k FROM from2 WHERE setter = 1) x) y
    WHERE k IS NOT NULL AND (set_at IS NULL OR set_at < k)"""


def _united(say: Dialect) -> str:
    """The items of sets."""
    items, item = say.items("m.value", "i"), say.item("i", "m.value")
    sound = "kind = 'whole' AND verb = 'union' AND setter = 0 AND all_known = 1 AND base_known = 1 AND form = 'array'"
    return f"""
    SELECT m.path, m.coded, {item} AS v FROM (SELECT * FROM from2 WHERE {sound}) m {say.lateral} {items}
    UNION ALL SELECT m.path, m.coded, {item} FROM (SELECT path, base_coded AS coded, base AS value
        FROM from2 WHERE {sound} AND k = last) m {say.lateral} {items}"""


_GIVEN = """
    SELECT path, verb, value FROM from2 WHERE kind = 'whole' AND all_known = 1 AND base_known = 1 AND setter = 0
    UNION ALL SELECT path, verb, base FROM from2 WHERE kind = 'whole' AND all_known = 1 AND base_known = 1
        AND setter = 0 AND k = last"""


def _sums(say: Dialect) -> str:
    """The sums as they stand: of whole numbers, which are the same in any order."""
    small = f"CASE WHEN {say.digits('value', '-')} AND length(value) <= {_DIGITS} THEN 1 ELSE 0 END"
    number = f"CASE WHEN {small} = 1 THEN {say.whole('value')} ELSE 0 END"
    return f"""
    SELECT path, CAST(sum({number}) AS TEXT) AS value FROM given WHERE verb = 'add'
    GROUP BY path HAVING min({small}) = 1"""


def _extremes(say: Dialect) -> str:
    """The greatest and the smallest as they stand: of numbers, or of texts; anything beats null."""
    number = f"{say.digits('value', '-.')} AND length(value) <= {_DECIMALS}"
    text = f"""value LIKE '"%' AND NOT ({say.holds("value", chr(92))})"""
    size = f"CASE WHEN {number} THEN {say.real('value')} END"
    word = say.binary(f"CASE WHEN {text} THEN {inner('value')} END")
    over = "OVER (PARTITION BY path ORDER BY CASE WHEN value = 'null' THEN 1 ELSE 0 END, size {0}, word {0})"
    return f"""
    SELECT path, verb, value FROM (
        SELECT x.*, CASE verb WHEN 'max' THEN row_number() {over.format("DESC")}
            ELSE row_number() {over.format("ASC")} END AS nth,
            min(sound) OVER (PARTITION BY path) AS sound_all,
            count(size) OVER (PARTITION BY path) AS sizes, count(word) OVER (PARTITION BY path) AS words
        FROM (SELECT v.path, v.verb, v.value, {size.replace("value", "v.value")} AS size,
            {word.replace("value", "v.value")} AS word,
            CASE WHEN v.value = 'null' OR {number.replace("value", "v.value")}
                OR ({text.replace("value", "v.value")}) THEN 1 ELSE 0 END AS sound
            FROM given v WHERE v.verb IN ('max', 'min')) x) y
    WHERE nth = 1 AND sound_all = 1 AND (sizes = 0 OR words = 0)"""


def _built() -> str:
    """What was added up as it stands, without a value where SQL cannot say it."""
    columns = [*_WHO, "path", "fog"]
    none = _none(columns, path="path")
    return f"""
    SELECT * FROM (SELECT {", ".join(columns)}, CASE WHEN kind = 'mixed' THEN NULL ELSE
            coalesce(max(v) OVER (PARTITION BY path), empty) END AS value FROM (
        SELECT {", ".join(columns)}, kind, CASE WHEN verb = 'union' AND form = 'array' AND base_known = 1
            AND all_known = 1 THEN '[]' END AS empty, NULL AS v FROM from2
        WHERE setter = 0 AND k = last AND kind IN ('whole', 'mixed')
        UNION ALL SELECT {none}, '', NULL, '[' || v || ']' FROM strung
        UNION ALL SELECT {none}, '', NULL, value FROM sums
        UNION ALL SELECT {none}, '', NULL, value FROM extremes) x) y
    WHERE k IS NOT NULL"""


def _merged(say: Dialect) -> str:
    """The items of lists that merge by a field: those of the base (without a `k`), then what was merged."""
    sound = "verb = 'merge' AND kind = 'items' AND setter = 0"
    based = "base_known = 1 AND form = 'array'"
    columns = [*_WHO, "path", "fog"]
    said = f"m.field, m.coded, m.sound, m.nth AS op, {say.nth('i')} AS nth, {say.item('i', 'm.value')} AS v"
    return f"""
    SELECT {", ".join(f"m.{name}" for name in columns)}, {said} FROM (
        SELECT {", ".join(columns)}, field, coded, value, 1 AS nth,
            CASE WHEN all_known = 1 AND {based} THEN 1 ELSE 0 END AS sound
        FROM from2 WHERE {sound} AND field IS NOT NULL AND known = 1
        UNION ALL SELECT {_none(columns, path="path")}, field_max, base_coded, base, 0, 1
        FROM from2 WHERE {sound} AND k = last AND {based} AND field_max <> '') m {say.lateral} {say.items("m.value", "i")}"""


def _named(say: Dialect) -> str:
    """Those with what stands in the field, where they are objects."""
    return f"""
    SELECT m.*, CASE WHEN {say.kind("v")} = 'object' THEN {say.field("v", "field")} END AS found FROM merged m"""


def _keyed(say: Dialect) -> str:
    """Those with their key, a text or a whole number, in the order in which they came."""
    key = f"""CASE WHEN found LIKE '"%' THEN {inner("found")} WHEN {say.digits("found", "-")} THEN found END"""
    return f"""
    SELECT q.*, {bare("w", "coded")} AS token, row_number() OVER (PARTITION BY path ORDER BY op, k, nth) AS came
    FROM (SELECT m.*, {key} AS w FROM named m) q"""


def _ranked() -> str:
    """The items by key: each where its key came first, and the last of its key stands."""
    return """
    SELECT z.*, dense_rank() OVER (PARTITION BY path ORDER BY born) - 1 AS item,
        min(CASE WHEN token IS NULL OR v IS NULL OR sound = 0 THEN 0 ELSE 1 END) OVER (PARTITION BY path)
            AS all_sound
    FROM (SELECT x.*, min(came) OVER (PARTITION BY path, token) AS born,
        max(came) OVER (PARTITION BY path, token) AS final FROM keyed x) z"""


def _raw() -> str:
    """What stands."""
    who, rest = ", ".join(_WHO), "path, fog, coded, value, item, nth"
    none = "CAST(NULL AS BIGINT), 0"
    return f"""
    SELECT {who}, path, fog, coded, CASE WHEN verb = 'remove' THEN NULL ELSE value END AS value,
        CAST(NULL AS BIGINT) AS item, 0 AS nth, known AS exact
    FROM from2 WHERE setter = 1 AND kind IN ('plain', 'items')
    UNION ALL SELECT {who}, {rest}, CASE WHEN item IS NULL OR value IS NULL THEN 0 ELSE 1 END FROM taken
    UNION ALL SELECT {who}, path, fog, 0, NULL, {none}, 0 FROM from2
    WHERE setter = 0 AND known = 0 AND kind = 'items'
    UNION ALL SELECT {who}, path, fog, 0, value, {none}, CASE WHEN value IS NULL THEN 0 ELSE 1 END FROM built
    UNION ALL SELECT {who}, path || '/' || coalesce({token("token")}, '-'), fog, coded, v,
        CASE WHEN all_sound = 1 THEN item END, nth, all_sound
    FROM ranked WHERE op = 1 AND (came = final OR token IS NULL)"""


def _piece(say: Dialect) -> str:
    """The rows as they are shown; one is doubtful where nobody knows what a later merge put there."""
    return f"""
    SELECT {say.shown("path")} AS path, {bare("value", "coded")} AS value,
        CASE WHEN exact = 1 AND (fog IS NULL OR fog <= k) THEN 1 ELSE 0 END AS exact,
        verb, item, version, n, author, round, at AS at_ms, digest,
        CASE WHEN mark IN ('pruned', 'redacted') THEN mark END AS gone
    FROM raw ORDER BY k, nth"""
