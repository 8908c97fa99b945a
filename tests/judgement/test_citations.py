"""The verifier of quotations from documents: word for word, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dissensus_agents.judgement.citations import quotes_stand_in_documents
from dissensus_agents.judgement.verifiers import Evidence, run_verifiers
from dissensus_state.documents import Passage
from dissensus_state.errors import NotFound
from dissensus_state.values import JSON

PAGES = {
    "p. 1": "The valve was open, and nobody had no-\nticed. The well-\nknown pump took 112 ms. It was",
    "p. 2": "switched off at night. The pump ran again.",
    "p. 3": "The pump ran again. The end.",
    "p. 3, part 2": "An appendix of three lines.",
}


class Shelf:
    """Documents in memory."""

    def __init__(self) -> None:
        self.read = 0

    def passages_of(self, name: str) -> Iterator[Passage]:
        if name != "log.pdf":
            raise NotFound(f"There is no document {name!r}")
        for n, (place, text) in enumerate(PAGES.items(), 1):
            self.read += 1
            yield Passage(1, name, n, place, text)


def _on(*quotes: JSON, strict: bool = False, shelf: Shelf | None = None) -> tuple[Evidence, ...]:
    check = quotes_stand_in_documents(shelf or Shelf(), strict=strict)
    return run_verifiers([check], {"/findings": list(quotes)}, {})


def _one(quote: JSON, place: JSON = None, source: JSON = "log.pdf", *, strict: bool = False) -> Evidence:
    (found,) = _on({"quote": quote, "source": source, "place": place}, strict=strict)
    return found


@pytest.mark.parametrize(
    ("quote", "place"),
    [
        ("The valve was open", "p. 1"),
        ("nobody had noticed", "p. 1"),
        ("The well-known pump", "p. 1"),
        ("It was switched off", "p. 1 to p. 2"),
        ("The pump ran again.", "p. 2"),
        ("appendix", "p. 3, part 2"),
    ],
)
def test_a_quotation_is_found_with_its_place(quote: str, place: str) -> None:
    found = _one(quote)
    assert found.passed
    assert found.path == "/findings/0"
    assert f"stands in 'log.pdf' at {place}: “{quote}”" == found.detail


@pytest.mark.parametrize(
    ("quote", "place", "at"),
    [
        ("The pump ran again.", "p. 3", "p. 3"),
        ("The pump ran again.", "Page 3", "p. 3"),
        ("The pump ran again.", "p.3", "p. 3"),
        ("appendix", "p. 3", "p. 3, part 2"),
        ("It was switched off", "p. 2", "p. 1 to p. 2"),
    ],
)
def test_a_quotation_that_stands_at_the_place_it_names_holds_strictly(
    quote: str, place: str, at: str
) -> None:
    found = _one(quote, place, strict=True)
    assert found.passed
    assert f"at {at}: " in found.detail


@pytest.mark.parametrize("strict", [False, True])
def test_of_a_quotation_at_another_place_the_right_place_is_told(*, strict: bool) -> None:
    found = _one("The valve was open", "p. 3", strict=strict)
    assert found.passed is not strict
    assert found.detail == "stands in 'log.pdf' at p. 1, not at p. 3: “The valve was open”"


@pytest.mark.parametrize(
    ("quote", "source", "complaint"),
    [
        ("The valve was shut", "log.pdf", "does not stand in 'log.pdf'"),
        ("12 ms", "log.pdf", "does not stand in 'log.pdf'"),
        ("valve", "other.pdf", "there is no document 'other.pdf'"),
        ("valve", None, "names no document"),
        ("valve", 3, "names no document"),
        (" \u200b", "log.pdf", "is empty"),
        (None, "log.pdf", "is empty"),
        ({"a": 1}, "log.pdf", "is empty"),
    ],
)
def test_what_does_not_stand_there_fails_and_says_why(quote: JSON, source: JSON, complaint: str) -> None:
    found = _one(quote, source=source)
    assert not found.passed
    assert complaint in found.detail


@pytest.mark.parametrize(
    ("quote", "source", "detail"),
    [
        ("The pump ran again.", "document:log.pdf#3", "stands in 'log.pdf' at p. 3: "),
        ("It was switched off", "document:log.pdf#2", "stands in 'log.pdf' at p. 1 to p. 2: "),
        ("The valve was open", "document:log.pdf#2", "stands in 'log.pdf' at p. 1, not at passage 2: "),
        ("The valve was shut", "document:log.pdf#1", "does not stand in 'log.pdf': "),
        ("The valve was open", "document:other.pdf#1", "there is no document 'other.pdf'"),
        ("The valve was open", "document:log.pdf", "there is no document 'document:log.pdf'"),
    ],
)
def test_a_source_may_be_the_passage_as_prompts_bear_it(quote: str, source: str, detail: str) -> None:
    found = _one(quote, source=source, strict=True)
    assert found.detail.startswith(detail)
    assert found.passed is (detail.startswith("stands") and "not at" not in detail)


def test_a_document_is_gone_through_once_for_all_its_quotations_and_only_as_far_as_needed() -> None:
    shelf = Shelf()
    quotes: list[JSON] = [
        {"quote": text, "source": "log.pdf"} for text in ("The valve", "switched off", "The valve")
    ]
    assert all(found.passed for found in _on(*quotes, shelf=shelf))
    assert shelf.read == 2


def test_evidence_comes_in_the_order_of_what_is_proposed() -> None:
    quotes: list[JSON] = [
        {"quote": "The end.", "source": "log.pdf"},
        "a bare text",
        {"quote": "x", "source": "other"},
    ]
    found = _on(*quotes)
    assert [one.path for one in found] == ["/findings/0", "/findings/1", "/findings/2"]
    assert [one.passed for one in found] == [True, False, False]
