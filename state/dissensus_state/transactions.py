"""A step by hand: what is read enters the read set, what is written becomes the patch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

from . import rights
from .errors import Denied, Refused
from .machine import check_rights
from .patches import Operation, Patch, Verb, apply, get
from .records import Change, Commit, Isolation
from .values import JSON, Path, copied, normalise, parse_path

if TYPE_CHECKING:
    from .heads import Head
    from .shapes import Shape


class Transaction:
    """An open change of the state; committed when its `with` block ends without an error.

    It sees one version, and its own writes on top of it. Values are held to the schema at once.

    Attributes:
        base: The version that it sees.
        commit: What came of it, after the block.
    """

    def __init__(
        self,
        head: Head,
        shape: Shape,
        settings: Change,
        finish: Callable[[Change], Commit],
        refuse: Callable[[Change, Denied | Refused], None],
    ) -> None:
        self.base = head.version
        self.commit: Commit | None = None
        self._shape = shape
        self._settings = settings
        self._finish = finish
        self._refuse = refuse
        self._folded: JSON = head.state
        self._operations: list[Operation] = []
        self._unfolded: list[Operation] = []
        self._reads: dict[Path, None] = {}
        self._evidence: list[JSON] = []

    def read(self, path: str) -> Any:
        """The value at a path, as it is stored; the path enters the read set.

        Raises:
            NotFound: nothing stands there.
            FieldMissing: the schema has no such field.
            Denied: the author may not read it.
        """
        parsed = parse_path(path)
        if parsed:
            self._shape.field(parsed[0])
        self._check_read(parsed)
        self._reads[parsed] = None
        return copied(get(self._state(), parsed, self._shape.keys))

    def write(self, path: str, value: Any) -> None:
        """Change a path in the way its field merges: append to an `Append` field, and so on."""
        self._as(None, path, value)

    def set(self, path: str, value: Any) -> None:
        """Put a value at a path."""
        self._as("set", path, value)

    def append(self, path: str, *items: Any) -> None:
        """Add items at the end of a list."""
        self._as("append", path, list(items))

    def add(self, path: str, number: float) -> None:
        """Add to a number."""
        self._as("add", path, number)

    def union(self, path: str, items: Iterable[Any]) -> None:
        """Add items to a set."""
        self._as("union", path, list(items))

    def merge(self, path: str, items: Any) -> None:
        """Put items of a dictionary, or of a list with a key field, at their keys."""
        self._as("merge", path, items)

    def remove(self, path: str) -> None:
        """Take a key of a dictionary away."""
        self._as("remove", path, None)

    def evidence(self, item: JSON) -> None:
        """Lay something beside the commit that invariants and guards can ask for."""
        self._evidence.append(normalise(item))

    def change(self) -> Change:
        """What has been gathered so far, as the one door of writing takes it."""
        settings = self._settings
        return Change(
            author=settings.author,
            patch=self.patch,
            base=self.base,
            reads=tuple(self._reads),
            transition=settings.transition,
            isolation=settings.isolation,
            writes=settings.writes,
            evidence=tuple(self._evidence),
            key=settings.key,
            lease=settings.lease,
        )

    @property
    def patch(self) -> Patch:
        """The operations so far."""
        return tuple(self._operations)

    def _as(self, verb: Verb | None, path: str, value: Any) -> None:
        try:
            self._stage(self._shape.operation(parse_path(path), value, verb))
        except (Denied, Refused) as error:
            self._refuse(self._settings, error)
            raise

    def _stage(self, operation: Operation) -> None:
        check_rights(self._settings.author, self._settings.writes, operation.touched())
        rights.check(self._shape.rights, self._settings.author, "commit", operation.touched())
        if len(operation.path) == 1:
            self._unfolded.append(operation)
        else:
            state = self._state()
            self._folded = apply(state, self._shape.resolved((operation,), state))
        self._operations.append(operation)

    def _state(self) -> JSON:
        """The state with this transaction's own writes, which is put together when it is asked for.

        A write of a whole field always has its place, and a list is not copied for nobody to read.
        """
        if self._unfolded:
            self._folded = apply(self._folded, self._shape.resolved(tuple(self._unfolded), self._folded))
            self._unfolded = []
        return self._folded

    def _check_read(self, path: Path) -> None:
        try:
            rights.check(self._shape.rights, self._settings.author, "read", (path,))
        except Denied as error:
            self._refuse(self._settings, error)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.commit = self._finish(self.change())


def settings(
    author: str,
    transition: str | None,
    isolation: Isolation,
    writes: Iterable[str] | None,
    key: str | None,
    lease: int | None = None,
) -> Change:
    """What is known of a change before it has a patch."""
    allowed = None if writes is None else tuple(parse_path(path) for path in writes)
    return Change(author, (), 0, (), transition, isolation, allowed, key=key, lease=lease)
