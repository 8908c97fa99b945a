"""G13: an odd value is taken or refused alike on both databases, at every door, and comes back as it was."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings

from by_hand import answered, begun, intent
from dissensus_state.errors import SchemaRefused, ValueRefused
from dissensus_state.journal import Journal, Outcome
from dissensus_state.patches import Operation
from dissensus_state.records import Change, Proposal, Round, Ruling
from dissensus_state.rounds import binding
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.values import normalise, store
from inquiries import Notes, ticking
from json_values import same, values
from postgres import Postgres

Door: TypeAlias = "Callable[[Session[Notes], Any], Any]"


class Twin(str):
    """A key that is another object and the same text."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def deep(levels: int) -> Any:
    value: Any = "leaf"
    for _ in range(levels):
        value = [value]
    return value


TAKEN: dict[str, Any] = {
    "NUL in a string": "a\x00b",
    "NUL in a key": {"a\x00b": 1},
    "2^53+1": 2**53 + 1,
    "2^64": 2**64,
    "-2^64": -(2**64),
    "10^400": 10**400,
    "4,000 digits": 10**4000 - 1,
    "1.797e308": 1.797e308,
    "minus zero": -0.0,
    "minus zero inside": [{"x": -0.0}],
    "denormal": 5e-324,
    "a whole float": 3.0,
    "0.1": 0.1,
    "1e-7": 1e-7,
    "1e20": 1e20,
    "1e21": 1e21,
    "key order": {"b": 1, "a": 2, "aa": 3, "\u00e9": 4},
    "keys beyond the BMP": {"\U0001f600": 1, "\uffff": 2, "\ud7ff": 3},
    "line separators": "a\u2028b\u2029c\x85d",
    "empty key": {"": 1},
    "keys with ~ and /": {"a/b": 1, "~": 2, "~1": 3, "/": 4},
    "one letter, two spellings": {"\u00e9": 1, "e\u0301": 2},
    "byte order mark": "\ufeffx",
    "control characters": "\x7f\x1f\x01",
    "tuple": (1, (2,)),
    "depth 60": deep(60),
    "true": True,
    "null": None,
    "JSON as text": '{"a":1}',
}
REFUSED: dict[str, Any] = {
    "lone surrogate": "\ud800",
    "surrogates in a pair": "\ud83d\ude00",
    "lone surrogate in a key": {"\ud800": 1},
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity inside": {"x": [float("-inf")]},
    "10^4000": 10**4000,
    "10^5000": 10**5000,
    "1 and '1'": {1: "a", "1": "b"},
    "None as a key": {None: 1},
    "True as a key": {True: 1},
    "one key twice": {Twin("a"): 1, Twin("a"): 2},
    "depth 65": deep(65),
    "depth 900": deep(900),
    "depth 5,000": deep(5000),
    "bytes": b"\xff",
    "an object": object(),
}
LONG: dict[str, str] = {"10 MB": "x" * 10_000_000, "64 MB": "x" * 64_000_000}


def _initial(session: Session[Notes], value: Any) -> Any:
    return Store(session.database).create(Notes(anything=value)).raw()["anything"]


def _set(session: Session[Notes], value: Any) -> Any:
    with session.transaction("ana") as tx:
        tx.set("anything", value)
    return session.raw()["anything"]


def _merged(session: Session[Notes], value: Any) -> Any:
    with session.transaction("ana") as tx:
        tx.merge("answers", {"k": value})
    return session.raw()["answers"]["k"]


def _patch_by_hand(session: Session[Notes], value: Any) -> Any:
    session.commit(Change("ana", (Operation("set", ("anything",), value),), 0))
    assert same(session.current().state["anything"], session.raw()["anything"])
    return session.raw()["anything"]


def _evidence(session: Session[Notes], value: Any) -> Any:
    with session.transaction("ana") as tx:
        tx.evidence(value)
    return session.log(1)[0].evidence[0]


def _evidence_by_hand(session: Session[Notes], value: Any) -> Any:
    made = session.commit(Change("ana", (), 0, evidence=(value,)))
    assert same(made.evidence, session.log(1)[0].evidence)
    return session.log(1)[0].evidence[0]


