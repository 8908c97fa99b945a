"""A blob may have been written by anybody: it is data, and nothing that it names is ever made."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import pickle
import sys
from pathlib import PosixPath
from typing import Any, NamedTuple
from uuid import UUID

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Interrupt, Send
from pydantic import BaseModel

from dissensus_agents.foreign.decoding import Decoder, forms, text_of
from dissensus_state.values import MAX_BYTES, normalise, store

SERDE = JsonPlusSerializer()


class Point(NamedTuple):
    x: int
    y: int


class Fact(BaseModel):
    type: str
    text: str


def read(value: Any) -> Any:
    return Decoder().read(*SERDE.dumps_typed(value))


def extension(code: int, *parts: Any) -> bytes:
    return ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(parts)))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        ({"a": [1, 2.5, "x", True, None]}, {"a": [1, 2.5, "x", True, None]}),
        (2.0, 2),
        (b"\x00\xff", {"type": "builtins.bytes", "base64": "AP8="}),
        (float("nan"), {"type": "builtins.float", "value": "nan"}),
        ({3, 1, 2}, {"type": "builtins.set", "value": [1, 2, 3]}),
        ({1: "a", "1": "b"}, {"type": "builtins.dict", "items": [[1, "a"], ["1", "b"]]}),
        (
            dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
            {"type": "datetime.datetime", "value": "2026-01-02T00:00:00+00:00"},
        ),
        (decimal.Decimal("1.10"), {"type": "decimal.Decimal", "value": "1.10"}),
        (UUID(int=7), {"type": "uuid.UUID", "value": UUID(int=7).hex}),
        (PosixPath("a/b"), {"type": "pathlib.PosixPath", "value": ["a", "b"]}),
        (Point(1, 2), {"type": "test_decoding.Point", "x": 1, "y": 2}),
        (Fact(type="t", text="x"), {"type": "test_decoding.Fact", "value": {"type": "t", "text": "x"}}),
        (Send("node", {"n": 1}), {"type": "langgraph.types.Send", "value": ["node", {"n": 1}]}),
        (HumanMessage("hi", id="1"), {"type": "human", "content": "hi", "id": "1"}),
    ],
)
def test_what_langgraph_has_written_becomes_plain_data_that_says_what_it_was(value: Any, plain: Any) -> None:
    found = read(value)
    if isinstance(found, dict) and "." in str(found.get("type")):
        found = {**found, "type": found["type"].replace(f"{Point.__module__}.", "test_decoding.")}
        found["type"] = found["type"].replace("pathlib._local", "pathlib")
    assert found == plain
    assert text_of(found) == text_of(plain)


def test_what_became_something_else_is_counted_by_its_form() -> None:
    value = {"m": [HumanMessage("a"), AIMessage("b")], "at": dt.date(2026, 1, 1), "raw": [b"x", {"y"}]}
    assert sorted(forms(read(value))) == [
        "builtins.bytes",
        "builtins.set",
        "datetime.date",
        "messages",
        "messages",
    ]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary(max_size=20)
    | st.datetimes()
    | st.builds(HumanMessage, st.text())
    | st.builds(lambda value: Interrupt(value=value), st.text()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers(-9, 9), inner, max_size=4)
        | st.builds(lambda value: Send("node", value), inner)
    ),
    max_leaves=20,
)


@given(values)
def test_whatever_langgraph_can_write_can_be_stored_and_is_told_apart(value: Any) -> None:
    plain = read(value)
    assert json.loads(store(plain)) == normalise(plain)
    assert read(value) == plain


@given(st.binary(max_size=300), st.sampled_from(["msgpack", "json", "bytes", "other", "msgpack+aes"]))
def test_no_bytes_whatever_bring_the_reader_down(blob: bytes, kind: str) -> None:
    store(Decoder().read(kind, blob))


@given(st.integers(0, 9), st.binary(max_size=100))
def test_no_extension_whatever_brings_the_reader_down(code: int, blob: bytes) -> None:
    store(Decoder().read("msgpack", ormsgpack.packb([ormsgpack.Ext(code, blob)])))


class Trap:
    """What must not come into being."""

    sprung = False

    def __init__(self, *_: Any, **__: Any) -> None:
        Trap.sprung = True

    def __reduce__(self) -> Any:
        return Trap, ()


@pytest.mark.parametrize("code", range(6))
def test_no_class_that_a_blob_names_is_made_or_imported(code: int) -> None:
    Trap.sprung = False
    for module, name in ((Trap.__module__, "Trap"), ("this", "s"), ("os", "system")):
        sys.modules.pop("this", None)
        found = Decoder().read("msgpack", extension(code, module, name, {"a": 1}, "method"))
        assert found == {"type": f"{module}.{name}", "a": 1}
        assert "this" not in sys.modules
    assert not Trap.sprung


def test_what_is_pickled_or_encrypted_is_named_and_left_alone() -> None:
    Trap.sprung = False
    blob = pickle.dumps(Trap())
    Trap.sprung = False
    found = Decoder().read("pickle", blob)
    assert (found["type"], found["why"], found["bytes"]) == ("unread", "pickled", len(blob))
    assert not Trap.sprung
    assert Decoder().read("msgpack+aes", b"...")["why"] == "encrypted"
    assert Decoder().read("cloudpickle", b"...")["why"] == "written as cloudpickle"


def test_objects_in_json_are_plain_too() -> None:
    old = {"lc": 2, "type": "constructor", "id": ["os", "system"], "args": ["ls"], "kwargs": {}}
    new = dumpd(AIMessage("hello", id="7"))
    found = Decoder().read("json", json.dumps({"a": old, "b": [new], "c": float("inf")}).encode())
    assert found["a"] == {"type": "os.system", "value": "ls"}
    assert found["b"] == [{"type": "ai", "content": "hello", "id": "7"}]
    script = {"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", "AIMessage"]}
    told = {**script, "kwargs": {"content": "from JavaScript", "tool_calls": []}}
    plain = {"type": "ai", "content": "from JavaScript"}
    assert Decoder().read("json", json.dumps(told).encode()) == plain
    assert found["c"] == {"type": "builtins.float", "value": "inf"}


def test_what_a_user_stored_that_looks_like_an_object_of_langchain_stays_as_it_is_in_msgpack() -> None:
    envelope = {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": "ls"}}
    assert read({"claim": envelope}) == {"claim": envelope}


def test_what_is_too_deep_or_too_large_says_so_with_its_digest() -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    found = read(deep)
    store(found)
    while isinstance(found, list):
        [found] = found
    assert found["why"] == "too deep"
    nested: Any = 1
    for _ in range(60):
        nested = Send("n", {"a": [nested]})
    store(read(nested))
    assert read("x" * (MAX_BYTES + 1))["why"] == "too large"
    assert Decoder().read("json", b'"\\ud800"') == {"type": "builtins.str", "escaped": "\\ud800"}
    assert Decoder().read("json", str(2**13_100).encode())["why"] == "too large"
