"""How soon an alarm rings when a model gets worse, and how seldom it rings when it does not.

    python benchmarks/judging_alarms.py [--shuffles 400] [--json]

Simulated, so that the truth is known: each answer is right with the same probability, in 400 streams that
differ by nothing but chance. A detector learns from 200 answers at 0.84 and is then watched over 150 more,
after which the accuracy falls to 0.50 (as GPT-4 did on telling primes from March to June 2023: Chen, Zaharia
and Zou, arXiv 2307.09009); and over 450 answers at 0.84, in which nothing happens. The reference is drawn
anew in each stream as well: its chance is what makes detectors ring that take it for the truth.

`delay` counts the answers from the change to the alarm, over the streams that had not rung before it.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

from dissensus_agents.judgement.audit import clopper_pearson
from dissensus_agents.watch.detector import Detector, delay

BEFORE, AFTER = 0.84, 0.50
REFERENCE, QUIET, CHANGED, STILL = 200, 150, 600, 450
SHUFFLES, RESAMPLES, SEED = 400, 1000, 5

Rings = Callable[[Sequence[bool], Sequence[bool]], "int | None"]
"""After how many answers a detector rings that has learned from a reference; None where it does not."""


def figures(data: Path | None = None, shuffles: int = SHUFFLES) -> dict[str, float]:  # noqa: ARG001 - as the others are called
    """`alarm.delay` (median, in answers) and `alarm.false` (share of quiet streams), with 95 % intervals."""
    delays, early, false = measured(ours, shuffles)
    low, high = _interval(delays, random.Random(SEED))
    found = {
        "alarm.delay": median(delays),
        "alarm.delay.low": low,
        "alarm.delay.high": high,
        "alarm.delay_90": sorted(delays)[math.ceil(0.9 * len(delays)) - 1],
        "alarm.early": early / shuffles,
        "alarm.missed": delays.count(math.inf) / shuffles,
        "alarm.false": false / shuffles,
    }
    found["alarm.false.low"], found["alarm.false.high"] = clopper_pearson(false, shuffles)
    return found


def measured(rings: Rings, shuffles: int) -> tuple[list[float], int, int]:
    """Delays (infinite where nothing rang), alarms before the change, and alarms of quiet streams."""
    chance = random.Random(SEED)
    delays, early, false = [], 0, 0
    for _ in range(shuffles):
        reference = _answers(chance, REFERENCE, BEFORE)
        changing = _answers(chance, QUIET, BEFORE) + _answers(chance, CHANGED, AFTER)
        rang = rings(reference, changing)
        if rang is not None and rang <= QUIET:
            early += 1
        else:
            delays.append(math.inf if rang is None else rang - QUIET)
        false += rings(reference, _answers(chance, STILL, BEFORE)) is not None
    return delays, early, false


def _answers(chance: random.Random, n: int, accuracy: float) -> list[bool]:
    return [chance.random() < accuracy for _ in range(n)]


def _interval(values: Sequence[float], chance: random.Random) -> tuple[float, float]:
    """The 95 % bootstrap interval of the median."""
    medians = sorted(median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES) - 1]


# The product's detector, and what it is compared with


def ours(reference: Sequence[bool], answers: Sequence[bool]) -> int | None:
    """The e-detector as it is used by default."""
    return delay(answers, Detector(sum(reference) / len(reference), len(reference)))


def e_process(reference: Sequence[bool], answers: Sequence[bool]) -> int | None:
    """The same bets, without beginning anew: the probability of a false alarm, ever, is at most 0.01."""
    detector = Detector(sum(reference) / len(reference), len(reference))
    capitals = [1.0] * len(detector.bets)
    for n, answer in enumerate(answers, 1):
        capitals = [
            capital * (1 + bet * (detector.tested - answer))
            for capital, bet in zip(capitals, detector.bets, strict=True)
        ]
        if sum(capitals) / len(capitals) >= 100:
            return n
    return None


def cusum(reference: Sequence[bool], answers: Iterable[bool]) -> int | None:
    """Bernoulli CUSUM: the reference's rate against 0.15 less, h = 5."""
    before = sum(reference) / len(reference)
    after, total = before - 0.15, 0.0
    for n, answer in enumerate(answers, 1):
        ratio = after / before if answer else (1 - after) / (1 - before)
        total = max(0.0, total + math.log(ratio))
        if total > 5:
            return n
    return None


def oracle(_: Sequence[bool], answers: Iterable[bool]) -> int | None:
    """CUSUM that is told both true rates, at a threshold with 0.5 to 1 % of false alarms: the bound."""
    total = 0.0
    for n, answer in enumerate(answers, 1):
        total = max(0.0, total + math.log(AFTER / BEFORE if answer else (1 - AFTER) / (1 - BEFORE)))
        if total > math.log(5000):
            return n
    return None


def page_hinkley(reference: Sequence[bool], answers: Iterable[bool]) -> int | None:
    """Page-Hinkley: delta = 0.03, lambda = 8."""
    before, total, least = sum(reference) / len(reference), 0.0, 0.0
    for n, answer in enumerate(answers, 1):
        total += before - answer - 0.03
        least = min(least, total)
        if total - least > 8:
            return n
    return None


def windows(reference: Sequence[bool], answers: Iterable[bool], z: float = 3) -> int | None:
    """A z-test of the last 50 answers, after every answer."""
    before = sum(reference) / len(reference)
    last: deque[bool] = deque(maxlen=50)
    for n, answer in enumerate(answers, 1):
        last.append(answer)
        if len(last) == 50 and before - sum(last) / 50 > z * math.sqrt(before * (1 - before) / 50):
            return n
    return None


COMPARED: dict[str, Rings] = {
    "e-detector (default)": ours,
    "e-process, 0.01": e_process,
    "CUSUM, p - 0.15, h = 5": cusum,
    "Page-Hinkley, 0.03, 8": page_hinkley,
    "window of 50, z > 3": windows,
    "window of 50, z > 1.645": lambda reference, answers: windows(reference, answers, 1.645),
    "CUSUM that knows both rates": oracle,
}


def table(shuffles: int) -> str:
    """All detectors side by side, as Markdown."""
    lines = [
        "| detector | rings on a quiet stream | before the change | median delay | 90 % |",
        "|---|---|---|---|---|",
    ]
    for name, rings in COMPARED.items():
        delays, early, false = measured(rings, shuffles)
        late = sorted(delays)[math.ceil(0.9 * len(delays)) - 1]
        lines.append(
            f"| {name} | {false / shuffles:.2%} | {early / shuffles:.2%} | {median(delays):g} | {late:g} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the figures, or all detectors side by side."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--shuffles", type=int, default=SHUFFLES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.json:
        print(json.dumps({"figures": figures(None, options.shuffles)}))
    else:
        print(table(options.shuffles))


if __name__ == "__main__":
    main()
