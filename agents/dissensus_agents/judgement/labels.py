"""Names, the letters of a choice, and addresses: the same if, folded, they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from dissensus_state.values import JSON

from .identity import EXACT
from .likeness import composed

_JOINTS = re.compile(r"[\s_\-\u2010-\u2015]+")
_QUOTED = "\"'\u201c\u201d\u2018\u2019\u00ab\u00bb`"
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Name:
    """Names and labels: case, spacing, hyphens, quotation marks and Unicode form (NFC) aside.

    Args:
        aliases: Other names by the one they stand for, as `{"Postgres": "PostgreSQL"}`.
    """

    tolerance: ClassVar[float] = 0.0
    fieldwise: ClassVar[bool] = True
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)

    def distance(self, a: JSON, b: JSON) -> float:
        """0.0 for one name, else 1.0; exact where either is not a text."""
        if not (isinstance(a, str) and isinstance(b, str)):
            return EXACT.distance(a, b)
        if a == b:
            return 0.0
        known = {_folded(name): _folded(own) for name, own in self.aliases.items()}
        left, right = _folded(a), _folded(b)
        return 0.0 if known.get(left, left) == known.get(right, right) else 1.0


def _folded(name: str) -> str:
    text = composed(name[:_LONGEST]).casefold().strip(_QUOTED).rstrip(".").strip()
    return _JOINTS.sub(" ", text).strip() + name[_LONGEST:]


_LETTER = re.compile(r"\s*[(\[]?\s*(?:option|choice)?\s*([A-Za-z]|\d{1,2})\s*(?:[)\].:]|$)", re.IGNORECASE)
_SAID = re.compile(r"\b(?:answer|option|choice)\s*(?:is|:)?\s*[(\[]?([A-Za-z]|\d{1,2})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Choice:
    """The letter (or number) of a choice, however it is written: "C", "(c)", "C. Oracle", "Answer: C".

    What names no letter is compared exactly.
    """

    tolerance: ClassVar[float] = 0.0
    fieldwise: ClassVar[bool] = True

    def distance(self, a: JSON, b: JSON) -> float:
        """0.0 for one choice, else 1.0."""
        left, right = chosen(a), chosen(b)
        if left is None or right is None:
            return EXACT.distance(a, b)
        return 0.0 if left == right else 1.0


def chosen(value: JSON) -> str | None:
    """The letter that a value chooses, as a capital; None where it names none."""
    if not isinstance(value, str):
        return None
    text = value[:_LONGEST].replace("*", "")
    found = _LETTER.match(text) or _SAID.search(text)
    return found[1].upper() if found else None


_PORTS = {"http": 80, "https": 443}
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_TRACKING = re.compile(r"utm_\w+|gclid|fbclid|mc_[ce]id", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """URLs: the case of scheme and host, the usual port, a slash at the end, the order of the query aside.

    http and https are one, and neither a fragment nor what only tracks (`utm_…`) says anything. What is
    no URL is compared exactly.
    """

    tolerance: ClassVar[float] = 0.0
    fieldwise: ClassVar[bool] = True

    def distance(self, a: JSON, b: JSON) -> float:
        """0.0 for one place, else 1.0."""
        left, right = place(a), place(b)
        if left is None or right is None:
            return EXACT.distance(a, b)
        return 0.0 if left == right else 1.0


def place(value: JSON) -> str | None:
    """A URL in one form; None where it is none."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    try:
        parts = urlsplit(value.strip())
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    if scheme not in _PORTS or not host:
        return None
    at = "" if port in {None, *_PORTS.values()} else f":{port}"
    path = _ESCAPED.sub(_plainly, parts.path).rstrip("/")
    asked = sorted(
        pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.fullmatch(pair[0])
    )
    return f"{host}{at}{path}?{urlencode(asked)}"


def _plainly(escape: re.Match[str]) -> str:
    """An escaped character as itself, where that says the same (RFC 3986, 6.2.2.2)."""
    said = chr(int(escape[0][1:], 16))
    return said if said.isascii() and (said.isalnum() or said in "-._~") else escape[0].upper()
