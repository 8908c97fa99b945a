"""`rerun`: what would have been with something changed; or, with `--only-impacted`, the repair."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from . import completing, options
from .blocks import Passage
from .border import program, situation
from .errors import Misuse
from .graphs import opened_with_graph, where
from .output import note, show
from .people import author_option
from .revisions import version_of
from .running import line_of
from .schemas import known_schema
from .seats import models_of, prompts_of, swaps_of

if TYPE_CHECKING:
    from dissensus_agents.graph import AgentGraph
    from dissensus_agents.reruns.answers import Rerun
    from dissensus_agents.reruns.repairing import Repair
    from dissensus_agents.running import Progress
    from dissensus_state.sessions import Session

EXITS = {"finished": 0, "parked": 20, "budget": 6, "open": 130}
"""What `rerun` exits with, by how a branch ended; of several the first of `failed, budget, parked` counts."""

Ended: TypeAlias = tuple[str, str, int | None, Mapping[str, Any] | None]
"""A branch, how its walk ended, the round that waits for a person, and the error."""

_WORST = ("failed", "budget", "parked")


@click.command(
    epilog=options.examples(
        "dissensus rerun --from v12 --swap analyst=ollama:llama3.1 --times 5",
        "dissensus rerun --from v12 --prompt analyst=@role.txt --graph inquiry:graph",
        "dissensus rerun --from main~3 --supervisor openai:gpt-5.4-mini --budget 0.50 --json",
        "dissensus rerun --only-impacted",
    )
)
@click.option(
    "--from",
    "since",
    metavar="REVISION",
    shell_complete=completing.revisions,
    help="Begin at this version.",
)
@click.option(
    "--until",
    metavar="REVISION",
    shell_complete=completing.revisions,
    help="Run again up to this version. [default: the head]",
)
@click.option(
    "--swap",
    "swaps",
    metavar="SEAT=MODEL",
    multiple=True,
    help="Another model for an agent, or STEP/AGENT; several, by commas, stand in for each other.",
)
@click.option(
    "--prompt", "prompts", metavar="SEAT=TEXT|@FILE", multiple=True, help="Another role for an agent."
)
@click.option("--supervisor", metavar="MODEL", help="Another model that rules.")
@click.option(
    "--times", type=click.IntRange(1, 1000), default=1, show_default=True, help="On so many branches."
)
@click.option("--only-impacted", is_flag=True, help="Repair what rests on retracted commits.")
@click.option(
    "--retracted", metavar="REVISION", multiple=True, help="Repair this one. [default: all retracted]"
)
@click.option("--again", is_flag=True, help="Ask retracted rounds again, instead of leaving them out.")
@click.option("--budget", metavar="USD", help="What it may cost, beside the session's own budget.")
@click.option("--max-rounds", type=click.IntRange(1), metavar="N", help="The most rounds of one branch.")
@click.option("--graph", metavar="MODULE:NAME", help="The graph; not needed for the demo and for research.")
@options.on_session
@author_option
@click.pass_context
def rerun(
    context: click.Context,
    /,
    *,
    since: str | None,
    only_impacted: bool,
    retracted: Sequence[str],
    database: str | None,
    session: str | None,
    as_json: bool,
    graph: str | None,
    **given: Any,
) -> None:
    """Run a session again from a version on, with changes.

    It happens on branches: the history up to the version is shared, recorded answers to requests
    that did not change cost nothing. The answer is which decisions flipped, and how often. With
    --only-impacted it repairs what rests on retracted commits, on a branch to be merged.
    Stop it at any moment: the same command goes on.

    MODEL is provider:model, an alias, the name of a model in the graph, or MODULE:NAME.
    """
    _check(since, given, only_impacted=only_impacted, retracted=retracted)
    with opened_with_graph(database, session, graph) as (found, made):
        here = situation()
        here.again = _again(context, found)
        wanted = _wanted(made, given)
        if only_impacted:
            versions = [version_of(found, one) for one in retracted] or None
            wanted = {name: wanted[name] for name in wanted.keys() - {"times", "until"}}
            repaired = asyncio.run(made.repair(found, versions, again=given["again"], **wanted))
            answer: Rerun | Repair = repaired
            data = {**repaired.as_dict(), "merge": _merge_of(repaired, found)}
            ways = [(repaired.branch, repaired.status, repaired.parked, repaired.why)]
        else:
            until = None if given["until"] is None else version_of(found, given["until"])
            wanted["until"] = until
            reran = asyncio.run(made.rerun(found, version_of(found, str(since)), **wanted))
            answer, data = reran, reran.as_dict()
            ways = [(way.branch, way.status, way.parked, way.why) for way in reran.branches]
    show(data, [Passage(str(answer))], as_json=as_json)
    _say_next(found, ways, data.get("merge"), here.again)
    context.exit(_exit_of(ways))


def _check(
    since: str | None, given: Mapping[str, Any], *, only_impacted: bool, retracted: Sequence[str]
) -> None:
    if only_impacted and (since is not None or given["until"] is not None or given["times"] != 1):
        raise Misuse(
            "--only-impacted begins before what was retracted, and is done once",
            next_step="Leave out --from, --until and --times",
        )
    if not only_impacted and (retracted or given["again"]):
        raise Misuse("--retracted and --again belong to a repair", next_step="Add --only-impacted")
    if not only_impacted and since is None:
        raise Misuse("It is not said where to begin", next_step="Add --from v12, or --only-impacted")


def _wanted(graph: AgentGraph, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is changed, as `AgentGraph.rerun` takes it."""
    supervisor = given["supervisor"]
    return {
        "swap": swaps_of(graph, given["swaps"]),
        "prompts": prompts_of(given["prompts"]),
        "supervisor": None if supervisor is None else models_of(graph, supervisor),
        "times": given["times"],
        "budget": given["budget"],
        "max_rounds": given["max_rounds"],
        "author": given["author"],
        "heard": _tell,
    }


