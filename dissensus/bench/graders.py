"""Graders: what an answer says, and what it is worth, from 0 to 1.

| kind | reads | is worth |
|---|---|---|
| `exact` | the whole answer | 1 if it is one of those expected, case and spaces aside |
| `choice` | a letter, by MMLU-Pro's rule, or an option word for word | 1 if it is the right one |
| `number` | the last number | 1 within the tolerance |
| `contains` | the whole answer | 1 if everything expected stands in it, case aside |
| `regex` | the whole answer | 1 if the expression is found in it |
| `f1` | the whole answer | F1 over words, the best of those expected |
| `json` | the JSON value | 1 if it is equal |
| `code` | a program | 1 if it passes the tests, or its calls give what is expected, behind walls |
| `function` | the whole answer | what a function of the user's says |
| `model` | the whole answer | what a model says: an opinion, and no evidence from outside of the models |
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dissensus_state.values import digest, store

from .reading import LETTERS, LONGEST, decimal_of, f1, number_of, option_of, plain

RIGHT = 0.5
"""The score from which on an answer counts as right where only right and wrong can be counted."""

Read = Callable[[str], "str | None"]
Score = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Grader:
    """How the answers to one item are read and scored.

    `read` gives an answer in a form in which two that say the same are equal, or None where it says
    nothing. `score` takes that form; None where a model is to be asked. `options` is among how many
    answers one chooses. `seal` is another one where what is expected is another; `kept` says that scoring
    takes long enough for its result to be kept.
    """

    kind: str
    read: Read
    score: Score | None
    options: int | None = None
    hint: str = ""
    by: str = ""
    seal: str = ""
    kept: bool = False

    @property
    def outside(self) -> bool:
        """Whether its word comes from outside of the models."""
        return self.score is not None


Load = Callable[[str], Any]


def grader_of(
    said: str | Mapping[str, Any] | None, expected: Any, options: Sequence[str], load: Load
) -> Grader:
    """The grader of an item.

    Args:
        said: A kind, a kind with settings, or None: what suits what is expected.
        expected: The right answer, in the form that the kind takes.
        options: What can be chosen from.
        load: Finds a function by `module:name`.

    Raises:
        ValueError: There is no such kind, or it does not fit what is expected.
    """
    given = {"kind": said} if isinstance(said, str) else dict(said or {"kind": _usual(expected, options)})
    kind, colon, rest = str(given.pop("kind", "")).partition(":")
    if colon:
        given[_SHORT.get(kind, "name")] = rest
    if kind not in _MAKERS:
        raise ValueError(f"there is no grader {kind!r}; there are {', '.join(_MAKERS)}")
    allowed = _SETTINGS.get(kind, ())
    if strange := sorted(given.keys() - set(allowed)):
        raise ValueError(f"the grader {kind} has no setting {strange[0]!r}")
    seal = digest(store([kind, expected, list(options), given])).hex()[:12]
    return replace(_MAKERS[kind](_Given(expected, options, given, load)), seal=seal)


_SHORT = {"function": "function", "model": "model", "number": "tolerance"}
_SETTINGS = {
    "number": ("tolerance", "relative"),
    "function": ("function",),
    "model": ("model",),
    "code": ("seconds",),
}


@dataclass(frozen=True, slots=True)
class _Given:
    expected: Any
    options: Sequence[str]
    settings: Mapping[str, Any]
    load: Load

    @property
    def texts(self) -> list[str]:
        """What is expected, as texts of which one will do (or all, where it says so)."""
        several = self.expected if isinstance(self.expected, list) else [self.expected]
        if not several or not all(isinstance(one, str | int | float) for one in several):
            raise ValueError("`expected` has to be a text, or a list of texts")
        return [one if isinstance(one, str) else json.dumps(one) for one in several]


def _usual(expected: Any, options: Sequence[str]) -> str:
    if options:
        return "choice"
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        return "number"
    if isinstance(expected, dict | bool) or (
        isinstance(expected, list) and not all(isinstance(one, str) for one in expected)
    ):
        return "json"
    if expected is None:
        raise ValueError("`expected` is missing, and no grader that could do without it is named")
    return "exact"


def _whole(text: str) -> str | None:
    return text.strip()[:LONGEST] or None


def _exact(given: _Given) -> Grader:
    right = {plain(one) for one in given.texts}
    return Grader("exact", lambda text: plain(text)[:LONGEST] or None, lambda said: float(said in right))


def _choice(given: _Given) -> Grader:
    options = given.options
    if not 2 <= len(options) <= len(LETTERS):
        raise ValueError(f"the grader choice needs 2 to {len(LETTERS)} options, not {len(options)}")
    right = _letter(given.expected, options)
    return Grader(
        "choice",
        lambda text: option_of(text[-LONGEST:], options),
        lambda said: float(said == right),
        options=len(options),
        hint="the letter of the right option",
    )


def _letter(expected: Any, options: Sequence[str]) -> str:
    if isinstance(expected, str) and len(expected) == 1 and expected.upper() in LETTERS[: len(options)]:
        return expected.upper()
    if isinstance(expected, str) and list(options).count(expected) == 1:
        return LETTERS[list(options).index(expected)]
    raise ValueError(
        f"`expected` is neither a letter up to {LETTERS[len(options) - 1]} nor one of the options"
    )


def _number(given: _Given) -> Grader:
    expected = given.expected
    right = None if isinstance(expected, bool) else decimal_of(str(expected).replace(",", "").strip())
    if right is None:
        raise ValueError(f"`expected` is no number: {str(expected)[:80]!r}")
    absolute, relative = (_tolerance(given.settings.get(name, 0)) for name in ("tolerance", "relative"))
    room = max(absolute, abs(right) * relative)

    def score(said: str) -> float:
        value = decimal_of(said)
        return float(value is not None and abs(value - right) <= room)

    return Grader("number", lambda text: number_of(text[-LONGEST:]), score, hint="a number")


def _tolerance(said: Any) -> Any:
    value = None if isinstance(said, bool) else decimal_of(str(said))
    if value is None or value < 0:
        raise ValueError(f"a tolerance is a number from 0 on, not {said!r}")
    return value


def _contains(given: _Given) -> Grader:
    wanted = [" ".join(one.casefold().split()) for one in given.texts]
    return Grader(
        "contains",
        _whole,
        lambda said: float(all(one in " ".join(said.casefold().split()) for one in wanted)),
    )


def _regex(given: _Given) -> Grader:
    try:
        wanted = [re.compile(one) for one in given.texts]
    except re.error as error:
        raise ValueError(f"`expected` is no regular expression: {error}") from None
    return Grader("regex", _whole, lambda said: float(any(one.search(said[:20_000]) for one in wanted)))


def _f1(given: _Given) -> Grader:
    wanted = given.texts
    return Grader("f1", _whole, lambda said: max(f1(said, one) for one in wanted))


def _json(given: _Given) -> Grader:
    right = store(given.expected)
    return Grader("json", json_of, lambda said: float(said == right), hint="the JSON value that is asked for")


def json_of(text: str) -> str | None:
    """The JSON value of an answer in canonical form, in which equal values are equal texts; or None."""
    from pydantic import TypeAdapter

    from dissensus_agents.errors import MalformedAnswer, WrongType
    from dissensus_agents.models.replies import read_answer
    from dissensus_state.errors import ValueRefused

    try:
        value, _ = read_answer(text, TypeAdapter(Any))
        return store(value)
    except (MalformedAnswer, WrongType, ValueRefused):
        return None


def _function(given: _Given) -> Grader:
    name = given.settings.get("function")
    if not name:
        raise ValueError('the grader function is written "function:MODULE:NAME"')
    function, expected = given.load(str(name)), given.expected
    if not callable(function):
        raise ValueError(f"{name} is no function")  # noqa: TRY004 - of the line, not of the program

    def score(said: str) -> float:
        value: Any = function(said, expected)
        worth = float(value) if isinstance(value, bool | int | float) else math.nan
        if not 0 <= worth <= 1:
            raise ValueError(f"{name} gave {value!r}, and a score is True, False, or a number from 0 to 1")
        return worth

    return Grader("function", _whole, score, by=str(name))


def _model(given: _Given) -> Grader:
    name = given.settings.get("model")
    if not isinstance(name, str) or not name:
        raise ValueError('the grader model is written "model:NAME", with the name of a model')
    return Grader("model", _whole, None, by=name, kept=True)


def _code(given: _Given) -> Grader:
    from dissensus_agents.judgement.programs import runs

    expected = given.expected
    if not isinstance(expected, dict):
        tests, calls = given.texts, {}
    else:
        tests, calls = [], expected
    if not tests and not calls:
        raise ValueError("`expected` has to be tests, or calls with what each gives")
    checks = runs("/code", tests=tests, expects=calls, seconds=float(given.settings.get("seconds", 5)))

    def score(said: str) -> float:
        (evidence,) = checks.verify({"/code": said}, {})
        if evidence.broke:
            raise ValueError(evidence.detail)
        return float(evidence.passed)

    hint = "the whole program, in Python"
    return Grader("code", _program, score, hint=hint, by="runs", kept=True)


def _program(text: str) -> str | None:
    """The last fenced block of an answer, or all of it."""
    blocks = re.findall(r"```[\w+-]*[^\S\n]*\n(.*?)\n?```", text[-LONGEST:], re.DOTALL)
    return (blocks[-1] if blocks else text).strip()[:LONGEST] or None


_MAKERS: dict[str, Callable[[_Given], Grader]] = {
    "exact": _exact,
    "choice": _choice,
    "number": _number,
    "contains": _contains,
    "regex": _regex,
    "f1": _f1,
    "json": _json,
    "code": _code,
    "function": _function,
    "model": _model,
}
