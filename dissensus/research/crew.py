"""Who works on a question: the one place where names of models become models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dissensus_agents.agent import as_model
from dissensus_agents.models.client import Model

from .errors import NoModels
from .rooms import smallest
from .schema import Crew

ModelLike: TypeAlias = "Model | str"

CHAIR = "chair"
"""How the history names who rules."""

MOST_SEATS = 16


@dataclass(frozen=True, slots=True)
class Staff:
    """The models of a session, seat by seat."""

    planner: Model
    scouts: tuple[Model, ...]
    panel: tuple[Model, ...]
    supervisor: Model
    approve: bool = False

    @property
    def seats(self) -> Crew:
        """The names, as the state keeps them."""
        return Crew(
            planner=self.planner.name,
            scouts=[model.name for model in self.scouts],
            panel=[model.name for model in self.panel],
            supervisor=self.supervisor.name,
            approve=self.approve,
            window=smallest(self.models),
        )

    def standing_in(self, first: Model) -> list[Model]:
        """A model and those that stand in for it where it fails: the scouts' others, each once."""
        return list({model.name: model for model in (first, *self.scouts)}.values())

    @property
    def models(self) -> tuple[Model, ...]:
        """Every model that may be asked, each once."""
        everybody = (self.planner, *self.scouts, *self.panel, self.supervisor)
        return tuple({model.name: model for model in everybody}.values())


def staff(
    models: Sequence[ModelLike],
    supervisor: ModelLike | None = None,
    *,
    scouts: int | None = None,
    approve: bool = False,
) -> Staff:
    """Give every seat a model.

    The scouts take turns over the models, the panel has one seat for each. The supervisor plans as
    well; where none is named it is the last model that is of another lineage than the first, so that
    the panel's majority does not judge itself, or else the first.

    Args:
        models: Models or their names, `provider:model`.
        supervisor: Who rules.
        scouts: How many read side by side; by default one for each model, and at least two.
        approve: A person signs the ruling, and the supervisor only advises.

    Raises:
        NoModels: there are none.
        UnknownModel: a name is none.
    """
    made = tuple(as_model(model, name="research") for model in models)
    if not made:
        raise NoModels("There is no model to ask")
    other = next((model for model in reversed(made) if model.lineage != made[0].lineage), made[0])
    chair = other if supervisor is None else as_model(supervisor, name=CHAIR)
    count = max(2, len(made)) if scouts is None else scouts
    count = min(max(1, count), MOST_SEATS)
    reading = tuple(made[n % len(made)] for n in range(count))
    return Staff(chair, reading, made[:MOST_SEATS], chair, approve)


def reseated(crew: Crew, models: Sequence[ModelLike], supervisor: ModelLike | None) -> Staff:
    """The seats of a session that goes on, with the models that are named now in the place of the old ones.

    There are as many seats as when it began, because its rounds count on them. Where the panel is named as
    it was, every seat stays as it was.
    """
    made = {model.name: model for model in (as_model(one, name="research") for one in models)}
    chair = None if supervisor is None else as_model(supervisor, name=CHAIR)
    known = made if chair is None else {**made, chair.name: chair}

    def seat(name: str) -> Model:
        return known.get(name) or as_model(name, name="research")

    if not made or list(made) == list(dict.fromkeys(crew.panel)):
        scouts, panel = tuple(map(seat, crew.scouts)), tuple(map(seat, crew.panel))
        ruling = chair or seat(crew.supervisor)
        return Staff(ruling if chair else seat(crew.planner), scouts, panel, ruling, crew.approve)
    others = tuple(made.values())
    ruling = chair or others[-1]
    return Staff(
        ruling, _seated(others, len(crew.scouts)), _seated(others, len(crew.panel)), ruling, crew.approve
    )


def _seated(models: Sequence[Model], seats: int) -> tuple[Model, ...]:
    return tuple(models[n % len(models)] for n in range(seats))
