"""Reads JSON as models write it, and writes it as JSON: one pass, no recursion, nothing evaluated.

What has one plain meaning is mended; what would be a guess (a text that breaks off, a bare word,
quotation marks that could close here or there) is refused, since a wrong guess is worse than
asking again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .quoting import CLOSING, Broken, breaks_off, read_string

MAX_DEPTH = 64
"""As deep as the state stores values."""

_SPACE = re.compile(r"[\s\ufeff\u200b]*+")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?\Z", re.ASCII)
_LOOSE_NUMBER = re.compile(r"([+-]?)(\d*+)(?:\.(\d*+))?([eE][+-]?\d++)?", re.ASCII)
_WORD = re.compile(r"[^\W\d]\w*+")
_BARE_KEY = re.compile(r"[^\W\d][\w$-]*+|\$[\w$-]*+|-?\d++")
_CLOSERS = {"{": "}", "[": "]", "(": ")"}
_LITERALS = {"true": "true", "false": "false", "null": "null", "none": "null"}


@dataclass(frozen=True, slots=True)
class Mended:
    """A value as strict JSON `text`; it stood from `start` to `end`, and took these `repairs`."""

    text: str
    start: int
    end: int
    repairs: tuple[str, ...]


def mend(text: str, start: int = 0) -> Mended:
    """Read the JSON value that begins at `start`.

    Raises:
        Broken: There is none, or none that could be read without guessing. Its `structured` says
            that it had begun as JSON does (quoted, nested, with a colon): whatever stands inside
            it is a fragment and no answer.
    """
    reader = _Reader(text, start)
    try:
        return reader.read()
    except Broken as error:
        error.structured = reader.structured
        raise


def mend_whole(text: str) -> Mended:
    """Read a text that is one JSON value and nothing else.

    Raises:
        Broken: It is not.
    """
    mended = mend(text)
    rest = _SPACE.match(text, mended.end)
    if rest is None or rest.end() < len(text):
        raise Broken("something follows the value", mended.end)
    return mended


@dataclass(slots=True)
class _Frame:
    """An open bracket: how it closes, and how many members it has so far."""

    closer: str
    members: int = 0


class _Reader:
    """One pass over the text; `out` is the JSON so far, `stack` the open brackets."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.start = start
        self.at = start
        self.out: list[str] = []
        self.stack: list[_Frame] = []
        self.repairs: dict[str, None] = {}
        self.structured = False

    def read(self) -> Mended:
        self._value()
        while self.stack:
            self._member(self.stack[-1])
        return Mended("".join(self.out), self.start, self.at, tuple(self.repairs))

    def _member(self, frame: _Frame) -> None:
        comma = frame.members > 0 and self._take(",")
        if self._take(frame.closer):
            self._close(comma=comma)
            return
        if frame.members:
            self._separate(frame, comma=comma)
        frame.members += 1
        if frame.closer == "}":
            self._key()
        self._value()

    def _close(self, *, comma: bool) -> None:
        frame = self.stack.pop()
        if frame.closer == ")" and frame.members == 1 and not comma:
            raise self._broken("round brackets around one value are no tuple")
        self.out.append("}" if frame.closer == "}" else "]")
        if comma:
            self._note("trailing comma")

    def _separate(self, frame: _Frame, *, comma: bool) -> None:
        self.out.append(",")
        if comma:
            return
        if frame.closer != "}" and self._peek() not in "\"'{[":
            raise self._broken("elements without a comma between them")
        self._note("missing comma")

    def _key(self) -> None:
        if self._peek() in CLOSING:
            self._string(":")
        else:
            self._bare_key()
        if not self._take(":"):
            raise self._broken("a key without a colon")
        self.structured = True
        self.out.append(":")

    def _bare_key(self) -> None:
        word = _BARE_KEY.match(self.text, self.at)
        if word is None:
            raise self._broken("no key where one must stand")
        self.at = word.end()
        self.out.append(f'"{word.group()}"')
        self._note("unquoted key")

    def _value(self) -> None:
        first = self._peek()
        if first in _CLOSERS:
            self._open(first)
        elif first in CLOSING:
            self._string(self._place())
        elif first in "+-.0123456789":
            self._number()
        else:
            self._word()

    def _open(self, bracket: str) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise self._broken(f"nested deeper than {MAX_DEPTH} levels")
        self.structured = self.structured or bool(self.stack)
        self.stack.append(_Frame(_CLOSERS[bracket]))
        self.out.append("{" if bracket == "{" else "[")
        if bracket == "(":
            self._note("Python tuple")
        self.at += 1

    def _word(self) -> None:
        word = _WORD.match(self.text, self.at)
        name = word.group() if word else self.text[self.at]
        literal = _LITERALS.get(name.lower())
        if literal is None:
            raise self._broken(f"{name[:40]} is no JSON value")
        if literal != name:
            self._note("Python literal")
        self.out.append(literal)
        self.at += len(name)

    def _number(self) -> None:
        found = _LOOSE_NUMBER.match(self.text, self.at)
        token = found.group() if found else ""
        following = self.text[self.at + len(token) : self.at + len(token) + 1]
        if found is None or (following and (following.isalnum() or following in "_.-%")):
            raise self._broken("not a number")
        self.out.append(token if _NUMBER.match(token) else self._plain_number(found))
        self.at += len(token)

    def _plain_number(self, found: re.Match[str]) -> str:
        sign, whole, fraction, exponent = found.groups()
        plain = f"{sign.strip('+')}{whole or '0'}"
        if fraction is not None:
            plain += f".{fraction or '0'}"
        plain += exponent or ""
        if not (whole or fraction) or not _NUMBER.match(plain):
            raise self._broken("not a number")
        self._note("number format")
        return plain

    def _string(self, place: str) -> None:
        self.structured = True
        string, self.at = read_string(self.text, self.at, place, self._note)
        self.out.append(string)

    def _place(self) -> str:
        if not self.stack:
            return ""
        return "}" if self.stack[-1].closer == "}" else "]"

    def _peek(self) -> str:
        """The next character that means something."""
        while True:
            space = _SPACE.match(self.text, self.at)
            self.at = space.end() if space else self.at
            if not self._at_comment():
                break
            self._skip_comment()
        if self.at >= len(self.text):
            raise breaks_off(self.text)
        return self.text[self.at]

    def _at_comment(self) -> bool:
        if self.text.startswith("#", self.at):  # on a line of its own: elsewhere it is a number, or a title
            return self.text[self.text.rfind("\n", 0, self.at) + 1 : self.at].isspace()
        return self.text.startswith(("//", "/*"), self.at)

    def _skip_comment(self) -> None:
        self.structured = True
        ends = "*/" if self.text.startswith("/*", self.at) else "\n"
        end = self.text.find(ends, self.at + 2)
        if end < 0:
            raise breaks_off(self.text)
        self._note("comment")
        self.at = end + len(ends)

    def _take(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self.at += 1
        return True

    def _note(self, repair: str) -> None:
        self.repairs[repair] = None

    def _broken(self, reason: str) -> Broken:
        return Broken(reason, self.at)
