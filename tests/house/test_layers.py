"""The plan of the house, read from the imports: which room may open a door to which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"dissensus_state": "state", "dissensus_agents": "agents", "dissensus": "."}
"""Each package with the folder it stands in, the lowest floor first."""

FACE = "dissensus"
FACES = (FACE, "dissensus.research", "dissensus.testing")
"""They only hand names on, each when it is asked for, and so may name what imports them."""

WRITING = ("proposals", "transitions", "arriving", "importing")
READING = (
    "history",
    "sifting",
    "comparing",
    "ended",
    "replay",
    "diff",
    "blame",
    "bisect",
    "footprints",
    "crossings",
    "tainting",
    "standins",
    "dependence",
    "readings",
    "comparison",
    "suspects",
    "takeovers",
    "impact",
    "verify",
    "watch",
    "schema_check",
    "archiving",
)
"""Both stairs stand on `rounds`, which reads, and on `conflicts`, the pure rule of admission."""

CHANGING = {"insert", "insert_absent", "update", "delete", "run_all", "writing"}
"""What the names of statements and calls that change a database have in common."""


@cache
def modules() -> dict[str, Path]:
    """Every module of the three packages by its dotted name."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted((ROOT / folder / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT / folder).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """What a module imports anywhere in its text, whether at once, later, or for types only."""
    path = modules()[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return frozenset(
        name for node in ast.walk(ast.parse(path.read_text("utf-8"))) for name in _named(node, package)
    )


def _named(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        source = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            submodule = f"{source}.{alias.name}"
            yield submodule if submodule in modules() else source


def floor(module: str) -> str:
    return module.partition(".")[0]


def importers(package: str, of: str) -> set[str]:
    """The modules of `package` that import anything of the distribution `of`."""
    return {
        module
        for module in modules()
        if floor(module) == package and of in {floor(name) for name in imports(module)}
    }


def test_every_floor_of_the_house_is_found() -> None:
    assert {floor(module) for module in modules()} == set(PACKAGES)
    assert "dissensus_state.errors" in imports("dissensus_agents.errors")


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ("dissensus_state", "dissensus_agents"),
        ("dissensus_state", "dissensus"),
        ("dissensus_agents", "dissensus"),
    ],
)
def test_imports_point_one_way_from_the_face_to_the_agents_to_the_state(lower: str, upper: str) -> None:
    assert importers(lower, upper) == set()


@pytest.mark.parametrize(
    "stranger", ["langgraph", "langchain_core", "langsmith", "httpx", "httpx2", "openai"]
)
def test_the_state_knows_no_model_no_graph_and_no_http(stranger: str) -> None:
    assert importers("dissensus_state", stranger) == set()


def test_the_network_is_touched_in_exactly_one_module() -> None:
    everywhere = [module for package in PACKAGES for module in importers(package, "httpx")]
    assert len(everywhere) == 1
    assert floor(everywhere[0]) == "dissensus_agents"


def test_the_database_is_touched_by_the_state_alone() -> None:
    asked = {  # databases of the user's, by the verifier of SQL
        "dissensus_agents.judgement.databases": {"psycopg"},
        "dissensus_agents.judgement.sandbox.work": {"sqlite3"},
        # databases of LangGraph's, whose histories are brought in
        "dissensus_agents.foreign.tables": {"sqlite3", "psycopg"},
    }
    for package in ("dissensus_agents", "dissensus"):
        for library in ("sqlalchemy", "alembic", "sqlite3", "psycopg"):
            allowed = {module for module, libraries in asked.items() if library in libraries}
            assert importers(package, library) <= allowed


def test_no_modules_import_each_other_in_a_circle() -> None:
    plan = {
        module: {name for name in imports(module) if name in modules()} - {module, *FACES}
        for module in modules()
        if module not in FACES
    }
    try:
        TopologicalSorter(plan).prepare()
    except CycleError as error:
        pytest.fail("a circle of imports: " + " -> ".join(reversed(error.args[1])))


@pytest.mark.parametrize(("stair", "other"), [(WRITING, READING), (READING, WRITING)])
def test_the_stairs_of_writing_and_of_reading_do_not_meet(
    stair: tuple[str, ...], other: tuple[str, ...]
) -> None:
    built = [f"dissensus_state.{room}" for room in stair if f"dissensus_state.{room}" in modules()]
    assert built, f"none of {stair} is there: rename them here as well"
    for room in built:
        assert not imports(room) & {f"dissensus_state.{name}" for name in other}


@pytest.mark.parametrize("room", READING)
def test_whoever_reads_the_history_cannot_change_it(room: str) -> None:
    path = ROOT / "state/dissensus_state" / f"{room}.py"
    if not path.exists():
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        called = node.func if isinstance(node, ast.Call) else None
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        assert name not in CHANGING


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_file_can_be_read_in_one_sitting(module: str) -> None:
    text = modules()[module].read_text("utf-8")
    lines = text.count("\n")
    assert lines <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


@pytest.mark.parametrize("module", sorted(modules()))
def test_the_face_of_a_package_holds_no_code(module: str) -> None:
    path = modules()[module]
    if path.name != "__init__.py" or module in FACES:
        return
    for node in ast.parse(path.read_text("utf-8")).body:
        assert isinstance(node, ast.Expr), ast.unparse(node)
        assert isinstance(node.value, ast.Constant)
