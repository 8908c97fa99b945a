"""The first and the last line of a file of a session, and the JSON Schema of all of them. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from .archive_records import FORMAT, HOW, KINDS, LEFT_OUT, VERSION, encoded
from .archive_types import COUNT, HASH, SMALL, TEXT, TIME, objects
from .archive_types import name as named
from .errors import ArchiveRefused, Tampered
from .values import JSON, parse

_LONG = re.compile(rb"\d{19}")
_NAME, _BRANCH, _KEYS = named("name"), named("branch"), objects()


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: what the file is, and what it holds.

    Attributes:
        session: The name of the session.
        schema, schema_version: The class of its state, and the newest version it was written under.
        keys, past_keys: Of lists that merge by a key, which field it is: now, and (as canonical text,
            which may be None) under older versions.
        heads: Of each branch, its newest version and that commit's hash in hexadecimal.
        counts: How many records of each kind there are.
        left_out: What whoever made the file did not put into it.
    """

    session: str
    schema: str
    schema_version: int
    keys: str
    past_keys: str | None
    created_at: int
    heads: Mapping[str, tuple[int, str]]
    counts: Mapping[str, int]
    left_out: tuple[str, ...] = ()

    def line(self) -> bytes:
        """The header as its line."""
        return encoded(
            {
                "type": "header",
                "format": FORMAT,
                "version": VERSION,
                "session": self.session,
                "schema": self.schema,
                "schema_version": self.schema_version,
                "keys": orjson.Fragment(self.keys),
                "past_keys": None if self.past_keys is None else orjson.Fragment(self.past_keys),
                "created_at": self.created_at,
                "heads": {
                    branch: {"version": version, "hash": hash_}
                    for branch, (version, hash_) in self.heads.items()
                },
                "counts": dict(self.counts),
                "left_out": list(self.left_out),
                "how_to_read": HOW,
            }
        )


def read_header(record: Mapping[str, Any]) -> Header:
    """The header of a file from its first line.

    Raises:
        ArchiveRefused: it is none, or of a newer version.
    """
    if record.get("type") != "header" or record.get("format") != FORMAT:
        raise ArchiveRefused("It does not begin with the header of a session")
    version = record.get("version")
    if version != VERSION:
        raise ArchiveRefused(
            f"It is of version {version!r} of the format, and this dissensus reads version {VERSION}",
            next_step="Upgrade dissensus: pip install -U dissensus",
        )
    try:
        return Header(
            session=_NAME.read(record.get("session")),
            schema=TEXT.read(record.get("schema")),
            schema_version=SMALL.read(record.get("schema_version")),
            keys=_KEYS.read(record.get("keys")),
            past_keys=None if record.get("past_keys") is None else _KEYS.read(record["past_keys"]),
            created_at=TIME.read(record.get("created_at")),
            heads={
                _BRANCH.read(branch): _head(one) for branch, one in dict(record.get("heads") or {}).items()
            },
            counts={
                word: COUNT.read(number)
                for word, number in dict(record.get("counts") or {}).items()
                if word in KINDS
            },
            left_out=tuple(TEXT.read(what) for what in record.get("left_out") or ()),
        )
    except (TypeError, ValueError) as error:
        raise ArchiveRefused(f"Its header cannot be read: {error}") from None


def _head(one: Any) -> tuple[int, str]:
    match one:
        case {"version": version, "hash": hash_}:
            return COUNT.read(version), HASH.read(hash_).hex()
    raise ValueError("a head is none")


def end_line(lines: int, digest: str) -> bytes:
    """The last line: how many stood before it, and the SHA-256 of their bytes."""
    return encoded({"type": "end", "lines": lines, "sha256": digest})


class Tally:
    """How many lines have come, how many bytes they have, and the SHA-256 of them all."""

    __slots__ = ("_hash", "lines", "size")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.lines = self.size = 0

    def add(self, line: bytes) -> None:
        """Count the next line."""
        self._hash.update(line)
        self.lines += 1
        self.size += len(line)

    @property
    def digest(self) -> str:
        """The digest of the lines so far, in hexadecimal."""
        return self._hash.hexdigest()


def parsed(data: bytes) -> dict[str, JSON]:
    """A line as the record that it is.

    Numbers stay exact: what the fast parser would make a float of is read by the other one.

    Raises:
        ArchiveRefused: it is no JSON object.
    """
    try:
        record = orjson.loads(data)
        if _LONG.search(data) is not None:
            record = parse(data.decode())
    except (ValueError, Tampered) as error:
        raise ArchiveRefused(f"It is not JSON: {error}") from None
    if type(record) is not dict:
        raise ArchiveRefused("It is no JSON object")
    return record


def schema() -> dict[str, Any]:
    """The JSON Schema of a line (draft 2020-12)."""
    lines = {"header": _header_schema(), **{word: _schema_of(word) for word in KINDS}, "end": _end_schema()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{FORMAT}, version {VERSION}",
        "description": HOW,
        "oneOf": [{"$ref": f"#/$defs/{word}"} for word in lines],
        "$defs": lines,
    }


def _schema_of(word: str) -> dict[str, Any]:
    kind = KINDS[word]
    return _object(word, kind.says, {key: one.schema for key, one in kind.fields.items()})


def _object(word: str, says: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": says,
        "properties": {"type": {"const": word}, **fields},
        "required": ["type", *fields],
        "additionalProperties": False,
    }


def _header_schema() -> dict[str, Any]:
    head = {
        "type": "object",
        "properties": {"version": COUNT.schema, "hash": HASH.schema},
        "required": ["version", "hash"],
    }
    fields: dict[str, Any] = {
        "format": {"const": FORMAT},
        "version": {"const": VERSION},
        "session": _NAME.schema,
        "schema": TEXT.schema,
        "schema_version": SMALL.schema,
        "keys": {"type": "object", "description": "Of lists that merge by a key, the field that is the key"},
        "past_keys": {"type": ["object", "null"], "description": "The same under older schema versions"},
        "created_at": TIME.schema,
        "heads": {
            "type": "object",
            "additionalProperties": head,
            "description": "The newest commits",
        },
        "counts": {"type": "object", "additionalProperties": COUNT.schema, "description": "Records by type"},
        "left_out": {"type": "array", "items": {"enum": list(LEFT_OUT)}},
        "how_to_read": {"type": "string"},
    }
    return _object("header", "The first line.", fields)


def _end_schema() -> dict[str, Any]:
    return _object(
        "end",
        "The last line: how many stood before it, and the SHA-256 of all their bytes, newlines included.",
        {"lines": COUNT.schema, "sha256": HASH.schema},
    )
