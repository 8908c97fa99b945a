"""The state of a benchmark: what is asked on a branch, and what was answered to it.

A session holds one benchmark. Its items are asked side by side on branches of their own (`lane-1` …),
all on one budget. A key of `answers` is `ID#REPEAT:SUBJECT`.
"""

from __future__ import annotations

from typing import Annotated

from dissensus_state.sensitive import Sensitive
from dissensus_state.shapes import MergeByKey, SharedState

NOTHING = ""
"""What stands for an answer that says nothing that could be graded."""


class Benchmark(SharedState, version=1):
    """Items by their id as models read them, and answers in the form in which they are compared.

    `at` is the item and repeat (`ID#REPEAT`) that is being asked on this branch; `private` are the items
    that only trusted models may read. `scores` (0 to 1) are those that took long to find, by a model or a
    program; their keys end in what was expected then (`@` and a digest).
    """

    tasks: str = ""
    at: str = ""
    asked: Annotated[dict[str, str], MergeByKey()] = {}  # noqa: RUF012 - pydantic copies it
    private: Annotated[dict[str, str], MergeByKey(), Sensitive] = {}  # noqa: RUF012
    answers: Annotated[dict[str, str], MergeByKey()] = {}  # noqa: RUF012
    scores: Annotated[dict[str, float], MergeByKey()] = {}  # noqa: RUF012


def place_of(item: str, repeat: int) -> str:
    """How the state names an item in one of its repeats."""
    return f"{item}#{repeat}"


def key_of(item: str, repeat: int, subject: str) -> str:
    """Where the answer of a model or pattern stands."""
    return f"{place_of(item, repeat)}:{subject}"


def item_of(place: str) -> tuple[str, int]:
    """The item and the repeat that a place names."""
    item, _, repeat = place.rpartition("#")
    return item, int(repeat)


def score_key(key: str, seal: str) -> str:
    """Where the score of an answer stands, as graded against what was expected."""
    return f"{key}@{seal}"
