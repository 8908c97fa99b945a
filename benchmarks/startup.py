"""What starting costs: CPU seconds of `import dissensus` and of `dissensus --version`.

Both are compared with `python -c "import pydantic"`, measured in the same run, in turns, each in a
fresh interpreter; the figures are medians of the CPU time of the child (user and system).

    python benchmarks/startup.py [--runs 21] [--json]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys

PROGRAMS = {
    "python": [sys.executable, "-c", "pass"],
    "import_pydantic": [sys.executable, "-c", "import pydantic"],
    "import_dissensus": [sys.executable, "-c", "import dissensus"],
    "version": [sys.executable, "-m", "dissensus", "--version"],
    "help": [sys.executable, "-m", "dissensus", "--help"],
}
LOADED = (
    "import sys\nsys.argv = ['dissensus', '--version']\nfrom dissensus.cli.main import main\n"
    "try: main()\nfinally: print(*sorted({name.partition('.')[0] for name in sys.modules}))"
)
HEAVY = {"langgraph", "langchain_core", "httpx", "sqlalchemy", "pydantic", "rich"}
TO_REACH = 3


def children_cpu() -> float:
    """CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_of(command: list[str]) -> float:
    """CPU seconds of one run."""
    before = children_cpu()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return children_cpu() - before


def measured(runs: int) -> dict[str, float]:
    """The median of each program; the first round only warms the caches."""
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(runs + 1):
        for name, command in PROGRAMS.items():
            seconds[name].append(cpu_of(command))
    return {name: statistics.median(taken[1:]) for name, taken in seconds.items()}


def heavy_modules() -> list[str]:
    """What of the heavy packages `dissensus --version` loads; it should be none."""
    shown = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout
    return sorted(HEAVY & set(shown.split()))


def main() -> None:
    """Measure, and print a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=21, help="how often each is started")
    parser.add_argument("--json", action="store_true", help="print one object only")
    options = parser.parse_args()
    cpu = measured(max(1, options.runs))
    figures = {
        "runs": options.runs,
        "cpu_s": {name: round(taken, 4) for name, taken in cpu.items()},
        "import_ratio": round(cpu["import_dissensus"] / cpu["import_pydantic"], 3),
        "version_ratio": round(cpu["version"] / cpu["import_pydantic"], 3),
        "to_reach": TO_REACH,
        "heavy_modules": heavy_modules(),
    }
    if not options.json:
        for name, taken in cpu.items():
            print(f"{name:18} {taken * 1000:7.1f} ms CPU")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
