"""`from dissensus import …`: the lazy face and what a type checker sees are the same."""

from __future__ import annotations

import ast
from pathlib import Path

import dissensus

FACE = ast.parse(Path(str(dissensus.__file__)).read_text("utf-8"))


def _typed() -> dict[str, str]:
    """Where each name comes from for a type checker."""
    [block] = [node for node in FACE.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)]
    return {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_a_type_checker_sees_every_name_where_it_really_lives() -> None:
    assert _typed() == dissensus._HOMES
    assert set(dissensus.__all__) == {*_typed(), "__version__"}


def test_the_names_are_few_and_each_is_there_once() -> None:
    assert 15 <= len(dissensus.__all__) <= 32
    assert len(set(dissensus.__all__)) == len(dissensus.__all__)


def test_a_name_is_loaded_once_and_is_the_thing_itself() -> None:
    from dissensus_state.store import Store

    assert dissensus.Store is Store
    assert vars(dissensus)["Store"] is Store
