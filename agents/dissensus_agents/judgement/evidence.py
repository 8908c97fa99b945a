"""Evidence: what one check found on what is proposed, and how a commit's rules ask for it.

Only evidence from outside the models may be called *verified*: a text that was searched, a
computation that was made again, a program that was run, a database that was asked. An opinion of a
model says so of itself (`outside=False`) and never counts as that.

    class Inquiry(SharedState):
        @invariant("verdict")
        @staticmethod
        def a_verdict_was_run(before, after, evidence):
            return demands(evidence, "runs", version="1", path="/verdict/code")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Protocol, Self, TypeAlias

from dissensus_state.objections import Objection
from dissensus_state.values import JSON, Path, parse_path, pointer, within

SHOWN: Final = 200
"""Characters of a value that are shown in evidence."""

MAX_DETAIL: Final = 600
"""Characters of the sentence of one piece of evidence."""

Values: TypeAlias = Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one check found.

    Attributes:
        verifier: The name of the check.
        version: Its version: a new one says that old evidence was found in another way.
        passed: Whether it holds. What could not be found out has not passed.
        path: The JSON pointer of what was checked.
        detail: A sentence for a person.
        decides: A pass proves that the value is right, and is no mere failure to refute it.
        outside: It comes from outside the models. What a model says never does.
        broke: The check itself could not be made (a source that did not answer, a limit of ours), so
            that it speaks neither for nor against the value. It has not passed.
    """

    verifier: str
    version: str
    passed: bool
    path: str = ""
    detail: str = ""
    decides: bool = False
    outside: bool = True
    broke: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The evidence as plain data, for storing; what is as usual is left out."""
        told = {name: getattr(self, name) for name in _NAMES}
        return {name: value for name, value in told.items() if name in _ALWAYS or value is not _USUAL[name]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Evidence as it was stored, by this version of dissensus or by another."""
        return cls(**{name: data[name] for name in _NAMES if name in data})

    @property
    def refutes(self) -> bool:
        """Whether it speaks against the value, from outside the models."""
        return self.outside and not self.passed and not self.broke

    @property
    def proves(self) -> bool:
        """Whether it proves the value, from outside the models."""
        return self.outside and self.passed and self.decides


_NAMES: Final = tuple(field.name for field in fields(Evidence))
_ALWAYS: Final = frozenset({"verifier", "version", "passed", "path", "detail"})
_FLAGS: Final = ("passed", "decides", "outside", "broke")
_USUAL: Final = {"decides": False, "outside": True, "broke": False}


class Named(Protocol):
    """Whatever gives evidence: it has a name, and a version that changes whenever the check does."""

    @property
    def name(self) -> str:
        """What the check is called, in the history and in rulings."""

    @property
    def version(self) -> str:
        """Changes whenever the check does."""


def passed(one: Named, detail: str, path: Path = (), *, decides: bool = False) -> Evidence:
    """Evidence that a check holds."""
    return Evidence(
        one.name, one.version, passed=True, path=pointer(path), detail=plain(detail), decides=decides
    )


def failed(one: Named, detail: str, path: Path = ()) -> Evidence:
    """Evidence that a check does not hold."""
    return replace(passed(one, detail, path), passed=False)


def unknown(one: Named, detail: str, path: Path = ()) -> Evidence:
    """Evidence that a check could not be made: nothing passes by that, and nobody is wrong by it."""
    return replace(failed(one, detail, path), broke=True)


def short(text: str, limit: int = SHOWN) -> str:
    """A text as it is shown in evidence."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def plain(text: str, limit: int = MAX_DETAIL) -> str:
    """A text of somebody else's that can be stored and shown: bounded, and without control characters."""
    return "".join(map(_seen, short(text, limit)))


def _seen(char: str) -> str:
    if char.isprintable() or char in "\n\t":
        return char
    return " " if char.isspace() else "\ufffd"


def decided(evidence: Iterable[Evidence]) -> bool:
    """Whether something from outside the models has proved or refuted what it was found on."""
    return any(item.proves or item.refutes for item in evidence)


def verified(
    evidence: Iterable[Evidence | Mapping[str, Any]],
    by: str | Named,
    *,
    version: str | None = None,
    path: str | None = None,
) -> bool:
    """Whether a check from outside the models was made and passed, and none of its kind failed.

    Args:
        evidence: As a guard or an invariant is given it, or as verifiers give it.
        by: The verifier, or its name.
        version: Which version of it is asked for; any where None. A verifier asks for its own.
        path: Where it must have been found: there or below. Anywhere where None.
    """
    return demands(evidence, by, version=version, path=path) is None


def demands(
    evidence: Iterable[Evidence | Mapping[str, Any]],
    by: str | Named,
    *,
    version: str | None = None,
    path: str | None = None,
) -> Objection | None:
    """The same for an invariant to return: None, or what is missing of the evidence it demands.

    A model cannot mend that a check was not made, or was made by another version: the objection says
    that no other patch would help. Where a check failed, another patch may.
    """
    name = by if isinstance(by, str) else by.name
    wanted = version if isinstance(by, str) or version is not None else by.version
    found = [_read(item) for item in evidence]
    place = None if path is None else parse_path(path)
    mine = [one for one in found if one.verifier == name and one.outside and _is_at(one, place)]
    current = [one for one in mine if wanted is None or one.version == wanted]
    told = f"{name} {wanted}" if wanted is not None else name
    at = "" if path is None else pointer(parse_path(path))
    if against := next((one for one in current if not one.passed), None):
        return _objection(
            f"the check {told} was not passed: {against.detail}", against.path or at, retry=True
        )
    if current:
        return None
    stale = sorted({one.version for one in mine})
    there = f"it was made by version {', '.join(stale)} only" if stale else "there is no evidence of it"
    return _objection(f"the check {told} is demanded, and {there}", at, retry=False)


def _objection(reason: str, path: str, *, retry: bool) -> Objection:
    return Objection(reason, path=path or None, retry=retry)


def _read(item: Any) -> Evidence:
    """A piece of evidence; one that is none (redacted, or of somebody's own form) is nobody's."""
    if isinstance(item, Evidence):
        return item
    known = isinstance(item, Mapping) and {"verifier", "version", "passed"} <= item.keys()
    if not known or any(type(item[name]) is not _TYPES[name] for name in item.keys() & _TYPES.keys()):
        return Evidence("", "", passed=False)
    return Evidence.from_dict(item)


_TYPES: Final = {
    **dict.fromkeys(("verifier", "version", "path", "detail"), str),
    **dict.fromkeys(_FLAGS, bool),
}


def _is_at(one: Evidence, place: Path | None) -> bool:
    return place is None or within(parse_path(one.path), (place,))
