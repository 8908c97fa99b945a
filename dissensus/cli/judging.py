"""`disagreements, rule`: what the agents do not agree on, and a person's decision over it."""

from __future__ import annotations

import getpass
import json
import sys
from typing import Any

import click

from . import pages
from .blocks import Line
from .errors import Misuse
from .opening import opened_session
from .options import examples, on_session, schema
from .output import note, show
from .revisions import round_number

_MOST_INPUT = 16 * 1024 * 1024


@click.command(epilog=examples("dissensus disagreements", "dissensus disagreements --open --json"))
@on_session
@click.option("--open", "only_open", is_flag=True, help="Only rounds that still await a ruling.")
def disagreements(
    database: str | None, session: str | None, as_json: bool, only_open: bool
) -> None:
    """Show the rounds that are or were under review.

    Each with the positions, who holds them, and the rulings."""
    from .data import dispute_data, place

    with opened_session(database, session) as found:
        reviewed = [item for item in found.rounds() if item.review is not None]
        shown = [item for item in reviewed if not (only_open and item.settled)]
        disputes = [dispute_data(item, found.round(item.round)[3]) for item in shown]
        data = {**place(found), "rounds": disputes}
    show(data, pages.disagreements(data), as_json=as_json)
    _say_what_is_open(data)


def _say_what_is_open(data: dict[str, Any]) -> None:
    waiting = [item for item in data["rounds"] if not item["settled"]]
    if waiting:
        position = " --position A" if waiting[0]["review"]["disagreements"] else ""
        note(f"Settle it with: dissensus rule {waiting[0]['round']} uphold{position} --reason …")
    elif not data["rounds"]:
        note("No round is under review.")


@click.command(
    epilog=examples(
        'dissensus rule 3 uphold --position B --reason "A misquotes the log"',
        'dissensus rule 3 amend --amendment \'{"/verdict": "both"}\' --reason "…"',
        'dissensus rule 3 retry --reason "Quote the line you rely on"',
        'dissensus rule 3 reject --reason "Neither is supported" --schema inquiry:Inquiry',
    )
)
@on_session
@schema
@click.option(
    "--position", metavar="LETTER", help="uphold: which one, as `disagreements` shows it."
)
@click.option("--amendment", metavar="JSON", help="amend: {path: value}; - reads standard input.")
@click.option("--reason", required=True, help="Why; for retry, what the agents are told.")
@click.option("--author", envvar="DISSENSUS_AUTHOR", help="Who rules. [default: your login name]")
@click.argument("round_", metavar="ROUND")
@click.argument("decision", type=click.Choice(["uphold", "amend", "retry", "reject"]))
def rule(
    database: str | None,
    session: str | None,
    as_json: bool,
    schema: str | None,
    round_: str,
    decision: str,
    position: str | None,
    amendment: str | None,
    reason: str,
    author: str | None,
) -> None:
    """Settle a round that waits for a ruling.

    What is upheld or amended is committed with the others' dissent beside it. A schema that is not
    dissensus's own has to be named, as it is code.
    """
    number = _number(round_)
    patch = _amendment(decision, amendment)
    if position is not None and decision != "uphold":
        raise Misuse(
            f"A position is upheld; {decision} takes none", next_step="Leave --position out"
        )
    from dissensus_agents.session import settle

    with opened_session(database, session, schema, to_write=True) as found:
        settle(
            found,
            number,
            decision=decision,
            position=position,
            amendment=patch,
            reason=reason,
            author=author or _login_name(),
        )
        _report(found, number, decision, as_json=as_json)


def _number(text: str) -> int:
    number = round_number(text if text.startswith("r") else f"r{text}")
    if number is None:
        raise Misuse(
            f"{text!r} is no round", next_step="Write its number, as `disagreements` shows it"
        )
    return number


def _amendment(decision: str, given: str | None) -> str | None:
    """The amendment's text, if it is one and the decision takes one."""
    if decision != "amend":
        if given is not None:
            raise Misuse(
                f"{decision} takes no amendment", next_step="Leave --amendment out, or amend"
            )
        return None
    text = sys.stdin.read(_MOST_INPUT) if given == "-" else given
    try:
        changes = json.loads(text or "")
    except (ValueError, RecursionError):
        changes = None
    if not isinstance(changes, dict) or not changes:
        raise Misuse(
            "An amendment is a JSON object from paths to values",
            next_step="""Write --amendment '{"/verdict": "…"}'""",
        )
    return text


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "user"


def _report(found: Any, number: int, decision: str, *, as_json: bool) -> None:
    from dissensus_state import commits

    from .data import place

    with found.reading() as work:
        made = commits.by_round(work, found.session_id, found.branch, number)
    status = found.round(number)[0].status
    version = made.version if made else None
    data = {
        **place(found),
        "round": number,
        "decision": decision,
        "status": status,
        "version": version,
    }
    text = f"round {number}: {status}" + (f" as v{version}" if made else "")
    show(data, [Line(text, "green")], as_json=as_json)
