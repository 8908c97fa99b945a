"""Naming versions as git does: `v12`, `12`, `HEAD`, `main~3`, `~1`, and ranges `a..b`."""

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

_WAYS = "Write v12, 12, HEAD, main~3 or ~1"


def version_of(session: Session[Any], text: str) -> int:
    """The version that a revision names in a session.

    Raises:
        Misuse: it is no revision.
        NotFound: there is no such version or branch.
    """
    return resolve(text, session.head, session.branch)


def range_of(session: Session[Any], text: str) -> tuple[int, int]:
    """The two versions that `a..b` names; an end that is left out is the head."""
    if "..." in text:
        raise Misuse(f"{text!r} is no range of versions", next_step="Write a..b with two dots")
    before, _, after = text.partition("..")
    head = session.head
    return resolve(before, head, session.branch), resolve(after, head, session.branch)


def resolve(text: str, head: int, branch: str) -> int:
    """The version that a revision names on a branch with this head."""
    match = _REVISION.fullmatch(text.strip())
    if match is None:
        raise Misuse(f"{text!r} names no version", next_step=_WAYS)
    steps = sum(int(step or 1) for step in match["steps"].split("~")[1:])
    version = _start(match["start"], head, branch) - steps
    if not 0 <= version <= head:
        raise NotFound(
            f"There is no version {text}: the branch {branch} reaches from v0 to v{head}",
            next_step="See `dissensus log`",
        )
    return version


def _start(text: str, head: int, branch: str) -> int:
    if text in {"", "HEAD", branch}:
        return head
    version = _VERSION.fullmatch(text)
    if version:
        return int(version["number"])
    raise NotFound(f"There is no branch or version {text!r}", next_step=_WAYS)


def round_number(text: str) -> int | None:
    """The round that `r3` or `round:3` names; None where it names no round."""
    match = _ROUND.fullmatch(text.strip())
    return int(match["number"]) if match else None
