"""Every fault of a provider at every adapter: bounded, paid for at most once, and on record exactly once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters import ADAPTERS
from dissensus.testing import FAULTS, FakeProvider, Fault
from dissensus.testing.answers import Spoken
from dissensus_state.store import Store
from faulting import SOUND, handled, lived, mixed, warmed


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One database for all of them: it is no fault's concern how many sessions there are."""
    folder: Path = tmp_path_factory.mktemp("faults")
    with Store.open(f"sqlite:///{folder}/faults.db") as store, FakeProvider() as served:
        warmed(served, store)
        yield store


@pytest.fixture(scope="module")
def served() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.mark.parametrize("spoken", list(ADAPTERS))
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_g07_a_fault_is_bounded_charged_at_most_once_and_recorded_exactly_once(
    served: FakeProvider, place: Store, fault: Fault, spoken: Spoken
) -> None:
    assert lived(served, place, fault, spoken).defects == ()


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_g07_so_it_is_where_answers_come_in_one_piece(
    served: FakeProvider, place: Store, fault: Fault
) -> None:
    assert lived(served, place, fault, "openai", whole=True).defects == ()


def test_g07_a_provider_that_is_well_again_is_asked_again_and_both_are_on_record(
    served: FakeProvider, database_url: str
) -> None:
    """The same on both databases, for a fault that may be billed, and for one that is tried again."""
    with Store.open(database_url) as store:
        warmed(served, store)
        for name in ("cut_in_event", "unavailable"):
            found = lived(served, store, Fault.named(name), "anthropic", then=SOUND)
            assert found.defects == ()


@pytest.mark.parametrize("spoken", list(ADAPTERS))
@pytest.mark.parametrize("seed", range(3))
def test_g07_faults_one_after_the_other_are_each_on_record_once(
    served: FakeProvider, place: Store, seed: int, spoken: Spoken
) -> None:
    taken = [fault for fault in FAULTS if fault.connection == "taken"]
    faults = random.Random(seed).sample(taken, 3)
    assert mixed(served, place, faults, spoken) == (), [fault.name for fault in faults]


def test_the_share_of_what_is_handled_counts_what_has_no_defect(served: FakeProvider, place: Store) -> None:
    found = [lived(served, place, Fault.named(name), "gemini") for name in ("wrong_key", "no_end")]
    assert handled(found) == 1.0
    wrong = Fault("misnamed", "spent", billed=False, make=Fault.named("wrong_key").make)
    found += [lived(served, place, wrong, "gemini")]
    assert found[-1].defects == ("attempt 1 is called key",)
    assert handled(found) == pytest.approx(2 / 3)
