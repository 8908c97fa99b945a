"""G6: an author reads, proposes, commits and rules on the paths it has a right to, and on no other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from by_hand import begun, proposes, rules
from desks import PEOPLE, desk
from dissensus_state.errors import Denied, FieldMissing, ReviewRequired, SchemaRefused, Tampered
from dissensus_state.journal import Journal
from dissensus_state.patches import Operation, Patch
from dissensus_state.records import Change, Proposal, Round
from dissensus_state.rights import RIGHTS, Rights
from dissensus_state.sessions import Session
from dissensus_state.shapes import shape_of
from dissensus_state.store import Store
from dissensus_state.values import pointer
from inquiries import Work, does, nothing_changes


@pytest.fixture
def session(store: Store) -> Session[Any]:
    """A session whose schema declares rights."""
    return store.create(desk()())


@pytest.mark.parametrize(
    ("author", "work", "right", "path", "message"),
    [
        ("ana", does("read", "score"), "read", "/score", "ana may read /findings, /question"),
        ("ana", does("read", ""), "read", "/", "ana may read /findings, /question"),
        ("ben", does("read", "answers"), "read", "/answers", "ben may read /answers/mine, /question"),
        ("ben", does("read", "/answers/yours"), "read", "/answers/yours", "ben may read"),
        ("ana", does("set", "verdict", "x"), "commit", "/verdict", "ana may commit /findings"),
        ("ben", does("set", "answers", {}), "commit", "/answers", "ben may commit /answers/mine, /score"),
        ("ben", does("merge", "answers", {"mine": 1, "his": 2}), "commit", "/answers/his", "ben may commit"),
        ("ben", does("merge", "answers", {}), "commit", "/answers", "ben may commit"),
        ("ben", does("remove", "/answers/yours"), "commit", "/answers/yours", "ben may commit"),
        ("ben", does("set", "/answers/mine2", 1), "commit", "/answers/mine2", "ben may commit"),
        ("scout-7", does("set", "score", 1), "commit", "/score", "scout-7 may commit /findings"),
        ("scout", does("append", "findings", "x"), "commit", "/findings", "scout may commit nothing"),
        ("chair", does("set", "verdict", "x"), "commit", "/verdict", "chair may commit nothing"),
        ("zoe", does("read", "findings"), "read", "/findings", "zoe may read /question"),
        ("ana+ben", does("append", "findings", "x"), "commit", "/findings", "ben may commit"),
        ("ana+ben", does("read", "findings"), "read", "/findings", "ben may read"),
        ("clerk+", does("append", "findings", "x"), "commit", "/findings", " may commit nothing"),
    ],
)
def test_g06_what_an_author_has_no_right_to_is_denied_and_in_the_history(
    session: Session[Any], author: str, work: Work, right: str, path: str, message: str
) -> None:
    with nothing_changes(session), pytest.raises(Denied) as caught:
        session.transact(work, author)
    error = caught.value
    assert error.message.startswith(message)
    assert (error.context["right"], error.context["path"]) == (right, path)
    assert (error.code, error.exit_code) == ("denied", 16)
    (event,) = session.events()
    assert event.kind == "refused"
    assert {name: event.body[name] for name in ("code", "right", "path", "author", "allowed")} == {
        "code": "denied",
        "right": right,
        "path": path,
        "author": error.context["author"],
        "allowed": error.context["allowed"],
    }


@pytest.mark.parametrize(
    ("author", "work"),
    [
        ("ana", does("read", "/findings")),
        ("ana", does("append", "findings", "x")),
        ("ben", does("set", "/answers/mine", 2)),
        ("ben", does("set", "/answers/mine/a", 2)),
        ("ben", does("merge", "answers", {"mine": 2})),
        ("ben", does("read", "/answers/mine/a")),
        ("scout-7", does("append", "findings", "x")),
        ("scout-", does("append", "findings", "x")),
        ("clerk", does("set", "answers", {})),
        ("clerk", does("read", "")),
        ("ana+scout-7", does("append", "findings", "x")),
    ],
)
def test_g06_what_an_author_has_a_right_to_is_admitted(
    session: Session[Any], author: str, work: Work
) -> None:
    def step(tx: Any) -> None:
        work(tx)
        if not tx.patch:
            tx.set(*{"ben": ("score", 1)}.get(author, ("findings", [])))

    session.transact(step, author)
    assert (session.head, session.events()) == (1, [])
    assert session.verify().versions == 2


def test_g06_a_denied_read_gives_nothing_away_and_a_denied_write_is_not_staged(session: Session[Any]) -> None:
    with session.transaction("ana") as tx:
        with pytest.raises(Denied):
            tx.read("score")
        with pytest.raises(Denied):
            tx.set("verdict", "x")
        tx.append("findings", "y")
    assert (session.state.findings, session.state.verdict) == (["y"], None)
    assert [event.body["path"] for event in session.events()] == ["/score", "/verdict"]


@pytest.mark.parametrize("author", ["ana", "ben", "chair", "zoe"])
def test_g06_a_read_that_is_only_stated_is_held_to_the_right_too(session: Session[Any], author: str) -> None:
    change = Change(author, (Operation("append", ("findings",), ["x"]),), 0, reads=(("score",),))
    if author == "chair":
        change = Change("clerk+ana", change.patch, 0, reads=(("score",),))
    with nothing_changes(session), pytest.raises(Denied) as caught:
        session.commit(change)
    assert (caught.value.context["right"], caught.value.context["path"]) == ("read", "/score")
    assert session.events()[0].body["code"] == "denied"


def test_g06_a_commit_of_nothing_needs_a_right_to_commit_something(session: Session[Any]) -> None:
    session.commit(Change("ana", (), 0))
    with nothing_changes(session), pytest.raises(Denied, match="zoe may commit nothing"):
        session.commit(Change("zoe", (), 1))


def test_g06_whoever_moves_the_phase_writes_it(store: Store) -> None:
    session: Session[Any] = store.create(desk(machine=True)())
    session.transact(does("append", "findings", "x"), "ana", "gather")
    with nothing_changes(session), pytest.raises(Denied) as caught:
        session.transact(does("append", "findings", "y"), "ana", "conclude")
    assert (caught.value.context["path"], caught.value.context["right"]) == ("/phase", "commit")
    session.transact(does("append", "findings", "y"), "clerk", "conclude")
    assert session.state.phase == "closed"


def test_g06_a_schema_without_rights_allows_everything(store: Store) -> None:
    session: Session[Any] = store.create(desk([])())
    session.transact(lambda tx: (tx.read(""), tx.set("answers", {})), "anybody at all")
    assert (session.head, session.shape.rights) == (1, None)


def test_g06_who_creates_a_session_needs_no_right(store: Store) -> None:
    session: Session[Any] = store.create(desk()(verdict="given"), author="zoe")
    assert session.verify().versions == 1


# Declaring


@pytest.mark.parametrize("name", ["", "a*b*", "ana+ben", "**"])
def test_g06_rights_are_given_to_a_name_or_to_a_pattern(name: str) -> None:
    with pytest.raises(SchemaRefused, match="Rights are given to a name, or to a pattern"):
        Rights(name)


@pytest.mark.parametrize("given", [None, 7, b"x", {"a": 1}])
def test_g06_a_right_says_nothing_or_everything_or_where(given: Any) -> None:
    with pytest.raises(SchemaRefused, match="says neither nothing nor everything") as caught:
        Rights("ana", read=given)
    assert caught.value.next_step == 'Leave read out for nothing, or write read="/" for everything'


@pytest.mark.parametrize(
    ("entries", "kind", "message"),
    [
        ([Rights("ana"), Rights("ana", read="/")], SchemaRefused, "The rights of 'ana' are declared twice"),
        ([Rights("*"), Rights("ana")], SchemaRefused, r"Rights after '\*' would never count"),
        ([Rights("ana", rule="verdikt")], FieldMissing, "The rights of 'ana' name a field that is not there"),
    ],
)
def test_g06_rights_that_mean_nothing_are_refused_when_the_schema_is_used(
    store: Store, entries: list[Rights], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        store.create(desk(entries)())


def test_g06_one_entry_counts_for_a_name_its_own_before_a_pattern_before_everybody() -> None:
    entries = [Rights("s-*", read="a"), Rights("s-1", read="b"), Rights("*-x", read="c"), Rights("*")]
    grants = shape_of(_fields("a", "b", "c", rights=entries)).rights
    assert grants is not None
    found = {name: grants.of(name) for name in ("s-1", "s-2", "s-x", "q-x", "q", "s-")}
    assert [entries.index(entry) for entry in found.values() if entry] == [1, 0, 0, 2, 3, 0]


def _fields(*names: str, rights: Iterable[Rights]) -> Any:
    from dissensus_state.shapes import SharedState

    made = type(
        "Made", (SharedState,), {"__annotations__": dict.fromkeys(names, int), **dict.fromkeys(names, 0)}
    )
    made.rights = list(rights)
    return made


# Rounds


def _round(session: Session[Any], *made: Proposal, review: bool = True) -> tuple[Journal, Round]:
    """A round with these proposals, in review or not."""
    journal = Journal(session)
    opened, _ = begun(journal, "judge", *(item.agent for item in made))
    return journal, journal.propose(opened, made, {"asked": True} if review else None)


def _says(session: Session[Any], agent: str, *reads: str, **fields: Any) -> Proposal:
    made = proposes(session, agent, **fields)
    return Proposal(agent, made.patch, reads)


def _change(session: Session[Any], author: str, *made: Proposal) -> Change:
    patch = tuple(dict.fromkeys(operation.path for item in made for operation in item.patch))
    operations = tuple(next(op for item in made for op in item.patch if op.path == path) for path in patch)
    return Change(author, operations, session.head)


@pytest.mark.parametrize(
    ("agent", "reads", "fields", "right", "path"),
    [
        ("ana", (), {"score": 1}, "propose", "/score"),
        ("ana", ("/score",), {"verdict": "x"}, "read", "/score"),
        ("ben", (), {"findings": ["x"]}, "propose", "/findings"),
        ("clerk", (), {"verdict": "x"}, "propose", "/verdict"),
        ("zoe", (), {}, "propose", "/"),
    ],
)
def test_g06_an_agent_proposes_what_it_may_and_its_denied_proposal_is_in_the_history(
    session: Session[Any],
    agent: str,
    reads: tuple[str, ...],
    fields: dict[str, Any],
    right: str,
    path: str,
) -> None:
    journal = Journal(session)
    opened, _ = begun(journal, "judge", agent)
    made = _says(session, agent, *reads, **fields)
    doors = [
        lambda: journal.propose(opened, [made], {"asked": True}),
        lambda: journal.commit(opened, Change("clerk", made.patch, 0), made=[made]),
        lambda: journal.close(opened, "void", made=[made]),
    ]
    for number, door in enumerate(doors, 1):
        with nothing_changes(session), pytest.raises(Denied) as caught:
            door()
        assert (caught.value.context["right"], caught.value.context["path"]) == (right, path)
        assert (session.head, session.round(opened.round)[1]) == (0, [])
        event = session.events()[-1]
        assert (len(session.events()), event.round) == (number, opened.round)
        assert (event.body["code"], event.body["author"]) == ("denied", agent)


def test_g06_who_abstains_proposes_nothing(session: Session[Any]) -> None:
    journal = Journal(session)
    opened, _ = begun(journal, "judge", "zoe")
    journal.propose(opened, [Proposal("zoe", (), ("/score",), status="abstained")])
    assert session.events() == []


def test_g06_what_may_only_be_proposed_is_committed_under_a_ruling(session: Session[Any]) -> None:
    ana = _says(session, "ana", verdict="the valve")
    journal, round_ = _round(session, ana, review=False)
    with nothing_changes(session), pytest.raises(Denied, match="ana may commit /findings"):
        journal.commit(round_, _change(session, "ana", ana))
    journal, round_ = _round(session, ana)
    with nothing_changes(session), pytest.raises(ReviewRequired):
        journal.commit(round_, _change(session, "ana", ana))
    journal.commit(round_, _change(session, "ana", ana), rules(round_, [ana], upheld=("ana",)))
    assert (session.state.verdict, session.verify().versions) == ("the valve", 2)


@pytest.mark.parametrize("decision", ["uphold", "amend", "retry", "reject"])
def test_g06_a_ruling_on_what_its_author_may_not_rule_on_is_denied(store: Store, decision: Any) -> None:
    entries = [entry for entry in PEOPLE if entry.name != "chair"]
    session: Session[Any] = store.create(desk([Rights("chair", read="/", rule="findings"), *entries])())
    ana = _says(session, "ana", verdict="the valve")
    journal, round_ = _round(session, ana)
    ruling = rules(round_, [ana], decision, upheld=("ana",), amendment=ana.patch)
    with nothing_changes(session), pytest.raises(Denied, match="chair may rule on /findings") as caught:
        if decision in {"uphold", "amend"}:
            journal.commit(round_, _change(session, "ana", ana), ruling)
        else:
            journal.close(round_, "rejected", ruling)
    assert (caught.value.context["right"], caught.value.context["path"]) == ("rule", "/verdict")
    assert (session.round(round_.round)[3], session.events()[-1].body["right"]) == ([], "rule")
    journal.close(round_, "parked", rules(round_, [ana], "escalate"))


def test_g06_an_amendment_is_on_paths_that_its_author_may_rule_on(session: Session[Any]) -> None:
    ana = _says(session, "ana", verdict="the valve")
    journal, round_ = _round(session, ana)
    amendment = (Operation("set", ("score",), 1),)
    ruling = rules(round_, [ana], "amend", amendment=amendment)
    with nothing_changes(session), pytest.raises(Denied) as caught:
        journal.commit(round_, Change("chair", amendment, 0), ruling)
    assert (caught.value.context["right"], caught.value.context["path"]) == ("rule", "/score")


def test_g06_a_ruling_that_is_bound_to_something_else_lends_nobody_its_right(session: Session[Any]) -> None:
    ana = _says(session, "ana", findings=["x"])
    journal, round_ = _round(session, ana, review=False)
    ruling = rules(round_, [], upheld=("ana",))
    outside = Change("ana", (Operation("set", ("verdict",), "y"),), 0)
    with nothing_changes(session), pytest.raises(Denied, match="ana may commit /findings"):
        journal.commit(round_, outside, ruling)


def test_g06_a_ruling_bound_to_other_proposals_lends_nobody_its_right(session: Session[Any]) -> None:
    ana = _says(session, "ana", verdict="x")
    journal, round_ = _round(session, ana, review=False)
    with nothing_changes(session), pytest.raises(Denied, match="ana may commit /findings"):
        journal.commit(round_, _change(session, "ana", ana), rules(round_, [], upheld=("ana",)))


def test_g06_who_upholds_one_proposal_rules_on_those_that_lose_as_well(store: Store) -> None:
    entries = [
        Rights("ana", propose="verdict"),
        Rights("ben", propose="score"),
        Rights("chair", rule="verdict"),
    ]
    session: Session[Any] = store.create(desk(entries)())
    made = [_says(session, "ana", verdict="x"), _says(session, "ben", score=1)]
    journal, round_ = _round(session, *made)
    ruling = rules(round_, made, upheld=("ana",), dissent=("ben",))
    with nothing_changes(session), pytest.raises(Denied) as caught:
        journal.commit(round_, _change(session, "ana", made[0]), ruling)
    assert (caught.value.context["right"], caught.value.context["path"]) == ("rule", "/score")


def test_g06_what_agents_say_together_needs_for_each_piece_one_who_may_commit_it(store: Store) -> None:
    entries = [
        Rights("ana", propose="/", commit="findings"),
        Rights("ben", propose="/", commit={"score", "verdict"}),
        Rights("cy", propose="/"),
    ]
    session: Session[Any] = store.create(desk(entries)())
    ana, ben = _says(session, "ana", findings=["x"], score=1), _says(session, "ben", score=1)
    journal, round_ = _round(session, ana, ben, review=False)
    journal.commit(round_, _change(session, "ana+ben", ana, ben))
    assert (session.state.findings, session.state.score) == (["x"], 1)

    cy = _says(session, "cy", findings=["cy's own"])
    journal, round_ = _round(session, ana, cy, review=False)
    both = (Operation("append", ("findings",), ["x", "cy's own"]),)
    with nothing_changes(session), pytest.raises(Denied) as caught:
        journal.commit(round_, Change("ana+cy", both, 1))
    assert caught.value.context["path"] == "/findings"
    with nothing_changes(session), pytest.raises(Denied):
        journal.commit(round_, Change("ana+ben", both, 1))
    assert session.verify().versions == 2


# Verifying


@pytest.mark.parametrize("version", [1, 2], ids=["the same schema version", "a later version"])
def test_g06_verify_holds_stored_commits_to_the_rights_they_were_made_under(
    own_store: Store, version: int
) -> None:
    session: Session[Any] = own_store.create(desk([])(), name="desk")
    session.transact(does("append", "findings", "x"), "ana")
    session.transact(does("set", "score", 1), "ana")
    under_rights: Session[Any] = own_store.session("desk", desk(version=version))
    if version == 2:
        assert under_rights.verify().versions == 3
        return
    with pytest.raises(Tampered, match="ana may commit /findings, and not /score") as caught:
        under_rights.verify()
    assert caught.value.context["version"] == 2


# Against a naive model

FIELDS = ("question", "findings", "answers", "score", "verdict")
PLACES = ["/", *(f"/{name}" for name in FIELDS), "/answers/mine", "/answers/yours", "/answers/mine/a"]
NAMES = ("ana", "ben", "scout-1", "scout-2", "zoe")
_paths = st.sets(st.sampled_from(PLACES), max_size=3)
_entries = st.lists(
    st.builds(Rights, st.sampled_from([*NAMES[:3], "scout-*", "*"]), _paths, _paths, _paths, _paths),
    min_size=1,
    max_size=4,
    unique_by=lambda entry: entry.name,
).map(lambda entries: sorted(entries, key=lambda entry: entry.name == "*"))
_operations = st.sampled_from(
    [
        Operation("set", ("question",), "?"),
        Operation("append", ("findings",), ["x"]),
        Operation("set", ("findings",), []),
        Operation("set", ("answers", "mine"), {"a": 2}),
        Operation("set", ("answers", "yours"), 2),
        Operation("merge", ("answers",), {"yours": 3, "new": 4}),
        Operation("merge", ("answers",), {}),
        Operation("set", ("score",), 9),
        Operation("set", ("verdict",), "yes"),
    ]
)
_patches = st.lists(_operations, max_size=3).map(tuple)


def _allows(entries: list[Rights], author: str, right: str, path: str) -> bool:
    """The rights once more, naively, on texts."""
    exact = [entry for entry in entries if entry.name == author]
    pattern = [entry for entry in entries if entry.name == "scout-*" and author.startswith("scout-")]
    for entry in [*exact, *pattern, *(entry for entry in entries if entry.name == "*")]:
        return any(place == "/" or f"{path}/".startswith(f"{place}/") for place in getattr(entry, right))
    return False


def _written(patch: Patch) -> list[str]:
    return [
        pointer((*operation.path, *([key] if key else [])))
        for operation in patch
        for key in (operation.value if operation.verb == "merge" and operation.value else [""])
    ]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_entries, st.sampled_from(NAMES), _patches, st.lists(st.sampled_from(PLACES), max_size=2))
def test_g06_what_passes_is_what_a_naive_model_of_the_rights_allows(
    store: Store, entries: list[Rights], author: str, patch: Patch, reads: list[str]
) -> None:
    session: Session[Any] = store.create(desk(entries)())
    allowed = all(_allows(entries, author, "read", "" if path == "/" else path) for path in reads)
    allowed &= all(_allows(entries, author, "commit", path) for path in _written(patch))
    if not patch:
        allowed &= any(_allows(entries, author, "commit", "" if path == "/" else path) for path in PLACES)
    change = Change(
        author, patch, 0, tuple(() if path == "/" else tuple(path[1:].split("/")) for path in reads)
    )
    if allowed:
        session.commit(change)
    else:
        with pytest.raises(Denied):
            session.commit(change)
    assert (session.head, len(session.events())) == ((1, 0) if allowed else (0, 1))


@given(_entries, st.sampled_from(NAMES), st.sampled_from(RIGHTS), st.sampled_from(PLACES))
def test_g06_a_right_at_a_path_is_what_the_naive_model_says(
    entries: list[Rights], author: str, right: Any, path: str
) -> None:
    from dissensus_state.rights import grants_of, holds

    parsed = () if path == "/" else tuple(path[1:].split("/"))
    passes = holds(grants_of(entries, FIELDS), author, right, [parsed])
    assert passes == _allows(entries, author, right, "" if path == "/" else path)
