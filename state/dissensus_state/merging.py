"""How concurrent writes to a field come together: the markers used inside `Annotated`."""

from __future__ import annotations

from typing import Any, ClassVar

from .errors import SchemaRefused
from .objections import Objection, defect, tried
from .patches import Verb
from .values import JSON, canonical, copied


class Merge:
    """How concurrent writes to a field come together; derive from it for a merge of your own.

    A merge of your own has a method `merge` that takes the stored value and the given one, as JSON,
    and returns what shall stand there, changing neither. It is called when the write is admitted, with
    the value of the newest version; what came of it is stored, so that a history never needs it again.
    It refuses a value by raising ValueError. `dissensus.testing.check_merge` tries its laws.

    Attributes:
        commutes: Two such writes give an equally valid value in either order, so that one that has not
            seen the other is rebased over it instead of refused. A merge of your own does not, unless
            it says so itself.
    """

    verb: ClassVar[Verb] = "set"
    commutes: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "merge" in vars(cls):
            cls.verb = "fold"
            cls.commutes = bool(vars(cls).get("commutes", False))

    @property
    def name(self) -> str:
        """How the history names a merge of the user's own: `module:Class`."""
        return f"{type(self).__module__}:{type(self).__qualname__}"

    @property
    def own(self) -> bool:
        """Whether it is the user's, with a `merge` of its own."""
        return self.verb == "fold"

    def merge(self, old: JSON, new: JSON) -> JSON:
        """What shall stand there after `new` was given where `old` stood."""
        del old
        return new

    @classmethod
    def of(cls, metadata: list[Any]) -> Merge:
        """The merge that a field's metadata name; `Replace` where they name none."""
        for item in metadata:
            if isinstance(item, Merge):
                return item
            if isinstance(item, type) and issubclass(item, Merge):
                return item()
        return Replace()

    @staticmethod
    def is_marker(item: Any) -> bool:
        """Whether this piece of metadata is a merge."""
        return isinstance(item, Merge) or (isinstance(item, type) and issubclass(item, Merge))


def merged(merge: Merge, old: JSON, given: JSON, place: str) -> JSON:
    """What a merge of the user's own makes of two values, which stay as they are.

    Raises:
        SchemaRefused: it refuses them, or breaks; then `defect` says how.
    """
    theirs = copied(old), copied(given)
    made, found = tried(merge.merge, *theirs)
    if found is None and theirs != (old, given):
        found = defect("it changes what it is given")
    if found is not None:
        raise _refusal(merge, found, place, given)
    return made


def _refusal(merge: Merge, found: Objection, place: str, given: JSON) -> SchemaRefused:
    refuses = f"is broken: {found.defect}" if found.defect else f"refuses: {found.reason}"
    return SchemaRefused(
        f"The merge {type(merge).__qualname__} {refuses}",
        next_step="Mend the merge, and try it with dissensus.testing.check_merge" if found.defect else "",
        path=place,
        merge=merge.name,
        given=canonical(given)[:200],
        defect=found.defect,
        retry=found.retry,
    )


class Replace(Merge):
    """The whole value is replaced; two writes of it conflict. The default."""


class Append(Merge):
    """Items are added at the end of a list; two appends never conflict."""

    verb = "append"
    commutes = True


class Add(Merge):
    """Numbers are added up; two additions never conflict."""

    verb = "add"
    commutes = True


class Union(Merge):
    """Items join a set; two unions never conflict."""

    verb = "union"
    commutes = True


class MergeByKey(Merge):
    """Items of a dictionary, or of a list by the field `key`; only writes of one key conflict."""

    verb = "merge"

    def __init__(self, key: str | None = None) -> None:
        self.key = key


class Max(Merge):
    """The greater number, or the later text, stays; two of these never conflict. Anything beats None."""

    verb = "max"
    commutes = True


class Min(Merge):
    """The smaller number, or the earlier text, stays; two of these never conflict. Anything beats None."""

    verb = "min"
    commutes = True
