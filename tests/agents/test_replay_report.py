"""G10: a replay against changed code lists what would be refused, asked anew, or differ, and why."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pytest

from dissensus_agents.divergences import Divergence, words
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.comparators import Text
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.replaying import Replayed, replay
from dissensus_state import tables
from dissensus_state.errors import Diverged, Pruned
from dissensus_state.machine import Transition
from dissensus_state.rights import Rights
from dissensus_state.sessions import Session
from dissensus_state.shapes import Append, SharedState, invariant, shape_of
from dissensus_state.store import Store
from judged import judging, muted, silent, speaking
from panels import Case, agent, cause, one_step, panel
from tampering import rows, write


async def report(graph: AgentGraph, session: Session[Any], most: int = 100) -> Replayed:
    """All that differs; what is listed and what is counted agree, and nothing was changed by it."""
    before = (session.head, len(session.rounds()))
    found = await graph.replay(session, every=True, most=most)
    assert len(found.differences) + found.more == found.refused + found.anew + found.differing
    assert (session.head, len(session.rounds())) == before
    assert json.loads(json.dumps(found.as_dict()))["more"] == found.more
    assert found.same == (str(found).endswith("nothing differs"))
    return found


def told(found: Replayed) -> list[tuple[int | None, str, str]]:
    """Where, what, and what of it."""
    return [(one.version, one.effect, one.field) for one in found.differences]


async def test_g10_nothing_differs_where_nothing_was_changed(session: Session[Case]) -> None:
    await judging(speaking).run(session)
    found = await report(judging(muted), session)
    assert found.same
    assert (found.versions, found.rounds, found.answers, found.by_hand, found.calls) == (2, 1, 3, 0, 0)
    assert found.digest == session.replay().digest


async def test_g10_a_changed_prompt_is_asked_anew_and_what_was_answered_is_still_read(
    session: Session[Case],
) -> None:
    await judging(speaking).run(session)

    def other(view: Any) -> list[Any]:
        return ["What is the reason?", view.part("/documents/log")]

    found = await report(judging(muted, prompt=other), session)
    assert told(found) == [
        (1, "asked", "request of zoe, attempt 1: parts"),
        (1, "asked", "request of ana, attempt 1: parts"),
    ]
    one = found.differences[0]
    assert (one.call, one.part, one.round, one.step) == ("zoe, attempt 1", "part 1", 1, "judge")
    assert one.words == "What is the [-cause?-] {+reason?+}"
    assert str(one) == (
        "v1 round 1 (judge)  would be asked anew  request of zoe, attempt 1: parts (part 1): " + one.words
    )
    assert "What is the [-cause?-]" in found.differences._repr_html_()


async def test_g10_instructions_of_the_supervisor_are_held_to_what_they_were(session: Session[Case]) -> None:
    await judging(speaking).run(session)
    quiet = judging(muted)
    other = AgentGraph(Case).add_step(
        "judge",
        quiet.steps["judge"].agents,
        writes={"verdict"},
        supervisor=Supervisor(silent("chair"), instructions="Mind the times."),
    )
    (one,) = (await report(other, session)).differences
    assert (one.effect, one.call, one.part) == ("asked", "supervisor, attempt 1", "system")
    assert "{+Mind the times.+}" in (one.words or "")


async def test_g10_a_changed_comparator_is_told_and_a_ruling_stands_whatever_it_says(
    session: Session[Case],
) -> None:
    def numbered(similarity: float) -> AgentGraph:
        said = {"a": "the disk is full", "b": "the disk is rather full"}
        agents = [agent(name, {"note": text}) for name, text in said.items()]
        return one_step(agents, ["note"], comparators={"note": Text(similarity)})

    await numbered(0.6).run(session)
    found = await report(numbered(1.0), session)
    (one,) = found.differences
    assert (one.effect, one.field) == ("differs", "comparison")
    assert json.loads(one.actual) == {"/note": [["a"], ["b"]]}
    with pytest.raises(Diverged) as caught:
        await numbered(1.0).replay(session)
    assert caught.value.context["field"] == "comparison"


async def test_g10_what_the_users_code_raises_is_a_difference_and_no_crash(session: Session[Case]) -> None:
    await judging(speaking).run(session)

    def breaks(_: Any) -> Any:
        raise KeyError("gone")

    assert told(await report(judging(muted, prompt=breaks), session)) == [(1, "differs", "request")]
    found = await report(judging(muted, parse=lambda _: {}["x"]), session)
    assert {one.field for one in found.differences} >= {"proposal of zoe", "proposal of ana"}


async def test_g10_a_report_is_bounded_and_counts_the_rest(session: Session[Case]) -> None:
    graph = one_step([agent("a", cause("disk"))])
    for _ in range(4):
        await graph.run(session, start="judge")
    found = await report(one_step([agent("a", cause("disk"), role="Other.")]), session, most=2)
    assert (len(found.differences), found.more, found.anew) == (2, 2, 4)
    assert "… and 2 more differences" in str(found)
    assert "… and 2 more differences" in found.differences._repr_html_()


async def test_g10_of_a_pruned_history_the_rest_is_replayed_and_it_is_said_what_is_not(store: Store) -> None:
    session = store.create(Case())
    graph = one_step([agent("a", cause("disk"))])
    for _ in range(4):
        await graph.run(session, start="judge")
    session.prune(session.plan_prune(2), author="jutta")
    found = await report(graph, session)
    assert found.same
    assert (found.versions, found.rounds, found.lost) == (4, 2, 1)
    assert found.untold == ("v2: what was before it is pruned",)
    other = one_step([agent("a", cause("disk"), role="Other.")])
    assert [one.version for one in (await report(other, session)).differences] == [3, 4]
    with pytest.raises(Pruned):
        other.case(session, 2)


async def test_g10_a_step_or_an_agent_that_is_gone_is_told_for_each_round(session: Session[Case]) -> None:
    await one_step(panel("disk", "disk")).run(session)
    assert told(await report(AgentGraph(Case), session)) == [(1, "differs", "step")]
    assert told(await report(one_step(panel("disk")), session)) == [(1, "differs", "agents")]


async def test_g10_a_stored_byte_that_was_changed_is_told_with_what_the_code_makes_of_the_answer(
    store: Store,
) -> None:
    session = store.create(Case())
    await judging(speaking).run(session)
    (row,) = [row for row in rows(session, tables.commits) if row["version"] == 1]
    forged = row["patch"].replace("disk", "dusk")
    assert forged != row["patch"]
    write(session, tables.commits, row, {"patch": forged})
    found = await report(judging(muted), session)
    assert told(found) == [(1, "differs", "patch"), (1, "differs", "patch")], (
        "by the code, and by the records"
    )
    assert found.digest == ""


class Base(SharedState):
    """A state with phases, a rule and rights, that later classes change."""

    phase: Literal["open", "closed"] = "open"
    lines: Annotated[list[str], Append] = []
    total: int = 0
    verdict: str | None = None


def opened(before: Any) -> str | None:
    """A guard that lets pass what has lines."""
    return None if before.lines else "there are no lines"


class Open(Base):
    """As it was."""

    transitions = [
        Transition("note", "open -> open", writes=["lines", "total"]),
        Transition("close", "open -> closed", writes=["verdict"], guard=opened),
    ]


class Guarded(Base):
    """The guard asks for more."""

    transitions = [
        Transition("note", "open -> open", writes=["lines", "total"]),
        Transition("close", "open -> closed", writes=["verdict"], guard=lambda before: len(before.lines) > 9),
    ]


class Reviewed(Base):
    """What closes needs a ruling."""

    transitions = [
        Transition("note", "open -> open", writes=["lines", "total"]),
        Transition("close", "open -> closed", writes=["verdict"], review=True),
    ]


class Renamed(Base):
    """A transition is called otherwise, and another may write less."""

    transitions = [
        Transition("note", "open -> open", writes=["lines"]),
        Transition("shut", "open -> closed", writes=["verdict"]),
    ]


class Ruled(Open):
    """A rule more."""

    @invariant("total")
    @staticmethod
    def total_stays_small(_: Any, after: Any) -> bool:
        """A rule."""
        return bool(after.total < 3)


class Righted(Open):
    """Bob has no right to commit lines."""

    rights = [Rights("ann", commit=["/"]), Rights("bob", commit=["/total", "/verdict", "/phase"])]


class Typed(Base):
    """Lines are short now."""

    transitions = Open.transitions
    lines: Annotated[list[Annotated[str, "short"]], Append] = []
    total: Literal[0, 5] = 0  # type: ignore[assignment]


class Newer(Open, version=2):
    """Another version: its rules are others."""


def by_hand(store: Store) -> Session[Any]:
    """Four commits by hand: a line, a total, another line, the end."""
    session = store.create(Open())
    steps = [("bob", "note", "lines", ["x"]), ("ann", "note", "total", 4), ("ann", "note", "lines", ["y"])]
    for author, transition, field, value in [*steps, ("ann", "close", "verdict", "done")]:
        with session.transaction(author, transition) as tx:
            if field == "lines":
                tx.append(field, *value)
            else:
                tx.set(field, value)
    return session


@pytest.mark.parametrize(
    ("schema", "rules"),
    [
        (Open, []),
        (Guarded, [(4, "transition.refused")]),
        (Reviewed, [(4, "review.required")]),
        (Renamed, [(2, "denied"), (4, "transition.refused")]),
        (Ruled, [(2, "invariant.violated")]),
        (Righted, [(1, "denied")]),
        (Typed, [(2, "schema.refused")]),
    ],
)
async def test_g10_commits_by_hand_are_admitted_again_and_the_rule_that_refuses_one_is_named(
    store: Store, schema: type[Base], rules: list[tuple[int, str]]
) -> None:
    session = by_hand(store)
    found = await report(AgentGraph(schema), session)
    assert [(one.version, one.rule) for one in found.differences] == rules
    assert (found.refused, found.by_hand) == (len(rules), 4)
    assert all(one.why for one in found.differences)
    alone = replay(session, shape_of(schema), None, 100)
    assert alone.differences == found.differences
    if rules:
        with pytest.raises(Diverged, match=r"Version \d would be refused now") as caught:
            await AgentGraph(schema).replay(session)
        assert (caught.value.context["version"], caught.value.context["rule"]) == rules[0]


async def test_g10_commits_of_another_schema_version_are_counted_and_not_judged(store: Store) -> None:
    session = by_hand(store)
    found = await report(AgentGraph(Newer), session)
    assert (found.same, found.other_schema) == (True, 5)


async def test_g10_a_prompt_does_not_depend_on_whether_its_state_comes_from_a_snapshot(store: Store) -> None:
    session = store.create(Case())
    for number in range(5):
        with session.transaction("ben") as tx:
            tx.set("note", f"{number} " * 20_000)
    last = rows(session, tables.snapshots)[-1]
    assert last["since"] == last["version"] == session.head, (
        "a snapshot that holds everything, its fields sorted"
    )
    graph = one_step([agent("a", cause("disk"))])
    elsewhere = Store.open(store.database.url.render_as_string(hide_password=False))
    with elsewhere:
        await graph.run(elsewhere.session(session.name, Case))
    found = await report(graph, session)
    assert found.same, str(found)


async def test_g10_a_prompt_does_not_depend_on_the_order_in_which_a_worker_remembers_keys(
    store: Store,
) -> None:
    session = store.create(Case(documents={"z": "1", "a": "2"}))

    def listed(view: Any) -> str:
        return "; ".join(f"{name}={text}" for name, text in view.read("/documents").items())

    graph = one_step([agent("a", cause("disk"), prompt=listed)])
    await graph.run(session)
    found = await report(graph, session)
    assert found.same, str(found)


async def test_g10_merges_reverts_retractions_and_redactions_are_admitted_again_as_they_were(
    store: Store,
) -> None:
    session = by_hand(store)
    idea = session.fork("idea", 2)
    for author, line in (("bob", "z"), ("ann", "w")):
        with idea.transaction(author, "note") as tx:
            tx.append("lines", line)
    session.merge("idea", author="ann")
    session.revert(3, author="ann")
    session.retract(2, author="ann", reason="a slip")
    session.redact("/lines/0", author="ann", reason="asked")
    for where in (session, idea):
        found = await report(AgentGraph(Open), where)
        assert found.same, str(found)
        assert found.versions == where.head + 1
    ruled = await report(AgentGraph(Ruled), session)
    assert {one.rule for one in ruled.differences} == {"invariant.violated"}


def test_words_show_one_stretch_with_some_words_around() -> None:
    assert words("a b c d e f", "a b c X e f") == "a b c [-d-] {+X+} e f"
    assert words("one two three four five", "one two three four five six") == "… three four five {+six+}"
    assert words("a  b", "a b") == "only the spaces differ"
    long = words(" ".join(map(str, range(1000))), "none")
    assert long == "[-0 1 2 3 4 5 … 994 995 996 997 998 999-] {+none+}"
    assert Divergence("differs", "x", "1", "2", version=3).place == "v3"
