"""Documents of a session: there whole or not at all, found by what they say, and held to their digest."""

from __future__ import annotations

import math
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

import filling
from dissensus_state import index, shelving, spool
from dissensus_state.errors import NotFound, Refused, Tampered, ValueRefused
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.tables import documents, passages, terms
from dissensus_state.terms import terms_of
from erasing import CANARY, files_with, standing
from inquiries import Notes, does

PAGES = [("p. 1", "The valve was open during the night."), ("p. 2", "The pumps ran at 3,500 rpm.")]
WORDS = ("valve", "pump", "night", "open", "rpm", "meter", "river", "of", "the", "and", "was")


def found(session: Session[Notes], query: str, limit: int = 20) -> list[tuple[str, int, float]]:
    return [(hit.passage.name, hit.passage.n, hit.score) for hit in session.library.search(query, limit)]


def pages_of(seed: int, count: int = 3) -> list[tuple[str, str]]:
    chance = random.Random(seed)
    return [(f"p. {n + 1}", " ".join(chance.choices(WORDS, k=chance.randrange(1, 30)))) for n in range(count)]


def broken() -> Iterator[tuple[str, str]]:
    yield PAGES[0]
    raise RuntimeError("the file is damaged")


@contextmanager
def undone(session: Session[Notes], change: sa.Update | sa.Delete) -> Iterator[None]:
    """In the block, a change stands that somebody made behind the back of the library."""
    table = change.table
    mine = table.c.session_id == session.session_id
    with session.database.exclusively(), session.database.engine.begin() as connection:
        before = [dict(row._mapping) for row in connection.execute(sa.select(table).where(mine))]
        assert connection.execute(change).rowcount == 1
    yield
    with session.database.exclusively(), session.database.engine.begin() as connection:
        connection.execute(sa.delete(table).where(mine))
        connection.execute(sa.insert(table), before)


def _document(session: Session[Notes], number: int) -> sa.ColumnElement[bool]:
    return sa.and_(documents.c.session_id == session.session_id, documents.c.document == number)


# There whole, or not at all


def test_a_document_is_read_back_as_it_was_added(notes: Session[Notes]) -> None:
    made = notes.library.add("log.txt", "text", PAGES, b"1", {"encoding": "utf-8"})
    assert notes.library.documents() == [made] == [notes.library.document("log.txt")]
    assert (made.name, made.kind, made.digest, made.passages) == ("log.txt", "text", b"1", 2)
    assert (made.detail, made.characters) == ({"encoding": "utf-8"}, sum(len(text) for _, text in PAGES))
    assert [(one.n, one.place, one.text) for one in notes.library.passages_of("log.txt")] == [
        (1, *PAGES[0]),
        (2, *PAGES[1]),
    ]
    assert notes.library.passage("log.txt", 2).text == PAGES[1][1]
    assert notes.library.text("log.txt") == "\n\n".join(text for _, text in PAGES)
    assert notes.library.verify() == 1


def test_the_documents_belong_to_all_branches_of_the_session_and_to_no_other_session(
    store: Store, notes: Session[Notes]
) -> None:
    branch = notes.fork("other")
    made = branch.library.add("log.txt", "text", PAGES, b"1")
    assert notes.library.documents() == [made]
    other = store.create(Notes())
    assert other.library.documents() == []
    assert other.library.search("valve") == []


def test_the_same_document_is_added_once_and_another_of_its_name_is_refused(notes: Session[Notes]) -> None:
    first = notes.library.add("log.txt", "text", PAGES, b"1")
    assert notes.library.add("log.txt", "text", broken(), b"1") == first
    with pytest.raises(Refused, match="another document"):
        notes.library.add("log.txt", "text", PAGES, b"2")
    assert notes.library.documents() == [first]


def test_a_document_whose_reading_fails_leaves_nothing_and_the_others_are_added(
    notes: Session[Notes],
) -> None:
    with notes.library.adding() as shelf:
        assert shelf.add("a", "text", PAGES, b"1")
        with pytest.raises(RuntimeError, match="damaged"):
            shelf.add("b", "text", broken(), b"2")
        assert shelf.add("c", "text", PAGES[:1], b"3")
        assert not shelf.add("c", "text", broken(), b"3")
        with pytest.raises(Refused, match="another document"):
            shelf.add("c", "text", PAGES, b"4")
    assert [(one.name, one.passages) for one in notes.library.documents()] == [("a", 2), ("c", 1)]
    assert [hit[:2] for hit in found(notes, "valve")] == [("a", 1), ("c", 1)]
    assert notes.library.verify() == 2


