"""A task file: one item a line, as JSON; or a function that gives the same as dictionaries.

    {"id": "1", "task": "sums", "question": "What is 17 + 25?", "expected": 42}
    {"id": "2", "question": "Which is a metal?", "options": ["iron", "salt"], "expected": "A"}

Read line by line, bounded, and refused with the number of the line where something is wrong.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dissensus_state.errors import DissensusError, NotFound

from .errors import TasksRefused
from .graders import Grader, grader_of
from .reading import LETTERS

LONGEST_LINE = 1024 * 1024
MOST_ITEMS = 100_000
TASK = "task"
"""The task of an item that names none."""

_MODULE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_Text = Annotated[str, Field(min_length=1, max_length=LONGEST_LINE)]


class Message(BaseModel):
    """One message of a conversation that the item gives."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["system", "user", "assistant"]
    content: _Text


class Line(BaseModel):
    """One line of a task file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Annotated[str, Field(min_length=1, max_length=200)] | int
    task: Annotated[str, Field(min_length=1, max_length=60)] = TASK
    question: _Text | None = None
    messages: Annotated[list[Message], Field(min_length=1, max_length=1000)] | None = None
    expected: Any = None
    options: Annotated[list[_Text], Field(min_length=2, max_length=len(LETTERS))] = []
    grader: str | dict[str, Any] | None = None
    tags: Annotated[list[Annotated[str, Field(min_length=1, max_length=60)]], Field(max_length=32)] = []
    sensitive: bool = False

    @model_validator(mode="after")
    def _one_question(self) -> Line:
        if (self.question is None) == (self.messages is None):
            raise ValueError("an item has either `question` or `messages`")
        if not str(self.id).isprintable():
            raise ValueError("`id` holds characters that cannot be shown")
        return self


_KEYS = f"an item has {', '.join(Line.model_fields)}"


@dataclass(frozen=True, slots=True)
class Item:
    """One item: what is asked, and how the answer is graded.

    `task` is a name that steps can have: letters, digits, `-` and `_`. `half` says on which side of the
    split by `sha256(id)` it is: what is chosen on half 0 is reported on half 1.
    """

    id: str
    task: str
    prompt: str
    grader: Grader
    expected: str = ""
    tags: tuple[str, ...] = ()
    sensitive: bool = False

    @property
    def half(self) -> int:
        """0 or 1, by the last bit of `sha256(id)`."""
        return hashlib.sha256(self.id.encode()).digest()[-1] & 1


@dataclass(frozen=True, slots=True)
class Tasks:
    """The items of a file, with where they came from and the digest of what was read (SHA-256)."""

    source: str
    items: tuple[Item, ...]
    sha256: str

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks, in the order in which they first occur."""
        return tuple(dict.fromkeys(item.task for item in self.items))


Load = Callable[[str], Any]


def read_tasks(
    source: str,
    load: Load,
    *,
    grader: str | None = None,
    limit: int | None = None,
    tags: Collection[str] = (),
) -> Tasks:
    """Read a task file, or what a function `module:name` gives.

    Args:
        source: A path, or `module:function`; the function takes nothing and gives dictionaries.
        load: Finds a function by its name.
        grader: The grader of items that name none; by default what suits what is expected.
        limit: Only so many items, from the first on.
        tags: Only items that have one of these.

    Raises:
        TasksRefused: It cannot be used; it says on which line.
        NotFound: There is no such file.
    """
    digest, items, seen, steps = hashlib.sha256(), list[Item](), set[str](), dict[str, str]()
    for where, text, said in _lines(source, load):
        if len(items) == limit:
            break
        if len(items) == MOST_ITEMS:
            raise TasksRefused(f"{source} has more than {MOST_ITEMS:,} items")
        item = _item(source, where, said, grader, load)
        if item.id in seen:
            raise _refused(source, where, f"the id {item.id!r} is taken by an earlier item")
        if steps.setdefault(item.task, said.get("task", TASK)) != said.get("task", TASK):
            raise _refused(source, where, f"the task {said.get('task')!r} has the short name of another one")
        seen.add(item.id)
        if tags and not set(tags) & set(item.tags):
            continue
        items.append(item)
        digest.update(text)
    if not items:
        tagged = f" tagged {', '.join(tags)}" if tags else ""
        raise TasksRefused(f"{source} holds no item{tagged}")
    return Tasks(source, tuple(items), digest.hexdigest())


