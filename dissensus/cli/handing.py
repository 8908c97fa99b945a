"""`export, import`: a session as one file, and from such a file into another database."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click

from . import options
from .blocks import Block, Line
from .border import program, situation
from .errors import Misuse
from .opening import DEFAULT, opened_session
from .options import examples, on_session, schema
from .output import note, reader_gone, show, write
from .people import author_option
from .schemas import known_schema, needed_schema
from .turning import meant

FORMS = {"jsonl": ".jsonl", "html": ".html", "sqlite": ".db"}
"""The forms of a file, each with how its name ends by default."""

STREAM = "-"
"""Stands for standard input or output."""

_EVERY_SECONDS = 0.2


def _print_schema(context: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's
    if wanted:
        from dissensus_state.archive_lines import schema as lines

        from .texts import encoded

        write(encoded(lines()) + "\n")
        context.exit()


@click.command(
    epilog=examples(
        "dissensus export -d inquiry.db -o inquiry.jsonl",
        "dissensus export --redact /people/p1/name --without-raw --schema inquiry:Inquiry",
        "dissensus export --form sqlite -o inquiry-copy.db",
        "dissensus export --html --limit 2000",
        "dissensus export -o - | ssh elsewhere dissensus import - -d inquiry.db",
    )
)
@on_session
@schema
@author_option
@click.option(
    "--output", "-o", metavar="FILE", help="The file, or - for standard output. [default: SESSION.…]"
)
@click.option(
    "--form", type=click.Choice(list(FORMS)), default="jsonl", show_default=True, help="Of the file."
)
@click.option("--html", "form", flag_value="html", help="The same as --form html: a page for people.")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Of a page: the newest N commits of each branch."
)
@click.option("--redact", multiple=True, metavar="PATH", help="Take this value out of the copy; repeatable.")
@click.option("--without-raw", is_flag=True, help="Leave the providers' bodies out.")
@click.option("--without-reasoning", is_flag=True, help="Leave the chains of thought out.")
@click.option("--without-prompts", is_flag=True, help="Leave out what models were asked.")
@click.option(
    "--json-schema", is_flag=True, is_eager=True, expose_value=False, callback=_print_schema,
    help="Print the JSON Schema of a line, and exit.",
)  # fmt: skip
def export(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    schema: str | None,
    author: str,
    output: str | None,
    form: str,
    limit: int | None,
    redact: tuple[str, ...],
    without_raw: bool,
    without_reasoning: bool,
    without_prompts: bool,
) -> None:
    """Write a whole session into one file.

    All branches, rounds, recordings, documents and events are in it, with every hash; a page tells
    people of the commits, rounds and costs, and cannot be imported. What is to be missing is taken out
    of a copy for good, and the copy's own history says so; it still verifies.
    A file that was there is replaced once the new one is whole.
    """
    from .data import place

    if output == STREAM and as_json:
        raise Misuse("The file and the answer cannot both go to standard output", next_step="Name a file")
    if limit is not None and form != "html":
        raise Misuse("Only a page can tell of fewer commits", next_step="Add --html, or leave --limit out")
    schema_of = partial(needed_schema if redact else known_schema, schema)
    with opened_session(database, session, schema_of) as found:
        path = output or f"{Path(found.name).name}{FORMS[form]}"
        target: str | BinaryIO = sys.stdout.buffer if path == STREAM else path
        try:
            made = found.export(
                target,
                form,
                redact=redact,
                raw=not without_raw,
                reasoning=not without_reasoning,
                prompts=not without_prompts,
                author=author,
                told=None if form == "html" else _progress("lines"),
                limit=limit,
            )
        except BrokenPipeError:
            reader_gone()
        except OSError as error:
            raise Misuse(
                f"{path} cannot be written: {error.strerror}", next_step="Name another file with -o"
            ) from None
        data = {**place(found), **made.as_dict()}
    if path == STREAM:
        sys.stdout.buffer.flush()
        note(f"{data['session']}: {_size(data)}")
        return
    show(data, _exported(data), as_json=as_json)


@click.command(
    "import",
    epilog=examples(
        "dissensus import inquiry.jsonl -d postgresql://host/name",
        "dissensus import inquiry.jsonl -d inquiry.db --name again",
        "dissensus import all.db --session inquiry -d inquiry.db",
    ),
)
@options.database
@options.as_json
@click.option("--name", metavar="NAME", help="What the session is to be called here.")
@click.option("--session", "-s", metavar="NAME", help="Which session of a SQLite file.")
@click.argument("file", metavar="FILE")
def import_command(
    *, database: str | None, as_json: bool, name: str | None, session: str | None, file: str
) -> None:
    """Take a session in from a file that `export` wrote.

    FILE may also be a SQLite file of dissensus, or - for standard input. All of it comes in or nothing.
    Every hash is computed again: a file that was changed is refused, and the first bad commit is named.
    The database is made if it is a SQLite file that is not there.
    """
    from dissensus_state.archive import import_file
    from dissensus_state.store import Store

    source: Path | BinaryIO = sys.stdin.buffer if file == STREAM else Path(file)
    with Store.open(database or DEFAULT, tenant=situation().tenant) as store:
        situation().kept = store.database.name
        made = import_file(store.database, source, name, session, _progress("bytes"))
        data = {"database": store.database.name, **made.as_dict()}
    show(data, _imported(data), as_json=as_json)


def _progress(what: str) -> Callable[[int, int], None] | None:
    """Tell on a terminal how far it is; nothing is told to anybody else."""
    if not sys.stderr.isatty():
        return None
    last = 0.0

    def told(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _EVERY_SECONDS and done < total:
            last = now
            click.echo(f"\r{done:,} of {total:,} {what}", err=True, nl=False)
        elif done == total and last:
            click.echo("\r\x1b[K", err=True, nl=False)

    return told


def _exported(data: dict[str, Any]) -> list[Block]:
    out = f"without {', '.join(data['left_out'])}" if data["left_out"] else ""
    redacted = f"redacted: {', '.join(data['redacted'])}" if data["redacted"] else ""
    page: list[Block] = [Line(str(data["path"]), "bold"), Line(_size(data), indent=2), *_heads(data)]
    page += [Line(text, indent=2) for text in (redacted, out) if text]
    return [*page, *(Line(text, "yellow", 2) for text in data["left"])]


def _imported(data: dict[str, Any]) -> list[Block]:
    named = "" if data["source"] == data["session"] else f", there called {data['source']}"
    title = Line(f"{data['session']}{named}", "bold")
    where = f"{meant('database', 'tenant')} {shlex.join(['-s', data['session']])}"
    note(f"What admitted the commits is checked by: {program()} verify --schema MODULE:CLASS{where}")
    return [title, Line(_size(data), indent=2), *_heads(data)]


def _size(data: dict[str, Any]) -> str:
    counts = data["counts"]
    named = ", ".join(f"{counts[word]:,} {word}s" for word in ("commit", "round", "call"))
    return f"{named}, {data['bytes']:,} bytes"


def _heads(data: dict[str, Any]) -> list[Block]:
    return [
        Line(f"{branch} v{head['version']} {head['hash'][:16]}", indent=2)
        for branch, head in data["heads"].items()
    ]