def test_what_was_written_before_an_interruption_stays_and_the_rest_is_added_the_next_time(
    notes: Session[Notes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelving, "BATCH", 100)
    names = [f"doc-{n}" for n in range(6)]
    with pytest.raises(KeyboardInterrupt), notes.library.adding() as shelf:
        for n, name in enumerate(names):
            shelf.add(name, "text", pages_of(n), bytes([n]))
            if n == 4:
                raise KeyboardInterrupt
    there = [one.name for one in notes.library.documents()]
    assert 0 < len(there) < 6
    with notes.library.adding() as shelf:
        fresh = [shelf.add(name, "text", pages_of(n), bytes([n])) for n, name in enumerate(names)]
    assert fresh == [name not in there for name in names]
    assert [one.name for one in notes.library.documents()] == names
    assert notes.library.verify() == 6
    assert {name for name, *_ in found(notes, " ".join(WORDS))} == set(names)


def test_a_document_that_does_not_fit_into_memory_or_a_segment_waits_on_disk(
    notes: Session[Notes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 1000)
    monkeypatch.setattr(index, "SEGMENT", 7)
    monkeypatch.setattr(shelving, "_ROWS", 5)
    notes.library.add("large", "text", pages_of(1, 50), b"1")
    assert [(one.place, one.text) for one in notes.library.passages_of("large")] == pages_of(1, 50)
    assert notes.library.verify() == 1
    monkeypatch.undo()
    other = notes.fork("b").library  # nothing is remembered of the segments there
    before = [(hit.passage.n, hit.score) for hit in other.search("valve of the river")]
    assert before == [(n, score) for _, n, score in found(notes, "valve of the river")]
    assert len(before) == 20


def test_many_workers_add_the_same_documents_at_once_and_each_is_there_once(
    own_store: Store, database_url: str
) -> None:
    session = own_store.create(Notes(), name="notes")
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        order = list(range(12))
        random.Random(seed).shuffle(order)
        try:
            with Store.open(database_url) as store, store.session("notes", Notes).library.adding() as shelf:
                for n in order:
                    shelf.add(f"doc-{n}", "text", pages_of(n), bytes([n]))
                    if n % 5 == 0:
                        shelf.flush()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    assert sorted(one.name for one in session.library.documents()) == sorted(f"doc-{n}" for n in range(12))
    assert session.library.verify() == 12
    other = own_store.create(Notes())
    for n in range(12):
        other.library.add(f"doc-{n}", "text", pages_of(n), bytes([n]))
    assert found(session, "valve river") == found(other, "valve river")


@pytest.mark.slow
def test_g11_documents_of_a_process_that_is_killed_are_there_whole_or_not_at_all(
    own_store: Store, database_url: str
) -> None:
    library = own_store.create(Notes(), name="notes").library
    chance = random.Random()
    there: set[str] = set()
    for _ in range(12):
        program = [sys.executable, filling.__file__, database_url]
        with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0, 0.25))
            process.kill()
        before, there = there, {one.name for one in library.documents()}
        assert before <= there
        assert library.verify() == len(there)
    filling.fill(database_url)
    assert [one.name for one in library.documents()] == [
        filling.name_of(number) for number in range(filling.DOCUMENTS)
    ]
    assert library.verify() == filling.DOCUMENTS
    for number in range(filling.DOCUMENTS):
        added = [(one.place, one.text) for one in library.passages_of(filling.name_of(number))]
        assert added == list(filling.passages_of(number))


@pytest.mark.parametrize(
    ("name", "place", "text", "complaint"),
    [
        ("", "p. 1", "text", "no name"),
        ("a\nb", "p. 1", "text", "no name"),
        ("a", "p. 1", "x" * 100_001, "100,001 characters"),
        ("a", "p" * 1001, "text", "1,001 characters"),
        ("a", "p. 1", "\ud800", "surrogate"),
        ("a", "p.\x00", "text", r"U\+0000"),
    ],
)
def test_what_no_database_can_hold_or_nobody_can_find_again_is_refused(
    notes: Session[Notes], name: str, place: str, text: str, complaint: str
) -> None:
    with pytest.raises(ValueRefused, match=complaint):
        notes.library.add(name, "text", [(place, text)], b"1")
    assert notes.library.documents() == []


