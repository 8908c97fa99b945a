"""Pages of files become documents of a session, and are found again: how fast, with how much memory.

    python benchmarks/documents.py --pages 2000 --json
    python benchmarks/documents.py --database postgresql://localhost/documents

The pages are generated (`corpus.py`), a fifth of them of each kind. Searches ask for the planted facts.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path

import corpus

from dissensus.documents import Found, digest_of, read, walk
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store

LIMIT = 20


class Nothing(SharedState):
    """A state without a field that matters."""

    note: str = ""


def add(session: Session[Nothing], folder: Path) -> float:
    """Read every file of a folder into the session's library; seconds."""
    since = time.perf_counter()
    with session.library.adding() as shelf:
        for found in walk(folder):
            if isinstance(found, Found):
                reading = read(found.path)
                shelf.add(found.name, reading.kind, reading.passages, digest_of(found.path), reading.detail)
    return time.perf_counter() - since


def ask(session: Session[Nothing], facts: list[corpus.Fact]) -> tuple[float, float]:
    """Ask for every fact: the median time in milliseconds, and the share that is found."""
    took, found = [], 0
    for fact in facts:
        since = time.perf_counter()
        hits = session.library.search(fact.question, LIMIT)
        took.append(time.perf_counter() - since)
        found += any(fact.quote in " ".join(hit.passage.text.split()) for hit in hits)
    return 1000 * statistics.median(took), found / len(facts)


def measure(database: str | None = None, pages: int = 2000, facts: int = 40) -> dict[str, float]:
    """All figures, on a SQLite file of its own where no database is given."""
    with tempfile.TemporaryDirectory() as folder:
        planted = corpus.write(Path(folder) / "sources", pages, facts)
        with Store.open(database or f"{folder}/documents.db") as store:
            session = store.create(Nothing())
            seconds = add(session, Path(folder) / "sources")
            ms, found = ask(session, planted)
            since = time.perf_counter()
            session.library.verify()
            verified = time.perf_counter() - since
            stored = dict(session.sizes().beside)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "documents.pages": pages,
        "documents.add_s": round(seconds, 2),
        "documents.search_ms": round(ms, 2),
        "documents.found": found,
        "documents.verify_s": round(verified, 2),
        "documents.index_share": round(stored["index of the documents"] / stored["documents"], 3),
        "documents.mib": round(peak, 1),
    }


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--database", help="a PostgreSQL database to use instead of a SQLite file")
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--facts", type=int, default=40)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    given = parser.parse_args()
    figures = measure(given.database, given.pages, given.facts)
    if given.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:24}{value:>12}")


if __name__ == "__main__":
    main()
