"""What differs between two states, path by path; between two long texts, word by word."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from .alignment import LONG_TEXT, Word, common, gaps, words
from .showing import MOST_CHARACTERS, Listing, Markup, Shown, cell, clipped, visible
from .values import JSON, Path, canonical, parse_path, pointer

Kind = Literal["added", "removed", "changed"]

_KINDS = ("removed", "changed", "added")
_MARKS = {"=": ("", ""), "-": ("[-", "-]"), "+": ("{+", "+}")}
_TAGS = {"=": "span", "-": "del", "+": "ins"}
_STYLES = {"-": ' style="background:#f8514933"', "+": ' style="background:#2ea04333"'}

ABSENT: JSON = object()
"""Nothing stands there."""


@dataclass(frozen=True, slots=True)
class Difference(Shown):
    """One path that differs: what stood there before, and what after.

    `path` is where it stands after, or stood, where it was removed. `was` is where it stood before, where
    that is another place: items of the list were removed or added in front of it.
    """

    path: str
    kind: Kind
    before: JSON = None
    after: JSON = None
    was: str | None = None

    @property
    def words(self) -> list[Word] | None:
        """How a long text became another, word by word; None for everything else."""
        one, other = self.before, self.after
        if self.kind != "changed" or not isinstance(one, str) or not isinstance(other, str):
            return None
        return words(one, other) if max(len(one), len(other)) >= LONG_TEXT else None

    def as_dict(self) -> dict[str, Any]:
        """The difference as plain data; a side where nothing stood is left out."""
        sides = {"before": self.before, "after": self.after}
        if self.kind == "added":
            del sides["before"]
        if self.kind == "removed":
            del sides["after"]
        told = self.words
        more = {"was": self.was, "words": None if told is None else [list(one) for one in told]}
        said = {name: value for name, value in more.items() if value is not None}
        return {"path": self.path, "kind": self.kind, **sides, **said}

    @property
    def sign(self) -> str:
        """`+` where it was added, `-` where it was removed, `~` where it changed."""
        return {"added": "+", "removed": "-", "changed": "~"}[self.kind]

    @property
    def where(self) -> str:
        """The path, and where it stood before if that was elsewhere."""
        path = self.path or "/"
        return path if self.was is None else f"{path} (was {self.was})"

    def cells(self) -> dict[str, object]:
        """What a row shows: the words of a long text as insertions and deletions."""
        told = self.words
        if told is not None:
            return {"": self.sign, "path": self.where, "before": None, "after": _marked(told)}
        before = None if self.kind == "added" else canonical(self.before)
        after = None if self.kind == "removed" else canonical(self.after)
        return {"": self.sign, "path": self.where, "before": before, "after": after}

    def __str__(self) -> str:
        """In a line, with the words of a long text as `[-old-]{+new+}`."""
        told = self.words
        if told is not None:
            said = in_words(told)
        elif self.kind == "changed":
            said = f"{cell(canonical(self.before))} -> {cell(canonical(self.after))}"
        else:
            said = cell(canonical(self.after if self.kind == "added" else self.before))
        return visible(f"{self.sign} {self.where}  {said}")


def in_words(told: Iterable[Word]) -> str:
    """Words as `git diff --word-diff` shows them; what stayed is shown about the changes alone."""
    return "".join(f"{_MARKS[sign][0]}{text}{_MARKS[sign][1]}" for sign, text in about(list(told)))


_ABOUT = 60
"""Characters that are shown of what stayed, before and after each change."""


def about(told: Sequence[Word]) -> Iterator[Word]:
    """The words with what stayed cut to what stands beside a change, and all cut to what can be read."""
    for n, (sign, text) in enumerate(told):
        if sign != "=":
            yield sign, clipped(text, MOST_CHARACTERS)
            continue
        first, last = n == 0, n + 1 == len(told)
        lead = "" if first else text[:_ABOUT]
        end = "" if last else text[-_ABOUT:]
        yield sign, text if len(text) <= len(lead) + len(end) + 1 else f"{lead}…{end}"


def _marked(told: list[Word]) -> Markup:
    return Markup(
        "".join(
            f"<{_TAGS[sign]}{_STYLES.get(sign, '')}>"
            f"{html.escape(chr(10).join(map(visible, text.split(chr(10)))))}</{_TAGS[sign]}>"
            for sign, text in about(told)
        )
    )


class Version(NamedTuple):
    """A version of a branch of a session."""

    session: str
    branch: str
    version: int

    def __str__(self) -> str:
        """As the command line writes it."""
        return f"{self.session}:{self.branch} v{self.version}"


class Diff(Listing[Difference]):
    """What differs between two versions, in the order of the paths.

    Attributes:
        before: The version it leads from.
        after: The version it leads to.
    """

    def __init__(self, items: Iterable[Difference], before: Version, after: Version) -> None:
        super().__init__(items)
        self.before = before
        self.after = after
        self.title = f"{before} .. {after}"


def diff(before: JSON, after: JSON, keys: Mapping[str, str] | None = None) -> list[Difference]:
    """The differences from one state to another, in the order of their paths.

    Items of lists are compared where they stand after what was removed and added in front of them, as long
    as that can be told in some hundred removals and additions; else by position.

    Args:
        keys: For top-level lists whose items have an identity, the field that holds it.
    """
    return in_order(_walk(before, after, (), (), keys or {}))


def at_path(before: JSON, after: JSON, path: Path, keys: Mapping[str, str]) -> list[Difference]:
    """The same of what stands at a path in either state; `ABSENT` for nothing."""
    sides = [{} if value is ABSENT else {path[-1]: value} for value in (before, after)]
    return in_order(_entries(sides[0], sides[1], path[:-1], path[:-1], keys))


def in_order(found: Iterable[Difference]) -> list[Difference]:
    """Differences in the order of their paths: positions as numbers, and before names."""
    return sorted(found, key=_rank)


def _rank(one: Difference) -> tuple[list[tuple[int, int, str]], int]:
    tokens = parse_path(one.path)
    ranks = [(0, int(token), "") if _is_number(token) else (1, 0, token) for token in tokens]
    return ranks, _KINDS.index(one.kind)


def _is_number(token: str) -> bool:
    return token.isascii() and token.isdigit() and len(token) <= 18


def _same(one: JSON, other: JSON) -> bool:
    if one is other:
        return True
    return type(one) is type(other) and one == other and canonical(one) == canonical(other)


def _walk(before: JSON, after: JSON, was: Path, path: Path, keys: Mapping[str, str]) -> Iterator[Difference]:
    if before is after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _entries(before, after, was, path, keys)
    elif isinstance(before, list) and isinstance(after, list):
        key = keys.get(path[0]) if len(path) == 1 else None
        if key is None:
            yield from _items(before, after, was, path, keys)
        else:
            yield from _entries(_by(before, key), _by(after, key), was, path, keys)
    elif not _same(before, after):
        yield _told("changed", was, path, before, after)


def _told(kind: Kind, was: Path, path: Path, before: JSON = None, after: JSON = None) -> Difference:
    moved = pointer(was) if kind == "changed" and was != path else None
    return Difference(pointer(was if kind == "removed" else path), kind, before, after, moved)


def _by(items: list[JSON], key: str) -> dict[str, JSON]:
    return {str(item[key]): item for item in items}


class _Item:
    """An item of a list as a whole; equal to what has the same canonical text."""

    __slots__ = ("value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: JSON) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Item) and _same(self.value, other.value)


def _items(
    before: list[JSON], after: list[JSON], was: Path, path: Path, keys: Mapping[str, str]
) -> Iterator[Difference]:
    """Of a list, first what went and came; in between, one item for one as long as there are both."""
    for gone, come in gaps(common([*map(_Item, before)], [*map(_Item, after)])):
        for old, new in zip(gone, come, strict=False):
            yield from _walk(before[old], after[new], (*was, str(old)), (*path, str(new)), keys)
        for old in gone[len(come) :]:
            yield _told("removed", (*was, str(old)), path, before[old])
        for new in come[len(gone) :]:
            yield _told("added", was, (*path, str(new)), None, after[new])


def _entries(
    before: Mapping[str, JSON],
    after: Mapping[str, JSON],
    was: Path,
    path: Path,
    keys: Mapping[str, str],
) -> Iterator[Difference]:
    for name in before.keys() | after.keys():
        old, new = (*was, name), (*path, name)
        if name not in after:
            yield _told("removed", old, new, before[name])
        elif name not in before:
            yield _told("added", old, new, None, after[name])
        else:
            yield from _walk(before[name], after[name], old, new, keys)
