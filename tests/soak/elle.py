"""Look for anomalies for as long as you like: run after run of real processes, each by a seed of its own.

    python tests/soak/elle.py --database sqlite --seeds 40 --transactions 20000
    python tests/soak/elle.py --database postgresql --seed 17            one run again

One line a run. The history of a run that is not clean is kept, in the formats that Jepsen's own checker
reads: `elle-cli --model list-append FOLDER/history.json`. Nobody draws the same interleaving twice, but
what each process does is drawn from the seed.
"""

# ruff: noqa: E402 - what it is made of stands in tests/support

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("tests/support", "state", "agents", ".")]

from appending import Settings
from elle import Report, check
from histories import write_edn, write_json
from list_append import Ran, run
from mutations import MUTATIONS
from postgres import Postgres


def main() -> int:
    """Make the runs; the exit status is 1 if one of them was not clean."""
    options = _options()
    seeds = range(options.seeds) if options.seed is None else [options.seed]
    unclean = 0
    with _databases(options.database) as urls:
        for seed in seeds:
            unclean += not _one(options, seed, next(urls))
    _tell(f"{len(seeds)} runs, {unclean} of them not clean")
    return bool(unclean)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seeds", type=int, default=40, metavar="N", help="how many runs (40)")
    parser.add_argument("--seed", type=int, metavar="N", help="this run alone")
    parser.add_argument("--transactions", type=int, default=20_000, metavar="N", help="of each run (20000)")
    parser.add_argument("--processes", type=int, metavar="N", help="of each run (4 and 8 in turn)")
    parser.add_argument("--break", dest="mutation", choices=MUTATIONS, help="take a safeguard out")
    parser.add_argument("--keep", type=Path, default=Path("elle-histories"), metavar="FOLDER")
    return parser.parse_args()


@contextmanager
def _databases(backend: str) -> Iterator[Iterator[str]]:
    """New databases, one after the other; PostgreSQL flushes every commit, as a user's does."""
    with tempfile.TemporaryDirectory(prefix="elle-") as folder:
        if backend == "sqlite":
            yield (f"sqlite:///{folder}/{number}.db" for number in range(sys.maxsize))
        else:
            with Postgres(durable=True) as server:
                yield (server.create(f"elle_{number}") for number in range(sys.maxsize))


def _one(options: argparse.Namespace, seed: int, url: str) -> bool:
    """One run, told in a line; whether it was clean."""
    with tempfile.TemporaryDirectory(prefix="elle-") as folder:
        settings = Settings(
            url,
            folder,
            seed=seed,
            transactions=options.transactions,
            processes=options.processes or (4, 8)[seed % 2],
            threads=(1, 2)[seed // 2 % 2],
            at_once=(3, 1, 5)[seed % 3],
            mutation=options.mutation,
        )
        done = run(settings)
    report = check(done.history)
    counted = " ".join(f"{name}={report.outcomes[name]}" for name in ("ok", "fail", "info"))
    clean = _clean(done, report)
    _tell(
        f"seed={seed} processes={settings.processes} threads={settings.threads} "
        f"sessions={settings.at_once} {counted} seconds={done.seconds:.1f} "
        f"anomalies={sum(map(len, report.anomalies.values()))}"
    )
    if not clean:
        _keep(options.keep / f"{options.database}-{seed}", done, report)
    return clean


def _clean(done: Ran, report: Report) -> bool:
    return report.valid and not any(done.exits) and not done.verified and set(done.errors) <= {"conflict"}


def _keep(folder: Path, done: Ran, report: Report) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(done.history, folder / "history.json")
    write_edn(done.history, folder / "history.edn")
    told = [str(report), f"exits {done.exits}, errors {dict(done.errors)}", *done.verified]
    (folder / "report.txt").write_text("\n".join(told) + "\n", encoding="utf-8")
    _tell("\n".join([*told, f"kept in {folder}"]))


def _tell(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
