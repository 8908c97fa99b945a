"""`learn`: votes, readers, routers and cascades, fitted to what a store has graded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .blocks import Block, Line
from .data import Data
from .errors import Misuse
from .opening import opened_store
from .options import examples, on_database, session
from .output import note, show
from .pages import grid

if TYPE_CHECKING:
    from dissensus_state.sessions import Session
    from dissensus_state.store import Store

KINDS = ("vote", "reader", "router", "cascade")


@click.command(
    epilog=examples(
        "dissensus learn vote --task judge --out vote.json",
        "dissensus learn router --task answer --out router.json",
        "dissensus learn cascade --tier small,other --tier large --accuracy 0.9 --out cascade.json",
    )
)
@on_database
@session
@click.option("--task", metavar="STEP", help="Only rounds of this step.")
@click.option(
    "--options", "among", metavar="N", type=click.IntRange(2), help="Answers there are to choose from."
)
@click.option("--answers-of", metavar="MODEL", help="For a router: reads this model's own answer as well.")
@click.option("--tier", "tiers", metavar="A,B", multiple=True, help="For a cascade: models asked together.")
@click.option(
    "--usd", type=click.FloatRange(0, min_open=True), help="For a cascade: what a question may cost."
)
@click.option("--accuracy", type=click.FloatRange(0, 1), help="For a cascade: how often it has to be right.")
@click.option("--out", metavar="FILE", required=True, help="Where to write what was learned, as JSON.")
@click.argument("kind", type=click.Choice(KINDS))
def learn(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    kind: str,
    task: str | None,
    out: str,
    **given: Any,
) -> None:
    """Fit a vote, reader, router or cascade to what is graded.

    A reader is one of reasoning; a cascade asks on while it pays.

    Only grades from outside the models count: known answers, persons, verifiers (`dissensus grade`,
    `dissensus bench`). The file says on how much it was fitted, and how it did on questions that it had
    not seen; it is read without the extra `learn`, by dissensus.judgement and dissensus.patterns.
    """
    from dissensus.bench.writing import check, write

    check(out, (".json",))
    _check_options(kind, given)
    with opened_store(database) as store:
        of: Store | Session[Any] = store if session is None else store.session(session)
        text, told = _learned(of, kind, task, given)
    write(out, text)
    data = {
        "database": store.database.name,
        "session": session,
        "kind": kind,
        "task": task,
        "file": out,
        **told,
    }
    show(data, _page(data), as_json=as_json)
    note(f"Written to {out}.")


def _check_options(kind: str, given: Data) -> None:
    belongs = {"answers_of": "router", "tiers": "cascade", "usd": "cascade", "accuracy": "cascade"}
    for name, whose in belongs.items():
        if given[name] and kind != whose:
            raise Misuse(f"--{name.removesuffix('s').replace('_', '-')} is for a {whose}, not for a {kind}")
    if kind == "cascade" and not given["tiers"]:
        raise Misuse(
            "A cascade needs tiers", next_step="Write --tier small,other --tier large, the cheapest first"
        )


def _learned(of: Store | Session[Any], kind: str, task: str | None, given: Data) -> tuple[str, Data]:
    """The file's text, and what is told of it: on how much it rests, and its figures on the unseen."""
    from dissensus_agents import fitting

    if kind == "router":
        router = fitting.learn_router(of, task, answers_of=given["answers_of"])
        return router.dump(), _told(router.provenance)
    if kind == "reader":
        reader = fitting.learn_reader(of, task)
        return reader.dump(), _told(reader.provenance)
    if kind == "vote":
        vote = fitting.learn_vote(of, task, options=given["among"])
        origin = vote.provenance
        figures: dict[str, float] = {}
        for name in ("accuracy", "log_loss", "ece") if origin.tested else ():
            value, low, high = getattr(origin.tested, name)
            figures |= {name: value, f"{name}.low": low, f"{name}.high": high}
        return vote.as_json(), {"on": origin.rounds, "split": origin.split, "held_out": figures}
    tiers = [[name.strip() for name in tier.split(",") if name.strip()] for tier in given["tiers"]]
    wanted = {"usd": given["usd"], "accuracy": given["accuracy"], "options": given["among"]}
    policy = fitting.learn_cascade(of, tiers, task, **wanted)
    promised = policy.promised
    held = {"accuracy": promised.accuracy, "usd": promised.cost}
    return policy.as_json(), {"on": promised.rounds, "split": promised.split, "held_out": held}


def _told(origin: Any) -> Data:
    return {"on": origin.items, "split": origin.split, "held_out": dict(origin.held_out)}


def _page(data: Data) -> list[Block]:
    held = data["held_out"]
    rows = [
        (name, f"{value:.4g}" if name == "usd" else f"{value:.4f}", _between(held, name))
        for name, value in held.items()
        if not name.endswith((".low", ".high"))
    ]
    return [
        Line(f"A {data['kind']}, fitted on {data['on']:,} graded questions; {data['split']}"),
        *grid(f"{'promised' if data['kind'] == 'cascade' else 'unseen'} figure interval", rows, "bold"),
    ]


def _between(held: Data, name: str) -> str:
    if f"{name}.low" not in held:
        return ""
    return f"{held[f'{name}.low']:.4f} to {held[f'{name}.high']:.4f}"
