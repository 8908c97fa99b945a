"""The payload of the benchmarks: findings of 1 KiB, drawn from a seeded vocabulary, and their schema.

A finding is what an agent that reads sources writes down: a claim, three quotations with their
source and line, a confidence, tags. Its canonical JSON has 1,024 bytes of UTF-8, with some letters
beyond ASCII. Words come by Zipf's law; zlib makes 1.8 times less of one finding and 3.2 times
less of three hundred; real prose is a little easier.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, Field

from dissensus import Append, SharedState

Json: TypeAlias = dict[str, Any]

FINDING_BYTES = 1024
STATUSES = ("reading", "comparing", "doubtful", "settled", "reopened", "awaiting a second reader")

WORDS = tuple(
    """
    the of to and in that is was for it with as his on be at by had not are but from or have an they
    which one you were all her she there would their we him been has when who will no more if out so
    said what up its about than into them can only other time new some could these two may first then do
    any like my now over such our man me even most made after also did many off before must well back
    through years much where your way down should because long each just those people how too little
    state good very make world still see own work men day get here between both life being under three
    never know same last another while us might great old year come since against go came right used
    take states himself few house use during without again place around however home small found thought
    went say part once general high upon school every does got united left number course war until
    always away something fact water though public less put think almost hand enough took far head yet
    government system set better told nothing night end why called didn't eyes find going look asked
    later knew point next program city business give group toward young days let room within incident
    deploy rollback timeout replica schema latency queue certificate throttle failover checkpoint lease
    retry cache shard index migration throughput backlog outage alert dashboard threshold saturation
    partition Zürich Müller naïve façade résumé Ångström “quoted” 5 µs ≈ – déjà vu Łódź señor Größe 日本
    invoice ledger audit evidence hypothesis measurement calibration sample cohort placebo dosage enzyme
    receptor statute clause plaintiff appellate precedent liability tribunal covenant waiver indemnity
    treaty ordinance
    """.split()  # noqa: SIM905 - two hundred strings would be harder to read
)
WEIGHTS = tuple(itertools.accumulate(1 / (rank + 2.7) for rank in range(1, len(WORDS) + 1)))
SOURCES = ("postmortem-{}.md", "interview-{}.txt", "trace/{}.log", "§{}", "https://example.org/papers/{}")


class Quotation(BaseModel):
    """A place in a source."""

    source: str
    line: int
    text: str


class Finding(BaseModel):
    """A claim with the places that bear it out."""

    id: str
    claim: str
    quotations: list[Quotation]
    confidence: float
    tags: list[str]


class Notebook(SharedState):
    """What the benchmarks' sessions hold: findings that are only added, and two scalars."""

    findings: Annotated[list[Finding], Append] = Field(default_factory=list)
    status: str = "open"
    step: int = 0


@dataclass(frozen=True, slots=True)
class Update:
    """What one commit writes."""

    finding: Json
    status: str
    step: int

    @property
    def size(self) -> int:
        """The bytes of its canonical JSON: the finding and the two scalars."""
        return sum(len(canonical(value).encode()) for value in (self.finding, self.status, self.step))


class OneByOne:
    """A side that makes its commits one after the other."""

    def commit(self, update: Update) -> None:
        """Make one update durable."""
        raise NotImplementedError

    def block(self, updates: Sequence[Update]) -> None:
        """Make them all durable, each by itself."""
        for update in updates:
            self.commit(update)


def canonical(value: Any) -> str:
    """Canonical JSON (RFC 8785) of values such as these."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def updates(seed: int, *, start: int = 1) -> Iterator[Update]:
    """Updates without end, the same for the same seed; their steps count from `start`."""
    chance = random.Random(seed)
    for step in itertools.count(start):
        yield Update(finding(chance, f"{seed}-{step}"), chance.choice(STATUSES), step)


def finding(chance: random.Random, identity: str) -> Json:
    """One finding of 1,024 bytes."""
    made: Json = {
        "id": f"finding-{identity}",
        "claim": "",
        "quotations": [_quotation(chance) for _ in range(3)],
        "confidence": round(chance.random(), 3),
        "tags": chance.sample(WORDS[150:], k=chance.randint(2, 4)),
    }
    room = FINDING_BYTES - len(canonical(made).encode())
    made["claim"] = _cut(_prose(chance, room // 4 + 1), room)
    return made


def _quotation(chance: random.Random) -> Json:
    source = chance.choice(SOURCES).format(chance.randrange(1000))
    return {
        "source": source,
        "line": chance.randrange(1, 4000),
        "text": _prose(chance, chance.randint(20, 30)),
    }


def _prose(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, cum_weights=WEIGHTS, k=words))


def _cut(text: str, size: int) -> str:
    """So many bytes of a text; full stops stand for what is missing, or for half a letter."""
    kept = text.encode()[:size].decode(errors="ignore")
    return kept + "." * (size - len(kept.encode()))
