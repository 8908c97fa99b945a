"""Rights: who may read, propose, commit and rule on which paths.

A schema declares them beside its transitions, one entry for each author, agent or supervisor, or for
all whose names fit a pattern. What is not given is denied; a schema without rights allows everything.

    rights = [
        Rights("analyst", read={"question", "findings"}, propose={"verdict"}, commit={"findings"}),
        Rights("scout-*", read="question", commit="findings"),
        Rights("chair", read="/", rule={"verdict"}),
        Rights("*", read="question"),
    ]

| right | is asked for |
|---|---|
| `read` | each path that is read: in a transaction, in a prompt, in the read set of a proposal or commit |
| `propose` | each path that an agent's proposal writes |
| `commit` | each path that a commit without a ruling writes, `/phase` included where it moves |
| `rule` | each path that the ruled proposals or the amendment write, and that the ruled commit writes |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from .errors import Denied, FieldMissing, SchemaRefused
from .values import Path, parse_path, pointer, within

Right = Literal["read", "propose", "commit", "rule"]
RIGHTS: tuple[Right, ...] = get_args(Right)

EVERYBODY = "*"
JOINT = "+"
"""How an author is written who is several: `ana+ben`, who said the same in a round."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What an author, an agent or a supervisor may do with which paths.

    A path includes everything below it, and nothing above: who may write `/answers/7` may not set
    `/answers`. The whole state is `"/"`. What is left out is given to nobody.

    Args:
        name: A name; a pattern with one `*`, such as `"scout-*"`; or `"*"`, everybody else. One
            entry counts for a name: its own, else the first pattern that fits, else `"*"`.
        read: What may be read.
        propose: What a proposal of a round may write.
        commit: What may be committed without a ruling.
        rule: What may be ruled on.
    """

    name: str
    read: Iterable[str] = ()
    propose: Iterable[str] = ()
    commit: Iterable[str] = ()
    rule: Iterable[str] = ()
    given: Mapping[Right, tuple[Path, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.name or self.name.count("*") > 1 or JOINT in self.name:
            raise SchemaRefused(
                f"Rights are given to a name, or to a pattern with one *, and not to {self.name!r}",
                next_step=f"Write an entry for each name; of authors joined by {JOINT} each needs its own",
            )
        given = {right: _paths(self.name, right, getattr(self, right)) for right in RIGHTS}
        object.__setattr__(self, "given", given)

    def fits(self, name: str) -> bool:
        """Whether a name is this one, or fits the pattern."""
        before, star, after = self.name.partition("*")
        if not star:
            return name == self.name
        long_enough = len(name) >= len(before) + len(after)
        return long_enough and name.startswith(before) and name.endswith(after)

    def as_dict(self) -> dict[str, Any]:
        """The entry as plain data."""
        return {"name": self.name, **{right: list(map(shown, self.given[right])) for right in RIGHTS}}


def _paths(name: str, right: Right, given: object) -> tuple[Path, ...]:
    """Paths as they were declared: one, or several; None would be neither nothing nor everything."""
    if isinstance(given, str):
        given = (given,)
    if not isinstance(given, Iterable) or isinstance(given, bytes | Mapping):
        raise SchemaRefused(
            f"The rights of {name!r} have {right}={given!r}, which says neither nothing nor everything",
            next_step=f"""Leave {right} out for nothing, or write {right}="/" for everything""",
        )
    return tuple(sorted({parse_path(path) for path in given}))


class Grants:
    """The rights of a schema, compiled: which entry counts for whom.

    Raises:
        SchemaRefused: two entries have one name, or one stands after `"*"` and would never count.
        FieldMissing: a path names no field of the schema.
    """

    def __init__(self, entries: Iterable[Rights], fields: Iterable[str]) -> None:
        self.entries = tuple(entries)
        self._exact = {entry.name: entry for entry in self.entries if "*" not in entry.name}
        self._patterns = tuple(entry for entry in self.entries if "*" in entry.name)
        self._check(frozenset(fields))

    def _check(self, fields: frozenset[str]) -> None:
        names = [entry.name for entry in self.entries]
        for name in names:
            if names.count(name) > 1:
                raise SchemaRefused(
                    f"The rights of {name!r} are declared twice", next_step="Make them one entry"
                )
        if EVERYBODY in names[:-1]:
            raise SchemaRefused("Rights after '*' would never count", next_step="Put the entry '*' last")
        for entry in self.entries:
            for path in (path for right in RIGHTS for path in entry.given[right] if path):
                if path[0] not in fields:
                    raise FieldMissing(
                        f"The rights of {entry.name!r} name a field that is not there", path=pointer(path)
                    )

    def of(self, name: str) -> Rights | None:
        """The one entry that counts for a name; None where there is none."""
        exact = self._exact.get(name)
        return exact or next((entry for entry in self._patterns if entry.fits(name)), None)

    def paths(self, name: str, right: Right) -> tuple[Path, ...]:
        """Where a name has a right."""
        entry = self.of(name)
        return () if entry is None else entry.given[right]

    def table(self) -> list[dict[str, Any]]:
        """One row for each entry: name, read, propose, commit, rule."""
        return [entry.as_dict() for entry in self.entries]


def grants_of(entries: Iterable[Rights], fields: Iterable[str]) -> Grants | None:
    """The compiled rights of a schema; None where it declares none."""
    declared = tuple(entries)
    return Grants(declared, fields) if declared else None


def authors(name: str) -> Iterator[str]:
    """Everybody who stands behind an author: `ana+ben` is both."""
    return iter(dict.fromkeys(name.split(JOINT)))


def check(grants: Grants | None, author: str, right: Right, paths: Iterable[Path]) -> None:
    """Raise `Denied` for the first path at which an author has not this right.

    Of several authors joined by `+` each needs it. Who may commit, propose or rule nothing is denied
    though there are no paths.
    """
    if grants is None:
        return
    asked = tuple(paths)
    for one in authors(author):
        allowed = grants.paths(one, right)
        for path in asked:
            if not within(path, allowed):
                raise denied(one, right, path, allowed)
        if not allowed and right != "read":
            raise denied(one, right, (), allowed)


def holds(grants: Grants | None, author: str, right: Right, paths: Iterable[Path]) -> bool:
    """Whether `check` lets pass."""
    try:
        check(grants, author, right, paths)
    except Denied:
        return False
    return True


def denied(author: str, right: Right, path: Path, allowed: tuple[Path, ...]) -> Denied:
    """The error for a path at which an author has not this right."""
    places = list(map(shown, allowed))
    does = "rule on" if right == "rule" else right
    below = any(place[: len(path)] == path for place in allowed)
    return Denied(
        f"{author} may {does} {', '.join(places) or 'nothing'}",
        next_step="Name only the paths below it"
        if below
        else f"Leave the path alone, or give {author} the right to {does} it in the schema's `rights`",
        author=author,
        path=shown(path),
        right=right,
        allowed=places,
    )


def shown(path: Path) -> str:
    """A path as it is declared: `/` is the whole state."""
    return pointer(path) or "/"


def meet(one: tuple[Path, ...] | None, other: tuple[Path, ...] | None) -> tuple[Path, ...] | None:
    """The paths that stand within both; None stands for everything."""
    if one is None or other is None:
        return other if one is None else one
    inner = {path for path in one if within(path, other)} | {path for path in other if within(path, one)}
    return tuple(sorted(inner))


def granted(grants: Grants | None, name: str, right: Right) -> tuple[Path, ...] | None:
    """Where a name has a right; None for everywhere."""
    if grants is None:
        return None
    allowed = grants.paths(name, right)
    return None if () in allowed else allowed
