"""The words in which the views' SQL differs between SQLite and PostgreSQL.

SQLite is asked for nothing newer than 3.37, PostgreSQL for nothing newer than 13. JSON is read from the
stored text as it is, never through `jsonb`. PostgreSQL's `json` refuses to look into a text with an escaped
U+0000 in it, and SQLite ends a key there; so such texts are read under a veil (`veiled`), which is taken off
what comes out (`bare`).
"""

from __future__ import annotations

from typing import Protocol


def veiled(text: str) -> str:
    """A JSON text without U+0000 in it; which texts wear the veil stands beside them."""
    # Pairs go first, so that a backslash which begins an escape is never one that was escaped itself.
    return rf"replace(replace(replace({text}, '%', '%25'), '\\', '%5C'), '\u0000', '%00')"


def bare(text: str, coded: str) -> str:
    """What was read out of a veiled text, as it was written."""
    plain = rf"replace(replace(replace({text}, '%00', '\u0000'), '%5C', '\\'), '%25', '%')"
    return f"CASE WHEN {coded} = 1 THEN {plain} ELSE {text} END"


def token(raw: str) -> str:
    """The inside of a JSON string as a token of a JSON pointer."""
    return f"replace(replace({raw}, '~', '~0'), '/', '~1')"


def inner(raw: str) -> str:
    """A JSON string without its quotes."""
    return f"substr({raw}, 2, length({raw}) - 2)"


class Dialect(Protocol):
    """What both databases can say, each in its own words.

    `doc` and `op` are JSON texts, `raw` means JSON text as it is stored.
    """

    name: str
    lateral: str
    """How a table that depends on the one before it is joined."""

    def holds(self, text: str, part: str) -> str:
        """Whether a text has a part, as a condition."""

    def raw(self, doc: str, index: int, *, field: str = "") -> str:
        """The raw text of an item of an array, or of that item's field."""

    def text(self, doc: str, index: int) -> str:
        """An item of an array that is a text without escapes, or NULL."""

    def place(self, text: str, part: str) -> str:
        """Where a text first has a part, from 1 on; 0 where it has not."""

    def field(self, doc: str, name: str) -> str:
        """The raw text of a field of an object; its name is an expression."""

    def said(self, doc: str, name: str) -> str:
        """A field that is a text, or NULL."""

    def number(self, doc: str, name: str) -> str:
        """A field that is a number, or NULL."""

    def size(self, doc: str) -> str:
        """How many items an array has."""

    def kind(self, doc: str) -> str:
        """What a JSON text is: array, object, or something else."""

    def items(self, doc: str, alias: str) -> str:
        """The items of an array as a table to join; `nth` and `item` tell of its rows."""

    def entries(self, doc: str, alias: str) -> str:
        """The entries of an object as a table to join; `key` and `item` tell of its rows."""

    def nth(self, alias: str) -> str:
        """The position of an item, from 0 on."""

    def key(self, alias: str) -> str:
        """The raw name of an entry, with its quotes."""

    def item(self, alias: str, doc: str) -> str:
        """The raw text of an item, or of an entry; NULL where that cannot be had."""

    def joined(self, value: str, source: str, order: str = "") -> str:
        """A query that strings texts together, with commas, in an order (their own)."""

    def strung(self, value: str, by: str) -> str:
        """Texts strung together in the same way for each group; the query is a distinct one."""

    def binary(self, text: str) -> str:
        """A text that is compared by its code points."""

    def real(self, text: str) -> str:
        """A text as a floating-point number."""

    def whole(self, value: str) -> str:
        """A sum or a text as a whole number."""

    def digits(self, text: str, further: str) -> str:
        """Whether a text has nothing but digits and these characters in it."""

    def parent(self, path: str) -> str:
        """The pointer of what a pointer stands in."""

    def instant(self, at: str) -> str:
        """Milliseconds since 1970 as ISO 8601 with a Z; NULL beyond the year 9999."""

    def day(self, at: str) -> str:
        """The day of it (UTC)."""

    def hex(self, data: str) -> str:
        """Bytes as hexadecimal digits."""

    def shown(self, path: str) -> str:
        """A raw pointer as it is written; one with U+0000 in it stays raw."""