def test_any_text_is_kept_to_the_letter(notes: Session[Notes]) -> None:
    odd = [("p. 1", "\x00\r\n\t\u2028 Ünïcode 漢 e\u0301"), ("p. 2", ""), ("‘3’", " ")]
    notes.library.add("Ärger: #1 – «draft».txt", "text", odd, b"")
    assert [(one.place, one.text) for one in notes.library.passages_of("Ärger: #1 – «draft».txt")] == odd
    source = notes.library.passage("Ärger: #1 – «draft».txt", 1).source
    assert notes.library.cited(source).text == odd[0][1]
    assert notes.library.verify() == 1


def test_what_is_not_there_is_not_found(notes: Session[Notes]) -> None:
    notes.library.add("log.txt", "text", PAGES, b"1")
    for look in (
        lambda: notes.library.document("other"),
        lambda: notes.library.passage("log.txt", 3),
        lambda: notes.library.passage("log.txt", 0),
        lambda: notes.library.text("other"),
        lambda: notes.library.search("pump", documents=["other"]),
        lambda: notes.library.cited("document:log.txt#9"),
        lambda: notes.library.cited("document:log.txt"),
        lambda: notes.library.cited("/findings"),
    ):
        with pytest.raises(NotFound):
            look()


# Found by what they say


def test_what_fits_best_is_found_first(notes: Session[Notes]) -> None:
    notes.library.add("log.txt", "text", PAGES, b"1")
    notes.library.add("river.txt", "text", [("p. 1", "The pump by the river. The river rose.")], b"2")
    assert [hit[:2] for hit in found(notes, "pump")] == [("log.txt", 2), ("river.txt", 1)]
    assert [hit[:2] for hit in found(notes, "river pump")] == [("river.txt", 1), ("log.txt", 2)]
    assert [hit[:2] for hit in found(notes, "3500 RPM?", limit=1)] == [("log.txt", 2)]
    assert found(notes, "nothing of that") == found(notes, "") == found(notes, "pump", limit=0) == []
    hits = notes.library.search("pump", documents=["river.txt"])
    assert [hit.passage.name for hit in hits] == ["river.txt"]
    assert hits[0].passage.text.startswith("The pump by the river")


def test_equals_come_by_name_and_number_and_a_limit_takes_the_first(notes: Session[Notes]) -> None:
    for name in ("b", "a", "Ä", "C"):
        notes.library.add(name, "text", [("p. 1", "the same"), ("p. 2", "the same")], name.encode())
    ordered = [(name, n) for name in ("C", "a", "b", "Ä") for n in (1, 2)]
    assert [hit[:2] for hit in found(notes, "same")] == ordered
    assert [hit[:2] for hit in found(notes, "same", limit=3)] == ordered[:3]


@pytest.mark.parametrize("batch", [1, 300, 10**9])
def test_what_is_found_depends_neither_on_order_nor_on_batches(
    notes: Session[Notes], store: Store, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"doc-{n}" for n in range(20)]
    for n, name in enumerate(names):
        notes.library.add(name, "text", pages_of(n), bytes([n]))
    monkeypatch.setattr(shelving, "BATCH", batch)
    other = store.create(Notes())
    shuffled = random.Random(batch).sample(range(20), 20)
    with other.library.adding() as shelf:
        for n in shuffled:
            shelf.add(names[n], "text", pages_of(n), bytes([n]))
    for query in ("valve", "the river of the night", "rpm meter pump open"):
        assert found(notes, query) == found(other, query) != []


def bm25(texts: dict[tuple[str, int], str], query: str) -> dict[tuple[str, int], float]:
    """The definition, written down once more."""
    bags = {place: Counter(terms_of(text)) for place, text in texts.items()}
    mean = sum(bag.total() for bag in bags.values()) / len(bags)
    scores: Counter[tuple[str, int]] = Counter()
    for term in set(terms_of(query)):
        holding = sum(term in bag for bag in bags.values())
        weight = math.log(1 + (len(bags) - holding + 0.5) / (holding + 0.5))
        for place, bag in bags.items():
            if term in bag:
                long = 1.2 * (0.25 + 0.75 * bag.total() / mean)
                scores[place] += weight * bag[term] * 2.2 / (bag[term] + long)
    return scores