def _event(session: Session[Notes], value: Any) -> Any:
    session.record("note", {"v": value})
    return session.events()[0].body["v"]


def _opened(session: Session[Notes]) -> tuple[Journal, Round]:
    journal = Journal(session)
    return journal, begun(journal, "step", "ana")[0]


def _outcome(session: Session[Notes], value: Any) -> Any:
    journal, round_ = _opened(session)
    journal.propose(round_, [], outcomes=[Outcome("note", {"v": value})])
    return session.events()[0].body["v"]


def _proposal(session: Session[Notes], value: Any) -> Any:
    journal, round_ = _opened(session)
    journal.propose(round_, [Proposal("ana", (Operation("set", ("anything",), value),), ())])
    return session.round(1)[1][0].patch[0].value


def _proposal_detail(session: Session[Notes], value: Any) -> Any:
    journal, round_ = _opened(session)
    journal.propose(round_, [Proposal("ana", (), (), detail={"v": value})])
    return (session.round(1)[1][0].detail or {})["v"]


def _review(session: Session[Notes], value: Any) -> Any:
    journal, round_ = _opened(session)
    journal.propose(round_, [], {"v": value})
    return (session.round(1)[0].review or {})["v"]


def _amendment(session: Session[Notes], value: Any) -> Any:
    journal, round_ = _opened(session)
    made = [Proposal("ana", (), ())]
    asked = journal.propose(round_, made, {"asked": True})
    amendment = (Operation("set", ("anything",), value),)
    ruling = Ruling("chair", "amend", binding(0, made), "so", amendment=amendment)
    journal.commit(asked, Change("chair", amendment, 0), ruling)
    assert same(session.round(1)[3][0].amendment[0].value, session.raw()["anything"])
    return session.raw()["anything"]


def _ruling_body(session: Session[Notes], value: Any) -> Any:
    journal, round_ = _opened(session)
    journal.close(round_, "rejected", Ruling("chair", "reject", b"", "so", steps={"A": value}))
    return session.round(1)[3][0].steps["A"]


def _request(session: Session[Notes], value: Any) -> Any:
    Journal(session).begin("step", 0, [replace(intent("ana"), request=[{"text": "x"}, value])])
    return session.round(1)[2][0].request[1]


def _call_detail(session: Session[Notes], value: Any) -> Any:
    journal = Journal(session)
    (call,) = begun(journal, "step", "ana")[1]
    journal.settle([replace(answered(call), detail={"v": value})])
    return (session.round(1)[2][0].detail or {})["v"]


def _price(session: Session[Notes], value: Any) -> Any:
    Journal(session).begin("step", 0, [replace(intent("ana"), price={"v": value})])
    return session.round(1)[2][0].price["v"]


DOORS: list[Door] = [
    _initial, _set, _merged, _patch_by_hand, _evidence, _evidence_by_hand, _event, _outcome,
    _proposal, _proposal_detail, _review, _amendment, _ruling_body, _request, _call_detail, _price,
]  # fmt: skip


def _named(door: Door) -> str:
    return getattr(door, "__name__", "").strip("_").replace("_", " ")


def _through(door: Door, session: Session[Notes], value: Any) -> Any:
    """What a door gives back, or how it refuses."""
    try:
        return door(session, value)
    except (ValueRefused, SchemaRefused) as error:
        return type(error), error.message, error.context.get("path")


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, migrated: str
) -> Iterator[tuple[Store, Store]]:
    """A store on each database."""
    url = postgres.create(f"values_{secrets.token_hex(4)}", template=migrated)
    path = str(tmp_path_factory.mktemp("values") / "values.db")
    with Store.open(path, clock=ticking()) as sqlite, Store.open(url, clock=ticking()) as postgresql:
        yield sqlite, postgresql


@pytest.mark.parametrize("door", DOORS, ids=_named)
def test_g13_what_json_can_hold_comes_back_bit_for_bit_from_both_databases(
    both: tuple[Store, Store], door: Door
) -> None:
    for name, value in TAKEN.items():
        for opened in both:
            session = opened.create(Notes())
            back = door(session, value)
            assert same(back, normalise(value)), (name, opened.database.backend)
            assert store(back) == store(value), (name, opened.database.backend)
            assert session.verify().head == session.log(1)[0].hash.hex()


