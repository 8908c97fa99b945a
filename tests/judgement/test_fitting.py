"""Votes fitted to graded rounds: what they find, what they say of themselves, and what they refuse."""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from dissensus_agents.errors import NotInstalled
from dissensus_agents.judgement.ballots import Ballot, Voter, Weighed
from dissensus_agents.judgement.fitted import FittedVote, Provenance
from dissensus_agents.judgement.fitting import Graded, calibration_error, digest_of, fit
from dissensus_agents.judgement.fitting_paying import Tried, only
from dissensus_agents.judgement.folds import fold_of
from dissensus_agents.judgement.manner import manner
from dissensus_agents.judgement.paying import Paying, posture

np = pytest.importorskip("numpy", reason="fitting needs the extra `learn`")

COSTS = {"strong": 1.0, "weak": 0.1, "echo": 0.1}


def voice(model: str, position: int, thinking: str | None = None) -> Ballot:
    return Ballot(model, Voter(model, f"maker-{model}/one"), position, thinking=thinking)


def round_of(key: int, seed: str = "fit") -> Graded:
    """Strong is right in 80 %, weak in 95 % of the sums; it says so where it guesses, and echo repeats it."""
    drawn = random.Random(f"{seed}/{key}")
    task = "sums" if key % 2 else "law"
    right = 0

    def says(p: float) -> int:
        return right if drawn.random() < p else drawn.choice([1, 2, 3])

    guessing = drawn.random() < 0.4
    weak = says(0.95 if task == "sums" else 0.1 if guessing else 0.8)
    thinking = "I have to guess." if guessing and task == "law" else "It follows."
    said = {"strong": says(0.8), "weak": weak, "echo": weak}
    numbers = {old: n for n, old in enumerate(sorted(set(said.values())))}
    return Graded(
        f"q{key}",
        tuple(voice(model, numbers[at], thinking) for model, at in said.items()),
        task,
        numbers.get(right),
        5,
    )


ROUNDS = [round_of(key) for key in range(600)]


@pytest.fixture(scope="module")
def vote() -> FittedVote:
    return fit(ROUNDS, features=manner, ridge=1.0, at="2026-11-25")


def test_who_is_right_at_what_is_found(vote: FittedVote) -> None:
    split = [
        voice("strong", 0, "It follows."),
        voice("weak", 1, "It follows."),
        voice("echo", 1, "It follows."),
    ]
    assert vote.weigh(split, "sums", 5).best == 1
    assert vote.weigh(split, "law", 5).best == 0


def test_an_echo_adds_nothing_and_a_guess_is_seen(vote: FittedVote) -> None:
    alone = [voice("strong", 0, "It follows."), voice("weak", 1, "It follows.")]
    echoed = [*alone, voice("echo", 1, "It follows.")]
    guessed = [voice("strong", 0, "It follows."), voice("weak", 1, "I have to guess.")]
    shares = [vote.weigh(cast, "law", 5).shares for cast in (alone, echoed, guessed)]
    assert all(shares)
    one, two, three = (found[1] for found in shares if found)
    assert vote.weights["pair:echo:weak"] < 0
    assert three < one / 2
    assert two < 0.6


def test_shares_leave_room_for_none_of_them(vote: FittedVote) -> None:
    apart = [voice("strong", 0), voice("weak", 1), voice("echo", 2)]
    found = vote.weigh(apart, "law", 5)
    assert found.shares
    assert 0.5 < sum(found.shares) < 1
    everything = vote.weigh(apart, "law", 3).shares
    assert everything
    assert sum(everything) == pytest.approx(1)


def test_it_says_on_what_it_was_fitted_and_how_it_was_tested(vote: FittedVote) -> None:
    told = vote.provenance
    assert (told.rounds, told.split, told.at) == (600, "5 folds by sha256(key)", "2026-11-25")
    assert told.digest == digest_of(list(reversed(ROUNDS)))
    assert told.digest != digest_of(ROUNDS[1:])
    assert told.tested
    for middle, low, high in (told.tested.accuracy, told.tested.log_loss, told.tested.ece):
        assert low <= high
        assert low - 0.05 <= middle <= high
    assert told.tested.accuracy[0] > 0.82
    assert "600 graded rounds" in vote.weigh(ROUNDS[0].ballots, "sums", 5).note


