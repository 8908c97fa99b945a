"""What two sequences have in common, in order: the shortest way from one to the other, as far as it is short.

E. W. Myers, "An O(ND) Difference Algorithm and Its Variations", Algorithmica 1 (1986).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

MOST = 400
"""Removals and additions up to which the shortest way is looked for; the work grows with their square."""

LONG_TEXT = 24
"""From this length on a text that changed is told word by word."""

_words = re.compile(r"\s+|\w+|[^\w\s]")

Sign = Literal["=", "-", "+"]
Word = tuple[Sign, str]
"""A piece of a text that stayed, went, or came."""


class Run(NamedTuple):
    """Items that two sequences have in common: so many from one place on in either."""

    before: int
    after: int
    length: int


def common(before: Sequence[Any], after: Sequence[Any], most: int = MOST) -> list[Run]:
    """What two sequences have in common, in order, and at the end an empty run behind both.

    Where more than `most` removals and additions lead from one to the other, only what they begin and end
    with is said to be common.
    """
    shorter = min(len(before), len(after))
    head = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    left = shorter - head
    tail = next((n for n in range(left) if before[-1 - n] != after[-1 - n]), left)
    inner = _runs(before[head : len(before) - tail], after[head : len(after) - tail], most)
    found = [
        Run(0, 0, head),
        *(Run(head + one.before, head + one.after, one.length) for one in inner),
        Run(len(before) - tail, len(after) - tail, tail),
        Run(len(before), len(after), 0),
    ]
    return [run for n, run in enumerate(found) if run.length or n + 1 == len(found)]


def gaps(runs: Sequence[Run]) -> Iterator[tuple[range, range]]:
    """What lies between the runs: positions in the first that went, in the second that came."""
    for last, run in pairwise((Run(0, 0, 0), *runs)):
        one = range(last.before + last.length, run.before)
        other = range(last.after + last.length, run.after)
        if one or other:
            yield one, other


def _runs(before: Sequence[Any], after: Sequence[Any], most: int) -> list[Run]:
    if not before or not after:
        return []
    trace = _trace(before, after, most)
    pairs = [] if trace is None else _walked_back(trace, len(before), len(after))
    found: list[Run] = []
    for one, other in reversed(pairs):
        if found and (found[-1].before + found[-1].length, found[-1].after + found[-1].length) == (
            one,
            other,
        ):
            found[-1] = found[-1]._replace(length=found[-1].length + 1)
        else:
            found.append(Run(one, other, 1))
    return found


def _trace(before: Sequence[Any], after: Sequence[Any], most: int) -> list[dict[int, int]] | None:
    """How far each diagonal is reached with 0, 1, 2 … changes; None where `most` are not enough."""
    reached = {1: 0}
    trace: list[dict[int, int]] = []
    for changes in range(min(most, len(before) + len(after)) + 1):
        trace.append(dict(reached))
        for diagonal in range(-changes, changes + 1, 2):
            down = diagonal == -changes or (
                diagonal != changes and reached[diagonal - 1] < reached[diagonal + 1]
            )
            x = reached[diagonal + 1] if down else reached[diagonal - 1] + 1
            y = x - diagonal
            while x < len(before) and y < len(after) and before[x] == after[y]:
                x, y = x + 1, y + 1
            reached[diagonal] = x
            if x >= len(before) and y >= len(after):
                return trace
    return None


def _walked_back(trace: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    """The pairs of items that are common, the last ones first."""
    pairs = []
    for changes in range(len(trace) - 1, -1, -1):
        reached, diagonal = trace[changes], x - y
        down = diagonal == -changes or (diagonal != changes and reached[diagonal - 1] < reached[diagonal + 1])
        came = diagonal + 1 if down else diagonal - 1
        from_x = reached[came] if changes else 0
        from_y = from_x - came if changes else 0
        while x > from_x and y > from_y and (changes or (x > 0 and y > 0)):
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = from_x, from_y
    return pairs


def words(before: str, after: str) -> list[Word]:
    """How one text became another, word by word.

    What is `=` or `-` is together the first, what is `=` or `+` the second. Texts more than `MOST`
    words apart are replaced from where they begin to differ to where they end to.
    """
    one, other = _words.findall(before), _words.findall(after)
    found: list[Word] = []
    went = came = 0
    for run in common(one, other):
        kept = "".join(one[run.before : run.before + run.length])
        gone, new = "".join(one[went : run.before]), "".join(other[came : run.after])
        went, came = run.before + run.length, run.after + run.length
        found += [*_said("-", gone), *_said("+", new), *_said("=", kept)]
    return _joined(found)


def _joined(found: list[Word]) -> list[Word]:
    """With changes brought together between which nothing but space stayed."""
    joined: list[Word] = []
    gone = new = ""
    for n, (sign, text) in enumerate(found):
        between = sign == "=" and text.isspace() and (gone or new) and n + 1 < len(found)
        if sign == "=" and not between:
            joined += [*_said("-", gone), *_said("+", new), ("=", text)]
            gone = new = ""
        gone += text if sign == "-" or between else ""
        new += text if sign == "+" or between else ""
    return [*joined, *_said("-", gone), *_said("+", new)]


def _said(sign: Sign, text: str) -> list[Word]:
    return [(sign, text)] if text else []
