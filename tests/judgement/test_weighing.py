"""What an agreement is worth: the laws of the default weigher, and how errors going together are counted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.judgement import lineage
from dissensus_agents.judgement.ballots import Ballot, Rate, Voter, Weighed
from dissensus_agents.judgement.correlation import Both, effective, phi, shrunk, together
from dissensus_agents.judgement.discounted import FREE, GRADED_ENOUGH, UNGRADED, Discounted

SURE = 10**9


@dataclass(frozen=True)
class Known:
    """What a test knows of models: their accuracies, one correlation for all pairs, and some for pairs."""

    accuracies: dict[str, float]
    rho: float = 0.4
    pairs: dict[frozenset[str], float] = field(default_factory=dict)
    on: int = SURE

    def accuracy(self, model: str, task: str) -> Rate | None:
        p = self.accuracies.get(model)
        return None if p is None else Rate(p * self.on, self.on)

    def correlation(self, a: Voter, b: Voter, task: str) -> tuple[float, int]:
        return self.pairs.get(frozenset((a.model, b.model)), self.rho), self.on


def ballot(model: str, position: int, made_by: str | None = None) -> Ballot:
    return Ballot(f"agent-{model}", Voter(model, made_by or f"maker-{model}/one"), position)


def ballots(*positions: int) -> list[Ballot]:
    return [ballot(f"m{n}", position) for n, position in enumerate(positions)]


def known(*accuracies: float, rho: float = 0.4) -> Known:
    return Known({f"m{n}": p for n, p in enumerate(accuracies)}, rho)


def shares(weighed: Weighed) -> tuple[float, ...]:
    assert weighed.shares is not None
    return weighed.shares


positions = st.lists(st.integers(0, 3), min_size=1, max_size=6)
accuracy = st.floats(0.05, 0.95)
options = st.one_of(st.none(), st.integers(4, 10))


@given(positions, st.lists(accuracy, min_size=6, max_size=6), st.floats(0, 1), options)
def test_shares_are_probabilities_that_leave_room_for_none_of_them(
    held: list[int], rates: list[float], rho: float, among: int | None
) -> None:
    found = shares(Discounted(known(*rates, rho=rho)).weigh(ballots(*held), "t", among))
    assert len(found) == max(held) + 1
    assert all(0 <= share <= 1 for share in found)
    assert sum(found) <= 1 + 1e-9
    if among == len(set(held)):
        assert sum(found) == pytest.approx(1)  # all that could be said is said


@given(positions, st.lists(accuracy, min_size=6, max_size=6), st.floats(0, 1), st.randoms(), options)
def test_the_order_of_the_ballots_does_not_matter_to_the_last_bit(
    held: list[int], rates: list[float], rho: float, random: object, among: int | None
) -> None:
    cast = ballots(*held)
    mixed = list(cast)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    weigher = Discounted(known(*rates, rho=rho))
    assert weigher.weigh(cast, "t", among) == weigher.weigh(mixed, "t", among)


@given(positions, st.lists(accuracy, min_size=6, max_size=6), st.permutations(range(4)))
def test_the_numbers_of_the_positions_do_not_matter(
    held: list[int], rates: list[float], names: list[int]
) -> None:
    weigher = Discounted(known(*rates))
    one = shares(weigher.weigh(ballots(*held), "t", 4))
    other = shares(weigher.weigh(ballots(*(names[position] for position in held)), "t", 4))
    for position in set(held):
        assert one[position] == pytest.approx(other[names[position]], abs=1e-9)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=5), st.lists(accuracy, min_size=5, max_size=5))
def test_without_correlation_it_is_bayes_rule(held: list[int], rates: list[float]) -> None:
    found = shares(Discounted(known(*rates, rho=0.0)).weigh(ballots(*held), "t", 5))
    weights = [0.0] * 5
    for position, p in zip(held, rates, strict=False):
        weights[position] += math.log(p * 4 / (1 - p))
    total = sum(map(math.exp, weights))
    for position in set(held):
        assert found[position] == pytest.approx(math.exp(weights[position]) / total, rel=2e-2)


@given(positions, st.lists(st.floats(0.5, 0.95), min_size=7, max_size=7), st.integers(4, 10))
def test_another_independent_voice_for_it_never_makes_an_answer_less_likely(
    held: list[int], rates: list[float], among: int
) -> None:
    weigher = Discounted(known(*rates, rho=0.0))
    before = weigher.weigh(ballots(*held), "t", among)
    assert before.best is not None
    after = weigher.weigh([*ballots(*held), ballot("m6", before.best)], "t", among)
    assert shares(after)[before.best] >= shares(before)[before.best] - 1e-9


@given(st.integers(2, 9), st.floats(0.5, 0.9), st.floats(0.0, 0.7), st.floats(0.05, 0.25))
def test_the_more_their_errors_go_together_the_less_an_agreement_is_worth(
    n: int, p: float, rho: float, more: float
) -> None:
    cast = ballots(*[0] * n)
    apart, close = (Discounted(known(*[p] * n, rho=r)).weigh(cast, "t", 10) for r in (rho, rho + more))
    assert close.votes < apart.votes
    assert shares(close)[0] <= shares(apart)[0] + 1e-9
    assert shares(close)[0] >= p - 0.02  # never below what one of them alone makes it


@pytest.mark.parametrize("p", [0.55, 0.7, 0.9])
@pytest.mark.parametrize("others", [0, 2])
def test_one_model_asked_twice_adds_next_to_nothing(p: float, others: int) -> None:
    weigher = Discounted(known(*[p] * (others + 1)))
    cast = [ballot("m0", 0), *(ballot(f"m{n}", 1) for n in range(1, others + 1))]
    once = weigher.weigh(cast, "t", 10)
    twice = weigher.weigh([*cast, replace(cast[0], agent="again")], "t", 10)
    another = Discounted(known(*[p] * (others + 2))).weigh([*cast, ballot(f"m{others + 1}", 0)], "t", 10)
    gained = shares(twice)[0] - shares(once)[0]
    assert abs(gained) < 0.35 * (shares(another)[0] - shares(once)[0])


def test_a_pair_that_is_measured_to_echo_is_discounted_though_its_makers_differ() -> None:
    rates = {f"m{n}": 0.7 for n in range(3)}
    echo = Known(rates, pairs={frozenset(("m0", "m1")): 0.95})
    cast = ballots(0, 0, 1)
    apart, close = Discounted(Known(rates)).weigh(cast, "t", 10), Discounted(echo).weigh(cast, "t", 10)
    assert shares(close)[0] < shares(apart)[0]
    assert close.votes < 1.1 < apart.votes


def test_the_better_voter_outweighs_two_that_are_weak() -> None:
    found = Discounted(known(0.95, 0.35, 0.35)).weigh(ballots(0, 1, 1), "t", 10)
    assert found.best == 0


def test_five_models_that_agree_are_sure_as_far_as_the_recordings_say_and_no_farther() -> None:
    """Five makers' models of MMLU-Pro: right in 91 % when unanimous, and 99.99 % were they independent."""
    five = (0.718, 0.647, 0.523, 0.638, 0.501)
    together_, apart = (
        Discounted(known(*five, rho=rho)).weigh(ballots(0, 0, 0, 0, 0), "t", 10).confidence
        for rho in (0.425, 0.0)
    )
    assert together_ == pytest.approx(0.91, abs=0.03)
    assert apart is not None
    assert apart > 0.999


