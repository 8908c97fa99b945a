"""What the scripted models of the demo say. No model wrote it; lineages and prices are invented.

Each answers from the request alone, so that a run which was killed goes on in another process as if
nothing had happened.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from dissensus_agents.messages import Reply
from dissensus_agents.models.client import Model
from dissensus_agents.models.prices import Price
from dissensus_agents.models.scripted import ScriptedModel
from dissensus_state.values import canonical

from .incident import JUDGE, READ, TRIAGE

LOG, METRICS, NOTES, CHANGES = "service-log.txt", "metrics.txt", "oncall-notes.md", "changes.md"

FIRST_ERROR = "09:41:07 checkout ERROR pool timeout after 3000 ms waiting for orders-db"
EXPORT_BEGINS = '09:40:00 ledger-export INFO started by schedule "40 9 * * 1-5" (CHG-3102)'
ALL_TAKEN = "09:41:33 orders-db WARN connections 80 of 80 in use, 32 of them by ledger-export"
RELEASED = "09:47:30 gate INFO rollout of checkout 4.18.0 complete, 6 of 6 instances"
MISQUOTED = RELEASED.replace("09:47:30", "09:37:30")
"""One digit, and the release comes before the first error instead of after it."""

THE_RELEASE, THE_EXPORT = "release of checkout 4.18.0", "ledger-export moved to 09:40"


def panel(delay: float = 0.0) -> dict[str, Model]:
    """Three models of two lineages in four seats; `delay` is about how many seconds each takes to answer."""
    return {
        "ola": _scripted("quill-small", "quill/quill-3", "0.30", "1.20", BEN, 0.6 * delay),
        "ana": _scripted("quill-large", "quill/quill-3", "2.00", "8.00", ANA, delay),
        "ben": _scripted("quill-small", "quill/quill-3", "0.30", "1.20", BEN, 0.6 * delay),
        "caro": _scripted("heron-2", "heron/heron-2", "1.00", "4.00", CARO, 1.4 * delay),
    }


def chair(delay: float = 0.0) -> Model:
    """A model of a third lineage, which rules on what it reads in its prompt."""
    return _scripted("lodestar-1", "lodestar/lodestar-1", "3.00", "12.00", ruling, 1.6 * delay)


def _scripted(name: str, lineage: str, sent: str, answered: str, says: Any, delay: float) -> ScriptedModel:
    price = Price(Decimal(sent), Decimal(answered), source="invented for the demo")
    return ScriptedModel(f"scripted:{name}", says, lineage=lineage, price=price, delay=delay)


def _reply(thoughts: str, confidence: float, **fields: Any) -> Reply:
    """An answer with its chain of thought beside it, as reasoning models give it."""
    answer = canonical({**fields, "confidence": confidence})
    return Reply(answer, model="", reasoning=thoughts.strip(), reasoning_kind="raw")


def _quotation(source: str, quote: str, shows: str) -> dict[str, str]:
    return {"source": source, "quote": quote, "shows": shows}


def _shared(thoughts: str) -> Reply:
    """What the two models of one lineage judge once they look at the export: the same, in the same words."""
    return _reply(
        thoughts,
        0.85,
        verdict={
            "cause": THE_EXPORT,
            "severity": "major",
            "evidence": [
                _quotation(LOG, EXPORT_BEGINS, "The export began before the first error."),
                _quotation(LOG, ALL_TAKEN, "It held 32 connections when there were none left."),
                _quotation(LOG, RELEASED, "The release came later."),
            ],
        },
    )


ANA = {
    (READ, THE_EXPORT): _reply(
        """
Step 1. The suspect is the export. The change record gives it a new hour and 32 connections.
Step 2. The failing payments wait for a database connection, which fits an export that holds many.
""",
        0.80,
        findings=[
            _quotation(CHANGES, "Connections to orders-db: from 4 to 32", "The export takes more of them."),
            _quotation(LOG, FIRST_ERROR, "The payments wait for a connection; this one is the first."),
        ],
    ),
    (JUDGE, THE_EXPORT): _shared(
        f"""
Step 1. The first error is the pool timeout at 09:41:07. Whatever did it came before.
Step 2. The suspect began at 09:40:00 and holds 32 of the 80 connections.
Step 3. The release is out of it: “{RELEASED}”.
"""
    ),
    READ: _reply(
        """
Step 1. The question is what changed before the payments failed. The change record lists two changes.
Step 2. CHG-3107 brings checkout 4.18.0 with one more query per payment, in a window from 09:30.
Step 3. The failing payments wait for a database connection, which fits more queries.
""",
        0.80,
        findings=[
            _quotation(CHANGES, "Window: 2026-10-14, 09:30 to 10:00.", "A release was due that morning."),
            _quotation(CHANGES, "one more query per payment", "The release asks more of the database."),
            _quotation(LOG, FIRST_ERROR, "The payments wait for a connection; this one is the first."),
        ],
    ),
    JUDGE: _reply(
        f"""
Step 1. The first error is the pool timeout at 09:41:07. Whatever did it came before.
Step 2. The log has “{MISQUOTED}”: the release was out four minutes before that.
Step 3. It adds a query to every payment, and the pool has stayed as it was. So the pool runs dry.
Step 4. The errors end with the rollback. The release did it.
""",
        0.90,
        verdict={
            "cause": THE_RELEASE,
            "severity": "major",
            "evidence": [
                _quotation(LOG, MISQUOTED, "The release was out before the first error."),
                _quotation(CHANGES, "one more query per payment", "It asks more of the database."),
                _quotation(NOTES, "Errors are gone. Rollback fixed it.", "Without it the errors end."),
            ],
        },
    ),
}

BEN = {
    TRIAGE: _reply(
        """
