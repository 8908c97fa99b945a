"""The answer of a rerun: which decisions flipped, how often, what it cost, and where each branch went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dissensus_state.diff import Difference
from dissensus_state.showing import Shown, cell, table, usd, visible
from dissensus_state.values import JSON

from ..judgement.rates import Share

WIDEST = 32
"""Characters of a value in the text form; the whole value is in `as_dict`."""

_WIDER = 400


@dataclass(frozen=True, slots=True)
class Missing:
    """What stands where nothing was written."""

    def __str__(self) -> str:
        return "–"


NOTHING = Missing()


@dataclass(frozen=True, slots=True)
class Ruled(Shown):
    """How a round ended: who ruled what over whom, or who agreed.

    `decision` is a supervisor's, `agreed` where nobody had to rule, or `parked` where somebody has to.
    """

    decision: str
    by: str = ""
    upheld: tuple[str, ...] = ()
    dissent: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "decision": self.decision,
            "by": self.by,
            "upheld": list(self.upheld),
            "dissent": list(self.dissent),
        }

    def __str__(self) -> str:
        who, over = "+".join(self.upheld), f" over {', '.join(self.dissent)}" if self.dissent else ""
        if self.decision == "agreed":
            return f"agreed by {who}"
        return visible(f"{self.by} rules {self.decision} {who}{over}".replace("  ", " ").strip())


@dataclass(frozen=True, slots=True)
class Decision(Shown):
    """What was written at a path by one occurrence of a step, and on each branch in its place.

    Attributes:
        step: The step; `ordinal` counts how often it occurred, from 1.
        path: Where it wrote.
        then: What the original wrote; `NOTHING` where it wrote nothing there.
        now: What each branch wrote; None where the step did not occur there.
        flipped: On how many of the branches where the step occurred, and was settled, it said something else
            by the step's own comparators, with Wilson's 95 % interval.
        ruled_then, ruled_now: Who ruled, or agreed; None where the step did not occur.
    """

    step: str
    ordinal: int
    path: str
    then: JSON | Missing
    now: tuple[JSON | Missing | None, ...]
    flipped: Share
    ruled_then: Ruled | None = None
    ruled_now: tuple[Ruled | None, ...] = ()
    occurred: tuple[bool, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As plain data; a side where nothing was written is left out."""
        return {
            "step": self.step,
            "ordinal": self.ordinal,
            "path": self.path,
            **({} if isinstance(self.then, Missing) else {"then": self.then}),
            "now": [
                {"occurred": there, **({} if isinstance(value, Missing) or not there else {"value": value})}
                for value, there in zip(self.now, self.occurred, strict=True)
            ],
            "flipped": self.flipped.as_dict(),
            "ruled_then": None if self.ruled_then is None else self.ruled_then.as_dict(),
            "ruled_now": [None if one is None else one.as_dict() for one in self.ruled_now],
        }

    @property
    def values(self) -> list[tuple[str, int]]:
        """What the branches say as text, the most frequent first, with how many say it."""
        ruled = self.ruled_now or (None,) * len(self.now)
        said = Counter(map(_said_of, self.now, self.occurred, ruled))
        return said.most_common()

    def cells(self) -> dict[str, object]:
        """What is shown of it."""
        rate = self.flipped
        return {
            "step": self.step if self.ordinal == 1 else f"{self.step} #{self.ordinal}",
            "path": self.path or "/",
            "then": _text(self.then),
            "now": "; ".join(text if n == len(self.now) else f"{text} ({n})" for text, n in self.values),
            "flipped": f"{rate.hits} of {rate.of}",
            "95 %": f"{rate.low:.0%}–{rate.high:.0%}" if rate.of else "",
        }


def _said_of(value: JSON | Missing, there: bool, ruled: Ruled | None) -> str:  # noqa: FBT001 - by `map`
    """What a branch says, or why it says nothing."""
    if ruled is not None and ruled.decision == "parked":
        return "(a person would rule)"
    return _text(value) if there else "(it did not occur)"


def _text(value: JSON | Missing) -> str:
    """A value in a cell; of a long list, how long it is."""
    if isinstance(value, Missing):
        return str(value)
    text = cell(value)
    is_long = isinstance(value, list) and len(value) > 1 and len(text) > WIDEST
    return f"{len(value)} items" if is_long else text


