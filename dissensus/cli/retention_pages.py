"""The pages of `sizes, redact, prune, compact`."""

from __future__ import annotations

from collections.abc import Mapping

from .blocks import Block, Line
from .data import Data
from .pages import facts, grid
from .texts import count

_MOST = 10
"""How many of the largest paths and fields are shown; `--json` gives all."""


def sizes(data: Data) -> list[Block]:
    """What takes how much room."""
    blocks: list[Block] = [Line(f"{data['session']} takes about {data['total']:,} bytes", "bold")]
    for title, name in (
        (f"the state at v{data['version']}, by field", "state"),
        ("its largest parts", "largest"),
        ("the history of all branches, by field", "history"),
        ("recordings", "recordings"),
        ("beside them", "beside"),
    ):
        blocks += _table(title, data[name])
    return blocks


def _table(title: str, sizes: Mapping[str, int]) -> list[Block]:
    found = [(name, f"{size:,}") for name, size in list(sizes.items())[:_MOST] if size]
    return [Line(title), *grid("", found, "", 2)] if found else []


def redacted(data: Data) -> list[Block]:
    """What was taken away, and where an equal text still stands."""
    written = data["written"]
    said = f"{data['path']}, written in {written['branch']} v{written['version']}, is redacted by v"
    blocks: list[Block] = [Line(f"{said}{data['redacted_by']}", "green"), *facts(data["erased"], 2)]
    for place in data["remains"]:
        where = " ".join(
            part for part in (place["branch"], f"v{place['version']}" if place["version"] else "") if part
        )
        blocks.append(
            Line(f"An equal text still stands in {where} {place['path']}".replace("  ", " "), "yellow")
        )
    return [*blocks, *(Line(sentence) for sentence in data["left"])]


def pruned(data: Data) -> list[Block]:
    """What pruning ends, or has ended."""
    plan, done = data["plan"], data["pruned"]
    size = f"{count(plan['commits'], 'commit')} lose {plan['characters']:,} characters"
    if done:
        blocks: list[Block] = [Line(f"pruned to v{plan['before']} by v{done['pruned_by']}: {size}", "green")]
    else:
        blocks = [Line(f"to prune to v{plan['before']}: {size}", "bold")]
    blocks += [Line(sentence, "yellow", 2) for sentence in plan["losses"]]
    if plan["forbidden_by"]:
        blocks.append(Line(f"Open branches forbid it: {', '.join(plan['forbidden_by'])}", "red", 2))
    return blocks


def compacted(data: Data) -> list[Block]:
    """What compacting would free, or has removed."""
    plan, done = data["plan"], data["compacted"]
    if done:
        said = f"compacted: {count(done['snapshots'], 'snapshot')} made {done['kept']:,}"
        title = Line(f"{said}, {count(done['blobs'], 'text')} removed", "green")
    else:
        title = Line(f"to compact: about {plan['bytes']:,} bytes would be free", "bold")
    left = done["left"] if done else []
    return [
        title,
        *(Line(sentence, "yellow", 2) for sentence in plan["losses"]),
        *(Line(one) for one in left),
    ]
