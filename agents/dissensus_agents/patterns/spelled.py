"""Patterns as words on a command line or in a file: `cascade:flash+llama>pro`.

    switch:a                 one model
    parallel:a+b             several are asked at once; the first that answers counts
    panel:a+b+c              several answer, the answer of most of them counts
    panel:a+b+c/chair        the same, with a supervisor over what they do not agree on
    cascade:a+b>c            c is asked only where a and b do not agree
    cascade:a+b>c+d>e/chair  any number of tiers, and a supervisor over the last

Names are those of models, or labels that stand for them. A name that holds `+`, `>` or `/` is understood
where it is among the known ones. This is syntax alone: nothing is looked up or made here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import GraphError

Kind = Literal["switch", "parallel", "panel", "cascade"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LONGEST = 1000
MOST_NAMES = 16

_MARKS = "+>/"


@dataclass(frozen=True, slots=True)
class Spelled:
    """A pattern as it was written: its tiers, each of models that are asked together, and who rules."""

    kind: Kind
    tiers: tuple[tuple[str, ...], ...]
    supervisor: str | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """Everybody who may be asked the question itself, in order, without the supervisor."""
        return tuple(name for tier in self.tiers for name in tier)

    def __str__(self) -> str:
        said = ">".join("+".join(tier) for tier in self.tiers)
        return f"{self.kind}:{said}" + (f"/{self.supervisor}" if self.supervisor else "")


def is_spelled(text: str) -> bool:
    """Whether a text begins as a pattern does; anything else names a model."""
    return text.partition(":")[0] in KINDS


def spelled(text: str, known: Collection[str] = ()) -> Spelled:
    """Read a pattern.

    Args:
        text: What was written.
        known: Names that are taken whole, whatever they hold.

    Raises:
        GraphError: It is no pattern; it says what is wrong with it.
    """
    kind, _, rest = text.strip().partition(":")
    if kind not in KINDS or len(text) > LONGEST:
        raise _no(text, f"A pattern begins with one of {', '.join(f'{one}:' for one in KINDS)}")
    tiers, supervisor = _parts(text, rest, known)
    if kind in {"panel", "parallel"} and len(tiers) == 2 and len(tiers[1]) == 1 and supervisor is None:
        tiers, supervisor = tiers[:1], tiers[1][0]  # a+b>c: who is asked where they do not agree
    made = Spelled(kind, tuple(map(tuple, tiers)), supervisor)
    _check(text, made)
    return made


def _parts(text: str, rest: str, known: Collection[str]) -> tuple[list[list[str]], str | None]:
    tiers: list[list[str]] = [[]]
    supervisor: str | None = None
    ruled = False
    for mark, name in _names(rest, known):
        if not name:
            raise _no(text, f"A name is missing{f' after {mark!r}' if mark else ''}")
        if ruled:
            raise _no(text, "The supervisor after / comes last")
        if mark == "/":
            supervisor, ruled = name, True
        elif mark == ">":
            tiers.append([name])
        else:
            tiers[-1].append(name)
    return tiers, supervisor


def _names(rest: str, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Each name with the mark before it; a known name is taken whole, the longest first."""
    longest = sorted(known, key=len, reverse=True)
    mark, at = "", 0
    while True:
        whole = next((name for name in longest if _stands(rest, name, at)), None)
        end = at + len(whole) if whole else min(rest.find(m, at) % (len(rest) + 1) for m in _MARKS)
        yield mark, rest[at:end].strip()
        if end >= len(rest):
            return
        mark, at = rest[end], end + 1


def _stands(rest: str, name: str, at: int) -> bool:
    end = at + len(name)
    return bool(name) and rest.startswith(name, at) and (end == len(rest) or rest[end] in _MARKS)


def _check(text: str, made: Spelled) -> None:
    members = made.members
    if len(set(members)) < len(members):
        raise _no(text, "Each model has one seat")
    if len(members) > MOST_NAMES:
        raise _no(text, f"It has {len(members)} seats, and {MOST_NAMES} are the most")
    if made.kind == "switch" and (len(members) != 1 or made.supervisor):
        raise _no(text, "A switch has one model and nobody who rules")
    if made.kind in {"panel", "parallel"} and (len(made.tiers) != 1 or len(members) < 2):
        raise _no(text, f"A {made.kind} has two models or more, joined by +")
    if made.kind == "parallel" and made.supervisor:
        raise _no(text, "Nobody rules over a parallel; a panel has a supervisor")
    if made.kind == "cascade" and len(made.tiers) < 2:
        raise _no(text, "A cascade has two tiers or more, parted by >")


def _no(text: str, why: str) -> GraphError:
    return GraphError(
        f"{text[:80]!r} is no pattern: {why[:1].lower()}{why[1:]}",
        next_step="Write it like cascade:flash+llama>pro, panel:a+b+c/chair, parallel:a+b or switch:a",
    )
