"""Quotations and the texts they are taken from: finding both, and comparing word for word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from dissensus_state.values import JSON, Path

from .fields import reach
from .likeness import composed

MARKS = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
        **dict.fromkeys("\u200b\u2060\ufeff\u00ad"),
    }
)
"""What quotation marks, primes and characters that are not seen are taken for, by their code."""

_PARTED = re.compile(r"(?<=\w)[-\u2010]\n\s*(?=\w)")

_NUMBER = re.compile(r"\d+(?:\.\d+)*")


def quotations(at: Path, value: JSON, keys: frozenset[str]) -> Iterator[tuple[Path, JSON]]:
    """Every quotation in a value: objects with one of these keys, and the bare texts of lists."""
    if isinstance(value, str) or (isinstance(value, dict) and not keys.isdisjoint(value)):
        yield at, value
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from quotations((*at, str(n)), item, keys)
    elif isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(item, str):
                yield from quotations((*at, name), item, keys)


def sources(
    state: Mapping[str, JSON], target: Path, name_key: str, text_key: str
) -> Iterator[tuple[str, str]]:
    """The name and text of every source at a path of the state."""
    for at, value in reach(state, target):
        for name, source in _entries(at[len(target) :], value, name_key):
            text = source.get(text_key) if isinstance(source, dict) else source
            if isinstance(name, str) and isinstance(text, str):
                yield name, text


def _entries(below: Path, value: JSON, name_key: str) -> Iterator[tuple[JSON, JSON]]:
    if below:
        yield below[0], value
    elif isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from ((item.get(name_key), item) for item in value if isinstance(item, dict))


def stands(quote: str, text: str) -> bool:
    """Whether a quotation stands in a text, word for word.

    White space, Unicode form and typographic quotation marks are folded; case counts. A number at
    an edge must be whole: "12 ms" does not stand in "112 ms", nor "took 3" in "took 3.5".
    """
    wanted = folded(quote)
    return bool(wanted) and wanted in _folded_source(text)


def folded(text: str) -> str:
    """The text as it is searched: folded, its numbers fenced in so that no part of one is found."""
    return _NUMBER.sub("\0\\g<0>\0", composed(text.translate(MARKS)))


_folded_source = lru_cache(maxsize=16)(folded)
"""All agents of a round quote the same few sources."""


def stands_on_page(wanted: str, text: str) -> bool:
    """The same for what is folded already, on a page on which words may be parted at the ends of lines."""
    if wanted in folded(text):
        return True
    if _PARTED.search(text) is None:
        return False
    return any(wanted in folded(_PARTED.sub(joint, text)) for joint in ("", "-"))
