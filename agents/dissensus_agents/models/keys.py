"""Keys of providers: read from the environment at the call, and cut out of whatever is kept."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ..errors import MissingKey

CUT = "[key]"
"""What stands where a key stood."""

_LOOKS_LIKE_A_KEY = re.compile(r"\b(?:sk|pk|rk|gsk|csk|xai|hf|tgp|nvapi|fw|AIza|Bearer)[-_ ][\w.*…-]{6,}")


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A provider's key, which no `repr` and no traceback shows; `Key("")` is none."""

    secret: str

    def __repr__(self) -> str:
        return "Key(…)" if self.secret else "Key()"

    @property
    def header(self) -> dict[str, str]:
        """The header that bears it."""
        return {"authorization": f"Bearer {self.secret}"} if self.secret else {}

    @property
    def worth_hiding(self) -> bool:
        """False for the words that local servers take for a key, which stand in texts as well."""
        long = len(self.secret) >= 16
        return long or (len(self.secret) >= 8 and any(one.isdigit() for one in self.secret))

    def cut(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self.secret, CUT) if self.worth_hiding else text

    def cut_bytes(self, body: bytes) -> bytes:
        """The body without the key."""
        return body.replace(self.secret.encode(), CUT.encode()) if self.worth_hiding else body

    def cut_message(self, text: str) -> str:
        """A provider's message without the key, whole or masked, and without any other."""
        return _LOOKS_LIKE_A_KEY.sub(CUT, self.cut(text))


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
        )
    if not (secret.isascii() and secret.isprintable()) or " " in secret:
        raise MissingKey(
            f"What the environment variable {variable} holds is no key: it has characters that "
            "no header can bear",
            next_step=f"Set {variable} to the key alone and resume: nothing was sent",
            model=model,
        )
    return Key(secret)
