"""What a session's recordings take against what was said for the first time.

    python benchmarks/recordings.py [--calls 100] [--json]

A session makes 100 calls, one in each round. Every prompt holds all that was there before and something
new, so that the last one is 800,000 characters long, about 200,000 tokens. The words are drawn at random,
as often as words are in a language; packed they take two fifths, like an English text. There are two ways
for the context to come about, each on both databases:

- `told`: pieces of text that the prompt function gives, all of them with each call;
- `found`: findings in the shared state; each answer adds one, and every call reads all of them.

The unique content is each distinct text of the prompts and each answer once, as UTF-8, with nothing added
for its place. `recordings.vs_unique` is by how much the tables of the recordings (`calls`, `models` and
`blobs`) grow, with their indexes and what is unused in their pages, against the unique content: the worst
of the four. Texts are compressed where they are stored, and the unique content is not. Beside it:
`recordings.database_vs_unique`, the growth of the whole database, whose rounds, proposals, commits and
snapshots hold the findings as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import sys
from contextlib import closing
from decimal import Decimal
from itertools import accumulate
from typing import Annotated, Any

import psycopg
from places import Folder, Server, conninfo, is_sqlite, path_of, places

from dissensus import Agent, AgentGraph, Append, FunctionModel, Price, SharedState, Store

CALLS, CHARACTERS = 100, 800_000
RECORDINGS = ("calls", "models", "blobs")
PRICE = Price(Decimal(1), Decimal(2))


class Told(SharedState):
    """What an analyst concludes from what it is told."""

    note: str = ""


class Found(SharedState):
    """Findings that all calls share."""

    findings: Annotated[list[str], Append] = []  # noqa: RUF012 - pydantic copies it


def pieces(calls: int, characters: int, seed: int = 1) -> list[str]:
    """Texts of words, together so many characters."""
    chance = random.Random(seed)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    weights = [12, 9, 8, 8, 7, 7, 6, 6, 6, 4, 4, 3, 3, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1]
    words = ["".join(chance.choices(letters, weights, k=chance.randint(2, 10))) for _ in range(20_000)]
    often = list(accumulate(1 / rank for rank in range(1, len(words) + 1)))
    each = characters // calls
    return [" ".join(chance.choices(words, cum_weights=often, k=each))[:each] for _ in range(calls)]


async def told(store: Store, texts: list[str]) -> list[str]:
    """Context that the prompt function gives; the distinct texts."""
    session = store.create(Told(), name="told")
    shown: list[str] = []
    said = [json.dumps({"reasoning": text[:200], "note": f"after {n}"}) for n, text in enumerate(texts)]
    model = FunctionModel("local:analyst", lambda _: said[len(shown) - 1], price=PRICE)
    agent = Agent("ana", model, "You read.", prompt=lambda _: ["What follows?", *shown])
    graph = AgentGraph(Told).add_step("read", [agent], writes={"note"})
    for text in texts:
        shown.append(text)
        await graph.run(session, start="read")
    return ["What follows?", *texts, *said]


async def found(store: Store, texts: list[str]) -> list[str]:
    """Context that answers add to the state; the distinct texts."""
    session = store.create(Found(), name="found")
    said = [json.dumps({"reasoning": text[:200], "findings": [text]}) for text in texts]
    left = iter(said)
    model = FunctionModel("local:analyst", lambda _: next(left), price=PRICE)
    agent = Agent("ana", model, "You read.", reads=["/findings"])
    graph = AgentGraph(Found).add_step("read", [agent], writes={"findings"})
    for _ in texts:
        await graph.run(session, start="read")
    return said


def tables(url: str) -> dict[str, int]:
    """The bytes that each table takes, with its indexes."""
    if is_sqlite(url):
        owners = "sqlite_master m ON m.name = d.name"
        pages = f"SELECT tbl_name, sum(pgsize) FROM dbstat d JOIN {owners} GROUP BY 1"
        with closing(sqlite3.connect(path_of(url))) as file:
            return dict(file.execute(pages).fetchall())
    sizes = "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' "
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        ours = connection.execute(sizes + "AND relnamespace = 'public'::regnamespace").fetchall()
    return {str(name): int(size) for name, size in ours}


def grown(place: Folder | Server, way: Any, texts: list[str]) -> tuple[float, float]:
    """By how much the tables of the recordings, and all tables, grow against what was said."""
    url = place.fresh("recordings")
    with Store.open(url):
        pass
    empty = tables(url)
    with Store.open(url) as store:
        said = asyncio.run(way(store, texts))
    added = {name: size - empty.get(name, 0) for name, size in tables(url).items()}
    place.drop(url)
    unique = sum(len(text.encode()) for text in set(said))
    return sum(added[name] for name in RECORDINGS) / unique, sum(added.values()) / unique


def recordings(
    calls: int = CALLS, characters: int = CHARACTERS, database: str | None = None
) -> dict[str, float]:
    """The figures."""
    texts = pieces(calls, characters)
    taken: dict[str, tuple[float, float]] = {}
    with places(database) as all_places:
        for place in all_places:
            for way in (told, found):
                name = f"{way.__name__}_{place.backend}"
                taken[name] = grown(place, way, texts)
                print(f"{name:20} {taken[name][0]:6.2f} {taken[name][1]:6.2f} all tables", file=sys.stderr)
    return {
        "recordings.vs_unique": round(max(own for own, _ in taken.values()), 3),
        "recordings.database_vs_unique": round(max(whole for _, whole in taken.values()), 3),
        **{f"recordings.vs_unique_{name}": round(own, 3) for name, (own, _) in taken.items()},
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--characters", type=int, default=CHARACTERS, help="of the last prompt")
    parser.add_argument("--database", help="by default a SQLite file and a PostgreSQL server of its own")
    parser.add_argument("--json", action="store_true", help="one object on the last line")
    given = parser.parse_args()
    figures = recordings(given.calls, given.characters, given.database)
    print(json.dumps({"figures": figures}) if given.json else figures)


if __name__ == "__main__":
    main()
