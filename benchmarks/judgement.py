"""What judgement is worth on recorded answers of real models: every figure of it, cross-validated.

    python benchmarks/judgement.py --data ../shared/data/panel --json
    python benchmarks/judgement.py --only policy

Everything that is fitted is fitted to other questions than it is measured on: five folds by sha256(id), or
two halves by it where a part says so. Intervals are of 95 %, by bootstrap over questions. What the figures
mean stands in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from judging import DATA, PANEL, PRICES, recorded

PARTS = {
    "judging_panel": ("panel", "chair"),
    "judging_policy": ("policy", "claim", "routing"),
    "judging_confidence": ("confidence",),
    "judging_hollow": ("hollow",),
    "judging_reading": ("review",),
    "judging_router": ("router",),
    "judging_alarms": ("alarm",),
}
"""Each part with the first words of its figures' keys."""

FILES = {
    "judging_reading": (PANEL,),
    "judging_router": ("gsm8k_pair.jsonl.gz", "mmlu_pair.jsonl.gz"),
    "judging_alarms": (),
}
"""Which recorded answers a part reads, if not those of the panel."""


def main() -> None:
    """Run the parts that are wanted, and print the figures."""
    options = _options()
    figures: dict[str, Any] = {}
    wanted = [
        part
        for part, keys in PARTS.items()
        if any(options.only.startswith(key) or key.startswith(options.only) for key in keys)
    ]
    for name in [name for part in wanted for name in FILES.get(part, (PANEL, PRICES))]:
        recorded(options.data, name)  # said before minutes are spent on the others
    for part in wanted:
        began = time.monotonic()
        found = importlib.import_module(part).figures(options.data)
        figures |= {key: value for key, value in found.items() if key.startswith(options.only)}
        print(f"{part}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    if not figures:
        sys.exit(f"No figure's key begins with {options.only!r}")
    for key, value in figures.items():
        if not key.endswith((".low", ".high")):
            low, high = figures.get(f"{key}.low"), figures.get(f"{key}.high")
            print(f"{key:45} {value}{'' if low is None else f'  [{low}, {high}]'}", file=sys.stderr)
    if options.json:
        print(json.dumps({"figures": figures}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="recorded answers")
    parser.add_argument("--only", default="", metavar="KEY", help="figures whose key begins so")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on the last line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
