"""What the judging benchmarks share: the recorded panel as graded rounds, what it cost, and intervals."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from recorded import LETTERS, PRICES, letter_of

# Small matrices: a second thread of the linear algebra waits more than it works.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from dissensus_agents.judgement.ballots import Ballot, Rate, Voter
from dissensus_agents.judgement.fitting import Graded, between
from dissensus_agents.judgement.folds import fold_of
from dissensus_agents.judgement.manner import manner as _manner
from dissensus_agents.models.client import tokens_in

DATA = Path(__file__).resolve().parents[1] / "../shared/data/panel"
PANEL = "mmlu_pro_panel.jsonl.gz"
FOLDS = 5

PRO = "gemini-1.5-pro-002"
FLASH = "gemini-1.5-flash-002"
LLAMA70 = "Meta-Llama-3_1-70B-Instruct"
LLAMA8 = "Meta-Llama-3_1-8B-Instruct"
DEEPSEEK = "DeepSeek-Coder-V2"
QWEN = "Qwen1.5-72B-Chat"
MIXTRAL = "Mixtral-8x7B-Instruct-v0.1"
PHI = "Phi-3-mini-4k-instruct"
JAMBA = "jamba-1.5-large"
NINE = (PRO, FLASH, LLAMA70, LLAMA8, DEEPSEEK, QWEN, MIXTRAL, PHI, JAMBA)

manner = lru_cache(maxsize=None)(_manner)
"""A reasoning is read once, however many votes are fitted to it."""

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Item:
    """One question: the letter each model's answer gives, its text and cost, and the right letter."""

    key: str
    task: str
    options: int
    right: str
    letters: Mapping[str, str | None]
    texts: Mapping[str, str]
    costs: Mapping[str, float]
    ballots: Mapping[str, Ballot]

    def is_right(self, model: str) -> bool:
        """Whether a model's answer is the right one; an answer without a letter is not."""
        return self.letters[model] == self.right

    def graded(self, models: Sequence[str]) -> Graded:
        """The question as a round of these models. Who gives no letter among the options abstains."""
        said = [(model, letter) for model in models if (letter := self.letters[model])]
        places = {letter: n for n, letter in enumerate(sorted({letter for _, letter in said}))}
        ballots = tuple(
            Ballot(model, self.ballots[model].voter, places[letter], thinking=self.texts[model])
            for model, letter in said
        )
        return Graded(self.key, ballots, self.task, places.get(self.right), self.options)

    @property
    def fold(self) -> int:
        """Which fold it is held out in: the SHA-256 of its id, modulo 5."""
        return fold_of(self.key, FOLDS)


@lru_cache(maxsize=2)
def items(data: Path) -> tuple[Item, ...]:
    """The questions of the panel, or the end of the program with a message where they are absent."""
    terms = json.loads(recorded(data, PRICES).read_text())
    with gzip.open(recorded(data, PANEL), "rt", encoding="utf-8") as lines:
        return tuple(_item(json.loads(line), terms) for line in lines)


def recorded(data: Path, name: str) -> Path:
    """A file of recorded answers, or the end of the program with a message where it is absent."""
    path = data / name
    if not path.is_file():
        sys.exit(
            f"There are no recorded answers at {path}. They do not ship with the project: "
            "name a folder of the same form with --data DIR."
        )
    return path


def _item(row: Mapping[str, Any], terms: Mapping[str, Mapping[str, Any]]) -> Item:
    listed = (f"({letter}) {option}" for letter, option in zip(LETTERS, row["options"], strict=False))
    asked = tokens_in("\n".join((row["question"], *listed)))
    texts = {model: str(row["answers"][model]["text"]) for model in NINE}
    known = LETTERS[: len(row["options"])]
    letters = {model: letter_of(text) for model, text in texts.items()}
    return Item(
        key=str(row["id"]),
        task=str(row["category"]),
        options=len(row["options"]),
        right=str(row["answer"]),
        letters={model: letter if letter and letter in known else None for model, letter in letters.items()},
        texts=texts,
        costs={
            model: (asked * terms[model]["usd_in"] + tokens_in(text) * terms[model]["usd_out"]) / 1e6
            for model, text in texts.items()
        },
        ballots={model: Ballot(model, Voter(model, str(terms[model]["lineage"])), 0) for model in NINE},
    )


class Standing:
    """What graded questions say of models: their accuracy at a task, and how their errors go together.

    A task's accuracy is drawn toward the model's over all tasks, as if that were a hundred rounds more;
    a correlation is that within tasks, since what tasks differ in is known when a question is asked.
    """

    STRENGTH = 100

    def __init__(self, graded: Sequence[Item]) -> None:
        self.on = len(graded)
        self._rates: dict[tuple[str, str], Rate] = {}
        tasks = sorted({item.task for item in graded})
        left = np.zeros((len(graded), len(NINE)))
        for column, model in enumerate(NINE):
            right = np.array([item.is_right(model) for item in graded], dtype=float)
            said = np.array([item.letters[model] is not None for item in graded])
            overall = right[said].mean()
            for task in tasks:
                here = np.array([item.task == task for item in graded])
                heard = here & said
                rate = Rate(right[heard].sum() + self.STRENGTH * overall, heard.sum() + self.STRENGTH)
                self._rates[model, task] = Rate(float(rate.hits), float(rate.of))
                left[here, column] = right[here] - right[here].mean()
        self._phi = np.corrcoef(left.T)

    def accuracy(self, model: str, task: str) -> Rate | None:
        """See `Knowledge`."""
        return self._rates.get((model, task))

    def correlation(self, a: Voter, b: Voter, task: str) -> tuple[float, int]:
        """See `Knowledge`."""
        del task
        return float(self._phi[NINE.index(a.model), NINE.index(b.model)]), self.on


def share(figures: Figures, key: str, values: Sequence[float]) -> None:
    """Put the mean of some values down, with its 95 % interval (bootstrap over questions)."""
    seen = np.asarray(values, dtype=float)
    interval(figures, key, lambda drawn: float(seen[drawn].mean()), len(seen))


def interval(figures: Figures, key: str, figure: Callable[[Any], float], n: int) -> None:
    """Put a figure of n questions down, with its 95 % interval (bootstrap over questions)."""
    middle, low, high = between(figure, n)
    figures |= {key: round(middle, 4), f"{key}.low": round(low, 4), f"{key}.high": round(high, 4)}