def _tell(branch: str, event: Progress) -> None:
    """What happens on a branch, on standard error."""
    body = event.body
    if event.kind in {"carried", "left_out", "dropped"}:
        why = f": {body['message']}" if "message" in body else ""
        said = f"v{body['version']} by {body['author']} {event.kind.replace('_', ' ')}{why}"
    elif event.kind == "parked":
        said = f"round {event.round}, {event.step}: a person would have to rule"
    elif event.kind == "ruled_alike":
        said = f"round {event.round}, {event.step}: on the same proposals {body['author']} had ruled "
        said += f"{body['decision']} in round {body['like']}, and that stands again"
    else:
        said = line_of(event)
    if said:
        note(f"{branch}: {said}")


def _again(context: click.Context, session: Session[Any]) -> str:
    """The command that goes on with this one."""
    words = ["rerun"]
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        name = parameter.opts[0]
        if not isinstance(parameter, click.Option) or parameter.name in {"database", "session", "as_json"}:
            continue
        if parameter.is_flag:
            words += [name] if value is True else []
        elif parameter.multiple:
            words += [word for one in value or () for word in (name, str(one))]
        elif value is not None and value != parameter.default and parameter.name != "author":
            words += [name, str(value)]
    return f"{program()} {shlex.join(words)} {where(session)}"


def _merge_of(repaired: Repair, session: Session[Any]) -> str | None:
    """The command that merges a repair; None as long as it is not finished."""
    if not repaired.is_finished:
        return None
    words = ["merge", repaired.branch, "--into", repaired.origin]
    words += [] if known_schema(None, session.info) else ["--schema", session.info.schema]
    return f"{program()} {shlex.join(words)} {where(session, branch=False)}"


def _say_next(session: Session[Any], ways: Sequence[Ended], merge: str | None, again: str) -> None:
    """What can be done now."""
    schema = [] if known_schema(None, session.info) else ["--schema", session.info.schema]
    if merge is not None:
        note(f"Merge it with: {merge}")
    for branch, status, parked, _ in ways:
        if status == "parked":
            place = f"{where(session, branch=False)} {shlex.join(['-b', branch, *schema])}"
            rule = f"{program()} rule {parked} uphold --position A --reason … {place}"
            note(f"{branch}: rule on it with `{rule}`, then go on with: {again}")
        elif status == "budget":
            note(f"{branch}: once there is more money (--budget, or `dissensus budget`), go on with: {again}")
        elif status in {"failed", "open"}:
            note(f"{branch}: go on with: {again}")


def _exit_of(ways: Sequence[Ended]) -> int:
    """The exit code of the worst end."""
    for status in _WORST:
        for _, ended, _, why in ways:
            if ended == status:
                return _code_of(str((why or {}).get("code"))) if status == "failed" else EXITS[status]
    return 0


def _code_of(code: str) -> int:
    """The exit code of an error, by its code."""
    from dissensus_state.errors import DissensusError

    waiting: list[type[DissensusError]] = [DissensusError]
    while waiting:
        kind = waiting.pop()
        if kind.code == code:
            return kind.exit_code
        waiting += kind.__subclasses__()
    return DissensusError.exit_code
