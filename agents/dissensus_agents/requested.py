"""Two requests as they are recorded, held against each other: the first part that differs, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import NamedTuple

from dissensus_state import blobs
from dissensus_state.errors import Tampered
from dissensus_state.values import JSON, canonical, digest, parse

from .divergences import words

TextOf = Callable[[str], "str | None"]
"""The text that is kept aside under a reference; None where it is gone or was never kept."""

SECTIONS = ("frame", "parts", "turns")


class Part(NamedTuple):
    """What differs first: in which section, which part of it, what is recorded and what would be asked."""

    section: str
    part: str
    expected: JSON
    actual: JSON
    words: str | None


def by_digest(request: JSON) -> JSON:
    """A request as it is stored: its long texts by their digests."""
    if isinstance(request, list):
        return [by_digest(item) for item in request]
    if not isinstance(request, Mapping) or len(request.get("text", "")) <= blobs.SHORT:
        return request
    rest = {name: value for name, value in request.items() if name != "text"}
    return {"blob": blobs.reference(digest(request["text"])), **rest}


def unlike(stored: JSON, now: JSON, text_of: TextOf) -> Part | None:
    """The first part in which a recorded request is not the one of now; None where they are the same.

    Args:
        stored: The recorded one: frame, parts, and the turns that were sent back, long texts by reference.
        now: The one of now, with its texts.
        text_of: Finds texts of the recorded one.
    """
    if canonical(by_digest(stored)) == canonical(by_digest(now)):
        return None
    for section, was, will in zip_longest(SECTIONS, stored, now):
        if canonical(by_digest(was)) == canonical(by_digest(will)):
            continue
        if section == "frame":
            return _frame(whole(was, text_of), will)
        return _listed(str(section), was or [], will or [], text_of)
    return None


def whole(stored: JSON, text_of: TextOf) -> JSON:
    """A recorded request with its texts in place, as far as they are there."""
    if isinstance(stored, list):
        return [whole(item, text_of) for item in stored]
    if isinstance(stored, Mapping) and isinstance(stored.get("blob"), str):
        text = text_of(stored["blob"])
        if text is not None:
            return {"text": text, **{name: value for name, value in stored.items() if name != "blob"}}
    return stored


def _frame(was: JSON, will: JSON) -> Part:
    """The first setting that differs: the system text, the schema of the answer, a bound."""
    old, new = _settings(was), _settings(will)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            return Part("frame", name, old.get(name), new.get(name), _told(old.get(name), new.get(name)))
    return Part("frame", "frame", was, will, None)


def _settings(frame: JSON) -> dict[str, JSON]:
    text = frame.get("text") if isinstance(frame, Mapping) else None
    try:
        read = parse(text) if isinstance(text, str) else None
    except Tampered:
        read = None
    return read if isinstance(read, dict) else {"frame": frame}


def _listed(section: str, was: JSON, will: JSON, text_of: TextOf) -> Part:
    for number, (old, new) in enumerate(zip_longest(was, will), start=1):
        if canonical(by_digest(old)) != canonical(by_digest(new)):
            old = whole(old, text_of)  # noqa: PLW2901 - the same, to be shown
            return Part(section, _name(section, number, new or old), old, new, _told(_text(old), _text(new)))
    return Part(section, section, was, will, None)


def _name(section: str, number: int, part: JSON) -> str:
    """The title of a part, else the path that it shows, else its number."""
    if section == "turns":
        return f"turn {number}"
    if isinstance(part, str):
        return part
    if isinstance(part, list) and part:
        return str(part[1] if len(part) > 1 and part[1] else part[0])
    title = part.get("title") if isinstance(part, Mapping) else None
    return str(title or f"part {number}")


def _text(part: JSON) -> JSON:
    return part.get("text", part) if isinstance(part, Mapping) else part


def _told(old: JSON, new: JSON) -> str | None:
    """A short diff in words; of what is not there, nothing."""
    if old is None or new is None:
        return None
    pair = [value if isinstance(value, str) else canonical(value) for value in (old, new)]
    return words(*pair)
