"""The frozen nouns of the history, as they are read from the database."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from .accounts import Account as Account  # noqa: PLC0414 - a record like the others
from .budgets import Budget as Budget  # noqa: PLC0414 - what a session is created with
from .called import Call as Call  # noqa: PLC0414
from .called import CallStatus as CallStatus  # noqa: PLC0414
from .patches import Patch, patch_to_json, touched
from .showing import Shown, when
from .values import JSON, Path, parse_path, pointer

Isolation = Literal["serializable", "snapshot"]
RoundStatus = Literal["open", "review", "parked", "committed", "retried", "rejected", "void"]
ProposalStatus = Literal["open", "accepted", "dissent", "abstained", "void"]
Decision = Literal["uphold", "amend", "retry", "reject", "escalate"]

GradeBasis = Literal["reference", "person", "verifier"]
"""Whence it is known that a proposal was right or wrong: from outside of the models."""

RULING = "supervisor"
"""The agent that a grade names where it is on the ruling of a round."""

SETTLED: frozenset[str] = frozenset({"committed", "retried", "rejected", "void"})
"""The states of a round that it never leaves."""


@dataclass(frozen=True, slots=True)
class Commit(Shown):
    """One accepted, atomic step to `version`.

    `base` is the version its author had read; where that is not the one before, the commit was
    rebased over those in between. `at` is in milliseconds since 1970 and tells nothing about order.
    `source` says where a patch was taken from that nobody wrote by hand: `{"merge": …}`, `{"revert": …}`,
    `{"upcast": …}`, `{"carry": …}`; or what an empty patch says: `{"retract": …}`. `size` counts the
    characters of the stored patch.
    """

    version: int
    branch: str
    author: str
    transition: str | None
    round: int | None
    base: int
    isolation: Isolation
    reads: tuple[str, ...]
    patch: Patch
    evidence: tuple[JSON, ...]
    key: str | None
    at: int
    schema_version: int
    hash: bytes
    source: dict[str, JSON] | None = None
    size: int = field(default=0, compare=False)

    @property
    def writes(self) -> tuple[Path, ...]:
        """The write set."""
        return touched(self.patch)

    @property
    def read_paths(self) -> tuple[Path, ...]:
        """The read set, parsed."""
        return tuple(parse_path(path) for path in self.reads)

    def as_dict(self) -> dict[str, Any]:
        """The commit as plain data."""
        return {
            "version": self.version,
            "branch": self.branch,
            "author": self.author,
            "transition": self.transition,
            "round": self.round,
            "base": self.base,
            "isolation": self.isolation,
            "reads": list(self.reads),
            "writes": [pointer(path) for path in self.writes],
            "patch": patch_to_json(self.patch),
            "evidence": list(self.evidence),
            "key": self.key,
            "at": self.at,
            "schema_version": self.schema_version,
            "hash": self.hash.hex(),
            "source": self.source,
        }

    @property
    def kind(self) -> str:
        """What it is: `write`, `round`, or what its patch was taken from."""
        return kind_of(self.source, self.round)

    def cells(self) -> dict[str, object]:
        """What a line of the log says."""
        return {
            "version": f"v{self.version}",
            "when": when(self.at),
            "author": self.author,
            "transition": self.transition or (None if self.kind in {"write", "round"} else self.kind),
            "round": f"r{self.round}" if self.round else None,
            "writes": " ".join(dict.fromkeys(pointer(path) for path in self.writes)),
        }


KINDS = {
    "merge": "merge",
    "revert": "revert",
    "upcast": "migration",
    "redact": "redaction",
    "prune": "prune",
    "retract": "retraction",
    "carry": "carry",
}
"""What a commit is called whose patch was taken from elsewhere, by what its source says."""


def kind_of(source: dict[str, JSON] | None, round_: int | None) -> str:
    """What a commit is: `write`, `round`, or one of `KINDS`."""
    for name in source or ():
        if name in KINDS:
            return KINDS[name]
    return "round" if round_ else "write"


UPCAST = "upcast"
"""What the source of a migration is called."""

MASK: Any = object()
"""The replacement of a redaction that names none: the same structure, `"[redacted]"` for every text."""

REDACT, PRUNE = "redact", "prune"
"""What the sources of commits are called that say what was taken away for good."""


RETRACT, CARRY = "retract", "carry"
"""What the sources of commits are called that take another one for wrong, or bring it again elsewhere."""


OMIT = "omit"
"""What the source of a commit is called that says what of the recordings was left out of a copy."""


def is_migration(commit: Commit) -> bool:
    """Whether a commit says that it lifts the state to a newer schema version."""
    return commit.source is not None and UPCAST in commit.source


def erases(source: dict[str, JSON] | None) -> bool:
    """Whether a source says that something was taken away for good."""
    return source is not None and not source.keys().isdisjoint({REDACT, PRUNE, OMIT})


def carries(source: dict[str, JSON] | None) -> bool:
    """Whether a source says that a commit of another line was brought again."""
    return source is not None and CARRY in source


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody asks the state to become: the argument of the one door of writing."""

    author: str
    patch: Patch
    base: int
    reads: tuple[Path, ...] = ()
    transition: str | None = None
    isolation: Isolation = "serializable"
    writes: tuple[Path, ...] | None = None
    round: int | None = None
    evidence: tuple[JSON, ...] = ()
    key: str | None = None
    source: dict[str, JSON] | None = None
    lease: int | None = None


