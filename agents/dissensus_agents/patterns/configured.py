"""Routing that was measured, as a file: for each task the pattern to use, and on what that rests.

    format = "dissensus.routing/1"
    made = "2026-03-01"
    split = "…chosen on one half of the items by sha256(id), figures of the other half"

    [models.flash]                        # labels, as the rules name them; what was known at that time
    model = "openai:gpt-5-mini"
    lineage = "openai/gpt-5"
    usd_in = 0.25                         # per million tokens; left out: unknown
    usd_out = 2.0

    [[rules]]
    task = "math"                         # "*": every task that has no rule of its own
    use = "cascade:flash+llama>pro"       # a model's label, or a pattern (`spelled`)
    why = "the cheapest that …"
    chosen_on = 210
    held_out = 198
    …

`dissensus bench --routing FILE` writes it, in TOML or in JSON, and people may edit it. What it holds is
read as data, bounded and checked; nothing in it is run, and no model is made before it is asked for.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import GraphError
from .asked import Asked, Choice
from .spelled import LONGEST, Spelled, is_spelled, spelled

FORMAT = "dissensus.routing/1"
EVERY_TASK = "*"
LARGEST = 1024 * 1024

_BARE = re.compile(r"[A-Za-z0-9_-]+")
"""A key that TOML takes without quotes."""

_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Words = Annotated[str, Field(max_length=2000)]
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Difference = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
_Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Known(_Record):
    """A model behind a label, as it was known when the file was made; USD per million tokens."""

    model: _Name
    lineage: Annotated[str, Field(max_length=200)] = ""
    usd_in: _Usd | None = None
    usd_out: _Usd | None = None


class Rule(_Record):
    """What to use for a task, and on what that rests.

    Quality is the mean score (0 to 1) on the items that were held out, `low` and `high` its 95 %
    interval; `difference` is its distance to the best single model on the same items. Cost is USD an
    item. None: not known, as in a rule that a person wrote.
    """

    task: _Name = EVERY_TASK
    use: Annotated[str, Field(min_length=1, max_length=LONGEST)]
    why: _Words = ""
    chosen_on: _Count = 0
    held_out: _Count = 0
    quality: _Share | None = None
    quality_low: _Share | None = None
    quality_high: _Share | None = None
    usd: _Usd | None = None
    best: Annotated[str, Field(max_length=LONGEST)] = ""
    best_quality: _Share | None = None
    best_usd: _Usd | None = None
    difference: _Difference | None = None
    difference_low: _Difference | None = None
    difference_high: _Difference | None = None


class Routing(_Record):
    """Rules by task, the models that they name, and how they came about.

    Raises:
        ValidationError: A rule names a model that is not there, or a task has two rules.
    """

    format: Literal["dissensus.routing/1"] = "dissensus.routing/1"
    made: Annotated[str, Field(max_length=40)] = ""
    tasks: _Words = ""
    tasks_sha256: Annotated[str, Field(max_length=64)] = ""
    split: _Words = ""
    tolerance: _Share | None = None
    notes: Annotated[list[_Words], Field(max_length=1000)] = []
    models: Annotated[dict[_Name, Known], Field(max_length=256)]
    rules: Annotated[list[Rule], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _whole(self) -> Routing:
        tasks = [rule.task for rule in self.rules]
        if len(set(tasks)) < len(tasks):
            twice = next(task for task in tasks if tasks.count(task) > 1)
            raise ValueError(f"the task {twice!r} has two rules")
        for rule in self.rules:
            pattern = self.pattern(rule)
            named = [*pattern.members, *([pattern.supervisor] if pattern.supervisor else [])]
            if strange := [name for name in named if name not in self.models]:
                raise ValueError(f"the rule for {rule.task!r} names {strange[0]!r}, which is not in [models]")
        return self

    def rule(self, task: str) -> Rule | None:
        """The rule of a task, else the one for every task; None where there is neither."""
        by_task = {rule.task: rule for rule in self.rules}
        return by_task.get(task) or by_task.get(EVERY_TASK)

    def __call__(self, asked: Asked) -> Choice:
        """The option that the rule of a task names: `Route(…, by=configured("routing.toml"))` asks for it.

        The options are named as the rules spell what to use. Where there is no rule for the task, or no such
        option, the route's default is taken.
        """
        rule = self.rule(asked.task)
        if rule is None:
            return Choice("", f"the routing has no rule for {asked.task}")
        if rule.use not in asked.options:
            return Choice("", f"the routing names {rule.use}, which is no option here")
        seen = f"; measured on {rule.held_out} items" if rule.held_out else ""
        return Choice(rule.use, f"{rule.why or 'so it is configured'}{seen}"[:1000], rule.quality)

    def pattern(self, rule: Rule) -> Spelled:
        """What a rule says to use; a single model is a switch.

        Raises:
            GraphError: It is none.
        """
        if rule.use in self.models or not is_spelled(rule.use):
            return Spelled("switch", ((rule.use,),))
        return spelled(rule.use, self.models)


def configured(file: str | Path) -> Routing:
    """Read a routing file, TOML or JSON by its ending.

    Raises:
        GraphError: It cannot be read, or is none; it says where.
    """
    path = Path(file)
    try:
        with path.open("rb") as opened:
            data = opened.read(LARGEST + 1)
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from None
    if len(data) > LARGEST:
        raise _refused(path, f"it is larger than {LARGEST:,} bytes")
    try:
        text = data.decode()
        said = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return Routing.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        why = first["msg"].removeprefix("Value error, ")
        raise _refused(path, f"{where}: {why}" if where else why) from None
    except GraphError as error:
        raise _refused(path, error.message) from None
    except (ValueError, RecursionError) as error:  # JSON's, TOML's and Unicode's own errors are of it
        raise _refused(path, str(error)) from None


def _refused(path: Path, why: str) -> GraphError:
    return GraphError(
        f"{path.name} cannot be used as a routing file: {why}",
        next_step="Mend it there, or make it anew with `dissensus bench TASKS --models … --routing FILE`",
    )


def written(routing: Routing, *, as_json: bool = False) -> str:
    """A routing file's text, which `configured` reads back to the same value."""
    data = routing.model_dump(mode="json", exclude_none=True)
    if as_json:
        return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    return "\n".join(_toml(data)) + "\n"


def today() -> str:
    """The day, as `made` gives it."""
    return date.today().isoformat()  # noqa: DTZ011 - the user's own day


def _toml(data: dict[str, Any]) -> Iterator[str]:
    """The few shapes that a routing has: plain values, a table of tables, a list of tables."""
    models, rules = data.pop("models"), data.pop("rules")
    yield from _pairs(data)
    for label, known in models.items():
        yield from ("", f"[models.{label if _BARE.fullmatch(label) else _text(label)}]", *_pairs(known))
    for rule in rules:
        yield from ("", "[[rules]]", *_pairs(rule))


def _pairs(table: dict[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, list):
            yield f"{name} = [{', '.join(map(_text, value))}]"
        else:
            yield f"{name} = {_text(value) if isinstance(value, str) else repr(value)}"


def _text(text: str) -> str:
    """A basic string of TOML, whose escapes are JSON's; what JSON leaves as it is and TOML does not, too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
