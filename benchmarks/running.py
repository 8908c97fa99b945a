"""What the benchmarks' commands have in common: their options, their databases, their last line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from typing import TypeAlias

from places import Folder, Server, places

Figures: TypeAlias = dict[str, float]
Measure: TypeAlias = Callable[[Folder | Server, argparse.Namespace], Figures]


def options_of(text: str | None, *, n: int) -> argparse.ArgumentParser:
    """The options that all of them have."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--database",
        metavar="URL",
        help="a SQLite file, beside which others are made, or a PostgreSQL server to make databases on;\n"
        "`sqlite` or `postgresql` alone makes one; without, both are measured",
    )
    parser.add_argument("--n", type=int, default=n, help=f"by default {n}; fewer is quicker and rougher")
    parser.add_argument("--json", action="store_true", help="one object on the last line of standard output")
    return parser


def run(measure: Measure, parser: argparse.ArgumentParser) -> None:
    """Measure each database; people read standard error."""
    options = parser.parse_args()
    figures: Figures = {}
    with places(options.database) as opened:
        for place in opened:
            for key, value in measure(place, options).items():
                figures[f"{place.backend}.{key}"] = round(value, 4)
    _show(figures)
    if options.json:
        print(json.dumps({"figures": figures}))


def _show(figures: Mapping[str, float]) -> None:
    for key, value in sorted(figures.items()):
        print(f"{key:45} {value:12,.3f}", file=sys.stderr)