def test_what_it_promises_is_kept_on_rounds_it_never_saw(vote: FittedVote) -> None:
    fresh = [round_of(key, "fresh") for key in range(600)]
    seen = [(vote.weigh(one.ballots, one.task, one.options), one.right) for one in fresh]
    accuracy = sum(found.best == right for found, right in seen) / len(seen)
    assert vote.provenance.tested
    assert accuracy == pytest.approx(vote.provenance.tested.accuracy[0], abs=0.05)
    sure = np.array([found.confidence for found, _ in seen])
    assert calibration_error(sure, np.array([found.best == right for found, right in seen])) < 0.08


def test_voters_and_tasks_that_it_has_not_seen_are_named(vote: FittedVote) -> None:
    cast = [voice("strong", 0), voice("new", 1)]
    found = vote.weigh(cast, "poetry", 5)
    assert "new" in found.note
    assert "'poetry'" in found.note
    assert "did not vote" in found.note
    assert found.best == 0
    nobody = vote.weigh([voice("new", 0)], "sums", 5)
    assert (nobody.shares, nobody.basis) == (None, "prior")
    assert "new" in nobody.note
    assert vote.weigh([], "sums").votes == 0


def test_it_is_the_same_after_json_to_the_sixth_place(vote: FittedVote) -> None:
    again = FittedVote.from_json(vote.as_json(), manner)
    assert again.provenance == vote.provenance
    for one in ROUNDS[:50]:
        before, after = (each.weigh(one.ballots, one.task, one.options) for each in (vote, again))
        assert before.shares
        assert after.shares == pytest.approx(before.shares, abs=1e-4)


def changed(vote: FittedVote, **more: Any) -> str:
    said = json.loads(vote.as_json())
    for path, value in more.items():
        *inner, last = path.split("__")
        at = said
        for name in inner:
            at = at[name]
        at[last] = value
    return json.dumps(said)


@pytest.mark.parametrize(
    "more",
    [
        {"kind": "something"},
        {"version": 2},
        {"weights__model:strong": 1e9},
        {"weights__model:strong": "much"},
        {"weights__model:strong": True},
        {"weights__model:strong": math.nan},
        {"weights": []},
        {"weights": {f"model:{n}": 0.0 for n in range(20_001)}},
        {"provenance__rounds": -1},
        {"provenance__tested__ece": [1]},
        {"provenance": {}},
        {"weights__reads:telepathy": 1.0},
    ],
)
def test_a_file_that_is_no_such_vote_is_refused(vote: FittedVote, more: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        FittedVote.from_json(changed(vote, **more), manner)


def test_a_vote_that_was_changed_by_hand_is_refused(vote: FittedVote) -> None:
    with pytest.raises(ValueError, match="seal"):
        FittedVote.from_json(changed(vote, provenance__rounds=1_000_000), manner)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, '"' + "a" * 4_000_001])
def test_what_is_no_object_of_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        FittedVote.from_json(text)


def test_a_vote_that_reads_needs_its_features(vote: FittedVote) -> None:
    with pytest.raises(ValueError, match="give the features"):
        FittedVote.from_json(vote.as_json())


def test_too_few_rounds_are_no_ground_for_a_vote() -> None:
    with pytest.raises(ValueError, match="30 graded rounds; there are 29"):
        fit(ROUNDS[:29])
    with pytest.raises(ValueError, match="One fold"):
        fit(ROUNDS, folds=1)
    closed = replace(ROUNDS[0], right=None, options=len({one.position for one in ROUNDS[0].ballots}))
    with pytest.raises(ValueError, match="none of its positions"):
        fit([closed, *ROUNDS[1:40]], ridge=1.0, folds=0)


def test_what_was_not_tested_says_so() -> None:
    untested = fit(ROUNDS[:60], ridge=1.0, folds=0)
    assert untested.provenance.tested is None
    assert "not tested" in untested.weigh(ROUNDS[0].ballots, "sums", 5).note


def test_the_penalty_is_chosen_within_what_is_fitted() -> None:
    noise = [replace(one, right=random.Random(one.key).choice([0, None])) for one in ROUNDS[:120]]
    assert fit(noise, features=manner, folds=0).provenance.ridge == 3.0


def test_without_numpy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(NotInstalled, match="numpy") as caught:
        fit(ROUNDS[:40])
    assert caught.value.code == "extra.missing"
    assert "dissensus[learn]" in str(caught.value.next_step)


def test_a_fold_depends_on_the_key_alone() -> None:
    assert [fold_of(f"q{n}", 5) for n in range(8)] == [fold_of(f"q{n}", 5) for n in range(8)]
    assert {fold_of(f"q{n}", 5) for n in range(100)} == set(range(5))


