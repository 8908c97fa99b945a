"""The table as a page for people, made from the data of `--json`; and the same as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dissensus.cli.blocks import Block, Grid, Line, Passage
from dissensus.cli.pages import grid
from dissensus.cli.texts import count, visible

Data = dict[str, Any]


def page(data: Data) -> list[Block]:
    """All of it: quality and cost, task by task, how errors go together, the price of the next point."""
    return [block for part in _parts(data) if part for block in (*part, Line())][:-1]


def _parts(data: Data) -> Iterator[list[Block]]:
    tasks = data["tasks"]
    times = f", each {data['repeats']} times" if data["repeats"] > 1 else ""
    yield [Line(f"{tasks['source']}: {count(tasks['items'], 'item')}{times}", "bold")]
    rows = [row for row in data["rows"] if row["task"] is None]
    yield _rows(rows)
    yield _by_task(data["rows"])
    yield _titled("How errors go together", _pairs(data["pairs"]))
    yield _titled("What the votes are worth", _votes(data["votes"]))
    yield _titled("What the next point of quality costs", _steps(data["steps"]))
    if data.get("routing"):
        yield _titled("Suggested routing", routing(data["routing"]))
    yield [Line(f"note: {text}", "yellow") for text in data["notes"]]
    spent, limit = data["budget"]["spent_usd"], data["budget"]["limit_usd"]
    yield [Line(f"spent ${spent:.4f}" + ("" if limit is None else f" of ${limit:.2f}"), "dim")]


def _titled(title: str, blocks: list[Block]) -> list[Block]:
    return [Line(title, "bold"), *blocks] if blocks else []


def _rows(rows: Sequence[Data]) -> list[Block]:
    """Quality, cost and time of each, the best first."""
    ordered = sorted(rows, key=lambda row: -(row["quality"] or {"value": -1})["value"])
    cells = [
        (
            row["name"],
            _share(row["quality"]),
            _interval(row["quality"]),
            "best single" if row["best"] else _apart(row["difference"]),
            f"{row['items']}/{row['of']}",
            _usd(row["usd_per_item"]),
            _ms(row["latency_ms"]["p50"]),
            _ms(row["latency_ms"]["p95"]),
            _ms(row["ttft_ms"]["p50"]),
            "-" if row["tokens_per_item"] is None else f"{row['tokens_per_item']:.0f}",
            _few(row["unfit"]),
            _few(row["nothing"]),
            _few(row["failed"]),
            ", ".join(row["dominated_by"][:2]),
        )
        for row in ordered
    ]
    names = (
        "name quality 95% against_the_best items USD/1000 p50 p95 first_token tokens unfit nothing failed"
        " dominated_by"
    )
    return grid(names, cells, "bold green dim")


def _by_task(rows: Sequence[Data]) -> list[Block]:
    """Quality task by task, who stands in columns."""
    tasks = list(dict.fromkeys(row["task"] for row in rows if row["task"] is not None))
    if not tasks:
        return []
    names = list(dict.fromkeys(row["name"] for row in rows))
    found = {(row["task"], row["name"]): row for row in rows}
    cells = []
    for task in tasks:
        qualities = [found[task, name]["quality"] for name in names]
        shown = [f"{_share(quality)} {_interval(quality)}".strip() for quality in qualities]
        cells.append((task, str(max(found[task, name]["of"] for name in names)), *shown))
    return [Grid(("task", "items", *names), tuple(cells), ("bold",))]


def _pairs(pairs: Sequence[Data]) -> list[Block]:
    cells = [
        (
            f"{one['a']} + {one['b']}",
            "same" if one["same_lineage"] else "",
            one["n"],
            _two(one["agreement"]),
            _two(one["right_if_agree"]),
            _two(one["same_wrong"]),
            _two(one["chance"]),
            _two(one["phi"]),
            _two(one["capa"]),
            _two(one["unanimous_wrong"]),
        )
        for one in sorted(pairs, key=lambda one: -(one["same_wrong"] or 0))
    ]
    names = "pair lineage n agree right_if_agree same_wrong/both_wrong chance phi CAPA wrong_together"
    return grid(names, cells, "bold")


def _votes(votes: Sequence[Data]) -> list[Block]:
    cells = [(one["of"], one["models"], _two(one["votes"])) for one in votes]
    return grid("of models effective_votes", cells, "bold")


def _steps(steps: Sequence[Data]) -> list[Block]:
    cells = [
        (
            f"{one['from']} -> {one['to']}",
            _apart(one["gain"]),
            "-" if one["times_usd"] is None else f"x{one['times_usd']:.2f}",
            "-" if one["times_tokens"] is None else f"x{one['times_tokens']:.2f}",
            "-" if one["more_ms"] is None else f"{one['more_ms']:+,.0f} ms",
            "-" if one["usd_per_point_1000_items"] is None else f"${one['usd_per_point_1000_items']:.4g}",
        )
        for one in steps
    ]
    return grid("step gain cost tokens p50 USD/point/1000", cells, "bold")


def routing(data: Data) -> list[Block]:
    """What is suggested, task by task, with the figures of the half on which nothing was chosen."""
    cells = [
        (
            rule["task"],
            rule["use"],
            _share({"value": rule["quality"]} if rule.get("quality") is not None else None),
            f"[{_two(rule.get('quality_low'))} {_two(rule.get('quality_high'))}]",
            _usd(rule.get("usd")),
            f"{_two(rule.get('best_quality'))} {_usd(rule.get('best_usd'))}",
            f"{rule['chosen_on']}+{rule['held_out']}",
            rule["why"],
        )
        for rule in data["rules"]
    ]
    names = "task use quality 95% USD/1000 best_single chosen+held_out why"
    return [*grid(names, cells, "bold green"), *(Line(note, "dim") for note in data["notes"])]


def _share(estimate: Data | None) -> str:
    return "-" if estimate is None else f"{estimate['value']:.3f}"


def _interval(estimate: Data | None) -> str:
    return "" if estimate is None else f"[{estimate['low']:.3f} {estimate['high']:.3f}]"


def _apart(estimate: Data | None) -> str:
    if estimate is None:
        return "-"
    return f"{estimate['value']:+.3f} [{estimate['low']:+.3f} {estimate['high']:+.3f}]"


def _two(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _usd(value: float | None) -> str:
    return "unknown" if value is None else f"{value * 1000:.4g}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"


def _few(value: int | None) -> str:
    return "-" if value is None else str(value)


# Files


def as_markdown(blocks: Iterable[Block]) -> str:
    """The page in Markdown; whatever a model or a file says stays inside of its cell."""
    return "\n".join(_markdown(blocks)) + "\n"


def _markdown(blocks: Iterable[Block]) -> Iterator[str]:
    first = True
    for block in blocks:
        match block:
            case Grid():
                head = block.columns or ("",) * len(block.rows[0])
                yield ""
                yield f"| {' | '.join(_cell(name.replace('_', ' ')) for name in head)} |"
                yield f"|{'---|' * len(head)}"
                yield from (f"| {' | '.join(map(_cell, row))} |" for row in block.rows)
            case Line():
                title = "# " if first else "## " if block.style == "bold" else ""
                yield f"{title}{_cell(block.text)}"
                first = False
            case Passage():
                yield block.text


def _cell(text: str) -> str:
    for mark in "\\|`<*_[":
        text = text.replace(mark, f"\\{mark}")
    return visible(text)


def as_csv(data: Data) -> str:
    """The rows, one for each model or pattern and task."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = ("task", "name", "kind", "items", "answers", "quality", "low", "high", "usd_per_item", "usd")
    late = ("p50_ms", "p95_ms", "ttft_p50_ms", "tokens_per_item", "unfit", "nothing", "failed")
    writer.writerow((*names, *late))
    for row in data["rows"]:
        quality = row["quality"] or {"value": None, "low": None, "high": None}
        writer.writerow(
            (
                row["task"] or "",
                _harmless(row["name"]),
                *(row[name] for name in ("kind", "items", "answers")),
                *(quality[name] for name in ("value", "low", "high")),
                *(row[name] for name in ("usd_per_item", "usd")),
                row["latency_ms"]["p50"],
                row["latency_ms"]["p95"],
                row["ttft_ms"]["p50"],
                *(row[name] for name in ("tokens_per_item", "unfit", "nothing", "failed")),
            )
        )
    return out.getvalue()


def _harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@" else text
