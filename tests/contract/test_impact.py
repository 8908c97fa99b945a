"""What rests on a commit or a value, through what was read."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dissensus_state.errors import NotFound
from dissensus_state.impact import Impact
from dissensus_state.store import Store
from inquiries import Notes
from resting import PATHS, Life, Naive


def tips(found: Impact) -> set[tuple[str, int]]:
    """The commits of an impact by branch and version."""
    assert len(found.commits) == found.count
    return {(one.branch, one.version) for one in found.commits}


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_the_impact_of_every_commit_of_a_random_history_is_that_of_a_naive_walk(
    store: Store, seed: int
) -> None:
    session = store.create(Notes())
    Life(session, seed).live(40)
    naive = Naive(session)
    for name, line in naive.lines.items():
        branch = session.on(name)
        for version in range(len(line)):
            assert tips(branch.impact(version)) == naive.impact((name, version)), (seed, name, version)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_the_impact_of_every_value_of_a_random_history_is_that_of_a_naive_walk(
    store: Store, seed: int
) -> None:
    session = store.create(Notes())
    Life(session, seed).live(40)
    naive = Naive(session)
    for name, line in naive.lines.items():
        branch = session.on(name)
        for path in PATHS[:-1]:
            version = len(line) - 1 - seed % 3 if len(line) > 3 else len(line) - 1
            place = tuple(path.split("/"))
            try:
                found = branch.impact(path, version)
            except NotFound:
                continue
            origins = [tip for tip, _ in naive.contributors(name, place, version)]
            assert [*found.origins] == origins[::-1]
            assert tips(found) == naive.impact(*origins, path=path), (seed, name, path, version)
