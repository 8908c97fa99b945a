"""G8: of a round with several rulings, each is held to its proposals, in turn."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from by_hand import change, in_review, rules, to_judging
from dissensus_state.engines import Statement
from dissensus_state.errors import Tampered
from dissensus_state.sessions import Session
from dissensus_state.tables import rulings
from inquiries import Inquiry


@pytest.fixture
def judging(inquiry: Session[Inquiry]) -> Session[Inquiry]:
    to_judging(inquiry)
    return inquiry


def test_g08_a_round_with_several_rulings_verifies_and_keeps_their_order(judging: Session[Inquiry]) -> None:
    journal, round_, made = in_review(judging)
    first = replace(
        rules(round_, made, "escalate"), author="rule", advice={"decision": "uphold", "upheld": []}
    )
    second = replace(
        rules(round_, made, "escalate"), author="model", kin={"ana": "same lineage"}, seat="supervisor.2"
    )
    last = rules(round_, made, upheld=("ana",), dissent=("ben",), confidence=0.8, readings=("one", "other"))
    round_ = journal.rule(round_, first)
    assert round_.status == "review"
    round_ = journal.rule(round_, second)
    journal.commit(round_, change(judging, made[0]), last)

    found = journal.rulings(round_)
    assert [(one.n, one.author) for one in found] == [(1, "rule"), (2, "model"), (3, "chair")]
    assert [replace(one, at=0, n=0) for one in found] == [first, second, last]
    assert judging.verify().rounds == 1


def test_g08_a_ruling_of_a_chain_on_other_proposals_is_found(judging: Session[Inquiry]) -> None:
    journal, round_, made = in_review(judging)
    round_ = journal.rule(round_, rules(round_, made[:1], "escalate"))
    journal.commit(round_, change(judging, made[0]), rules(round_, made, upheld=("ana",), dissent=("ben",)))

    with pytest.raises(Tampered, match="ruling 1 of its round is bound to other proposals or another base"):
        judging.verify()


def test_g08_nothing_follows_a_ruling_that_has_settled_its_round(judging: Session[Inquiry]) -> None:
    journal, round_, made = in_review(judging)
    round_ = journal.rule(round_, rules(round_, made, "reject"))
    journal.commit(round_, change(judging, made[0]), rules(round_, made, upheld=("ana",), dissent=("ben",)))

    with pytest.raises(Tampered, match="ruling 1 of its round had settled it as reject"):
        judging.verify()


def test_g08_a_ruling_that_is_missing_from_a_chain_is_found(judging: Session[Inquiry]) -> None:
    journal, round_, made = in_review(judging)
    round_ = journal.rule(round_, rules(round_, made, "escalate"))
    renumber = Statement(
        sa.update(rulings)
        .where(rulings.c.session_id == sa.bindparam("session_id_"))
        .values(n=sa.bindparam("n_"))
    )
    with judging.database.writing() as work:
        work.run(renumber, session_id_=judging.session_id, n_=0)
    journal.commit(round_, change(judging, made[0]), rules(round_, made, upheld=("ana",), dissent=("ben",)))

    with pytest.raises(Tampered, match="ruling 1 of its round is missing"):
        judging.verify()
