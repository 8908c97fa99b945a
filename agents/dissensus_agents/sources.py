"""Pieces of prompts that refer to what is stored already, and back from the reference to the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dissensus_state.documents import SOURCE
from dissensus_state.errors import NotFound
from dissensus_state.patches import get
from dissensus_state.values import parse_path

from .messages import Part
from .views import render

if TYPE_CHECKING:
    from dissensus_state.documents import Passage
    from dissensus_state.sessions import Session


def part(passage: Passage, title: str | None = None) -> Part:
    """A passage of a document as a piece of a prompt; it is referred to, and never stored again.

    Args:
        passage: As `session.library` gives it.
        title: What stands above it; its document and place where None.
    """
    return Part(passage.text, passage.source, f"{passage.name}, {passage.place}" if title is None else title)


def resolve_source(session: Session[Any], source: str, version: int) -> str:
    """The text that a piece of a recorded prompt refers to.

    Args:
        session: Whose recording it is, on the branch of the round.
        source: As it stands in the recording: a path of the state, or `document:NAME#12`.
        version: The version that the round was based on.

    Raises:
        NotFound: it refers to nothing that is there.
    """
    if source.startswith(SOURCE):
        return session.library.cited(source).text
    if source[:1] in {"", "/"}:
        return render(get(session.raw(version), parse_path(source), session.info.keys))
    raise NotFound(f"{source!r} refers to nothing that is stored")
