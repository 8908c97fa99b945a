"""The law of taking away: whatever is redacted or pruned, the rest of every history is what it was."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from dissensus_state.store import Store
from erasing_law import STEPS, Law


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@drawn(data=st.data())
def test_g08_whatever_is_redacted_or_pruned_the_rest_of_every_history_is_what_it_was(
    store: Store, data: st.DataObject
) -> None:
    law = Law(store, data)
    for _ in range(data.draw(st.integers(3, 18), "steps")):
        getattr(law, data.draw(STEPS, "step"))()
    law.check()
