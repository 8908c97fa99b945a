"""The verifier of quotations from the documents of a session."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from dissensus_state.documents import Passage, cited
from dissensus_state.errors import NotFound
from dissensus_state.values import JSON, Path, parse_path

from .evidence import Evidence, Values, failed, passed, short
from .fields import reach
from .quotations import folded, quotations, stands_on_page
from .witnessing import Verifier

_MARGIN = 200
"""Characters around a quotation that runs over the end of a passage: white space and headers."""

_page = re.compile(r"(?:pages?|pp?)\b\.?\s*(?=\d)")


class Documents(Protocol):
    """Where documents are read: the library of a session, or what a test puts in its place."""

    def passages_of(self, name: str, /) -> Iterator[Passage]:
        """The passages of a document in order; `NotFound` where there is none of that name."""


@dataclass(slots=True)
class _Asked:
    """A quotation that names its document, and where it was found."""

    path: Path
    quote: str
    wanted: str
    source: str
    place: str
    n: int | None = None
    found: str | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class _Citations:
    documents: Documents
    quotes: Path
    quote_key: str
    source_key: str
    place_key: str
    strict: bool
    name: str = "quotes_stand_in_documents"
    version: str = "2"

    def verify(self, patch_values: Values, _: Values) -> Iterator[Evidence]:
        """Look every quotation up; a document is gone through once for all quotations from it."""
        keys = frozenset((self.quote_key, self.source_key))
        read = [
            self._read(path, quotation)
            for top, value in reach(patch_values, self.quotes)
            for path, quotation in quotations(top, value, keys)
        ]
        asked = [one for one in read if isinstance(one, _Asked)]
        known = {source: self._find(source, asked) for source in dict.fromkeys(one.source for one in asked)}
        for one in read:
            yield one if isinstance(one, Evidence) else self._evidence(one, known=known[one.source])

    def _read(self, path: Path, quotation: JSON) -> _Asked | Evidence:
        given: Mapping[str, JSON] = quotation if isinstance(quotation, dict) else {self.quote_key: quotation}
        quote, source, place = (given.get(key) for key in (self.quote_key, self.source_key, self.place_key))
        if not isinstance(quote, str) or not folded(quote):
            return failed(self, "the quotation is empty", path)
        if not isinstance(source, str) or not source:
            return failed(self, f"the quotation names no document: “{short(quote)}”", path)
        name, n = cited(source) or (source, None)
        return _Asked(path, quote, folded(quote), name, place if isinstance(place, str) else "", n)

    def _find(self, source: str, asked: list[_Asked]) -> bool:
        """Find where the quotations from a document stand; whether there is such a document."""
        wanted = [one for one in asked if one.source == source]
        margin = _MARGIN + max(len(one.quote) for one in wanted)
        end = ""
        before: Passage | None = None
        try:
            for passage in self.documents.passages_of(source):
                for one in wanted:
                    _look(one, passage)
                    if one.found is None and before is not None:
                        _look_over(one, f"{end}\n{passage.text[:margin]}", before, passage)
                wanted = [one for one in wanted if not one.held]
                if not wanted:
                    break
                end, before = passage.text[-margin:], passage
        except NotFound:
            return False
        return True

    def _evidence(self, one: _Asked, *, known: bool) -> Evidence:
        where, shown = short(repr(one.source)), f"“{short(one.quote)}”"
        if not known:
            return failed(self, f"there is no document {where}", one.path)
        if one.found is None:
            return failed(self, f"does not stand in {where}: {shown}", one.path)
        if one.held:
            return passed(self, f"stands in {where} at {one.found}: {shown}", one.path)
        say = failed if self.strict else passed
        stated = short(one.place) if one.place else f"passage {one.n}"
        return say(self, f"stands in {where} at {one.found}, not at {stated}: {shown}", one.path)


def _look(one: _Asked, passage: Passage) -> None:
    """Look on one passage; the search ends where the quotation stands at the place that it names."""
    here = _is_where(one, passage)
    if (here or one.found is None) and stands_on_page(one.wanted, passage.text):
        one.found, one.held = passage.place, here


def _look_over(one: _Asked, text: str, before: Passage, after: Passage) -> None:
    """Look over the end of a passage."""
    if stands_on_page(one.wanted, text):
        one.found = f"{before.place} to {after.place}"
        one.held = _is_where(one, before) or _is_where(one, after)


def _is_where(one: _Asked, passage: Passage) -> bool:
    """Whether a passage is where a quotation says that it stands; anywhere, if it does not say."""
    right = one.n is None or passage.n == one.n
    return right and (not one.place or _is_at(one.place, passage.place))


def _is_at(stated: str, place: str) -> bool:
    """Whether a stated place is that of a passage: "page 12" is "p. 12", also of its second part."""
    said, stands = _folded_place(stated), _folded_place(place)
    return stands == said or stands.startswith(f"{said},")


def _folded_place(place: str) -> str:
    return _page.sub("p. ", " ".join(place.casefold().split()))


def quotes_stand_in_documents(
    library: Documents,
    quotes: str = "findings",
    quote_key: str = "quote",
    source_key: str = "source",
    place_key: str = "place",
    *,
    strict: bool = False,
) -> Verifier:
    """Check that every quotation stands word for word in the document of the session that it names.

    It is compared as by `quotes_stand_in_sources`; words that are parted at the end of a line are whole, and
    a quotation may run over the end of a passage. Evidence tells at which place it stands.

    Args:
        library: `session.library` of the session that the step runs on.
        quotes: Where quotations are proposed: one, a list, or anything that holds them.
        quote_key: The field of a quotation's words.
        source_key: The field of its document's name, or of the passage's source as prompts bear it
            (`document:NAME#12`).
        place_key: The field of its place in the document, as its passages say it; it may be missing.
        strict: What stands at another place than it says has failed; else only the right place is told.
    """
    return _Citations(library, parse_path(quotes), quote_key, source_key, place_key, strict)
