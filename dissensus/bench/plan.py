"""What is measured: models by their labels, patterns of these, and how often each item is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dissensus_agents.errors import GraphError
from dissensus_agents.models.client import Model, is_trusted
from dissensus_agents.models.scripted import FunctionModel
from dissensus_agents.patterns.spelled import Spelled, is_spelled, spelled

from .seats import Form
from .tasks import Item, Tasks

MOST_MODELS = 32
MOST_REPEATS = 100

_LABEL = re.compile(r"([\w.-]{1,60})=(.+)", re.DOTALL)
_RESERVED = {"supervisor", "grader"}

MakeModel = Callable[[str], Model]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    Attributes:
        tasks: The items.
        models: Who is asked each item, by label.
        patterns: What is made of their answers.
        others: Supervisors and grading models that are not asked the items themselves, by label.
        repeats: How often each item is asked.
        form: In which form answers are asked for.
        max_output_tokens: The bound of an answer; it is reserved for.
        temperature: Passed on; None leaves it to the provider.
    """

    tasks: Tasks
    models: Mapping[str, Model]
    patterns: tuple[Spelled, ...] = ()
    others: Mapping[str, Model] = field(default_factory=dict)
    repeats: int = 1
    form: Form = "json"
    max_output_tokens: int = 4096
    temperature: float | None = None

    @property
    def everybody(self) -> dict[str, Model]:
        """All models, by label."""
        return {**self.others, **self.models}

    def asked(self, item: Item) -> list[str]:
        """Who is asked an item: what is sensitive goes to trusted models alone."""
        return [label for label, model in self.models.items() if not item.sensitive or is_trusted(model)]

    def played(self, item: Item) -> list[Spelled]:
        """The patterns that an item is put to: those all of whose models may see it."""
        if not item.sensitive:
            return list(self.patterns)
        return [one for one in self.patterns if all(is_trusted(self.everybody[n]) for n in seats_of(one))]

    def subjects(self, item: Item) -> list[str]:
        """Everything that an item is put to, by name."""
        return [*self.asked(item), *map(str, self.played(item))]


def seats_of(pattern: Spelled) -> tuple[str, ...]:
    """The labels of all models of a pattern, its supervisor last."""
    return (*pattern.members, *([pattern.supervisor] if pattern.supervisor else []))


def make_plan(
    tasks: Tasks, models: Iterable[str], patterns: Iterable[str], make: MakeModel, **settings: Any
) -> Plan:
    """A plan from what a user writes.

    Args:
        tasks: The items.
        models: `provider:model`, `label=provider:model`, `label=@module:name`; several may stand in one text,
            joined by commas.
        patterns: See `dissensus_agents.patterns.spelled`.
        make: Makes a model of what stands behind a label.
        settings: Of `Plan`.

    Raises:
        GraphError: A label is taken twice, a pattern is none.
        UnknownModel: There is no such provider or alias.
    """
    named = _named(models)
    read = [spelled(text, named) for text in patterns]
    switches = [one.members[0] for one in read if one.kind == "switch"]
    played = tuple(dict.fromkeys(one for one in read if one.kind != "switch"))
    members = [*switches, *(name for one in played for name in one.members)]
    asked = dict.fromkeys([*named, *members])
    if not asked:
        raise GraphError("No model was named", next_step="Name one or more with --models a,b,c")
    if len(asked) > MOST_MODELS:
        raise GraphError(f"{len(asked)} models are asked, and {MOST_MODELS} are the most")
    rulers = [one.supervisor for one in played if one.supervisor]
    graders = [item.grader.by for item in tasks.items if item.grader.kind == "model"]
    made = {name: make(named.get(name, name)) for name in dict.fromkeys([*asked, *rulers, *graders])}
    _check(made, played)
    others = {name: model for name, model in made.items() if name not in asked}
    return Plan(tasks, {name: made[name] for name in asked}, played, others, **settings)


def _named(models: Iterable[str]) -> dict[str, str]:
    """What the user wrote, by label."""
    found: dict[str, str] = {}
    for text in (part.strip() for given in models for part in given.split(",")):
        if not text:
            continue
        labelled = _LABEL.fullmatch(text)
        label, name = (labelled[1], labelled[2]) if labelled else (text.removeprefix("@"), text)
        if label in found:
            raise GraphError(
                f"The label {label!r} is given twice", next_step="Give each model one of its own"
            )
        if label in _RESERVED or "#" in label or is_spelled(label) or not label.isprintable():
            raise GraphError(f"{label!r} is no label for a model", next_step="Write another=provider:model")
        found[label] = name
    return found


def _check(made: Mapping[str, Model], patterns: Sequence[Spelled]) -> None:
    """Two labels of one model in one pattern would look like two opinions."""
    for pattern in patterns:
        behind = [made[name].name for name in pattern.members]
        if len(set(behind)) < len(behind):
            raise GraphError(f"Two seats of {pattern} have the same model", next_step="Give each its own")


def maker(load: Callable[[str], Any], recordings: str | None = None) -> MakeModel:
    """Makes models: of the catalogue, of a module of the user's (`@module:name`), or from recordings.

    Args:
        load: Finds what a module holds.
        recordings: A file whose answers are given instead of asking anybody.
    """
    from dissensus_agents.models.catalog import resolve

    if recordings is not None:
        from dissensus_agents.recordings.answering import AnsweringModel, Recordings

        file = Recordings.open(Path(recordings))
        return lambda name: AnsweringModel(file, name.removeprefix("@").strip())

    def make(name: str) -> Model:
        if not name.startswith("@"):
            return resolve(name)
        found = load(name[1:])
        if isinstance(found, Model):
            return found
        if callable(found):
            return FunctionModel(name[1:], found)
        raise GraphError(f"{name[1:]} is no model", next_step="Name a Model, or a function of the Request")

    return make
