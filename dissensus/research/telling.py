"""What happens in a run of the analysis, as lines for whoever watches.

Blocks hold text as it is; it is made safe where it is shown.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from dissensus.cli.blocks import Block, Grid, Line, Passage
from dissensus.cli.texts import count, money, usd
from dissensus_agents.judgement.lineage import effective_votes
from dissensus_agents.running import Progress

if TYPE_CHECKING:
    from dissensus_state.records import Call
    from dissensus_state.sessions import Session

    from .incident import Incident

WIDTH = 100
"""Characters in a line of prose, its margin included."""


def together(names: Iterable[str]) -> str:
    """`ana`, `ana and ben`, `ana, ben and caro`; `nothing` where there is nothing."""
    *most, last = tuple(names) or ("nothing",)
    return f"{', '.join(most)} and {last}" if most else last


def wrapped(text: str, indent: int) -> Passage:
    """A text in lines that can be read."""
    return Passage("\n".join(textwrap.wrap(text, WIDTH - indent, break_on_hyphens=False)), indent)


def votes(agents: Sequence[str], calls: Iterable[Call]) -> str:
    """How many votes some agents have together, and how many independent ones these are worth."""
    behind = {call.agent: (call.lineage, call.model) for call in calls if call.agent in agents}
    lineages, models = zip(*behind.values(), strict=True)
    if len(agents) == 1:
        return f"1 vote ({lineages[0]})"
    kin = f"of one lineage ({lineages[0]})" if len(set(lineages)) == 1 else "of several lineages"
    return f"{len(agents)} votes {kin}, worth {effective_votes(lineages, models):.2f}"


def failed_check(check: Mapping[str, Any], indent: int) -> list[Block]:
    """A check that a position did not pass."""
    holders = together(check["agents"])
    return [Line(f"failed check of {holders}:", "red", indent), wrapped(check["detail"], indent + 2)]


Words: TypeAlias = Callable[["Teller", Progress], list[Block]]


@dataclass(frozen=True, slots=True)
class Teller:
    """Puts the events of a run into words.

    Args:
        session: What the run works on.
        recorded: `(round, agent)` of the answers that stood in the records before it began.
    """

    session: Session[Incident]
    recorded: frozenset[tuple[int, str]] = frozenset()

    def tell(self, event: Progress) -> list[Block]:
        """What to show of an event; of some, nothing."""
        words = _WORDS.get(event.kind)
        return words(self, event) if words else []

    def round(self, event: Progress) -> list[Block]:
        """A round begins, or is taken up."""
        agents, base = together(event.body["agents"]), event.body["base"]
        alone = len(event.body["agents"]) == 1
        work = "works" if alone else "work side by side"
        return [Line(), Line(f"{event.step}: {agents} {work} on version {base}", "bold")]

    def answered(self, event: Progress) -> list[Block]:
        """An agent's model has answered, now or before this run."""
        agent, model, cost = (event.body[name] for name in ("agent", "model", "cost"))
        known = (event.round, agent) in self.recorded
        how = "recorded before, not asked again" if known else money(usd(cost))
        return [Line(f"{agent} answers ({model}, {how})", "dim" if known else "", 2)]

    def disagreed(self, event: Progress) -> list[Block]:
        """The positions are known, and which checks they fail."""
        review, calls = event.body["review"], self.session.round(event.round or 0)[2]
        page: list[Block] = []
        for dispute in review["disagreements"]:
            sides = [(side["value"], side["holders"]) for side in dispute["positions"]]
            rows = tuple((str(value), together(held), votes(held, calls)) for value, held in sides)
            page += [Line(f"they disagree on {dispute['path']}", "yellow", 2), Grid((), rows, ("bold",), 4)]
        return page + [block for check in review.get("failed", ()) for block in failed_check(check, 2)]

    def reviewing(self, event: Progress) -> list[Block]:
        """The supervisor is asked."""
        who, positions = event.body["supervisor"], count(event.body["positions"], "position")
        return [Line(f"{who} reads {positions} with their reasoning, without names and shuffled", "", 2)]

    def ruled(self, event: Progress) -> list[Block]:
        """The supervisor has ruled."""
        who, decision = event.body["supervisor"], event.body["decision"]
        upheld = event.body.get("upheld")
        whose = f" what {together(upheld)} proposed" if upheld else ""
        return [Line(f"{who} rules: {decision}{whose}", "green", 2), wrapped(event.body["reason"], 4)]

    def committed(self, event: Progress) -> list[Block]:
        """A new version is there."""
        made = self.session.commit_at(event.body["version"])
        fields = together(path[0] for path in event.body["writes"] if path != ["phase"])
        stand = sum(check["passed"] for check in made.evidence)
        quoted = len(made.evidence)
        checked = f"; {stand} of {quoted} quotations stand in their sources" if quoted else ""
        return [Line(f"version {made.version} is committed: {fields} by {made.author}{checked}", "green", 2)]

    def otherwise(self, event: Progress) -> list[Block]:
        """Something went another way: an abstention, a refusal, a round that waits for a person."""
        who = f" ({event.body['agent']})" if "agent" in event.body else ""
        return [wrapped(f"{event.kind}{who}: {event.body.get('message', event.body.get('reason'))}", 2)]


_WORDS: Mapping[str, Words] = {
    "round": Teller.round,
    "answered": Teller.answered,
    "disagreed": Teller.disagreed,
    "reviewing": Teller.reviewing,
    "ruled": Teller.ruled,
    "committed": Teller.committed,
    **dict.fromkeys(
        ("abstained", "conflict", "refused", "parked", "rejected", "spared", "warning"), Teller.otherwise
    ),
}