def test_without_a_graded_round_nothing_is_said_but_what_lineages_say() -> None:
    cast = [ballot("a", 0, "x/one"), ballot("b", 0, "x/one"), ballot("c", 1, "y/one")]
    for weigher in (Discounted(), Discounted(Known({}))):
        found = weigher.weigh(cast, "t", 4)
        assert (found.shares, found.best, found.confidence, found.basis) == (None, None, None, "prior")
        assert "lineages" in found.note
    assert Discounted().weigh(cast, "t").votes == lineage.effective_votes(["x/one", "x/one"], ["a", "b"])


def test_a_voter_nobody_graded_is_as_often_right_as_wrong_and_few_grades_say_little() -> None:
    few = Known({"m0": 1.0}, on=2)
    found = Discounted(few).weigh(ballots(0), "t", 2)
    hits = (2 + UNGRADED * GRADED_ENOUGH) / (2 + GRADED_ENOUGH)
    assert shares(found)[0] == pytest.approx(hits, abs=0.01)
    assert found.on == 2
    assert Discounted(few).weigh(ballots(0, 1), "t", 4).best == 0
    assert (
        Discounted(few).weigh(ballots(0, 1), "t", 4).on == 0
    )  # as much as is known of whoever is known least


def test_few_questions_leave_a_correlation_near_what_lineages_suggest() -> None:
    cast = [ballot("m0", 0, "x/one"), ballot("m1", 0, "x/one")]
    rates = {"m0": 0.7, "m1": 0.7}
    none, some, many = (
        Discounted(Known(rates, rho=0.0, on=on)).weigh(cast, "t", 4).votes for on in (1, 50, SURE)
    )
    assert none == pytest.approx(2 / (1 + lineage.SAME_FAMILY * 50 / 51))
    assert some == pytest.approx(2 / (1 + lineage.SAME_FAMILY / 2))
    assert many == pytest.approx(2)


