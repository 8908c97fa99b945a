"""The answers of the reading commands as pages for people, made from the data of `--json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .blocks import Block, Grid, Line, Passage
from .data import Data
from .texts import clipped, compact, count, money, when

_MOST_PATHS = 160


def grid(columns: str, rows: Sequence[Sequence[object]], styles: str = "", indent: int = 0) -> list[Block]:
    """Rows under columns, both named in one text; nothing where there are no rows."""
    texts = tuple(tuple("" if cell is None else str(cell) for cell in row) for row in rows)
    return [Grid(tuple(columns.split()), texts, tuple(styles.split()), indent)] if texts else []


def facts(named: Data, indent: int = 0) -> list[Block]:
    """Names with their values, one a line; what is None or empty is left out."""
    rows = [(name, value) for name, value in named.items() if value not in (None, "", [], {})]
    return grid("", [(name, _said(value)) for name, value in rows], "dim", indent)


def _said(value: object) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else compact(value)


def sessions(data: Data) -> list[Block]:
    """The sessions of a database."""
    rows = [
        (item["name"], item["schema"], item["schema_version"], when(item["created_at"]))
        for item in data["sessions"]
    ]
    return grid("session schema version created", rows, "bold")


def log(data: Data) -> list[Block]:
    """The commits, newest first."""
    rows = [
        (
            f"v{item['version']}",
            when(item["at"]),
            item["author"],
            item["transition"] or "-",
            f"r{item['round']}" if item["round"] else "-",
            f"v{item['base']}" if item["base"] != item["version"] - 1 else "",
            clipped(" ".join(item["writes"]), _MOST_PATHS),
        )
        for item in data["commits"]
    ]
    return grid("version when author transition round rebased writes", rows, "bold dim cyan")


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
        *_review(item["review"]),
    ]
    for proposal in item["proposals"]:
        page += _proposal(proposal)
    for call in item["calls"]:
        page += _call(call)
    for ruling in item["rulings"]:
        page += ruling_(ruling, 2)
    return page


def _round_title(item: Data) -> str:
    again = f", again of r{item['again_of']}" if item["again_of"] else ""
    return f"round {item['round']} ({item['step']}): {item['status']}, read at v{item['base']}{again}"


def _proposal(item: Data) -> Iterator[Block]:
    sure = "" if item["confidence"] is None else f", confidence {item['confidence']:.2f}"
    yield Line(f"proposal of {item['agent']}: {item['status']}{sure}", "cyan", 2)
    yield from facts({"reads": item["reads"], "detail": item["detail"]}, 4)
    yield from _operations(item["patch"], 4)


def _call(item: Data) -> Iterator[Block]:
    tokens = f"{item['input_tokens']:,} tokens in, {item['output_tokens']:,} out"
    took = f"{item['latency_ms']:,} ms"
    yield Line(
        f"call {item['attempt']} of {item['agent']} to {item['model']} ({item['lineage']}): "
        f"{item['status']}, {tokens}, {money(item['usd'])}, {took}",
        "cyan",
        2,
    )
    yield from facts({"detail": item["detail"]}, 4)
    yield from _text(item["reasoning_kind"], item["reasoning"], 4)
    yield from _text("answer", item["answer"], 4)


def _text(title: str, text: str | None, indent: int) -> Iterator[Block]:
    if text:
        yield Line(f"{title}:", "dim", indent)
        yield Passage(text, indent + 2)


def ruling_(item: Data, indent: int) -> Iterator[Block]:
    """One ruling."""
    yield Line(f"ruling {item['n']} of {item['author']}: {item['decision']}", "yellow", indent)
    said = ("upheld", "dissent", "amendment", "clarification", "cause", "steps", "notes")
    yield from facts({name: item[name] for name in said}, indent + 2)
    yield from _text("reason", item["reason"], indent + 2)


def diff(data: Data) -> list[Block]:
    """What differs, path by path: `+` added, `-` removed, `~` changed."""
    return [_difference(item) for item in data["differences"]]


def _difference(item: Data) -> Line:
    match item["kind"]:
        case "added":
            return Line(f"+ {item['path']}  {compact(item['after'])}", "green")
        case "removed":
            return Line(f"- {item['path']}  {compact(item['before'])}", "red")
    both = f"{compact(item['before'])} -> {compact(item['after'])}"
    return Line(f"~ {item['path']}  {both}", "yellow")


def blame(data: Data) -> list[Block]:
    """Who wrote a value, and on what grounds."""
    made = data["commit"]
    head = {
        "value": compact(data["value"]),
        "written by": data["authors"],
        "in": f"v{made['version']}" + (f" (round {made['round']})" if made["round"] else ""),
        "transition": made["transition"],
        "when": when(made["at"]),
        "from": data["reads"],
        "calls": [f"{item['agent']}: {item['model']} {money(item['cost_usd'])}" for item in data["calls"]],
    }
    page: list[Block] = [
        Line(f"{data['path'] or '/'} at v{data['version']}", "bold"),
        *facts(head, 2),
    ]
    for agent, text in data["reasoning"].items():
        page += _text(f"reasoning of {agent}", text, 2)
    for item in data["rulings"]:
        page += ruling_(item, 2)
    for item in data["dissent"]:
        page += [Line(f"dissent of {item['agent']}", "red", 2), *_operations(item["patch"], 4)]
    return page


def events(data: Data) -> list[Block]:
    """What happened beside the commits."""
    rows = [
        (
            item["event"],
            when(item["at"]),
            item["kind"],
            f"r{item['round']}" if item["round"] else "-",
            compact(item["body"]),
        )
        for item in data["events"]
    ]
    return grid("event when kind round what", rows, "bold dim yellow")


def cost(data: Data) -> list[Block]:
    """The calls by agent and model, and the budget."""
    rows = [
        (
            item["agent"],
            item["model"],
            item["calls"],
            *(f"{item[name]:,}" for name in ("input_tokens", "output_tokens", "reasoning_tokens")),
            money(item["usd"]),
            item["unknown"] or "",
        )
        for item in data["costs"]
    ]
    columns = "agent model calls tokens_in tokens_out reasoning cost unknown"
    return [
        *grid(columns, rows, "bold cyan"),
        *([Line()] if rows else []),
        *_budget(data["budget"]),
    ]


def _budget(item: Data) -> list[Block]:
    limit = item["limit_usd"]
    shown = {
        "limit": "none" if limit is None else money(limit),
        "spent": money(item["spent_usd"]),
        "held": money(item["held_usd"]),
        "left": None if limit is None else money(item["left_usd"]),
        "unpriced calls": item["unpriced"],
    }
    return facts({f"budget {name}": value for name, value in shown.items() if value})


def disagreements(data: Data) -> list[Block]:
    """The rounds under review, each with its positions and rulings."""
    page: list[Block] = []
    for item in data["rounds"]:
        page += [*([Line()] if page else []), *_dispute(item)]
    return page


def _dispute(item: Data) -> Iterator[Block]:
    yield Line(_round_title(item), "bold")
    yield from facts({"note": item["note"]}, 2)
    yield from _review(item["review"])
    for ruling in item["rulings"]:
        yield from ruling_(ruling, 2)


def _review(item: Data | None) -> Iterator[Block]:
    if item is None:
        return
    reasons = {
        "effective votes": None if item["votes"] is None else f"{item['votes']:.2f}",
        "hollow": "the agreement is worth fewer votes than the step asks for" if item["hollow"] else None,
        "review": "the transition asks for a ruling" if item["asked"] else None,
    }
    yield from facts(reasons, 2)
    for disagreement in item["disagreements"]:
        yield from _disagreement(disagreement)
    if not item["disagreements"]:
        yield from _positions(item["positions"])
    for failed in item["failed"]:
        yield Line(_failed(failed), "red", 2)


def _failed(item: Data) -> str:
    who = ", ".join(item.get("agents", ()))
    return f"failed check of {who}: {item.get('verifier')}: {item.get('detail')}"


def _disagreement(item: Data) -> Iterator[Block]:
    why = str(item["cause"]).replace("_", " ")
    yield Line(
        f"{item['path'] or '/'}: distance {item['distance']:.2f}, suspected cause: {why}",
        "yellow",
        2,
    )
    rows = [
        (", ".join(position["letters"]), ", ".join(position["holders"]), compact(position["value"]))
        for position in item["positions"]
    ]
    yield from grid("", rows, "bold cyan", 4)


def _positions(positions: Sequence[Data]) -> Iterator[Block]:
    """Where nothing is disputed, what may be upheld as a whole."""
    for item in positions:
        yield Line(f"{item['letter']}  {', '.join(item['agents'])}", "cyan", 2)
        yield from _operations(item["patch"], 4)


def machine(data: Data) -> list[Block]:
    """The transitions of a schema."""
    rows = [
        (
            item["name"],
            f"{', '.join(item['from'])} -> {item['to']}",
            "everything" if item["writes"] is None else ", ".join(item["writes"]) or "nothing",
            item["guard"] or "-",
            "yes" if item["review"] else "no",
        )
        for item in data["transitions"]
    ]
    title = Line(f"{data['schema']} (version {data['version']})", "bold")
    none = [] if rows else [Line("It declares no transitions: every write is allowed.")]
    return [title, *none, *grid("transition phases writes guard review", rows, "bold cyan")]


def replayed(data: Data) -> list[Block]:
    """What a replay found."""
    said = f"{count(data['versions'], 'version')} rebuilt, {count(data['calls'], 'call')} made"
    return [Line(f"replayed: {said}", "green"), *facts({"digest": data["digest"]}, 2)]


def verified(data: Data) -> list[Block]:
    """What a verification found."""
    rules = "checked" if data["rules_checked"] else "not checked: add --schema MODULE:CLASS"
    checked = f"{count(data['versions'], 'version')}, {count(data['rounds'], 'round')}"
    return [
        Line(f"verified: {checked}", "green"),
        *facts({"head": data["head"], "rules of the schema": rules}, 2),
    ]
