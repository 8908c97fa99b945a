"""What is measured of a reasoning to tell which of two sides is wrong: numbers, the same for every author.

Nothing here says who wrote a text, and the phrases that only do so are taken out before
(`Chain.of`). Lengths and counts are logarithms, rates are by a few dozen words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .chains import BARE, Chain, Question, near

FEATURES: tuple[str, ...] = (
    "fails",  # a calculation does not come out
    "failing",  # how many
    "clean",  # there are calculations, and all come out
    "worked",  # how many come out
    "bare",  # an answer without reasoning
    "length",
    "long",  # beyond some 1,100 characters
    "steps",
    "numbers",
    "equals",
    "arrives",  # the answer's number is among the last six
    "nearly",  # the same within 2 %
    "lands",  # it is the last
    "elsewhere",  # the number of another option is among the last two
    "nowhere",  # there are numbers, and the answer's is not near
    "speaks",  # share of the answer's words that the reasoning says
    "speaks_most",  # more than of any other option
    "ahead",  # by how much
    "others",  # share of the other options' words that it says
    "verbatim",
    "surveys",  # it speaks of half of the options or more
    "on_question",  # share of the question's words
    "new_words",
    "uses_numbers",  # share of the question's numbers
    "hedges",
    "gives_up",
    "closest",
    "none_fits",
    "turns",  # however, but, actually
    "negations",
    "concludes_so",  # therefore, thus
    "loops",
    "variety",
    "unfinished",  # no answer is stated
    "two_answers",
    "answers_first",
    "answer_length",
    "longest",  # of all options
    "catch_all",  # "none of the above"
    "given",  # the answer's number stands in the question
    "extreme",  # it is the smallest or the largest of the options
    "from_question",  # share of the answer's words that the question says
    "central",  # words that it shares with the other options
    "heard",  # share of its answer's words in the other side's reasoning
    "contrast",  # speaks of its own answer rather than of the other side's
)

HEDGES = re.compile(
    r"\b(?:approximately|about|roughly|likely|probably|may|might|could|possibly|perhaps|seems?|appears?|assum\w+|"
    r"generally|typically|suggests?)\b",
    re.IGNORECASE,
)
GIVES_UP = re.compile(
    r"not (?:listed|among|one of)|cannot (?:be )?determin|can't determine|not enough information|\bguess|"
    r"there (?:is|must be|seems to be) an? (?:error|mistake|typo)|(?:does|do)(?:n't| not) match|unable to|"
    r"\bi cannot\b|without (?:more|additional|further) information|insufficient|not provided|"
    r"most (?:likely|similar|close)|unfortunately",
    re.IGNORECASE,
)
CLOSEST = re.compile(r"\bclosest\b|\bnearest (?:option|answer|choice|value)", re.IGNORECASE)
NONE_FITS = re.compile(
    r"none of (?:the|these) (?:given |provided |available )?(?:options|answers|choices|above)|"
    r"not (?:listed|among)|n't match|not match|\bno (?:correct )?(?:option|answer|choice)\b",
    re.IGNORECASE,
)
_TURNS = re.compile(r"\b(?:however|but|although|actually|wait|instead|except|unless)\b", re.IGNORECASE)
_NEGATIONS = re.compile(r"\b(?:not|no|never|none|cannot|incorrect|false|wrong)\b|n't\b", re.IGNORECASE)
_SO = re.compile(r"\b(?:therefore|thus|hence|so)\b", re.IGNORECASE)
_CATCH_ALL = re.compile(r"\b(?:none of|all of the|cannot be|not enough)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured of one position alone.

    `own` are the first of `FEATURES`, `spoken` for each option the share of its words that the reasoning
    says, `chosen` the option that the position names.
    """

    own: tuple[float, ...]
    spoken: tuple[float, ...]
    chosen: int | None


def measured(says: str, chain: Chain, question: Question) -> Measured:
    """Measure one position: what it answers, and its reasoning."""
    chosen = question.option(says)
    spoken = _spoken(chain, question)
    own = (
        *_worked(chain),
        *_arriving(chain, question, chosen),
        *_speaking(chain, question, chosen, spoken),
        *_manner(chain),
        *_answer(says, question, chosen),
    )
    return Measured(own, spoken, chosen)


def together(positions: Sequence[Measured]) -> list[tuple[float, ...]]:
    """All `FEATURES` of positions that disagree: their own, and what they say of each other's answer."""
    return [(*one.own, *_against(n, positions)) for n, one in enumerate(positions)]


