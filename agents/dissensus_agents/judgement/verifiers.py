"""Executable checks of a proposal against something outside the models.

A verifier gets the proposed values (by JSON pointer) and the state (by field, or by JSON pointer)
and gives evidence: what it checked, and whether that stands. Only such evidence may be called
*verified*; where a verifier finds nothing to check, it gives none.

    AgentGraph.add_step(..., verifiers=[quotes_stand_in_sources(), arithmetic("verdict/reason")])

    @verifier
    def the_cause_is_known(proposed, state):
        return proposed["/verdict"]["cause"] in state["causes"] or "no such cause in the catalogue"
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from inspect import iscoroutinefunction
from itertools import islice
from typing import Any, Final, Protocol, TypeAlias, overload

from dissensus_state.errors import DissensusError
from dissensus_state.values import JSON, Path, parse_path, pointer

from ..errors import GraphError
from .equations import Equation, equations
from .fields import reach
from .quotations import quotations, sources, stands

MAX_CHECKS: Final = 1000
"""Pieces of evidence that are taken from one verifier on one proposal."""

MAX_TEXT: Final = 100_000
"""Characters of one text in which equations are looked for."""

_SHOWN: Final = 200

Values: TypeAlias = Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one check found.

    `path` is the JSON pointer of what was checked, `detail` a sentence for a person.
    """

    verifier: str
    version: str
    passed: bool
    path: str = ""
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The evidence as plain data, for storing."""
        return asdict(self)


class Verifier(Protocol):
    """A named, versioned check; a new version says that old evidence was found in another way."""

    @property
    def name(self) -> str:
        """What the check is called, in the history and in rulings."""

    @property
    def version(self) -> str:
        """Changes whenever the check does."""

    def verify(self, patch_values: Values, state: Values, /) -> Iterable[Evidence]:
        """Check what is proposed against the state as it was read."""


Answer: TypeAlias = "bool | str | Evidence | Iterable[Evidence]"
Check: TypeAlias = Callable[[Values, Values], Answer]


def run_verifiers(verifiers: Iterable[Verifier], patch_values: Values, state: Values) -> tuple[Evidence, ...]:
    """All evidence of some verifiers on one proposal.

    A verifier that raises, or that gives more than `MAX_CHECKS` pieces, is a failed check that says
    so: what it would have found is unknown, which is no reason to let the proposal pass.
    """
    return tuple(
        evidence
        for one in verifiers
        for evidence in _witnessed(one, partial(one.verify, patch_values, state))
    )


def _witnessed(one: Verifier, check: Callable[[], Iterable[object]]) -> list[Evidence]:
    """What a check gives, or that it broke down.

    The one border where any exception is caught: behind it is a user's code, and its failure is a
    finding about the proposal. An error of our own (a full budget, a lost database) goes on.
    """
    found: list[Evidence] = []
    try:
        for item in islice(check(), MAX_CHECKS + 1):
            found.append(item if isinstance(item, Evidence) else _odd(one, item))  # noqa: PERF401 - what was found before it broke is kept
    except DissensusError:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        found.append(failed(one, f"the verifier broke: {type(error).__name__}: {error}"))
    if len(found) > MAX_CHECKS:
        found[MAX_CHECKS:] = [failed(one, f"more than {MAX_CHECKS:,} checks: the rest is unknown")]
    return found


def passed(one: Verifier, detail: str, path: Path = ()) -> Evidence:
    """Evidence that a check holds."""
    text = short(detail, 3 * _SHOWN).encode(errors="replace").decode()  # else it can't be stored
    return Evidence(one.name, one.version, passed=True, path=pointer(path), detail=text)


def failed(one: Verifier, detail: str, path: Path = ()) -> Evidence:
    """Evidence that a check does not hold."""
    return replace(passed(one, detail, path), passed=False)


def _odd(one: Verifier, answer: object) -> Evidence:
    kind = type(answer).__name__
    return failed(one, f"the verifier gave {kind}, and not a bool, a str or Evidence")


def short(text: str, limit: int = _SHOWN) -> str:
    """A text as it is shown in evidence."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


@dataclass(frozen=True, slots=True)
class _Function:
    """A user's function as a verifier."""

    function: Check
    name: str
    version: str

    def verify(self, patch_values: Values, state: Values) -> list[Evidence]:
        return _witnessed(self, lambda: self._read(self.function(patch_values, state)))

    def _read(self, answer: object) -> Iterable[object]:
        if isinstance(answer, str):
            return [failed(self, answer) if answer else passed(self, "nothing to complain of")]
        if isinstance(answer, bool):
            return [passed(self, "holds") if answer else failed(self, "does not hold")]
        return answer if isinstance(answer, Iterable) else [answer]


@overload
def verifier(function: Check, *, name: str = "", version: str = "1") -> Verifier: ...


@overload
def verifier(*, name: str = "", version: str = "1") -> Callable[[Check], Verifier]: ...


def verifier(
    function: Check | None = None, *, name: str = "", version: str = "1"
) -> Verifier | Callable[[Check], Verifier]:
    """Make a verifier of a function; also as a decorator, with or without arguments.

    Args:
        function: Takes the proposed values and the state. It gives True, False, a complaint (the
            empty one: all is well), or its own Evidence. If it raises, the check has failed.
        name: What it is called; the function's name if there is none.
        version: Change it when the function changes.

    Raises:
        GraphError: the function is asynchronous.
    """
    if function is None:
        return partial(verifier, name=name, version=version)
    name = name or getattr(function, "__name__", type(function).__name__)
    if iscoroutinefunction(function):
        raise GraphError(
            f"The verifier {name!r} is asynchronous",
            next_step="Write it as a plain function that does its work before it returns",
        )
    return _Function(function, name, version)


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
