"""The options that several commands share, and the examples at the end of their help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from . import completing
from .border import Situation

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def _remember_tenant(context: click.Context, _: click.Parameter, name: str | None) -> None:
    context.ensure_object(Situation).tenant = name


tenant = click.option(
    "--tenant",
    envvar="DISSENSUS_TENANT",
    metavar="NAME",
    expose_value=False,
    callback=_remember_tenant,
    help="Whose sessions, where PostgreSQL keeps tenants apart. [env: DISSENSUS_TENANT]",
)
_address = click.option(
    "--database",
    "-d",
    envvar="DISSENSUS_DATABASE",
    metavar="FILE|URL",
    help="A SQLite file or postgresql://… [env: DISSENSUS_DATABASE; else ./dissensus.db]",
)


def database(command: CommandT) -> CommandT:
    """Options that say which database is opened, and for whom."""
    return _address(tenant(command))


session = click.option(
    "--session",
    "-s",
    metavar="NAME",
    shell_complete=completing.sessions,
    help="Which session; not needed where there is only one.",
)


def _remember_lines(context: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's
    context.ensure_object(Situation).lines = wanted


_one_object = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_objects = click.option(
    "--jsonl",
    is_flag=True,
    expose_value=False,
    callback=_remember_lines,
    help="Print each item of the answer as a line of JSON.",
)


def as_json(command: CommandT) -> CommandT:
    """Options that say in which form an answer is wanted."""
    return _one_object(_objects(command))


schema = click.option(
    "--schema",
    metavar="MODULE:CLASS",
    help="The session's schema; modules in the current folder are found.",
)


def _remember_branch(context: click.Context, _: click.Parameter, name: str | None) -> None:
    context.ensure_object(Situation).branch = name


branch = click.option(
    "--branch",
    "-b",
    metavar="NAME",
    expose_value=False,
    callback=_remember_branch,
    shell_complete=completing.branches,
    help="Which branch; main where none is named.",
)
into = click.option(
    "--into",
    metavar="BRANCH",
    expose_value=False,
    callback=_remember_branch,
    shell_complete=completing.branches,
    help="Merge into this branch; main where none is named.",
)


def on_database(command: CommandT) -> CommandT:
    """Options of a command that reads a database."""
    return database(as_json(command))


def on_session(command: CommandT) -> CommandT:
    """Options of a command that reads a session."""
    return database(session(branch(as_json(command))))


def examples(*commands: str) -> str:
    """The end of a command's help."""
    title = "Example:" if len(commands) == 1 else "Examples:"
    return "\n".join(["\b", title, *(f"  {command}" for command in commands)])