@pytest.fixture(scope="module")
def tried() -> Tried:
    return Tried(ROUNDS, [["weak"], ["strong"]], [COSTS] * len(ROUNDS), features=manner)


def test_the_dear_model_is_asked_only_where_that_pays(tried: Tried) -> None:
    policy = tried.costing(0.7)
    assert policy.promised.cost <= 0.7
    weak = [voice("weak", 0, "It follows.")]
    assert policy.step([], "sums", 5).models == ("weak",)
    assert not policy.step(weak, "sums", 5).go
    guess = policy.step([voice("weak", 0, "I have to guess.")], "law", 5)
    assert (guess.go, guess.models, guess.cost) == (True, ("strong",), pytest.approx(1.0))
    assert guess.net > 0
    assert "strong" in guess.why
    assert not policy.step([*weak, voice("strong", 1)], "law", 5).go


def test_more_money_brings_no_fewer_right_answers_and_fewer_right_answers_cost_less(tried: Tried) -> None:
    spent = [tried.costing(most).promised for most in (0.1, 0.3, 0.6, 2.0)]
    assert [one.cost for one in spent] == sorted(one.cost for one in spent)
    assert all(one.accuracy <= other.accuracy + 0.01 for one, other in pairwise(spent))
    cheap, dear = (tried.keeping(accuracy).promised for accuracy in (0.75, spent[-1].accuracy - 0.02))
    assert cheap.cost < dear.cost < spent[-1].cost
    assert cheap.accuracy >= 0.75
    assert dear.accuracy >= spent[-1].accuracy - 0.02
    with pytest.raises(ValueError, match="At any cost"):
        tried.keeping(0.999)
    with pytest.raises(ValueError, match="first tier alone"):
        tried.costing(0.01)


def test_a_policy_says_what_it_promises_and_survives_json(tried: Tried) -> None:
    policy = tried.costing(0.5)
    again = Paying.from_json(policy.as_json(), manner)
    assert again.promised == policy.promised
    for one in ROUNDS[:30]:
        now = only(one, {"weak"})
        before, after = (each.step(now.ballots, one.task, one.options) for each in (policy, again))
        assert (before.go, before.models) == (after.go, after.models)
        assert after.net == pytest.approx(before.net, abs=1e-4)
    said = json.loads(policy.as_json())
    with pytest.raises(ValueError, match="seal"):
        Paying.from_json(json.dumps({**said, "price": said["price"] * 2 + 1}), manner)
    for broken in ({"tiers": []}, {"tiers": said["tiers"][:1]}, {"price": "high"}, {"promised": {}}):
        with pytest.raises(ValueError, match=r"\w"):
            Paying.from_json(json.dumps({**said, **broken}), manner)


def test_a_tier_that_is_silent_is_passed(tried: Tried) -> None:
    policy = tried.costing(0.5)
    assert policy.step([], "law", 5, silent=["weak"]).models == ("strong",)
    assert not policy.step([], "law", 5, silent=["weak", "strong"]).go


def test_a_round_of_fewer_models_is_what_they_alone_would_have_said() -> None:
    whole = Graded("k", (voice("a", 0), voice("b", 2), voice("c", 1)), "t", 1, 5)
    assert only(whole, {"a", "b"}) == Graded("k", (voice("a", 0), voice("b", 1)), "t", None, 5)
    assert only(whole, {"c"}).right == 0
    assert only(whole, set()).ballots == ()


def test_what_pays_depends_on_the_shares_and_not_on_their_order() -> None:
    assert posture((0.2, 0.7)) == posture((0.7, 0.2))
    assert posture(()) == (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert Weighed(1.0).best is None


@pytest.mark.parametrize(
    "text", ["", "x" * 100_000, "\x00\ud800 answer is answer is", "=" * 20_000, "\n" * 9_000]
)
def test_whatever_a_model_writes_is_measured_within_bounds(text: str) -> None:
    found = manner(text)
    assert set(found) == set(manner(""))
    assert all(-3 <= value <= 3 for value in found.values())


def test_an_untested_provenance_is_written_and_read() -> None:
    plain = FittedVote({"model:a": 1.0, "none": 0.0}, ("a",), Provenance(30, "none", "d", "2026-11-25", 1.0))
    assert FittedVote.from_json(plain.as_json()) == plain
