"""How a prompt is written for a family of models: what stands around its parts, where the system text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from dissensus_state.values import JSON

from ..errors import GraphError


class Titled(Protocol):
    """A piece of a prompt, as far as a template looks at it."""

    @property
    def title(self) -> str:
        """What it is called; empty: it has no title."""
        ...

    @property
    def text(self) -> str:
        """What it says."""
        ...


@dataclass(frozen=True, slots=True)
class Template:
    """What stands around each titled part, and whether there is a system text of its own.

    Args:
        name: How the records call it.
        head: What stands before the text of a part with a title; `{title}` is its place.
        tail: What stands after it.
        system: Whether the model takes a system text; where not, it stands at the head of the prompt.

    Raises:
        GraphError: The head has no place for the title.
    """

    name: str
    head: str
    tail: str = ""
    system: bool = True

    def __post_init__(self) -> None:
        if "{title}" not in self.head:
            raise GraphError(
                f"The template {self.name!r} has no place for the title of a part",
                next_step="Write {title} where it belongs, for instance '## {title}\\n'",
            )

    def text(self, parts: Iterable[Titled]) -> str:
        """The parts as one text."""
        return "\n\n".join(self._one(part) for part in parts)

    def as_json(self) -> JSON:
        """What the records say of it."""
        return {"name": self.name, "head": self.head, "tail": self.tail, "system": self.system}

    def _one(self, part: Titled) -> str:
        if not part.title:
            return part.text
        # What closes a part cannot stand inside of it: a text that says so would be read as ours.
        tail = self.tail.strip()
        inside = (
            part.text.replace(tail, tail.replace("<", "‹").replace(">", "›")) if "<" in tail else part.text
        )
        return f"{self.head.replace('{title}', part.title)}{inside}{self.tail}"


MARKDOWN = Template("markdown", "## {title}\n")
"""Headings: what every prompt is written in unless something else is asked for."""

XML = Template("xml", '<document title="{title}">\n', "\n</document>")
"""Tags, which Claude keeps apart best."""

WITHOUT_SYSTEM = Template("markdown without system", "## {title}\n", system=False)
"""Headings, for models that know no system role."""

BY_MAKER: Mapping[str, Template] = {"anthropic": XML, "google/gemma": WITHOUT_SYSTEM, "*": MARKDOWN}
"""`Agent(templates=BY_MAKER)`: what suits each maker's models."""


@dataclass(frozen=True, slots=True)
class Templates:
    """Which template suits which models.

    Args:
        by_maker: By a lineage or the beginning of one (`google/gemma`, `anthropic`), or by a provider;
            `*` stands for all others.
    """

    by_maker: Mapping[str, Template]

    def for_model(self, name: str, lineage: str) -> Template | None:
        """The template for a model: by what it was made from, then by who serves it, then `*`.

        Args:
            name: The model's name, `provider:model`.
            lineage: What it was made from.

        Returns:
            None says headings, as everywhere where nothing is asked for.
        """
        known = self.by_maker
        keys = sorted((key for key in known if _begins(lineage, key)), key=len)
        found = known[keys[-1]] if keys else known.get(name.partition(":")[0]) or known.get("*")
        return None if found == MARKDOWN else found


def check_templates(templates: object, owner: str) -> Templates | None:
    """Templates by maker, or None.

    Raises:
        GraphError: They are none.
    """
    if templates is None:
        return None
    if isinstance(templates, Mapping) and all(isinstance(one, Template) for one in templates.values()):
        return Templates(dict(templates))
    raise GraphError(
        f"The templates of {owner!r} are none: {templates!r}",
        next_step="Give a dictionary, for instance {'anthropic': XML, '*': MARKDOWN}",
    )


def _begins(lineage: str, key: str) -> bool:
    return bool(key) and lineage.startswith(key) and not lineage[len(key) : len(key) + 1].isalnum()
