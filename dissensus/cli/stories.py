"""The pages that tell at length: a commit, a round, who wrote a value, what is disputed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from . import calls
from .blocks import Block, Line, Passage
from .data import Data
from .pages import facts, grid, text_of
from .searching import warned
from .texts import compact, count, money, when


def show(data: Data) -> list[Block]:
    """A commit, a round, or the round that a commit came from."""
    page: list[Block] = []
    if data["commit"]:
        page += commit(data["commit"])
    if data["round"]:
        page += [*([Line()] if page else []), *round_(data["round"])]
    return page


def commit(item: Data) -> list[Block]:
    """One commit with its patch."""
    head = {
        "author": item["author"],
        "transition": item["transition"],
        "when": when(item["at"]),
        "read at": f"v{item['base']}" if item["base"] >= 0 else None,
        "reads": item["reads"],
        "isolation": item["isolation"],
        "key": item["key"],
        "hash": item["hash"],
    }
    return [
        Line(f"version {item['version']}", "bold"),
        *warned(item, 2),
        *facts(head, 2),
        *_operations(item["patch"], 2),
        *facts({"evidence": item["evidence"]}, 2),
    ]


def _operations(patch: list[list[object]], indent: int) -> list[Block]:
    rows = [(verb, path, *map(compact, rest[:1] or [""])) for verb, path, *rest in patch]
    return grid("", rows, "green bold", indent)


def round_(item: Data) -> list[Block]:
    """One round: its proposals, calls with reasoning, and rulings."""
    page: list[Block] = [Line(_round_title(item), "bold")]
    page += [
        *facts({"started": when(item["started_at"]), "note": item["note"]}, 2),
        *_outcome(item["outcome"], weighed=item["review"] is None),
        *_review(item["review"]),
    ]
    for decision in item["decisions"]:
        page += _decision(decision)
    for proposal in item["proposals"]:
        page += _proposal(proposal)
    for call in item["calls"]:
        page += calls.call(call)
    for ruling in item["rulings"]:
        page += ruling_(ruling, 2)
    return page


def _outcome(item: Data | None, *, weighed: bool) -> Iterator[Block]:
    """On what a value rests, and what voices were worth where no review says it; else the title is enough."""
    if item is None or item["word"] not in {"verified", "ruled", "agreed", "single"}:
        return
    yield from facts({"outcome": item["text"], "weighed": worth((weighed and item["weighed"]) or {})}, 2)


def worth(weighed: Data) -> str:
    """What voices were worth, in a line; empty where nothing more is known than the outcome says."""
    if not weighed:
        return ""
    shares = weighed.get("shares") or {}
    said = [f"{label} {share:.2f}" for label, share in shares.items()]
    said.append(f"{weighed['votes']:.2f} effective votes behind the strongest")
    basis = str(weighed.get("basis", "prior"))
    rounds = f" on {count(weighed['on'], 'graded round')}" if weighed.get("on") else ""
    said.append({"prior": "from lineages alone"}.get(basis, f"{basis}{rounds}"))
    return "; ".join(said)


def _round_title(item: Data) -> str:
    again = f", again of r{item['again_of']}" if item["again_of"] else ""
    return f"round {item['round']} ({item['step']}): {item['status']}, read at v{item['base']}{again}"


def _decision(item: Data) -> Iterator[Block]:
    where = f" at {item['at']}" if item["at"] else ""
    sure = "" if item["confidence"] is None else f", confidence {item['confidence']:.2f}"
    chosen = ", ".join(item["chosen"]) or "nobody"
    yield Line(f"{item['pattern']}{where}: {chosen}{sure}", "magenta", 2)
    passed = {f"not {one['what']}": one["why"] for one in item["passed_over"]}
    yield from facts({"because": item["reason"], **passed}, 4)


def _proposal(item: Data) -> Iterator[Block]:
    sure = "" if item["confidence"] is None else f", confidence {item['confidence']:.2f}"
    yield Line(f"proposal of {item['agent']}: {item['status']}{sure}", "cyan", 2)
    yield from facts({"reads": item["reads"], "detail": item["detail"]}, 4)
    yield from _operations(item["patch"], 4)


def ruling_(item: Data, indent: int) -> Iterator[Block]:
    """One ruling."""
    yield Line(f"ruling {item['n']} of {item['author']}: {item['decision']}", "yellow", indent)
    said = ("upheld", "dissent", "amendment", "clarification", "cause", "readings", "steps", "kin", "notes")
    sure = None if item["confidence"] is None else f"{item['confidence']:.2f}"
    advice = item["advice"] and f"{item['advice']['decision']} {', '.join(item['advice']['upheld'])}".strip()
    told = {name: item[name] for name in said}
    yield from facts({**told, "confidence": sure, "advice": advice}, indent + 2)
    yield from text_of("reason", item["reason"], indent + 2)


def blame(data: Data, grounds: str | None = None) -> list[Block]:
    """Who wrote a value, and on what grounds; `grounds` is the chain back to the sources, as it is shown."""
    made = data["commit"]
    other = "" if made["branch"] == data["branch"] else f" of {made['branch']}"
    head = {
        "value": compact(data["value"]),
        "written by": data["authors"],
        "in": f"v{made['version']}" + other + (f" (round {made['round']})" if made["round"] else ""),
        "transition": made["transition"],
        "when": when(made["at"]),
        "outcome": data["outcome"]["text"] if data["outcome"] else None,
        "from": data["reads"],
        "calls": [f"{item['agent']}: {item['model']} {money(item['cost_usd'])}" for item in data["calls"]],
    }
    page: list[Block] = [
        Line(f"{data['path'] or '/'} at v{data['version']}", "bold"),
        *warned(made, 2),
        *facts(head, 2),
    ]
    for agent, text in data["reasoning"].items():
        page += text_of(f"reasoning of {agent}", text, 2)
    for item in data["rulings"]:
        page += ruling_(item, 2)
    for item in data["dissent"]:
        page += [Line(f"dissent of {item['agent']}", "red", 2), *_operations(item["patch"], 4)]
    if grounds is not None:
        page += [Line("rests on", "bold", 2), Passage(grounds, 4)]
    return page


def disagreements(data: Data) -> list[Block]:
    """The rounds under review, each with its positions and rulings."""
    page: list[Block] = []
    for item in data["rounds"]:
        page += [*([Line()] if page else []), *_dispute(item)]
    return page


def _dispute(item: Data) -> Iterator[Block]:
    yield Line(_round_title(item), "bold")
    yield from facts({"note": item["note"]}, 2)
    if item["settled"]:
        yield from _review(item["review"])
    else:
        yield from _review(_blind(item["review"]))
        for letter, texts in item["reasoning"].items():
            for text in texts:
                yield from text_of(f"reasoning behind {letter}", text, 2)
    for ruling in item["rulings"]:
        yield from ruling_(ruling if item["settled"] else _blind_ruling(ruling, item["review"]), 2)


def _blind_ruling(ruling: Data, review: Data) -> Data:
    """What was ruled so far as whoever is to rule sees it: letters, and no names."""
    letters = {agent: side["letter"] for side in review["positions"] for agent in side["agents"]}

    def lettered(agents: Iterable[str]) -> list[str]:
        return sorted({letters.get(agent, "?") for agent in agents})

    advice = ruling["advice"]
    return {
        **ruling,
        "upheld": lettered(ruling["upheld"]),
        "dissent": lettered(ruling["dissent"]),
        "kin": {letters.get(agent, "?"): why for agent, why in ruling["kin"].items()},
        "notes": [note for note in ruling["notes"] if not note.startswith("shares the lineage")],
        "advice": advice and {**advice, "upheld": lettered(advice["upheld"])},
    }


def _blind(review: Data) -> Data:
    """A review as whoever is to rule sees it: letters, and no names."""
    letters = {agent: side["letter"] for side in review["positions"] for agent in side["agents"]}
    return {
        **review,
        "positions": [{**side, "agents": []} for side in review["positions"]],
        "disagreements": [
            {**item, "positions": [{**held, "holders": []} for held in item["positions"]]}
            for item in review["disagreements"]
        ],
        "failed": [
            {**item, "agents": sorted({letters.get(agent, "?") for agent in item.get("agents", ())})}
            for item in review["failed"]
        ],
    }


def _review(item: Data | None) -> Iterator[Block]:
    if item is None:
        return
    reasons = {
        "effective votes": None if item["votes"] is None else f"{item['votes']:.2f}",
        "weighed": worth(item["weighed"] or {}),
        "hollow": "the agreement is worth fewer votes than the step asks for" if item["hollow"] else None,
        "review": "the transition asks for a ruling" if item["asked"] else None,
        "unsettled": item["unsettled"],
        "audit": "the agreement was drawn by lot to be looked at" if item["audit"] else None,
        "sent to": [f"{one['to']}: {one['found']}" for one in item["sent_to"]],
        "void": item["void"],
    }
    yield from facts(reasons, 2)
    for disagreement in item["disagreements"]:
        yield from _disagreement(disagreement)
    if not item["disagreements"]:
        yield from _positions(item["positions"])
    for failed in item["failed"]:
        yield Line(_failed(failed), "red", 2)


def _positions(positions: Sequence[Data]) -> Iterator[Block]:
    """Where nothing is disputed, what may be upheld as a whole."""
    for item in positions:
        yield Line(f"{item['letter']}  {', '.join(item['agents'])}", "cyan", 2)
        yield from _operations(item["patch"], 4)


def _failed(item: Data) -> str:
    who = ", ".join(item.get("agents", ()))
    return f"failed check of {who}: {item.get('verifier')}: {item.get('detail')}"


def _disagreement(item: Data) -> Iterator[Block]:
    why = str(item["cause"]).replace("_", " ")
    yield Line(
        f"{item['path'] or '/'}: distance {item['distance']:.2f}, entropy {item['entropy']:.2f}, "
        f"suspected cause: {why}",
        "yellow",
        2,
    )
    rows = [
        (", ".join(position["letters"]), ", ".join(position["holders"]), compact(position["value"]))
        for position in item["positions"]
    ]
    yield from grid("", rows, "bold cyan", 4)
