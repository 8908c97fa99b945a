"""A process that adds documents to a session, small ones and a large one, to be killed while it does."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

from dissensus_state import shelving
from dissensus_state.store import Store

DOCUMENTS = 60
_WORDS = ("valve", "pump", "night", "open", "rpm", "meter", "river", "of", "the", "and", "was")


def name_of(number: int) -> str:
    """The name of a document."""
    return f"doc-{number:03}"


def passages_of(number: int) -> Iterator[tuple[str, str]]:
    """The passages of a document, every tenth of which is a large one."""
    chance = random.Random(number)
    for n in range(300 if number % 10 == 0 else 3):
        yield f"p. {n + 1}", " ".join(chance.choices(_WORDS, k=40))


def fill(url: str) -> None:
    """Add all documents to the only session there is, a few at a time."""
    with Store.open(url) as store:
        library = store.session().library
        print("ready", flush=True)  # noqa: T201 - whoever kills it waits for that
        with library.adding() as shelf:
            for number in range(DOCUMENTS):
                shelf.add(name_of(number), "text", passages_of(number), bytes([number]))


if __name__ == "__main__":
    shelving.BATCH = 2000
    fill(sys.argv[1])