Where = tuple[str, bytes, Mapping[str, Any]]


def _lines(source: str, load: Load) -> Iterator[Where]:
    """Each item with where it stands, its bytes, and what it says."""
    path = Path(source).expanduser()
    if path.is_file():
        yield from _of_file(source, path)
    elif _MODULE.fullmatch(source) and not path.exists():
        yield from _of_function(source, load)
    elif path.exists():
        raise TasksRefused(f"{source} is no file", next_step="Name a file with one JSON object a line")
    else:
        raise NotFound(f"There is no file {source}", next_step="Name a task file, or MODULE:FUNCTION")


def _of_file(source: str, path: Path) -> Iterator[Where]:
    try:
        with path.open("rb") as file:
            number = 0
            while data := file.readline(LONGEST_LINE + 1):
                number += 1
                where = f"line {number}"
                if len(data) > LONGEST_LINE:
                    raise _refused(source, where, f"it is longer than {LONGEST_LINE // 2**20} MiB")
                if data.strip():
                    yield where, data, _object(source, where, data)
    except OSError as error:
        raise TasksRefused(f"{source} cannot be read: {error.strerror or error}") from None


def _object(source: str, where: str, data: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise _refused(source, where, "it is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise _refused(source, where, f"it is no JSON: {error}") from None
    if not isinstance(said, dict):
        raise _refused(source, where, f"it is no JSON object but a {type(said).__name__}")
    return said


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no value of JSON")


def _of_function(source: str, load: Load) -> Iterator[Where]:
    function = load(source)
    given = function() if callable(function) else function
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise TasksRefused(f"{source} gives no items", next_step="Let it return dictionaries, or yield them")
    for number, said in enumerate(given, 1):
        where = f"item {number}"
        if not isinstance(said, Mapping):
            raise _refused(source, where, f"it is no dictionary but a {type(said).__name__}")
        try:
            text = json.dumps(dict(said), sort_keys=True, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise _refused(source, where, f"it has no JSON form: {error}") from None
        yield where, text, said


def _item(source: str, where: str, said: Mapping[str, Any], grader: str | None, load: Load) -> Item:
    try:
        line = Line.model_validate(dict(said))
        made = grader_of(line.grader or grader, line.expected, line.options, load)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        path = ".".join(map(str, first["loc"]))
        why = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            raise _refused(source, where, f"there is no key {path!r}; {_KEYS}") from None
        raise _refused(source, where, f"{path}: {why}" if path else why) from None
    except (ValueError, DissensusError) as error:
        raise _refused(source, where, getattr(error, "message", str(error))) from None
    task = re.sub(r"[^\w-]+", "_", line.task).strip("_") or TASK
    expected = line.expected if isinstance(line.expected, str) else json.dumps(line.expected)
    return Item(str(line.id), task, _prompt(line), made, expected, tuple(line.tags), line.sensitive)


def _prompt(line: Line) -> str:
    """The item as a model reads it."""
    asked = [line.question] if line.question is not None else []
    asked += [f"{one.role}: {one.content}" for one in line.messages or ()]
    asked += [
        "\n".join(f"({letter}) {option}" for letter, option in zip(LETTERS, line.options, strict=False))
    ]
    return "\n".join(part for part in asked if part)


def _refused(source: str, where: str, why: str) -> TasksRefused:
    return TasksRefused(f"{source}, {where}: {why[:500]}")