def _worked(chain: Chain) -> list[float]:
    found = [working for step in chain.steps for working in step.workings]
    failing = sum(not working.holds for working in found)
    length = math.log1p(len(chain.body))
    return [
        float(failing > 0),
        math.log1p(failing),
        float(bool(found) and not failing),
        math.log1p(len(found) - failing),
        float(len(chain.body.strip()) < BARE),
        length,
        max(0.0, length - 7),
        math.log1p(len(chain.steps)),
        math.log1p(len(chain.numbers)),
        math.log1p(chain.plain.count("=")),
    ]


def _arriving(chain: Chain, question: Question, chosen: int | None) -> list[float]:
    own = question.option_numbers[chosen] if chosen is not None else None
    if not question.calculating or own is None or not chain.numbers:
        return [0.0] * 5
    tail = chain.numbers[-6:]
    others = [value for n, value in enumerate(question.option_numbers) if n != chosen and value is not None]
    nearly = any(near(value, own, 0.02) for value in tail)
    return [
        float(any(near(value, own, 0.0005) for value in tail)),
        float(nearly),
        float(near(tail[-1], own, 0.002)),
        float(any(near(value, other, 0.002) for value in tail[-2:] for other in others)),
        float(not nearly),
    ]


def _spoken(chain: Chain, question: Question) -> tuple[float, ...]:
    """Of each option, the share of its own words that a reasoning says."""
    said = frozenset(chain.words)
    return tuple(
        sum(word in said for word in marks) / len(marks) if marks else 0.0 for marks in question.marking_words
    )


def _speaking(chain: Chain, question: Question, chosen: int | None, spoken: Sequence[float]) -> list[float]:
    said = frozenset(chain.words)
    own = spoken[chosen] if chosen is not None else 0.0
    others = [share for n, share in enumerate(spoken) if n != chosen]
    text = question.options[chosen].strip().rstrip(".").casefold() if chosen is not None else ""
    used = [
        any(near(number, value, 1e-6) for value in chain.numbers[:200]) for number in question.numbers[:30]
    ]
    return [
        own,
        float(own > 0 and own >= max(others, default=0.0)),
        own - max(others, default=0.0),
        sum(others) / max(len(others), 1),
        float(len(text) > 3 and text in chain.body.casefold()),
        float(bool(spoken) and 2 * sum(share > 0.5 for share in spoken) >= len(spoken)),
        len(question.words & said) / max(len(question.words), 1),
        math.log1p(len(said - question.words)),
        sum(used) / len(used) if used else 0.5,
    ]


def _manner(chain: Chain) -> list[float]:
    dozens = 1 + len(chain.words) / 30
    said = [step.text for step in chain.steps if len(step.text) > 30]
    return [
        len(HEDGES.findall(chain.body)) / dozens,
        float(bool(GIVES_UP.search(chain.text))),
        float(bool(CLOSEST.search(chain.text))),
        float(bool(NONE_FITS.search(chain.text))),
        len(_TURNS.findall(chain.body)) / dozens,
        len(_NEGATIONS.findall(chain.body)) / dozens,
        float(bool(_SO.search(chain.body))),
        float(len(said) - len(set(said)) > 1),
        len(set(chain.words)) / max(len(chain.words), 1),
        float(not chain.concludes),
        float(len(set(chain.stated)) > 1),
        float(chain.answers_first),
    ]


def _answer(says: str, question: Question, chosen: int | None) -> list[float]:
    if chosen is None:
        return [math.log1p(len(says)), 0.0, 0.0, 0.0, 0.25, 0.0, 0.0]
    text = question.options[chosen]
    own = frozenset(question.option_words[chosen])
    others = [said for n, said in enumerate(question.option_words) if n != chosen]
    number = question.option_numbers[chosen]
    values = sorted(value for value in question.option_numbers if value is not None)
    extreme = 0.25
    if question.calculating and number is not None:
        extreme = abs(values.index(number) / max(len(values) - 1, 1) - 0.5)
    shared = sum(len(own.intersection(said)) for said in others)
    return [
        math.log1p(len(text)),
        float(len(text) == max(map(len, question.options))),
        float(bool(_CATCH_ALL.search(text))),
        float(number is not None and any(near(number, given, 1e-6) for given in question.numbers)),
        extreme,
        len(own & question.words) / max(len(own), 1),
        shared / max(len(own) * len(others), 1),
    ]


def _against(n: int, positions: Sequence[Measured]) -> tuple[float, float]:
    """What the other sides' reasoning says of this one's answer, and this one's of theirs."""
    mine, spoken = positions[n].chosen, positions[n].spoken
    others = [one for m, one in enumerate(positions) if m != n]
    if mine is None or not others:
        return 0.0, 0.0
    heard = sum(other.spoken[mine] for other in others) / len(others)
    theirs = [spoken[other.chosen] for other in others if other.chosen is not None]
    return heard, spoken[mine] - (sum(theirs) / len(theirs) if theirs else 0.0)
