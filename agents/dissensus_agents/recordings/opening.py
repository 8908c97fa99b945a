"""A file of recordings, read: nobody vouches for it, so everything in it is checked."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from pydantic import ValidationError

from ..context.templates import Template
from ..errors import GraphError, RecordingsRefused
from ..messages import Part, Request, Turn
from ..models.recordings import request_digest
from .lines import LINE, MOST_LINE, VERSION, Asked, CallLine, End, Header, PartLine, sha256


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call stands in the file, and what it is found by."""

    offset: int
    size: int
    model: str
    lineage: str
    round: int
    seat: str
    attempt: int
    status: str
    digest: str | None
    passed_over: tuple[tuple[str, str], ...] = ()


class RecordingsFile:
    """The calls of a file of recordings. What is kept in memory is where they stand, and not what they say.

    Attributes:
        path: The file.
        header: Its first line.
        places: Its calls, in the order in which they stand.
        parts: How many texts it holds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: list[Place] = []
        self._texts: dict[str, tuple[int, int]] = {}
        self._text = functools.lru_cache(maxsize=64)(self._read_text)
        self.header = self._check()

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a file, and hold every line to the format, every text to its digest.

        Raises:
            RecordingsRefused: It is none, or not whole, or not what it says.
        """
        return cls(Path(path))

    @property
    def parts(self) -> int:
        """How many texts of prompts there are."""
        return len(self._texts)

    def models(self) -> list[str]:
        """The models that were asked, by name."""
        return sorted({place.model for place in self.places})

    def calls(self) -> Iterator[CallLine]:
        """The calls, one by one, in the order in which they stand."""
        for place in self.places:
            yield self.call(place)

    def call(self, place: Place) -> CallLine:
        """One call.

        Raises:
            RecordingsRefused: The file was changed since it was opened.
        """
        line = self._line(self._bytes(place.offset, place.size), 0)
        if not isinstance(line, CallLine):
            raise self._refused("it was changed while it was read")
        return line

    def text(self, digest: str) -> str:
        """The text of a prompt that stands under a digest.

        Raises:
            RecordingsRefused: There is none.
        """
        return self._text(digest)

    def request(self, asked: Asked) -> Request | None:
        """What a model was asked; None where a piece of it is missing."""
        if any(piece.text is None for piece in asked.parts):
            return None
        try:
            template = None if asked.template is None else Template(**asked.template)
            schema = None if asked.schema_ is None else json.loads(self.text(asked.schema_))
            echoes = [None if turn.echo is None else json.loads(self.text(turn.echo)) for turn in asked.turns]
        except (TypeError, ValueError, RecursionError, GraphError) as error:
            raise self._refused(f"a request in it is none: {str(error)[:80]}") from None
        turns = zip(asked.turns, echoes, strict=True)
        return Request(
            system=self.text(asked.system),
            parts=tuple(
                Part(self.text(piece.text or ""), piece.source, piece.title) for piece in asked.parts
            ),
            output_schema=schema,
            max_output_tokens=asked.max_output_tokens,
            temperature=asked.temperature,
            effort=asked.effort,
            turns=tuple(Turn(self.text(one.answer), self.text(one.objection), echo) for one, echo in turns),
            template=template,
        )

    # Checking

    def _check(self) -> Header:
        """Read it once from the first line to the last."""
        whole, offset, header, ended = hashlib.sha256(), 0, None, False
        for number, data in enumerate(self._lines(), start=1):
            if ended:
                raise self._refused(f"line {number} stands after the end")
            line = self._line(data, number)
            if (header is None) != isinstance(line, Header):
                raise self._refused("it does not begin with one header")
            if isinstance(line, Header):
                header = self._known(line)
            elif isinstance(line, End):
                ended = self._ends(line, whole.hexdigest())
            else:
                self._take(line, number, offset, len(data))
            whole.update(data)
            offset += len(data)
        if header is None or not ended:
            raise self._refused("it has no end: it is not whole")
        return header

    def _take(self, line: PartLine | CallLine, number: int, offset: int, size: int) -> None:
        if isinstance(line, PartLine):
            if sha256(line.text) != line.sha256:
                raise self._refused(f"the text of line {number} is not what its digest says")
            self._texts[line.sha256] = offset, size
            return
        if line.digest is not None:
            request = None if line.request is None else self.request(line.request)
            if request is None or request_digest(request) != line.digest:
                raise self._refused(f"the request of line {number} is not what its digest says")
        self.places.append(_place(line, offset, size))

    def _known(self, header: Header) -> Header:
        if header.version != VERSION:
            raise RecordingsRefused(
                f"{self.path.name} is of version {header.version}, and this library reads version {VERSION}",
                next_step="Update dissensus, or export the session again with this version",
                path=str(self.path),
            )
        return header

    def _ends(self, end: End, digest: str) -> bool:
        if (end.parts, end.calls, end.sha256) != (len(self._texts), len(self.places), digest):
            raise self._refused("its lines are not those that its end counts")
        return True

    # Reading

    def _lines(self) -> Iterator[bytes]:
        with self._opened() as file:
            while data := file.readline(MOST_LINE + 1):
                if len(data) > MOST_LINE:
                    raise self._refused(f"a line is longer than {MOST_LINE // 2**20} MiB")
                if not data.endswith(b"\n"):
                    raise self._refused("its last line is not whole")
                yield data

    def _bytes(self, offset: int, size: int) -> bytes:
        with self._opened() as file:
            file.seek(offset)
            return file.read(size)

    def _opened(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise self._refused(error.strerror or "it cannot be opened") from None

    def _line(self, data: bytes, number: int) -> Header | PartLine | CallLine | End:
        try:
            return LINE.validate_json(data)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = "/".join(map(str, found["loc"]))
            raise self._refused(f"line {number} is none of this format: {where}: {found['msg']}") from None

    def _read_text(self, digest: str) -> str:
        place = self._texts.get(digest)
        line = None if place is None else self._line(self._bytes(*place), 0)
        if not isinstance(line, PartLine):
            raise self._refused(f"there is no text {digest[:16]}… before the line that names it")
        return line.text

    def _refused(self, why: str) -> RecordingsRefused:
        return RecordingsRefused(f"{self.path.name} cannot be used as recordings: {why}", path=str(self.path))


def _place(line: CallLine, offset: int, size: int) -> Place:
    passed = (line.detail or {}).get("passed_over")
    gone = [one for one in passed if isinstance(one, dict)] if isinstance(passed, list) else []
    return Place(
        offset,
        size,
        line.model,
        line.lineage,
        line.round,
        line.seat,
        line.attempt,
        line.status,
        line.digest,
        tuple((str(one.get("model")), str(one.get("why"))) for one in gone),
    )


def as_data(recordings: RecordingsFile) -> dict[str, Any]:
    """What a file holds, as plain data."""
    header = recordings.header
    return {
        "path": str(recordings.path),
        "session": header.session,
        "schema": header.state,
        "schema_version": header.state_version,
        "left_out": list(header.left_out),
        "parts": recordings.parts,
        "models": recordings.models(),
        "calls": [
            {
                "n": number,
                "round": one.round,
                "seat": one.seat,
                "attempt": one.attempt,
                "model": one.model,
                "status": one.status,
                "digest": one.digest,
            }
            for number, one in enumerate(recordings.places, start=1)
        ],
    }
