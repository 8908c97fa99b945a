"""The last stage of the view `current`: what stands, as it is shown.

What stands by itself, an entry or an item of a list, is a row of its own; what was added up is one row for
the whole. The rows come from `from2`, where what is at a path stands beside what builds on it.
"""

from __future__ import annotations

from .dialects import Dialect, bare, inner, token

_DIGITS = 12
"""Integers up to so many digits are added up: nine million of them stay below 2^63."""

DECIMALS = 15
"""Numbers up to so many characters are compared as floating-point numbers, which they name uniquely."""

WHO = ["k", "version", "n", "author", "round", "at", "verb", "mark", "digest"]
"""The columns of who wrote a piece, when and how."""


def empty(columns: list[str], **given: str) -> str:
    """Columns that hold nothing, but for those that are given."""
    whole = {"k", "version", "n", "round", "at", "coded", "setter", "known", "under", "fog"}
    nulls = {name: f"CAST(NULL AS {'BIGINT' if name in whole else 'TEXT'})" for name in columns}
    return ", ".join({**nulls, **given}.values())


def shown(say: Dialect) -> list[tuple[str, str]]:
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
        listed = f"SELECT {say.nth('e')}::text, {value} FROM {items}"
        both = f"SELECT {name}, {value} FROM {entries} UNION ALL {listed}"
        below, name, value = f"LATERAL ({both}) e(name, v)", "e.name", "e.v"
    return f"""
    SELECT path, substr(path, length(place) + 1) AS rest, value, {say.kind("value")} AS form
    FROM (SELECT x.path, max(value) OVER (PARTITION BY k) AS value,
        max(place) OVER (PARTITION BY k) AS place FROM (
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
    named = ", ".join(WHO)
    return f"""
    SELECT {named}, path, coded, known, fog, CASE WHEN known = 1 THEN value ELSE '[]' END AS value,
        CASE WHEN known = 1 THEN {say.size("value")} ELSE 0 END AS size,
        CASE WHEN base_known = 1 AND form = 'array' THEN {say.size("base")} END AS low, 1 AS own
    FROM from2 WHERE verb = 'append' AND kind = 'items' AND setter = 0
    UNION ALL SELECT {empty(WHO)}, path, 0, 1, NULL, '[]', 0, {say.size("value")}, 0
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
    who = ", ".join(f"c.{name}" for name in WHO)
    return f"""
    SELECT {who}, c.path || '/' || coalesce(CAST({place} AS TEXT), '-') AS path, c.fog, c.coded,
        {say.item("i", "c.value")} AS value, {place} AS item, {say.nth("i")} AS nth
    FROM placed c {say.lateral} {say.items("c.value", "i")}"""


def _taken() -> str:
    """The items that were not written over since."""
    items = ", ".join([*WHO, "path", "fog", "coded", "value", "item", "nth"])
    none = empty([*WHO, "path", "fog", "coded", "value", "known", "under"], path="path")
    return f"""
    SELECT * FROM (SELECT x.*, max(over) OVER (PARTITION BY path) AS set_at FROM (
        SELECT {items}, CAST(NULL AS BIGINT) AS over FROM appended
        UNION ALL SELECT {none}, k FROM from2 WHERE setter = 1) x) y
    WHERE k IS NOT NULL AND (set_at IS NULL OR set_at < k)"""


_SOUND = "kind = 'whole' AND setter = 0 AND all_known = 1 AND base_known = 1"
"""Parts of one whole that are all known."""


def _united(say: Dialect) -> str:
    """The items of sets."""
    items, item = say.items("m.value", "i"), say.item("i", "m.value")
    sound = f"verb = 'union' AND form = 'array' AND {_SOUND}"
    return f"""
    SELECT m.path, m.coded, {item} AS v FROM (SELECT * FROM from2 WHERE {sound}) m {say.lateral} {items}
    UNION ALL SELECT m.path, m.coded, {item} FROM (SELECT path, base_coded AS coded, base AS value
        FROM from2 WHERE {sound} AND k = last) m {say.lateral} {items}"""


_GIVEN = f"""
    SELECT path, verb, value FROM from2 WHERE {_SOUND}
    UNION ALL SELECT path, verb, base FROM from2 WHERE {_SOUND} AND k = last"""


def _sums(say: Dialect) -> str:
    """The sums as they stand: of whole numbers, which are the same in any order."""
    small = f"CASE WHEN {say.digits('value', '-')} AND length(value) <= {_DIGITS} THEN 1 ELSE 0 END"
    number = f"CASE WHEN {small} = 1 THEN {say.whole('value')} ELSE 0 END"
    return f"""
    SELECT path, CAST(sum({number}) AS TEXT) AS value FROM given WHERE verb = 'add'
    GROUP BY path HAVING min({small}) = 1"""


def _extremes(say: Dialect) -> str:
    """The greatest and the smallest as they stand: of numbers, or of texts; anything beats null."""
    number = f"{say.digits('value', '-.')} AND length(value) <= {DECIMALS}"
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
    columns = [*WHO, "path", "fog"]
    none = empty(columns, path="path")
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
    columns = [*WHO, "path", "fog"]
    said = f"m.field, m.coded, m.sound, m.nth AS op, {say.nth('i')} AS nth, {say.item('i', 'm.value')} AS v"
    return f"""
    SELECT {", ".join(f"m.{name}" for name in columns)}, {said} FROM (
        SELECT {", ".join(columns)}, field, coded, value, 1 AS nth,
            CASE WHEN all_known = 1 AND {based} THEN 1 ELSE 0 END AS sound
        FROM from2 WHERE {sound} AND field IS NOT NULL AND known = 1
        UNION ALL SELECT {empty(columns, path="path")}, field_max, base_coded, base, 0, 1
        FROM from2 WHERE {sound} AND k = last AND {based} AND field_max <> '') m
        {say.lateral} {say.items("m.value", "i")}"""


def _named(say: Dialect) -> str:
    """Those with what stands in the field, where they are objects."""
    return f"""
    SELECT m.*, CASE WHEN {say.kind("v")} = 'object' THEN {say.field("v", "field")} END AS found
    FROM merged m"""


def _keyed(say: Dialect) -> str:
    """Those with their key, a text or a whole number, in the order in which they came."""
    key = (
        f"""CASE WHEN found LIKE '"%' THEN {inner("found")} WHEN {say.digits("found", "-")} THEN found END"""
    )
    return f"""
    SELECT q.*, {bare("w", "coded")} AS token,
        row_number() OVER (PARTITION BY path ORDER BY op, k, nth) AS came
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
    who, rest = ", ".join(WHO), "path, fog, coded, value, item, nth"
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
