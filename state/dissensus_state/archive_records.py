"""What a file of a session is made of: the kinds of its records, their keys, and the columns behind. Pure.

docs/export.md says how to read one without the library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import orjson
import sqlalchemy as sa

from . import tables
from .archive_types import (
    BYTES,
    COUNT,
    FLAG,
    HASH,
    MONEY,
    NUMBER,
    PACKED,
    PATCH,
    PATHS,
    SIDE,
    SMALL,
    TEXT,
    TIME,
    WHOLE,
    Type,
    anything,
    lists,
    name,
    objects,
    one_of,
    optional,
)
from .records import CallStatus, Decision, GradeBasis, ProposalStatus, RoundStatus

FORMAT = "dissensus.session"
VERSION = 1

MOST_LINE = 128 * 1024 * 1024
"""Bytes that a line may have; a longer one is refused before it is read."""

LEFT_OUT = ("raw", "reasoning", "prompts")
"""What whoever makes a file may leave out of it."""

HOW = (
    "JSON Lines in UTF-8: one record a line, its type first. The first line is the header, the last one "
    "of type 'end': without it the file is not whole. Branches, blobs (long texts, by their SHA-256) and "
    "models stand first; then each round with its calls, proposals, rulings and grades; then the commits, "
    "branch by branch from version 0 on; then tags, conflicts, accounts, documents with their passages, "
    "events. A state is what the patches of the commits up to it make of nothing."
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record.

    Attributes:
        word: What the records say that they are, under `type`.
        table: Where it is stored.
        fields: Its keys, each with its type; a key is the name of a column.
        key: The keys by which the records of this kind follow each other.
        fixed: What the columns hold that no key is of.
        says: What it is.
    """

    word: str
    table: sa.Table
    says: str
    key: tuple[str, ...]
    fields: dict[str, Type]
    fixed: dict[str, Any]

    def line(self, row: Any) -> bytes:
        """A row as its line."""
        said = {
            key: None if value is None else one.written(value)
            for (key, one), value in zip(self.fields.items(), row, strict=True)
        }
        return encoded({"type": self.word, **said})

    def read(self, record: dict[str, Any]) -> dict[str, Any]:
        """The values of a record, by key; `ValueError` says what is wrong with which of them."""
        if len(record) != len(self.fields) + 1 or not self.fields.keys() <= record.keys():
            missing = sorted(self.fields.keys() - record.keys())
            unknown = sorted(record.keys() - self.fields.keys() - {"type"})
            raise ValueError(f"has the keys {unknown} and lacks {missing}"[:200])
        said: dict[str, Any] = {}
        key = ""
        try:
            for key, one in self.fields.items():
                value = record[key]
                said[key] = None if value is None and one.optional else one.read(value)
        except ValueError as error:
            raise ValueError(f"says under {key!r} what {error}") from None
        return said


def encoded(record: dict[str, Any]) -> bytes:
    """A record as its line."""
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def _kind(
    word: str, table: sa.Table, key: str, says: str, fields: dict[str, Type], **fixed: Any
) -> tuple[str, Kind]:
    return word, Kind(word, table, says, tuple(key.split()), fields, fixed)


_NAME = {word: name(word) for word in ("account", "author", "agent", "branch", "key", "kind", "name", "step")}

