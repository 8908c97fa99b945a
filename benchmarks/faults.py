"""Every fault of a provider at every adapter, each lived through by a session of one agent.

A fault is handled if the session ends in time and within its memory, its money cap held, and every
attempt has exactly one outcome on record, of the right kind. The faults are those of
`dissensus.testing.FAULTS`, docs/testing.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dissensus.testing import FAULTS, FakeProvider
from dissensus_state.store import Store

if TYPE_CHECKING:
    from faulting import Lived

SUPPORT = Path(__file__).parents[1] / "tests/support"


def lives(names: list[str]) -> Iterator[Lived]:
    """What becomes of each fault at each adapter, streamed and in one piece."""
    sys.path.append(str(SUPPORT))
    from adapters import ADAPTERS
    from faulting import lived, warmed

    with (
        TemporaryDirectory(prefix="faults-") as folder,
        Store.open(f"sqlite:///{folder}/faults.db") as store,
        FakeProvider() as provider,
    ):
        warmed(provider, store)
        for fault in FAULTS:
            for spoken in ADAPTERS if not names or fault.name in names else ():
                for whole in (False, True):
                    yield lived(provider, store, fault, spoken, whole=whole)


def figures(found: list[Lived]) -> dict[str, float]:
    """The share that is handled, and the bounds that were met."""
    return {
        "faults.handled": sum(not one.defects for one in found) / len(found),
        "faults.cases": len(found),
        "faults.most_seconds": round(max(one.seconds for one in found), 2),
        "faults.most_mb": round(max(one.bytes for one in found) / 2**20, 1),
    }


def main() -> None:
    """Live through them all, and print what went wrong and the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--fault", action="append", default=[], help="only these")
    parser.add_argument("--json", action="store_true", help="one object on the last line")
    options = parser.parse_args()
    found = []
    for one in lives(options.fault):
        found.append(one)
        for defect in one.defects:
            print(f"{one.fault} at {one.spoken}: {defect}", file=sys.stderr)
    measured = figures(found)
    if options.json:
        print(json.dumps(measured))
    else:
        for name, figure in measured.items():
            print(f"{name:22} {figure:g}")


if __name__ == "__main__":
    main()