@dataclass(frozen=True, slots=True)
class Spent(Shown):
    """What some rounds cost: money in nano-USD, time in milliseconds.

    Attributes:
        asked: Calls that were made; `reused` those that were made again from records, at no cost.
        nano: What was paid; `unpriced` calls of unknown price are not in it.
        reused_nano: What the reused calls had cost when they were made.
        latency_ms: How long the rounds had to wait for models: in each round for its slowest agent, and for
            whoever ruled after it; reused answers count as long as they took when they were made.
    """

    asked: int = 0
    reused: int = 0
    nano: int = 0
    unpriced: int = 0
    reused_nano: int = 0
    latency_ms: int = 0

    def plus(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(
            self.asked + other.asked,
            self.reused + other.reused,
            self.nano + other.nano,
            self.unpriced + other.unpriced,
            self.reused_nano + other.reused_nano,
            self.latency_ms + other.latency_ms,
        )

    def as_dict(self) -> dict[str, Any]:
        """As plain data, money in US dollars."""
        return {
            "asked": self.asked,
            "reused": self.reused,
            "usd": self.nano / 1e9,
            "unpriced": self.unpriced,
            "reused_usd": self.reused_nano / 1e9,
            "latency_ms": self.latency_ms,
        }

    def __str__(self) -> str:
        said = f"{self.asked} calls for {usd(self.nano)}"
        said += f", {self.unpriced} of them of unknown price" if self.unpriced else ""
        said += f", {self.reused} reused (worth {usd(self.reused_nano)})" if self.reused else ""
        return f"{said}, {self.latency_ms / 1000:.1f} s"


@dataclass(frozen=True, slots=True)
class Way(Shown):
    """One branch of a rerun: where it went, how it ended, what it cost.

    Attributes:
        status: `finished`; `parked` where a person would have to rule; `budget` where the money did not
            last; `failed`; `open` where the rerun was interrupted, and goes on.
        steps: The steps that occurred, in order. `elsewhere` tells where they leave the original's.
        carried: The commits of others that were brought, by their version on the original line; `left_out`
            those that did not fit, each with why.
        differences: What differs between the final states, from the original's to this one's.
        why: The error where it ended by one. `abstained` names the agents who gave no answer, and why.
    """

    branch: str
    status: str
    version: int
    steps: tuple[str, ...]
    elsewhere: str = ""
    spent: Spent = field(default_factory=Spent)
    carried: tuple[int, ...] = ()
    left_out: tuple[Mapping[str, JSON], ...] = ()
    differences: tuple[Difference, ...] = ()
    parked: int | None = None
    why: Mapping[str, JSON] | None = None
    abstained: tuple[Mapping[str, JSON], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "branch": self.branch,
            "status": self.status,
            "version": self.version,
            "steps": list(self.steps),
            "elsewhere": self.elsewhere,
            "spent": self.spent.as_dict(),
            "carried": list(self.carried),
            "left_out": [dict(one) for one in self.left_out],
            "differences": [one.as_dict() for one in self.differences],
            "parked": self.parked,
            "why": None if self.why is None else dict(self.why),
            "abstained": [dict(one) for one in self.abstained],
        }

    def cells(self) -> dict[str, object]:
        """What is shown of it."""
        notes = [self.elsewhere] if self.elsewhere else []
        notes += [f"round {self.parked} waits for a person"] if self.parked is not None else []
        notes += [str(self.why.get("message", ""))] if self.why else []
        notes += [f"v{one['version']} left out: {one.get('message', '')}" for one in self.left_out]
        notes += [f"{one['agent']} abstained: {one.get('message', '')}" for one in self.abstained]
        return {
            "branch": self.branch,
            "status": self.status,
            "version": f"v{self.version}",
            "way": " → ".join(self.steps),
            "differs at": len(self.differences),
            "spent": str(self.spent),
            "": "; ".join(notes),
        }


@dataclass(frozen=True, slots=True)
class Rerun(Shown):
    """What became of a session when it was run again from a version on with something changed.

    Attributes:
        session, origin: The session, and the branch that was run again.
        since, until: From which version on, and up to which one.
        changed: What was changed: `swap` (models by seat) and `prompts`.
        decisions: What each step wrote then and now; `flipped` gives those that said something else.
        branches: Each branch with its way, its end and its cost.
        then: What the same rounds had cost in the original.
        uncompared: Paths whose comparator has to ask a model; there, values were compared by their type.
        unasked: Seats that were given something else, and that no branch had to ask: that had no effect.
    """

    session: str
    origin: str
    since: int
    until: int
    changed: Mapping[str, JSON]
    decisions: tuple[Decision, ...]
    branches: tuple[Way, ...]
    then: Spent
    uncompared: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()

    @property
    def flipped(self) -> tuple[Decision, ...]:
        """The decisions that flipped at least once."""
        return tuple(one for one in self.decisions if one.flipped.hits)

    @property
    def spent(self) -> Spent:
        """What all branches together have cost."""
        total = Spent()
        for way in self.branches:
            total = total.plus(way.spent)
        return total

    @property
    def is_finished(self) -> bool:
        """Whether every branch came to its end."""
        return all(way.status == "finished" for way in self.branches)

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "session": self.session,
            "origin": self.origin,
            "since": self.since,
            "until": self.until,
            "changed": dict(self.changed),
            "decisions": [one.as_dict() for one in self.decisions],
            "branches": [one.as_dict() for one in self.branches],
            "then": self.then.as_dict(),
            "spent": self.spent.as_dict(),
            "uncompared": list(self.uncompared),
            "unasked": list(self.unasked),
        }

    def __str__(self) -> str:
        times = len(self.branches)
        parts = [f"{self.session} from v{self.since} of {self.origin}: {_said(self.changed)}"]
        parts[0] += f", {times} times" if times != 1 else ""
        parts.append(grid([one.cells() for one in self.decisions], WIDEST) or "no step occurred")
        parts.append("\n".join(self._rulings()))
        parts.append(grid([one.cells() for one in self.branches]))
        parts.append(f"then: {self.then}\nnow:  {self.spent}")
        if self.uncompared:
            parts.append(f"compared by type alone: {', '.join(self.uncompared)}")
        parts.append(no_effect(self.unasked))
        return "\n\n".join(part for part in parts if part)

    def _rulings(self) -> list[str]:
        """How each occurrence ended then, and now."""
        seen: dict[tuple[str, int], str] = {}
        for one in self.decisions:
            now = Counter(str(ruled) for ruled in one.ruled_now if ruled is not None)
            words = [text if n == len(self.branches) else f"{text} ({n})" for text, n in now.most_common()]
            then = "it did not occur" if one.ruled_then is None else str(one.ruled_then)
            seen[one.step, one.ordinal] = f"{one.cells()['step']}: {then} → {'; '.join(words) or 'nothing'}"
        return list(seen.values())

    def _repr_html_(self) -> str:
        decided = [one.cells() for one in self.decisions]
        ways = [one.cells() for one in self.branches]
        costs: list[Sequence[object]] = [["then", str(self.then)], ["now", str(self.spent)]]
        costs += [["", no_effect(self.unasked)]] if self.unasked else []
        title = f"{self.session} from v{self.since} of {self.origin}: {_said(self.changed)}"
        return (
            table(list(decided[0]) if decided else (), [list(one.values()) for one in decided], title)
            + table(("how each step ended, then → now",), [[one] for one in self._rulings()])
            + table(list(ways[0]) if ways else (), [list(one.values()) for one in ways], "branches")
            + table((), costs, "cost")
        )


