"""Rules as supervisors: each decides where it can, says why, and escalates where it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.errors import GraphError
from dissensus_agents.judgement.ballots import Ballot, Voter, Weighed
from dissensus_agents.judgement.disagreement import Disagreement, Position
from dissensus_agents.judgement.evidence import Evidence
from dissensus_agents.judgement.rules import Majority, Reads, Verified, Vote
from dissensus_agents.judgement.verdicts import Review, Seen, sound


def seen(label: str, *, evidence: Sequence[Evidence] = (), reasoning: str | None = "Because.") -> Seen:
    failed = tuple(f"{one.verifier}: {one.detail}" for one in evidence if not one.passed)
    kind = "rationale" if reasoning is not None else "withheld"
    return Seen(label, {"/cause": label}, ((kind, reasoning),), failed=failed, evidence=tuple(evidence))


def review(positions: Sequence[Seen], votes: Sequence[int] = (), **more: Any) -> Review:
    ballots = tuple(Ballot(str(n), Voter("m", "a/b"), place) for n, place in enumerate(votes))
    held = tuple(Position(one.label, (one.label,)) for one in positions)
    disputed = (Disagreement("/cause", held, 1.0, "judgement"),) if len(positions) > 1 else ()
    return Review("judge", tuple(positions), disputed, (), ("/cause",), ballots=ballots, **more)


PROOF = Evidence("query", "1", passed=True, detail="42 rows", decides=True)
PASSED = Evidence("query", "1", passed=True, detail="nothing against it")
REFUTED = Evidence("sums", "1", passed=False, detail="3 + 4 = 8")
OPINION = Evidence("judge", "1", passed=True, detail="looks right", decides=True, outside=False)
BROKE = Evidence("web", "1", passed=False, detail="no answer", broke=True)


@pytest.mark.parametrize(
    ("evidence", "upheld"),
    [
        ([(PROOF,), ()], "A"),
        ([(), (PROOF, PASSED)], "B"),
        ([(PROOF, BROKE), (REFUTED,)], "A"),
        ([(PROOF,), (PROOF,)], None),
        ([(PROOF, REFUTED), ()], None),
        ([(PASSED,), (REFUTED,)], None),
        ([(OPINION,), ()], None),
        ([(), ()], None),
    ],
)
def test_verified_upholds_the_one_position_that_evidence_from_outside_proves(
    evidence: list[tuple[Evidence, ...]], upheld: str | None
) -> None:
    verdict = Verified()(
        review([seen(label, evidence=found) for label, found in zip("AB", evidence, strict=True)])
    )

    assert (verdict.decision, verdict.position) == (("uphold", upheld) if upheld else ("escalate", None))


def test_a_majority_is_of_agents_and_a_tie_is_none() -> None:
    both = [seen("A"), seen("B")]

    assert Majority()(review(both, [1, 1, 0])).position == "B"
    assert Majority()(review(both, [1, 1, 0])).reason == "2 of 3 votes are for it"
    assert Majority()(review(both, [1, 0])).decision == "escalate"
    assert Majority()(review(both)).decision == "escalate"
    unsettled = Majority()(review(both[:1], [0], unsettled="0.4 is not 0.8"))
    assert (unsettled.decision, unsettled.reason) == ("escalate", "0.4 is not 0.8")


@pytest.mark.parametrize("rule", [Majority(), Vote(above=0.5), Reads()])
def test_no_rule_upholds_what_a_verifier_has_refuted(rule: Any) -> None:
    positions = [seen("A", evidence=[REFUTED], reasoning="2 + 2 = 4"), seen("B", reasoning="2 + 2 = 5")]

    verdict = rule(review(positions, [0, 0, 1], weighed=Weighed(1.5, (0.9, 0.1))))

    assert verdict.decision == "escalate"
    assert "has failed a check: sums: 3 + 4 = 8" in verdict.reason


@pytest.mark.parametrize("rule", [Majority(), Vote(above=0.5)])
@pytest.mark.parametrize("why", ["hollow", "audit"])
def test_votes_do_not_vouch_for_themselves(rule: Any, why: str) -> None:
    told = {why: True}

    verdict = rule(review([seen("A")], [0, 0, 0], weighed=Weighed(1.2, (0.99,)), **told))

    assert verdict.decision == "escalate"


def test_a_vote_upholds_what_is_likely_enough_and_says_on_what_it_rests() -> None:
    both = [seen("A"), seen("B")]
    weighed = Weighed(1.7, (0.14, 0.83), "measured", 214, "discounted")

    verdict = Vote(above=0.8)(review(both, [1, 1, 0], weighed=weighed))

    assert (verdict.decision, verdict.position, verdict.confidence) == ("uphold", "B", 0.83)
    assert verdict.reason == (
        "its votes make it 0.83 likely, at least 0.8 (measured, on 214 graded rounds; discounted)"
    )
    assert Vote(above=0.9)(review(both, [1, 1, 0], weighed=weighed)).decision == "escalate"
    assert Vote()(review(both, [1, 1, 0], weighed=Weighed(1.7))).decision == "escalate"


def test_a_vote_may_have_a_weigher_of_its_own() -> None:
    asked: list[Any] = []

    class Mine:
        def weigh(self, ballots: Sequence[Ballot], task: str, options: int | None = None) -> Weighed:
            asked.append(([one.position for one in ballots], task, options))
            return Weighed(1.0, (0.2, 0.7))

    verdict = Vote(Mine(), above=0.6, among=10)(review([seen("A"), seen("B")], [1, 0]))

    assert (verdict.position, asked) == ("B", [([1, 0], "judge", 10)])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=5), st.floats(0, 1))
def test_a_vote_decides_exactly_where_the_share_is_large_enough(shares: list[float], above: float) -> None:
    positions = [seen(label) for label in "ABCDE"[: len(shares)]]
    asked = review(positions, range(len(shares)), weighed=Weighed(1.0, tuple(shares)))

    verdict = sound(Vote(above=above)(asked), asked)

    assert (verdict.decision == "uphold") == (max(shares) >= above)
    if verdict.decision == "uphold":
        assert shares["ABCDE".index(verdict.position or "")] == max(shares)


def test_reading_decides_where_one_sides_calculation_does_not_come_out() -> None:
    good, bad = seen("A", reasoning="3 * 4 = 12, so A."), seen("B", reasoning="3 * 4 = 13, so B.")

    verdict = Reads()(review([good, bad], [0, 1]))

    assert (verdict.decision, verdict.position) == ("uphold", "A")
    assert verdict.confidence is not None
    assert verdict.confidence >= 0.65
    assert [(one.position, "3 * 4 = 13" in one.step) for one in verdict.wrong_steps] == [("B", True)]
    assert Reads(above=0.99)(review([good, bad], [0, 1])).decision == "escalate"
    assert Reads()(review([good, seen("B", reasoning="4 * 4 = 16")], [0, 1])).decision == "escalate"


def test_reading_decides_nothing_where_reasoning_is_withheld_or_there_is_one_position() -> None:
    bad = seen("B", reasoning="3 * 4 = 13")

    withheld = Reads()(review([seen("A", reasoning=None), bad], [0, 1]))

    assert (withheld.decision, withheld.reason) == ("escalate", "the reasoning behind A is withheld")
    assert Reads()(review([bad], [0])).decision == "escalate"


@pytest.mark.parametrize("rule", [Vote, Reads])
def test_a_threshold_is_a_share(rule: Any) -> None:
    with pytest.raises(GraphError, match="is a share from 0 to 1, not 65"):
        rule(above=65)
