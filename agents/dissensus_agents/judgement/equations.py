"""Finds and recomputes the plain equations of a text: "3 * (4 + 5) = 27", and nothing cleverer.

Only numbers, + - * / ^ and parentheses, worked out in exact fractions by a parser of its own; no
`eval`. What it is not sure of it leaves alone: variables, functions, units, percentages on the left
side, an expression that began before what can be read. It can still be wrong where a text writes
"=" for something else, so a failing equation is a hint for review, and no proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

MAX_EXPRESSION = 200
"""Characters before an equals sign that are read."""

MAX_TOKENS = 64
MAX_BITS = 1000
"""Bits of a numerator or denominator: 300 digits."""

_PLAIN = "0123456789.,+-*/^() \t"
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("\u2212\u2013\u2014", "-"),
        **dict.fromkeys("\u00d7\u00b7\u22c5\u2219", "*"),
        **dict.fromkeys("\u00f7", "/"),
        **dict.fromkeys("$\u20ac\u00a3\u00a5\u00a0\u202f\u2009", " "),
    }
)
_REWRITTEN = (
    (re.compile(r"\\(?:times|cdot)\b"), "*"),
    (re.compile(r"\\div\b"), "/"),
    (re.compile(r"\\(?:left|right)\b|\\[()\[\],;! ]"), " "),
    (re.compile(r"(?<=[\d)])\s+[xX]\s+(?=[\d(])"), " * "),
    (re.compile(r"(?<=[\d)])\*\*(?=[\d(])"), "^"),
    (re.compile(r"\*\*"), "  "),  # Markdown's bold
)
_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
_TOKEN = re.compile(rf"\s*(?:({_NUMBER})|([-+*/^()]))")
_CLAIM = re.compile(rf"[ \t]*([-+]?)[ \t]*({_NUMBER})(?![.,:]?\w|\(|, [0-9]{{3}}\b)([ \t]?%)?")
_GOES_ON = re.compile(
    r"[ \t]*(?:[+*/^]|-[ \t]*(?:[\d(]|[a-z]\b)|\d|\(?(?:mod|modulo|rem|remainder|r|hundred|thousand"
    r"|million|billion|trillion|dozen|x|times|plus|minus|over)\b)",
    re.IGNORECASE,
)
_MODULAR = re.compile(r"\bmod(?:ulo)?\b|\u2261|\bZ_\d", re.IGNORECASE)
"""In a line of such arithmetic "=" means another thing."""

_BREAK = re.compile(r"[.,]\s+")
_MARKER = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")
_WORD_BEFORE = re.compile(r"(\\|[\d)][ \t]*)?\b([A-Za-z]+)$")
_OPERATING = re.compile(
    "by|cos|exp|lg|ln|log|minus|mod|of|over|per|plus|root|sin|sqrt|tan|than|times|x", re.IGNORECASE
)
_OPENING = frozenset(":;=<>?[{|\"'`\n")


class _NotPlainError(ValueError):
    """Not an expression that can be worked out here."""


@dataclass(frozen=True, slots=True)
class Equation:
    """An equation as a text states it: `expression = claimed`, and what it comes to.

    `decimals` is how many the claimed number is written with.
    """

    expression: str
    written: str
    computed: Fraction
    claimed: Fraction
    decimals: int
    percent: bool = False

    @property
    def result(self) -> str:
        """What the expression comes to, to six digits."""
        if self.computed.denominator == 1 and abs(self.computed) < 10**15:
            return f"{int(self.computed):,}"
        return f"{self.computed.numerator / self.computed.denominator:.6g}"

    def holds(self, tolerance: float = 0.0) -> bool:
        """Whether the claimed number is right, as exactly as it is written.

        A whole result must be given exactly; any other may be rounded or cut off at the last digit
        that is written. `tolerance` (a share of the result) is allowed on top.
        """
        return self._near(1, tolerance) or (self.percent and self._near(100, tolerance))

    def _near(self, scale: int, tolerance: float) -> bool:
        result = self.computed * scale
        gap = abs(result - self.claimed)
        if gap <= Fraction(tolerance) * abs(result):
            return True
        unit = Fraction(1, 10**self.decimals)
        return gap < (unit if self.decimals else unit / 2)


def equations(text: str, limit: int) -> Iterator[Equation]:
    """The plain equations of a text, at most `limit`, in their order."""
    plain = text.translate(_SIGNS)
    for pattern, replacement in _REWRITTEN:
        plain = pattern.sub(replacement, plain)
    at = plain.find("=")
    while at >= 0 and limit > 0:
        found = _equation(plain, at)
        if found is not None:
            limit -= 1
            yield found
        at = plain.find("=", at + 1)


def _equation(text: str, at: int) -> Equation | None:
    if _MODULAR.search(_line(text, at)):
        return None
    claim = _CLAIM.match(text, at + 1, at + 1 + MAX_EXPRESSION)
    if claim is None or _GOES_ON.match(text, claim.end()):
        return None
    expression = _expression(text[max(0, at - MAX_EXPRESSION) : at], begins=at <= MAX_EXPRESSION)
    try:
        computed = _compute(expression)
    except _NotPlainError:
        return None
    sign, number, percent = claim.groups()
    return Equation(
        " ".join(expression.split()),
        (sign + number + (percent or "")).strip(),
        computed,
        _number(sign + number),
        len(number.partition(".")[2]),
        percent is not None,
    )


def _line(text: str, at: int) -> str:
    """The line around a place, as far as it is read."""
    begin = text.rfind("\n", max(0, at - MAX_EXPRESSION), at) + 1 or max(0, at - MAX_EXPRESSION)
    end = text.find("\n", at, at + MAX_EXPRESSION)
    return text[begin : end if end >= 0 else at + MAX_EXPRESSION]


def _expression(before: str, *, begins: bool) -> str:
    """The expression that ends a text; empty where it may have begun with something else."""
    context = before.rstrip(_PLAIN)
    tail = before[len(context) :]
    if not context and not begins:
        return ""
    if not context or context.endswith("\n"):
        tail = _MARKER.sub("", tail, count=1) if _MARKER.match(tail) else tail
    *earlier, tail = _BREAK.split(tail)
    if not earlier and not _may_follow(context, tail):
        return ""
    tail = tail.strip()
    while tail.startswith("(") and tail.count("(") > tail.count(")"):
        tail = tail[1:].lstrip()
    return tail


def _may_follow(context: str, tail: str) -> bool:
    """Whether an expression can begin after this text: not after a variable, a unit, a function."""
    if not context or context[-1] in _OPENING:
        return True
    word = _WORD_BEFORE.search(context[-20:])
    if word is None or not tail[:1].isspace() or tail.lstrip()[:1] in "+-*/^":
        return False
    return word[1] is None and not _OPERATING.fullmatch(word[2])


def _compute(expression: str) -> Fraction:
    tokens = _tokens(expression)
    if len(tokens) < 3 or not any(symbol in "+-*/^" for symbol in tokens[:-1]):
        raise _NotPlainError
    result = _sum(tokens)
    if tokens:
        raise _NotPlainError
    return result


def _tokens(expression: str) -> list[str]:
    """The tokens in reverse, so that the next one is popped off the end."""
    tokens: list[str] = []
    at, end = 0, len(expression.rstrip())
    while at < end:
        match = _TOKEN.match(expression, at, end)
        if match is None or len(tokens) == MAX_TOKENS:
            raise _NotPlainError
        tokens.append(match[1] or match[2])
        at = match.end()
    return tokens[::-1]


def _sum(tokens: list[str]) -> Fraction:
    result = _product(tokens)
    while tokens and tokens[-1] in "+-":
        sign = 1 if tokens.pop() == "+" else -1
        result = _bounded(result + sign * _product(tokens))
    return result


def _product(tokens: list[str]) -> Fraction:
    result = _signed(tokens)
    while tokens and tokens[-1] in "*/":
        divides = tokens.pop() == "/"
        factor = _signed(tokens)
        if divides and not factor:
            raise _NotPlainError
        result = _bounded(result / factor if divides else result * factor)
    return result


def _signed(tokens: list[str]) -> Fraction:
    if tokens and tokens[-1] == "-":
        tokens.pop()
        return -_signed(tokens)
    base = _atom(tokens)
    if not (tokens and tokens[-1] == "^"):
        return base
    tokens.pop()
    return _power(base, _signed(tokens))


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if exponent.denominator != 1 or (not base and exponent < 0):
        raise _NotPlainError
    if abs(exponent) * bits > MAX_BITS:
        raise _NotPlainError
    return base ** int(exponent)


def _atom(tokens: list[str]) -> Fraction:
    symbol = tokens.pop() if tokens else ""
    if symbol == "(":
        inner = _sum(tokens)
        if not tokens or tokens.pop() != ")":
            raise _NotPlainError
        return inner
    if symbol in {"", *"+-*/^)"} or (symbol[0] == "0" and symbol[1:2].isdigit()):
        raise _NotPlainError  # an operator out of place, or part of a date or a code
    return _number(symbol)


def _number(digits: str) -> Fraction:
    return Fraction(digits.replace(",", ""))


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise _NotPlainError
    return value
