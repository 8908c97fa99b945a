"""A session's recordings, written as one file that reads without the library."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from dissensus_state.blobs import REDACTED
from dissensus_state.records import Call, Round

from .asked import Found, Texts, digest_of, is_ours, outline
from .lines import HOW, VERSION, Asked, CallLine, End, Header, PartLine, Piece, Raw, Tokens, encoded, sha256

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dissensus_state.sessions import Session

    from ..messages import Request

Redactable = Literal["request", "answer", "reasoning", "raw"]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: where, and how much."""

    path: Path
    calls: int
    parts: int
    size: int
    sha256: str


def export_recordings(
    session: Session[Any], path: str | Path, *, raw: bool = True, reasoning: bool = True
) -> Exported:
    """Write all calls of a session into one file, each text of their prompts once.

    The file is JSON Lines (docs/recordings.md). The same recordings give the same bytes. It is there
    whole or not at all; what stood at the path before is replaced.

    Args:
        session: The session; the calls of all its branches are written.
        path: The file.
        raw: Whether the bodies of the providers are to be in it.
        reasoning: Whether the chains of thought are to be in it. Without them, supervisors that read
            them cannot be answered from the file.

    Raises:
        OSError: The file cannot be written.
    """
    target = Path(path)
    with _replacing(target) as file:
        writer = _Writer(file)
        left_out: list[Literal["raw", "reasoning"]] = [] if raw else ["raw"]
        left_out += [] if reasoning else ["reasoning"]
        writer.write(
            Header(
                version=VERSION,
                session=session.name,
                state=session.info.schema,
                state_version=session.info.schema_version,
                left_out=tuple(left_out),
                how_to_read=HOW,
            )
        )
        texts = Texts(session)
        for round_ in session.rounds():
            calls = session.round(round_.round)[2]
            for call in calls:
                writer.write(_line(texts, round_, call, calls, writer, raw=raw, reasoning=reasoning))
                writer.calls += 1
        digest = writer.end()
    return Exported(target, writer.calls, len(writer.kept), writer.size, digest)


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    """A file beside the target that takes its place once it is whole and on disk."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as made:
            yield made
            made.flush()
            os.fsync(descriptor)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class _Writer:
    """Writes lines, each part before the first line that names it."""

    def __init__(self, file: BinaryIO) -> None:
        self.kept: set[bytes] = set()
        self.calls = 0
        self.size = 0
        self._file = file
        self._digest = hashlib.sha256()

    def write(self, line: BaseModel) -> None:
        data = encoded(line)  # type: ignore[arg-type]
        self._digest.update(data)
        self._file.write(data)
        self.size += len(data)

    def keep(self, text: str) -> str:
        """Put a text into the file, if it is not there yet; its digest."""
        digest = sha256(text)
        name = bytes.fromhex(digest)
        if name not in self.kept:
            self.kept.add(name)
            self.write(PartLine(sha256=digest, text=text))
        return digest

    def end(self) -> str:
        """Close the file with the line that proves it whole; the digest of all before it."""
        digest = self._digest.hexdigest()
        self.write(End(parts=len(self.kept), calls=self.calls, sha256=digest))
        return digest


def _line(
    texts: Texts,
    round_: Round,
    call: Call,
    calls: Sequence[Call],
    writer: _Writer,
    *,
    raw: bool,
    reasoning: bool,
) -> CallLine:
    asked, digest = _asked(texts.asked(round_, call, calls), round_, writer)
    return CallLine(
        round=round_.round,
        step=round_.step,
        branch=round_.branch,
        base=round_.base,
        seat=call.agent,
        attempt=call.attempt,
        model=call.model,
        lineage=call.lineage,
        status=call.status,
        sent_at=call.sent_at,
        request=asked,
        digest=digest,
        answer=call.answer,
        reasoning=call.reasoning if reasoning else None,
        reasoning_kind=call.reasoning_kind,  # type: ignore[arg-type]
        echo=call.echo if reasoning else None,
        finish_reason=call.finish_reason,
        usage=_tokens(call),
        price=call.price,
        reserved_nano_usd=call.reserved,
        cost_nano_usd=call.cost,
        latency_ms=call.latency_ms,
        ttft_ms=call.ttft_ms,
        detail=call.detail,
        raw=_raw(call.raw) if raw else None,
        redacted=_redacted(call, asked),
    )


def _asked(
    found: tuple[Request, list[Found]] | None, round_: Round, writer: _Writer
) -> tuple[Asked | None, str | None]:
    if found is None:
        return None, None
    request, pieces = found
    asked = outline(request, writer.keep, pieces, round_.base)
    return asked, digest_of(request, asked)


def _tokens(call: Call) -> Tokens:
    return Tokens(
        input=call.input_tokens,
        cached=call.cached_tokens,
        written=call.written_tokens or 0,
        output=call.output_tokens,
        reasoning=call.reasoning_tokens,
        estimated=call.estimated,
    )


def _raw(body: bytes | None) -> Raw | None:
    if body is None:
        return None
    try:
        return Raw(text=body.decode())
    except UnicodeDecodeError:
        return Raw(base64=base64.b64encode(body).decode())


def _redacted(call: Call, asked: Asked | None) -> tuple[Redactable, ...]:
    gone: dict[Redactable, bool] = {
        "request": is_ours(call.request) if asked is None else any(map(_is_gone, asked.parts)),
        "answer": call.answer == REDACTED,
        "reasoning": call.reasoning == REDACTED,
        "raw": call.raw == REDACTED.encode(),
    }
    return tuple(name for name, is_gone in gone.items() if is_gone)


def _is_gone(piece: Piece) -> bool:
    return piece.redacted or piece.missing is not None
