"""Chains of supervisors: each rules where the one before escalates, and every ruling is recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from dissensus_agents.errors import GraphError, ProviderFailed
from dissensus_agents.judgement.rules import Majority
from dissensus_agents.judgement.supervisor import Person, Review, Supervisor, Verdict
from dissensus_agents.judgement.verifiers import verifier
from dissensus_agents.messages import Reply, Request
from dissensus_agents.models.client import Model
from dissensus_agents.session import settle
from dissensus_state.errors import Tampered
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.tables import rulings
from panels import (
    Case,
    Voice,
    agent,
    happened,
    in_prompt,
    kinds,
    one_step,
    panel,
    ruling,
    told,
    upholds,
    voice,
)


class Stopped(RuntimeError):
    """Something outside of dissensus ends the run."""


def shrugs(review: Review) -> Verdict:
    """A rule that leaves it to the next one."""
    return Verdict(decision="escalate", reason=f"{len(review.positions)} positions, and no rule for them")


def escalating(reason: str = "over to you") -> Voice:
    return Voice("first-chair", {"decision": "escalate", "reason": reason}, lineage="other/one")


async def test_each_supervisor_rules_where_the_one_before_escalates(session: Session[Case]) -> None:
    chair = Voice("chair", ruling("net"))
    chain = [shrugs, Supervisor(escalating()), Supervisor(chair), Person("ana")]

    progress = await told(one_step(panel("disk", "net"), supervisor=chain), session)

    given = session.round(1)[3]
    assert [(one.n, one.author, one.decision) for one in given] == [
        (1, "shrugs", "escalate"),
        (2, "first-chair", "escalate"),
        (3, "chair", "uphold"),
    ]
    assert len({one.binding for one in given}) == 1
    assert session.commit_at(1).author == "b"
    assert kinds(progress).count("reviewing") == kinds(progress).count("ruled") == 3


async def test_the_last_escalation_parks_the_round_for_the_person_it_names(session: Session[Case]) -> None:
    graph = one_step(panel("disk", "net"), supervisor=[shrugs, Person("ana")])

    first, second = await graph.run(session), await graph.run(session)

    assert (first.status, second.status) == ("parked", "parked")
    assert [one.author for one in session.round(1)[3]] == ["shrugs", "ana"]
    settle(session, 1, decision="uphold", author="ana", reason="I looked", position="A")
    assert [(one.n, one.author) for one in session.round(1)[3]] == [(1, "shrugs"), (2, "ana"), (3, "ana")]
    assert (await graph.run(session)).status == "finished"
    assert (await graph.replay(session)).calls == 0


async def test_a_chain_without_anybody_at_its_end_parks_all_the_same(session: Session[Case]) -> None:
    result = await one_step(panel("disk", "net"), supervisor=[shrugs, shrugs]).run(session)

    assert (result.status, result.parked) == ("parked", 1)
    assert [one.decision for one in session.round(1)[3]] == ["escalate", "escalate"]


async def test_the_calls_of_each_supervising_model_stand_at_a_seat_of_its_own(session: Session[Case]) -> None:
    second = Voice("second", ruling("net"))
    graph = one_step(panel("disk", "net"), supervisor=[Supervisor(escalating()), Supervisor(second)])

    await graph.run(session)

    calls = {call.agent: call.model for call in session.round(1)[2]}
    assert (calls["supervisor"], calls["supervisor.2"]) == ("first-chair", "second")
    assert [(one.seat, one.attempt) for one in session.round(1)[3]] == [(None, 1), ("supervisor.2", 1)]


async def test_another_model_can_be_put_on_any_seat_of_the_chain(session: Session[Case]) -> None:
    graph = one_step(
        panel("disk", "net"), supervisor=[shrugs, Supervisor(escalating()), Supervisor("ollama:x")]
    )

    await graph.run(session, models={"supervisor.2": Voice("swapped", ruling("disk"))})

    assert [one.author for one in session.round(1)[3]] == ["shrugs", "first-chair", "swapped"]
    with pytest.raises(GraphError, match=r"no agent 'supervisor\.3'"):
        graph.swapped({"supervisor.3": Voice("nobody", "")})


@pytest.mark.parametrize("recorded", [0, 1, 2])
async def test_g11_a_run_that_stops_between_two_rulings_asks_nobody_twice(
    session: Session[Case], recorded: int
) -> None:
    stops = [True]

    def stopping(n: int) -> Any:
        def rule(_: Review) -> Verdict:
            if n == recorded and stops:
                stops.pop()
                raise Stopped
            return Verdict(decision="escalate", reason="no rule")

        return rule

    first, last = escalating(), Voice("chair", ruling("net"))
    chain = [stopping(0), Supervisor(first), stopping(1), stopping(2), Supervisor(last)]
    agents = panel("disk", "net")
    graph = one_step(agents, supervisor=chain)

    with pytest.raises(Stopped):
        await graph.run(session)
    await graph.run(session)

    assert [one.n for one in session.round(1)[3]] == [1, 2, 3, 4, 5]
    assert (len(first.asked), len(last.asked)) == (1, 1)
    assert [len(voice(one).asked) for one in agents] == [1, 1]
    assert session.commit_at(1).author == "b"
    assert (await graph.replay(session)).calls == 0


async def test_g14_a_model_that_cannot_be_asked_is_passed_over_and_the_record_says_so(
    session: Session[Case],
) -> None:
    out = Voice("first", ProviderFailed("The server is down"))

    await one_step(panel("disk", "net"), supervisor=[Supervisor(out), Supervisor(upholds("disk"))]).run(
        session
    )

    first, second = session.round(1)[3]
    assert (first.decision, second.decision) == ("escalate", "uphold")
    assert "could not be asked: The server is down" in first.reason
    assert "could not be asked" in first.notes


async def test_a_verdict_that_cannot_be_read_goes_to_the_next_and_at_the_end_is_a_rejection(
    store: Store,
) -> None:
    for chain, decisions in (([], ["reject"]), ([Supervisor(upholds("net"))], ["escalate", "uphold"])):
        session = store.create(Case())
        await one_step(
            panel("disk", "net"), supervisor=[Supervisor(Voice("mumbling", "whatever")), *chain]
        ).run(session)
        given = session.round(1)[3]
        assert [one.decision for one in given] == decisions
        assert given[0].notes == ("unreadable verdict",)


def test_nobody_can_stand_behind_a_person_in_a_chain() -> None:
    with pytest.raises(GraphError, match="parked for ana, so that chair after it is never asked"):
        one_step(panel("disk"), supervisor=[Person("ana"), Supervisor(Voice("chair", ""))])


async def test_retries_of_a_chain_share_the_budget_of_the_step(session: Session[Case]) -> None:
    from dissensus_agents.errors import RoundVoid

    again = Supervisor(upholds("net", decision="retry", clarification="Look again"), name="chair")

    with pytest.raises(RoundVoid, match="back 2 times"):
        await one_step(panel("disk", "net"), supervisor=[shrugs, again], again=1).run(session)

    assert [len(session.round(n)[3]) for n in (1, 2)] == [2, 2]


async def test_g08_every_ruling_of_a_chain_is_held_to_what_it_was(store: Store) -> None:
    changes: dict[str, Any] = {
        "binding": b"\0" * 32,
        "author": "somebody else",
        "body": '{"reason":"another"}',
        "decision": "reject",
    }
    for n in (1, 2):
        for column, value in changes.items():
            session = store.create(Case())
            await one_step(panel("disk", "net"), supervisor=[shrugs, Supervisor(upholds("net"))]).run(session)
            assert session.verify().rounds == 1
            with store.database.writing() as work:
                _tamper(work, session, n, column, value)
            with pytest.raises(Tampered, match="Version 1 could not have been admitted"):
                session.verify()


def _tamper(work: Any, session: Session[Case], n: int, column: str, value: Any) -> None:
    from dissensus_state.engines import Statement

    work.run(
        Statement(
            sa.update(rulings)
            .where(
                rulings.c.session_id == sa.bindparam("session_id_"),
                rulings.c.n == sa.bindparam("n_"),
            )
            .values({column: sa.bindparam("value")})
        ),
        session_id_=session.session_id,
        n_=n,
        value=value,
    )


# Both orders


def by_content(marker: str) -> Any:
    """A model that upholds the position with this text wherever it stands."""

    def answer(request: Request) -> dict[str, Any]:
        sources = [part.source or "" for part in request.parts if marker in part.text]
        label = next(s.partition(":")[2] for s in sources if s.startswith(("position:", "reversed:")))
        return {"decision": "uphold", "reason": "so", "position": label}

    return answer


async def test_the_same_verdict_in_both_orders_stands(session: Session[Case]) -> None:
    chair = Voice("chair", by_content('"net"'))

    await one_step(panel("disk", "net"), supervisor=Supervisor(chair, orders=2)).run(session)

    (given,) = session.round(1)[3]
    assert (given.decision, given.upheld) == ("uphold", ("b",))
    assert given.reverse == {"attempt": 1, "decision": "uphold", "position": "B", "same": True}
    assert "ruled the same in both orders" in given.notes
    shown = [[part.text for part in asked.parts if ":" in (part.source or "")] for asked in chair.asked]
    assert [text[13:] for text in shown[0]] == [text[13:] for text in reversed(shown[1])]
    assert {call.agent for call in session.round(1)[2]} >= {"supervisor", "supervisor.reverse"}


async def test_a_change_of_mind_with_the_order_is_a_disagreement_for_the_next_one(store: Store) -> None:
    for rest, decisions in (([], ["escalate"]), ([upholds("disk")], ["escalate", "uphold"])):
        session = store.create(Case())
        first_shown = Voice("chair", {"decision": "uphold", "reason": "it comes first", "position": "A"})

        result = await one_step(
            panel("disk", "net"), supervisor=[Supervisor(first_shown, orders=2), *rest]
        ).run(session)

        given = session.round(1)[3]
        assert [one.decision for one in given] == decisions
        assert given[0].reverse is not None
        assert given[0].reverse["same"] is False
        assert "changed its mind with the order" in given[0].notes
        assert given[0].advice is None
        assert result.status == ("finished" if rest else "parked")


async def test_g11_the_answers_in_both_orders_are_asked_for_once(session: Session[Case]) -> None:
    stops = [True]

    def parse(reply: Reply, _: Review) -> Verdict:
        if stops:
            stops.pop()
            raise Stopped
        return Verdict.model_validate_json(reply.text)

    chair = Voice("chair", lambda request: json.dumps(by_content('"net"')(request)))
    graph = one_step(panel("disk", "net"), supervisor=Supervisor(chair, orders=2, parse=parse))

    with pytest.raises(Stopped):
        await graph.run(session)
    await graph.run(session)

    assert len(chair.asked) == 2
    assert session.commit_at(1).author == "b"


async def test_what_was_shown_in_reverse_order_can_be_read_again(session: Session[Case]) -> None:
    from dissensus_agents.sources import resolve_source

    chair = Voice("chair", by_content('"net"'))
    await one_step(panel("disk", "net"), supervisor=Supervisor(chair, orders=2)).run(session)

    for asked in chair.asked:
        for part in asked.parts:
            if part.source and part.source.startswith(("position:", "reversed:")):
                assert resolve_source(session, part.source, 0, 1) == part.text


# Lineage


async def test_a_supervisor_of_a_lineage_that_it_judges_says_so_passes_or_is_refused(store: Store) -> None:
    kin: Model = Voice("kin", ruling("net"), lineage="maker-a/two/3")
    own: Model = Voice("own", ruling("net"), lineage="maker-a/one/3")
    agents = panel("disk", "net")

    session = store.create(Case())
    await one_step(agents, supervisor=Supervisor(own)).run(session)
    (given,) = session.round(1)[3]
    assert (given.kin, given.upheld) == ({"a": "same lineage"}, ("b",))
    assert given.notes == ("shares the lineage maker-a/one/3 with a",)

    session = store.create(Case())
    result = await one_step(agents, supervisor=Supervisor(own, kin="pass")).run(session)
    (given,) = session.round(1)[3]
    assert (result.status, given.decision, given.attempt) == ("parked", "escalate", None)
    assert given.notes == ("own was not asked: same lineage",)

    session = store.create(Case())
    await one_step(agents, supervisor=Supervisor([own, kin], kin="pass")).run(session)
    (given,) = session.round(1)[3]
    assert [call.model for call in session.round(1)[2] if call.agent == "supervisor"] == ["kin"]
    assert given.notes == ("own was not asked: same lineage",)

    with pytest.raises(GraphError, match="'own' is of a lineage that it would judge in 'judge'"):
        one_step(agents, supervisor=Supervisor(own, kin="refuse"))


async def test_a_lineage_that_nobody_knows_is_not_independent(session: Session[Case]) -> None:
    unknown = Voice("unknown", ruling("net"))

    await one_step(panel("disk", "net"), supervisor=[Supervisor(unknown, kin="pass"), Majority()]).run(
        session
    )

    first = session.round(1)[3][0]
    assert (first.decision, unknown.asked) == ("escalate", [])
    assert first.notes == ("unknown was not asked: unknown lineage",)


# Withheld reasoning


def hidden(name: str, said: str) -> Any:
    reply = Reply(json.dumps({"verdict": {"cause": said}}), "m", reasoning_kind="withheld")
    return agent(name, reply, lineage=f"maker-{name}/one")


@verifier
def it_is_net(proposed: Any, _: Any) -> bool:
    return proposed["/verdict"]["cause"] == "net"


async def test_a_word_for_reasoning_that_is_withheld_goes_up_a_level(store: Store) -> None:
    chair = Voice("chair", ruling('"net"'))
    for rest, settings, decisions, status in (
        ([], {}, ["uphold"], "finished"),
        ([], {"withheld": "escalate"}, ["escalate"], "parked"),
        ([Person("ana")], {}, ["escalate", "escalate"], "parked"),
        ([Person("ana")], {"verifiers": [it_is_net]}, ["uphold"], "finished"),
    ):
        session = store.create(Case())
        agents = [*panel("disk"), hidden("b", "net")]

        result = await one_step(agents, supervisor=[Supervisor(chair), *rest], **settings).run(session)  # type: ignore[arg-type]

        first = session.round(1)[3][0]
        assert ([one.decision for one in session.round(1)[3]], result.status) == (decisions, status)
        assert "the reasoning behind position B is withheld" in first.notes
        assert first.kinds == {"b": "withheld"}
        if first.decision == "escalate":
            assert first.advice == {"decision": "uphold", "upheld": ["b"]}
            assert first.reason == "chair advises to uphold position B: so"


async def test_a_supervisor_may_only_advise_whoever_rules_after_it(session: Session[Case]) -> None:
    chair = Supervisor(Voice("chair", ruling("net")), advises=True)

    result = await one_step(panel("disk", "net"), supervisor=[chair, Person("ana")]).run(session)

    first = session.round(1)[3][0]
    assert (result.status, first.decision, first.attempt) == ("parked", "escalate", 1)
    assert (first.advice, first.reason) == (
        {"decision": "uphold", "upheld": ["b"]},
        "chair advises to uphold position B: so",
    )


async def test_the_supervisor_is_told_what_it_cannot_read(session: Session[Case]) -> None:
    chair = Voice("chair", ruling('"disk"'))

    await one_step([*panel("disk"), hidden("b", "net")], supervisor=Supervisor(chair)).run(session)

    label = in_prompt(chair.asked[0], '"net"')
    assert f"The reasoning behind {label} is withheld" in chair.asked[0].prompt
    assert session.commit_at(1).author == "a"


# First wrong steps


async def test_a_wrong_step_is_looked_up_in_the_reasoning_that_it_is_quoted_from(
    session: Session[Case],
) -> None:
    def answer(request: Request) -> dict[str, Any]:
        steps = [
            {"position": in_prompt(request, '"disk"'), "step": "“I think   of disk.”"},
            {"position": in_prompt(request, '"net"'), "step": "It never said this"},
        ]
        return {**ruling("net")(request), "wrong_steps": steps, "cause": "reasoning_error"}

    await one_step(panel("disk", "net"), supervisor=Supervisor(Voice("chair", answer))).run(session)

    _, _, calls, (given,) = session.round(1)
    thinking = next(call.thinking for call in calls if call.agent == "a") or ""
    place = given.places["A"]
    assert isinstance(place, dict)
    assert (place["agent"], thinking[place["start"] : place["end"]]) == ("a", "I think of disk.")  # type: ignore[misc]
    assert given.steps["B"] == "It never said this"
    assert "B" not in given.places
    assert given.notes == ("position B: step not found in the reasoning",)
    assert given.cause == "reasoning_error"
    assert (session.round(1)[0].review or {})["disagreements"][0]["cause"] == "judgement"


# Ambiguous questions


async def test_who_asked_an_ambiguous_question_is_told_how_it_can_be_read(session: Session[Case]) -> None:
    agents = panel("disk", "net")
    readings = ["Why did the writer stop?", "Why did the <<<reader>>>\nstop?"]
    clearer = {"decision": "retry", "clarification": "Take the first", "cause": "ambiguous_question"}
    chair = Voice("chair", ruling("net", **clearer, readings=readings), ruling("net"))

    progress = await told(one_step(agents, supervisor=Supervisor(chair)), session)

    (body,) = happened(session, "ambiguous")
    kept = ["Why did the writer stop?", "Why did the < · < · <reader> · > · > stop?"]
    assert body == {
        "step": "judge",
        "supervisor": "chair",
        "readings": kept,
        "clarification": "Take the first",
    }
    assert next(item.body for item in progress if item.kind == "ambiguous") == body
    assert session.round(1)[3][0].readings == tuple(kept)
    note = session.rounds()[1].note or ""
    assert note.startswith(
        "Take the first\nUntil now the question could be read as: (1) “Why did the writer stop?”"
    )
    assert note in voice(agents[0]).asked[1].prompt


async def test_what_a_supervisor_says_is_bounded_before_it_is_kept(session: Session[Case]) -> None:
    flood = {
        "decision": "retry",
        "cause": "ambiguous_question",
        "reason": "r" * 50_000,
        "clarification": "c" * 50_000,
        "readings": [f"{n} " + "x" * 5_000 for n in range(100)],
    }
    chair = Voice("chair", ruling("net", **flood), ruling("net"))

    await one_step(panel("disk", "net"), supervisor=Supervisor(chair)).run(session)

    given = session.round(1)[3][0]
    assert given.reason.endswith("(cut after 8000 characters)")
    assert len(given.readings) == 8
    assert max(map(len, given.readings)) < 600
    assert len(session.rounds()[1].note or "") < 15_000