def test_who_may_answer_anything_and_says_the_same_is_believed_more_than_among_two() -> None:
    weigher = Discounted(known(0.6, 0.6))
    free, two = (shares(weigher.weigh(ballots(0, 0), "t", among))[0] for among in (None, 2))
    assert free > two
    assert FREE > 100


@pytest.mark.parametrize(("held", "among"), [((-1,), None), ((0, 1, 2), 2)])
def test_ballots_that_cannot_be_are_refused(held: tuple[int, ...], among: int | None) -> None:
    with pytest.raises(ValueError, match=r"[Pp]osition"):
        Discounted(known(0.6, 0.6, 0.6)).weigh(ballots(*held), "t", among)
    assert Discounted().weigh([], "t").votes == 0.0


@given(st.lists(st.integers(0, 2), max_size=4), st.lists(accuracy, min_size=5, max_size=5), st.floats(0, 0.9))
def test_what_one_more_brings_is_never_less_than_nothing_nor_more_than_certainty(
    held: list[int], rates: list[float], rho: float
) -> None:
    weigher = Discounted(known(*rates, rho=rho))
    names = {old: n for n, old in enumerate(dict.fromkeys(held))}
    found = weigher.worth(ballots(*(names[one] for one in held)), Voter("m4", "z/one"), "t", 6)
    assert found is not None
    assert 0 <= found <= 1


def test_one_more_brings_most_where_it_can_change_the_answer() -> None:
    weigher = Discounted(known(0.6, 0.6, 0.6, 0.9))
    strong, echo = Voter("m3", "s/one"), Voter("m0", "maker-m0/one")

    def worth(cast: list[Ballot], voter: Voter) -> float:
        found = weigher.worth(cast, voter, "t", 10)
        assert found is not None
        return found

    assert worth(ballots(0, 1), strong) > worth(ballots(0, 0, 0), strong) > 0
    assert worth(ballots(0, 1), strong) > 5 * worth(ballots(0, 1), echo)
    assert Discounted().worth(ballots(0), strong, "t") is None


def both(right: str, *, same: bool) -> Both:
    return Both(right[0] == "+", right[1] == "+", same, options=5)


def test_how_errors_go_together_is_counted_from_rights_and_wrongs() -> None:
    rows = [
        *[both("++", same=True)] * 4,
        *[both("+-", same=False)] * 2,
        *[both("-+", same=False)] * 1,
        *[both("--", same=True)] * 2,
        *[both("--", same=False)] * 1,
    ]
    found = together(rows)
    assert found.of == 10
    assert (found.same_errors.hits, found.same_errors.of) == (2, 3)
    assert found.phi == pytest.approx((0.4 - 0.6 * 0.5) / math.sqrt(0.24 * 0.25))
    assert found.kappa == pytest.approx((0.7 - 0.5) / 0.5)
    assert found.capa == pytest.approx((0.6 - (0.3 + 0.2 / 4)) / (1 - (0.3 + 0.2 / 4)))


def test_what_cannot_be_said_of_two_models_is_not_said() -> None:
    assert together([]).phi is None
    always = together([both("++", same=True)] * 3)
    assert (always.phi, always.kappa, always.same_errors.of) == (None, None, 0)
    assert phi([]) is None


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_a_correlation_is_the_same_from_either_side(pairs: list[tuple[bool, bool]]) -> None:
    one, other = phi(pairs), phi([(b, a) for a, b in pairs])
    assert one == other or (one is not None and other is not None and one == pytest.approx(other))
    assert one is None or -1 <= one <= 1


def test_effective_votes_run_from_one_to_all() -> None:
    assert [effective(n, 0.0) for n in range(4)] == [0, 1, 2, 3]
    assert effective(9, 1.0) == effective(9, 7.0) == 1
    assert effective(9, 0.416) == pytest.approx(2.08, abs=0.01)
    assert shrunk(-0.3, SURE, 0.4, 50) == 0
    assert all(a > b for a, b in combinations([effective(5, rho / 10) for rho in range(11)], 2))
