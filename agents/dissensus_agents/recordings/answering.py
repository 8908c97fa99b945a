"""Models that answer from a file of recordings, and a graph all of whose seats are answered from it."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..agent import Agent, as_model
from ..context.fits import Summarised
from ..context.summaries import SUFFIX
from ..errors import ModelFailed, ProviderFailed
from ..graph import AgentGraph
from ..judgement.meaning import Fetching
from ..judgement.opinions import AskedOf
from ..judgement.supervisor import Supervisor
from ..judgement.witnessing import AnyVerifier
from ..messages import Reply, Request, Usage
from ..models.client import Model, as_reply, is_trusted
from ..models.prices import FREE
from ..models.recordings import NotRecorded, request_digest
from ..patterns.failover import KINDS, Candidates, Failover
from ..steps import Step
from .asked import outline
from .lines import Asked, CallLine
from .opening import Place, RecordingsFile


class AnsweringModel:
    """A recorded model: each request is answered as it was when it was recorded, at no cost.

    A request that was asked several times is answered in that order, and then with the last answer
    for ever. A recorded failure fails again, so that a failover goes the same way.

    Args:
        recordings: The file.
        name: The model, as the record calls it.
        window: The tokens that fit into it, where prompts are fitted to it.
        lineage: What it was made from; by default as it is recorded.
        trusted: Whether the recorded model may be shown what is sensitive.
    """

    def __init__(
        self,
        recordings: RecordingsFile,
        name: str,
        *,
        window: int | None = None,
        lineage: str = "",
        trusted: bool = False,
    ) -> None:
        own = [place for place in recordings.places if place.model == name]
        self.name = name
        self.lineage = lineage or (own[0].lineage if own else name)
        self.price = FREE
        self.window = window
        self.trusted = trusted
        self._recordings = recordings
        self._own = own
        self._left = _by_digest(own)
        self._passed = {
            place.digest: why
            for place in recordings.places
            for model, why in place.passed_over
            if model == name and place.digest is not None
        }

    def __repr__(self) -> str:
        return f"AnsweringModel({self.name!r}, {self._recordings.path.name!r})"

    async def answer(self, request: Request) -> Reply:
        """The recorded answer.

        Raises:
            NotRecorded: There is none; it names the nearest request that is recorded, and what differs.
            ModelFailed: The call failed when it was recorded.
        """
        digest = request_digest(request)
        left = self._left.get(digest)
        if left:
            line = self._recordings.call(left.pop(0) if len(left) > 1 else left[0])
            if line.status == "answered":
                return as_reply(_reply(line), request, self.name)
            raise _failure(line)
        if digest in self._passed:
            raise _passed_over(self.name, self._passed[digest])
        raise self._not_recorded(request, digest)

    def _not_recorded(self, request: Request, digest: str) -> NotRecorded:
        file = self._recordings.path.name
        if not self._own:
            known = ", ".join(self._recordings.models()) or "none"
            what = f"No call of {self.name} stands in {file}; the models in it: {known}"
        else:
            place, differs = self._nearest(request)
            where = f"round {place.round}, {place.seat}, attempt {place.attempt}"
            what = (
                f"No recorded answer of {self.name} fits this request; in the nearest one "
                f"({where}), {differs}"
            )
        return NotRecorded(what, model=self.name, request=digest[:16], kind="invalid", file=file)

    def _nearest(self, request: Request) -> tuple[Place, str]:
        asked = outline(request)
        best: tuple[int, Place, str] | None = None
        for place in self._own:
            line = self._recordings.call(place)
            differing = differences(line.request, asked)
            if best is None or len(differing) < best[0]:
                said = f"{differing[0]} differs" if differing else "something that was redacted differs"
                best = len(differing), place, said
        assert best is not None  # noqa: S101 - there is at least one
        return best[1], best[2]


class Recordings(RecordingsFile):
    """A file of recordings, and the models that answer from it."""

    def model(self, name: str) -> AnsweringModel:
        """A model as it answered; one of which nothing is recorded fails when it is asked."""
        return AnsweringModel(self, name)


def differences(recorded: Asked | None, asked: Asked) -> list[str]:
    """The fields in which a request differs from a recorded one."""
    if recorded is None:
        return ["the request, which was redacted,"]
    names = {
        "system": "the system text",
        "schema_": "the schema of the answer",
        "max_output_tokens": "the bound of output tokens",
        "temperature": "the temperature",
        "effort": "the effort",
        "template": "the template",
        "turns": "what was said to an answer that would not do",
    }
    found = [said for name, said in names.items() if getattr(recorded, name) != getattr(asked, name)]
    if len(recorded.parts) != len(asked.parts):
        found.append(f"the number of parts ({len(recorded.parts)} recorded, {len(asked.parts)} asked)")
    for number, (one, other) in enumerate(zip(recorded.parts, asked.parts, strict=False), start=1):
        if (one.text, one.title) != (other.text, other.title):
            found.append(f"part {number} ({other.source or other.title or 'a text of its own'})")
    return found


def _by_digest(places: Sequence[Place]) -> dict[str, list[Place]]:
    """The calls that can be answered from, by what was asked.

    What failed, and was asked again at the same seat of the same round and answered, is left out; so
    is what nobody knows the end of.
    """
    found: dict[str, list[Place]] = defaultdict(list)
    answered = {(one.digest, one.round, one.seat) for one in places if one.status == "answered"}
    for one in places:
        known = one.status == "answered" or (
            one.status in {"failed", "partial"} and (one.digest, one.round, one.seat) not in answered
        )
        if one.digest is not None and known:
            found[one.digest].append(one)
    return dict(found)


def _reply(line: CallLine) -> Reply:
    used = line.usage
    usage = Usage(used.input, used.output, used.cached, used.reasoning, used.estimated, used.written)
    return Reply(
        text=line.answer or "",
        model=str((line.detail or {}).get("answered_by") or line.model),
        usage=usage,
        reasoning=line.reasoning,
        reasoning_kind=line.reasoning_kind,
        finish_reason=line.finish_reason,
        latency_ms=line.latency_ms,
        ttft_ms=line.ttft_ms,
        raw=line.raw.text.encode() if line.raw is not None and line.raw.text is not None else None,
        echo=line.echo,
    )


def _failure(line: CallLine) -> ModelFailed:
    detail = line.detail or {}
    kind = detail.get("kind")
    return ProviderFailed(
        f"As it was recorded: {detail.get('message') or line.status}",
        next_step="This is an answer from recordings: run without --recordings to ask again",
        kind=kind if kind in KINDS else "outage",
        recorded=str(detail.get("code", "")) or None,
        billed=True if line.status == "partial" else None,
    )


def _passed_over(model: str, why: str) -> ProviderFailed:
    kind = "spent" if why == "budget" else why
    return ProviderFailed(
        f"{model} was passed over when this was recorded ({why})",
        next_step="This is an answer from recordings: run without --recordings to ask again",
        kind=kind if kind in KINDS else "outage",
    )


def answered_from(graph: AgentGraph, recordings: Recordings) -> AgentGraph:
    """The same graph with every seat answered from recordings: nothing is asked, and nothing paid.

    What stands in the place of a model, a summariser's as well, fails with `NotRecorded` on the first
    request that differs from what was recorded.

    Args:
        graph: The graph, as it ran when it was recorded.
        recordings: The file.
    """
    made: dict[str, AnsweringModel] = {}

    def recorded(model: Model) -> AnsweringModel:
        window = getattr(model, "window", None)
        if model.name not in made:
            made[model.name] = AnsweringModel(
                recordings, model.name, window=window, lineage=model.lineage, trusted=is_trusted(model)
            )
        return made[model.name]

    def seated(candidates: Candidates) -> Candidates:
        return replace(candidates, models=tuple(map(recorded, candidates.models)))

    def agent_of(one: Agent) -> Agent:
        other = copy.copy(one)
        other.candidates = seated(one.candidates)
        if isinstance(one.fit, Summarised):
            cheap = as_model(one.fit.model, f"{one.name}{SUFFIX}")
            other.fit = replace(one.fit, model=recorded(cheap))
        return other

    def judge_of(one: Supervisor) -> Supervisor:
        if one.candidates is None:
            return one
        other = copy.copy(one)
        other.candidates = seated(one.candidates)
        return other

    def check_of(one: AnyVerifier) -> AnyVerifier:
        return replace(one, candidates=seated(one.candidates)) if isinstance(one, AskedOf) else one

    def step_of(step: Step) -> Step:
        pattern = step.pattern.mapped(agent_of).with_routers(lambda _, given: seated(given))
        hollow = tuple(agent_of(one) if isinstance(one, Agent) else check_of(one) for one in step.hollow)
        checks = tuple(map(check_of, step.verifiers))
        judges = tuple(map(judge_of, step.supervisors))
        return replace(
            step,
            pattern=pattern,
            agents=pattern.agents,
            hollow=hollow,
            supervisors=judges,
            verifiers=checks,
            comparators={**step.comparators, **_comparators_of(step, seated)},
        )

    return graph.with_steps({name: step_of(step) for name, step in graph.steps.items()})


def _comparators_of(step: Step, seated: Callable[[Candidates], Candidates]) -> dict[str, Fetching]:
    """The comparators that have to ask, with recorded models behind them."""
    put = {path: (one, seated(one.candidates)) for path, one in step.fetching.items()}
    return {path: one.with_model(Failover(*there.models, on=there.on)) for path, (one, there) in put.items()}
