"""The checker of histories: each anomaly is found where it is, and none where there is none."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elle import check
from histories import Append, Op, Outcome, Read, Txn, events, from_events, read_json, write_edn, write_json

HOUR = 1_000


def told(*said: str, outcome: Outcome = "ok", began: int = 0, ended: int = HOUR) -> Txn:
    """A transaction in short: `x+1` appends 1 to x, `x=12` has read 1 and 2 in it."""
    ops: list[Op] = []
    for text in said:
        key, sign, values = re.fullmatch("([a-z])([+=])([0-9]*)", text).groups()  # type: ignore[union-attr]
        ops.append(Append(key, int(values)) if sign == "+" else Read(key, tuple(map(int, values))))
    return Txn(0, tuple(ops), began, None if outcome == "info" else ended, outcome)


def after(*said: str, outcome: Outcome = "ok") -> Txn:
    """One that began when all others had ended."""
    return told(*said, outcome=outcome, began=2 * HOUR, ended=3 * HOUR)


BAD: dict[str, list[tuple[str, list[Txn]]]] = {
    "G0": [
        ("two wrote two lists in opposite order", [
            told("x+1", "y+1"), told("x+2", "y+2"), told("x=12", "y=21"),
        ]),
        ("three, each over the next", [
            told("x+1", "z+2"), told("x+2", "y+1"), told("y+2", "z+1"), told("x=12", "y=12", "z=12"),
        ]),
        ("another's write in the middle of one's own", [told("x+1", "x+3"), told("x+2"), told("x=123")]),
    ],
    "G1a": [
        ("what was rolled back was read", [told("x+1", outcome="fail"), told("x=1")]),
        ("below what was committed", [told("x+1", outcome="fail"), told("x+2"), told("x=12")]),
    ],
    "G1b": [("half of a transaction was read", [told("x+1", "x+2"), told("x=1"), told("x=12")])],
    "G1c": [
        ("two saw each other", [told("x+1", "y=1"), told("y+1", "x=1")]),
        ("one saw what overwrote it", [told("x+1", "y=1"), told("y+1", "x+2"), told("x=12")]),
    ],
    "G-single": [
        ("read skew", [told("x+1", "y+1"), told("x=", "y=1")]),
        ("a lost update", [told("x=", "x+1"), told("x=", "x+2"), told("x=12")]),
        ("unseen by one who wrote after it", [told("x+1", "y+1"), told("x+2", "y="), told("x=12")]),
    ],
    "G2-item": [
        ("write skew", [told("x=", "y+1"), told("y=", "x+1"), told("x=1", "y=1")]),
        ("of three", [
            told("x=", "y+1"), told("y=", "z+1"), told("z=", "x+1"), told("x=1", "y=1", "z=1"),
        ]),
        ("a long fork: two saw two writes in opposite order", [
            told("x+1"), told("y+1"), told("x=1", "y="), told("x=", "y=1"),
        ]),
    ],
    "G0-realtime": [
        ("a later write stands before an earlier one", [
            told("x+2"), after("x+1"), told("x=12", began=1, ended=9 * HOUR),
        ]),
    ],
    "G1c-realtime": [
        ("what began later was seen", [told("x=1"), after("x+1")]),
    ],
    "G-single-realtime": [
        ("a stale read", [told("x+1"), after("x="), told("x=1", began=1, ended=9 * HOUR)]),
    ],
    "G2-item-realtime": [
        ("it missed what missed a write that had ended before it began", [
            told("y+1", ended=10), told("x+1", "y="), told("x=", began=20, ended=30),
        ]),
    ],
    "internal": [
        ("its own write is missing", [told("x+1", "x=")]),
        ("it read two different things", [told("x+1"), told("x=", "x=1")]),
        ("its own write is there, what it read before is not", [told("x+1"), told("x=1", "x+2", "x=2")]),
        ("its own write is not the last", [told("x+1"), told("x+2", "x=21")]),
    ],
    "incompatible-order": [("two read two orders", [told("x+1"), told("x+2"), told("x=12"), told("x=21")])],
    "duplicate-elements": [("one write was applied twice", [told("x+1"), told("x=11")])],
    "duplicate-append": [("the test wrote it twice", [told("x+1"), told("x+1")])],
    "unwritten-read": [("nobody wrote it", [told("x=7")])],
    "lost-write": [("it was acknowledged, and nobody saw it again", [told("x+1"), after("x=")])],
}  # fmt: skip
CASES = [
    pytest.param(name, txns, id=f"{name}, {what}") for name, cases in BAD.items() for what, txns in cases
]

GOOD = {
    "nothing at all": [],
    "one after the other": [told("x+1"), after("x=1", "x+2", "x=12")],
    "appends that were never read": [told("x+1"), told("x+2")],
    "a failed write that nobody saw": [told("x+1", outcome="fail"), after("x=")],
    "an unknown one that was applied": [told("x+1", outcome="info"), after("x=1")],
    "an unknown one that was not": [told("x+1", outcome="info"), after("x=")],
    "an unknown one is applied as late as it likes": [told("x+1", outcome="info"), after("x="), after("x=1")],
    "a read at the same time may miss a write": [told("x+1"), told("x="), told("x=1")],
    "what a failed or unknown transaction read says nothing": [
        told("x+1"), after("x=", "x=7", outcome="fail"), after("x=9", outcome="info"),
    ],
    "own writes between reads": [told("x=", "x+1", "x=1", "x+2", "x=12", "y+1", "y=1"), after("x=12", "y=1")],
}  # fmt: skip


@pytest.mark.parametrize(("name", "history"), CASES)
def test_a_history_with_an_anomaly_is_caught_and_the_anomaly_is_named(name: str, history: list[Txn]) -> None:
    report = check(history)
    assert name in report.anomalies
    assert not report.valid
    assert f"{name} × " in str(report)


@pytest.mark.parametrize("name", ["G0", "G1c", "G-single", "G2-item"])
def test_an_anomaly_is_shown_by_a_circle_and_not_mistaken_for_a_worse_or_a_lesser_one(name: str) -> None:
    for _, history in BAD[name]:
        (found,) = check(history).anomalies.items()
        assert found[0] == name
        first, *_, last = re.findall("T[0-9]+", found[1][0])
        assert first == last


@pytest.mark.parametrize("name", [name for name in BAD if name.endswith("-realtime")])
def test_an_anomaly_of_real_time_is_none_where_only_serializability_was_promised(name: str) -> None:
    for _, history in BAD[name]:
        assert set(check(history).anomalies) >= {name}
        assert check(history, realtime=False).anomalies.keys() <= {"lost-write"}


@pytest.mark.parametrize("history", GOOD.values(), ids=GOOD)
def test_a_history_without_an_anomaly_passes(history: list[Txn]) -> None:
    report = check(history)
    assert report.valid, str(report)
    assert report.outcomes.total() == len(history)


@st.composite
def serial_histories(draw: st.DrawFn) -> list[Txn]:
    """What a store would tell that runs one transaction after the other, each somewhere in its time."""
    lists: dict[str, list[int]] = {"x": [], "y": [], "z": []}
    history = []
    value = 0
    for moment in range(draw(st.integers(0, 12))):
        outcome: Outcome = draw(st.sampled_from(["ok", "ok", "ok", "fail", "info"]))
        applied = outcome == "ok" or (outcome == "info" and draw(st.booleans()))
        now = {key: [*values] for key, values in lists.items()}
        ops: list[Op] = []
        for key in draw(st.lists(st.sampled_from("xyz"), max_size=4)):
            if draw(st.booleans()):
                value += 1
                now[key].append(value)
                ops.append(Append(key, value))
            else:
                ops.append(Read(key, tuple(now[key])))
        lists = now if applied else lists
        began = 10 * moment - draw(st.integers(0, 40))
        ended = None if outcome == "info" else 10 * moment + draw(st.integers(1, 40))
        history.append(Txn(draw(st.integers(0, 3)), tuple(ops), began, ended, outcome))
    return draw(st.permutations(history))


@given(serial_histories())
def test_every_history_of_a_serial_execution_is_valid(history: list[Txn]) -> None:
    report = check(history)
    assert report.valid, str(report)


@given(serial_histories(), st.data())
def test_a_history_in_which_a_seen_write_is_forgotten_by_one_reader_is_not_valid(
    history: list[Txn], data: st.DataObject
) -> None:
    """From every valid history, a value in the middle of a list that was read is taken away."""
    full = [
        (number, place)
        for number, txn in enumerate(history)
        if txn.outcome == "ok"
        for place, op in enumerate(txn.ops)
        if isinstance(op, Read) and len(op.seen) > 1
    ]
    if full:
        number, place = data.draw(st.sampled_from(full))
        txn, ops = history[number], list(history[number].ops)
        read = ops[place]
        assert isinstance(read, Read)
        ops[place] = Read(read.key, read.seen[1:])
        others = [*history[:number], *history[number + 1 :], after(f"{read.key}=")]
        others[-1] = Txn(9, (read,), 0, 10**6)
        assert not check([*others, Txn(txn.process, tuple(ops), txn.began, txn.ended)]).valid


@given(serial_histories())
def test_a_history_survives_being_written_in_the_format_of_jepsen(history: list[Txn]) -> None:
    alone = [Txn(number, txn.ops, txn.began, txn.ended, txn.outcome) for number, txn in enumerate(history)]
    again = {txn.process: txn for txn in from_events(events(alone))}
    for txn in alone:
        known = txn.outcome == "ok"
        assert [_key(op) for op in again[txn.process].ops] == [_key(op) for op in txn.ops]
        assert (again[txn.process].ops == txn.ops) or not known
        assert (again[txn.process].began, again[txn.process].outcome) == (txn.began, txn.outcome)
        assert again[txn.process].ended == txn.ended


def _key(op: Op) -> tuple[str, int | None]:
    return op.key, op.value if isinstance(op, Append) else None


HISTORY = [
    Txn(0, (Append("x", 1), Read("y", ())), 1, 4),
    Txn(1, (Append("y", 1),), 2, None, "info"),
    Txn(1, (Read("x", (1,)), Read("y", (1,))), 5, 6),
    Txn(0, (Append("x", 2),), 7, 8, "fail"),
]
EXPECTED = [
    {"index": 0, "type": "invoke", "process": 0, "time": 1, "value": [["append", "x", 1], ["r", "y", None]]},
    {"index": 1, "type": "invoke", "process": 1, "time": 2, "value": [["append", "y", 1]]},
    {"index": 2, "type": "info", "process": 1, "time": 2, "value": [["append", "y", 1]]},
    {"index": 3, "type": "ok", "process": 0, "time": 4, "value": [["append", "x", 1], ["r", "y", []]]},
    {"index": 4, "type": "invoke", "process": 3, "time": 5, "value": [["r", "x", None], ["r", "y", None]]},
    {"index": 5, "type": "ok", "process": 3, "time": 6, "value": [["r", "x", [1]], ["r", "y", [1]]]},
    {"index": 6, "type": "invoke", "process": 0, "time": 7, "value": [["append", "x", 2]]},
    {"index": 7, "type": "fail", "process": 0, "time": 8, "value": [["append", "x", 2]]},
]


def test_the_json_is_what_the_checker_of_jepsen_reads(tmp_path: Path) -> None:
    write_json(HISTORY, tmp_path / "history.json")
    written = json.loads((tmp_path / "history.json").read_text())
    assert written == [{**event, "f": "txn"} for event in EXPECTED]
    assert [txn.outcome for txn in read_json(tmp_path / "history.json")] == ["info", "ok", "ok", "fail"]


def test_the_edn_is_what_the_checker_of_jepsen_reads(tmp_path: Path) -> None:
    write_edn(HISTORY, tmp_path / "history.edn")
    lines = (tmp_path / "history.edn").read_text().splitlines()
    assert lines[0] == (
        '{:index 0, :type :invoke, :process 0, :f :txn, :time 1, :value [[:append "x" 1] [:r "y" nil]]}'
    )
    assert lines[5] == (
        '{:index 5, :type :ok, :process 3, :f :txn, :time 6, :value [[:r "x" [1]] [:r "y" [1]]]}'
    )
    assert len(lines) == len(EXPECTED)
