"""Verifiers of form: a value fits a type or a JSON schema, a text matches a regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from dissensus_state.values import Path, canonical, parse_path

from ..errors import GraphError
from .evidence import Evidence, Values, failed, passed, short, unknown
from .fields import reach
from .json_schema import check_schema, complaint
from .sandbox.asking import Limits, NoSandbox, in_sandbox
from .witnessing import Verifier

MAX_MATCHED: Final = 1_000_000
"""Characters of all the texts together that one pattern is matched against."""

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class _Typed:
    path: Path
    adapter: TypeAdapter[Any]
    strict: bool
    name: str = "schema"
    version: str = "1"

    def verify(self, patch_values: Values, _: Values) -> Iterator[Evidence]:
        for path, value in reach(patch_values, self.path):
            try:
                self.adapter.validate_json(canonical(value), strict=self.strict)
            except ValidationError as error:
                yield failed(self, _complaints(error), path)
            else:
                yield passed(self, "fits", path)


def _complaints(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{'/'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in found[:_SHOWN]]
    more = len(found) - _SHOWN
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class _Described:
    path: Path
    schema: Mapping[str, Any]
    name: str = "schema"
    version: str = "1"

    def verify(self, patch_values: Values, _: Values) -> Iterator[Evidence]:
        for path, value in reach(patch_values, self.path):
            wrong = complaint(value, self.schema)
            yield failed(self, wrong, path) if wrong else passed(self, "fits", path)


def schema(path: str, form: Any, *, strict: bool = False) -> Verifier:
    """Check that a value has a form: a type of Python's, or a JSON schema.

    The schema of the state holds whole fields to their types; this is for what is inside of a free value, as
    a `dict[str, Any]`, and for a form that only this step asks for.

    Args:
        path: Where the value is proposed.
        form: A pydantic model or anything else that a `TypeAdapter` takes; or a JSON schema as a dictionary
            (2020-12: types, `enum`, `const`, bounds, `properties`, `items`, `anyOf`, `$ref` within it and
            so on).
        strict: A type takes no text for a number; of JSON schemas that is always so.

    Raises:
        GraphError: The schema uses a keyword that is not checked here: it is never passed over in silence.
    """
    if isinstance(form, Mapping):
        check_schema(form)
        return _Described(parse_path(path), form)
    return _Typed(parse_path(path), TypeAdapter(form), strict)


@dataclass(frozen=True, slots=True)
class _Matches:
    path: Path
    pattern: str
    flags: int
    whole: bool
    limits: Limits
    name: str = "matches"
    version: str = "1"

    def verify(self, patch_values: Values, _: Values) -> Iterator[Evidence]:
        """Match in a process of its own: a pattern that goes on for ever can't be stopped in this one."""
        found = list(reach(patch_values, self.path))
        texts = [(path, value) for path, value in found if isinstance(value, str)]
        yield from (
            failed(self, "it is no text", path) for path, value in found if not isinstance(value, str)
        )
        if sum(len(text) for _, text in texts) > MAX_MATCHED:
            yield unknown(self, f"more than {MAX_MATCHED:,} characters were not looked at", self.path)
            return
        if texts:
            yield from self._matched(texts)

    def _matched(self, texts: list[tuple[Path, str]]) -> Iterator[Evidence]:
        job = {
            "pattern": self.pattern,
            "flags": self.flags,
            "whole": self.whole,
            "texts": [text for _, text in texts],
        }
        try:
            report = in_sandbox("match", job, self.limits, "none")
        except NoSandbox as error:
            yield unknown(self, f"it could not be looked at: {error}", self.path)
            return
        held = {item.get("n"): item.get("ok") for item in report.told}
        shown = short(self.pattern)
        for n, (path, text) in enumerate(texts):
            if n not in held:
                why = f"the pattern was not done with it in {self.limits.seconds:g} seconds"
                yield unknown(self, f"{why}: {shown}", path)
            elif held[n]:
                yield passed(self, f"matches {shown}", path)
            else:
                yield failed(self, f"does not match {shown}: {short(text, 120)}", path)


def matches(
    path: str,
    pattern: str | re.Pattern[str],
    *,
    whole: bool = True,
    flags: int = 0,
    seconds: float = 1.0,
) -> Verifier:
    """Check that a text matches a regular expression.

    It is matched in a process of its own with a limit of time: a pattern that goes back and forth for ever
    on a text that was made for it is stopped, and has then found nothing.

    Args:
        path: Where the text is proposed.
        pattern: As `re` has it.
        whole: The whole text has to match, else some of it.
        flags: As `re` has them.
        seconds: How much of the processor it may take, in whole seconds from 1 up.

    Raises:
        GraphError: It is no regular expression.
    """
    try:
        compiled = re.compile(pattern, flags) if isinstance(pattern, str) else pattern
    except re.error as error:
        raise GraphError(f"{pattern!r} is no regular expression: {error}") from error
    return _Matches(
        parse_path(path), compiled.pattern, compiled.flags & ~re.DEBUG, whole, Limits(seconds, 512, 1, 1)
    )
