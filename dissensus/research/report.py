"""A report in its order, as blocks that `markdown` and `hypertext` put into their form.

Texts stand here as models and sources gave them; whoever puts them into a form makes them safe there.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from dissensus.cli.texts import count, usd, when

from .facts import Citation, Dissent, Facts, Fallen
from .librarian import BUDGET


@dataclass(frozen=True, slots=True)
class Title:
    """What the report is about."""

    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """The beginning of a part."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """Prose; its paragraphs are parted by empty lines. `strong` comes before it, `cites` after it."""

    text: str
    strong: str = ""
    cites: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Items:
    """Points, each of a line or more."""

    items: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """A citation: its number, the words of the source, and where they stand."""

    number: int
    text: str
    where: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under the names of their columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands to be copied."""

    lines: tuple[str, ...]


HISTORY = "digest of its history"
"""What stands before the digest at the end of every report, so that none is taken for a source."""

Block: TypeAlias = Title | Section | Text | Items | Quote | Table | Commands


def blocks(told: Facts) -> Iterator[Block]:
    """The report, block by block."""
    yield Title(told.question)
    yield from _answer(told)
    yield from _points(told)
    yield from _dissent(told)
    yield from _quotations(told)
    yield from _read(told)
    yield from _dropped(told)
    yield from _cost(told)
    yield from _again(told)


def _answer(told: Facts) -> Iterator[Block]:
    if told.conclusion is None:
        yield Text("Nothing was found in the sources that answers this, so nobody was asked to conclude.")
        return
    yield Text(told.conclusion.short, strong="In short:")
    yield Text(told.conclusion.answer)
    yield Text(str(told.confidence), strong="Confidence:")
    if told.stopped.startswith("the budget"):
        yield Text(f"The reading was stopped by {told.stopped}.", strong="Not everything was read:")


def _points(told: Facts) -> Iterator[Block]:
    if told.conclusion is None:
        return
    yield Section("What it rests on")
    yield Items(tuple(Text(point.statement, cites=point.citations) for point in told.points))
    if told.conclusion.unknown:
        yield Section("What is not known")
        yield Items(tuple(map(Text, told.conclusion.unknown)))


def _dissent(told: Facts) -> Iterator[Block]:
    if told.ruling is None:
        return
    yield Section("Who decided, and over whose dissent")
    reason = told.ruling.reason or "no reason was given"
    yield Text(reason, strong=f"{told.ruling.author} ruled “{told.ruling.decision}”:")
    yield from map(_lost, told.dissent)
    if not told.dissent:
        yield Text("No position of the panel lost.")
    if told.abstained:
        yield Text(f"{', '.join(told.abstained)} gave no usable answer and abstained.")


def _lost(one: Dissent) -> Text:
    sure = f", {one.stated:.2f} sure" if one.stated is not None else ""
    wrong = f"\n\nFirst wrong step, as the supervisor read it: {one.wrong_step}" if one.wrong_step else ""
    return Text(f"{one.short}\n\n{one.answer}{wrong}", strong=f"{one.agent} ({one.model}{sure}) held:")


def _quotations(told: Facts) -> Iterator[Block]:
    if told.citations:
        yield Section("Citations")
        yield Text("Each quotation was looked up in its document by a program, word for word.")
        yield from map(_cited, told.citations)


def _cited(one: Citation) -> Quote:
    return Quote(one.number, one.quotation, f"{one.document}, {one.place}; found by {one.by}")


def _read(told: Facts) -> Iterator[Block]:
    yield Section("What was read")
    share = f"{told.read:,} of {count(told.passages, 'passage')} of {count(told.documents, 'document')}"
    if told.passages > told.read and not told.stopped.startswith(BUDGET):
        share += "; the search found no reason to pay for the others"
    yield Text(f"Read: {share}. Stopped: {told.stopped}.")
    if told.missed:
        yield Text(f"{count(told.missed, 'passage')} went to a scout that gave no answer.")
    if told.parts:
        rows = tuple((part, f"{found:,}") for part, found in told.parts)
        yield Table(("Sub-question", "Findings that stand"), rows)
    if told.skipped:
        rows = tuple((item.name, item.why) for item in told.skipped)
        yield Table(("File that was not read", "Why"), rows)


def _dropped(told: Facts) -> Iterator[Block]:
    if told.dropped:
        yield Section("Findings that were dropped")
        yield Text("Nothing in this report rests on them.")
        yield Items(tuple(map(_fell, told.dropped)))


def _fell(one: Fallen) -> Text:
    return Text(f"{one.claim} “{one.quotation}” ({one.by}): {one.why}", strong=f"F{one.finding}:")


def _cost(told: Facts) -> Iterator[Block]:
    yield Section("Cost")
    rows = [
        (
            item.model,
            f"{item.calls:,}",
            f"{item.sent:,}",
            f"{item.answered:,}",
            _dollars(item.cost, item.unknown),
        )
        for item in told.spent
    ]
    yield Table(("Model", "Calls", "Tokens sent", "Tokens answered", "USD"), tuple(rows))
    spent, limit = _dollars(told.budget.spent), told.budget.limit
    yield Text(
        f"{spent} is spent, without a limit." if limit is None else f"{spent} of {_dollars(limit)} is spent."
    )


def _dollars(nano: int | None, unknown: int = 0) -> str:
    known = f"${usd(nano) or 0:.6f}"
    return f"{known} and {count(unknown, 'call')} of unknown price" if unknown else known


def _again(told: Facts) -> Iterator[Block]:
    yield Section("To check it")
    yield Text(f"Session {told.session}, version {told.version} of {when(told.at)}; {HISTORY} {told.digest}.")
    options = f"-d {shlex.quote(told.database)} -s {shlex.quote(told.session)}"
    options += f" --tenant {shlex.quote(told.tenant)}" if told.tenant else ""
    yield Commands(tuple(_commands(told, options)))


def _commands(told: Facts, options: str) -> Iterable[str]:
    yield f"dissensus replay {options}"
    yield f"dissensus verify {options}"
    if told.conclusion is not None:
        yield f"dissensus blame /conclusion {options}"
        yield f"dissensus disagreements {options}"
