"""G8: a history that several stores have written in turn, each with a memory of its own, is verified."""

from __future__ import annotations

from dissensus_state.store import Store
from inquiries import Notes, does


def test_g08_what_two_stores_wrote_in_turn_is_verified_and_read_again(database_url: str) -> None:
    with Store.open(database_url) as one, Store.open(database_url) as two:
        session = one.create(Notes(), name="shared")
        other = two.session("shared", Notes)
        for number in range(12):
            writer = (session, session, other, other, other)[number % 5]
            writer.transact(does("append", "lines", f"{number}" * 9_000), "ana")
        assert session.verify().versions == 13
        assert [line[0] for line in session.at(12).lines] == [str(n)[0] for n in range(12)]
        assert session.replay().versions == 13
