"""Text of others, made fit to be stored and to be shown."""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def is_text(text: str) -> bool:
    """Whether the string is Unicode text: no lone surrogates, which no database can hold."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def readable(text: str) -> str:
    """The text with every lone surrogate as U+FFFD."""
    return text if is_text(text) else _SURROGATE.sub("\ufffd", text)


def shown(text: object, limit: int = 160) -> str:
    """The text on one short line, without control characters: safe in a terminal and in a log."""
    whole = str(text)
    cut = whole if len(whole) <= limit else whole[: limit - 1] + "…"
    if cut.isprintable():
        return cut.strip()
    return "".join(one if one.isprintable() else " " for one in readable(cut)).strip()
