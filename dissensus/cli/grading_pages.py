"""The pages of `grade` and `quality`."""

from __future__ import annotations

from .blocks import Block, Line
from .data import Data
from .pages import grid
from .texts import count, money

_STYLES = "dim bold"


def grades(data: Data) -> list[Block]:
    """The grades of a round."""
    rows = [
        (
            item["agent"],
            "right" if item["right"] else "wrong",
            item["basis"],
            " ".join(part for part in (item["author"], item["version"]) if part),
            item["detail"] or "",
        )
        for item in data["grades"]
    ]
    return grid("agent grade basis by detail", rows, "bold")


def quality(data: Data) -> list[Block]:
    """Alarms first, then models by task, pairs, audits, and who has ruled."""
    return [
        *_alarms(data["alarms"]),
        *_models(data["models"]),
        *_pairs(data["pairs"]),
        *_audits(data["audits"]),
        *_judges(data["judges"]),
        Line(_closing(data), "dim"),
    ]


def _closing(data: Data) -> str:
    watched = data["watched"]
    return (
        f"{data['rounds']:,} settled rounds; {watched['learned']} of {watched['streams']} streams know"
        f" what is normal; {count(len(data['alarms']), 'alarm')} on now"
    )


def _alarms(items: list[Data]) -> list[Block]:
    lines = [Line(_alarm(item), "bold red") for item in items]
    return [*lines, Line()] if lines else []


def _alarm(item: Data) -> str:
    return (
        f"ALARM {item['model']} at {item['task']}: {_measure(item)} {item['direction']}"
        f" from {item['reference']:.1%} (of {item['on']}) to {item['now']:.1%} of the last {item['answers']};"
        f" rang in round {item['round']} of {item['session']}"
    )


def _measure(item: Data) -> str:
    """What an alarm is on: of latency and cost, how often they exceed what was usual."""
    return f"{item['measure']} above {item['above']:g}" if item["above"] is not None else str(item["measure"])


def _models(items: list[Data]) -> list[Block]:
    """What is known of each model from outside and from rulings; then what needs no judge."""
    judged = [
        (
            *_named(item),
            *(_share(item[name]) for name in ("right", "dissent", "overruled")),
            _calibration(item["calibration"]),
        )
        for item in items
    ]
    counted = [
        (
            *_named(item),
            *(_share(item[name]) for name in ("failed", "malformed", "refused")),
            _latency(item["latency_ms"]),
            money(item["usd"]) if item["asked"] > item["unpriced"] else "unknown",
        )
        for item in items
    ]
    space = [Line()] if items else []
    return [
        *grid("task model asked right dissent overruled confidence", judged, _STYLES),
        *space,
        *grid("task model asked failed malformed refused p50/p95 cost", counted, _STYLES),
        *space,
    ]


def _named(item: Data) -> tuple[str, str, str]:
    return item["task"], item["model"], f"{item['asked']:,}"


def _share(item: Data) -> str:
    if item["rate"] is None:
        return "-"
    return f"{item['rate']:.1%} [{item['low']:.1%}, {item['high']:.1%}] of {item['of']:,}"


def _latency(item: list[int] | None) -> str:
    return "-" if item is None else f"{item[0] / 1000:.2f}/{item[1] / 1000:.2f} s"


def _calibration(item: Data) -> str:
    return "-" if not item["on"] else f"ECE {item['ece']:.3f}, Brier {item['brier']:.3f} of {item['on']:,}"


def _pairs(items: list[Data]) -> list[Block]:
    rows = [
        (
            item["task"],
            *item["models"],
            f"{item['rounds']:,}",
            *("-" if item[name] is None else f"{item[name]:.2f}" for name in ("phi", "kappa", "capa")),
            _share(item["same_errors"]),
        )
        for item in items
    ]
    columns = "task model and graded_for_both phi kappa CAPA same_error_where_both_are_wrong"
    return [*grid(columns, rows, _STYLES), *([Line()] if rows else [])]


def _audits(items: list[Data]) -> list[Block]:
    rows = [
        (item["task"], f"{item['share']:.0%}", *(_audited(item[name]) for name in ("ruled", "graded")))
        for item in items
    ]
    columns = "audited_agreements share wrong_by_ruling wrong_by_grade"
    return [*grid(columns, rows, _STYLES), *([Line()] if rows else [])]


def _audited(item: Data) -> str:
    if item["rate"] is None:
        return "-"
    return f"{item['rate']:.1%} [{item['low']:.1%}, {item['high']:.1%}] of {item['audited']}"


def _judges(items: list[Data]) -> list[Block]:
    rows = [
        (
            item["task"],
            item["author"],
            item["by"],
            ", ".join(f"{count} {name}" for name, count in sorted(item["decisions"].items())),
            _share(item["overturned"]),
        )
        for item in items
    ]
    columns = "task who_ruled a decisions overturned_from_outside"
    return [*grid(columns, rows, _STYLES), *([Line()] if rows else [])]
