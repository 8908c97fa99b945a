"""Models and money: every figure of theirs, on the last line.

    python benchmarks/models.py [--keys budget,call.cpu_ms] [--small] [--json]

Each part is a benchmark of its own, with its own page at the top of its file: `budgets.py`, `recordings.py`,
`asked.py`, `kills.py`, `failover.py`, `faults.py`, `research.py`. It runs in a process of its own, one after
the other, so that none stands in the light of another.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Part:
    """A benchmark, the beginnings of the keys that it gives, and how it is run small."""

    script: str
    keys: tuple[str, ...]
    small: tuple[str, ...] = ()


PARTS = (
    Part("budgets.py", ("budget",), ("--workers", "4", "--calls", "120")),
    Part("recordings.py", ("recordings",), ("--calls", "20", "--characters", "160000")),
    Part("asked.py", ("call",), ("--blocks", "3")),
    Part("kills.py", ("kill",), ("--n", "3")),
    Part("failover.py", ("failover",), ("--runs", "5")),
    Part("faults.py", ("faults",), ("--fault", "silent", "--fault", "refused", "--fault", "truncated")),
    Part("research.py", ("research",), ("--pages", "200")),
)

TO_REACH = {
    "budget.overspent": (0, "<="),
    "budget.used": (0.99, ">="),
    "recordings.vs_unique": (1.2, "<="),
    "call.cpu_ms": (2, "<="),
    "call.throughput_vs_raw": (0.8, ">="),
    "kill.rebought": (0, "<="),
    "kill.unaccounted": (0, "<="),
    "failover.added_ms": (50, "<="),
    "faults.handled": (1.0, ">="),
    "research.found": (1.0, ">="),
    "research.sent": (0.05, "<="),
    "research.mib": (300, "<="),
}


def run(part: Part, *, small: bool) -> dict[str, float]:
    """The figures of one benchmark, as its last line has them; what else it says goes to standard error."""
    command = [sys.executable, str(HERE / part.script), *(part.small if small else ()), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.splitlines()
    for line in lines[:-1]:
        print(line, file=sys.stderr)
    if done.returncode or not lines:
        raise SystemExit(f"{part.script} ended with {done.returncode}")
    said = json.loads(lines[-1])
    return dict(said.get("figures", said))


def wanted(keys: Iterable[str]) -> list[Part]:
    """The benchmarks that give figures of these names, or of these beginnings of names."""
    groups = {key.partition(".")[0] for key in keys}
    return [part for part in PARTS if not groups or groups & set(part.keys)]


def told(figures: dict[str, float], *, small: bool) -> None:
    """A line for each figure, with what it is to reach; small runs say nothing of that."""
    for key, value in figures.items():
        bound, how = (None, "") if small else TO_REACH.get(key, (None, ""))
        held = bound is None or (value <= bound if how == "<=" else value >= bound)
        goal = "" if bound is None else f"{how} {bound:g}{'' if held else '   falls short'}"
        print(f"{key:36} {value:12,.3f}   {goal}", file=sys.stderr)


def main() -> None:
    """Run what is wanted, and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--keys", default="", help="only these, or those that begin so, separated by commas")
    parser.add_argument("--small", action="store_true", help="so few of each that it takes a minute or two")
    parser.add_argument("--json", action="store_true", help="one object on the last line")
    given = parser.parse_args()
    keys = tuple(key.strip() for key in given.keys.split(",") if key.strip())
    figures: dict[str, float] = {}
    for part in wanted(keys):
        found = run(part, small=given.small)
        figures |= {key: value for key, value in found.items() if not keys or key.startswith(keys)}
    told(figures, small=given.small)
    if given.json:
        print(json.dumps({"figures": figures}))


if __name__ == "__main__":
    main()
