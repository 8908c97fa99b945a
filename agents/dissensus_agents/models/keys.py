"""Keys of providers: read from the environment at the call, and cut out of whatever is kept."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass

from ..errors import MissingKey

CUT = "[key]"
"""What stands where a key stood."""

LEAST_TELLING = 12
"""Characters of a key that are left standing; most of them are the same in everybody's."""

_LOOKS_LIKE_A_KEY = re.compile(r"\b(?:sk|pk|rk|gsk|csk|xai|hf|tgp|nvapi|fw|AIza|Bearer)[-_ ][\w.*…-]{6,}")

_LONGEST_SPELLING = 14
"""Characters that JSON may take for one of a key, where a text is JSON within JSON."""

_MAY_SPELL = re.compile(r"\\(?:u00|/|u?0?0?\Z)")
"""Where a text has an escape that may stand for a character of a key, or the head of one."""


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A provider's key, which no `repr` and no traceback shows; `Key("")` is none.

    `also` are other secrets that go along with it, and are cut out of whatever comes back as well.
    """

    secret: str
    also: tuple[Key, ...] = ()

    def __repr__(self) -> str:
        return "Key(…)" if self.secret else "Key()"

    @property
    def header(self) -> dict[str, str]:
        """The header that bears it."""
        return {"authorization": f"Bearer {self.secret}"} if self.secret else {}

    @property
    def worth_hiding(self) -> bool:
        """False for the words that local servers take for a key, which stand in texts as well."""
        return bool(self.hidden)

    @property
    def hidden(self) -> tuple[Key, ...]:
        """It and what goes along with it, as far as that is worth hiding."""
        return tuple(one for one in (self, *self.also) if one._long)  # noqa: SLF001 - its own kind

    @property
    def _long(self) -> bool:
        long = len(self.secret) >= 16
        return long or (len(self.secret) >= 8 and any(one.isdigit() for one in self.secret))

    def cut(self, text: str) -> str:
        """The text without the key, even where JSON's escapes spell it."""
        for one in self.hidden:
            text = text.replace(one.secret, CUT)
            text = _spelled(one.secret).sub(CUT, text) if _MAY_SPELL.search(text) else text
        return text

    def cut_bytes(self, body: bytes) -> bytes:
        """The body without the key."""
        if not self.worth_hiding:
            return body
        for one in self.hidden:
            body = body.replace(one.secret.encode(), CUT.encode())
        if b"\\u00" not in body and b"\\/" not in body:
            return body
        return self.cut(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def cut_message(self, text: str) -> str:
        """A provider's message without the key, whole, cut short or masked, and without any other."""
        text = self.cut(text)
        for one in self.hidden:
            for length in range(len(one.secret) - 1, LEAST_TELLING - 1, -1):
                text = text.replace(one.secret[:length], CUT)
        return _LOOKS_LIKE_A_KEY.sub(CUT, text)


def _spelled(secret: str) -> re.Pattern[str]:
    """The key in every spelling that JSON has for it."""
    spellings = (rf"(?:\\{{0,8}}{re.escape(one)}|\\{{1,8}}u00{ord(one):02x})" for one in secret)
    return re.compile("".join(spellings), re.IGNORECASE)


class Cutter:
    """Cuts a key out of a text that comes in pieces, across which it may be spread."""

    def __init__(self, key: Key) -> None:
        self._cutters = [_OneCutter(one.secret) for one in key.hidden]

    def feed(self, piece: str) -> str:
        """What can be shown by now: what could be the beginning of the key waits."""
        for cutter in self._cutters:
            piece = cutter.feed(piece)
        return piece

    def rest(self) -> str:
        """What still waits, once it is known that nothing follows."""
        rest = ""
        for cutter in self._cutters:
            rest = cutter.feed(rest) + cutter.rest()
        return rest


class _OneCutter:
    """Cuts out one secret."""

    def __init__(self, secret: str) -> None:
        self._key = Key(secret)
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._key.cut(self._held + piece)
        ready = len(text) - self._doubtful(text)
        self._held = text[ready:]
        return text[:ready]

    def rest(self) -> str:
        rest, self._held = self._held, ""
        return rest

    def _doubtful(self, text: str) -> int:
        """How many characters at the end could begin the secret."""
        secret = self._key.secret
        window = text[-_LONGEST_SPELLING * len(secret) :]
        if _MAY_SPELL.search(window):
            return len(window)
        lengths = range(min(len(secret) - 1, len(text)), 0, -1)
        return next((length for length in lengths if text.endswith(secret[:length])), 0)


def login(user: str, password: str) -> Key:
    """The user and the password of an address, as the key that is sent for them.

    It is the header's value; what is hidden are the two as well.
    """
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Key(token, (Key(password), Key(user)))


def read_key(variable: str | None, *, model: str, needed: bool = True) -> Key:
    """The key in an environment variable.

    Raises:
        MissingKey: It is needed and not there, or it is nothing that a header can bear.
    """
    secret = os.environ.get(variable, "").strip() if variable else ""
    if variable and needed and not secret:
        raise MissingKey(
            f"There is no key for {model}: the environment variable {variable} is not set",
            next_step=f"Set it (export {variable}=…) and resume: nothing was sent",
            model=model,
            kind="key",
        )
    if not (secret.isascii() and secret.isprintable()) or " " in secret:
        raise MissingKey(
            f"What the environment variable {variable} holds is no key: it has characters that "
            "no header can bear",
            next_step=f"Set {variable} to the key alone and resume: nothing was sent",
            model=model,
            kind="key",
        )
    return Key(secret)
