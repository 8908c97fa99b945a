"""The recorded calls of a line, made again at no cost wherever the same is asked.

What is the same: the seat, the model and its lineage, and every byte that it is sent. Calls that were made
several times are made again in that order, and then as the last one that was answered.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from dissensus_state import calls as stored
from dissensus_state.errors import DissensusError
from dissensus_state.records import Call, Round
from dissensus_state.reuse import played_again
from dissensus_state.values import canonical, digest, parse

from ..messages import Request
from ..recordings.asked import Texts
from ..requested import by_digest

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

_KEPT = 32
"""Rounds whose calls are kept in memory."""

ENDED = frozenset({"answered", "failed", "partial", "unknown"})


class Place(NamedTuple):
    """Where a call is recorded."""

    round: int
    seat: str
    attempt: int


@dataclass(slots=True)
class _Alike:
    """Recorded calls that look alike: they differ at most by what stood at the paths that they show."""

    waiting: deque[tuple[Place, str]] = field(default_factory=deque)
    known: dict[bytes, list[tuple[Place, str]]] = field(default_factory=lambda: defaultdict(list))


class Records:
    """The recorded calls of some rounds, found by what was asked.

    What a state said at a path is only read where a call looks alike otherwise, and once for each.
    """

    def __init__(self, session: Session[Any], rounds: Iterable[Round]) -> None:
        self.session = session
        self._rounds = {one.round: one for one in rounds}
        self._texts = Texts(session)
        self._calls: OrderedDict[int, list[Call]] = OrderedDict()
        self._alike: dict[bytes, _Alike] = {}
        for number in self._rounds:
            self._enter(number)

    def call(self, place: Place) -> Call:
        """A recorded call."""
        same = (
            one
            for one in self.of_round(place.round)
            if one.agent == place.seat and one.attempt == place.attempt
        )
        return next(same)

    def of_round(self, number: int) -> list[Call]:
        """The calls of a round."""
        if number not in self._calls:
            with self.session.reading(round=number) as work:
                self._calls[number] = stored.of_round(work, self.session.session_id, number)
            if len(self._calls) > _KEPT:
                self._calls.popitem(last=False)
        return self._calls[number]

    def same(self, made: Call, request: Request) -> Iterable[tuple[Place, str]]:
        """Where the same was asked, in order, and what came of it."""
        alike = self._alike.get(_looks(made, by_digest(made.request)))
        if alike is None:
            return
        wanted, seen = _shown(part.text for part in request.parts), 0
        while True:
            found = alike.known.get(wanted, [])
            while seen < len(found):
                yield found[seen]
                seen += 1
            if not alike.waiting:
                return
            place, status = alike.waiting.popleft()
            asked = self._asked(place)
            if asked is not None:
                alike.known[asked].append((place, status))

    def _asked(self, place: Place) -> bytes | None:
        """The digest of what was shown; None where that cannot be had any more."""
        calls = self.of_round(place.round)
        found = self._texts.asked(self._rounds[place.round], self.call(place), calls)
        if found is None or any(piece.text is None for piece in found[1]):
            return None
        return _shown(part.text for part in found[0].parts)

    def _enter(self, number: int) -> None:
        """Take in a round's calls, but for failures after which the same was asked again and answered."""
        calls = [
            one for one in self.of_round(number) if one.status in ENDED and isinstance(one.request, list)
        ]
        looks = {(one.agent, one.attempt): _looks(one, one.request) for one in calls}
        answered = {looks[one.agent, one.attempt] for one in calls if one.status == "answered"}
        for one in sorted(calls, key=lambda call: (call.agent, call.attempt)):
            key = looks[one.agent, one.attempt]
            if one.status == "failed" and key in answered:
                continue
            place = Place(number, one.agent, one.attempt)
            self._alike.setdefault(key, _Alike()).waiting.append((place, one.status))


def _shown(texts: Iterable[str]) -> bytes:
    """The digest of what the parts of a prompt show.

    The keys of an object have no order: a value that was just written is shown as it was written, one that
    is read from the database in the order of the alphabet.
    """
    return digest(canonical([_in_order(text) for text in texts]))


def _in_order(text: str) -> str:
    if text[:1] not in {"{", "["}:
        return text
    try:
        return canonical(parse(text))
    except (ValueError, RecursionError, DissensusError):
        return text


def _looks(call: Call, request: Any) -> bytes:
    return digest(canonical([call.agent, call.model, call.lineage, request]))


class RecordedTape:
    """The records as one branch hears them: each call once, in order, then the last answer for ever.

    Args:
        records: The calls that are made again.
        fresh: Tells of a step and a seat whether its model is to be asked anew, whatever is recorded.
        used: The calls that this branch has made again already.
    """

    def __init__(
        self, records: Records, fresh: Callable[[str, str], bool], used: Iterable[Place] = ()
    ) -> None:
        self._records = records
        self._fresh = fresh
        self._used = set(used)
        self._lock = threading.Lock()

    def found(self, step: str, made: Call, request: Request) -> Call | None:
        """The call with whatever became of it when it was recorded; None: it is to be made."""
        if self._fresh(step, made.agent):
            return None
        with self._lock:
            place = self._next(made, request)
            if place is None:
                return None
            known = self._records.call(place)
        source: dict[str, str | int] = {
            "session": self._records.session.name,
            "round": place.round,
            "agent": place.seat,
            "attempt": place.attempt,
        }
        return played_again(made, known, source)

    def _next(self, made: Call, request: Request) -> Place | None:
        last = None
        for place, status in self._records.same(made, request):
            if place not in self._used:
                self._used.add(place)
                return place
            if status == "answered":
                last = place
        return last
