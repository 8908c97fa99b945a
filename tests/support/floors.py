"""The lower bounds of pyproject.toml as exact pins, for `pip install --constraint`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def floors() -> list[str]:
    """Each dependency of the package and of its extras, pinned to the oldest version it admits.

    Raises:
        ValueError: a dependency has no lower bound.
    """
    project: dict[str, Any] = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    return [_pin(requirement) for requirement in _required(project)]


def _required(project: dict[str, Any]) -> Iterator[str]:
    yield from project["dependencies"]
    for extra in project["optional-dependencies"].values():
        yield from (line for line in extra if not line.startswith(project["name"]))


def _pin(requirement: str) -> str:
    bounded = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)", requirement)
    if bounded is None:
        raise ValueError(f"{requirement!r} has no lower bound, or more than that")
    return f"{bounded[1]}=={bounded[2]}"


if __name__ == "__main__":
    print("\n".join(floors()))  # noqa: T201
