r"""The calculations of a text as people write them: chains, units, percent, LaTeX, rounding.

`equations` reads plain equations exactly, as evidence; this reads leniently, to find where a chain of
thought breaks: "5 km * 2 = 10 km", "\frac{3}{4} \times 8 = 6 \approx 6.0", "20 / 50 * 100% = 40%". It
works in floating point, allows what rounding explains, and leaves alone what it can't make out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .expressions import Side, beginning, ending

MAX_LINE = 2000
"""Characters of one step that are searched for calculations."""

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
    }
)
_RAISED = re.compile(r"([⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_RELATION = re.compile(r"(?<![<>=!:≠])(?:=(?![=>])|≈)=?")
_MODULAR = re.compile(r"\bmod\b|≡|\bmodulo\b", re.IGNORECASE)
"""There "=" means another thing."""

_SCALES = (*(10.0**n for n in range(-12, 13) if n), 60, 3600, 1 / 60, 1 / 3600, 12, 24, 7, 365, 1 / 12)
"""Between units of one kind."""


@dataclass(frozen=True, slots=True)
class Working:
    """One equality of a text, `left = right`, with what both sides come to."""

    left: Side
    right: Side
    about: bool = False

    @property
    def gap(self) -> float:
        """How far apart the sides are, as a share of the larger."""
        largest = max(abs(self.left.value), abs(self.right.value))
        return abs(self.left.value - self.right.value) / (largest or 1.0)

    @property
    def holds(self) -> bool:
        """Whether it comes out, but for rounding, a percent sign or a change of units."""
        allowed = max(ABOUT if self.about else ROUNDED, 0.5 * 10.0 ** (1 - self.right.digits))
        return self.gap <= allowed or self._rounded or self._rescaled or self._runs_on

    @property
    def _rounded(self) -> bool:
        """Whether the right side is the left one, rounded or cut off at the last digit that is written."""
        if self.right.decimals is None:
            return False
        unit = 10.0**-self.right.decimals * (1 if self.right.decimals else 0.5)
        return abs(self.left.value - self.right.value) <= unit * 1.000001

    @property
    def _rescaled(self) -> bool:
        """Whether the right side is the left one in another unit, or in percent."""
        units, percent = self.left.units or self.right.units, self.left.percent or self.right.percent
        scales = (*(_SCALES if units else ()), *((100, 0.01) if percent else ()))
        return any(_near(self.left.value * scale, self.right.value) for scale in scales)

    @property
    def _runs_on(self) -> bool:
        """Whether the text only goes on from the result: "3 + 4 = 7 * 2 = 14"."""
        return self.right.operators > 0 and _near(self.left.value, self.right.first)

    @property
    def result(self) -> str:
        """What the left side comes to, to six digits."""
        return f"{self.left.value:,.6g}" if abs(self.left.value) < 1e6 else f"{self.left.value:.6g}"

    def __str__(self) -> str:
        """As the text states it."""
        return f"{self.left.text} {'≈' if self.about else '='} {self.right.text}"


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= ROUNDED * max(abs(a), abs(b))


def plain(text: str) -> str:
    """A text with LaTeX and typographic signs written as plain arithmetic."""
    text = _RAISED.sub(lambda raised: "^" + raised[1].translate(_LOWERED), text.translate(_SIGNS))
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
    """The equalities of a step that can be worked out, at most `limit`, in their order.

    A chain "a + b = c = d" is an equality for each sign; those whose left side is a single number ("3 min =
    180 s") are a change of units, and left out.
    """
    line = plain(text[:MAX_LINE])
    if _MODULAR.search(line):
        return
    signs = list(_RELATION.finditer(line))
    left = ending(line[: signs[0].start()]) if signs else None
    for n, sign in enumerate(signs):
        stop = signs[n + 1].start() if n + 1 < len(signs) else len(line)
        segment = line[sign.end() : stop]
        right = beginning(segment)
        if left is not None and left.operators and right is not None and limit > 0:
            limit -= 1
            yield Working(left, right, about="≈" in sign[0] or "about" in segment[:12])
        left = ending(segment)
