"""The index of a batch of passages as bytes: which of them hold a term, and how often. Pure.

A segment numbers its passages from 0. For each term it has one row of postings (the numbers of the
passages, each as the distance from the one before, then how often the term stands in each), and one
header that says which passages these are, and how long. A segment is never changed once it is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

from .blobs import pack, unpack
from .errors import Tampered

HEADER = ""
"""Under this term, which no text has, the header of a segment stands."""

_PLAIN = b"\x00"
_WORTH_PACKING = 128
_WIDEST = 56
"""Numbers have at most 63 bits."""


class Run(NamedTuple):
    """Passages of a document that follow each other."""

    document: int
    first: int
    length: int


class Header(NamedTuple):
    """The passages of a segment, by their numbers in it: document, passage, and how many terms it has."""

    documents: Sequence[int]
    passages: Sequence[int]
    lengths: Sequence[int]


class Segment:
    """A segment in the making."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self._terms: dict[str, tuple[list[int], list[int]]] = {}

    def add(self, terms: Sequence[str]) -> None:
        """Take the next passage in."""
        number = len(self.lengths)
        self.lengths.append(len(terms))
        for term, times in Counter(terms).items():
            known = self._terms.get(term)
            if known is None:
                self._terms[term] = ([number], [times])
            else:
                known[0].append(number)
                known[1].append(times)

    def rows(self) -> Iterator[tuple[str, bytes]]:
        """The postings of each term."""
        for term in sorted(self._terms):
            yield term, packed_postings(*self._terms[term])


def packed_postings(numbers: Sequence[int], times: Sequence[int]) -> bytes:
    """Which passages hold a term, ascending, and how often each does."""
    steps = (after - before for before, after in pairwise(chain([0], numbers)))
    return _packed(chain(steps, times))


def unpacked_postings(data: bytes) -> tuple[list[int], list[int]]:
    """Undo `packed_postings`; `Tampered` where the bytes are not of its making."""
    found = _unpacked(data)
    count, odd = divmod(len(found), 2)
    if odd:
        raise Tampered("A row of the index of the documents is not what was written")
    return list(accumulate(found[:count])), found[count:]


def packed_header(runs: Sequence[Run], lengths: Sequence[int]) -> bytes:
    """Which passages a segment holds."""
    return _packed(chain([len(runs)], chain.from_iterable(runs), lengths))


def unpacked_header(data: bytes) -> Header:
    """Undo `packed_header`; `Tampered` where the bytes are not of its making."""
    count, *found = _unpacked(data) or [0]
    parts = found[: 3 * count]
    documents: list[int] = []
    passages: list[int] = []
    for document, first, length in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
        if length > len(found):
            break
        documents.extend([document] * length)
        passages.extend(range(first, first + length))
    lengths = found[3 * count :]
    if len(lengths) != len(documents):
        raise Tampered("The index of the documents is not what was written")
    return Header(documents, passages, lengths)


def runs_of(places: Iterable[tuple[int, int]]) -> list[Run]:
    """Documents and passages, in order, as runs."""
    runs: list[Run] = []
    for document, passage in places:
        last = runs[-1] if runs else Run(0, 0, 0)
        if (document, passage) == (last.document, last.first + last.length):
            runs[-1] = last._replace(length=last.length + 1)
        else:
            runs.append(Run(document, passage, 1))
    return runs


def _packed(numbers: Iterable[int]) -> bytes:
    plain = bytearray()
    for number in numbers:
        rest = number
        while rest > 0x7F:
            plain.append(rest & 0x7F | 0x80)
            rest >>= 7
        plain.append(rest)
    return pack(bytes(plain)) if len(plain) >= _WORTH_PACKING else _PLAIN + plain


def _unpacked(data: bytes) -> list[int]:
    plain = unpack(data)
    if plain.isascii():  # every number has one byte
        return list(plain)
    found = []
    number = shift = 0
    for byte in plain:
        number |= (byte & 0x7F) << shift
        if byte & 0x80 and shift < _WIDEST:
            shift += 7
        else:
            found.append(number)
            number = shift = 0
    return found
