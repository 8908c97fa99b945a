"""A number or a calculation at the beginning or the end of a text, with units and percent, worked out.

Leniently, in floating point, and without `eval`: what can't be made out is left alone.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TypeAlias

MAX_READ = 300
"""Characters beside an equals sign that are read."""

MAX_TOKENS = 64

_TOKEN = re.compile(
    r"(?P<space>[ \t]+)"
    r"|(?P<power>(?<!\^)(?<!\^-)(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)? ?\* ?10\^-?\d{1,3}(?![\d.]))"
    r"|(?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3}(?![\w.]))?|\.\d+)"
    r"|(?P<word>[A-Za-z_µμΩ']+)"
    r"|(?P<sign>[-+*/^()\[\]%])"
    r"|(?P<other>.)",
    re.DOTALL,
)
_UNITS = frozenset(
    "m s g h V W J N K C F L Hz kHz MHz GHz km cm mm nm kg mg ml mL dl hr hrs min sec ms ft in lb lbs oz mi "  # noqa: SIM905
    "mph psi Pa kPa MPa atm mol eV keV MeV kJ kW MW kWh cal kcal BTU Btu rad deg dB ohm ohms µm μm Ω µF mA "
    "mV kV kN Nm bits bytes KB MB GB".split()
)
_MEANS = re.compile(
    "mod|modulo|rem|remainder|r|hundred|thousand|million|billion|trillion|dozen|times|plus|minus|over|by|of|"
    "per|with|log|ln|lg|exp|sin|cos|tan|cot|sec|arc\\w+|root|than|th|st|nd|rd|factorial|choose|if|or|e|i|j|pi|"
    "x|y|z|n|k"
)
"""Words that say something about the number beside them; where one stands, the sum is left alone."""

_POWER = re.compile(r" ?\* ?10\^")
_ENDS = frozenset(".,;:!?\n\"'|)]<>→⇒")
"""What may follow an expression."""

_MAY_STAND_BEFORE = frozenset(":;,.!?\n\"'|<>→⇒∴")

Token: TypeAlias = tuple[str, str]


class _UnclearError(ValueError):
    """Not a calculation that can be worked out here."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an equality: as it is written, and what it comes to.

    `first` is its first number, `operators` are how many signs it has. `decimals` are how many a single
    number is written with (None: it is none), `digits` its significant ones where these can be told, else 9.
    """

    text: str
    value: float
    first: float
    operators: int
    decimals: int | None
    digits: int
    units: bool
    percent: bool


def ending(text: str) -> Side | None:
    """The expression that ends a text; None where there is none, or where it may have begun before."""
    tokens = _lexed(text[-MAX_READ:])
    while tokens and tokens[-1][0] == "space":
        tokens.pop()
    begin = _begin(tokens)
    rest = tokens[begin:]
    spaced = bool(rest) and rest[0][0] == "space"
    rest = rest[spaced:]
    if not rest or rest[0][1] in "+*/^)]%" or not _may_begin(tokens[:begin], rest, spaced=spaced):
        return None
    try:
        return _side(rest, whole=True)
    except _UnclearError:
        return None


def beginning(text: str) -> Side | None:
    """The expression that begins a text; None where there is none, or where it goes on unclearly."""
    try:
        return _side(_lexed(text[:MAX_READ]), whole=False)
    except _UnclearError:
        return None


def _lexed(text: str) -> list[Token]:
    """Its tokens; "3 * 10^8" is one number, as "2 / 3 * 10^8" is meant."""
    found = ((match.lastgroup or "", match[0]) for match in _TOKEN.finditer(text))
    return [("number" if kind == "power" else kind, symbol) for kind, symbol in found]


def _begin(tokens: list[Token]) -> int:
    """Where the last expression of a text may begin."""
    begin, depth = len(tokens), 0
    while begin > 0:
        kind, symbol = tokens[begin - 1]
        if kind == "other" or (kind == "word" and symbol != "sqrt" and not _is_unit(tokens, begin - 1)):
            break
        depth += (symbol in ")]") - (symbol in "([")
        if depth < 0:
            break
        begin -= 1
    return begin


def _may_begin(before: list[Token], rest: list[Token], *, spaced: bool) -> bool:
    """Whether an expression can begin after this: not after a variable, a function, half a number."""
    kind, symbol = before[-1] if before else ("", "")
    if kind == "word":
        return spaced and rest[0][1] != "-" and not _MEANS.fullmatch(symbol.lower())
    if kind == "other":
        return symbol in _MAY_STAND_BEFORE and (spaced or symbol not in ",.")
    return True


def _is_unit(tokens: list[Token], at: int) -> bool:
    """Whether a word is the unit of the number before it."""
    word = tokens[at][1]
    if word not in _UNITS and (len(word) < 2 or "_" in word or _MEANS.fullmatch(word.lower())):
        return False
    back = at - 1
    spaced = back >= 0 and tokens[back][0] == "space"
    back -= spaced
    if back < 0:
        return False
    kind, symbol = tokens[back]
    after_value = kind == "number" or symbol in ")]%"
    compound = (
        symbol in "*/" and back > 0 and (tokens[back - 1][0] == "word" or word in _UNITS or len(word) > 2)
    )
    if not (after_value or compound or (kind == "word" and word in _UNITS)):
        return False
    if not spaced and after_value and word not in _UNITS:
        return False
    ahead = at + 1
    while ahead < len(tokens) and tokens[ahead][0] == "space":
        ahead += 1
    return (
        ahead >= len(tokens)
        or tokens[ahead][1] in "+-*/^)]="
        or tokens[ahead][0] == "other"
        or word in _UNITS
    )


def _side(tokens: list[Token], *, whole: bool) -> Side:
    gathered = _Gathered(tokens, whole=whole)
    gathered.gather()
    kept = gathered.kept
    if not kept or len(kept) > MAX_TOKENS:
        raise _UnclearError
    parser = _Parser(kept)
    value = parser.sum()
    if parser.at < len(kept) or not math.isfinite(value):
        raise _UnclearError
    decimals, digits = _written([symbol for symbol in kept if symbol != "-"])
    operators = sum(symbol in "+-*/^" for symbol in kept[1:]) + kept.count("sqrt") - gathered.percents
    text = " ".join("".join(symbol for _, symbol in tokens).split())[:120]
    return Side(text, value, _first(kept), operators, decimals, digits, gathered.units, gathered.percents > 0)


def _first(kept: list[str]) -> float:
    return next((float(symbol.replace(",", "")) for symbol in kept if symbol[0] in ".0123456789"), math.nan)


def _written(kept: list[str]) -> tuple[int | None, int]:
    """How exactly a number is written: its decimals, and its significant digits."""
    if len(kept) != 1:
        return None, 9
    number = kept[0].lower()
    digits = len(re.sub(r"[,.]|e.*", "", number).lstrip("0"))
    if "e" in number:
        return None, digits
    return len(number.partition(".")[2]), digits if "." in number else 9


@dataclass
class _Gathered:
    """The numbers and signs of an expression without its units.

    All tokens are one expression (`whole`), or the expression begins them, and ends where something else
    does.
    """

    tokens: list[Token]
    whole: bool
    kept: list[str] = field(default_factory=list)
    units: bool = False
    percents: int = 0
    at: int = 0
    depth: int = 0

    def gather(self) -> None:
        while self.at < len(self.tokens):
            kind, symbol = self.tokens[self.at]
            if kind != "space" and not self._take(kind, symbol):
                break
            self.at += 1
        if self.kept and self.kept[-1] in {"+", "-", "*", "/", "^", "(", "sqrt"}:
            raise _UnclearError

    @property
    def _after_value(self) -> bool:
        return bool(self.kept) and (self.kept[-1] == ")" or self.kept[-1][-1].isdigit())

    @property
    def _spaced(self) -> bool:
        return self.at > 0 and self.tokens[self.at - 1][0] == "space"

    def _take(self, kind: str, symbol: str) -> bool:
        """Take a token; whether the expression goes on."""
        if kind == "number":
            if self._after_value:
                raise _UnclearError
            self.kept.append(_POWER.sub("e", symbol))
        elif symbol == "%":
            self._per_cent()
        elif kind == "sign":
            return self._sign({"[": "(", "]": ")"}.get(symbol, symbol))
        elif symbol == "sqrt":
            self.kept += ["*", symbol] if self._after_value else [symbol]
        elif kind == "word" and _is_unit(self.tokens, self.at):
            self._unit()
        else:
            return self._something_else(kind, symbol)
        return True

    def _per_cent(self) -> None:
        if not self.kept or not self.kept[-1][-1].isdigit():
            raise _UnclearError
        self.percents += 1
        self.kept[-1:] = ["(", self.kept[-1], "/", "100", ")"]

    def _sign(self, symbol: str) -> bool:
        if symbol == ")" and self.depth == 0:
            if self.whole:
                raise _UnclearError
            return False
        if symbol == "(" and self._after_value:
            if not self.whole and self._spaced:
                return False  # a remark in parentheses
            self.kept.append("*")
        self.depth += (symbol == "(") - (symbol == ")")
        self.kept.append(symbol)
        return True

    def _unit(self) -> None:
        """Leave out a unit, with the sign before it ("m/s") and its power ("m^2", "s^-1")."""
        self.units = True
        if self.kept and self.kept[-1] in "*/":
            self.kept.pop()
        if self.tokens[self.at + 1 : self.at + 2] == [("sign", "^")]:
            self.at += 2
            self.at += self.tokens[self.at : self.at + 1] == [("sign", "-")]

    def _something_else(self, kind: str, symbol: str) -> bool:
        if self.whole:
            raise _UnclearError
        if kind == "word":
            if not self._after_value or not self._spaced or _MEANS.fullmatch(symbol.lower()):
                raise _UnclearError
            self.units = True
            return False
        follows = self.tokens[self.at + 1][0] if self.at + 1 < len(self.tokens) else ""
        if symbol not in _ENDS or (symbol in ".,:" and follows == "number"):
            raise _UnclearError
        return False


class _Parser:
    """Works out an expression by recursive descent; as deep as the tokens are many, at most."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _next(self) -> str:
        symbol = self._peek()
        self.at += 1
        return symbol

    def sum(self) -> float:
        result = self._product()
        while self._peek() in ("+", "-"):
            sign = 1 if self._next() == "+" else -1
            result += sign * self._product()
        return result

    def _product(self) -> float:
        result = self._signed()
        while self._peek() in ("*", "/"):
            divides = self._next() == "/"
            factor = self._signed()
            if divides and not factor:
                raise _UnclearError
            result = result / factor if divides else result * factor
        return result

    def _signed(self) -> float:
        if self._peek() == "-":
            self._next()
            return -self._signed()
        if self._peek() == "+":
            self._next()
            return self._signed()
        base = self._atom()
        if self._peek() != "^":
            return base
        self._next()
        exponent = self._signed()
        try:
            power = base**exponent
        except (OverflowError, ZeroDivisionError):
            raise _UnclearError from None
        if isinstance(power, complex):
            raise _UnclearError
        return float(power)

    def _atom(self) -> float:
        symbol = self._next()
        if symbol == "sqrt":
            inner = self._atom()
            if inner < 0:
                raise _UnclearError
            return math.sqrt(inner)
        if symbol == "(":
            inner = self.sum()
            if self._next() != ")":
                raise _UnclearError
            return inner
        if not symbol or not (symbol[0].isdigit() or symbol[0] == "."):
            raise _UnclearError
        if symbol[0] == "0" and symbol[1:2].isdigit():
            raise _UnclearError
        return float(symbol.replace(",", ""))