@dataclass(frozen=True, slots=True)
class Round(Shown):
    """One round of a step: who was asked on which version, and how it ended.

    `again_of` is the round that this one repeats (after a `retry`, or after a conflict), `note` the
    clarification it was given. `review` is why it needs a ruling, or None: `disagreements`,
    `hollow`, `failed` checks, `asked` by the transition.
    """

    round: int
    branch: str
    step: str
    base: int
    status: RoundStatus
    started_at: int
    again_of: int | None = None
    note: str | None = None
    review: dict[str, Any] | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing more can come of it."""
        return self.status in SETTLED

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        return {
            "round": f"r{self.round}",
            "step": self.step,
            "status": self.status,
            "base": f"v{self.base}",
            "when": when(self.started_at),
            "again of": f"r{self.again_of}" if self.again_of else None,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Proposal(Shown):
    """What one agent of a round wants the state to become, and what it had read.

    Its reasoning is that of the call `attempt` of this agent in this round. An agent that abstained
    has an empty patch and says why in `detail`.
    """

    agent: str
    patch: Patch
    reads: tuple[str, ...]
    confidence: float | None = None
    attempt: int = 0
    status: ProposalStatus = "open"
    detail: dict[str, Any] | None = None

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        return {
            "agent": self.agent,
            "status": self.status,
            "patch": patch_to_json(self.patch),
            "confidence": self.confidence,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Ruling(Shown):
    """The recorded decision of a supervisor on exactly these proposals and this base version.

    `binding` is the digest of both. `upheld` and `dissent` are agents. `steps` names for each
    position the first step where its reasoning goes wrong, and `places` where that stands, if it
    stands there word for word: `agent`, and from `start` to `end` in its reasoning. `seed` is what the
    positions were shuffled with, `kinds` the kinds of reasoning that could be read. `confidence` (0 to 1)
    is how sure the supervisor is, `readings` what an ambiguous question can be read as. `kin` names the
    agents that the supervisor is not known to be independent of, and why: `same lineage`, or `unknown
    lineage`. `attempt` is the call that the ruling rests on, of the seat `seat` (`supervisor` if None);
    `reverse` the verdict on the positions in their reverse order. `advice` is what the supervisor would
    have ruled where its word was not enough, and so the decision is to escalate. `gone` says that what it
    said was taken away since, but for the decision.
    """

    author: str
    decision: Decision
    binding: bytes
    reason: str
    upheld: tuple[str, ...] = ()
    dissent: tuple[str, ...] = ()
    amendment: Patch = ()
    clarification: str | None = None
    cause: str | None = None
    steps: dict[str, str] = field(default_factory=dict)
    seed: int | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    attempt: int | None = None
    confidence: float | None = None
    readings: tuple[str, ...] = ()
    places: dict[str, JSON] = field(default_factory=dict)
    kin: dict[str, str] = field(default_factory=dict)
    seat: str | None = None
    reverse: dict[str, JSON] | None = None
    advice: dict[str, JSON] | None = None
    at: int = 0
    n: int = 0
    gone: bool = False

    def body(self) -> dict[str, Any]:
        """What is stored beside author, decision and binding; empty parts are left out."""
        parts = {
            "reason": self.reason,
            "upheld": list(self.upheld),
            "dissent": list(self.dissent),
            "amendment": patch_to_json(self.amendment),
            "clarification": self.clarification,
            "cause": self.cause,
            "steps": self.steps,
            "seed": self.seed,
            "kinds": self.kinds,
            "notes": list(self.notes),
            "attempt": self.attempt,
            "confidence": self.confidence,
            "readings": list(self.readings),
            "places": self.places,
            "kin": self.kin,
            "seat": self.seat,
            "reverse": self.reverse,
            "advice": self.advice,
        }
        return {name: value for name, value in parts.items() if value not in (None, "", [], {})}

    def as_dict(self) -> dict[str, Any]:
        """The ruling as plain data; empty parts are left out."""
        said = {"author": self.author, "decision": self.decision, "binding": self.binding.hex()}
        return {**said, "at": self.at, "n": self.n, **self.body()}

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        return {
            "author": self.author,
            "decision": self.decision,
            "reason": self.reason,
            "upheld": ", ".join(self.upheld),
            "dissent": ", ".join(self.dissent),
        }


@dataclass(frozen=True, slots=True)
class Grade(Shown):
    """What is known afterwards of one agent's proposal in a settled round: it was right, or wrong.

    The agent `supervisor` stands for the ruling. `author` is who says so: a person, or a verifier, whose
    `version` is told. `n` counts what was said of this agent in this round.
    """

    agent: str
    right: bool
    basis: GradeBasis
    author: str
    version: str | None = None
    detail: str | None = None
    round: int = 0
    n: int = 0
    at: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The grade as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Event(Shown):
    """Something that happened and is not a commit: a denied attempt, an abstention, a refusal."""

    event: int
    kind: str
    at: int
    branch: str | None
    round: int | None
    body: dict[str, Any]

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        return {
            "event": self.event,
            "when": when(self.at),
            "kind": self.kind,
            "round": f"r{self.round}" if self.round else None,
            "what": self.body,
        }
