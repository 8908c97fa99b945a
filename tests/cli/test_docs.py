"""What the pages and the help promise about the command line is what it does."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import click
import pytest

from dissensus.cli.errors import INTERRUPTED, READER_GONE, UNEXPECTED
from dissensus.cli.main import cli
from dissensus_state.errors import DissensusError
from outage_story import part

DOCS = Path(__file__).parents[2] / "docs"
RUN = {
    "budget": ["budget", "5"],
    "blame": ["blame", "/verdict", "--chain"],
    "machine": ["machine", "outage:Watched"],
    "show": ["show", "v3"],
    "impact": ["impact", "v1"],
    "reads": ["reads", "/findings"],
    "bisect": ["bisect", "--test", '/phase == "gathering"'],
    "compare": ["compare", "main", "main"],
    "retract": ["retract", "v1", "--reason", "forged", "--schema", "outage:Outage"],
    "watch": ["watch", "--from", "v3", "--limit", "1"],
    "tail": ["tail", "-n", "1"],
    "redact": ["redact", "/findings/0", "--reason", "asked", "--schema", "outage:Outage"],
    "prune": ["prune", "v2"],
    "fork": ["fork", "another"],
    "tag": ["tag", "first", "v0"],
    "close-branch": ["close-branch", "main"],
    "merge": ["merge", "idea", "--schema", "outage:Outage"],
    "settle": ["settle", "1", "theirs", "--schema", "outage:Outage"],
    "revert": ["revert", "HEAD", "-b", "idea", "--schema", "outage:Outage"],
    "recordings export": ["recordings", "export"],
    "recordings show": ["recordings", "show", "told.jsonl"],
    "import": ["import", "dissensus.db", "-d", "another.db"],
    "grade": ["grade", "1", "--right", "alice", "--schema", "outage:Outage"],
    "db current": ["db", "current", "dissensus.db"],
    "pytest-case": ["pytest-case", "v1", "--schema", "outage:Outage"],
}


CONTESTED = {"merge", "conflicts", "settle", "revert"}
"""Commands that tell of two branches which clash."""


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


def kinds(of: type[DissensusError]) -> Iterator[type[DissensusError]]:
    yield of
    for kind in of.__subclasses__():
        yield from kinds(kind)


@pytest.fixture(scope="module")
def errors() -> set[type[DissensusError]]:
    """Every error there is: all modules are imported to find them."""
    for name in ("dissensus", "dissensus_agents", "dissensus_state"):
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__") and ".migrations." not in module.name:
                importlib.import_module(module.name)
    found = set(kinds(DissensusError))
    return {kind for kind in found if kind.__module__.startswith(("dissensus.", "dissensus_"))}


def test_the_exit_codes_of_the_page_are_those_of_the_errors(errors: set[type[DissensusError]]) -> None:
    page = (DOCS / "exit-codes.md").read_text("utf-8")
    told = {
        (int(code), name, text)
        for code, name, text in re.findall(r"^\| (\d+) \| `([\w.]+)` \| (.+) \|$", page, re.MULTILINE)
    }
    real = {(kind.exit_code, kind.code, (kind.__doc__ or "").split("\n")[0]) for kind in errors}
    unexpected = {row for row in told if row[1] == "unexpected"}
    assert {row[0] for row in unexpected} == {UNEXPECTED}
    assert told - unexpected == real
    for code in (0, UNEXPECTED, INTERRUPTED, READER_GONE):
        assert f"\n| {code} | | " in page


def test_every_code_belongs_to_one_exit_code_and_one_meaning(errors: set[type[DissensusError]]) -> None:
    assert len({kind.code for kind in errors}) == len(errors)
    assert not {kind.exit_code for kind in errors} & {0, INTERRUPTED, READER_GONE}


def documented() -> list[tuple[str, str]]:
    page = (DOCS / "cli.md").read_text("utf-8")
    return re.findall(r"^\| `([a-z][\w. \[\]-]*)` \| ([a-z_? ]+) \|$", page, re.MULTILINE)


def commands(group: click.Group = cli, above: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{above}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{above}{name} ")


READING = [
    name
    for name, command in commands()
    if any(option.name == "as_json" for option in command.params)
    and name not in {"research", "bench", "learn", "rule", "run", "import-langgraph", "rerun"}
    and name not in {"db upgrade", "schema check", "schema migrate"}
    and not name.startswith(("db tenants ", "models "))  # those of `models` are held to the page beside it
]


def parts(value: Any, path: str) -> Iterator[dict[str, Any]]:
    """The objects that `rounds[].review` and the like lead to."""
    if not path:
        yield value
        return
    name, _, rest = path.partition(".")
    inner = value[name.removesuffix("[]")]
    for item in inner if name.endswith("[]") else [inner]:
        if item is not None:
            yield from parts(item, rest)


@pytest.mark.parametrize("name", READING)
def test_the_keys_of_every_answer_are_those_of_the_page(name: str, ask: Command, told: Path) -> None:
    if name in CONTESTED:
        part(str(told))
        contested = ask("merge", "idea", "--schema", "outage:Outage", code=4)
        assert "dissensus settle 1" in contested.err
    if name == "recordings show":
        ask("recordings", "export", "-o", "told.jsonl")
    answer = ask(*RUN.get(name, [name]), "--json", code=4 if name == "merge" else 0).data
    rows = [(path, keys.split()) for path, keys in documented() if path.partition(".")[0] == name]
    assert rows, f"docs/cli.md does not know {name}"
    for path, keys in rows:
        objects = list(parts(answer, path.partition(".")[2]))
        assert objects, path
        for item in objects:
            assert set(item) <= {key.removesuffix("?") for key in keys}, path
            assert {key for key in keys if not key.endswith("?")} <= set(item), path


@pytest.mark.usefixtures("told")
def test_every_object_of_an_answer_is_on_the_page(ask: Command) -> None:
    free = {"state.state", "events.events[].body", "show.round.calls[].request", "show.round.calls[].price"}
    known = {path for path, _ in documented()} | free
    for name in ("sessions", "log", "state", "events", "cost", "replay", "verify", "machine", "watch"):
        answer = ask(*RUN.get(name, [name]), "--json").data
        for key, value in answer.items():
            if isinstance(value, dict):
                assert f"{name}.{key}" in known
            if isinstance(value, list) and value and isinstance(value[0], dict):
                assert f"{name}.{key}[]" in known


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=[name for name, _ in commands()])
def test_the_help_of_every_command_says_what_it_does_and_shows_an_example(
    name: str, command: click.Command, ask: Command
) -> None:
    shown = ask(*name.split(), "--help").out
    assert command.help
    assert f"\n    dissensus {name}" in shown or f"\n  dissensus {name}" in shown
    assert re.search(r"Examples?:", shown)


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=[name for name, _ in commands()])
def test_the_list_of_commands_tells_each_whole(name: str, command: click.Command) -> None:
    assert not command.get_short_help_str(62).endswith("..."), name
