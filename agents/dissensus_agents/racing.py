"""The first good answer: several are asked, the first that passes stands, and the others are left.

A call that is left on its way is settled by the budget's rule, like one whose worker is gone; an answer
that was recorded before it could be left is a proposal like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dissensus_state.journal import Outcome
from dissensus_state.records import Call, Proposal

from .agent import Agent, Answer
from .beginning import go_on
from .calls import reply_of
from .crossing import aside
from .patterns.plan import Ask, Decision, Passed
from .proposing import Proposed, proposal_of, proposed, read_as
from .running import Run, Running
from .verifying import outside

LEFT = "pattern.left"
"""The code under which an agent stands in the records that was asked, and not waited for."""


async def raced(run: Run, running: Running, ask: Ask, agents: Sequence[Agent]) -> list[Proposed]:
    """Ask these until one gives a good answer; what each of them comes to.

    What is recorded already is looked at first, in the order in which it was answered, so that a run that
    goes on takes the same for the first.
    """
    found: dict[str, Proposed] = {}
    for agent in _by_time(running, agents):
        found[agent.name] = await proposal_of(run, running, agent)
        if await _good(running, found[agent.name][0]):
            break
    if await _winner(running, found) is None:
        left = [agent for agent in agents if agent.name not in found]
        await _run(run, running, ask, left, found)
    winner = await _winner(running, found)
    rest = [agent for agent in agents if agent.name not in found]
    if rest:
        running.calls = tuple(await aside(run.journal.calls, running.round))
    for agent in rest:
        found[agent.name] = await _left(run, running, agent, winner or "")
    return [found[agent.name] for agent in agents if agent.name in found]


async def _run(
    run: Run, running: Running, ask: Ask, agents: Sequence[Agent], found: dict[str, Proposed]
) -> None:
    """Ask them at once, or one after the other has been waited for; stop at the first good answer."""
    waiting = list(agents)
    tasks: dict[asyncio.Task[Proposed], Agent] = {}

    def start(count: int) -> None:
        for agent in waiting[:count]:
            tasks[asyncio.create_task(proposal_of(run, running, agent))] = agent
        del waiting[:count]

    start(len(waiting) if ask.hedge is None else max(1, _begun(running, agents)))
    try:
        while tasks:
            done, _ = await asyncio.wait(
                tasks, timeout=ask.hedge if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in sorted(done, key=lambda one: agents.index(tasks[one])):
                agent = tasks.pop(task)
                found[agent.name] = task.result()
            if await _winner(running, found) is not None:
                return
            if waiting and (not done or not tasks):
                why = f"no answer in {ask.hedge:g} s" if not done else "no good answer before it"
                hedged = _hedged(ask, waiting[0], why)
                await aside(go_on, run, running, hedged, None)
                run.tell(running, "decided", **hedged.decisions[0].as_dict())
                start(1)
    finally:
        await _abandon(run, list(tasks))


def _begun(running: Running, agents: Sequence[Agent]) -> int:
    """How many of them were asked before this run; they are in order."""
    known = {call.agent for call in running.calls}
    return sum(agent.name in known for agent in agents)


def _hedged(ask: Ask, agent: Agent, why: str) -> Ask:
    """That the next one is asked beside those that are late."""
    outer = ask.decisions[-1]
    later = tuple(
        Passed(name, "it is asked later") for name in ask.agents[ask.agents.index(agent.name) + 1 :]
    )
    return Ask((agent.name,), (Decision(outer.pattern, outer.at, (agent.name,), why, None, later),))


async def _abandon(run: Run, tasks: Sequence[asyncio.Task[Proposed]]) -> None:
    """Stop waiting; what was on its way to the records arrives there."""
    for task in tasks:
        task.cancel()
    for one in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(one, BaseException) and not isinstance(one, asyncio.CancelledError | Exception):
            raise one
    await run.asker.flushed()


def _by_time(running: Running, agents: Sequence[Agent]) -> list[Agent]:
    """Those whose answers are recorded, in the order in which they came."""
    came: list[tuple[int, int, Agent]] = []
    for place, agent in enumerate(agents):
        calls = [call for call in running.calls if call.agent == agent.name]
        if calls and calls[-1].status == "answered":
            came.append((calls[-1].sent_at + calls[-1].latency_ms, place, agent))
    return [agent for *_, agent in sorted(came, key=lambda one: one[:2])]


async def _winner(running: Running, found: Mapping[str, Proposed]) -> str | None:
    """Whose answer is the first good one."""
    for name, (item, _) in found.items():
        if await _good(running, item):
            return name
    return None


async def _good(running: Running, item: Proposal) -> bool:
    """Whether an answer can be read and passes the step's checks."""
    return item.status != "abstained" and all(one.passed for one in await outside(running, item.patch))


async def _left(run: Run, running: Running, agent: Agent, winner: str) -> Proposed:
    """What the records say of one that was not waited for; an answer that came all the same is used."""
    calls = [call for call in running.calls if call.agent == agent.name]
    flying = [call for call in calls if call.status in {"held", "sent"}]
    settled = [await run.asker.give_up(_unsent(run, call)) for call in flying]
    calls = [*(call for call in calls if call not in flying), *settled]
    last = calls[-1] if calls else None
    if last is not None and last.status == "answered":
        said = read_as(running, agent, reply_of(last))
        if isinstance(said, Answer):
            return proposed(run, running, agent, said, last), calls
    return _abandoned(run, running, agent, winner, last), calls


def _unsent(run: Run, call: Call) -> Call:
    """The call; one that was written down and not made in this run is known not to have left."""
    departure = run.asker.departure(call)
    if departure is None:
        return call
    run.asker.give_back([departure])
    return replace(call, status="held")


def _abandoned(run: Run, running: Running, agent: Agent, winner: str, last: Call | None) -> Proposal:
    why = f"{winner} gave a good answer first" if winner else "it was not waited for"
    asked = "It was left" if last is not None else "It was not asked"
    detail = {"code": LEFT, "message": f"{asked}: {why}"}
    charged = {} if last is None or not last.cost else {"charged_nano_usd": last.cost}
    running.outcomes.append(Outcome("spared", {"agent": agent.name, **detail, **charged}))
    run.tell(running, "spared", agent=agent.name, **detail)
    attempt = 0 if last is None else last.attempt
    return Proposal(agent.name, (), (), None, attempt, "abstained", detail)
