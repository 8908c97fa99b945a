"""The CPU of a round of three agents, beside LangGraph's three-node fan-out with its SQLite saver.

    python benchmarks/rounds.py [--blocks 10] [--rounds 100] [--json]

All sides take turns, block by block, in one process and on one disk; each turn begins with the next
side. A figure is the median over the blocks of the process's CPU time (all threads, user and
system) for one round. What the sides are stands in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from exam import Exam, exam_of, graph_of
from peers import asynchronous, synchronous
from recorded import DATA, Question, questions, recorded_models

from dissensus_state.records import Budget
from dissensus_state.sessions import Session
from dissensus_state.store import Store

PANEL = ("gemini-1.5-flash-002", "Meta-Llama-3_1-70B-Instruct", "DeepSeek-Coder-V2")
CHAIR = "gemini-1.5-pro-002"

OURS, RULED = "dissensus", "dissensus_with_chair"

WORDS = ("the", "answer", "of", "question", "is", "that", "we", "know", "how", "it", "follows", "so")
LENGTH = 500
"""Characters; about the mean of the recorded answers of the panel."""


class Side(Protocol):
    """Something that can run so many rounds."""

    async def block(self, rounds: int) -> None:
        """Run them, one after the other."""


class Panel:
    """Three agents with recorded answers, over a session with more questions than will be asked."""

    def __init__(self, store: Store, exam: Sequence[Question], data: Path) -> None:
        models = recorded_models(exam, (*PANEL, CHAIR), data)
        self._upto = 0
        self._graph = graph_of([models[name] for name in PANEL], models[CHAIR], self._goes_on)
        self._session: Session[Exam] = store.create(exam_of(exam), budget=Budget(usd=1000))

    async def block(self, rounds: int) -> None:
        """Answer the next questions."""
        self._upto += rounds
        await self._graph.run(self._session, start="answer")

    def _goes_on(self, answered: int) -> bool:
        return answered < self._upto


def material(data: Path, count: int) -> tuple[list[Question], list[Question], bool]:
    """So many questions on which all three agree, as many as they come, and whether they are real."""
    real = data.is_file()
    exam = questions(data, (*PANEL, CHAIR)) if real else _made_up(3 * count)
    agreed = [question for question in exam if len({question.letter(name) for name in PANEL}) == 1]
    heard = [question for question in exam if any(question.letter(name) for name in PANEL)]
    return _as_many(agreed, count), _as_many(heard, count), real


def _as_many(found: Sequence[Question], count: int) -> list[Question]:
    return [found[n % len(found)] for n in range(count)]


def _made_up(count: int) -> list[Question]:
    """Questions and answers about as long as the recorded ones, with a third in disagreement."""
    chance = random.Random(1)
    return [_made_up_one(chance, n) for n in range(count)]


def _made_up_one(chance: random.Random, n: int) -> Question:
    letters = dict.fromkeys((*PANEL, CHAIR), "A")
    if n % 3 == 0:
        letters[PANEL[n % len(PANEL)]] = "B"
    answers = {name: f"{_talk(chance)} The answer is ({letter})." for name, letter in letters.items()}
    return Question(_talk(chance), "A", answers, dict(letters))


def _talk(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=LENGTH // 5))


async def measured(options: argparse.Namespace, folder: Path) -> tuple[dict[str, list[float]], bool]:
    """CPU milliseconds a round, for each side and block; and whether the answers are real."""
    count = options.rounds * (options.blocks + 1) + 1
    agreed, heard, real = material(options.data, count)
    async with asynchronous(folder) as later:
        with synchronous(folder) as at_once, Store.open(f"sqlite:///{folder}/dissensus.db") as store:
            sides: dict[str, Side] = {
                OURS: Panel(store, agreed, options.data),
                RULED: Panel(store, heard, options.data),
                **at_once,
                **later,
            }
            return await _in_turns(sides, options.blocks, options.rounds), real


async def _in_turns(sides: Mapping[str, Side], blocks: int, rounds: int) -> dict[str, list[float]]:
    """The first turn of each side only warms up."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    for turn in range(blocks + 1):
        for name in names:
            spent = await _cpu_ms(sides[name], rounds)
            if turn:
                taken[name].append(spent)
        names = [*names[1:], names[0]]
    return taken


async def _cpu_ms(side: Side, rounds: int) -> float:
    gc.collect()
    before = time.process_time()
    await side.block(rounds)
    return (time.process_time() - before) * 1000 / rounds


def summary(taken: Mapping[str, Sequence[float]], *, real: bool) -> dict[str, object]:
    """The medians, and the ratios to the cheapest of the peers."""
    median = {name: round(statistics.median(blocks), 3) for name, blocks in taken.items()}
    peer = min((name for name in median if name.startswith("langgraph")), key=median.__getitem__)
    return {
        "cpu_ms_per_round": median,
        "least_cpu_ms_per_round": {name: round(min(blocks), 3) for name, blocks in taken.items()},
        "cheapest_peer": peer,
        "ratio": round(median[OURS] / median[peer], 3),
        "ratio_by_block": round(_by_block(taken[OURS], taken[peer]), 3),
        "ratio_with_chair": round(median[RULED] / median[peer], 3),
        "blocks": len(taken[OURS]),
        "recorded_answers": real,
        "python": platform.python_version(),
    }


def _by_block(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of what stood side by side, so that a busy minute strikes both."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def main() -> None:
    """Measure, and print a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, metavar="FILE", help="the recorded answers")
    parser.add_argument("--blocks", type=int, default=10, help="how often each side has its turn")
    parser.add_argument("--rounds", type=int, default=100, help="how many rounds a turn has")
    parser.add_argument("--json", action="store_true", help="one object on the last line")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="rounds-") as folder:
        taken, real = asyncio.run(measured(options, Path(folder)))
    figures = summary(taken, real=real)
    for name, blocks in taken.items():
        line = f"{name:28} {statistics.median(blocks):7.2f} ms CPU a round   (least {min(blocks):.2f})"
        print(line, file=sys.stderr)
    for name in ("cheapest_peer", "ratio", "ratio_by_block", "ratio_with_chair"):
        print(f"{name:28} {figures[name]}", file=sys.stderr)
    if options.json:
        print(json.dumps({"figures": figures}))


if __name__ == "__main__":
    main()
