"""Pieces of prompts that refer to what is stored already, and back from the reference to the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from dissensus_state.documents import SOURCE
from dissensus_state.errors import NotFound
from dissensus_state.patches import get
from dissensus_state.rounds import binding
from dissensus_state.values import parse_path

from .judgement.evidence import Evidence
from .judgement.showing import quoted
from .judgement.supervisor import POSITION, REVERSED_POSITION
from .judgement.verdicts import Review, blind
from .messages import Part
from .running import Running
from .session import sides_of_round
from .steps import Step
from .supervising import seen_of
from .views import render

if TYPE_CHECKING:
    from dissensus_state.documents import Passage
    from dissensus_state.records import Round
    from dissensus_state.sessions import Session


def part(passage: Passage, title: str | None = None) -> Part:
    """A passage of a document as a piece of a prompt; it is referred to, and never stored again.

    Args:
        passage: As `session.library` gives it.
        title: What stands above it; its document and place where None.
    """
    return Part(passage.text, passage.source, f"{passage.name}, {passage.place}" if title is None else title)


def resolve_source(session: Session[Any], source: str, version: int, round_: int | None = None) -> str:
    """The text that a piece of a recorded prompt refers to.

    What was redacted since shows as `"[redacted]"`.

    Args:
        session: Whose recording it is, on the branch of the round.
        source: As it stands in the recording: a path of the state, `document:NAME#12`, `position:A`,
            or `reversed:A` where the positions were shown in reverse order.
        version: The version that the round was based on.
        round_: The number of the round, which positions need.

    Raises:
        NotFound: it refers to nothing that is there.
    """
    if source.startswith(SOURCE):
        return session.library.cited(source).text
    if source[:1] in {"", "/"}:
        return render(get(session.raw(version), parse_path(source), session.info.keys))
    for start in (POSITION, REVERSED_POSITION):
        if source.startswith(start) and round_ is not None:
            return _position(session, round_, source.removeprefix(start), reverse=start == REVERSED_POSITION)
    raise NotFound(f"{source!r} refers to nothing that is stored")


def _position(session: Session[Any], number: int, label: str, *, reverse: bool) -> str:
    """A position as it was shown: under the label that it had there, with the reasoning behind it."""
    held, proposals, calls, _ = session.round(number)
    sides = sides_of_round(held, proposals)
    nowhere = cast(Step, None)  # what a position says needs no step
    running = Running(nowhere, held, {}, {}, {}, calls, tuple(proposals), evidence=_failed(held))
    seed = int.from_bytes(binding(held.base, proposals)[:4], "big")
    shown, _ = blind([seen_of(running, side) for side in sides], seed)
    review = Review(held.step, shown, (), (), ())
    for seen in (review.reversed if reverse else review).positions:
        if seen.label == label:
            return quoted(seen)
    raise NotFound(f"Round {number} has no position {label!r}", round=number)


def _failed(held: Round) -> dict[str, tuple[Evidence, ...]]:
    """The checks that failed, by agent, as the round keeps them."""
    found: dict[str, tuple[Evidence, ...]] = {}
    for item in (held.review or {}).get("failed", ()):
        said = {name: value for name, value in item.items() if name != "agents"}
        for agent in item["agents"]:
            found[agent] = (*found.get(agent, ()), Evidence.from_dict(said))
    return found
