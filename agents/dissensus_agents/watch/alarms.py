"""Alarms: streams of what models do at tasks, and when one has changed for the worse.

    AgentGraph(Inquiry, alarms=Alarms())              # in a run, after each settled round
    dissensus quality --check                         # over a store, as often as you like

A stream is one measure of one model at one task. It learns its reference from the first answers (or from a
period that is named), is silent while it stays there, and rings once until somebody resets it.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from ..errors import GraphError
from ..judgement.standing import UNKNOWN, Entry, Standing
from .detector import Detector

Direction = Literal["falls", "rises"]

QUANTILE: Final = 0.75
"""Of latency and cost is watched how often they exceed what three quarters of the reference kept to."""

LEAST: Final = 30
"""On how many answers a reference rests at least."""


def _when(known: int, value: int) -> float | None:
    return None if known == UNKNOWN else float(value)


_VALUES: Mapping[str, Callable[[Entry], float | None]] = MappingProxyType(
    {
        "right": lambda entry: _when(entry.right, entry.right),
        "dissent": lambda entry: float(entry.dissent) if entry.proposed else None,
        "overruled": lambda entry: _when(entry.ruled, 1 - entry.ruled),
        "failed": lambda entry: float(entry.failed > 0) if entry.proposed else None,
        "malformed": lambda entry: float(entry.malformed > 0),
        "refused": lambda entry: float(entry.refused),
        "latency": lambda entry: _when(entry.latency, entry.latency),
        "cost": lambda entry: _when(entry.cost, entry.cost),
    }
)
"""What each measure says of an entry; None where it says nothing."""

AMOUNTS: Final = frozenset({"latency", "cost"})
WATCHED: Mapping[str, Direction] = MappingProxyType(
    {name: "falls" if name == "right" else "rises" for name in _VALUES}
)
"""Which measures are watched by default, and which way is for the worse."""


@dataclass(frozen=True, slots=True)
class Alarms:
    """What is watched, and when it rings.

    Args:
        tolerance: By how much a rate may change without ringing, 0 to 1.
        run_length: On a quiet stream an alarm rings at most once in so many answers, on average.
        reference: From how many answers, the first ones, a stream learns what is normal; or the period
            that says it, as `(from, to)` in milliseconds since 1970.
        measures: Which measures are watched, and whether what `falls` or what `rises` rings.

    Raises:
        GraphError: A setting is out of its bounds, or there is no such measure.
    """

    tolerance: float = 0.05
    run_length: float = 1000
    reference: int | tuple[int, int] = 200
    measures: Mapping[str, Direction] = field(default_factory=lambda: WATCHED)

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance < 1:
            raise GraphError(f"A tolerance is a share from 0 to 1, not {self.tolerance!r}")
        if not self.run_length > 1:
            raise GraphError(f"An alarm rings once in more than one answer, not in {self.run_length!r}")
        if isinstance(self.reference, int) and self.reference < LEAST:
            raise GraphError(f"A reference rests on at least {LEAST} answers, not on {self.reference}")
        if not isinstance(self.reference, int) and not self.reference[0] < self.reference[1]:
            raise GraphError(f"A reference is a period, and {self.reference} ends before it begins")
        for name, direction in self.measures.items():
            if name not in _VALUES or direction not in {"falls", "rises"}:
                raise GraphError(
                    f"There is no measure that could ring as {name}={direction!r}",
                    next_step=f"Name of {', '.join(_VALUES)} what `falls` or `rises`",
                )


@dataclass(frozen=True, slots=True)
class Alarm:
    """A stream that has changed for the worse.

    `reference` is the rate that was normal, measured on `on` answers, and `now` the rate over the last
    `answers`, since when it seems to have changed. Of latency and cost they are the rates of answers that
    exceed `above`. It rang at `at`, in the round `round` of the session of that number; `capital` is how much
    speaks against it having stayed (it rings at `run_length`).
    """

    model: str
    task: str
    measure: str
    direction: Direction
    reference: float
    on: int
    now: float
    answers: int
    session_id: int
    round: int
    at: int
    capital: float
    above: float | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Which stream it is of: model, task, measure."""
        return self.model, self.task, self.measure

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        body = asdict(self)
        del body["session_id"]
        for name in ("reference", "now", "capital"):
            body[name] = round(body[name], 4)
        return body


