"""What commits have read and written, path by path, and no values: what dependence is told from.

Texts that come again and again (paths, read sets) are read once and are numbers from then on. Of a patch
only what says where it writes is looked at; values count only for how many items a list has.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from . import blobs, commits
from .commits import here
from .engines import Statement, Work
from .errors import Tampered, ValueRefused
from .folding import merge_items
from .lineages import lineage, pruned
from .tables import commits as commits_table
from .values import JSON, parse, parse_list, parse_object, parse_path, pointer

_PAGE = 10_000

_narrow = Statement(
    sa.select(
        *commits_table.c["version", "author", "transition", "round", "base", "reads", "patch", "source"]
    )
    .where(*here, commits_table.c.version > sa.bindparam("after"))
    .where(commits_table.c.version <= sa.bindparam("upto"))
    .order_by(commits_table.c.version)
)

_WHOLE = frozenset({"set", "remove", "merge"})
"""What replaces all that stood at its place."""

Touch = tuple[int, bool]
"""A path that was written, by its number, and whether what stood there was replaced as a whole."""


class Step(NamedTuple):
    """A commit as far as dependence goes; `reads` are the numbers of paths."""

    version: int
    author: str
    transition: str | None
    round: int | None
    base: int
    reads: tuple[int, ...]
    touches: tuple[Touch, ...]
    source: dict[str, JSON] | None


class Places:
    """Numbers for paths, and for each path those of the paths above it; 0 is the whole state."""

    def __init__(self) -> None:
        self.texts: list[str] = [""]
        self.above: list[tuple[int, ...]] = [()]
        self._numbers: dict[str, int] = {"": 0}
        self._sets: dict[str, tuple[int, ...]] = {"[]": ()}
        self._whole: dict[int, tuple[Touch, ...]] = {}

    def of(self, text: str) -> int:
        """The number of a pointer."""
        found = self._numbers.get(text)
        return self._add(text) if found is None else found

    def _add(self, text: str) -> int:
        upper = self.of(text[: text.rindex("/")])
        self.texts.append(text)
        self.above.append((upper, *self.above[upper]))
        found = self._numbers[text] = len(self.texts) - 1
        return found

    def read_set(self, text: str) -> tuple[int, ...]:
        """The numbers of a stored read set."""
        found = self._sets.get(text)
        if found is None:
            paths = [pointer(parse_path(str(path))) for path in parse_list(text)]
            found = self._sets[text] = tuple(dict.fromkeys(map(self.of, paths)))
        return found

    def whole(self, place: int) -> tuple[Touch, ...]:
        """What a commit touches that replaces the whole of a path and does nothing else."""
        found = self._whole.get(place)
        if found is None:
            found = self._whole[place] = ((place, True),)
        return found

    def overlap(self, one: int, other: int) -> bool:
        """Whether one path stands inside the other, or they are the same."""
        return one == other or one in self.above[other] or other in self.above[one]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no garbage be collected in this block, which makes many small things that all stay.

    Looking them through again and again would take as long as making them.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class DeepLists(Exception):
    """Items were added to a list inside of a value: the lengths of all of them are to be followed."""


class Lengths:
    """How many items the lists of a state have, as commits go by.

    Args:
        state: The state that the commits begin after; None where nobody knows any more.
        deep: Follow lists inside of values too, which costs a look at every value.
    """

    def __init__(self, places: Places, state: JSON, *, deep: bool) -> None:
        self._places = places
        self.deep = deep
        self._sizes: dict[int, int | str | None] = {}
        self._known = state is not None
        for name, value in (state or {}).items():
            self.put(places.of(pointer((name,))), value)

    def put(self, place: int, value: JSON) -> None:
        """A value stands at a place now."""
        if self.deep:
            self._walk(self._places.texts[place], value)
        elif isinstance(value, list):
            self._sizes[place] = len(value)

    def _walk(self, place: str, value: JSON) -> None:
        items: Iterable[tuple[str, Any]] = ()
        if isinstance(value, dict):
            items = value.items()
        elif isinstance(value, list):
            self._sizes[self._places.of(place)] = len(value)
            items = ((str(n), item) for n, item in enumerate(value) if isinstance(item, dict | list))
        for token, item in items:
            if isinstance(item, dict | list):
                self._walk(place + pointer((token,)), item)

    def put_aside(self, place: int, reference: str) -> None:
        """The same for a value that is kept aside; it is fetched only if items are added to it."""
        self._sizes[place] = reference

    def forget(self, place: int) -> None:
        """Nobody knows what stands there."""
        self._sizes[place] = None

    def add(self, work: Work, session_id: int, place: int, items: list[JSON]) -> int | None:
        """Add items to a list; how many it had before, if that is known."""
        if not self.deep and len(self._places.above[place]) > 1 and self._known:
            raise DeepLists  # what was known of it may have gone with what stands around it
        before = self._sizes.get(place)
        if isinstance(before, str):
            self.put(place, parse(blobs.get(work, session_id, blobs.dereference(before))))
            before = self._sizes.get(place)
        if not isinstance(before, int):
            return None
        self._sizes[place] = before + len(items)
        if self.deep:
            text = self._places.texts[place]
            for n, item in enumerate(items, start=before):
                self._walk(f"{text}/{n}", item)
        return before


class Reading:
    """The commits of one session as steps.

    Args:
        deep: As for `Lengths`.
    """

    def __init__(self, work: Work, session_id: int, places: Places, *, deep: bool = False) -> None:
        self.work = work
        self.session_id = session_id
        self.places = places
        self._deep = deep

    def steps(self, branch: str, after: int, upto: int) -> list[Step]:
        """The commits that are stored under a branch with `after < version <= upto`, oldest first.

        Raises:
            DeepLists: it takes the other kind of look.
            Tampered: what is stored cannot be read.
        """
        first = pruned(self.work, self.session_id, lineage(self.work, self.session_id, branch))
        if first is None or not after < first <= upto:
            return self._between(branch, after, upto, known=first is None or after >= first)
        gone = self._between(branch, after, first, known=False)
        return [*gone, *self._between(branch, first, upto)]

    def _between(self, branch: str, after: int, upto: int, *, known: bool = True) -> list[Step]:
        state: JSON = {} if known else None
        if known and after >= 0:
            state = commits.state_at(self.work, self.session_id, branch, after)
        lengths = Lengths(self.places, state, deep=self._deep)
        found: list[Step] = []
        for low in range(after, upto, _PAGE):
            high = min(low + _PAGE, upto)
            rows = self.work.all(_narrow, session_id=self.session_id, branch=branch, after=low, upto=high)
            found += self._read(rows, lengths)
        return found

    def _read(self, rows: Iterable[Any], lengths: Lengths) -> Iterator[Step]:
        read_set = self.places.read_set
        for version, author, transition, round_, base, reads, patch, source in rows:
            try:
                touches = self._touches(orjson.loads(patch), lengths)
                yield Step(
                    version,
                    author,
                    transition,
                    round_,
                    version - 1 if base is None else base,
                    read_set(reads),
                    touches,
                    None if source is None else parse_object(source),
                )
            except (AttributeError, IndexError, TypeError, ValueError, ValueRefused) as error:
                raise Tampered(f"Version {version} cannot be read: {error}", version=version) from error

    def _touches(self, patch: list[Any], lengths: Lengths) -> tuple[Touch, ...]:
        """The paths that a stored patch writes."""
        if len(patch) == 1:  # nearly all
            item = patch[0]
            verb, path = item[0], item[1]
            if verb == "set" and len(item) == 3:
                place = self.places.of(path)
                if item[2].__class__ in _HOLDING:
                    lengths.put(place, item[2])
                return self.places.whole(place)
            if verb == "merge" and len(item) == 4 and not lengths.deep and len(item[2]) == 1:
                name = str(item[2][0][item[3]])
                return self.places.whole(self.places.of(f"{path}/{_escaped(name)}"))
        found: list[Touch] = []
        for item in patch:
            found += self._operation(item, lengths)
        return tuple(found)

    def _operation(self, item: list[Any], lengths: Lengths) -> Iterable[Touch]:
        verb, path = item[0], item[1]
        place = self.places.of(path)
        how = item[4] if len(item) > 4 else None
        if how == "pruned":
            lengths.forget(place)
            return ((place, verb in _WHOLE and verb != "merge"),)
        value: Any = item[2] if len(item) > 2 else None
        if how == "blob" and verb != "set":
            value = parse(blobs.get(self.work, self.session_id, blobs.dereference(value)))
        match verb:
            case "set" | "remove":
                if how == "blob":
                    lengths.put_aside(place, value)
                elif value.__class__ in _HOLDING:
                    lengths.put(place, value)
                return ((place, True),)
            case "append":
                return self._appended(place, path, value, lengths)
            case "merge":
                return self._merged(place, path, value, item[3] if len(item) > 3 else None, lengths)
        return ((place, False),)

    def _appended(self, place: int, path: str, items: Any, lengths: Lengths) -> Iterable[Touch]:
        """Only the items that were added; the whole list where nobody knows how many were there."""
        start = lengths.add(self.work, self.session_id, place, items)
        if start is None or not items:
            return ((place, False),)
        if len(items) == 1:
            return ((self.places.of(f"{path}/{start}"), True),)
        return [(self.places.of(f"{path}/{start + n}"), True) for n in range(len(items))]

    def _merged(
        self, place: int, path: str, value: Any, key: str | None, lengths: Lengths
    ) -> Iterable[Touch]:
        named = merge_items(value, key, path)
        if not named:
            return ((place, False),)
        found = []
        for name, item in named.items():
            there = self.places.of(path + pointer((name,)))
            if lengths.deep:
                lengths.put(there, item)
            found.append((there, True))
        return found


def _escaped(name: str) -> str:
    """A key as it stands in a pointer."""
    return name.replace("~", "~0").replace("/", "~1") if "~" in name or "/" in name else name


_HOLDING = frozenset({dict, list})
