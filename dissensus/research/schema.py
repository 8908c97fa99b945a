"""The state of a research session: from a question and its sources to a conclusion that cites them.

Numbers are how the parts refer to each other, and they begin at 1: finding 3 is `/findings/2`,
passage 17 is `/reading/16`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, Field

from dissensus_state.machine import Transition
from dissensus_state.shapes import Append, SharedState, invariant

MOST_PARTS = 8
"""Sub-questions of a plan."""

QUOTATIONS = "quotations_stand"
"""What the check of the scouts' quotations is called in the history."""


class Source(BaseModel):
    """A document as it was when the session began; its text is in the session's library."""

    name: str
    kind: str
    digest: str
    passages: int
    characters: int


class Skipped(BaseModel):
    """A file that was not taken in, and why."""

    name: str
    why: str


class Crew(BaseModel):
    """Which model sits where; a session that goes on may put others in their places.

    `window` is the smallest that was known of them when it began, in tokens: prompts are made for it.
    """

    planner: str
    scouts: list[str]
    panel: list[str]
    supervisor: str
    approve: bool = False
    window: int | None = None


class SubQuestion(BaseModel):
    """A part of the question, and how to look for it."""

    question: str = Field(description="One part of the question, as a question of its own")
    queries: list[str] = Field(
        description="Two to four queries for a search by words: names, terms, numbers as they are written"
    )


class Search(BaseModel):
    """One pass over the index: what was looked for, how much of it is to be read and by how many at once."""

    queries: int
    chosen: int
    side_by_side: int


class Reading(BaseModel):
    """A passage that was chosen to be read, for which sub-question, in which batch."""

    document: str
    n: int
    place: str
    question: int
    batch: int
    size: int = Field(description="Bytes of its text")


def _number(said: Any) -> Any:
    """`F3`, `P17` and `[3]` are the numbers that they mean."""
    return said.strip(" []#").lstrip("FPQfpq") if isinstance(said, str) else said


Number = Annotated[int, BeforeValidator(_number)]
"""A number as models write it."""


class Finding(BaseModel):
    """What a passage says about a sub-question, with the words that say it."""

    question: Number = Field(description="The number of the sub-question that it bears on")
    claim: str = Field(description="What it says, in one sentence that can be read alone")
    quotation: str = Field(description="The words that say so, copied exactly from the passage")
    passage: Number = Field(description="The number of the passage: 17 for P17")


class Lead(BaseModel):
    """Something that a passage points to and that has not been read."""

    question: Number = Field(description="The number of the sub-question that it may help")
    query: str = Field(description="A query for a search by words")


class Standing(BaseModel):
    """A finding whose quotation stands, and the passage that it was found in."""

    finding: int
    passage: int


class Dropped(BaseModel):
    """A finding that nothing may rest on, and why."""

    finding: int
    why: str


class Point(BaseModel):
    """A key point of the answer and the findings that it rests on."""

    statement: str = Field(description="One point, in a sentence or two")
    findings: list[Number] = Field(
        description="The numbers of the findings that show it: [3, 7] for F3 and F7"
    )


class Conclusion(BaseModel):
    """The answer."""

    short: str = Field(description="The answer in at most twelve words")
    answer: str = Field(description="The answer in one or two paragraphs, without numbers of findings")
    points: list[Point] = Field(description="What the answer rests on, the most important first")
    unknown: list[str] = Field(description="What the findings do not tell, and would be needed to be sure")


class Published(BaseModel):
    """The report that was written: its digest in both forms."""

    markdown: str
    html: str


def there_is_something_to_read(before: Research) -> bool | str:
    """Nobody is paid to look for what is not there."""
    return bool(before.sources) or "there are no sources"


def something_stands(before: Research) -> bool | str:
    """Nobody concludes from nothing."""
    return bool(before.standing) or "no finding stands"


def nothing_is_open(before: Research) -> bool | str:
    """What stands has to be judged before the session is closed."""
    return before.conclusion is not None or not before.standing or "the findings are not judged yet"


