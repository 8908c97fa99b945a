"""What the agents of a research session are asked, each from its view of the state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dissensus_agents.messages import Part
from dissensus_agents.views import View

if TYPE_CHECKING:
    from dissensus_state.library import Library

PLAN = (
    "Divide the question into the few parts that the sources have to answer, and say for each how to look "
    "for it by words. Do not answer it."
)
SCOUT = (
    "Read the passages. Report every statement in them that bears on the sub-questions, each with the exact "
    "words that say so and the number of the passage. Report what speaks against an expected answer as well. "
    "Report nothing that the passages do not say; where they say nothing of it, report nothing. As leads, "
    "name what the passages point to and do not tell themselves."
)
ANALYST = (
    "Answer the question from the findings alone, and cite them by their numbers. Weigh findings that "
    "contradict each other. Say what they do not tell."
)
CHAIR = (
    "Every position must rest on the findings that it cites. An answer that goes beyond them is wrong; so is "
    "one that passes over findings which contradict it."
)

MOST_SOURCES = 100
"""Names of sources that a planner is shown."""

Prompt = Callable[[View], Iterable[str | Part]]


def planning(view: View) -> Iterator[str | Part]:
    """The question, and what the sources are called."""
    yield view.part("/question", "The question")
    sources = view.read("/sources")
    names = "\n".join(f"{_line(item['name'])} ({item['kind']})" for item in sources[:MOST_SOURCES])
    more = len(sources) - MOST_SOURCES
    yield Part(names + (f"\nand {more:,} more" if more > 0 else ""), title="The sources")


def scouting(library: Library, seat: int) -> Prompt:
    """The next batch but `seat` of the passages that were chosen, for the scout in that seat."""

    def prompt(view: View) -> Iterator[str | Part]:
        batch = view.read("/read") + 1 + seat
        yield view.part("/question", "The question")
        chosen = [(n, item) for n, item in enumerate(view.read("/reading"), 1) if item["batch"] == batch]
        plan = view.read("/plan")
        yield Part("\n".join(_asked(n, plan) for n in range(1, len(plan) + 1)), title="The sub-questions")
        for n, item in chosen:
            passage = library.passage(item["document"], item["n"])
            where = f"P{n}: {_line(item['document'])}, {_line(item['place'])}"
            yield Part(passage.text, passage.source, where)

    return prompt


def judging(most: int) -> Prompt:
    """The question, and the findings that stand under their sub-questions, in at most so many characters."""

    def prompt(view: View) -> Iterator[str | Part]:
        yield view.part("/question", "The question")
        told, left_out = told_findings(
            view.read("/plan"), view.read("/findings"), view.read("/standing"), view.read("/reading"), most
        )
        yield Part(told, title="The findings")
        if left_out:
            yield Part(f"{left_out} findings more did not fit here.", title="Left out")

    return prompt


def told_findings(plan: Any, findings: Any, standing: Any, reading: Any, most: int) -> tuple[str, int]:
    """The findings as text, and how many did not fit: every sub-question keeps as many as the others."""
    wanted: dict[int, list[str]] = {}
    for item in standing:
        finding = findings[item["finding"] - 1]
        question = finding["question"] if 1 <= finding["question"] <= len(plan) else 0
        passage = reading[item["passage"] - 1]
        where = f"{_line(passage['document'])}, {_line(passage['place'])}"
        text = f"F{item['finding']}: {_line(finding['claim'])}\n    “{_line(finding['quotation'])}” ({where})"
        wanted.setdefault(question, []).append(text)
    kept = _fair(wanted, most)
    lines: list[str] = []
    for n in [*range(1, len(plan) + 1), *([0] if 0 in wanted else [])]:
        lines.append(_asked(n, plan) if n else "Beside the sub-questions:")
        lines += kept.get(n) or ["(nothing was found)"]
    return "\n".join(lines), sum(map(len, wanted.values())) - sum(map(len, kept.values()))


def _fair(wanted: dict[int, list[str]], room: int) -> dict[int, list[str]]:
    """As many texts as fit, taken in turn from every sub-question, in their order."""
    kept: dict[int, list[str]] = {question: [] for question in wanted}
    for turn in range(max(map(len, wanted.values()), default=0)):
        for question, texts in wanted.items():
            if turn < len(texts) and len(texts[turn]) < room:
                kept[question].append(texts[turn])
                room -= len(texts[turn]) + 1
    return kept


def _asked(number: int, plan: Any) -> str:
    return f"{number}. {_line(plan[number - 1]['question'])}"


def _line(text: str) -> str:
    """What others wrote, on one line, so that it begins nothing new."""
    return " ".join(text.split())