KINDS: dict[str, Kind] = dict(
    (
        _kind(
            "branch",
            tables.branches,
            "branch",
            "A branch: where it was forked from, and its newest commit.",
            {
                "branch": _NAME["branch"],
                "base_branch": optional(_NAME["branch"]),
                "base_version": optional(COUNT),
                "head": COUNT,
                "head_hash": HASH,
                "closed_at": optional(TIME),
                "pruned": optional(COUNT),
            },
            lease_epoch=0,
            watched_until=None,
            rewritten=None,
            indexed=None,
        ),
        _kind(
            "blob",
            tables.blobs,
            "digest",
            "A long text that others name by its digest: a value's canonical JSON, a piece of a prompt.",
            {"digest": HASH, "data": PACKED},
        ),
        _kind(
            "model",
            tables.models,
            "model",
            "A way of asking a model, which calls name by its number; `frame` is what a request begins with.",
            {
                "model": SMALL,
                "name": _NAME["name"],
                "lineage": name("lineage"),
                "price": anything("US dollars for a million tokens"),
                "frame": anything(),
            },
        ),
        _kind(
            "round",
            tables.rounds,
            "round",
            "A round of a step: who was asked on which version, and how it ended.",
            {
                "round": COUNT,
                "branch": _NAME["branch"],
                "step": _NAME["step"],
                "base": COUNT,
                "status": one_of(*get_args(RoundStatus)),
                "started_at": TIME,
                "again_of": optional(COUNT),
                "note": optional(TEXT),
                "review": optional(objects("Why it needs a ruling")),
            },
        ),
        _kind(
            "call",
            tables.calls,
            "agent attempt",
            "A call of a model in the round above.",
            {
                "round": COUNT,
                "agent": _NAME["agent"],
                "attempt": SMALL,
                "model": SMALL,
                "status": one_of(*get_args(CallStatus)),
                "request": anything("The pieces of the prompt after the frame"),
                "answer": optional(PACKED),
                "reasoning": optional(PACKED),
                "reasoning_kind": optional(TEXT),
                "raw": optional(PACKED),
                "input_tokens": WHOLE,
                "output_tokens": WHOLE,
                "cached_tokens": WHOLE,
                "reasoning_tokens": WHOLE,
                "estimated": FLAG,
                "reserved": MONEY,
                "cost": optional(MONEY),
                "sent_at": TIME,
                "latency_ms": WHOLE,
                "ttft_ms": optional(WHOLE),
                "finish_reason": optional(TEXT),
                "detail": optional(objects()),
                "written_tokens": optional(WHOLE),
                "holds": optional(objects("What was reserved beside the money, by unit")),
                "echo": optional(PACKED),
            },
        ),
        _kind(
            "proposal",
            tables.proposals,
            "agent",
            "What an agent of the round above wants the state to become.",
            {
                "round": COUNT,
                "agent": _NAME["agent"],
                "status": one_of(*get_args(ProposalStatus)),
                "patch": optional(PATCH),
                "reads": optional(PATHS),
                "confidence": optional(NUMBER),
                "attempt": SMALL,
                "detail": optional(objects()),
            },
        ),
        _kind(
            "ruling",
            tables.rulings,
            "n",
            "A ruling on the round above.",
            {
                "round": COUNT,
                "n": SMALL,
                "author": _NAME["author"],
                "decision": one_of(*get_args(Decision)),
                "binding": BYTES,
                "body": objects("Reason, who is upheld, who dissents, and the rest"),
                "at": TIME,
            },
        ),
        _kind(
            "grade",
            tables.grades,
            "agent n",
            "What is known afterwards of a proposal of the round above.",
            {
                "round": COUNT,
                "agent": _NAME["agent"],
                "n": SMALL,
                "is_right": FLAG,
                "basis": one_of(*get_args(GradeBasis)),
                "author": _NAME["author"],
                "version": optional(TEXT),
                "detail": optional(TEXT),
                "at": TIME,
            },
        ),
        _kind(
            "commit",
            tables.commits,
            "version",
            "One accepted, atomic step of a branch; `hash` covers it and the commit before.",
            {
                "branch": _NAME["branch"],
                "version": COUNT,
                "author": _NAME["author"],
                "transition": optional(name("transition")),
                "round": optional(COUNT),
                "base": optional(COUNT),
                "isolation": optional(one_of("serializable", "snapshot")),
                "reads": PATHS,
                "patch": PATCH,
                "evidence": optional(lists()),
                "key": optional(_NAME["key"]),
                "at": TIME,
                "schema_version": SMALL,
                "hash": HASH,
                "source": optional(objects("Where the patch was taken from, or what was taken away")),
            },
        ),
        _kind(
            "state",
            tables.snapshots,
            "version",
            "The state on which a pruned branch stands, after the commit above.",
            {"branch": _NAME["branch"], "version": COUNT, "state": objects()},
        ),
        _kind(
            "tag",
            tables.tags,
            "tag",
            "A name for a version.",
            {
                "tag": _NAME["name"],
                "branch": _NAME["branch"],
                "version": COUNT,
                "author": _NAME["author"],
                "at": TIME,
            },
        ),
        _kind(
            "conflict",
            tables.conflicts,
            "conflict",
            "A path that two branches changed, each in its own way.",
            {
                "conflict": COUNT,
                "branch": _NAME["branch"],
                "version": COUNT,
                "source_branch": _NAME["branch"],
                "source_version": COUNT,
                "path": TEXT,
                "base": optional(SIDE),
                "ours": optional(SIDE),
                "theirs": optional(SIDE),
                "status": one_of("open", "settled", "merged", "lapsed"),
                "settlement": optional(SIDE),
                "settled_by": optional(TEXT),
                "at": TIME,
            },
        ),
        _kind(
            "account",
            tables.ledger,
            "account",
            "A limit, and what is held and spent of it; money in 10^-9 US dollars.",
            {
                "account": _NAME["account"],
                "hard_limit": optional(WHOLE),
                "held": WHOLE,
                "spent": WHOLE,
                "unpriced": TEXT,
                "soft_limit": optional(WHOLE),
                "warned": optional(WHOLE),
                "day": optional(WHOLE),
            },
        ),
        _kind(
            "document",
            tables.documents,
            "document",
            "A document; its passages follow.",
            {
                "document": COUNT,
                "name": _NAME["name"],
                "kind": _NAME["kind"],
                "digest": BYTES,
                "content": HASH,
                "passages": COUNT,
                "characters": COUNT,
                "at": TIME,
                "detail": optional(objects()),
            },
        ),
        _kind(
            "passage",
            tables.passages,
            "passage",
            "A passage of the document above.",
            {"document": COUNT, "passage": COUNT, "place": TEXT, "digest": HASH, "data": PACKED},
        ),
        _kind(
            "event",
            tables.events,
            "event",
            "Something that happened and is not a commit.",
            {
                "event": COUNT,
                "kind": _NAME["kind"],
                "at": TIME,
                "branch": optional(_NAME["branch"]),
                "round": optional(COUNT),
                "body": objects(),
            },
        ),
    )
)
