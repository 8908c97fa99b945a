"""What `dissensus research` prints in the end: the answer and where the report is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dissensus.cli.blocks import Block, Grid, Line
from dissensus.cli.output import show
from dissensus.cli.texts import usd

from .facts import Facts, facts
from .progress import dollars

if TYPE_CHECKING:
    from .investigation import Outcome


def show_result(outcome: Outcome, database: str, *, as_json: bool) -> int:
    """Print how a session has ended.

    Returns:
        0.
    """
    told = facts(outcome.session, database)
    show(data(outcome, told), _page(outcome, told), as_json=as_json)
    return 0


def data(outcome: Outcome, told: Facts) -> dict[str, Any]:
    """The result as plain data."""
    conclusion = told.conclusion
    sure = told.confidence
    return {
        "session": told.session,
        "version": told.version,
        "question": told.question,
        "answer": conclusion.answer if conclusion else None,
        "short": conclusion.short if conclusion else None,
        "confidence": {"word": sure.word, "value": sure.value, "reason": sure.reason} if sure else None,
        "points": [{"statement": one.statement, "citations": list(one.citations)} for one in told.points],
        "citations": [
            {
                "number": one.number,
                "finding": one.finding,
                "claim": one.claim,
                "quotation": one.quotation,
                "document": one.document,
                "place": one.place,
                "by": one.by,
            }
            for one in told.citations
        ],
        "unknown": list(conclusion.unknown) if conclusion else [],
        "dissent": [
            {"agent": one.agent, "model": one.model, "short": one.short, "answer": one.answer}
            for one in told.dissent
        ],
        "read": told.read,
        "passages": told.passages,
        "documents": told.documents,
        "skipped": [{"name": one.name, "why": one.why} for one in told.skipped],
        "dropped": len(told.dropped),
        "stopped": told.stopped,
        "spent_usd": usd(told.budget.spent),
        "limit_usd": usd(told.budget.limit),
        "files": {"markdown": str(outcome.files.markdown), "html": str(outcome.files.html)}
        if outcome.files
        else None,
    }


def _spent(told: Facts) -> str:
    unknown = sum(item.unknown for item in told.spent)
    beside = f" and {unknown} calls of unknown price" if unknown else ""
    return dollars(told.budget.spent) + beside


def _page(outcome: Outcome, told: Facts) -> list[Block]:
    if told.conclusion is None:
        answer: list[Block] = [Line("Nothing in the sources answers this.", "bold yellow")]
    else:
        answer = [Line(told.conclusion.short, "bold green")]
    rows = [
        ("confidence", str(told.confidence)) if told.confidence else ("confidence", "none"),
        ("rests on", f"{len(told.citations)} quotations that were checked"),
        ("dissent", ", ".join(one.agent for one in told.dissent) or "none"),
        ("read", f"{told.read:,} of {told.passages:,} passages"),
        ("spent", _spent(told)),
    ]
    if outcome.files:
        rows += [("report", str(outcome.files.markdown)), ("", str(outcome.files.html))]
    return [*answer, Grid((), tuple(rows), ("dim",), 2)]
