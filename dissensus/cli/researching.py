"""`research`: a question, answered from a folder of sources by a session that can be stopped anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import click

from dissensus_state.errors import NotFound

from . import options
from .border import situation
from .errors import Misuse
from .opening import DEFAULT, existing

if TYPE_CHECKING:
    from dissensus.research.command import Wish


@click.command(
    epilog=options.examples(
        'dissensus research "Why did the pump fail?" --sources logs/ --budget 2',
        'dissensus research "Which drug helps?" --sources papers/ --models openai:gpt-5.4-mini,ollama:qwen3',
        "dissensus research --resume",
    )
)
@click.argument("question", required=False)
@click.option("--sources", multiple=True, metavar="FOLDER|FILE", help="What is to be read; may be repeated.")
@click.option("--models", multiple=True, metavar="A,B,C", help="The panel. [default: what is found here]")
@click.option("--supervisor", metavar="MODEL", help="Who plans and rules. [default: one of the models]")
@click.option("--budget", metavar="USD", help="What it may spend; raises the limit of one that goes on.")
@click.option(
    "--unpriced", type=click.Choice(["refuse", "allow"]), help="Models of unknown price: refuse them, or not."
)
@click.option("--approve", is_flag=True, help="You sign the ruling: it waits for that.")
@click.option("--resume", is_flag=True, help="Only go on with what was begun.")
@click.option("--report", is_flag=True, help="Only write the report of a finished session again.")
@click.option("--scouts", type=click.IntRange(1, 16), help="How many models read side by side.")
@click.option(
    "--passes", type=click.IntRange(1, 10), default=2, show_default=True, help="Passes over the index."
)
@click.option("--out", metavar="FOLDER", default=".", help="Where the report goes. [default: this folder]")
@options.database
@click.option("--session", "-s", metavar="NAME", help="The session's name. [default: from the question]")
@options.as_json
def research(
    *,
    database: str | None,
    as_json: bool,
    models: Sequence[str],
    **given: object,
) -> int:
    """Answer QUESTION from the files of a folder.

    Models plan, search and read what is relevant; every quotation is checked against its file; a
    panel concludes and a supervisor rules. The report (Markdown and HTML) gives the answer with
    citations, dissent and cost. Stop it at any moment: the same command goes on.
    """
    from dissensus.research.command import Wish, carry_out, shown
    from dissensus_state.store import Store

    names = [name.strip() for item in models for name in item.split(",") if name.strip()]
    wish = Wish(models=names, **given)  # type: ignore[arg-type]
    _check(wish, named=bool(models))
    here = situation()
    chosen = database or DEFAULT
    here.kept = shown(chosen)
    try:
        address = existing(chosen) if wish.resume or wish.report else chosen
    except NotFound as error:
        raise NotFound(
            f"{error.message}, so nothing was begun there", next_step="Begin it with a QUESTION and --sources"
        ) from error
    with closing(Store.open(address, tenant=here.tenant)) as store:
        return carry_out(store, wish, address, as_json=as_json)


def _check(wish: Wish, *, named: bool) -> None:
    if not (wish.question or wish.resume or wish.report):
        raise Misuse("There is no question", next_step='Write dissensus research "QUESTION" --sources FOLDER')
    if named and not wish.models:
        raise Misuse(
            "--models names no model", next_step="Write it as --models provider:model,provider:model"
        )
    if wish.question is not None and not wish.question.strip():
        raise Misuse("The question is empty", next_step="Write what is to be answered")