@pytest.mark.parametrize("door", DOORS, ids=_named)
def test_g13_what_json_cannot_hold_is_refused_alike_by_both_databases(
    both: tuple[Store, Store], door: Door
) -> None:
    for name, value in REFUSED.items():
        sessions = [opened.create(Notes()) for opened in both]
        one, other = (_through(door, session, value) for session in sessions)
        assert isinstance(one, tuple), (name, one)
        assert str(one) == str(other), name
        assert one[0] in {ValueRefused, SchemaRefused}, (name, one)
        for session in sessions:
            assert (session.head, session.raw()["anything"]) == (0, None)
            assert session.verify().versions == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(Decimal("1.10"), "1.10"), (dt.date(2026, 1, 2), "2026-01-02")],
    ids=["number", "date"],
)
def test_g13_what_pydantic_knows_is_its_text_where_a_schema_is_and_refused_where_none_is(
    both: tuple[Store, Store], value: Any, text: str
) -> None:
    typed = {_initial, _set, _merged}
    for opened in both:
        for door in DOORS:
            back = _through(door, opened.create(Notes()), value)
            assert back == text if door in typed else back[0] is ValueRefused


@pytest.mark.parametrize("door", [_initial, _set, _patch_by_hand, _event, _ruling_body], ids=_named)
def test_g13_a_value_of_ten_megabytes_is_kept_and_one_of_sixty_four_is_refused(
    both: tuple[Store, Store], door: Door
) -> None:
    for opened in both:
        assert door(opened.create(Notes()), LONG["10 MB"]) == LONG["10 MB"]
        with pytest.raises(ValueRefused, match=r"over the limit of 16,777,216"):
            door(opened.create(Notes()), LONG["64 MB"])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values)
def test_g13_any_json_value_comes_back_the_same_from_both_databases(
    both: tuple[Store, Store], value: Any
) -> None:
    for opened in both:
        for door in (_set, _patch_by_hand, _event):
            assert same(door(opened.create(Notes()), value), normalise(value))


# Names


def _author(session: Session[Notes], name: Any) -> Any:
    session.commit(Change(name, (), 0))
    return session.log(1)[0].author


def _creator(session: Session[Notes], name: Any) -> Any:
    return Store(session.database).create(Notes(), author=name).log(1)[0].author


def _key(session: Session[Notes], name: Any) -> Any:
    session.commit(Change("ana", (), 0, key=name))
    return session.log(1)[0].key


def _kind(session: Session[Notes], name: Any) -> Any:
    session.record(name, {})
    return session.events()[0].kind


def _step(session: Session[Notes], name: Any) -> Any:
    begun(Journal(session), name, "ana")
    return session.rounds()[0].step


def _agent(session: Session[Notes], name: Any) -> Any:
    begun(Journal(session), "step", name)
    return session.round(1)[2][0].agent


def _proposer(session: Session[Notes], name: Any) -> Any:
    journal, round_ = _opened(session)
    journal.propose(round_, [Proposal(name, (), ())])
    return session.round(1)[1][0].agent


def _ruler(session: Session[Notes], name: Any) -> Any:
    journal, round_ = _opened(session)
    journal.close(round_, "rejected", Ruling(name, "reject", b"", "so"))
    return session.round(1)[3][0].author


def _model(session: Session[Notes], name: Any) -> Any:
    Journal(session).begin("step", 0, [replace(intent("ana"), model=name)])
    return session.round(1)[2][0].model


def _session(session: Session[Notes], name: Any) -> Any:
    unique = name + session.name if isinstance(name, str) else name
    made = Store(session.database).create(Notes(), name=unique)
    return Store(session.database).session(unique, Notes).name.removesuffix(session.name) if made else None


def _key_path(session: Session[Notes], name: Any) -> Any:
    session.commit(Change("ana", (Operation("set", ("answers", name), 1),), 0, reads=(("answers", name),)))
    found = session.log(1)[0]
    assert (found.writes, found.read_paths) == ((("answers", name),),) * 2
    return next(iter(session.raw()["answers"]))