def test_g13_what_is_found_is_what_bm25_says_on_both_databases(notes: Session[Notes]) -> None:
    texts = {}
    for n in range(12):
        notes.library.add(f"doc-{n:02}", "text", pages_of(n), bytes([n]))
        texts |= {(f"doc-{n:02}", i + 1): text for i, (_, text) in enumerate(pages_of(n))}
    for query in ("valve river", "the open rpm meter", "night"):
        expected = bm25(texts, query)
        ordered = sorted(expected, key=lambda place: (-round(expected[place], 9), place))
        hits = found(notes, query, limit=100)
        assert [hit[:2] for hit in hits] == ordered
        assert [hit[2] for hit in hits] == pytest.approx([expected[place] for place in ordered])


# Held to their digest, and taken away


def test_g08_a_document_that_was_changed_is_named_by_verify(notes: Session[Notes]) -> None:
    notes.library.add("log.txt", "text", PAGES, b"1")
    notes.library.add("other.txt", "text", PAGES, b"1")
    assert notes.verify().documents == 2
    number = notes.library.document("log.txt").number
    mine = (passages.c.session_id == notes.session_id, passages.c.document == number)
    for change in (
        sa.update(passages).where(*mine, passages.c.passage == 1).values(data=b"\x00The valve was shut."),
        sa.update(passages).where(*mine, passages.c.passage == 1).values(place="p. 7"),
        sa.update(passages).where(*mine, passages.c.passage == 1).values(digest=b"x" * 32),
        sa.update(passages).where(*mine, passages.c.passage == 2).values(data=b"\x09"),
        sa.delete(passages).where(*mine, passages.c.passage == 2),
        sa.delete(passages).where(*mine, passages.c.passage == 1),
        sa.update(documents).where(_document(notes, number)).values(kind="pdf"),
        sa.update(documents).where(_document(notes, number)).values(name="forged.txt"),
        sa.update(documents).where(_document(notes, number)).values(digest=b"2"),
        sa.update(documents).where(_document(notes, number)).values(passages=1),
    ):
        with undone(notes, change), pytest.raises(Tampered, match=r"log\.txt|forged\.txt"):
            notes.verify()
    assert notes.verify().documents == 2


def test_a_text_that_is_redacted_goes_from_the_documents_and_from_their_index(
    notes: Session[Notes],
) -> None:
    words = CANARY.split()
    parted = "\n ".join(words)
    texts = [("p. 1", f"It was {parted} who opened the valve."), ("p. 2", "Nobody else was there.")]
    notes.library.add("log.txt", "text", texts, b"1", {"title": CANARY})
    notes.library.add(f"{CANARY}.txt", "text", [(f"section '{CANARY}'", "Nothing.")], b"2")
    notes.transact(does("set", "text", CANARY), "ana")
    done = notes.redact("/text", author="chair", reason="asked for")
    assert done.erased["passages"] == 2
    assert [one.path for one in done.remains] == [f"the name of the document '{CANARY}.txt'"]
    assert any("over the end of a passage" in said for said in done.left)
    assert notes.library.passage("log.txt", 1).text == "It was [redacted] who opened the valve."
    assert notes.library.passage(f"{CANARY}.txt", 1).place == "section '[redacted]'"
    assert notes.library.document("log.txt").detail == {"title": "[redacted]"}
    assert [hit[:2] for hit in found(notes, "opened valve")] == [("log.txt", 1)]
    assert found(notes, words[-1]) == []
    assert notes.verify().documents == 2
    assert notes.fork("other").verify().documents == 2
    assert notes.library.verify() == 2


def test_a_redaction_that_leaves_recordings_leaves_documents_and_names_them(notes: Session[Notes]) -> None:
    notes.library.add("a.txt", "text", [("p. 1", CANARY), ("p. 2", "Open.")], b"1")
    notes.library.add("b.txt", "text", PAGES, b"2", {"title": CANARY})
    notes.library.add("c.txt", "text", PAGES, b"3")
    notes.transact(does("set", "text", CANARY), "ana")
    done = notes.redact("/text", author="chair", reason="asked for", recordings=False)
    assert [one.path for one in done.remains] == ["the document 'a.txt'", "the document 'b.txt'"]
    assert "passages" not in done.erased
    assert notes.library.passage("a.txt", 1).text == CANARY
    assert notes.verify().documents == 3


