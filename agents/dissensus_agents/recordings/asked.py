"""From a recorded request back to its texts, and from a request to what a line says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dissensus_state import blobs
from dissensus_state.errors import DissensusError, NotFound, Tampered
from dissensus_state.patches import get
from dissensus_state.records import Call, Round
from dissensus_state.values import JSON, canonical, parse, parse_path

from ..context.fits import items_shown
from ..context.summaries import summary_text
from ..context.templates import Template
from ..messages import Part, Request, Turn
from ..models.recordings import request_digest
from ..sources import resolve_source
from ..views import render
from .lines import Asked, Piece, Said, sha256

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

GONE = "it was redacted or pruned"

Keep = Callable[[str], str]
"""Puts a text into the file, if it is not there yet, and gives its digest."""


@dataclass(frozen=True, slots=True)
class Found:
    """A piece of a recorded prompt with its text; None where it cannot be had, and why."""

    text: str | None
    title: str
    source: str | None = None
    shown: dict[str, Any] | None = None
    missing: str | None = None


@dataclass(slots=True)
class Texts:
    """The texts behind the references of a session's recordings; the state of one version is kept."""

    session: Session[Any]
    _line: Session[Any] = field(init=False)
    _state: tuple[str, int, JSON] | None = None

    def __post_init__(self) -> None:
        self._line = self.session

    def asked(self, round_: Round, call: Call, calls: Sequence[Call]) -> tuple[Request, list[Found]] | None:
        """What a call was asked, and its pieces; None where that was taken away.

        Args:
            round_: The round of the call.
            call: The call.
            calls: All calls of the round, among which are those of its summaries.
        """
        frame = self._text(call.request[0]) if is_ours(call.request) else None
        if frame is None or not all(isinstance(item, list) for item in call.request[1:]):
            return None
        pieces = [self._piece(round_, item, calls) for item in call.request[1]]
        turns = [self._turn(item) for item in call.request[2]] if len(call.request) > 2 else []
        if None in turns:
            return None
        told: Any = parse(frame)
        template = told.get("template")
        request = Request(
            system=told["system"],
            parts=tuple(Part(one.text or "", one.source, one.title) for one in pieces),
            output_schema=told["schema"],
            max_output_tokens=told["max_output_tokens"],
            temperature=told["temperature"],
            effort=told.get("effort"),
            turns=tuple(turn for turn in turns if turn is not None),
            template=None if template is None else Template(**template),
        )
        return request, pieces

    def _text(self, stored: Any) -> str | None:
        """A text that stands in the request, or aside by its digest."""
        if "text" in stored:
            return str(stored["text"])
        try:
            with self.session.reading() as work:
                return blobs.get(work, self.session.session_id, blobs.dereference(stored["blob"]))
        except (NotFound, Tampered):
            return None

    def _turn(self, stored: Sequence[Any]) -> Turn | None:
        texts = [self._text(item) for item in stored]
        if None in texts:
            return None
        answer, objection, *echo = (str(text) for text in texts)
        return Turn(answer, objection, parse(echo[0]) if echo else None)

    def _piece(self, round_: Round, stored: Any, calls: Sequence[Call]) -> Found:
        if isinstance(stored, dict):
            text = self._text(stored)
            return Found(text, stored.get("title", ""), missing=GONE if text is None else None)
        source, title, shown = (stored, stored, None) if isinstance(stored, str) else (*stored, None)[:3]
        try:
            return Found(self._at(round_, source, shown, calls), title, source, shown)
        except DissensusError as error:
            return Found(None, title, source, shown, error.message)

    def _at(self, round_: Round, source: str, shown: dict[str, Any] | None, calls: Sequence[Call]) -> str:
        """The text that a source refers to, as it was shown.

        Raises:
            NotFound: It refers to nothing that is there.
        """
        if shown is not None and shown["by"] == "summary":
            return _summary(shown, calls)
        if source[:1] not in {"", "/"}:
            session = self._on(round_.branch)
            return _cut(resolve_source(session, source, round_.base, round_.round), shown)
        value = get(self._state_of(round_), parse_path(source), self.session.info.keys)
        if shown is not None and shown["by"] != "piece":
            return items_shown(value, shown["by"], shown["kept"], shown["of"])
        return _cut(render(value), shown)

    def _on(self, branch: str) -> Session[Any]:
        if self._line.branch != branch:
            self._line = self.session.on(branch)
        return self._line

    def _state_of(self, round_: Round) -> JSON:
        if self._state is None or self._state[:2] != (round_.branch, round_.base):
            self._state = round_.branch, round_.base, self._on(round_.branch).raw(round_.base)
        return self._state[2]


def is_ours(request: JSON) -> bool:
    """Whether a recorded request is one of an agent's; others may have written calls of their own."""
    return isinstance(request, list) and len(request) > 1 and isinstance(request[0], dict)


def _cut(text: str, shown: dict[str, Any] | None) -> str:
    return text if shown is None else "".join(text[begin:end] for begin, end in shown["kept"])


def _summary(shown: dict[str, Any], calls: Sequence[Call]) -> str:
    made = {(call.agent, call.attempt): call for call in calls}
    found = [made.get((seat, attempt)) for seat, attempt in shown["summaries"]]
    said = [call for call in found if call is not None and call.answer is not None]
    if not said or len(said) < len(found):
        raise NotFound("Its summary is not in the records")
    return summary_text(said[0].model, [call.answer or "" for call in said])


def outline(request: Request, keep: Keep = sha256, pieces: Sequence[Found] = (), version: int = 0) -> Asked:
    """What a line says of a request.

    Args:
        request: The request.
        keep: Takes each text, and gives its digest.
        pieces: Its pieces as they were found; by default they are those of the request.
        version: The version of the state that they were read at.
    """
    found = pieces or [Found(part.text, part.title, part.source) for part in request.parts]
    return Asked(
        system=keep(request.system),
        schema=None if request.output_schema is None else keep(request.schema_text),
        parts=tuple(_line_of(one, keep, version) for one in found),
        turns=tuple(
            Said(
                answer=keep(turn.answer),
                objection=keep(turn.objection),
                echo=None if turn.echo is None else keep(canonical(turn.echo)),
            )
            for turn in request.turns
        ),
        max_output_tokens=request.max_output_tokens,
        temperature=request.temperature,
        effort=request.effort,
        template=None if request.template is None else request.template.as_json(),
    )


def _line_of(one: Found, keep: Keep, version: int) -> Piece:
    in_state = one.source is not None and one.source[:1] in {"", "/"}
    return Piece(
        text=None if one.text is None else keep(one.text),
        title=one.title,
        source=one.source,
        version=version if in_state else None,
        shown=one.shown,
        redacted=one.text is not None and blobs.REDACTED in one.text,
        missing=one.missing,
    )


def digest_of(request: Request, line: Asked) -> str | None:
    """The digest by which an answer is found; None where the request is not what was asked any more."""
    whole = all(piece.text is not None and not piece.redacted for piece in line.parts)
    return request_digest(request) if whole else None
