"""What a replay finds: where a history is not what today's code, prompts and schema make of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from dissensus_state.errors import Diverged
from dissensus_state.patches import patch_to_json
from dissensus_state.readmission import Refusal
from dissensus_state.records import Commit
from dissensus_state.showing import Listing, Shown, clipped
from dissensus_state.values import JSON, canonical

Effect: TypeAlias = Literal["refused", "asked", "differs"]
"""What would become of it today: the commit would be refused; a model would be asked anew, since it would be
asked something else; something else would be made of the same answers."""

EFFECTS: dict[Effect, str] = {
    "refused": "would be refused",
    "asked": "would be asked anew",
    "differs": "would differ",
}

MOST = 100
"""How many differences a report lists; it counts the rest."""

MAX_SHOWN = 2000
"""How much of a value a difference shows, in characters."""

_AROUND, _WITHIN = 3, 12
"""Words before and after a change, and words of it, that are shown."""


@dataclass(frozen=True, slots=True)
class Divergence(Shown):
    """One thing in which a history is not what today's code makes of it.

    `version` is the commit's, if the round ended in one; `call` says which (`ana, attempt 2`), `part` which
    part of what was asked, by its name. `expected` is what stands in the records and `actual` what there
    would be now, as canonical JSON of at most 2,000 characters. `rule` is the code of the refusal, `why` what
    it says. `words` are what was taken out of a text and what was put in: `[-old-] {+new+}`.
    """

    effect: Effect
    field: str
    expected: str
    actual: str
    version: int | None = None
    round: int | None = None
    step: str | None = None
    call: str | None = None
    part: str | None = None
    rule: str | None = None
    why: str | None = None
    words: str | None = None

    @property
    def place(self) -> str:
        """Where it is, in words."""
        version = "" if self.version is None else f"v{self.version}"
        round_ = "" if self.round is None else f"round {self.round}"
        step = f"({self.step})" if self.step else ""
        return " ".join(filter(None, (version, round_, step)))

    @property
    def what(self) -> str:
        """What it is, in a line."""
        if self.why is not None:
            return self.why
        part = f" ({self.part})" if self.part else ""
        told = self.words or f"{clipped(self.expected, 80)} -> {clipped(self.actual, 80)}"
        return f"{self.field}{part}: {told}"

    def __str__(self) -> str:
        """Where, what, and what would become of it."""
        return f"{self.place}  {EFFECTS[self.effect]}  {self.what}".strip()


def divergence(effect: Effect, where: str, expected: JSON, actual: JSON, **said: Any) -> Divergence:
    """A difference between two values, of which as much is shown as fits."""
    return Divergence(effect, where, _shown(expected), _shown(actual), **said)


def _shown(value: JSON) -> str:
    return clipped(canonical(value), MAX_SHOWN)


def refused(refusal: Refusal, commit: Commit, step: str | None) -> Divergence:
    """A commit that would be refused now, and by which rule; or the patch that it would be."""
    said = {"version": commit.version, "round": commit.round, "step": step}
    error = refusal.error
    if refusal.instead is not None:
        patches = map(patch_to_json, (commit.patch, refusal.instead))
        return divergence("differs", "patch", *patches, **said)
    told = error.as_dict()
    kept = {name: value for name, value in told.items() if name not in {"next", "message"}}
    return divergence("refused", "admission", "admitted", kept, rule=error.code, why=error.message, **said)


@dataclass(slots=True)
class Divergences:
    """The differences that were found so far; the first is raised unless a report was asked for.

    Attributes:
        most: How many are kept; None: the first one is raised.
        untold: What could not be replayed, since it was taken away for good.
    """

    most: int | None = None
    found: list[Divergence] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    untold: list[str] = field(default_factory=list)
    lost: int = 0

    def add(self, one: Divergence) -> None:
        """Take a difference in.

        Raises:
            Diverged: it is the first, and no report was asked for.
        """
        if self.most is None:
            raise diverged(one)
        self.counts[one.effect] += 1
        if len(self.found) < self.most:
            self.found.append(one)

    def lose(self, what: str) -> None:
        """Say what cannot be replayed any more."""
        self.lost += 1
        if len(self.untold) < MOST:
            self.untold.append(what)

    @property
    def more(self) -> int:
        """How many there are beyond those that are kept."""
        return sum(self.counts.values()) - len(self.found)


class Differences(Listing[Divergence]):
    """The differences of a replay; `more` counts those that are not listed."""

    title = "Differences"

    def __init__(self, found: Sequence[Divergence] = (), more: int = 0) -> None:
        super().__init__(found)
        self.more = more

    @property
    def rest(self) -> str:
        """How many are not listed."""
        return f"… and {self.more:,} more differences" if self.more else ""


def diverged(one: Divergence, more: int = 0) -> Diverged:
    """A difference as the error that a replay ends with."""
    said = {name: value for name, value in one.as_dict().items() if name != "why"}
    if one.why is not None:
        what = f"Version {one.version} would be refused now: {one.why}"
    elif one.round is not None:
        what = f"Round {one.round} does not come out as it was recorded: {one.field}"
    else:
        what = f"Version {one.version} does not come out as it was recorded: {one.field}"
    return Diverged(what, **said, more=more or None)


def words(before: str, after: str) -> str:
    """What was taken out of a text and what was put in, with some words around: `the [-old-] {+new+} one`.

    It is one stretch, from the first word that differs to the last.
    """
    old, new = before.split(), after.split()
    if old == new:
        return "only the spaces differ"
    same = _common(old, new)
    last = _common(old[same:][::-1], new[same:][::-1])
    gone, come = old[same : len(old) - last], new[same : len(new) - last]
    lead = old[max(0, same - _AROUND) : same]
    tail = old[len(old) - last :][:_AROUND]
    parts = [
        "…" if same > _AROUND else "",
        " ".join(lead),
        f"[-{_short(gone)}-]" if gone else "",
        f"{{+{_short(come)}+}}" if come else "",
        " ".join(tail),
        "…" if last > _AROUND else "",
    ]
    return " ".join(filter(None, parts))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for mine, its in zip(one, other, strict=False):
        if mine != its:
            break
        count += 1
    return count


def _short(several: Sequence[str]) -> str:
    if len(several) <= _WITHIN:
        return clipped(" ".join(several), 300)
    half = _WITHIN // 2
    return clipped(" ".join([*several[:half], "…", *several[-half:]]), 300)