def test_what_was_redacted_is_in_no_table_and_in_no_file_any_more(own_store: Store, backend: str) -> None:
    session = own_store.create(Notes())
    pages = [(f"p. {n} {CANARY}", f"{'It was so. ' * n}{CANARY}{' It was so.' * n}") for n in range(40)]
    session.library.add("log.txt", "text", pages, b"1", {"title": [CANARY]})
    session.transact(does("set", "text", CANARY), "ana")
    assert "passages.data" in standing(session)
    assert session.redact("/text", author="chair", reason="asked for").erased["passages"] == 40
    assert standing(session) == []
    if backend == "sqlite":
        assert files_with(session) == []
    assert session.verify().documents == 1


def test_a_passage_that_is_taken_out_without_a_commit_that_says_so_is_tampering(
    notes: Session[Notes],
) -> None:
    notes.library.add("log.txt", "text", [("p. 1", f"It was {CANARY}."), ("p. 2", "Open.")], b"1")
    notes.transact(does("set", "text", CANARY), "ana")
    notes.redact("/text", author="chair", reason="asked for")
    with (
        undone(
            notes,
            sa.update(passages)
            .where(passages.c.session_id == notes.session_id, passages.c.passage == 1)
            .values(data=b"\x00It was ana."),
        ),
        pytest.raises(Tampered, match=r"log\.txt"),
    ):
        notes.verify()
    notes.verify()


def test_documents_and_their_index_are_counted(notes: Session[Notes]) -> None:
    before = notes.sizes()
    notes.library.add("log.txt", "text", PAGES, b"1")
    after = notes.sizes()
    beside = dict(after.beside)
    assert beside["documents"] > sum(len(place) for place, _ in PAGES)
    assert beside["index of the documents"] > 0
    assert after.total == before.total + beside["documents"] + beside["index of the documents"]


def segments(session: Session[Notes]) -> int:
    query = sa.select(sa.func.count(terms.c.segment.distinct())).where(
        terms.c.session_id == session.session_id
    )
    with session.database.engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def test_an_index_of_many_small_pieces_is_made_one_and_finds_the_same(
    notes: Session[Notes], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "MOST_SMALL", 5)
    monkeypatch.setattr(index, "SMALL", 20)
    for n in range(30):
        notes.library.add(f"doc-{n:02}", "text", pages_of(n), bytes([n]))
    assert segments(notes) < 10
    other = store.create(Notes())
    with other.library.adding() as shelf:
        for n in range(30):
            shelf.add(f"doc-{n:02}", "text", pages_of(n), bytes([n]))
    assert segments(other) == 1
    assert found(notes, "valve river", 100) == found(other, "valve river", 100)
    before = found(notes, "the meter")
    notes.library.index_again()
    assert segments(notes) == 1
    assert found(notes, "the meter") == before
    assert notes.library.verify() == 30


def test_an_index_that_does_not_hold_what_the_passages_say_is_found_and_can_be_made_again(
    notes: Session[Notes],
) -> None:
    notes.library.add("log.txt", "text", PAGES, b"1")
    mine = (terms.c.session_id == notes.session_id, terms.c.term == "valve")
    for change in (sa.delete(terms).where(*mine), sa.update(terms).where(*mine).values(term="value")):
        with undone(notes, change), pytest.raises(Tampered, match="index"):
            notes.library.verify()
    with notes.database.exclusively(), notes.database.engine.begin() as connection:
        connection.execute(sa.delete(terms).where(mine[0]))
    assert found(notes, "valve") == []
    notes.library.index_again()
    assert [hit[:2] for hit in found(notes, "valve")] == [("log.txt", 1)]
    assert notes.library.verify() == 1


def test_an_index_that_was_damaged_is_named_as_such(notes: Session[Notes]) -> None:
    notes.library.add("log.txt", "text", PAGES, b"1")
    mine = (terms.c.session_id == notes.session_id, terms.c.term == "valve")
    for data in (b"\x00\x05", b"\x07", b"\x00\x09\x01"):
        with undone(notes, sa.update(terms).where(*mine).values(postings=data)), pytest.raises(Tampered):
            notes.library.search("valve")
