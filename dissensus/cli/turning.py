"""Commands to copy: the next page, or another command on the same session, and never a password."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

import click

from .border import program, situation
from .output import note


def note_more(option: str) -> None:
    """Say on standard error how the running command gets its next page.

    Args:
        option: The option that turns the page, such as `--before v7`.
    """
    context = click.get_current_context()
    words = [context.info_name or "", *_given(context, option.partition(" ")[0])]
    note(f"more: {program()} {shlex.join(words)} {option}")


def meant(*names: str) -> str:
    """The options by which the running command was told where, as another command takes them.

    Args:
        names: Which of them; by default those that say which branch of which session.

    Returns:
        A space and the options; nothing where none was given.
    """
    wanted = names or ("database", "tenant", "session", "branch")
    words = [*_given(click.get_current_context(), only=wanted)]
    return f" {shlex.join(words)}" if words else ""


def _given(context: click.Context, turned: str = "", only: Sequence[str] = ()) -> Iterator[str]:
    """What the command was called with; the password of a database is left out."""
    here = situation()
    kept = {"branch": here.branch, "tenant": here.tenant, "jsonl": here.lines}
    for parameter in context.command.params:
        name = parameter.name or ""
        if (
            context.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE
            or turned in parameter.opts
            or (only and name not in only)
        ):
            continue
        value = context.params.get(name, kept.get(name))
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(parameter, click.Argument):
                yield str(one)
            elif one is True:
                yield parameter.opts[0]
            elif one not in {None, False}:
                yield from (parameter.opts[0], copied(str(one)) if name == "database" else str(one))


def copied(database: str) -> str:
    """A database as a command takes it: as it was named, without a password."""
    from dissensus_state.addresses import to_copy
    from dissensus_state.engines import read_url

    return to_copy(read_url(database)) if "://" in database else database