def no_effect(unasked: Sequence[str]) -> str:
    """That something was changed for seats that nobody asked; nothing where there are none."""
    if not unasked:
        return ""
    were = "was" if len(unasked) == 1 else "were"
    return f"{', '.join(unasked)} {were} not asked: what was changed there had no effect"


def _said(changed: Mapping[str, Any]) -> str:
    said = [f"{seat}={model}" for seat, model in changed.get("swap", {}).items()]
    said += [f"another prompt for {seat}" for seat in changed.get("prompts", {})]
    return ", ".join(said) or "nothing changed"


def grid(rows: Sequence[Mapping[str, object]], widest: int = _WIDER) -> str:
    """Rows as aligned text, on one line each; long cells are cut, and say by how many characters."""
    if not rows:
        return ""
    texts = [{name: _cut(visible(cell(value)), widest) for name, value in row.items()} for row in rows]
    names = [name for name in texts[0] if any(row.get(name) for row in texts)]
    widths = {name: max(len(name), *(len(row.get(name, "")) for row in texts)) for name in names}
    lines = [{name: name for name in names}, *texts]
    return "\n".join(
        "  ".join(row.get(name, "").ljust(widths[name]) for name in names).rstrip() for row in lines
    )


def _cut(text: str, widest: int) -> str:
    if len(text) <= widest:
        return text
    more = f"… +{len(text) - widest + 10:,}"
    return text[: widest - 10] + more
