"""The command line: `dissensus COMMAND`. Each command loads what it needs when it is run."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from . import (
    bench,
    bisecting,
    border,
    branching,
    checking,
    comparing,
    completion,
    databases,
    demonstration,
    differing,
    doctor,
    evolving,
    foreign,
    grading,
    handing,
    judging,
    learning,
    machines,
    models,
    paging,
    reading,
    recordings,
    replaying,
    rerunning,
    researching,
    retention,
    running,
    searching,
    spending,
    watching,
)
from .options import examples


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's
    if wanted:
        import dissensus

        click.echo(f"dissensus {dissensus.__version__}")
        context.exit()


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples("dissensus demo", "dissensus log -d dissensus-demo.db"),
    invoke_without_command=True,
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
    help="Print the version and exit.",
)  # fmt: skip
@click.option(
    "--debug", is_flag=True, expose_value=False, callback=border.show_tracebacks,
    help="Show the traceback of an error.",
)  # fmt: skip
@click.option(
    "--no-pager", is_flag=True, expose_value=False, callback=border.without_pager,
    help="Print long answers at once.",
)  # fmt: skip
@click.pass_context
def cli(context: click.Context) -> None:
    """Several models on one versioned state, supervised before anything is committed.

    Revisions are written as in git: v12, 12, HEAD, main~3, ~1, branches, tags, and ranges a..b.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)


for command in (
    reading.sessions,
    paging.log,
    reading.show_command,
    reading.state,
    differing.at,
    differing.diff,
    reading.blame,
    searching.impact,
    searching.reads,
    bisecting.bisect,
    comparing.compare,
    paging.events,
    watching.watch,
    watching.tail,
    branching.branch,
    branching.fork,
    branching.merge,
    branching.conflicts,
    branching.settle,
    branching.revert,
    searching.retract,
    searching.suspects,
    branching.tag,
    branching.close_branch,
    judging.disagreements,
    judging.rule,
    grading.grade,
    grading.quality,
    learning.learn,
    running.run,
    rerunning.rerun,
    recordings.recordings,
    researching.research,
    bench.bench,
    spending.cost,
    spending.budget,
    replaying.replay,
    replaying.pytest_case,
    checking.verify,
    retention.sizes,
    retention.redact,
    retention.prune,
    retention.compact,
    machines.machine,
    models.models,
    evolving.schema,
    handing.export,
    handing.import_command,
    foreign.import_langgraph,
    databases.db,
    doctor.doctor,
    completion.completion,
    demonstration.demo,
):
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line on this process's arguments, and exit."""
    border.prepare_streams()
    border.report_unexpected(as_json=border.wants_json(sys.argv))
    sys.exit(border.run(cli, sys.argv[1:]))
