"""Streams and alarms: they learn what is normal, ring once where it gets worse, and are silent otherwise."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from dissensus_agents.errors import GraphError
from dissensus_agents.judgement.standing import UNKNOWN, Entry, Record, Standing
from dissensus_agents.watch.alarms import WATCHED, Alarm, Alarms, Watch
from dissensus_agents.watch.quality import report


def entry(number: int, **said: Any) -> Entry:
    """An entry of which nothing is known but what is given."""
    usual: dict[str, Any] = {
        "at": 1000 * number,
        "session_id": 1,
        "round": number,
        "proposed": 1,
        "right": UNKNOWN,
        "basis": 0,
        "dissent": 0,
        "ruled": UNKNOWN,
        "failed": 0,
        "malformed": 0,
        "refused": 0,
        "latency": UNKNOWN,
        "cost": UNKNOWN,
        "confidence": math.nan,
    }
    return Entry(**{**usual, **said})


def watched(entries: Iterable[Entry], alarms: Alarms | None = None, **resets: int) -> list[Alarm]:
    watch = Watch(alarms or Alarms(), {("m", "t", name): at for name, at in resets.items()})
    return [alarm for one in entries for alarm in watch.heed("m", "t", one)]


Worse = Callable[[random.Random, bool], dict[str, Any]]

WORSE: dict[str, Worse] = {
    "right": lambda chance, worse: {"right": int(chance.random() < (0.5 if worse else 0.84))},
    "dissent": lambda chance, worse: {"dissent": int(chance.random() < (0.5 if worse else 0.1))},
    "overruled": lambda chance, worse: {"ruled": int(chance.random() < (0.5 if worse else 0.9))},
    "failed": lambda chance, worse: {"failed": int(chance.random() < (0.3 if worse else 0.01))},
    "malformed": lambda chance, worse: {"malformed": int(chance.random() < (0.3 if worse else 0.02))},
    "refused": lambda chance, worse: {"refused": int(chance.random() < (0.3 if worse else 0.0))},
    "latency": lambda chance, worse: {"latency": int(chance.lognormvariate(6, 0.5) * (2 if worse else 1))},
    "cost": lambda chance, worse: {"cost": int(chance.lognormvariate(9, 0.3) * (1.5 if worse else 1))},
}


def test_every_measure_is_watched_and_only_for_the_worse() -> None:
    assert set(WORSE) == set(WATCHED)
    assert [name for name, direction in WATCHED.items() if direction == "falls"] == ["right"]


@pytest.mark.parametrize("measure", WORSE)
def test_each_measure_rings_once_soon_after_it_gets_worse(measure: str) -> None:
    late = []
    for seed in range(20):
        chance = random.Random(seed)
        entries = [entry(n, **WORSE[measure](chance, n > 350)) for n in range(1, 1000)]
        alarms = [alarm for alarm in watched(entries) if alarm.round > 350]
        assert len(alarms) == 1
        (alarm,) = alarms
        assert (alarm.model, alarm.task, alarm.measure) == ("m", "t", measure)
        assert (alarm.direction, alarm.now > alarm.reference) == (
            WATCHED[measure],
            WATCHED[measure] == "rises",
        )
        assert alarm.at == 1000 * alarm.round
        assert (alarm.above is None) == (measure not in {"latency", "cost"})
        late.append(alarm.round - 350)
    assert sorted(late)[10] <= 40


def test_a_quiet_stream_is_silent_and_so_is_one_that_gets_better() -> None:
    rung = 0
    for seed in range(60):
        chance = random.Random(seed)
        still = [
            entry(n, **{name: value for one in WORSE.values() for name, value in one(chance, n < 0).items()})
            for n in range(650)
        ]
        rung += len(watched(still))
        better = [entry(n, right=int(chance.random() < (0.68 if n > 350 else 0.5))) for n in range(900)]
        rung += len(watched(better))
    assert rung <= 3, "of 540 streams"


def test_what_is_not_known_of_an_entry_is_no_answer() -> None:
    entries = [entry(n, right=1 if n % 2 else UNKNOWN) for n in range(1, 500)]
    watch = Watch(Alarms(measures={"right": "falls"}))
    for one in entries:
        watch.heed("m", "t", one)
    assert [stream.learned for stream in watch.streams] == [True]
    for number in range(500, 600):
        watch.heed("m", "t", entry(number))
    assert watch.standing == []


def test_it_can_be_asked_for_the_other_direction() -> None:
    """Where models begin to agree on everything, dissent falls."""
    chance = random.Random(1)
    entries = [entry(n, dissent=int(chance.random() < (0.05 if n > 350 else 0.4))) for n in range(1, 900)]
    (alarm,) = watched(entries, Alarms(measures={"dissent": "falls"}))
    assert alarm.direction == "falls"
    assert alarm.now < 0.15 < alarm.reference
    assert watched(entries) == []


def falling(chance: random.Random, *, after: int = 350, until: int = 900) -> list[Entry]:
    return [entry(n, right=int(chance.random() < (0.5 if n > after else 0.84))) for n in range(1, until)]


def test_an_alarm_stands_until_it_is_reset_and_then_the_stream_learns_anew() -> None:
    chance = random.Random(1)
    entries = falling(chance)
    (alarm,) = watched(entries)
    assert watched(entries, right=alarm.at) == [], "what is normal now is 0.5"
    more = [entry(n, right=int(chance.random() < 0.15)) for n in range(900, 1300)]
    (second,) = watched([*entries, *more], right=alarm.at)
    assert second.round > 900
    assert second.reference == pytest.approx(0.5, abs=0.1)


def test_a_period_can_say_what_is_normal() -> None:
    chance = random.Random(1)
    entries = falling(chance)
    (alarm,) = watched(entries, Alarms(reference=(100_000, 300_000)))
    assert alarm.on == 200
    assert alarm.round > 350
    assert watched(entries, Alarms(reference=(0, 29_000))) == [], "28 answers are no reference"


def test_rounds_are_watched_in_the_order_of_their_time() -> None:
    standing = Standing()
    record = standing.records["m", "t"] = Record("m", "l", "t")
    entries = falling(random.Random(1))
    for one in sorted(entries, key=lambda one: one.round % 7):
        record.add(one._replace(session_id=one.round % 7))
    (alarm,) = Watch(Alarms()).over(standing)
    (expected,) = watched(entries)
    assert (alarm.round, alarm.reference, alarm.answers) == (
        expected.round,
        expected.reference,
        expected.answers,
    )
    told = report(standing, Alarms())
    assert told.alarms == (alarm,)
    assert told.watched == (5, 8), "nothing is ruled, timed or paid"
    assert report(standing, Alarms(), {alarm.key: alarm.at}).alarms == ()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"tolerance": -0.1}, "A tolerance is a share"),
        ({"run_length": 1}, "rings once in more than one answer"),
        ({"reference": 29}, "at least 30 answers, not on 29"),
        ({"reference": (5, 5)}, "ends before it begins"),
        ({"measures": {"charm": "falls"}}, "no measure that could ring as charm='falls'"),
        ({"measures": {"right": "sinks"}}, "no measure that could ring as right='sinks'"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(GraphError, match=why):
        Alarms(**settings)