_LAST_INSTANT = 253402300799999
_NUL = r"\u0000"


def _within(at: str, told: str) -> str:
    return f"CASE WHEN {at} BETWEEN 0 AND {_LAST_INSTANT} THEN {told} END"


class Sqlite:
    """The words of SQLite, with its JSON functions."""

    name = "sqlite"
    lateral = "CROSS JOIN"

    def holds(self, text: str, part: str) -> str:
        return f"instr({text}, '{part}') > 0"

    def raw(self, doc: str, index: int, *, field: str = "") -> str:
        return self._cut(f"json_extract({doc}, '$[{index}]{field and '.' + field}', '$.no')")

    def _cut(self, pair: str) -> str:
        """The first of two, of which the second is never there: `[first,null]`."""
        return f"substr({pair}, 2, length({pair}) - 7)"

    def text(self, doc: str, index: int) -> str:
        return f"CASE json_type({doc}, '$[{index}]') WHEN 'text' THEN json_extract({doc}, '$[{index}]') END"

    def place(self, text: str, part: str) -> str:
        return f"instr({text}, '{part}')"

    def field(self, doc: str, name: str) -> str:
        return self._cut(f"""json_extract({doc}, '$."' || {name} || '"', '$.no')""")

    def said(self, doc: str, name: str) -> str:
        return f"CASE json_type({doc}, '$.{name}') WHEN 'text' THEN json_extract({doc}, '$.{name}') END"

    def number(self, doc: str, name: str) -> str:
        numbers = f"json_type({doc}, '$.{name}') IN ('integer', 'real')"
        return f"CASE WHEN {numbers} THEN CAST(json_extract({doc}, '$.{name}') AS REAL) END"

    def size(self, doc: str) -> str:
        return f"json_array_length({doc})"

    def kind(self, doc: str) -> str:
        return f"json_type({doc})"

    def items(self, doc: str, alias: str) -> str:
        return f"json_each({doc}) {alias}"

    entries = items

    def nth(self, alias: str) -> str:
        return f"{alias}.key"

    def key(self, alias: str) -> str:
        return f"json_quote({alias}.key)"

    def item(self, alias: str, doc: str) -> str:
        """NULL for a number beyond 64 bits or with a fraction, at a name with escapes in it."""
        found = self._cut(f"json_extract({doc}, {alias}.fullkey, '$.no')")
        return rf"""CASE {alias}.type WHEN 'object' THEN {alias}.value WHEN 'array' THEN {alias}.value
            WHEN 'text' THEN json_quote({alias}.value)
            WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null'
            ELSE CASE WHEN typeof({alias}.value) = 'integer' THEN CAST({alias}.value AS TEXT)
            WHEN instr(json_quote({alias}.key), '\') > 0 THEN NULL ELSE {found} END END"""

    def joined(self, value: str, source: str, order: str = "") -> str:
        inside = f"SELECT {value} AS x FROM {source} ORDER BY {order or value}"
        return f"(SELECT group_concat(x, ',') FROM ({inside}))"

    def strung(self, value: str, by: str) -> str:
        return (
            f"group_concat({value}, ',') OVER (PARTITION BY {by} ORDER BY {value} "
            "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
        )

    def binary(self, text: str) -> str:
        return text

    def real(self, text: str) -> str:
        return f"CAST({text} AS REAL)"

    def whole(self, value: str) -> str:
        return f"CAST({value} AS INTEGER)"

    def digits(self, text: str, further: str) -> str:
        return f"{text} NOT GLOB '*[^{further}0-9]*'"

    def parent(self, path: str) -> str:
        return f"substr({path}, 1, length(rtrim({path}, replace({path}, '/', ''))) - 1)"

    def instant(self, at: str) -> str:
        to_second = f"strftime('%Y-%m-%dT%H:%M:%S', {at} / 1000, 'unixepoch')"
        return _within(at, f"{to_second} || '.' || printf('%03d', {at} % 1000) || 'Z'")

    def day(self, at: str) -> str:
        return _within(at, f"date({at} / 1000, 'unixepoch')")

    def hex(self, data: str) -> str:
        return f"lower(hex({data}))"

    def shown(self, path: str) -> str:
        plain = f"instr({path}, '\\') = 0 OR {self.holds(path, _NUL)}"
        return f"""CASE WHEN {plain} THEN {path} ELSE json_extract('["' || {path} || '"]', '$[0]') END"""


