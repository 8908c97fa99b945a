"""Strings as models write them, read into JSON strings.

Any quotation marks, any escape, raw line breaks, and quotation marks inside that nobody escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

CLOSING = {'"': '"', "'": "'", "“": "”", "‘": "’", "`": "`"}
"""The quotation marks that open a string, each with the one that closes it."""

UNESCAPED = "unescaped quotation marks"

_STRICT = re.compile(
    r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
)
_PLAIN = {end: re.compile(rf'[^"\\\x00-\x1f{end}]*+') for end in CLOSING.values()}
_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_UNICODE = re.compile(r"\\u([0-9a-fA-F]{4})")
_PYTHON = re.compile(r"\\x([0-9a-fA-F]{2})|\\U(00(?:0[1-9a-fA-F]|10)[0-9a-fA-F]{4})")
_CONTROL = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

_QUOTED_KEY = (
    "(?:"
    + "|".join(
        rf"{opening}(?:[^{closing}\\\n]|\\.){{0,1000}}{closing}" for opening, closing in CLOSING.items()
    )
    + r")\s*:"
)
_BARE_KEY = r"[^\W\d][\w$-]{0,120}\s*:"
_BEFORE_COLON = re.compile(r"\s*:")
_ENDS = {
    ":": _BEFORE_COLON,
    "}": re.compile(rf"\s*(?:\}}|//|/\*|\Z|{_QUOTED_KEY}|,\s*(?:\}}|//|/\*|\Z|{_QUOTED_KEY}|{_BARE_KEY}))"),
    "]": re.compile(
        r"\s*(?:[\])]|//|/\*|\Z|,\s*(?:[\"'“‘`\d\-{\[\](]|//|/\*|\Z|(?:[tT]rue|[fF]alse|null|None)\b))"
        r"|[^\S\n]*\n\s*[\"'“‘`]"
    ),
    "": re.compile(r"\s*\Z"),
}
"""What must follow the end of a string that is a key, a member, an element, or all there is."""


class Broken(Exception):
    """What stands there cannot be read as JSON.

    Args:
        reason: What is wrong with it.
        position: Where.
        truncated: It breaks off.
    """

    def __init__(self, reason: str, position: int, *, truncated: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position
        self.truncated = truncated
        self.structured = True


def breaks_off(text: str) -> Broken:
    """The error of a text that ends too early."""
    return Broken("it breaks off", len(text), truncated=True)


def read_string(text: str, at: int, place: str, note: Callable[[str], None]) -> tuple[str, int]:
    """The string that begins at `at` as a JSON string, and where it ends.

    Args:
        text: All the text.
        at: Where its opening quotation mark stands.
        place: What it is: a key (`:`), a member (`}`), an element (`]`), or everything (`""`).
        note: Is told each repair.

    Raises:
        Broken: Where it ends would be a guess, or it does not end.
    """
    whole = _STRICT.match(text, at)
    if whole and _ENDS[place].match(text, whole.end()):
        return whole.group(), whole.end()
    if text.startswith(('"""', "'''"), at):
        return _triple(text, at, note)
    return _loose(text, at, place, note)


def _triple(text: str, at: int, note: Callable[[str], None]) -> tuple[str, int]:
    end = text.find(text[at : at + 3], at + 3)
    if end < 0:
        raise breaks_off(text)
    note("triple quotes")
    out = ['"']
    at += 3
    while at < end:
        at = _copy_plain(text, at, '"', out)
        if at < end:
            at = _special(text, at, out, note)
    if at > end:
        raise Broken("a backslash before the closing quotation marks", end)
    return "".join(out) + '"', end + 3


def _loose(text: str, at: int, place: str, note: Callable[[str], None]) -> tuple[str, int]:
    closing = CLOSING[text[at]]
    if closing != '"':
        note("single quotes" if closing == "'" else "odd quotation marks")
    out = ['"']
    at = _copy_plain(text, at + 1, closing, out)
    quoting = False
    while not (text[at] == closing and _ENDS[place].match(text, at + 1)):
        if text[at] == closing:
            quoting = _quotes(text, at, quoting=quoting)
            note(UNESCAPED)
            out.append('\\"' if closing == '"' else closing)
            at += 1
        else:
            at = _special(text, at, out, note)
        at = _copy_plain(text, at, closing, out)
    if quoting:
        raise _unclear(at)
    return "".join(out) + '"', at + 1


def _copy_plain(text: str, at: int, closing: str, out: list[str]) -> int:
    """Copy what needs no care; where the first character stands that does."""
    plain = _PLAIN[closing].match(text, at)
    end = plain.end() if plain else at
    out.append(text[at:end])
    if end >= len(text):
        raise breaks_off(text)
    return end


def _quotes(text: str, at: int, *, quoting: bool) -> bool:
    """Whether a quotation inside the string is open after this mark, which cannot end the string.

    Raises:
        Broken: The mark neither opens one before a word nor closes one after it.
    """
    before, after = text[at - 1], text[at + 1 : at + 2]
    if text[at] in "'’" and before.isalnum() and after.isalnum():
        return quoting
    fits = not before.isspace() if quoting else not (before.isalnum() or after.isspace())
    if not fits or _BEFORE_COLON.match(text, at + 1):
        raise _unclear(at)
    return not quoting


def _unclear(at: int) -> Broken:
    return Broken("quotation marks inside a string are not escaped", at)


def _special(text: str, at: int, out: list[str], note: Callable[[str], None]) -> int:
    """A character that a JSON string may not hold as it is."""
    character = text[at]
    if character == "\\":
        return _escape(text, at, out, note)
    if character == '"':
        out.append('\\"')
    else:
        note("line break or control character in a string")
        out.append(_CONTROL.get(character) or f"\\u{ord(character):04x}")
    return at + 1


def _escape(text: str, at: int, out: list[str], note: Callable[[str], None]) -> int:
    following = text[at + 1 : at + 2]
    known = _PAIR.match(text, at) or _UNICODE.match(text, at)
    if known:
        out.append(_code(known.group(), note))
        return known.end()
    if following and following in '"\\/bfnrt':
        out.append(text[at : at + 2])
        return at + 2
    note("backslash that escapes nothing")
    if code := _PYTHON.match(text, at):
        out.append(json.dumps(chr(int(code.group(1) or code.group(2), 16)))[1:-1])
        return code.end()
    if following in ("'", "`"):
        out.append(following)
        return at + 2
    out.append("\\\\")
    return at + 1


def _code(escaped: str, note: Callable[[str], None]) -> str:
    """A Unicode escape, or a pair of them; half of a pair stands for nothing."""
    if len(escaped) == 6 and escaped[2] in "dD" and escaped[3] in "89abcdefABCDEF":
        note("lone surrogates became U+FFFD")
        return "\\ufffd"
    return escaped
