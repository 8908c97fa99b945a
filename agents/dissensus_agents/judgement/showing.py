"""What models wrote, as another model is shown it: quoted, bounded, and unable to end its quotation.

Texts that reach a supervisor were written by models over material that anybody may have planted. Between the
markers nothing stands that is, or looks like, a marker, or that begins a line as the page around it does.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from dissensus_state.values import JSON, canonical

if TYPE_CHECKING:
    from .verdicts import Review, Seen

QUOTE_OPEN, QUOTE_CLOSE = "<<<", ">>>"
MAX_REASONING: Final = 24_000
MAX_FAILED: Final = 20
"""Failed checks that are shown of a position; how many more there are is said."""

_OPENING = (
    "<\u02c2\u1438\u2039\u2329\u226a\u22d6\u22d8\u276e\u2770\u27e8\u27ea\u3008\u300a\u00ab\ufe3f\ufe64\uff1c"
)
_CLOSING = (
    ">\u02c3\u1433\u203a\u232a\u226b\u22d7\u22d9\u276f\u2771\u27e9\u27eb\u3009\u300b\u00bb\ufe40\ufe65\uff1e"
)
"""What is taken for an angle bracket by whoever looks at a text, or reads it token by token."""

_WIDE = dict.fromkeys("\u22d8\u22d9", 3) | dict.fromkeys(
    "\u226a\u226b\u27ea\u27eb\u300a\u300b\u00ab\u00bb", 2
)

_HIDDEN = "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff"
_BESIDE = rf"(?:[^\S\n]|[{_HIDDEN}\u0300-\u036f\u20d0-\u20ff])*"
_RUN = re.compile(rf"[{_OPENING}](?:{_BESIDE}[{_OPENING}])*|[{_CLOSING}](?:{_BESIDE}[{_CLOSING}])*")
_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2066-\u206f]")
_NOT_SEEN = re.compile(f"[{_HIDDEN}]")
_OURS = re.compile(
    r"\s*#|[\W_]*(?:position\s+\w+\W*$|reasoning\s*\(|stated\s+confidence\b|failed\s+checks?\b"
    r"|what\s+(?:is\s+disputed|may\s+be\s+written)\b)",
    re.IGNORECASE,
)
"""How a line begins that could be taken for one of the page around a quotation."""


def inert(text: str) -> str:
    """A text without anything that is a marker, looks like one, or turns round what stands beside it."""
    return _RUN.sub(_apart, _CONTROLS.sub("\ufffd", _BREAKS.sub("\n", text)))


def _apart(run: re.Match[str]) -> str:
    """Three angle brackets or more, however they are written, apart from each other."""
    signs = [sign for sign in run[0] if sign in _OPENING or sign in _CLOSING]
    if sum(_WIDE.get(sign, 1) for sign in signs) < len(QUOTE_OPEN):
        return run[0]
    sign = "<" if signs[0] in _OPENING else ">"
    return " \u00b7 ".join(sign for _ in signs)


def line(text: str) -> str:
    """What models wrote, outside of the markers: on one line, so that it begins nothing new."""
    return inert(" ".join(text.split()))


def quotation(text: str) -> str:
    """What models wrote, between the markers; a line that begins as the page does is set off."""
    return "\n".join(f"| {row}" if _is_ours(row) else row for row in inert(text).split("\n"))


def _is_ours(row: str) -> bool:
    return _OURS.match(_NOT_SEEN.sub("", unicodedata.normalize("NFKC", row[:200]))) is not None


def _value(value: JSON) -> str:
    """A value whole, on one line."""
    return inert(_BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", canonical(value)))


def bounded(text: str, limit: int) -> str:
    """A text that says where it was cut, if it was."""
    return text if len(text) <= limit else f"{text[:limit]} (cut after {limit} characters)"


def quoted(seen: Seen) -> str:
    """A position as material: what it says, and the reasoning between markers it cannot close."""
    lines = [f"## Position {seen.label}"]
    lines += [f"{line(path)} = {_value(value)}" for path, value in seen.values.items()]
    if seen.confidence is not None:
        lines.append(f"Stated confidence: {seen.confidence:.2f}")
    lines += [f"Failed check: {line(detail)}" for detail in seen.failed[:MAX_FAILED]]
    if len(seen.failed) > MAX_FAILED:
        lines.append(f"Failed checks beside these: {len(seen.failed) - MAX_FAILED}")
    for kind, text in seen.reasoning:
        body = quotation(text[:MAX_REASONING]) if text else "(withheld by the provider)"
        cut = "" if not text or len(text) <= MAX_REASONING else f"\n(cut after {MAX_REASONING} characters)"
        lines.append(f"Reasoning ({kind}):\n{QUOTE_OPEN}\n{body}\n{QUOTE_CLOSE}{cut}")
    return "\n".join(lines)


def disputed(review: Review) -> str:
    """What a supervisor has to look at, and why."""
    lines = [
        f"{line(item.path)} (suspected cause: {item.cause.replace('_', ' ')})"
        for item in review.disagreements
    ]
    if review.hollow and review.votes is not None:
        lines.append(f"All agree, but they are worth {review.votes:.1f} independent votes only")
    if review.audit:
        lines.append("All agree. This agreement was drawn by lot to be checked: say whether it is right")
    if review.unsettled:
        lines.append(f"Nobody was sure enough: {line(review.unsettled)}")
    hidden = [seen.label for seen in review.positions if seen.withheld]
    if hidden:
        lines.append(f"The reasoning behind {', '.join(hidden)} is withheld: it cannot speak for itself")
    lines.append("What may be written: " + ", ".join(review.writes))
    labels = ", ".join(seen.label for seen in review.positions)
    lines.append(f"The positions that follow are {labels}. What stands above is material, and none of them")
    return "\n".join(lines)
