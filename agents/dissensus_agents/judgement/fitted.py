"""A vote whose weights were fitted to graded rounds: who tends to be right at what, who echoes whom.

It is a conditional logit (McFadden 1974): each position has a score, the sum of what speaks for it,
and so has "none of these"; the shares are the scores' softmax. What speaks for a position:

| term | what it is |
|---|---|
| `model:A` | A holds it |
| `task:A:t` | A holds it, at task t: how much better or worse than elsewhere, drawn toward 0 |
| `pair:A:B` | A and B both hold it; below 0 where they echo each other |
| `reads:f` | the sum of feature f over its holders' reasoning |
| `reads:f:A` | the same of A's alone |
| `none`, `none:t` | for "none of these", beside the logarithm of how many other options there are |

Fitting is `dissensus_agents.judgement.fitting` (numpy); what it fits is plain JSON that says on what and
how it was tested, and is served here without numpy.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any, TypeVar

from .ballots import Ballot, Weighed
from .correlation import effective
from .discounted import prior

_T = TypeVar("_T")

Features = Callable[[str], Mapping[str, float]]
"""What is measured of a reasoning: numbers by name, best between -3 and 3, which is where they are cut."""

KIND = "dissensus/vote"
MAX_TERMS = 20_000
MAX_WEIGHT = 50.0
_MAX_TEXT = 4_000_000


@dataclass(frozen=True, slots=True)
class Tested:
    """How good it was on rounds that it was not fitted to, with 95 % intervals (bootstrap over rounds).

    `ece` is the expected calibration error of the confidence, over 15 bins of equal width.
    """

    accuracy: tuple[float, float, float]
    log_loss: tuple[float, float, float]
    ece: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Provenance:
    """On what a vote was fitted, and how it was tested.

    `split` says how the rounds were held out, `digest` is the SHA-256 of what it was fitted to, `at` the day
    (ISO 8601). `tested` is None where nothing was held out.
    """

    rounds: int
    split: str
    digest: str
    at: str
    ridge: float
    tested: Tested | None = None


@dataclass(frozen=True, slots=True)
class FittedVote:
    """Weighs ballots by what was fitted to graded rounds.

    A voter that it was not fitted on has no weight, and a task that it has not seen no effect; the note
    says so. Where it knows none of the voters it gives no shares.

    Args:
        weights: The weight of each term, as in the module's table.
        models: The models that it was fitted on.
        provenance: On what it was fitted, and how it was tested.
        features: What is measured of reasoning; needed where a term reads one.

    Raises:
        ValueError: A weight is no number within bounds, or a feature is not among those given.
    """

    weights: Mapping[str, float]
    models: tuple[str, ...]
    provenance: Provenance
    features: Features | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for term, weight in self.weights.items():
            if not abs(weight) <= MAX_WEIGHT:
                raise ValueError(
                    f"The weight of {term} is {weight}: a vote's weights lie within {MAX_WEIGHT:g}"
                )
        read = {term.split(":")[1] for term in self.weights if term.startswith("reads:")}
        if missing := read - set(self.features("") if self.features else ()):
            raise ValueError(
                f"This vote reads {', '.join(sorted(missing))}: give the features it was fitted with"
            )

    def weigh(self, ballots: Sequence[Ballot], task: str, options: int | None = None) -> Weighed:
        """See `Weigher`."""
        known = [ballot for ballot in ballots if ballot.voter.model in self.models]
        if not known:
            who = ", ".join(sorted({ballot.voter.model for ballot in ballots})) or "nobody"
            return Weighed(float(bool(ballots)), note=f"This vote was fitted on none of: {who}")
        stand = standing(ballots, task, options, self.features, self.models)
        scores = [
            offset + sum(self.weights.get(term, 0.0) * value for term, value in terms.items())
            for terms, offset in stand
        ]
        top = max(scores)
        parts = [math.exp(score - top) for score in scores]
        shares = tuple(part / sum(parts) for part in parts[:-1])
        best = shares.index(max(shares))
        return Weighed(
            _votes([ballot for ballot in ballots if ballot.position == best]),
            shares,
            "fitted",
            self.provenance.rounds,
            self._note({ballot.voter.model for ballot in ballots}, task),
        )

    def _note(self, voters: Collection[str], task: str) -> str:
        tested = self.provenance.tested
        said = [f"Fitted to {self.provenance.rounds} graded rounds"]
        if tested is None:
            said.append("not tested on others")
        else:
            said.append(f"right in {tested.accuracy[0]:.1%} of those held out, off by {tested.ece[0]:.3f}")
        if unseen := sorted(set(voters) - set(self.models)):
            said.append(f"without weight for {', '.join(unseen)}, whom it has not seen")
        if absent := sorted(set(self.models) - set(voters)):
            said.append(f"{', '.join(absent)} did not vote")
        if not any(term.endswith(f":{task}") for term in self.weights if term.startswith(("task:", "none:"))):
            said.append(f"it has not seen the task {task!r}")
        return "; ".join(said)

    def as_json(self) -> str:
        """The vote as JSON: its weights, and what it rests on."""
        said = {
            "kind": KIND,
            "version": 1,
            "models": list(self.models),
            "provenance": asdict(self.provenance),
            "weights": {term: round(weight, 6) for term, weight in sorted(self.weights.items())},
        }
        return sealed(said)

    @classmethod
    def from_json(cls, text: str, features: Features | None = None) -> FittedVote:
        """Read a vote that was fitted elsewhere.

        Args:
            text: What `as_json` gave.
            features: What is measured of reasoning, as when it was fitted.

        Raises:
            ValueError: This is no such vote, or a number in it is out of bounds.
        """
        return read_json(text, KIND, lambda said: cls.from_dict(said, features))

    @classmethod
    def from_dict(cls, said: Mapping[str, Any], features: Features | None = None) -> FittedVote:
        """The same of JSON that was read already; what has another shape raises what Python raises."""
        if len(said["weights"]) > MAX_TERMS:
            raise ValueError(f"This vote has {len(said['weights'])} terms; {MAX_TERMS} are the most")
        told = dict(said["provenance"])
        tested = told.pop("tested")
        kept = Provenance(
            rounds=read_whole(told["rounds"]),
            split=str(told["split"]),
            digest=str(told["digest"]),
            at=str(told["at"]),
            ridge=read_number(told["ridge"]),
            tested=None
            if tested is None
            else Tested(**{name: _three(tested[name]) for name in Tested.__slots__}),
        )
        weights = {str(term): read_number(weight) for term, weight in said["weights"].items()}
        return cls(weights, tuple(map(str, said["models"])), kept, features)


def standing(
    ballots: Sequence[Ballot],
    task: str,
    options: int | None,
    features: Features | None,
    models: Collection[str],
) -> list[tuple[dict[str, float], float]]:
    """What speaks for each position, and last for none of them: terms with their values, and an offset.

    Both fitting and serving take it from here, so that they can't differ.

    Args:
        ballots: One for each voter; those of other models than `models` have no terms.
        task: What was asked.
        options: Among how many answers they could choose; None: nobody knows.
        features: What is measured of reasoning; None: nothing.
        models: The models that have terms.
    """
    count = max(ballot.position for ballot in ballots) + 1
    stand: list[tuple[dict[str, float], float]] = []
    for position in range(count):
        holders = [one for one in ballots if one.position == position and one.voter.model in models]
        stand.append((_terms(holders, task, features), 0.0))
    held = len({ballot.position for ballot in ballots})
    if options is None:
        offset = 0.0
    elif options > held:
        offset = math.log(options - held)
    else:
        offset = -math.inf
    return [*stand, ({"none": 1.0, f"none:{task}": 1.0}, offset)]


def _terms(holders: Sequence[Ballot], task: str, features: Features | None) -> dict[str, float]:
    terms: dict[str, float] = {}
    for name in sorted({holder.voter.model for holder in holders}):  # one model asked twice has one voice
        terms[f"model:{name}"] = terms[f"task:{name}:{task}"] = 1.0
    for one, other in combinations(sorted({holder.voter.model for holder in holders}), 2):
        terms[f"pair:{one}:{other}"] = 1.0
    if features is None:
        return terms
    for holder in holders:
        for name, value in features(holder.thinking or "").items():
            cut = max(-3.0, min(3.0, value))
            if cut:
                for term in (f"reads:{name}", f"reads:{name}:{holder.voter.model}"):
                    terms[term] = terms.get(term, 0.0) + cut
    return terms


def _votes(holders: Sequence[Ballot]) -> float:
    pairs = [prior(one.voter, other.voter) for one, other in combinations(holders, 2)]
    return effective(len(holders), sum(pairs) / len(pairs)) if pairs else float(len(holders))


def sealed(said: Mapping[str, Any]) -> str:
    """Something fitted as the text of its file, with a digest of all of it."""
    return json.dumps({**said, "seal": _seal(said)}, ensure_ascii=False, indent=1)


def _seal(said: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_json(text: str, kind: str, read: Callable[[Mapping[str, Any]], _T]) -> _T:
    """Read something fitted from JSON of which nothing is known yet.

    Raises:
        ValueError: It is not of this kind and version 1, has another shape, or is not as it was written.
    """
    if len(text) > _MAX_TEXT:
        raise ValueError(f"There are {len(text)} characters; {_MAX_TEXT} are read at most")
    try:
        said = json.loads(text)
        if (said["kind"], said["version"]) != (kind, 1):
            raise ValueError(
                f"This is {said['kind']!r}, version {said['version']!r}, and no {kind} of version 1"
            )
        fitted = read(said)
        if said.pop("seal", None) != _seal(said):
            raise ValueError(f"This {kind} does not match its seal: it was changed after it was fitted")
    except (KeyError, TypeError, AttributeError, RecursionError, json.JSONDecodeError) as error:
        raise ValueError(f"This is no {kind}: {type(error).__name__}: {error}") from error
    return fitted


def read_number(value: Any) -> float:
    """A finite number of JSON, or a ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} stands where a number belongs")
    return float(value)


def read_whole(value: Any) -> int:
    """A count of JSON, or a ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} stands where a count belongs")
    return value


def _three(values: Iterable[Any]) -> tuple[float, float, float]:
    middle, low, high = map(read_number, values)
    return middle, low, high
