"""`recordings`: what models were asked and answered, as one file; and what stands in such a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .blocks import Block, Grid, Line, Passage
from .errors import Misuse
from .opening import opened_session
from .options import as_json as json_option
from .options import examples, on_session
from .output import show, write
from .texts import encoded

if TYPE_CHECKING:
    from dissensus_agents.recordings.answering import Recordings
    from dissensus_agents.recordings.lines import CallLine


@click.group(epilog=examples("dissensus recordings export -d inquiry.db -o inquiry.jsonl"))
def recordings() -> None:
    """Export recordings as one file, and read such files.

    The file is JSON Lines and reads without dissensus. `dissensus run MODULE:GRAPH --recordings FILE`
    answers a graph from it.
    """


@recordings.command(
    epilog=examples(
        "dissensus recordings export -d inquiry.db -o inquiry.jsonl",
        "dissensus recordings export -d inquiry.db --without-raw --without-reasoning",
    )
)
@click.option("--output", "-o", metavar="FILE", help="The file; by default SESSION.recordings.jsonl.")
@click.option("--without-raw", is_flag=True, help="Leave the providers' bodies out.")
@click.option("--without-reasoning", is_flag=True, help="Leave the chains of thought out.")
@on_session
def export(
    *,
    output: str | None,
    without_raw: bool,
    without_reasoning: bool,
    database: str | None,
    session: str | None,
    as_json: bool,
) -> None:
    """Write all calls of a session into one file.

    Each text of the prompts stands in it once, by its digest. What was redacted is not in it, and it
    says so. A file that was there is replaced once the new one is whole.
    """
    from dissensus_agents.recordings.exporting import export_recordings

    from .data import place

    with opened_session(database, session) as found:
        path = output or f"{Path(found.name).name}.recordings.jsonl"
        try:
            made = export_recordings(found, path, raw=not without_raw, reasoning=not without_reasoning)
        except OSError as error:
            raise Misuse(
                f"{path} cannot be written: {error.strerror}", next_step="Name another file with -o"
            ) from None
        data = {
            **place(found),
            "path": str(made.path),
            "calls": made.calls,
            "parts": made.parts,
            "bytes": made.size,
            "digest": made.sha256,
        }
    page = [
        Line(str(made.path), "bold"),
        Line(f"{made.calls:,} calls, {made.parts:,} texts, {made.size:,} bytes", indent=2),
    ]
    show(data, page, as_json=as_json)


@recordings.command("show", epilog=examples("dissensus recordings show inquiry.jsonl --call 3"))
@click.argument("file", metavar="FILE")
@click.option("--call", "number", type=int, metavar="N", help="Show one call, with its prompt and answer.")
@json_option
def show_file(*, file: str, number: int | None, as_json: bool) -> None:
    """Check a file of recordings, and show what stands in it."""
    from dissensus_agents.recordings.answering import Recordings
    from dissensus_agents.recordings.opening import as_data

    found = Recordings.open(file)
    if number is None:
        data = as_data(found)
        show(data, _list(data), as_json=as_json)
        return
    if not 1 <= number <= len(found.places):
        raise Misuse(f"There is no call {number} in {file}", next_step=f"It has {len(found.places)}")
    line = found.call(found.places[number - 1])
    show(_call_data(found, line), list(_call(found, line)), as_json=as_json)


@recordings.command("schema", epilog=examples("dissensus recordings schema > line.schema.json"))
def schema_of_lines() -> None:
    """Print the JSON schema of a line of the file."""
    from dissensus_agents.recordings.lines import schema

    write(encoded(schema()) + "\n")


def _list(data: dict[str, Any]) -> list[Block]:
    out = f", without {' and '.join(data['left_out'])}" if data["left_out"] else ""
    title = f"recordings of {data['session']}: {len(data['calls'])} calls, {data['parts']} texts{out}"
    names = ("n", "round", "seat", "attempt", "model", "status", "digest")
    rows = tuple(
        tuple("" if one[name] is None else str(one[name])[:40] for name in names) for one in data["calls"]
    )
    return [Line(title, "bold"), *([Grid(names, rows)] if rows else [])]


def _call_data(found: Recordings, line: CallLine) -> dict[str, Any]:
    """A call with the texts that its request names."""
    data = line.model_dump(mode="json", by_alias=True)
    request = None if line.request is None else found.request(line.request)
    prompt = None if request is None else {"system": request.system, "prompt": request.prompt}
    return {"path": str(found.path), "call": data, "asked": prompt}


def _call(found: Recordings, line: CallLine) -> list[Block]:
    asked = _call_data(found, line)["asked"]
    title = f"round {line.round}, {line.seat}, attempt {line.attempt}: {line.model}, {line.status}"
    page: list[Block] = [Line(title, "bold")]
    texts = [
        ("system", (asked or {}).get("system")),
        ("prompt", (asked or {}).get("prompt")),
        (f"reasoning ({line.reasoning_kind})", line.reasoning),
        ("answer", line.answer),
    ]
    for name, text in texts:
        if text:
            page += [Line(name, "cyan"), Passage(text, 2)]
    return page