class Research(SharedState):
    """A question, from its sources to a conclusion whose every citation stands."""

    question: str
    folders: list[str]
    sources: list[Source] = Field(default_factory=list)
    skipped: list[Skipped] = Field(default_factory=list)
    crew: Crew
    passes: int = 2
    phase: Literal["plan", "gathering", "judging", "reporting", "closed"] = "plan"
    plan: list[SubQuestion] = Field(
        default_factory=list, description="The parts of the question, two to six of them"
    )
    searched: Annotated[list[Search], Append] = Field(default_factory=list)
    reading: Annotated[list[Reading], Append] = Field(default_factory=list)
    read: int = 0
    missed: Annotated[list[int], Append] = Field(default_factory=list)
    findings: Annotated[list[Finding], Append] = Field(
        default_factory=list, description="What the passages say about the sub-questions; empty if nothing"
    )
    leads: Annotated[list[Lead], Append] = Field(
        default_factory=list, description="At most three things to look for that the passages point to"
    )
    standing: Annotated[list[Standing], Append] = Field(default_factory=list)
    dropped: Annotated[list[Dropped], Append] = Field(default_factory=list)
    stopped: str = ""
    conclusion: Conclusion | None = None
    published: Published | None = None

    transitions: ClassVar[list[Transition]] = [
        Transition("collect", "plan -> plan", writes={"sources", "skipped"}),
        Transition("plan", "plan -> gathering", writes={"plan"}, guard=there_is_something_to_read),
        Transition("search", "gathering -> gathering", writes={"searched", "reading"}),
        Transition("gather", "gathering -> gathering", writes={"findings", "leads"}),
        Transition("check", "gathering -> gathering", writes={"standing", "dropped", "read", "missed"}),
        Transition("enough", "gathering -> judging", writes={"stopped"}),
        Transition(
            "conclude", "judging -> reporting", writes={"conclusion"}, guard=something_stands, review=True
        ),
        Transition("publish", "judging, reporting -> closed", writes={"published"}, guard=nothing_is_open),
    ]

    @staticmethod
    @invariant("plan")
    def a_plan_has_a_few_parts(_: Research, after: Research) -> bool | str:
        """Nothing is gathered without a plan, and nobody pays for one of a hundred parts."""
        parts = len(after.plan)
        return (
            after.phase == "plan"
            or 1 <= parts <= MOST_PARTS
            or f"a plan has 1 to {MOST_PARTS} parts, not {parts}"
        )

    @staticmethod
    @invariant("standing")
    def a_finding_stands_by_a_check_of_its_quotation(
        before: Research, after: Research, evidence: Sequence[Mapping[str, Any]]
    ) -> bool | str:
        """Whoever says so: without a check that was passed, no quotation stands."""
        new = len(after.standing) - len(before.standing)
        passed = sum(item["verifier"] == QUOTATIONS and item["passed"] for item in evidence)
        return passed >= new or f"{new} findings are said to stand, and {passed} quotations were checked"

    @staticmethod
    @invariant("standing", "dropped")
    def a_finding_is_checked_once(_: Research, after: Research) -> bool | str:
        """None stands and is dropped, none is there that nobody reported."""
        numbers = [item.finding for item in after.standing] + [item.finding for item in after.dropped]
        known = all(0 < number <= len(after.findings) for number in numbers)
        return (known and len(set(numbers)) == len(numbers)) or "a finding is checked twice, or is not there"

    @staticmethod
    @invariant("conclusion")
    def every_citation_stands(_: Research, after: Research) -> bool | str:
        """A conclusion rests on findings whose quotations stand, in every point."""
        if after.conclusion is None:
            return True
        return "; ".join(unsupported(after.conclusion, {item.finding for item in after.standing})) or True


def unsupported(conclusion: Conclusion, standing: set[int]) -> list[str]:
    """What is wrong with the citations of a conclusion."""
    said = [f"point {n} cites nothing" for n, point in enumerate(conclusion.points, 1) if not point.findings]
    if not conclusion.points:
        said.append("there is no point that cites a finding")
    cited = dict.fromkeys(number for point in conclusion.points for number in point.findings)
    return said + [f"F{number} is no finding that stands" for number in cited if number not in standing]


def unread(state: Research) -> list[int]:
    """The numbers of the batches that are chosen and not read."""
    return list(range(state.read + 1, batches(state) + 1))


def batches(state: Research) -> int:
    """How many batches are chosen so far."""
    return state.reading[-1].batch if state.reading else 0


def side_by_side(state: Research) -> int:
    """How many scouts read at once in the next round."""
    return min(len(unread(state)), state.searched[-1].side_by_side if state.searched else 0)
