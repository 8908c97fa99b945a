"""The recorded answers of real models to exam questions, and how a letter is read from them."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path

from dissensus_agents.messages import Reply, Request
from dissensus_agents.models.prices import FREE, Price
from dissensus_agents.models.recordings import RecordedModel

DATA = Path(__file__).resolve().parents[1] / "../shared/data/panel/mmlu_pro_panel.jsonl.gz"
PRICES = "models.json"
"""Beside the recordings: lineage, and USD per million tokens sent and answered."""

LETTERS = "ABCDEFGHIJ"

_STATED = re.compile(r"answer is \(?([A-J])\)?")
_NAMED = re.compile(r".*[aA]nswer:\s*([A-J])")
_ALONE = re.compile(r"\b[A-J]\b")


def letter_of(text: str) -> str | None:
    """The letter that an answer gives, or None.

    MMLU-Pro's own rule, in its order: "answer is (X)", then "answer: X", then the last letter from
    A to J that stands alone (`extract_answer` in TIGER-AI-Lab/MMLU-Pro, compute_accuracy.py). The
    second and the third are written so that they take no more time than the text is long.
    """
    found = _STATED.search(text) or ("nswer:" in text and _NAMED.search(text))
    if found:
        return found[1]
    alone = _ALONE.findall(text)
    return alone[-1] if alone else None


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its options and, for each model, its whole answer and the letter on record."""

    text: str
    right: str
    answers: Mapping[str, str]
    on_record: Mapping[str, str | None]

    def letter(self, model: str) -> str | None:
        """What a model's answer says, by the published rule."""
        return letter_of(self.answers[model])


def questions(path: Path, models: Iterable[str], limit: int | None = None) -> list[Question]:
    """The first questions of a file of recordings, with the answers of these models.

    Leaves the program with a message where there is no such file, or no such model in it.
    """
    if not path.is_file():
        sys.exit(
            f"There are no recorded answers at {path}. They do not ship with the project: "
            "name a file of the same form with --data FILE."
        )
    wanted = tuple(dict.fromkeys(models))
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [_question(json.loads(line), wanted) for line in islice(lines, limit)]


def _question(row: Mapping[str, object], models: Sequence[str]) -> Question:
    answers: Mapping[str, Mapping[str, str]] = row["answers"]  # type: ignore[assignment]
    if missing := [name for name in models if name not in answers]:
        sys.exit(f"No answers of {', '.join(missing)} are recorded; there are: {', '.join(answers)}")
    options: Sequence[str] = row["options"]  # type: ignore[assignment]
    listed = (f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))
    return Question(
        text="\n".join((str(row["question"]), *listed)),
        right=str(row["answer"]),
        answers={name: answers[name]["text"] for name in models},
        on_record={name: answers[name]["extracted"] for name in models},
    )


def number_of(request: Request) -> int:
    """Which question a request is about: the path of the part that quotes it ends in its number."""
    return next(
        int(part.source.rpartition("/")[2])
        for part in request.parts
        if part.source and part.source.startswith("/questions/")
    )


class Asked:
    """A line in a file for each time that a model is really asked, whoever asks and however it ends.

    The file is opened for appending and every line is one write, so that what a killed process
    has asked stands there; the order of lines is the order of asking.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def note(self, model: str, number: int) -> None:
        """Write down that this model is being asked this question, in milliseconds since 1970."""
        os.write(self._file, f"{time.time_ns() // 1_000_000}\t{model}\t{number}\n".encode())


class SlowModel(RecordedModel):
    """A recording that takes its time, as a provider does."""

    seconds = 0.0

    async def answer(self, request: Request) -> Reply:
        """The recorded answer, some time after it was asked for: at random, at most `seconds`."""
        reply = await super().answer(request)
        await asyncio.sleep(random.uniform(0, self.seconds))
        return reply


def recorded_models(
    exam: Sequence[Question],
    names: Iterable[str],
    data: Path,
    asked: Asked | None = None,
    seconds: float = 0.0,
) -> dict[str, RecordedModel]:
    """Each model, answering from its recordings, at its list price.

    Args:
        asked: Where each real ask is noted.
        seconds: How long an answer takes at most; 0 is at once.
    """
    terms = _terms(data)
    models = {name: _recorded(exam, name, terms.get(name, {}), asked, slow=seconds > 0) for name in names}
    for model in models.values():
        if isinstance(model, SlowModel):
            model.seconds = seconds
    return models


def _terms(data: Path) -> Mapping[str, Mapping[str, object]]:
    path = data.with_name(PRICES)
    terms: Mapping[str, Mapping[str, object]] = json.loads(path.read_text()) if path.is_file() else {}
    return terms


def _recorded(
    exam: Sequence[Question], name: str, terms: Mapping[str, object], asked: Asked | None, *, slow: bool
) -> RecordedModel:
    def answer(request: Request) -> str:
        number = number_of(request)
        if asked is not None:
            asked.note(name, number)
        return exam[number].answers[name]

    price = FREE
    if "usd_in" in terms:
        sent, said = (Decimal(str(terms[key])) for key in ("usd_in", "usd_out"))
        price = Price(sent, said, source=PRICES)
    kind = SlowModel if slow else RecordedModel
    return kind(name, answer, lineage=str(terms.get("lineage", "")), price=price)


def asks(path: Path) -> Iterator[tuple[int, str, int]]:
    """When (milliseconds since 1970) which model was asked which question, in order."""
    for line in path.read_text().splitlines():
        at, model, number = line.split("\t")
        yield int(at), model, int(number)
