"""`bisect`: the first version at which a test fails; a comparison, a JSONPath, or a command's exit code."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from . import completing
from .blocks import Block, Line
from .border import program
from .errors import Misuse
from .opening import opened_session
from .options import examples, on_session
from .output import note, show
from .revisions import place_of
from .texts import compact
from .turning import meant

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

    from .data import Data

SKIP, STOP = 125, 128
"""What a command exits with where a version cannot be told; from when on the search is ended."""

_OPERATORS = ("exists", "missing", "contains", "==", "!=", "<=", ">=", "<", ">")

Verdict = bool | None


@click.command(
    epilog=examples(
        "dissensus bisect --test '/counts < 40'",
        "dissensus bisect --test '/verdict missing' v10..v90",
        """dissensus bisect --holds --jsonpath '$.findings[?@.source=="x"]'""",
        "dissensus bisect -- python check.py",
    )
)
@on_session
@click.option("--test", metavar="'PATH OP JSON'", help="Good where it holds: ==, !=, <, contains, exists, …")
@click.option("--jsonpath", metavar="QUERY", help="Good where the query (RFC 9535) finds something.")
@click.option("--holds", is_flag=True, help="Find the first version where the test holds instead.")
@click.option(
    "--good",
    metavar="REVISION",
    shell_complete=completing.revisions,
    default="v0",
    show_default=True,
    help="Here it is good still.",
)
@click.option(
    "--bad",
    metavar="REVISION",
    shell_complete=completing.revisions,
    default="HEAD",
    show_default=True,
    help="Here it is bad.",
)
@click.option(
    "--timeout", default=60.0, show_default=True, type=click.FloatRange(0.1, 86_400), help="Of a command, s."
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def bisect(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    test: str | None,
    jsonpath: str | None,
    holds: bool,
    good: str,
    bad: str,
    timeout: float,
    command: tuple[str, ...],
) -> None:
    """Find the first version at which a test fails.

    A command gets the state as JSON on standard input, and DISSENSUS_SESSION, _BRANCH and _VERSION in
    its environment: 0 is good, 1 to 127 bad, 125 skips the version, more ends the search.
    """
    from .data import place

    if sum(map(bool, (test, jsonpath, command))) != 1:
        raise Misuse(
            "A version is told in one way", next_step="Give --test, --jsonpath, or a command after --"
        )
    with opened_session(database, session) as opened:
        found, last = place_of(opened, bad)
        other, first = place_of(opened, good)
        if other.branch != found.branch and first > 0:
            raise Misuse(f"{good} and {bad} are of two branches", next_step="Name two versions of one branch")
        tested = _told_by(found, test, jsonpath, command, timeout)

        def verdict(version: int) -> Verdict:
            said = tested(version)
            return said if said is None else said is not holds

        answer = found.bisect_versions(verdict, first, last)
        data = {**place(found), **answer.as_dict()}
    show(data, _page(data, str(answer)), as_json=as_json)


def _page(data: Data, said: str) -> list[Block]:
    skipped = sum(item["good"] is None for item in data["tested"])
    page: list[Block] = [Line(said, "bold"), Line(f"last good: v{data['good']}", "", 2)]
    if skipped:
        page.append(Line(f"skipped: {skipped:,}", "dim", 2))
    page.append(Line(f"{program()} show v{data['version']}{meant()}", "dim", 2))
    return page


def _told_by(
    found: Session[Any], test: str | None, query: str | None, command: tuple[str, ...], timeout: float
) -> Callable[[int], Verdict]:
    """What tells whether a version is good."""
    if command:
        return lambda version: _ran(found, version, command, timeout)
    holds = compared(test) if test is not None else matching(str(query))
    return lambda version: holds(found.raw(version))


def compared(text: str) -> Callable[[Any], bool]:
    """The test that `PATH OP JSON` is; what is not there equals nothing and is neither less nor more.

    Raises:
        Misuse: it is none.
    """
    path, operator, given = _parts(text)
    if operator in {"exists", "missing"}:
        return lambda state: bool(_found(state, path)) is (operator == "exists")

    def holds(state: Any) -> bool:
        there = _found(state, path)
        if not there:
            return operator == "!="
        return _holds(there[0], operator, given)

    return holds


def _parts(text: str) -> tuple[str, str, Any]:
    words = text.strip().split(maxsplit=2)
    if len(words) < 2 or words[1] not in _OPERATORS:
        raise Misuse(
            f"{text[:200]!r} is no test",
            next_step=f"""Write PATH OP JSON, as in '/status == "open"'; OP: {" ".join(_OPERATORS)}""",
        )
    if words[1] in {"exists", "missing"}:
        return words[0], words[1], None
    try:
        return words[0], words[1], json.loads(words[2] if len(words) > 2 else "")
    except (ValueError, RecursionError):
        raise Misuse(
            f"{text[:200]!r} ends in no JSON", next_step="""A text is written with its marks: "…" """
        ) from None


def _found(state: Any, path: str) -> list[Any]:
    """What stands at a path, if something does."""
    from dissensus_state.errors import NotFound
    from dissensus_state.patches import get
    from dissensus_state.values import parse_path

    try:
        return [get(state, parse_path(path))]
    except NotFound:
        return []


def _holds(there: Any, operator: str, given: Any) -> bool:
    from dissensus_state.values import canonical, normalise

    if operator in {"==", "!="}:
        return (canonical(there) == canonical(normalise(given))) is (operator == "==")
    if operator == "contains":
        if isinstance(there, str):
            return isinstance(given, str) and given in there
        wanted = canonical(normalise(given))
        if isinstance(there, dict):
            return given in there if isinstance(given, str) else False
        return isinstance(there, list) and any(canonical(item) == wanted for item in there)
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (there, given))
    if not numbers and not (isinstance(there, str) and isinstance(given, str)):
        return False
    less, same = there < given, there == given
    return bool({"<": less, "<=": less or same, ">": not less and not same, ">=": not less}[operator])


def matching(query: str) -> Callable[[Any], bool]:
    """The test whether a JSONPath query (RFC 9535) finds something.

    Raises:
        Misuse: it is none, or what reads it is not installed.
    """
    try:
        library: Any = importlib.import_module("jsonpath")
    except ImportError:
        raise Misuse(
            "A JSONPath needs python-jsonpath, which is not installed",
            next_step='Install it with: pip install "dissensus[jsonpath]"; or use --test',
        ) from None
    try:
        compiled = library.JSONPathEnvironment(strict=True).compile(query)
    except (library.JSONPathError, RecursionError) as error:
        why = str(error)[:200]
        raise Misuse(f"{query[:200]!r} is no JSONPath: {why}", next_step="See RFC 9535") from None

    def holds(state: Any) -> bool:
        try:
            return next(iter(compiled.finditer(state)), None) is not None
        except (library.JSONPathError, RecursionError) as error:
            raise Misuse(f"{query[:200]!r} cannot be asked: {str(error)[:200]}", next_step="") from None

    return holds


def _ran(found: Session[Any], version: int, command: tuple[str, ...], timeout: float) -> Verdict:
    """What the command says of a version; it is killed, with all that it began, where it takes too long."""
    stated = compact(found.raw(version)).encode()
    told = {
        "DISSENSUS_SESSION": found.name,
        "DISSENSUS_BRANCH": found.branch,
        "DISSENSUS_VERSION": str(version),
    }
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command
            command, stdin=subprocess.PIPE, stdout=2, env={**os.environ, **told}, start_new_session=True
        )
    except OSError as error:
        raise Misuse(
            f"{command[0][:200]} cannot be run: {error.strerror}", next_step="Name a command that is there"
        ) from None
    try:
        process.communicate(stated, timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        raise Misuse(
            f"The command took more than {timeout:g} s at v{version} and was ended",
            next_step="Give it longer with --timeout, or let it exit with 125 to skip a version",
        ) from None
    except BaseException:
        _end(process)
        raise
    code = process.returncode
    if code < 0 or code >= STOP:
        raise Misuse(
            f"The command ended with {code} at v{version}: the search is ended",
            next_step="0 is good, 1 to 127 bad, 125 cannot be told",
        )
    note(f"v{version}: {'good' if code == 0 else 'skipped' if code == SKIP else 'bad'} ({code})")
    return None if code == SKIP else code == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a command and all that it began."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
