"""`replay, pytest-case`: the history again, from its recordings alone or with the code of today."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .blocks import Block, Line, Passage
from .border import situation
from .errors import Misuse
from .opening import opened_session
from .output import note, show
from .pages import facts
from .revisions import place_of, round_number
from .schemas import needed_schema
from .texts import count

if TYPE_CHECKING:
    from dissensus_agents.cases import Case
    from dissensus_agents.graph import AgentGraph
    from dissensus_agents.replaying import Replayed
    from dissensus_state.sessions import Session
    from dissensus_state.shapes import Shape

    from .data import Data

DIFFERS = 5
"""What `replay --all` exits with where something differs, as any check of a history."""

graph_option = click.option(
    "--graph", metavar="MODULE:NAME", help="Repeat every round with this graph. [--all: the last one run]"
)


@click.command(
    epilog=options.examples(
        "dissensus replay",
        "dissensus replay --graph inquiry:graph",
        "dissensus replay --graph inquiry:graph --all --json",
        "dissensus replay --schema inquiry:Inquiry --all",
    )
)
@options.on_session
@graph_option
@click.option("--schema", metavar="MODULE:CLASS", help="Admit every commit again under this schema.")
@click.option("--all", "every", is_flag=True, help="List all that differs, and exit with 5 then.")
@click.option(
    "--most", default=100, show_default=True, type=click.IntRange(1, 100_000), help="List so many at most."
)
@click.pass_context
def replay(
    context: click.Context,
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    graph: str | None,
    schema: str | None,
    every: bool,
    most: int,
) -> None:
    """Rebuild every version, bit for bit, without a call.

    Where something differs it fails and names the first difference. With a graph, every round is repeated
    with its prompts and functions, and every commit is admitted again: what would be refused now, asked
    anew, or differ.
    """
    from .data import place

    if graph and schema:
        raise Misuse("A graph has its own schema", next_step="Give --graph or --schema, and not both")
    if not (graph or schema or every):
        with opened_session(database, session) as found:
            data = {**place(found), **asdict(found.replay())}
        show(data, replayed(data), as_json=as_json)
        return
    found, report = _against(database, session, graph, schema, most if every else None)
    data = {**place(found), **report.as_dict()}
    show(data, replayed(data), as_json=as_json)
    if report.more and situation().lines:
        note(f"… and {count(report.more, 'more difference')}: add --most")
    context.exit(0 if report.same else DIFFERS)


def _against(
    database: str | None, session: str | None, graph: str | None, schema: str | None, most: int | None
) -> tuple[Session[Any], Replayed]:
    """The history against the code of today: a graph's, or a schema's alone."""
    from dissensus_agents.replaying import replay as again

    from .graphs import opened_with_graph

    if schema is not None:
        with opened_session(database, session, partial(needed_schema, schema)) as found:
            return found, again(found, found.shape, None, most)
    with opened_with_graph(database, session, graph) as (found, today):
        return found, again(found, today.shape, today.steps, most)


def replayed(data: Data) -> list[Block]:
    """What a replay found."""
    said = f"{count(data['versions'], 'version')} rebuilt, {count(data['calls'], 'call')} made"
    rested = f"{count(data['rounds'], 'round')}, {count(data['answers'], 'recorded answer')}"
    differs = any(data.get(name) for name in ("refused", "anew", "differing"))
    page: list[Block] = [
        Line(f"replayed: {said}", "red" if differs else "green"),
        *facts({"from": rested, "digest": data["digest"]}, 2),
    ]
    if "differences" not in data:
        return page
    named = {
        "by hand": data["by_hand"] or None,
        "would be refused": data["refused"] or None,
        "would be asked anew": data["anew"] or None,
        "would differ": data["differing"] or None,
        "of another schema version": data["other_schema"] or None,
        "taken away, not replayed": data["lost"] or None,
    }
    return [*page, *facts(named, 2), *_listed(data)]


def _listed(data: Data) -> list[Block]:
    from dissensus_agents.divergences import Divergence

    lines: list[Block] = [Passage(str(Divergence(**item))) for item in data["differences"]]
    if data["more"]:
        lines.append(Line(f"… and {count(data['more'], 'more difference')}: add --most", "dim"))
    lost = data["lost"] - len(data["untold"])
    lines += [Line(f"not replayed: {one}", "dim") for one in data["untold"]]
    return [*lines, Line(f"… and {lost:,} more that were taken away", "dim")] if lost > 0 else lines


@click.command(
    "pytest-case",
    epilog=options.examples(
        "dissensus pytest-case r3 --graph inquiry:graph -o tests",
        "dissensus pytest-case v12 --graph inquiry:graph --force",
        "dissensus pytest-case HEAD --schema inquiry:Inquiry",
    ),
)
@options.on_session
@click.option("--output", "-o", default=".", show_default=True, metavar="DIR", help="Into this folder.")
@click.option("--graph", metavar="MODULE:NAME", help="The graph it is held to. [default: the last one run]")
@click.option("--schema", metavar="MODULE:CLASS", help="For a commit by hand: the schema it is held to.")
@click.option("--force", is_flag=True, help="Write over files, and what fails already.")
@click.argument("what", metavar="REVISION|ROUND", default="HEAD")
def pytest_case(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    output: str,
    graph: str | None,
    schema: str | None,
    force: bool,
    what: str,
) -> None:
    """Write a test that replays this very step.

    A test and its data are written: the state, the prompts, the recorded answers, the ruling, the commit.
    Under pytest it passes now, offline and without the database, and fails with a readable message once
    code, a prompt or the schema changes what the step does.
    """
    from dissensus.testing.written import write

    from .data import place

    with opened_session(database, session) as opened:
        found, case = _case(opened, what)
        target, by_schema, shape = _held_to(found, case, graph, schema, force=force)
        test, data_file = write(case, Path(output), target=target, by_schema=by_schema, force=force)
        data = {
            **place(found),
            "version": None if case.commit is None else case.commit.version,
            "round": None if case.round is None else case.round.round,
            "test": str(test),
            "data": str(data_file),
            "target": target,
            "untold": list(case.untold),
        }
    _warn(case, shape)
    named = {"of": case.name, "data": data["data"], "held to": target, "not replayed": data["untold"]}
    show(data, [Line(f"written: {data['test']}", "green"), *facts(named, 2)], as_json=as_json)
    note(f"Run it with: pytest {data['test']}")


def _case(opened: Session[Any], what: str) -> tuple[Session[Any], Case]:
    from dissensus_agents.cases import Case

    number = round_number(what)
    if number is not None:
        return opened, Case.of(opened, round_=number)
    found, version = place_of(opened, what)
    return found, Case.of(found, version)


def _held_to(
    found: Session[Any], case: Case, graph: str | None, schema: str | None, *, force: bool
) -> tuple[str, bool, Shape]:
    """The name of the graph or the schema that the test is to load, and its schema; the case passes now."""
    from dissensus_state.shapes import shape_of

    if case.round is None and graph is None:
        held = needed_schema(schema, found.info)
        if not force:
            _hold(lambda: case.admit(held))
        return schema or found.info.schema, True, shape_of(held)
    if schema is not None:
        raise Misuse("A round is held to a graph", next_step="Give --graph MODULE:NAME instead of --schema")
    name, today = _graph(found, graph)
    if not force:
        _hold(lambda: case.replay(today))
    return name, False, today.shape


def _hold(check: Callable[[], None]) -> None:
    """Hold a case to the code of today, and tell what fails already, a line each.

    Raises:
        CaseFailed: it does.
    """
    from dissensus_agents.errors import CaseFailed

    try:
        check()
    except CaseFailed as failed:
        what, *lines = failed.message.splitlines()
        for line in lines:
            note(line)
        raise CaseFailed(
            what.rstrip(":"), next_step="Nothing was written. Write it although it fails with --force"
        ) from failed


def _graph(found: Session[Any], given: str | None) -> tuple[str, AgentGraph]:
    """The graph as the test will find it: without a session."""
    from .graphs import RAN, graph_of, load_graph

    graph_of(found, given)  # what a database names is imported only where it is ours
    name = given or str(found.events(RAN)[-1].body["graph"])
    try:
        return name, load_graph(name)
    except TypeError as error:
        raise Misuse(
            f"{name} makes its graph from a session, and a test has none",
            next_step="Name a graph, or a function without arguments, with --graph",
        ) from error


def _warn(case: Case, shape: Shape) -> None:
    """Say what should be known before the files are shared."""
    if case.untold:
        note(f"Not replayed, since it was taken away for good: {', '.join(case.untold)}")
    if shape.sensitive:
        from dissensus_state.values import pointer

        paths = ", ".join(map(pointer, shape.sensitive))
        note(f"The data holds what is sensitive ({paths}): see to it before you share it")
