"""Two cheap models of different makers, and the chair only where they do not agree.

Nothing is fitted. `panel.saved` is the share of questions that the chair is not asked, `panel.gain` the
accuracy above the chair alone.
"""

from __future__ import annotations

from pathlib import Path

from judging import FLASH, LLAMA70, PRO, Figures, Item, items, share

from dissensus_agents.judgement.discounted import Discounted

ENOUGH_VOTES = 1.01
"""Below it an agreement goes to the chair, as in `exam`: one voter is worth 1, two are worth more."""


def figures(data: Path) -> Figures:
    """What the panel saves, and what it is right in."""
    found: Figures = {}
    agreed = [_agreed(item) for item in items(data)]
    right = [
        item.right == letter if letter else item.is_right(PRO)
        for item, letter in zip(items(data), agreed, strict=True)
    ]
    share(found, "panel.saved", [letter is not None for letter in agreed])
    share(found, "panel.accuracy", right)
    share(found, "panel.gain", [a - item.is_right(PRO) for a, item in zip(right, items(data), strict=True)])
    costs = [
        item.costs[FLASH] + item.costs[LLAMA70] + (0.0 if letter else item.costs[PRO])
        for item, letter in zip(items(data), agreed, strict=True)
    ]
    found["panel.cost"] = round(sum(costs) / sum(item.costs[PRO] for item in items(data)), 4)
    share(found, "chair.accuracy", [item.is_right(PRO) for item in items(data)])
    return found


def _agreed(item: Item) -> str | None:
    """The letter on which the panel agrees, where that is worth more than one vote."""
    round_ = item.graded((FLASH, LLAMA70))
    said = {ballot.position for ballot in round_.ballots}
    if len(said) != 1 or Discounted().weigh(round_.ballots, item.task, item.options).votes < ENOUGH_VOTES:
        return None
    return item.letters[FLASH]
