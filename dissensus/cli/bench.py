"""`bench`: a task file over models and patterns, graded, with what each costs."""

from __future__ import annotations

from contextlib import closing

import click

from . import options
from .border import situation
from .opening import DEFAULT, existing
from .turning import copied


@click.command(
    epilog=options.examples(
        "dissensus bench tasks.jsonl --models openai:gpt-5.4-mini,ollama:qwen3 --budget 2",
        "dissensus bench tasks.jsonl --models flash=gemini:gemini-2.5-flash,pro=openai:gpt-5.4 "
        "--pattern 'panel:flash+pro/pro' --budget 5 --out table.md --routing routing.toml",
        "dissensus bench tasks.jsonl --models small=@mymodels:small --table",
    )
)
@click.argument("tasks", metavar="TASKS")
@click.option(
    "--models", multiple=True, metavar="A,B,C", help="provider:model, LABEL=provider:model or @MODULE:NAME."
)
@click.option("--pattern", multiple=True, metavar="PATTERN", help="Like 'cascade:a+b>c' or 'panel:a+b+c/d'.")
@click.option("--repeats", type=click.IntRange(1, 100), default=1, show_default=True, help="Of each item.")
@click.option("--limit", type=click.IntRange(1), help="Only so many items, from the first on.")
@click.option("--tag", multiple=True, metavar="TAG", help="Only items that have it; may be repeated.")
@click.option("--grader", metavar="KIND", help="For items that name none. [default: by what is expected]")
@click.option(
    "--form", type=click.Choice(["json", "text"]), default="json", show_default=True, help="Of the answers."
)
@click.option("--budget", metavar="USD", help="What it may spend; raises the limit of one that goes on.")
@click.option(
    "--unpriced", type=click.Choice(["refuse", "allow"]), help="Models of unknown price: refuse them, or not."
)
@click.option(
    "--concurrency", "-c", type=click.IntRange(1, 64), default=8, show_default=True, help="Items at a time."
)
@click.option(
    "--max-tokens", type=click.IntRange(1, 1_000_000), default=4096, show_default=True, help="Of an answer."
)
@click.option("--temperature", type=click.FloatRange(0, 2), help="[default: the provider's]")
@click.option("--out", metavar="FILE", help="Write the table: .md, .json or .csv.")
@click.option("--routing", metavar="FILE", help="Write the routing that is suggested: .toml or .json.")
@click.option(
    "--tolerance", type=click.FloatRange(0, 1), default=0.02, show_default=True,
    help="What is as good as the best, for the routing.",
)  # fmt: skip
@click.option(
    "--least", type=click.IntRange(2), default=50, show_default=True,
    help="Items in each half, below which no routing is suggested.",
)  # fmt: skip
@click.option("--recordings", metavar="FILE", help="Answer from this file of recordings: nothing is paid.")
@click.option("--table", "only_table", is_flag=True, help="Only show what is recorded; nothing is asked.")
@click.option("--session", "-s", metavar="NAME", help="The session's name. [default: from the task file]")
@options.database
@options.as_json
def bench(*, database: str | None, as_json: bool, **given: object) -> int:
    """Measure models and patterns on the items of a task file.

    TASKS has one JSON object a line, with id, question and expected answer; or is MODULE:FUNCTION.
    Every answer is recorded: stop it at any moment, the same command goes on and buys nothing twice.
    """
    from dissensus.bench import command
    from dissensus.bench.command import Wish
    from dissensus_state.store import Store

    wish = Wish(**given)  # type: ignore[arg-type]
    here = situation()
    chosen = database or DEFAULT
    here.kept = copied(chosen)
    address = existing(chosen) if wish.only_table else chosen
    with closing(Store.open(address, tenant=here.tenant)) as store:
        return command.bench(store, wish, as_json=as_json)