NAMED: list[Door] = [
    _author, _creator, _key, _kind, _step, _agent, _proposer, _ruler, _model, _session, _key_path,
]  # fmt: skip
GOOD_NAMES = [
    "a",
    "\u00e9 \u4e2d",
    "\U0001f600",
    "a\u2028b",
    "~/",
    "a'b\"c;--",
    "%s $1 :x",
    "\ufeff",
    "\x7f\x01",
]
BAD_NAMES: list[Any] = ["\ud800", "a\udc00", 5, b"a", 1.5, ("a",)]


@pytest.mark.parametrize("door", NAMED, ids=_named)
def test_g13_a_name_is_taken_or_refused_alike_and_comes_back_as_it_was(
    both: tuple[Store, Store], door: Door
) -> None:
    for opened in both:
        for name in GOOD_NAMES:
            assert door(opened.create(Notes()), name) == name
        for name in BAD_NAMES:
            session = opened.create(Notes())
            with pytest.raises(ValueRefused):
                door(session, name)
            assert session.verify().versions == 1


@pytest.mark.parametrize("door", [one for one in NAMED if one is not _key_path], ids=_named)
@pytest.mark.parametrize("name", ["a\x00b", "x" * 20_000], ids=["NUL", "20,000 characters"])
def test_g13_a_name_that_one_database_could_not_index_is_refused_by_both(
    both: tuple[Store, Store], door: Door, name: str
) -> None:
    for opened in both:
        with pytest.raises(ValueRefused, match="cannot be stored"):
            door(opened.create(Notes()), name)


@pytest.mark.parametrize("name", [None, ""], ids=["None", "empty"])
def test_g13_a_name_that_must_be_there_is_refused_alike_where_it_is_not(
    both: tuple[Store, Store], name: Any
) -> None:
    for door in (_author, _creator, _kind, _step, _agent, _proposer, _ruler, _model):
        one, other = (_through(door, opened.create(Notes()), name) for opened in both)
        assert one == other
        assert name is not None or one[0] is ValueRefused


@pytest.mark.parametrize("text", ["\ud800", 5, b"x", ["x"]], ids=ascii)
def test_g13_an_answer_is_a_text_in_unicode(both: tuple[Store, Store], text: Any) -> None:
    for opened in both:
        journal = Journal(opened.create(Notes()))
        (call,) = begun(journal, "step", "ana")[1]
        for field in ("answer", "reasoning"):
            with pytest.raises(ValueRefused, match="An answer is a text in Unicode"):
                journal.settle([replace(answered(call), **{field: text})])
        journal.settle([replace(answered(call), answer="a\x00\u2028\U0001f600")])
        assert journal.session.round(1)[2][0].answer == "a\x00\u2028\U0001f600"


@pytest.mark.parametrize("sure", [float("nan"), -0.1, 1.5, True, "1", Decimal("0.5"), [1]], ids=repr)
def test_g13_a_confidence_is_a_number_from_zero_to_one(both: tuple[Store, Store], sure: Any) -> None:
    for opened in both:
        session = opened.create(Notes())
        journal, round_ = _opened(session)
        with pytest.raises(ValueRefused, match="A confidence is a number from 0 to 1"):
            journal.propose(round_, [Proposal("ana", (), (), sure)])
        journal.propose(round_, [Proposal("ana", (), (), -0.0), Proposal("ben", (), (), 1)])
        assert [repr(item.confidence) for item in session.round(1)[1]] == ["0.0", "1.0"]


@pytest.mark.parametrize("path", ["anything", ["anything"], (5,), ("answers", None), ("\ud800",)], ids=ascii)
def test_g13_a_path_made_by_hand_is_a_tuple_of_texts(both: tuple[Store, Store], path: Any) -> None:
    for opened in both:
        session = opened.create(Notes())
        for change in (
            Change("ana", (Operation("set", path, 1),), 0),
            Change("ana", (), 0, reads=(path,)),
        ):
            with pytest.raises(ValueRefused):
                session.commit(change)
        assert session.verify().versions == 1
