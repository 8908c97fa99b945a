"""`disagreements, rule`: what the agents do not agree on, and a person's decision over it."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from dissensus_state.values import MAX_BYTES

from . import pages, stories
from .blocks import Line
from .border import program
from .errors import Misuse
from .opening import ended_in, opened_session, opened_store
from .options import examples, on_session, schema
from .output import note, show
from .people import login_name
from .revisions import round_number
from .schemas import needed_schema
from .turning import meant, note_more

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dissensus_state.disputes import Dispute
    from dissensus_state.records import Decision
    from dissensus_state.sessions import Session

    from .data import Data


@click.command(
    epilog=examples(
        "dissensus disagreements",
        "dissensus disagreements --open --json",
        "dissensus disagreements --path /verdict --cause 'missing evidence'",
        "dissensus disagreements --limit 20 --after r40",
        "dissensus disagreements --tally",
        "dissensus disagreements --tally --everywhere",
    )
)
@on_session
@click.option("--open", "only_open", is_flag=True, help="Only rounds that still await a ruling.")
@click.option("--tally", is_flag=True, help="Count them by path and suspected cause.")
@click.option("--everywhere", is_flag=True, help="With --tally: over all sessions of the database.")
@click.option("--path", metavar="PATH", help="Only those at this path and below it.")
@click.option("--step", metavar="STEP", help="Only those in this step.")
@click.option("--cause", metavar="CAUSE", help="Only those for this cause, as ruled or as suspected.")
@click.option("--agent", metavar="NAME", help="Only those in which this agent holds a position; settled.")
@click.option(
    "--limit",
    "-n",
    default=50,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="How many rounds.",
)
@click.option("--after", metavar="ROUND", help="Only rounds after this one.")
def disagreements(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    only_open: bool,
    tally: bool,
    everywhere: bool,
    limit: int,
    after: str | None,
    **sought: Any,
) -> None:
    """Show the rounds that are or were under review.

    Each with the positions and the rulings; who holds them is shown once it is settled, until then
    the reasoning behind each letter. With --path, --step, --cause or --agent it is those in which
    something was disputed that fits.
    """
    if everywhere and (session is not None or not tally):
        raise Misuse(
            "--everywhere is for --tally, over all sessions",
            next_step="Write `dissensus disagreements --tally --everywhere`",
        )
    if tally:
        _show_tally(database, session, sought, as_json=as_json, only_open=only_open, everywhere=everywhere)
        return
    from dataclasses import asdict

    from dissensus_state.disputes import tally as counts

    from .data import place

    with opened_session(database, session) as found:
        every = found.disagreements(only_open=only_open, **sought)
        fitting = _fitting(every, sought) if any(sought.values()) else None
        numbers = _reviewed(found, fitting, 0 if after is None else number_of(after), only_open=only_open)
        disputes = [_dispute(found, number) for number in numbers[:limit]]
        counted = [asdict(row) for row in counts(every)]
        turned = numbers[limit - 1] if len(numbers) > limit else None
        data = {**place(found), "rounds": disputes, "tally": counted, "next": turned}
    show(data, stories.disagreements(data), as_json=as_json)
    _say_what_is_open(data, sought=after is not None or any(sought.values()))
    if turned is not None:
        note_more(f"--after r{turned}")


def _fitting(every: list[Dispute], sought: Mapping[str, Any]) -> set[int]:
    """The rounds of disputes. Who holds what in an open one is told nobody, and by no filter either."""
    from dissensus_state.records import SETTLED

    return {one.round for one in every if sought.get("agent") is None or one.status in SETTLED}


def _reviewed(found: Session[Any], fitting: set[int] | None, after: int, *, only_open: bool) -> list[int]:
    """The rounds after one that were reviewed, or those of them that fit."""
    return [
        item.round
        for item in found.rounds()
        if item.round > after
        and _REASONS & set(item.review or ())
        and not (only_open and item.settled)
        and (fitting is None or item.round in fitting)
    ]


def _show_tally(
    database: str | None,
    session: str | None,
    sought: Mapping[str, Any],
    *,
    as_json: bool,
    only_open: bool,
    everywhere: bool,
) -> None:
    """How often there was a dispute, by path and suspected cause."""
    from dataclasses import asdict

    from dissensus_state.disputes import tally

    from .data import place

    if everywhere:
        with opened_store(database) as store:
            infos = store.sessions()
            asked = {"only_open": only_open, **sought}
            found = [one for info in infos for one in store.session(info.name).disagreements(**asked)]
        data: Data = {"sessions": len(infos)}
    else:
        with opened_session(database, session) as opened:
            found, data = [*opened.disagreements(only_open=only_open, **sought)], place(opened)
    data["tally"] = [asdict(row) for row in tally(found)]
    show(data, pages.tally(data), as_json=as_json, listed="tally")
    if not data["tally"]:
        note("Nothing was disputed.")


_REASONS = {"disagreements", "hollow", "failed", "asked", "audit", "unsettled"}
"""Why a round needs a ruling; what is void without one has other things to say."""


def _dispute(found: Session[Any], number: int) -> Data:
    from .data import dispute_data

    return dispute_data(*found.round(number))


def _say_what_is_open(data: Data, *, sought: bool) -> None:
    waiting = [item["round"] for item in data["rounds"] if not item["settled"]]
    if waiting:
        note(f"Settle it with: {program()} rule {waiting[0]} uphold --position A --reason …{meant()}")
    elif not data["rounds"]:
        note("No round is all of that." if sought else "No round is under review.")


@click.command(
    epilog=examples(
        'dissensus rule 3 uphold --position B --reason "A misquotes the log"',
        'dissensus rule 3 amend --amend \'{"/verdict": "both"}\' --reason "each saw one half"',
        'dissensus rule 3 retry --clarify "Quote the line that you rely on"',
        'dissensus rule 3 reject --reason "unsupported" --schema inquiry:Inquiry',
    )
)
@on_session
@schema
@click.option("--position", metavar="LETTER", help="The one to uphold or amend; see `disagreements`.")
@click.option("--amend", metavar="JSON", help="Values by path; - reads them from standard input.")
@click.option("--clarify", metavar="TEXT", help="What the agents are told when asked again.")
@click.option("--reason", metavar="TEXT", help="Why. Only a retry needs none.")
@click.option("--author", envvar="DISSENSUS_AUTHOR", help="Who rules. [default: your login name]")
@click.argument("round_", metavar="ROUND")
@click.argument("decision", type=click.Choice(["uphold", "amend", "retry", "reject"]))
def rule(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    schema: str | None,
    round_: str,
    decision: Decision,
    **given: str | None,
) -> None:
    """Settle a round that waits for a ruling.

    What is upheld or amended is committed with the others' dissent beside it; after a retry or a
    rejection the next run of the graph goes on. A schema is code: unless it is dissensus's own, it
    has to be named.
    """
    from dissensus_agents.session import settle

    number, ruling = number_of(round_), _ruling(decision, **given)
    with opened_session(database, session, partial(needed_schema, schema)) as opened:
        found = opened.on(opened.round(number)[0].branch)
        settle(found, number, decision=decision, **ruling)
        _report(found, number, decision, as_json=as_json)


def number_of(text: str) -> int:
    """The number of a round as it is written: 3, or r3."""
    number = round_number(text if text.startswith("r") else f"r{text}")
    if number is None:
        raise Misuse(f"{text!r} is no round", next_step="Write its number, as `disagreements` shows it")
    return number


def _ruling(
    decision: Decision,
    position: str | None,
    amend: str | None,
    clarify: str | None,
    reason: str | None,
    author: str | None,
) -> dict[str, Any]:
    """What `settle` takes, once the options fit the decision."""
    _check_fit(decision, {"--position": position, "--amend": amend, "--clarify": clarify})
    why = reason or clarify
    if not why:
        raise Misuse("A ruling says why", next_step="Add --reason TEXT")
    return {
        "position": position,
        "amendment": None if amend is None else _amendment(amend),
        "clarification": clarify,
        "reason": why,
        "author": author or login_name(),
    }


_FITTING = {
    "uphold": {"--position"},
    "amend": {"--amend", "--position"},
    "retry": {"--clarify"},
    "reject": set(),
}
_NEEDED = {"uphold": "--position", "amend": "--amend", "retry": "--clarify"}


def _check_fit(decision: Decision, options: dict[str, str | None]) -> None:
    given = {name for name, value in options.items() if value is not None}
    if wrong := sorted(given - _FITTING[decision]):
        raise Misuse(f"{decision} does not take {wrong[0]}", next_step=f"Leave {wrong[0]} out")
    if needed := {_NEEDED.get(decision)} - given - {None}:
        raise Misuse(f"{decision} needs {needed.pop()}", next_step="See `dissensus rule --help`")


def _amendment(given: str) -> dict[str, Any]:
    text = sys.stdin.read(MAX_BYTES) if given == "-" else given
    try:
        changes = json.loads(text)
    except (ValueError, RecursionError):
        changes = None
    if not isinstance(changes, dict) or not changes:
        raise Misuse(
            "An amendment is a JSON object with a value for each path",
            next_step="""Write --amend '{"/verdict": "…"}'""",
        )
    return changes


def _report(found: Session[Any], number: int, decision: Decision, *, as_json: bool) -> None:
    from .data import place

    made = ended_in(found, number)
    version = made.version if made else None
    data = {
        **place(found),
        "round": number,
        "decision": decision,
        "status": found.round(number)[0].status,
        "version": version,
    }
    text = f"round {number}: {data['status']}" + (f" as v{version}" if made else "")
    show(data, [Line(text, "green")], as_json=as_json)
