"""`run`: a graph of the user's over a session, begun or gone on with."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dissensus_state.errors import NotFound, SchemaRefused

from . import options
from .blocks import Block, Line, Passage
from .border import program, situation
from .errors import Misuse
from .graphs import load_graph, note_run
from .output import note, show
from .turning import copied

if TYPE_CHECKING:
    from dissensus_agents.graph import AgentGraph
    from dissensus_agents.running import Progress
    from dissensus_state.sessions import Session
    from dissensus_state.store import Store


@click.command(
    epilog=options.examples(
        """dissensus run inquiry:graph -d inquiry.db --state '{"question": "Why?"}' --budget 2""",
        "dissensus run inquiry:graph -d inquiry.db",
        "dissensus run inquiry:graph -d inquiry.db --model analyst=ollama:llama3.1",
        "dissensus run inquiry:graph -d again.db --state @state.json --recordings inquiry.jsonl",
    )
)
@click.argument("graph", metavar="MODULE:GRAPH")
@click.option("--state", "initial", metavar="JSON|@FILE", help="Begin a new session with this state.")
@click.option("--budget", metavar="USD", help="What a new session may spend.")
@click.option("--start", metavar="STEP", help="Begin a new pass at this step.")
@click.option(
    "--model",
    "models",
    metavar="AGENT=MODEL",
    multiple=True,
    help="Another model for an agent, for this run; several, separated by commas, stand in for each other.",
)
@click.option(
    "--recordings",
    metavar="FILE",
    help="Answer every seat from this file of recordings: nothing is asked, nothing is paid.",
)
@options.on_session
def run(
    *,
    graph: str,
    initial: str | None,
    budget: str | None,
    start: str | None,
    models: tuple[str, ...],
    recordings: str | None,
    database: str | None,
    session: str | None,
    as_json: bool,
) -> int:
    """Run a graph of yours over a session.

    It goes on from where the session stands. GRAPH is an AgentGraph, or a function without
    arguments that makes one; modules in the current folder are found. Stop it at any moment: the
    same command goes on.
    """
    from dissensus_state.store import Store

    made = load_graph(graph)
    swaps = _models(models)
    if swaps:
        made = made.swapped(swaps)
    if recordings is not None:
        made = _recorded(made, recordings)
    here = situation()
    here.kept = copied(database or "dissensus.db")
    with closing(Store.open(database or "dissensus.db", tenant=here.tenant)) as store:
        work = _session(store, made, session, initial, budget)
        note_run(work, graph, swaps)
        whose = f" --tenant {shlex.quote(here.tenant)}" if here.tenant else ""
        swapped = "".join(f" --model {shlex.quote(one)}" for one in models)
        swapped += "" if recordings is None else f" --recordings {shlex.quote(recordings)}"
        here.again = (
            f"{program()} run {shlex.join([graph, '-d', here.kept, '-s', work.name])}{whose}{swapped}"
        )
        asyncio.run(_watch(made, work, start))
        _answer(work, as_json=as_json)
    return 0


def _recorded(graph: AgentGraph, file: str) -> AgentGraph:
    from dissensus_agents.recordings.answering import Recordings, answered_from

    return answered_from(graph, Recordings.open(file))


def _models(given: Iterable[str]) -> dict[str, Any]:
    """Models by the agent's name, as `--model` gives them."""
    pairs = [text.partition("=") for text in given]
    for text, (agent, _, model) in zip(given, pairs, strict=True):
        if not agent or not model.strip(", "):
            raise Misuse(
                f"--model {text} names no agent and model",
                next_step="Write --model analyst=ollama:llama3.1; `supervisor` names the seat that rules",
            )
    return {agent: [one for one in model.split(",") if one] for agent, _, model in pairs}


def _session(
    store: Store, graph: AgentGraph, name: str | None, initial: str | None, budget: str | None
) -> Session[Any]:
    """The session to go on with, or a new one where a state is given for it."""
    from dissensus_state.records import Budget

    if initial is None:
        if budget is not None:
            raise Misuse(
                "--budget is for a new session, and this one is to go on",
                next_step=f"Change what it may spend with `dissensus budget {shlex.quote(budget)}`, "
                "or begin a new one with --state",
            )
        if name is None and not store.sessions():
            raise NotFound(
                f"{store.database.name} holds no session yet",
                next_step="""Begin one with --state, such as --state '{"question": "Why?"}'""",
            )
        return store.session(name, graph.shape.schema)
    try:
        limits = None if budget is None else Budget(usd=budget)
        state = graph.shape.typed(_object(initial))
        return store.create(state, name=name, budget=limits)
    except SchemaRefused as error:
        what = f"The new state does not fit {graph.shape.name}: {error.message}"
        raise SchemaRefused(what, **error.context) from error


def _object(text: str) -> Mapping[str, Any]:
    try:
        read = json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except (OSError, ValueError, RecursionError) as error:
        raise Misuse(f"--state cannot be read: {error}", next_step="Give a JSON object, or @FILE") from error
    if not isinstance(read, dict):
        raise Misuse("--state is no JSON object", next_step="""Give one, like '{"question": "Why?"}'""")
    return read


async def _watch(graph: AgentGraph, session: Session[Any], start: str | None) -> None:
    from dissensus_agents.errors import RoundParked

    note(f"session {session.name} at version {session.head}")
    parked: int | None = None
    async for event in graph.stream(session, start=start):
        line = line_of(event)
        if line:
            note(line)
        parked = event.round if event.kind == "parked" else parked
    if parked is not None:
        raise RoundParked(f"Round {parked} waits for a person's ruling", session=session.name, round=parked)


def line_of(event: Progress) -> str:
    """An event in a line; of some, nothing."""
    body = event.body
    where = "" if event.round is None else f"round {event.round}, {event.step}: "
    match event.kind:
        case "round":
            return where + ", ".join(body["agents"]) + f" on version {body['base']}"
        case "fitted":
            from .calls import shown_of

            return where + f"{body['agent']}: {body['path'] or '/'}: {shown_of(body)}"
        case "abstained" | "conflict" | "refused" | "spared" | "warning":
            return where + f"{body.get('agent', event.kind)}: {body.get('message', '')}"
        case "failover":
            return where + f"{body['agent']}: {body['model']} failed ({body['why']}), the next is asked"
        case "disagreed":
            paths = ", ".join(item["path"] for item in body["review"]["disagreements"])
            return where + f"they disagree on {paths}"
        case "ruled":
            return where + f"{body['supervisor']} rules {body['decision']}: {body.get('reason', '')}"
        case "hollow" | "ambiguous":
            return where + _noticed(event)
        case "committed":
            return where + f"version {body['version']} by {body['author']}"
        case "rejected":
            return where + "nothing is committed"
        case _:
            return ""


def _noticed(event: Progress) -> str:
    """What should be known of an agreement, or of the question itself."""
    body = event.body
    if event.kind == "hollow":
        return f"the agreement is hollow: {body['to']} {body['found']}"
    ways = "; ".join(body["readings"]) or body.get("clarification", "")
    return f"{body['supervisor']} finds the question ambiguous: {ways}"


def _answer(session: Session[Any], *, as_json: bool) -> None:
    """The state that the run has come to."""
    version = session.head
    state = session.raw(version)
    data = {"session": session.name, "version": version, "state": state}
    page: list[Block] = [
        Line(f"version {version}", "bold"),
        Passage(json.dumps(state, ensure_ascii=False, indent=2)),
    ]
    show(data, page, as_json=as_json)
