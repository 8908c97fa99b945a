"""The calculations of a text as people write them: chains, units, percent, LaTeX, rounding.

`equations` reads plain equations exactly, as evidence; this reads leniently, to find where a chain of
thought breaks: "5 km * 2 = 10 km", "\\frac{3}{4} \\times 8 = 6 \\approx 6.0", "20 / 50 * 100% = 40%". It
works in floating point, allows what rounding explains, and leaves alone what it can't make out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_LINE = 2000
"""Characters of one step that are searched for calculations."""

MAX_TOKENS = 64
ROUNDED = 0.01
"""A gap (share of the larger side) that a calculation with rounded steps may show."""

ABOUT = 0.03
"""The same where the text says "about"."""

_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_LATEX = (
    (re.compile(r"\\(?:text|mathrm|mathbf|textbf|mbox|operatorname)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\boxed\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\s*\^\s*\{\s*([-+]?[\d.]+)\s*\}"), r"^\1"),
    (re.compile(r"\s*\^\s*\{([^{}]*)\}"), r"^(\1)"),
    (re.compile(r"\\(?:times|cdot|ast)\b"), "*"),
    (re.compile(r"\\div\b"), "/"),
    (re.compile(r"\\(?:approx|simeq|sim|cong)\b"), "≈"),
    (re.compile(r"\\sqrt\s*\{([^{}]*)\}"), r"sqrt(\1)"),
    (re.compile(r"\\(?:left|right|big|Big)\b|\\[()\[\],;:! ]|[{}&]|\\quad"), " "),
    (re.compile(r"\\([%$])"), r"\1"),
)
"""Only where there is a backslash or a brace."""

_REWRITTEN = (
    (re.compile(r"^\s*(?:[-*+•]|\d+[.)])\s+"), ""),
    (
        re.compile(r"(?<!\d)(\d{1,4}) ?\(+(\d{1,2})\)?/\(?(\d{1,3})\)+(?=\D|$)"),
        r" (\1+\2/\3) ",
    ),  # a mixed number
    (re.compile(r"√\s*\("), "sqrt("),
    (re.compile(r"√\s*([\d.]+)"), r"sqrt(\1)"),
    (re.compile(r"<<[^<>]{0,200}>>"), " "),
    (re.compile(r"(?<=[\d)])\s{0,3}[xX]\s{0,3}(?=[\d(])"), "*"),
    (re.compile(r"(?<=[\d)])\*\*(?=[\d(-])"), "^"),
    (re.compile(r"\*\*"), "  "),
    (re.compile(r"[ \t]+\^[ \t]*"), "^"),
    (re.compile(r"(?<=[\d)]) ?[\u00b0º] ?(?=[CFK]?\b)"), " "),
    (re.compile(r"(?<=\d)\s?(?:dollars|cents)\b"), ""),
)
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("\u2212\u2013\u2014", "-"),
        **dict.fromkeys("\u00d7\u00b7\u22c5\u2219\u2217", "*"),
        **dict.fromkeys("\u2248\u2243\u2245", "≈"),
        **dict.fromkeys("\u00f7", "/"),
        **dict.fromkeys("$\u20ac\u00a3\u00a5\u00a0\u202f\u2009", " "),
        **{sign: f"^{n}" for n, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
        "⁻": "^-",
    }
)
_TOKEN = re.compile(
    r"(?P<space>[ \t]+)"
    r"|(?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3}(?![\w.]))?|\.\d+)"
    r"|(?P<word>[A-Za-z_µμΩ']+)"
    r"|(?P<sign>[-+*/^()\[\]%])"
    r"|(?P<other>.)",
    re.DOTALL,
)
_RELATION = re.compile(r"(?<![<>=!:≠])(?:=(?![=>])|≈)=?")
_UNITS = frozenset(
    "m s g h V W J N K C F L Hz kHz MHz GHz km cm mm nm kg mg ml mL dl hr hrs min sec ms ft in lb lbs oz "
    "mi mph psi Pa kPa MPa atm mol eV keV MeV kJ kW MW kWh cal kcal BTU Btu rad deg dB ohm ohms µm μm Ω µF "
    "mA mV kV kN Nm bits bytes KB MB GB".split()
)
_MEANS = re.compile(
    "mod|modulo|rem|remainder|r|hundred|thousand|million|billion|trillion|dozen|times|plus|minus|over|by|of|"
    "per|log|ln|lg|exp|sin|cos|tan|cot|sec|arc\\w+|root|than|th|st|nd|rd|factorial|choose|if|or|e|i|j|pi|x|y|z|n|k"
)
"""Words that say something about the number beside them; where one stands, the sum is left alone."""

_SCALES = tuple(10.0**n for n in range(-12, 13) if n) + (60, 3600, 1 / 60, 1 / 3600, 12, 24, 7, 365, 1 / 12)


class _UnclearError(ValueError):
    """Not a calculation that can be worked out here."""


@dataclass(frozen=True, slots=True)
class Working:
    """One equality of a text, `left = right`, with what both sides come to."""

    left: str
    right: str
    computed: float
    claimed: float
    decimals: int | None
    digits: int = 9
    about: bool = False
    units: bool = False
    percent: bool = False

    @property
    def gap(self) -> float:
        """How far apart the sides are, as a share of the larger."""
        return abs(self.computed - self.claimed) / (max(abs(self.computed), abs(self.claimed)) or 1.0)

    @property
    def holds(self) -> bool:
        """Whether it comes out, but for rounding, a percent sign or a change of units."""
        if self.gap <= (ABOUT if self.about else ROUNDED):
            return True
        if self.decimals is not None:
            unit = 10.0**-self.decimals
            if abs(self.computed - self.claimed) <= unit * (1 if self.decimals else 0.5) * 1.000001:
                return True
        if self.gap <= 10.0 ** (1 - self.digits) * 0.5:
            return True
        scales = (*(_SCALES if self.units else ()), *((100, 0.01) if self.percent else ()))
        return any(_near(self.computed * scale, self.claimed) for scale in scales)

    @property
    def result(self) -> str:
        """What the left side comes to, to six digits."""
        return f"{self.computed:,.6g}" if abs(self.computed) < 1e6 else f"{self.computed:.6g}"

    def __str__(self) -> str:
        """As the text states it."""
        return f"{self.left} {'≈' if self.about else '='} {self.right}"


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= ROUNDED * max(abs(a), abs(b))


@dataclass(frozen=True, slots=True)
class _Side:
    text: str
    value: float
    operators: int
    decimals: int | None
    digits: int
    units: bool
    percent: bool


def plain(text: str) -> str:
    """A text with LaTeX and typographic signs written as plain arithmetic."""
    text = text.translate(_SIGNS)
    if "\\" in text or "{" in text:
        for _ in range(3):
            text, count = _FRACTION.subn(r"((\1)/(\2))", text)
            if not count:
                break
        for pattern, replacement in _LATEX:
            text = pattern.sub(replacement, text)
    for pattern, replacement in _REWRITTEN:
        text = pattern.sub(replacement, text)
    return text


def workings(text: str, limit: int = 100) -> Iterator[Working]:
    """The equalities of a step that can be worked out, at most `limit`, in their order."""
    line = plain(text[:MAX_LINE])
    if "mod" in line or "≡" in line:  # arithmetic modulo something: "=" means another thing
        return
    ends = [(match.start(), match.end(), "≈" in match[0]) for match in _RELATION.finditer(line)]
    begin = 0
    left: _Side | None = None
    for n, (start, end, about) in enumerate(ends):
        if n == 0:
            left = _tail(line[begin:start])
        stop = ends[n + 1][0] if n + 1 < len(ends) else len(line)
        segment = line[end:stop]
        right = _head(segment)
        if left is not None and left.operators and right is not None:
            yield Working(
                left.text,
                right.text,
                left.value,
                right.value,
                right.decimals,
                right.digits,
                about or "about" in segment[:12],
                left.units or right.units,
                left.percent or right.percent,
            )
            limit -= 1
            if limit <= 0:
                return
        left = _tail(segment)


Token = tuple[str, str]


def _lexed(text: str) -> list[Token]:
    return [(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(text)]


def _tail(text: str) -> _Side | None:
    """The expression that ends a text."""
    tokens = _lexed(text[-300:])
    while tokens and tokens[-1][0] == "space":
        tokens.pop()
    begin = len(tokens)
    depth = 0
    while begin > 0:
        kind, symbol = tokens[begin - 1]
        if kind == "other" or (kind == "word" and not _is_unit(tokens, begin - 1) and symbol != "sqrt"):
            break
        depth += (symbol in ")]") - (symbol in "([")
        if depth < 0:
            break
        begin -= 1
    before = tokens[begin - 1] if begin else ("", "")
    rest = tokens[begin:]
    spaced = bool(rest) and rest[0][0] == "space"
    while rest and rest[0][0] == "space":
        rest.pop(0)
    if not rest or rest[0][1] in "+*/^)]%":
        return None
    if before[0] == "word" and (not spaced or _MEANS.fullmatch(before[1].lower()) or rest[0][1] == "-"):
        return None
    if before[0] == "other" and before[1] not in ":;,.!?\n\"'|<>→⇒∴":
        return None
    if before[1] in (",", ".") and not spaced:
        return None
    try:
        return _side(rest, whole=True)
    except _UnclearError:
        return None


def _head(text: str) -> _Side | None:
    """The expression that begins a text."""
    try:
        return _side(_lexed(text[:300]), whole=False)
    except _UnclearError:
        return None


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


def _side(tokens: list[Token], *, whole: bool) -> _Side:
    kept, units, percent = _kept(tokens, whole=whole)
    if not kept or len(kept) > MAX_TOKENS:
        raise _UnclearError
    parser = _Parser(kept)
    value = parser.sum()
    if parser.at < len(kept) or not math.isfinite(value):
        raise _UnclearError
    single = [symbol for symbol in kept if symbol != "-"]
    decimals = None
    if len(single) == 1:
        number = single[0].lower()
        decimals = None if "e" in number else len(number.partition(".")[2])
    digits = 9
    if len(single) == 1 or (len(single) == 5 and single[1:4] == ["*", "10", "^"]):
        digits = (
            len(single[0].replace(",", "").replace(".", "").lstrip("0"))
            if "." in single[0] or len(single) > 1
            else 9
        )
    operators = sum(symbol in "+-*/^" or symbol == "sqrt" for symbol in kept[1:]) + (kept[0] == "sqrt")
    return _Side(
        " ".join("".join(symbol for _, symbol in tokens).split())[:120],
        value,
        operators,
        decimals,
        digits,
        units,
        percent,
    )


def _kept(tokens: list[Token], *, whole: bool) -> tuple[list[str], bool, bool]:
    """The numbers and signs of an expression without its units; all of it, or what begins it."""
    kept: list[str] = []
    units = percent = False
    at = 0
    depth = 0
    while at < len(tokens):
        kind, symbol = tokens[at]
        if kind == "space":
            at += 1
            continue
        if kind == "number":
            if kept and (kept[-1][-1].isdigit()):
                raise _UnclearError
            if kept and kept[-1] == ")":
                raise _UnclearError
            kept.append(symbol)
        elif symbol == "%":
            if not kept or not kept[-1][-1].isdigit():
                raise _UnclearError
            percent = True
            kept[-1:] = ["(", kept[-1], "/", "100", ")"]
        elif kind == "sign":
            symbol = {"[": "(", "]": ")"}.get(symbol, symbol)
            if symbol == ")" and depth == 0:
                if whole:
                    raise _UnclearError
                break
            if symbol == "(" and kept and (kept[-1] == ")" or kept[-1][-1].isdigit()):
                if not whole and tokens[at - 1][0] == "space":
                    break  # a remark in parentheses
                kept.append("*")
            depth += (symbol == "(") - (symbol == ")")
            kept.append(symbol)
        elif symbol == "sqrt":
            if kept and (kept[-1] == ")" or kept[-1][-1].isdigit()):
                kept.append("*")
            kept.append(symbol)
        elif kind == "word" and _is_unit(tokens, at):
            units = True
            if kept and kept[-1] in "*/":
                kept.pop()
            at = _past_power(tokens, at)
        elif whole:
            raise _UnclearError
        elif kind == "word":
            after_number = bool(kept) and (kept[-1] == ")" or kept[-1][-1].isdigit())
            if not after_number or _MEANS.fullmatch(symbol.lower()) or tokens[at - 1][0] != "space":
                raise _UnclearError
            units = True
            break
        else:
            if symbol not in ".,;:!?\n\"'|)]<>→⇒" or (
                symbol in ".,:" and at + 1 < len(tokens) and tokens[at + 1][0] == "number"
            ):
                raise _UnclearError
            break
        at += 1
    while not whole and kept and kept[-1] in ("+", "-", "*", "/", "^", "(", "sqrt"):
        raise _UnclearError
    return kept, units, percent


def _past_power(tokens: list[Token], at: int) -> int:
    """Past the power of a unit: "m^2", "s^-1"."""
    if at + 1 < len(tokens) and tokens[at + 1][1] == "^":
        at += 2
        if at < len(tokens) and tokens[at][1] == "-":
            at += 1
    return at


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