class Stream:
    """One measure of one model at one task."""

    def __init__(self, model: str, task: str, measure: str, alarms: Alarms, since: int = -1) -> None:
        self.model, self.task, self.measure = model, task, measure
        self.direction = alarms.measures[measure]
        self.alarm: Alarm | None = None
        self._alarms, self._since = alarms, since
        self._value = _VALUES[measure]
        self._first: list[float] = []
        self._detector: Detector | None = None
        self._mean, self._above = 0.0, None if measure not in AMOUNTS else 0.0

    @property
    def learned(self) -> bool:
        """Whether it knows what is normal."""
        return self._detector is not None

    def heed(self, entry: Entry) -> Alarm | None:
        """Take the next entry of the model at the task; the alarm, where this is what makes it ring."""
        value = None if self.alarm is not None or entry.at <= self._since else self._value(entry)
        if value is None:
            return None
        detector = self._detector or self._learned_before(entry, value)
        if detector is None or not detector.heed(self._oriented(value)):
            return None
        self.alarm = self._rung(entry, detector)
        return self.alarm

    def _learned_before(self, entry: Entry, value: float) -> Detector | None:
        """Put a value to the reference; the detector, if that was complete before."""
        period = self._alarms.reference
        if isinstance(period, int):
            self._first.append(value)
            if len(self._first) == period:
                self._learn()
            return None
        if period[0] <= entry.at < period[1]:
            self._first.append(value)
            return None
        return self._learn() if entry.at >= period[1] and len(self._first) >= LEAST else None

    def _learn(self) -> Detector:
        if self._above is None:
            self._mean = sum(self._first) / len(self._first)
        else:
            kept = sorted(self._first)
            self._above = kept[min(int(QUANTILE * len(kept)), len(kept) - 1)]
            self._mean = 1 - bisect.bisect_right(kept, self._above) / len(kept)
        mean = 1 - self._mean if self.direction == "rises" else self._mean
        self._detector = Detector(mean, len(self._first), self._alarms.tolerance, self._alarms.run_length)
        return self._detector

    def _oriented(self, value: float) -> float:
        """A value so that less is for the worse."""
        if self._above is not None:
            value = float(value > self._above)
        return 1 - value if self.direction == "rises" else value

    def _rung(self, entry: Entry, detector: Detector) -> Alarm:
        mean, answers = detector.change
        return Alarm(
            *(self.model, self.task, self.measure, self.direction),
            reference=self._mean,
            on=len(self._first),
            now=1 - mean if self.direction == "rises" else mean,
            answers=answers,
            session_id=entry.session_id,
            round=entry.round,
            at=entry.at,
            capital=detector.capital,
            above=self._above,
        )


class Watch:
    """All streams that are watched together.

    Args:
        alarms: What is watched.
        resets: By model, task and measure: until when (milliseconds since 1970) nothing counts any more.
    """

    def __init__(self, alarms: Alarms, resets: Mapping[tuple[str, str, str], int] | None = None) -> None:
        self.alarms, self._resets = alarms, dict(resets or {})
        self._streams: dict[tuple[str, str], list[Stream]] = {}

    def heed(self, model: str, task: str, entry: Entry) -> list[Alarm]:
        """Take the next entry of a model at a task; the alarms that it makes ring."""
        rung = (stream.heed(entry) for stream in self._of(model, task))
        return [alarm for alarm in rung if alarm is not None]

    def over(self, standing: Standing) -> list[Alarm]:
        """Take all that is known, by the time of its rounds; the alarms that stand."""
        for record in standing.records.values():
            streams = self._of(record.model, record.task)
            for entry in record.ordered():
                for stream in streams:
                    stream.heed(entry)
        return self.standing

    @property
    def standing(self) -> list[Alarm]:
        """The alarms that have rung and were not reset, by model, task and measure."""
        alarms = (stream.alarm for stream in self.streams)
        return [alarm for alarm in alarms if alarm is not None]

    @property
    def streams(self) -> list[Stream]:
        """All streams, by model, task and measure."""
        return [stream for key in sorted(self._streams) for stream in self._streams[key]]

    def _of(self, model: str, task: str) -> list[Stream]:
        if (model, task) not in self._streams:
            self._streams[model, task] = [
                Stream(model, task, name, self.alarms, self._resets.get((model, task, name), -1))
                for name in self.alarms.measures
            ]
        return self._streams[model, task]
