"""Deciding at a fork, between two rounds: which of several chains is begun."""

from __future__ import annotations

from typing import Any

from dissensus_state.errors import DissensusError

from .deciding import decision_in
from .errors import GraphError, Untrusted
from .options import option_of
from .patterns.asked import Asked, Choice
from .patterns.plan import Passed
from .prompts import Prompts, requests_of
from .running import Progress, Run
from .steps import Step, view_of
from .ways import Fork, Ways


def forked(run: Run, ways: Ways, steps: dict[str, Step], target: str) -> str:
    """The step that a target comes to: at each fork the way that was decided, or is decided now.

    A decision is written down before anything of its way is begun, together with the round that it came
    after; a run that goes on at the same place reads it back.
    """
    while target in ways.forks:
        fork = ways.forks[target]
        target = ways.begin(fork.options[_option(run, ways, steps, target, fork)], steps)
    return target


def _option(run: Run, ways: Ways, steps: dict[str, Step], name: str, fork: Fork) -> str:
    last = run.journal.last_round()
    after = 0 if last is None else last.round
    for body in run.journal.between():
        if body.get("route") == name and body.get("after") == after:
            (option,) = decision_in(body).chosen
            if option not in fork.options:
                raise GraphError(
                    f"The route {name!r} had chosen {option!r}, and has only {', '.join(fork.options)}",
                    next_step="Give it that option again, or begin elsewhere: start=…",
                )
            return option
    choice, left, passed = _choice(run, ways, steps, name, fork)
    decision = fork.route.decision("", choice, left, passed)
    body = {**decision.as_dict(), "route": name, "after": after}
    run.journal.decide(body)
    if "decided" not in run.unheard:
        run.emit(Progress("decided", name, None, body))
    return choice.option


def _choice(
    run: Run, ways: Ways, steps: dict[str, Step], name: str, fork: Fork
) -> tuple[Choice, list[str], tuple[Passed, ...]]:
    """What the route's router says of the ways whose models may be shown what they begin with."""
    session = run.journal.session
    head = session.current()
    prompts = {
        option: _prompts(session, steps[entry], head.plain, head.version)
        for option, way in fork.options.items()
        if (entry := ways.entries(way)) in steps
    }
    passed, left = list[Passed](), list[str]()
    for option, way in fork.options.items():
        known, entry = prompts.get(option), ways.entries(way)
        hit = steps[entry].pattern.unavoidable(known.why) if known is not None else ()
        if known is not None and hit:
            passed.append(Passed(option, known.why[hit[0]]))
        else:
            left.append(option)
    if not left:
        why = "; ".join(f"{one.what}: {one.why}" for one in passed)
        raise Untrusted(f"No way of the route {name!r} may be gone: {why}")
    if len(left) == 1:
        return Choice(left[0], "it is the only option that is left"), left, tuple(passed)
    return fork.route.choose(_asked(run, ways, steps, name, fork, left, prompts, head)), left, tuple(passed)


def _prompts(session: Any, step: Step, state: Any, version: int) -> Prompts:
    """What a way begins with; nothing, where its prompts cannot be made yet."""
    try:
        return requests_of(session.shape, step, state, version, None, {})
    except (DissensusError, LookupError):
        return Prompts()


def _asked(
    run: Run,
    ways: Ways,
    steps: dict[str, Step],
    name: str,
    fork: Fork,
    left: list[str],
    prompts: dict[str, Prompts],
    head: Any,
) -> Asked:
    options = {}
    for option in left:
        inside = f"{fork.options[option]}."
        its = [step for one, step in steps.items() if one == fork.options[option] or one.startswith(inside)]
        agents = {id(agent): agent for step in its for agent in step.agents}
        requests = prompts[option].requests if option in prompts else {}
        options[option] = option_of(run, option, tuple(agents.values()), requests)
    known = [request for one in left if one in prompts for request in prompts[one].requests.values()]
    entries = [ways.entries(fork.options[one]) for one in left]
    readers = [steps[entry].agents[0] for entry in entries if entry in steps]
    read = view_of(run.shape, readers[0], head.plain, head.version).read if readers else lambda _: None
    return Asked(name, known[0].prompt if known else "", options, read, known[0] if known else None)
