"""Executable checks of a proposal against something outside the models.

A verifier gets the proposed values (by JSON pointer) and the state (by field, or by JSON pointer)
and gives evidence: what it checked, and whether that stands. Only such evidence may be called
*verified*; where a verifier finds nothing to check, it gives none.

    AgentGraph.add_step(..., verifiers=[quotes_stand_in_sources(), arithmetic("verdict/reason")])

    @verifier
    def the_cause_is_known(proposed, state):
        return proposed["/verdict"]["cause"] in state["causes"] or "no such cause in the catalogue"

Here are the two that search and compute; the others stand beside: `functions`, `lookups`, `forms`,
`programs` (code that is run), `querying`, `citations`, `opinions` (a model, as the last resort).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dissensus_state.values import JSON, Path, parse_path

from .equations import Equation, equations
from .evidence import Evidence, Values, failed, passed, short
from .fields import reach
from .functions import verifier
from .quotations import quotations, sources, stands
from .witnessing import MAX_CHECKS, AnyVerifier, Verifier, run_verifiers

__all__ = [
    "MAX_CHECKS",
    "MAX_TEXT",
    "AnyVerifier",
    "Evidence",
    "Values",
    "Verifier",
    "arithmetic",
    "quotes_stand_in_sources",
    "run_verifiers",
    "verifier",
]

MAX_TEXT: Final = 100_000
"""Characters of one text in which equations are looked for."""


@dataclass(frozen=True, slots=True)
class _Quotes:
    quotes: Path
    sources: Path
    quote_key: str
    source_key: str
    name_key: str
    text_key: str
    name: str = "quotes_stand_in_sources"
    version: str = "1"

    def verify(self, patch_values: Values, state: Values) -> Iterator[Evidence]:
        texts = dict(sources(state, self.sources, self.name_key, self.text_key))
        keys = frozenset((self.quote_key, self.source_key))
        for top, value in reach(patch_values, self.quotes):
            for path, quotation in quotations(top, value, keys):
                yield self._check(path, quotation, texts)

    def _check(self, path: Path, quotation: JSON, texts: Mapping[str, str]) -> Evidence:
        quote, source = quotation, None
        if isinstance(quotation, dict):
            quote, source = quotation.get(self.quote_key), quotation.get(self.source_key)
        if not isinstance(quote, str) or not quote.strip():
            return failed(self, "the quotation is empty", path)
        shown = f"“{short(quote)}”"
        if not isinstance(source, str) or not source:
            return failed(self, f"the quotation names no source: {shown}", path)
        if source not in texts:
            known = short(", ".join(sorted(texts)) or "none")
            return failed(self, f"there is no source {short(source)!r} (known: {known})", path)
        if stands(quote, texts[source]):
            return passed(self, f"stands in {short(source)!r}: {shown}", path)
        return failed(self, f"does not stand in {short(source)!r}: {shown}", path)


def quotes_stand_in_sources(
    quotes: str = "verdict/evidence",
    sources: str = "documents",
    quote_key: str = "quote",
    source_key: str = "source",
    *,
    name_key: str = "name",
    text_key: str = "text",
) -> Verifier:
    """Check that every quotation stands word for word in the source that it names.

    White space, Unicode form and typographic quotation marks are folded; case counts. A number at
    the edge of a quotation must be whole: "12 ms" does not stand in "112 ms". A quotation that is
    empty, names no source, or names one that is not there has failed.

    Args:
        quotes: Where quotations are proposed: one, a list, or anything that holds them; lists on
            the way are passed through (`findings/quotes`).
        sources: Where the sources stand in the state: an object of texts by name, or of objects
            with a text, or a list of objects with a name and a text.
        quote_key: The field of a quotation's words.
        source_key: The field of its source's name.
        name_key: The field of a source's name, where sources are a list.
        text_key: The field of a source's text, where sources are objects.
    """
    return _Quotes(parse_path(quotes), parse_path(sources), quote_key, source_key, name_key, text_key)


@dataclass(frozen=True, slots=True)
class _Arithmetic:
    text: Path
    tolerance: float
    name: str = "arithmetic"
    version: str = "1"

    def verify(self, patch_values: Values, _state: Values) -> Iterator[Evidence]:
        for top, value in reach(patch_values, self.text):
            for path, text in _texts(top, value):
                for equation in equations(text[:MAX_TEXT], MAX_CHECKS + 1):
                    yield self._check(path, equation)
                if len(text) > MAX_TEXT:
                    yield failed(self, f"only {MAX_TEXT:,} characters were read", path)

    def _check(self, path: Path, equation: Equation) -> Evidence:
        stated = f"{equation.expression} = {equation.written}"
        if equation.holds(self.tolerance):
            return passed(self, stated, path)
        return failed(self, f"{stated}: it comes to {equation.result}", path)


def arithmetic(text: str = "", *, tolerance: float = 0.0) -> Verifier:
    """Check the plain equations ("3 * 4 = 12") of a text by working them out again.

    Only numbers, + - * / ^ and parentheses are read; variables, functions and units are left alone.
    A whole result must be given exactly, any other may be rounded or cut off at its last digit. A
    failure is a hint: a text may write "=" for something else, as in arithmetic modulo 5.

    Args:
        text: Where the text is proposed, or what holds texts; everything proposed, if empty.
        tolerance: Share of the result that a stated number may be off, on top of rounding.
    """
    return _Arithmetic(parse_path(text), tolerance)


def _texts(at: Path, value: JSON) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, dict | list):
        for token, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts((*at, str(token)), item)
