"""A task file is read line by line, bounded, and refused with the number of the line that is wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

import examinees
from dissensus.bench import tasks as module
from dissensus.bench.errors import TasksRefused
from dissensus.bench.tasks import Tasks, read_tasks
from dissensus_state.errors import NotFound


def load(name: str) -> Any:
    return getattr(examinees, name.partition(":")[2])


def read(folder: Path, *lines: str, **options: Any) -> Tasks:
    path = folder / "tasks.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_tasks(str(path), load, **options)


GOOD = '{"id": 1, "question": "What is 17 + 25?", "expected": 42}'


def test_the_ways_to_write_an_item(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "\ufeff" + GOOD,
        "",
        '{"id": "2", "task": "computer science", "question": "Which?", "options": ["x", "y"],'
        ' "expected": "y"}',
        '{"id": "3", "messages": [{"role": "system", "content": "Be brief."},'
        ' {"role": "user", "content": "Hi"}],'
        ' "expected": "hello", "grader": "contains", "tags": ["greeting"], "sensitive": true}',
    )
    first, second, third = found.items
    assert (first.id, first.task, first.prompt, first.grader.kind) == (
        "1",
        "task",
        "What is 17 + 25?",
        "number",
    )
    assert (second.task, second.prompt, second.grader.options) == (
        "computer_science",
        "Which?\n(A) x\n(B) y",
        2,
    )
    assert second.grader.score is not None
    assert second.grader.score("B") == 1
    assert third.prompt == "system: Be brief.\nuser: Hi"
    assert (third.tags, third.sensitive, third.expected) == (("greeting",), True, "hello")
    assert found.names == ("task", "computer_science")
    assert len(read(tmp_path, GOOD, GOOD.replace("1,", "2,"), limit=1).items) == 1
    tagged = GOOD.replace("1,", '2, "tags": ["a", "b"],')
    assert [item.id for item in read(tmp_path, GOOD, tagged, tags=["b", "c"]).items] == ["2"]
    with pytest.raises(TasksRefused, match="holds no item tagged c"):
        read(tmp_path, GOOD, tagged, tags=["c"])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("hm", "line 2: it is no JSON"),
        ('{"id": 1', "line 2: it is no JSON"),
        ("[1]", "line 2: it is no JSON object but a list"),
        ('{"id": 2, "question": "x", "expected": NaN}', "line 2: it is no JSON: NaN is no value of JSON"),
        ('{"question": "x", "expected": "y"}', "line 2: id: Field required"),
        ('{"id": 2, "expected": "y"}', "line 2: an item has either `question` or `messages`"),
        ('{"id": 2, "question": "x"}', "line 2: `expected` is missing"),
        (
            '{"id": 2, "question": "x", "expekted": 1}',
            "line 2: there is no key 'expekted'; an item has id, task",
        ),
        ('{"id": 2, "question": 3, "expected": 1}', "line 2: question: Input should be a valid string"),
        (
            '{"id": 2, "question": "x", "options": ["a"], "expected": "A"}',
            "line 2: options: List should have",
        ),
        (
            '{"id": 2, "question": "x", "options": ["a", "b"], "expected": "Z"}',
            "line 2: `expected` is neither",
        ),
        (
            '{"id": 2, "question": "x", "expected": "y", "grader": "best"}',
            "line 2: there is no grader 'best'",
        ),
        ('{"id": 1, "question": "x", "expected": "y"}', "line 2: the id '1' is taken by an earlier item"),
        ('{"id": "\\u0007", "question": "x", "expected": "y"}', "line 2: `id` holds characters"),
        ("[" * 100_000, "line 2: it is no JSON"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, line: str, why: str) -> None:
    with pytest.raises(TasksRefused) as refused:
        read(tmp_path, GOOD, line)
    assert why in refused.value.message
    assert (refused.value.code, refused.value.exit_code) == ("bench.tasks", 2)


def test_two_tasks_with_one_short_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TasksRefused, match="has the short name of another one"):
        read(
            tmp_path,
            '{"id":1,"task":"a b","question":"x","expected":1}',
            '{"id":2,"task":"a_b","question":"x","expected":1}',
        )


def test_what_is_no_task_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match=r"There is no file nowhere\.jsonl"):
        read_tasks("nowhere.jsonl", load)
    with pytest.raises(TasksRefused, match="holds no item"):
        read(tmp_path, "")
    with pytest.raises(TasksRefused, match="is no file"):
        read_tasks(str(tmp_path), load)
    (tmp_path / "bytes.jsonl").write_bytes(b'{"id": "\xff"}')
    with pytest.raises(TasksRefused, match="line 1: it is not UTF-8"):
        read_tasks(str(tmp_path / "bytes.jsonl"), load)
    monkeypatch.setattr(module, "LONGEST_LINE", 80)
    with pytest.raises(TasksRefused, match="line 1: it is longer than"):
        read(tmp_path, json.dumps(examinees.item(1)))
    monkeypatch.setattr(module, "MOST_ITEMS", 1)
    with pytest.raises(TasksRefused, match="has more than 1 items"):
        read(tmp_path, GOOD, GOOD.replace("1,", "2,"))


def test_a_function_gives_the_same_as_a_file(tmp_path: Path) -> None:
    given = read_tasks("examinees:items", load)
    assert [item.id for item in given.items] == [f"q{number}" for number in range(12)]
    assert given.sha256 == read_tasks("examinees:items", load).sha256
    for gives, why in ((lambda: 3, "gives no items"), (lambda: [3], "item 1: it is no dictionary")):
        with pytest.raises(TasksRefused, match=why):
            read_tasks("mine:tasks", lambda _, gives=gives: gives)


def test_the_halves_are_those_of_sha256(tmp_path: Path) -> None:
    for item in read_tasks("examinees:items", load).items:
        assert item.half == int(hashlib.sha256(item.id.encode()).hexdigest(), 16) % 2