class Postgresql:
    """The words of PostgreSQL."""

    name = "postgresql"
    lateral = "CROSS JOIN LATERAL"

    def holds(self, text: str, part: str) -> str:
        return f"strpos({text}, '{part}') > 0"

    def raw(self, doc: str, index: int, *, field: str = "") -> str:
        return f"({doc}::json -> {index}{field and f''' -> '{field}' '''})::text"

    def text(self, doc: str, index: int) -> str:
        return f"CASE json_typeof({doc}::json -> {index}) WHEN 'string' THEN {doc}::json ->> {index} END"

    def place(self, text: str, part: str) -> str:
        return f"strpos({text}, '{part}')"

    def field(self, doc: str, name: str) -> str:
        return f"({doc}::json -> {name})::text"

    def said(self, doc: str, name: str) -> str:
        return f"CASE json_typeof({doc}::json -> '{name}') WHEN 'string' THEN {doc}::json ->> '{name}' END"

    def number(self, doc: str, name: str) -> str:
        number = f"({doc}::json ->> '{name}')::float8"
        return f"CASE json_typeof({doc}::json -> '{name}') WHEN 'number' THEN {number} END"

    def size(self, doc: str) -> str:
        return f"json_array_length({doc}::json)"

    def kind(self, doc: str) -> str:
        return f"json_typeof({doc}::json)"

    def items(self, doc: str, alias: str) -> str:
        return f"json_array_elements({doc}::json) WITH ORDINALITY AS {alias}(item, nth)"

    def entries(self, doc: str, alias: str) -> str:
        return f"json_each({doc}::json) AS {alias}(name, item)"

    def nth(self, alias: str) -> str:
        return f"({alias}.nth - 1)"

    def key(self, alias: str) -> str:
        return f"to_json({alias}.name)::text"

    def item(self, alias: str, doc: str) -> str:
        del doc
        return f"{alias}.item::text"

    def joined(self, value: str, source: str, order: str = "") -> str:
        return f"(SELECT string_agg({value}, ',' ORDER BY {order or value}) FROM {source})"

    def strung(self, value: str, by: str) -> str:
        ordered = f"PARTITION BY {by} ORDER BY {self.binary(value)}"
        return (
            f"string_agg({value}, ',') OVER ({ordered} "
            "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
        )

    def binary(self, text: str) -> str:
        return f'({text} COLLATE "C")'

    def real(self, text: str) -> str:
        return f"({text})::float8"

    def whole(self, value: str) -> str:
        return f"({value})::bigint"

    def digits(self, text: str, further: str) -> str:
        return f"{text} !~ '[^{further}0-9]'"

    def parent(self, path: str) -> str:
        cut = f"CASE strpos({path}, '/') WHEN 0 THEN length({path}) ELSE strpos(reverse({path}), '/') END"
        return f"left({path}, length({path}) - {cut})"

    def instant(self, at: str) -> str:
        when = f"timestamp '1970-01-01' + {at} * interval '1 millisecond'"
        return _within(at, f"""to_char({when}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')""")

    def day(self, at: str) -> str:
        when = f"timestamp '1970-01-01' + {at} * interval '1 millisecond'"
        return _within(at, f"to_char({when}, 'YYYY-MM-DD')")

    def hex(self, data: str) -> str:
        return f"encode({data}, 'hex')"

    def shown(self, path: str) -> str:
        plain = f"strpos({path}, '\\') = 0 OR {self.holds(path, _NUL)}"
        return f"""CASE WHEN {plain} THEN {path} ELSE ('["' || {path} || '"]')::json ->> 0 END"""


SQLITE: Dialect = Sqlite()
POSTGRESQL: Dialect = Postgresql()
