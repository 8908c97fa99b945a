"""Naming versions as git does: `v12`, `12`, `HEAD`, `main~3`, `~1`, branches, tags, ranges `a..b`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dissensus_state.errors import NotFound

from .errors import Misuse

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

_REVISION = re.compile(r"(?P<start>[^~]*)(?P<steps>(?:~[0-9]{0,9})*)")
_VERSION = re.compile(r"v?(?P<number>[0-9]{1,18})")
_ROUND = re.compile(r"(?:r|round[: ]?)(?P<number>[0-9]{1,18})")

_WAYS = "Write v12, 12, HEAD, main~3, ~1, or the name of a branch or tag"


def version_of(session: Session[Any], text: str) -> int:
    """The version that a revision names on the session's own branch.

    Raises:
        Misuse: it is no revision, or names a version of another branch.
        NotFound: there is no such version, branch or tag.
    """
    found, version = place_of(session, text)
    if found.branch != session.branch:
        raise Misuse(
            f"{text!r} is a version of {found.branch}, and not of {session.branch}",
            next_step=f"Add --branch {found.branch}, or name a version of {session.branch}",
        )
    return version


def place_of(session: Session[Any], text: str) -> tuple[Session[Any], int]:
    """The version that a revision names, and the session on the branch it is a version of.

    Raises:
        Misuse: it is no revision.
        NotFound: there is no such version, branch or tag.
    """
    start, steps = _parts(text)
    if start in {"", "HEAD", session.branch} or _VERSION.fullmatch(start):
        return session, resolve(text, session.head, session.branch)
    if any(one.name == start for one in session.branches()):
        other = session.on(start)
        return other, resolve(text, other.head, start)
    for one in session.tags():
        if one.name == start:
            other = session if one.branch == session.branch else session.on(one.branch)
            return other, resolve(f"v{one.version}{steps}", other.head, one.branch)
    raise _unknown(start)


def ends_of(text: str) -> tuple[tuple[str | None, str], tuple[str | None, str]]:
    """What `a..b` names: of either end the session, where one stands before a colon, and the revision.

    An end that is left out is the head. No branch or tag has a colon in its name.

    Raises:
        Misuse: it is no range.
    """
    if "..." in text:
        raise Misuse(f"{text!r} is no range of versions", next_step="Write a..b with two dots")
    before, _, after = text.partition("..")
    return _end(before), _end(after)


def _end(text: str) -> tuple[str | None, str]:
    session, _, revision = text.strip().rpartition(":")
    return session or None, revision


def resolve(text: str, head: int, branch: str) -> int:
    """The version that a revision names on a branch with this head."""
    start, back = _parts(text)
    steps = sum(int(step or 1) for step in back.split("~")[1:])
    version = _start(start, head, branch) - steps
    if not 0 <= version <= head:
        raise NotFound(
            f"There is no version {text}: the branch {branch} reaches from v0 to v{head}",
            next_step="See `dissensus log`",
        )
    return version


def _parts(text: str) -> tuple[str, str]:
    """Where a revision begins, and the steps back from there."""
    match = _REVISION.fullmatch(text.strip())
    if match is None:
        raise Misuse(f"{text!r} names no version", next_step=_WAYS)
    return match["start"], match["steps"]


def _start(text: str, head: int, branch: str) -> int:
    if text in {"", "HEAD", branch}:
        return head
    version = _VERSION.fullmatch(text)
    if version:
        return int(version["number"])
    raise _unknown(text)


def _unknown(text: str) -> NotFound:
    return NotFound(f"There is no branch, tag or version {text!r}", next_step=_WAYS)


def round_number(text: str) -> int | None:
    """The round that `r3` or `round:3` names; None where it names no round."""
    match = _ROUND.fullmatch(text.strip())
    return int(match["number"]) if match else None
