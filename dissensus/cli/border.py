"""The border of the command line: every way a command can end, as text and as an exit code."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import which
from types import TracebackType
from typing import Any

import click

from dissensus_state.errors import DissensusError

from .errors import INTERRUPTED, Misuse
from .texts import clipped, compact, encoded, visible

_LONGEST = 4000


@dataclass(slots=True)
class Situation:
    """What the border must know of a command that does not end as it should.

    `kept` is the database it worked on, `again` the command that goes on where it stopped. `tenant`
    is whose sessions are meant, `branch` which of a session's branches. `lines`: an answer is wanted as
    JSON Lines; `paged`: what is longer than the terminal may go through a pager.
    """

    debug: bool = False
    kept: str = ""
    again: str = "the same command"
    tenant: str | None = None
    branch: str | None = None
    lines: bool = False
    paged: bool = True


def situation() -> Situation:
    """The situation of the command that is running."""
    return click.get_current_context().ensure_object(Situation)


def run(group: click.Group, arguments: Sequence[str]) -> int:
    """Run a command; what it exits with."""
    here = Situation()
    as_json = wants_json(arguments)
    try:
        code = group.main(list(arguments), "dissensus", standalone_mode=False, obj=here)
    except DissensusError as error:
        if here.debug:
            traceback.print_exc()
        return _report(error, as_json=as_json)
    except click.ClickException as error:
        return _report(_misuse(error), as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        _say(_interrupted(here))
        return INTERRUPTED
    return code or 0


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether an error is to be told as JSON, like the answer."""
    return not {"--json", "--jsonl"}.isdisjoint(arguments)


def program() -> str:
    """How this program was called, for commands to be copied: by its path where `PATH` has it not."""
    called = Path(sys.argv[0])
    if called.name != "dissensus" or which("dissensus"):
        return "dissensus"
    return os.path.relpath(called) if called.is_absolute() else str(called)


def prepare_streams() -> None:
    """Let a terminal or file that knows fewer characters get escapes instead of an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def report_unexpected(*, as_json: bool) -> None:
    """Reduce what is no error of ours to one line; `--debug` brings its traceback back."""
    sys.excepthook = partial(_unexpected, as_json)


def show_tracebacks(context: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's
    """What `--debug` does."""
    if wanted:
        context.ensure_object(Situation).debug = True
        sys.excepthook = sys.__excepthook__


def without_pager(context: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's
    """What `--no-pager` does."""
    context.ensure_object(Situation).paged = not wanted


def _unexpected(
    as_json: bool,  # noqa: FBT001 - bound by `partial`
    kind: type[BaseException],
    error: BaseException,
    _: TracebackType | None,
) -> None:
    what = clipped(f"{kind.__name__}: {error}", _LONGEST)
    if as_json:
        _say(encoded({"code": "unexpected", "message": what, "next": "Add --debug after dissensus"}))
    else:
        _say(f"error[unexpected]: {visible(what)} (`dissensus --debug …` shows where)")


def _report(error: DissensusError, *, as_json: bool) -> int:
    _say(encoded(error.as_dict()) if as_json else told(error))
    return error.exit_code


def told(error: DissensusError) -> str:
    """An error as text: what happened, where, and what to do next."""
    where = [f"  {name}: {_shown(value)}" for name, value in error.context.items()]
    after = [f"next: {_shown(error.next_step)}"] if error.next_step else []
    return "\n".join([f"error[{error.code}]: {_shown(error.message)}", *where, *after])


def _shown(value: Any) -> str:
    return visible(clipped(value if isinstance(value, str) else compact(value), _LONGEST))


def _misuse(error: click.ClickException) -> Misuse:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "dissensus"
    return Misuse(error.format_message(), next_step=f"See `{path} --help`")


def _interrupted(here: Situation) -> str:
    kept = f"everything acknowledged is kept in {here.kept}" if here.kept else "nothing was changed"
    return visible(f"interrupted: {kept}; {here.again} goes on from there")


def _say(text: str) -> None:
    click.echo(text, err=True)
