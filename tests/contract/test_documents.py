"""Documents of a session: there whole or not at all, found by what they say, and held to their digest."""

from __future__ import annotations

import pytest

from dissensus_state.errors import NotFound, Refused
from dissensus_state.sessions import Session
from inquiries import Notes

PAGES = [("p. 1", "The valve was open during the night."), ("p. 2", "The pumps ran at 3,500 rpm.")]


def test_a_document_is_read_back_as_it_was_added(notes: Session[Notes]) -> None:
    made = notes.library.add("log.txt", "text", PAGES, b"1", {"encoding": "utf-8"})
    assert notes.library.documents() == [made] == [notes.library.document("log.txt")]
    assert (made.name, made.kind, made.digest, made.passages) == ("log.txt", "text", b"1", 2)
    assert [(one.place, one.text) for one in notes.library.passages_of("log.txt")] == PAGES
    assert notes.library.passage("log.txt", 2).text == PAGES[1][1]
    assert notes.library.text("log.txt") == "\n\n".join(text for _, text in PAGES)
    assert notes.library.verify() == 1


def test_the_same_document_is_added_once_and_another_of_its_name_is_refused(notes: Session[Notes]) -> None:
    first = notes.library.add("log.txt", "text", PAGES, b"1")
    assert notes.library.add("log.txt", "text", [], b"1") == first
    with pytest.raises(Refused, match="another document"):
        notes.library.add("log.txt", "text", PAGES, b"2")
    assert notes.library.documents() == [first]


def test_what_fits_best_is_found_first(notes: Session[Notes]) -> None:
    notes.library.add("log.txt", "text", PAGES, b"1")
    hits = notes.library.search("pump 3500")
    assert [(hit.passage.name, hit.passage.n) for hit in hits] == [("log.txt", 2)]
    assert notes.library.search("nothing") == []
    with pytest.raises(NotFound):
        notes.library.search("pump", documents=["other.txt"])
