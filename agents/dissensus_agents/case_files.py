"""The file of a case: JSON that a person can read, and that is read back as something a stranger wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from pydantic import TypeAdapter, ValidationError

from dissensus_state import blobs
from dissensus_state.errors import DissensusError
from dissensus_state.patches import Patch, patch_from_json, patch_to_json
from dissensus_state.records import Call, Commit, Proposal, Round, Ruling
from dissensus_state.rounds import read_ruling
from dissensus_state.values import JSON, canonical, normalise

from .again import Recorded
from .errors import CaseRefused

FORMAT = 1
"""The newest form of the file that is known here."""

MOST_BYTES = 256 * 1024 * 1024

Told: TypeAlias = "dict[str, Any]"
"""The fields of a case."""

RecordT = TypeVar("RecordT", Round, Proposal, Call, Commit)

_CALL = (
    "agent", "attempt", "model", "lineage", "status", "request", "answer", "reasoning", "reasoning_kind",
    "finish_reason", "detail", "echo", "round",
)  # fmt: skip
_PLAIN = {"session": str, "branch": str, "schema": str, "schema_version": int, "state": dict}


def written(told: Told) -> str:
    """The text of a case's file, the same for the same step."""
    body = {
        "dissensus": "case",
        "format": FORMAT,
        **{name: told[name] for name in _PLAIN},
        "commit": None if told["commit"] is None else _commit(told["commit"]),
        "since": [patch_to_json(patch) for patch in told["since"]],
        "round": None if told["round"] is None else asdict(told["round"]),
        "proposals": [_proposal(item) for item in told["proposals"]],
        "calls": [_call(call) for call in told["calls"]],
        "rulings": [_ruling(ruling) for ruling in told["rulings"]],
        "decisions": [dict(item) for item in told["decisions"]],
        "untold": list(told["untold"]),
    }
    return json.dumps(normalise(body), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _commit(commit: Commit) -> dict[str, JSON]:
    told = commit.as_dict()
    return {name: value for name, value in told.items() if name not in {"hash", "writes", "key", "at"}}


def _proposal(item: Proposal) -> dict[str, JSON]:
    told = {one.name: getattr(item, one.name) for one in fields(item)}
    return {**told, "patch": patch_to_json(item.patch), "reads": list(item.reads)}


def _call(call: Call) -> dict[str, JSON]:
    """A call, without what is empty."""
    told = {name: getattr(call, name) for name in _CALL}
    return {name: value for name, value in told.items() if value is not None}


def _ruling(ruling: Ruling) -> dict[str, JSON]:
    return {
        "n": ruling.n,
        "author": ruling.author,
        "decision": ruling.decision,
        "binding": ruling.binding.hex(),
        "body": ruling.body(),
        "at": ruling.at,
        "gone": ruling.gone,
    }


def read(path: Path) -> Told:
    """The fields of a case from its file.

    Raises:
        CaseRefused: there is no such file, it is too large, or it holds no case.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise CaseRefused(f"{path} is larger than any case may be", path=str(path))
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CaseRefused(f"The case {path} cannot be read: {error}", path=str(path)) from error
    if not isinstance(body, dict) or body.get("dissensus") != "case":
        raise CaseRefused(f"{path} is no case", path=str(path))
    if body.get("format") != FORMAT:
        raise CaseRefused(
            f"{path} is of format {str(body.get('format'))[:20]}, and {FORMAT} is known here",
            next_step="Install the version of dissensus that wrote it, or write the case again",
            path=str(path),
        )
    try:
        return _told(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "/".join(map(str, first["loc"]))
        raise CaseRefused(
            f"{path} is no case: {error.title} {where}: {first['msg']}", path=str(path)
        ) from None
    except (DissensusError, AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        said = error.message if isinstance(error, DissensusError) else f"{type(error).__name__}: {error}"
        raise CaseRefused(f"{path} is no case: {said}", path=str(path)) from error


def _told(body: Mapping[str, Any]) -> Told:
    for name, kind in _PLAIN.items():
        if not isinstance(body[name], kind):
            raise CaseRefused(f"its {name} is none")
    return {
        **{name: normalise(body[name]) for name in _PLAIN},
        "commit": None if body["commit"] is None else _read_commit(body["commit"]),
        "since": tuple(map(patch_from_json, body["since"])),
        "round": None if body["round"] is None else _record(Round, body["round"]),
        "proposals": tuple(_read_proposal(item) for item in body["proposals"]),
        "calls": tuple(_read_call(item) for item in body["calls"]),
        "rulings": tuple(_read_ruling(item) for item in body["rulings"]),
        "decisions": tuple(dict(item) for item in body["decisions"]),
        "untold": tuple(map(str, body["untold"])),
    }


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter({"Round": Round, "Proposal": Proposal, "Call": Call, "Commit": Commit}[name])


def _record(kind: type[RecordT], told: Mapping[str, Any]) -> RecordT:
    made: RecordT = _adapter(kind.__name__).validate_python(dict(told))
    return made


def _read_commit(told: Mapping[str, Any]) -> Commit:
    patch: Patch = patch_from_json(told["patch"])
    bare = {**told, "patch": (), "hash": b"", "key": None, "at": 0}
    return replace(_record(Commit, bare), patch=patch)


def _read_proposal(told: Mapping[str, Any]) -> Proposal:
    return replace(_record(Proposal, {**told, "patch": ()}), patch=patch_from_json(told["patch"]))


def _read_call(told: Mapping[str, Any]) -> Call:
    known = {name: told[name] for name in _CALL if name in told}
    call = _record(Call, {**known, "price": None, "reserved": 0, "sent_at": 0})
    if not isinstance(call.request, list) or not call.request:
        raise CaseRefused(f"a call of {call.agent} has no request")
    return call


def _read_ruling(told: Mapping[str, Any]) -> Ruling:
    author, decision = str(told["author"]), told["decision"]
    binding, body = bytes.fromhex(told["binding"]), canonical(normalise(told["body"]))
    ruling = read_ruling(int(told["n"]), author, decision, binding, body, int(told["at"]))
    return replace(ruling, gone=bool(told["gone"]))


def gone_in(told: Recorded) -> Iterator[str]:
    """What of a round was taken away for good, and cannot be replayed."""
    for call in told.calls:
        where = f"{call.agent}, attempt {call.attempt}"
        if len(call.request) > 1 and call.request[1] == {"text": blobs.REDACTED}:
            yield f"the request of {where}"
        if call.answer == blobs.REDACTED:
            yield f"the answer of {where}"
    for item in told.proposals:
        if any(operation.gone for operation in item.patch):
            yield f"values that {item.agent} proposed"
    if any(ruling.gone for ruling in told.rulings):
        yield "what was ruled"
    if told.commit is not None and any(operation.gone for operation in told.commit.patch):
        yield "values of the commit"
