"""Nobody vouches for a file of a session: whatever is wrong in it, it is refused, and nothing of it stays."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa

from by_hand import concluded
from dissensus_state import archive_files, tables
from dissensus_state.archive_records import KINDS
from dissensus_state.errors import ArchiveRefused, DissensusError, NotFound, Tampered
from dissensus_state.records import Budget
from dissensus_state.store import Store
from dissensus_state.tables import metadata
from inquiries import Finding, Inquiry, Notes, does
from tampering import changed, rows, storied

Records = list[dict[str, Any]]
Change = Callable[[Records], object]


@pytest.fixture(scope="module")
def records() -> Records:
    """The records of a session in which every kind stands but a state."""
    with Store.open("sqlite://") as store:
        session = storied(store)
        idea = session.fork("idea", 2)
        with idea.transaction("ana", "gather") as tx:
            tx.merge("answers", {"a": "two"})
        session.tag("first", 1)
        session.tag("second", 2)
        session.grade(1, right=["ana"], wrong=["ben"], by="chair", detail="It was the valve")
        session.set_budget(Budget(usd=5, tokens=10_000))
        out = io.BytesIO()
        session.export(out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture
def own(records: Records) -> Records:
    """A copy, to be changed."""
    return json.loads(json.dumps(records))  # type: ignore[no-any-return]


def _bytes(records: Records, *, honest: bool = True) -> bytes:
    """The file of some records; an honest one counts them anew, and says their digest."""
    *before, end = records
    if honest and end.get("type") == "end":
        if before and before[0].get("type") == "header":
            words = [one.get("type") for one in before]
            before[0]["counts"] = {word: words.count(word) for word in KINDS}
        lines = [json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in before]
        end = {**end, "lines": len(lines), "sha256": hashlib.sha256(b"".join(lines)).hexdigest()}
    return b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in [*before, end])


def _refused(store: Store, data: bytes, kind: type[DissensusError] = ArchiveRefused) -> DissensusError:
    before = _everything(store)
    with pytest.raises(kind) as caught:
        store.import_session(io.BytesIO(data), f"brought-{id(data)}-{len(before)}")
    assert _everything(store) == before
    return caught.value


def _everything(store: Store) -> dict[str, int]:
    with store.database.engine.connect() as connection:
        return {
            name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }


def _first(records: Records, word: str) -> dict[str, Any]:
    return next(one for one in records if one["type"] == word)


def _all(records: Records, word: str) -> Records:
    return [one for one in records if one["type"] == word]


def test_the_file_as_it_is_written_by_others_is_taken_in(store: Store, own: Records) -> None:
    taken = store.import_session(io.BytesIO(_bytes(own)), f"brought-{id(own)}", Inquiry)
    assert taken.verify().rules_checked


CHAINED: dict[str, Change] = {
    "author": lambda records: _all(records, "commit")[2].update(author="mallory"),
    "patch": lambda records: _all(records, "commit")[2]["patch"].append(["set", "/question", "What?"]),
    "value": lambda records: _all(records, "commit")[2].update(patch=[["add", "/doubts", 4]]),
    "reads": lambda records: _all(records, "commit")[2].update(reads=["/tags", "/verdict"]),
    "time": lambda records: _all(records, "commit")[2].update(at=1),
    "key": lambda records: _all(records, "commit")[2].update(key="another"),
    "source": lambda records: _all(records, "commit")[2].update(source={"merge": {}}),
    "hash": lambda records: _all(records, "commit")[2].update(hash="0" * 64),
}


@pytest.mark.parametrize("what", sorted(CHAINED))
def test_g08_a_commit_that_was_changed_is_named(store: Store, own: Records, what: str) -> None:
    CHAINED[what](own)
    error = _refused(store, _bytes(own), Tampered)
    assert (error.context["branch"], error.context["version"]) == ("main", 2)


CITED: dict[str, Change] = {
    "answer": lambda records: _first(records, "call").update(answer="The pump."),
    "reasoning": lambda records: _first(records, "call").update(reasoning="ana thought twice."),
    "raw body": lambda records: _first(records, "call").update(raw="{}"),
    "request": lambda records: _first(records, "call").update(request=[{"text": "x"}]),
    "cost": lambda records: _first(records, "call").update(cost=1),
    "detail of a call": lambda records: _first(records, "call").update(detail={}),
    "price": lambda records: _first(records, "model").update(price={"input": "9"}),
    "proposal": lambda records: _first(records, "proposal").update(patch=[["set", "/verdict", "the pump"]]),
    "confidence": lambda records: _first(records, "proposal").update(confidence=0.75),
    "decision": lambda records: _first(records, "ruling").update(decision="amend"),
    "body": lambda records: _first(records, "ruling")["body"].update(reason="No reason"),
    "binding": lambda records: _first(records, "ruling").update(binding="00" * 32),
    "step": lambda records: _first(records, "round").update(step="another"),
    "a call less": lambda records: records.remove(_first(records, "call")),
    "a ruling less": lambda records: records.remove(_first(records, "ruling")),
}


@pytest.mark.parametrize("what", sorted(CITED))
def test_g08_a_round_that_was_changed_leads_to_the_commit_that_it_ended_in(
    store: Store, own: Records, what: str
) -> None:
    CITED[what](own)
    error = _refused(store, _bytes(own), Tampered)
    assert error.context["version"] == 5


BROKEN: dict[str, tuple[Change, str]] = {
    "an unknown kind": (lambda own: own.insert(1, {"type": "secret"}), "is of no known type"),
    "a kind that is no text": (lambda own: own.insert(1, {"type": ["commit"]}), "is of no known type"),
    "a second header": (lambda own: own.insert(1, own[0]), "is of no known type"),
    "kinds out of order": (
        lambda own: own.insert(-1, own.pop(own.index(_first(own, "account")))),
        "stands after records that it should stand before",
    ),
    "a commit twice": (
        lambda own: own.insert(own.index(_all(own, "commit")[1]), _all(own, "commit")[1]),
        "stands where version 2 of 'main' should",
    ),
    "a commit less": (lambda own: own.remove(_all(own, "commit")[3]), "where version 3 of 'main' should"),
    "a tag twice": (lambda own: own.insert(own.index(_first(own, "tag")), _first(own, "tag")), "twice"),
    "a call twice": (lambda own: own.insert(own.index(_first(own, "call")), _first(own, "call")), "twice"),
    "a branch twice": (lambda own: own.insert(2, own[2]), "stands there twice"),
    "a round of a branch that is not there": (
        lambda own: _first(own, "round").update(branch="nowhere"),
        "names a branch 'nowhere' that is not there",
    ),
    "a call of another round": (lambda own: _first(own, "call").update(round=2), "the round above it"),
    "a call without its model": (lambda own: own.remove(_first(own, "model")), "names a model 1 that is not"),
    "a passage of another document": (
        lambda own: _first(own, "passage").update(document=7),
        "the document above it",
    ),
    "a commit that ended a round that is not there": (
        lambda own: _all(own, "commit")[2].update(round=9),
        "names a round 9 that is not there",
    ),
    "a tag of a version that is not there": (
        lambda own: _first(own, "tag").update(version=99),
        "names a version that is not there",
    ),
    "a commit of a branch that is not there": (
        lambda own: _all(own, "commit")[2].update(branch="nowhere"),
        "names a branch 'nowhere' that is not there",
    ),
    "a branch that was forked from itself": (
        lambda own: own[2].update(base_branch="idea"),
        "stands before the branch it was forked from",
    ),
    "a branch from beyond the head": (lambda own: own[2].update(base_version=99), "a version that is not"),
    "a branch with the name of a version": (
        lambda own: own[2].update(branch="v12"),
        "has a name that cannot be: 'v12' is no name for a branch",
    ),
    "a tag with the name of a round": (
        lambda own: _first(own, "tag").update(tag="r3"),
        "has a name that cannot be",
    ),
    "two beginnings": (
        lambda own: own[2].update(base_branch=None, base_version=None),
        "is not forked from another one",
    ),
    "a blob that is another": (lambda own: _first(own, "blob").update(data="x"), "not what its digest says"),
    "a blob that is gone": (
        lambda own: _first(own, "blob").update(data={"gone": _first(own, "blob")["digest"]}),
        "not what its digest says",
    ),
    "a key too many": (lambda own: _first(own, "tag").update(more=1), "has the keys ['more']"),
    "a key less": (lambda own: _first(own, "tag").pop("at"), "lacks ['at']"),
    "null": (lambda own: _first(own, "tag").update(at=None), "under 'at' what is no integer"),
    "a text for a number": (lambda own: _first(own, "tag").update(version="1"), "is no integer"),
    "true for a number": (lambda own: _first(own, "tag").update(version=True), "is no integer"),
    "a number beyond 64 bits": (lambda own: _first(own, "tag").update(at=2**64), "is no integer"),
    "a negative version": (lambda own: _first(own, "tag").update(version=-1), "is no integer from 0"),
    "a name that is too long": (lambda own: _first(own, "tag").update(tag="x" * 1_001), "more than 1,000"),
    "U+0000 in a name": (lambda own: _first(own, "tag").update(tag="a\0b"), "holds U+0000"),
    "an unknown status": (lambda own: _first(own, "round").update(status="won"), "is none of open"),
    "a hash that is none": (lambda own: own[1].update(head_hash="ab"), "is no SHA-256"),
    "an operation that is none": (
        lambda own: _all(own, "commit")[1].update(patch=[["set"]]),
        "cannot be stored",
    ),
    "reads that are no texts": (lambda own: _all(own, "commit")[1].update(reads=[1]), "is no list of texts"),
    "a value that is too deep": (
        lambda own: (
            _first(own, "grade").update(detail=None)
            or _all(own, "commit")[1].update(patch=[["set", "/question", _deep(70)]])
        ),
        "is nested deeper than 64 levels",
    ),
    "base64 that is none": (lambda own: _first(own, "call").update(raw={"base64": "*"}), "is no base64"),
    "a conflict of nothing": (lambda own: _first(own, "call").update(raw={"what": 1}), "is no text"),
}


def _deep(levels: int) -> Any:
    return [] if not levels else [_deep(levels - 1)]


@pytest.mark.parametrize("what", sorted(BROKEN))
def test_a_file_that_breaks_a_rule_of_the_format_is_refused_and_says_which_line(
    store: Store, own: Records, what: str
) -> None:
    change, says = BROKEN[what]
    change(own)
    error = _refused(store, _bytes(own))
    assert says in error.message
    assert error.message.startswith("Line ")


@pytest.mark.parametrize("cut", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_is_refused(store: Store, own: Records, cut: float) -> None:
    data = _bytes(own)
    assert _refused(store, data[: int(len(data) * cut)]).exit_code == 2


def test_a_file_that_was_cut_between_lines_is_refused(store: Store, own: Records) -> None:
    for lines in range(len(own)):
        error = _refused(store, _bytes(own[:lines] or [{}], honest=False), DissensusError)
        assert isinstance(error, ArchiveRefused | Tampered)
    assert "has no end" in error.message


def test_what_stands_after_the_end_is_refused(store: Store, own: Records) -> None:
    assert "after the end" in _refused(store, _bytes(own) + b"{}\n").message


def test_lines_that_were_changed_behind_the_digest_are_refused(store: Store, own: Records) -> None:
    _first(own, "grade")["detail"] = "It was the pump"
    assert "not those that its end counts" in _refused(store, _bytes(own, honest=False)).message


def test_a_header_that_says_another_thing_is_refused(store: Store, own: Records) -> None:
    own[0]["heads"]["main"]["version"] = 4
    assert "Its header says another thing" in _refused(store, _bytes(own)).message


@pytest.mark.parametrize("version", [2, 99, None, "1"])
def test_a_file_of_another_version_says_so(store: Store, own: Records, version: Any) -> None:
    own[0]["version"] = version
    error = _refused(store, _bytes(own))
    assert f"It is of version {version!r} of the format" in error.message
    assert "Upgrade dissensus" in error.next_step


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b"\xff\xfe\n",
        b"<html>\n",
        b'{"type":"header"}\n',
        b'{"type":"header","format":"dissensus.recordings","version":1}\n',
        b'{"type":"header","format":"dissensus.session","version":1}\n',
        b'{"type":"header","format":"dissensus.session","version":1,"heads":[]}\n',
        b'{"type":"header","format":"dissensus.session","version":1,"session":"\\ud800"}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_what_is_no_session_at_all_is_refused(store: Store, data: bytes) -> None:
    _refused(store, data)


def test_a_line_that_is_too_long_is_refused_before_it_is_read(
    store: Store, own: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_files, "MOST_LINE", 50_000)
    assert "longer than" in _refused(store, _bytes(own)).message


def test_a_state_must_be_where_a_history_was_pruned_to(store: Store) -> None:
    session = store.create(Notes())
    for number in range(5):
        session.transact(does("append", "lines", f"line {number}"), "ana")
    session.prune(session.plan_prune(3), author="clerk")
    out = io.BytesIO()
    session.export(out)
    records = [json.loads(line) for line in out.getvalue().splitlines()]
    without = [one for one in records if one["type"] != "state"]
    assert "where the state is missing" in _refused(store, _bytes(without)).message
    state = next(one for one in records if one["type"] == "state")
    elsewhere = [*without[:-1], without[-1]]
    elsewhere.insert(elsewhere.index(_all(elsewhere, "commit")[1]), state)
    assert "stands where no branch was pruned to" in _refused(store, _bytes(elsewhere)).message
    forged = json.loads(json.dumps(records))
    _first(forged, "state")["state"]["lines"][0] = "another"
    taken = store.import_session(io.BytesIO(_bytes(forged)), f"forged-{id(forged)}", Notes)
    with pytest.raises(Tampered, match="not the state that the history was pruned to"):
        taken.verify()


def test_money_that_does_not_add_up_is_refused(store: Store, own: Records) -> None:
    _first(own, "account")["spent"] = 0
    assert "the calls add up to" in _refused(store, _bytes(own), Tampered).message


def test_a_document_that_was_changed_is_refused(store: Store, own: Records) -> None:
    _first(own, "passage")["data"] = "The valve was closed"
    assert "could not have been added" in _refused(store, _bytes(own), Tampered).message


def test_a_patch_that_does_not_fit_its_state_is_refused_though_its_hash_holds(store: Store) -> None:
    from dissensus_state.blobs import restowed
    from dissensus_state.chain import chained

    session = store.create(Notes())
    session.transact(does("set", "a", 1), "ana")
    out = io.BytesIO()
    session.export(out)
    records = [json.loads(line) for line in out.getvalue().splitlines()]
    first, last = _all(records, "commit")
    last["patch"] = [["append", "/a", [1]]]
    said = {**last, "base": 0, "isolation": "serializable", "evidence": ()}
    last["hash"] = chained(bytes.fromhex(first["hash"]), restowed(last["patch"]).digest, None, said).hex()
    records[0]["heads"]["main"]["hash"] = _first(records, "branch")["head_hash"] = last["hash"]
    error = _refused(store, _bytes(records), Tampered)
    assert error.context["version"] == 1
    assert "could not have been admitted" in error.message


def test_the_first_of_many_bad_commits_is_named(store: Store, own: Records) -> None:
    for commit in _all(own, "commit")[3:]:
        commit["author"] = "mallory"
    assert _refused(store, _bytes(own), Tampered).context["version"] == 3


def test_a_stored_text_that_is_not_canonical_is_not_written_into_a_file(own_store: Store) -> None:
    session = own_store.create(Inquiry())
    with session.transaction("scout", "gather") as tx:
        tx.append("findings", Finding(text="The valve was open"))
    concluded(session)
    row = rows(session, tables.commits)[1]
    for text in ("[1", '[]\n{"type":"end"}', "[]\n"):
        with changed(session, tables.commits, row, patch=text), pytest.raises(Tampered):
            session.export(io.BytesIO())


def test_a_file_that_is_not_there_says_so(store: Store) -> None:
    with pytest.raises(NotFound, match=r"There is no file nowhere\.jsonl"):
        store.import_session("nowhere.jsonl")


@pytest.mark.parametrize("word", sorted(KINDS))
def test_any_value_of_any_kind_is_refused_or_taken_and_nothing_else(own: Records, word: str) -> None:
    odd: list[Any] = [None, True, -1, 2**70, 0.5, "", "x\0", "\u20ac" * 500, [], {}, [[]], {"value": []}]
    found = _all(own, word)
    with Store.open("sqlite://") as store:
        for key in list(found[0]) if found else ():
            for value in odd:
                kept, found[0][key] = found[0][key], value
                with suppress(ArchiveRefused, Tampered):
                    store.import_session(io.BytesIO(_bytes(own)), f"odd-{word}-{key}-{odd.index(value)}")
                found[0][key] = kept


@pytest.mark.parametrize("word", ["document", "model"])
def test_two_records_that_would_share_what_is_unique_are_refused(
    store: Store, own: Records, word: str
) -> None:
    first = _first(own, word)
    again = {**first, word: first[word] + 100}
    own.insert(own.index(_all(own, word)[-1]) + 1 + (word == "document") * 2, again)
    assert f"Two records of type '{word}' have the same key" in _refused(store, _bytes(own)).message
