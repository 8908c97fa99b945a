"""The routing that the figures suggest: for each task the cheapest that is about as good as the best.

The items are split in halves by `sha256(id)`. What is used is chosen on one half, and all figures that are
reported are of the other half, on which nothing was chosen. What is too little to say anything is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from dissensus_agents.patterns.configured import EVERY_TASK, Known, Routing, Rule, today
from dissensus_agents.patterns.spelled import Spelled

from .errors import TooFew
from .measured import Answer, Measured, Where
from .statistics import Z90, Estimate, difference_of, mean_of
from .table import apart, best_single, cost_of
from .tasks import Item

TOLERANCE = 0.02
LEAST = 50
"""Items of each half below which nothing is suggested."""

SPLIT = "chosen on the items with an even sha256(id), figures of those with an odd one"


def suggest(found: Measured, *, tolerance: float = TOLERANCE, least: int = LEAST) -> Routing:
    """A routing configuration, with what it rests on.

    The cheapest is taken whose mean score on the choosing half is not worse than the best single model's by
    more than the tolerance, tested in pairs, one-sided, at 5 % (Agresti and Min's interval). Beside what was
    measured, cascades over two cheap models of different lineage are tried, which follow from the recorded
    answers; one is taken only if the items that were held out bear it out. A task gets a rule of its own only
    where its own items say that this is better than the rule for all tasks, or as good and cheaper.

    Args:
        found: What was measured.
        tolerance: How much worse than the best single model is as good, as a share of the scores.
        least: How many items each half must have.

    Raises:
        TooFew: All items together are too few.
    """
    wider, notes = with_cascades(found), list[str]()
    common = _rule(wider, None, tolerance, least, notes)
    if common is None:
        raise TooFew(f"Nothing can be suggested: {notes[0]}")
    rules, names = [common], found.plan.tasks.names
    for name in names if len(names) > 1 else ():
        rule = _rule(wider, name, tolerance, least, notes)
        if rule is not None and _is_another(wider, rule, common):
            rules.append(rule)
    return Routing(
        made=today(),
        tasks=found.plan.tasks.source,
        tasks_sha256=found.plan.tasks.sha256,
        split=SPLIT,
        tolerance=tolerance,
        notes=notes,
        models=_models(found, rules),
        rules=rules,
    )


def _models(found: Measured, rules: Sequence[Rule]) -> dict[str, Known]:
    """The models that rules name, as they are known today."""
    named: dict[str, Known] = {}
    for rule in rules:
        for label, model in found.plan.everybody.items():
            if label in _named(rule.use, found) or label == rule.best:
                price = model.price
                named[label] = Known(
                    model=model.name,
                    lineage=model.lineage,
                    usd_in=None if price is None else float(price.input),
                    usd_out=None if price is None else float(price.output),
                )
    return named


def _named(use: str, found: Measured) -> tuple[str, ...]:
    from dissensus_agents.patterns.spelled import is_spelled, spelled

    from .plan import seats_of

    if use in found.plan.models or not is_spelled(use):
        return (use,)
    return seats_of(spelled(use, found.plan.everybody))


def _rule(found: Measured, task: str | None, tolerance: float, least: int, notes: list[str]) -> Rule | None:
    """The rule for a task (None: for all of them), or None with a note why there is none."""
    choosing, held = found.items(task, half=0), found.items(task, half=1)
    best = best_single(found, choosing)
    seen = [0, 0] if best is None else [len(found.means(best, half)) for half in (choosing, held)]
    if best is None or min(seen) < least:
        what = "all items together have" if task is None else f"the task {task} has"
        notes.append(
            f"{what} {seen[0]} and {seen[1]} answered items in the halves, {least} in each are needed"
        )
        return None
    for use, why in _cheaper(found, best, choosing, tolerance):
        kept = apart(found, use, best, held)
        if use not in found.plan.models and (kept is None or kept.value < -tolerance):
            said = "nothing" if kept is None else f"{kept.value:+.3f}"
            notes.append(
                f"{task or 'all tasks'}: {use} was not borne out by the items that were held out ({said})"
            )
            continue
        return _made(found, task, use, best, why, choosing, held)
    why = f"nothing cheaper was shown to be within {tolerance:g} of it"
    return _made(found, task, best, best, why, choosing, held)


def _is_another(found: Measured, rule: Rule, common: Rule) -> bool:
    """Whether a task's own items say that the rule for all tasks will not do for it, or is too dear."""
    if rule.use == common.use:
        return False
    choosing = found.items(rule.task, half=0)
    cost, dear = (cost_of(found.of(use, choosing)) for use in (rule.use, common.use))
    if rule.use != rule.best and cost is not None and dear is not None and cost < dear:
        return True
    gap = difference_of(*_both(found, rule.best, common.use, choosing), Z90)
    return gap is not None and gap.low > 0


def _cheaper(
    found: Measured, best: str, choosing: Sequence[Item], tolerance: float
) -> Iterator[tuple[str, str]]:
    """What is cheaper than the best single model and about as good, the cheapest first, and why."""
    most = cost_of(found.of(best, choosing))
    costs = {name: cost_of(found.of(name, choosing)) for name in found.answers if name != best}
    known = [(cost, name) for name, cost in costs.items() if cost is not None]
    for cost, name in sorted(known):
        if most is None or cost >= most:
            return
        one, other = _both(found, name, best, choosing)
        gap = difference_of(one, other, Z90)
        if gap is not None and gap.low >= -tolerance and 2 * len(one) >= len(choosing):
            bound = f"{gap.value:+.3f}, at least {gap.low:+.3f} at 95 %"
            yield name, f"the cheapest that is within {tolerance:g} of {best} ({bound}, {gap.n} items)"


def _both(found: Measured, one: str, other: str, items: Sequence[Item]) -> tuple[list[float], list[float]]:
    a, b = found.means(one, items), found.means(other, items)
    keys = [key for key in a if key in b]
    return [a[key] for key in keys], [b[key] for key in keys]


def _made(
    found: Measured,
    task: str | None,
    use: str,
    best: str,
    why: str,
    choosing: Sequence[Item],
    held: Sequence[Item],
) -> Rule:
    quality = mean_of(list(found.means(use, held).values()))
    gap = None if use == best else apart(found, use, best, held)
    top = mean_of(list(found.means(best, held).values()))
    return Rule(
        task=task or EVERY_TASK,
        use=use,
        why=why,
        chosen_on=len(found.means(use, choosing)),
        held_out=0 if quality is None else quality.n,
        quality=_value(quality),
        quality_low=None if quality is None else quality.low,
        quality_high=None if quality is None else quality.high,
        usd=cost_of(found.of(use, held)),
        best=best,
        best_quality=_value(top),
        best_usd=cost_of(found.of(best, held)),
        difference=_value(gap),
        difference_low=None if gap is None else gap.low,
        difference_high=None if gap is None else gap.high,
    )


def _value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value


# Cascades that follow from what is recorded


def with_cascades(found: Measured) -> Measured:
    """The same with cascades over two models of different lineage under the best single one.

    What such a cascade answers follows from the answers of its members, so that nobody need be asked.
    """
    top = best_single(found, found.items(half=0))
    models = found.plan.models
    answers = dict(found.answers)
    for a, b in combinations([label for label in models if label != top], 2):
        name = str(Spelled("cascade", ((a, b), (str(top),)))) if top else ""
        if top and name not in answers and models[a].lineage != models[b].lineage:
            answers[name] = dict(_cascaded(found, a, b, top))
    return replace(found, answers=answers)


def _cascaded(found: Measured, a: str, b: str, top: str) -> Iterator[tuple[Where, Answer]]:
    for where, one in found.answers[a].items():
        other, last = found.answers[b].get(where), found.answers[top].get(where)
        if other is None or last is None:
            continue
        both = max(one.latency, other.latency)
        if one.said is not None and one.said == other.said:
            yield where, _paid(one, both, one, other)
        else:
            spoke = [each for each in (last, one, other) if each.said is not None]
            yield where, _paid([*spoke, last][0], both + last.latency, one, other, last)


def _paid(answer: Answer, latency: int, *asked: Answer) -> Answer:
    """An answer for which all of these were asked."""
    tokens = sum(each.tokens for each in asked)
    return replace(answer, cost=_sum(*asked), latency=latency, ttft=None, tokens=tokens, unfit="")


def _sum(*answers: Answer) -> int | None:
    costs = [one.cost for one in answers]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
