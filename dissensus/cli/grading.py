"""`grade, quality`: what is known of settled rounds, and what that says of models."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from dissensus_state.values import MAX_BYTES

from . import grading_pages as pages
from .errors import ALARM, Misuse
from .judging import number_of
from .opening import opened_session, opened_store
from .options import examples, on_database, on_session, schema, session
from .output import note, show
from .people import login_name
from .schemas import needed_schema

if TYPE_CHECKING:
    from dissensus_agents.watch.quality import Report
    from dissensus_state.records import GradeBasis, Proposal
    from dissensus_state.sessions import Session
    from dissensus_state.store import Store


@click.command(
    epilog=examples(
        'dissensus grade 3 --right ana --wrong ben,cem --detail "The log says 12:01"',
        """dissensus grade 3 --value '{"/verdict": "disk"}' --basis reference --by answers-2026""",
        "dissensus grade 3 --wrong supervisor --schema inquiry:Inquiry",
    )
)
@on_session
@schema
@click.option("--right", metavar="A,B", help="Whose proposals were right; supervisor is the ruling.")
@click.option("--wrong", metavar="C", help="Whose were wrong.")
@click.option(
    "--value", metavar="JSON", help="What is right, by path: who proposed it is right, others wrong."
)
@click.option("--basis", type=click.Choice(["person", "reference", "verifier"]), default="person")
@click.option(
    "--by", metavar="NAME", envvar="DISSENSUS_AUTHOR", help="Who says so. [default: your login name]"
)
@click.option("--detail", metavar="TEXT", help="Why.")
@click.argument("round_", metavar="ROUND")
def grade(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    schema: str | None,
    round_: str,
    right: str | None,
    wrong: str | None,
    value: str | None,
    basis: GradeBasis,
    by: str | None,
    detail: str | None,
) -> None:
    """Say whose proposals in a settled round were right.

    Grades feed weights, routing, thresholds and `dissensus quality`. They are only ever added: of several
    the newest counts, a known answer (reference) before a person, and a person before a verifier.
    """
    from .data import place

    number = number_of(round_)
    with opened_session(database, session, partial(needed_schema, schema)) as opened:
        found = opened.on(opened.round(number)[0].branch)
        named = _named(right, wrong, value, found.round(number)[1])
        found.grade(number, *named, basis=basis, by=by or login_name(), detail=detail)
        data = {**place(found), "round": number, "grades": [one.as_dict() for one in found.grades(number)]}
    show(data, pages.grades(data), as_json=as_json)


def _named(
    right: str | None, wrong: str | None, value: str | None, made: list[Proposal]
) -> tuple[list[str], list[str]]:
    if (value is None) == (right is None and wrong is None):
        raise Misuse(
            "A grade names agents, or what is right", next_step="Give --right and --wrong, or --value"
        )
    if value is None:
        return _split(right), _split(wrong)
    from dissensus_agents.judgement.grading import by_value

    return by_value(made, _values(value))


def _split(names: str | None) -> list[str]:
    return [name.strip() for name in (names or "").split(",") if name.strip()]


def _values(given: str) -> dict[str, Any]:
    text = sys.stdin.read(MAX_BYTES) if given == "-" else given
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not value or not all(path.startswith("/") for path in value):
        raise Misuse(
            "What is right is a JSON object with a value for each path",
            next_step="""Write --value '{"/verdict": "…"}'""",
        )
    return value


@click.command(
    epilog=examples(
        "dissensus quality",
        "dissensus quality --task judge --since 2026-01-01 --json",
        "dissensus quality --check",
        "dissensus quality --model openai:gpt-4o --task judge --reset right",
    )
)
@on_database
@session
@click.option("--task", metavar="STEP", help="Only rounds of this step.")
@click.option("--model", metavar="NAME", help="Only this model.")
@click.option("--since", metavar="DATE", help="Only rounds that began then or later, as 2026-01-31.")
@click.option(
    "--reference", metavar="N|A..B", default="200", help="What is normal: the first N answers, or two dates."
)
@click.option("--check", is_flag=True, help="Put alarms into the history; exit 26 where one stands.")
@click.option("--reset", metavar="MEASURE", help="Let the alarm on it learn anew what is normal.")
@click.option(
    "--by", metavar="NAME", envvar="DISSENSUS_AUTHOR", help="Who resets. [default: your login name]"
)
def quality(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    reference: str,
    check: bool,
    reset: str | None,
    by: str | None,
    since: str | None,
    **only: str | None,
) -> None:
    """Show how good models are at each task, and alarms.

    Right and wrong are what is graded from outside the models. An alarm rings when a model has become worse
    at a task than it was at first; it stays until it is reset.
    """
    from dissensus_agents.quality import quality as measure

    with opened_store(database) as store:
        of: Store | Session[Any] = store if session is None else store.session(session)
        alarms = _alarms(reference)
        found = measure(of, since=_moment(since), alarms=alarms, **only)
        if reset is not None:
            _reset(of, found, reset, by or login_name())
            found = measure(of, since=_moment(since), alarms=alarms, **only)
        if check:
            _tell(of, found)
        data = _data(of, found)
    show(data, pages.quality(data), as_json=as_json)
    if check and found.alarms:
        click.get_current_context().exit(ALARM)


def _data(of: Store | Session[Any], found: Report) -> dict[str, Any]:
    from dissensus_state.store import Store

    from .grading_data import report_data

    named = {info.session_id: info.name for info in of.sessions()} if isinstance(of, Store) else {}
    one = None if isinstance(of, Store) else of.name
    return {"database": of.database.name, "session": one, **report_data(found, named, one or "")}


def _alarms(reference: str) -> Any:
    from dissensus_agents.watch.alarms import Alarms

    if reference.isdecimal() and len(reference) < 10:
        return Alarms(reference=int(reference))
    first, dots, last = reference.partition("..")
    if not dots:
        raise Misuse(f"{reference[:80]!r} is no reference", next_step="Write 200, or 2026-01-01..2026-02-01")
    return Alarms(reference=(_moment(first) or 0, _moment(last) or 0))


def _moment(text: str | None) -> int | None:
    """A date (UTC) in milliseconds since 1970."""
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Misuse(f"{text!r} is no date", next_step="Write it as 2026-01-31") from None
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)


def _reset(of: Store | Session[Any], found: Report, measure: str, by: str) -> None:
    from dissensus_agents.quality import reset

    chosen = [alarm for alarm in found.alarms if alarm.measure == measure]
    if len(chosen) != 1:
        raise Misuse(
            f"{len(chosen)} alarms stand on {measure!r}",
            next_step="Name the one that is meant with --model and --task, as `dissensus quality` shows it",
        )
    reset(of, chosen[0], by=by)
    note(f"{chosen[0].model} at {chosen[0].task}: {measure} learns anew what is normal")


def _tell(of: Store | Session[Any], found: Report) -> None:
    from dissensus_agents.quality import tell, told

    known = told(of)
    for alarm in found.alarms:
        if alarm.key not in known:
            tell(of, alarm)