Step 1. The on-call engineer writes “It must be the release: it adds a query to every payment”.
Step 2. The rollback ended the errors. So the release is the first suspect.
""",
        0.70,
        suspect=THE_RELEASE,
    ),
    (READ, THE_EXPORT): _reply(
        """
Step 1. The suspect is the export. The on-call notes ask why the ledger was there before lunch.
Step 2. The metrics give the extent: about 14 % of the payments failed for 40 minutes.
""",
        0.75,
        findings=[
            _quotation(NOTES, "Finance asks why the ledger was there before lunch.", "Its hour was new."),
            _quotation(METRICS, "1702 (of 12180 tried)", "One payment in seven was lost."),
        ],
    ),
    (JUDGE, THE_EXPORT): _shared(
        """
Step 1. The suspect began one minute before the first error, with 32 connections.
Step 2. When all 80 were taken, 32 of them were its own. It was the export.
"""
    ),
    READ: _reply(
        """
Step 1. The on-call engineer suspected the release, rolled it back, and the errors ended.
Step 2. The metrics give the extent: about 14 % of the payments failed for 40 minutes.
""",
        0.75,
        findings=[
            _quotation(NOTES, "It must be the release", "The on-call engineer suspected the release."),
            _quotation(NOTES, "Errors are gone. Rollback fixed it.", "They ended with the rollback."),
            _quotation(METRICS, "1702 (of 12180 tried)", "One payment in seven was lost."),
        ],
    ),
    JUDGE: _reply(
        f"""
Step 1. According to the log, “{MISQUOTED}”. The alarm came after it, at 09:43.
Step 2. Nothing else was rolled out that morning, and the rollback ended the errors.
Step 3. So it was the release. One payment in seven was lost: major.
""",
        0.85,
        verdict={
            "cause": THE_RELEASE,
            "severity": "major",
            "evidence": [
                _quotation(LOG, MISQUOTED, "The release came before the alarm."),
                _quotation(NOTES, "Errors are gone. Rollback fixed it.", "Without it the errors end."),
            ],
        },
    ),
}

CARO = {
    TRIAGE: _reply(
        """
Step 1. I go through the log in the order of time. The first error is at 09:41:07.
Step 2. What began right before it is ledger-export, at 09:40:00, with 32 connections.
""",
        0.60,
        suspect=THE_EXPORT,
    ),
    READ: _reply(
        """
Step 1. I go through the log in the order of time. At 09:40:00 ledger-export starts, with 32 connections.
Step 2. At 09:41:33 all 80 connections are taken, 32 of them by the export. Checkout needs up to 48.
Step 3. The change record says that this was the export's first run at that hour.
""",
        0.70,
        findings=[
            _quotation(LOG, EXPORT_BEGINS, "An export began one minute before the first error."),
            _quotation(LOG, ALL_TAKEN, "It held 32 of the 80 connections when there were none left."),
            _quotation(CHANGES, "Connections to orders-db: from 4 to 32", "It used to take four."),
        ],
    ),
    JUDGE: _reply(
        f"""
Step 1. The first error is at 09:41:07, and the disk reads were up by 09:40:48.
Step 2. The release came later: “{RELEASED}”. At 09:41 not one instance had it.
Step 3. What did start before is ledger-export, at 09:40:00: new hour, 32 connections instead of 4.
Step 4. The errors end at 10:22, 12 seconds after the rollback and right after the export. The end
does not tell the two apart, the beginning does: it was the export.
""",
        0.70,
        verdict={
            "cause": THE_EXPORT,
            "severity": "major",
            "evidence": [
                _quotation(LOG, EXPORT_BEGINS, "The export began 67 seconds before the first error."),
                _quotation(LOG, ALL_TAKEN, "It held the connections that payments waited for."),
                _quotation(LOG, FIRST_ERROR, "This is the first error."),
                _quotation(LOG, RELEASED, "The release came six minutes after the first error."),
            ],
        },
    ),
}

_POSITION = re.compile(r"^## Position (\w+)$", re.MULTILINE)
_FAILED = re.compile(r"^Failed check: .*“(.*)”$", re.MULTILINE)


def ruling(prompt: str) -> dict[str, Any]:
    """What the chair says: it upholds the one position whose quotations all stand in their sources."""
    parts = _POSITION.split(prompt)[1:]
    failed = {label: _FAILED.findall(text) for label, text in zip(parts[::2], parts[1::2], strict=True)}
    standing = [label for label, quotes in failed.items() if not quotes]
    if len(standing) != 1:
        return {"decision": "escalate", "reason": "The checks do not tell the positions apart."}
    texts = dict(zip(parts[::2], parts[1::2], strict=True))
    wrong = {label: quotes[0] for label, quotes in failed.items() if quotes}
    if not wrong:
        reason = "All quotations of the one position stand in their sources."
        return {"reason": reason, "decision": "uphold", "position": standing[0]}
    return {
        "wrong_steps": [
            {"position": label, "step": _step_with(quote, texts[label])} for label, quote in wrong.items()
        ],
        "cause": "reasoning_error",
        "reason": "One position rests on a line that is not in its source: "
        + "; ".join(f"“{quote}”" for quote in wrong.values())
        + ". Every quotation of the other one stands.",
        "decision": "uphold",
        "position": standing[0],
    }


def _step_with(quote: str, text: str) -> str:
    """The first line of a chain of thought that relies on a quotation."""
    return next((line for line in text.splitlines() if line.startswith("Step ") and quote in line), quote)
