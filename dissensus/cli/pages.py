"""The answers of the reading commands as pages for people, made from the data of `--json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .blocks import Block, Grid, Line, Passage
from .data import Data
from .texts import clipped, compact, count, when

_MOST_PATHS = 160


def grid(columns: str, rows: Sequence[Sequence[object]], styles: str = "", indent: int = 0) -> list[Block]:
    """Rows under columns, both named in one text; nothing where there are no rows."""
    texts = tuple(tuple("" if cell is None else str(cell) for cell in row) for row in rows)
    return [Grid(tuple(columns.split()), texts, tuple(styles.split()), indent)] if texts else []


def facts(named: Data, indent: int = 0) -> list[Block]:
    """Names with their values, one a line; what is None or empty is left out."""
    rows = [(name, value) for name, value in named.items() if value not in (None, "", [], {})]
    return grid("", [(name, _said(value)) for name, value in rows], "dim", indent)


def text_of(title: str, text: str | None, indent: int) -> Iterator[Block]:
    """A text under its title; nothing where there is none."""
    if text:
        yield Line(f"{title}:", "dim", indent)
        yield Passage(text, indent + 2)


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
    """The commits, newest first; where a text was asked for, also where it stands."""
    columns = "version when author transition round rebased"
    if not any("found_in" in item for item in data["commits"]):
        return grid(f"{columns} writes", [_commit(item) for item in data["commits"]], "bold dim cyan")
    told = [(*_commit(item)[:-1], ", ".join(item["found_in"]), _commit(item)[-1]) for item in data["commits"]]
    return grid(f"{columns} found writes", told, "bold dim cyan")


def braid(rows: Sequence[tuple[str, Data | None]]) -> list[Block]:
    """The commits of all branches beside the drawing of their lines."""
    told = []
    for drawn, item in rows:
        if item is None:
            told.append((drawn, *[""] * 7))
            continue
        version, *rest = _commit(item)
        told.append((drawn, f"{version} {item['branch']}", *rest))
    return grid("graph version when author transition round rebased writes", told, "cyan bold dim cyan")


def tally(data: Data) -> list[Block]:
    """Disputes by path and suspected cause."""
    rows = [
        (
            item["path"] or "/",
            str(item["cause"]).replace("_", " "),
            item["disputes"],
            item["settled"],
            item["confirmed"],
            item["corrected"],
            f"{item['distance']:.2f}",
        )
        for item in data["tally"]
    ]
    return grid("path cause disputes settled confirmed corrected distance", rows, "yellow")


def landed(data: Data) -> list[Block]:
    """One commit as it lands, with what the log says of it; wide enough for most to stand in columns."""
    version, at, author, transition, round_, rebased, writes = _commit(data["commit"])
    row = (f"{version:5}", at, f"{author:12}", f"{transition:12}", f"{round_:4}", rebased, writes)
    return grid("", [row], "bold dim cyan")


def _commit(item: Data) -> tuple[str, ...]:
    return (
        f"v{item['version']}",
        when(item["at"]),
        item["author"],
        _with(item["transition"] or _lifting(item["source"]), item),
        f"r{item['round']}" if item["round"] else "-",
        f"v{item['base']}" if item["base"] != item["version"] - 1 else "",
        clipped(" ".join(item["writes"]), _MOST_PATHS),
    )


def _with(text: str, item: Data) -> str:
    """The same, with what is said against the commit."""
    said = next((word for word in ("retracted", "suspect", "repaired") if item.get(word)), "")
    return f"{text} ({said})" if said else text


def _lifting(source: Data | None) -> str:
    """In the place of a transition: what a commit that nobody wrote by hand does, and with which."""
    match source:
        case {"upcast": [before, after]}:
            return f"schema {before} -> {after}"
        case {"merge": {"branch": branch, "version": version, **rest}}:
            return f"{'supersede' if rest.get('ours') else 'merge'} {branch}@{version}"
        case {"revert": {"first": first, "last": last}}:
            return f"revert v{first}" if first == last else f"revert v{first} to v{last}"
        case {"retract": {"version": version, **rest}}:
            return f"{'reinstate' if rest.get('undo') else 'retract'} v{version}"
        case {"carry": {"branch": branch, "version": version}}:
            return f"carry {branch}@{version}"
    return "-"


def diff(data: Data) -> list[Block]:
    """What differs, path by path: `+` added, `-` removed, `~` changed."""
    return [_difference(item) for item in data["differences"]]


def _difference(item: Data) -> Line:
    match item["kind"]:
        case "added":
            return Line(f"+ {item['path']}  {compact(item['after'])}", "green")
        case "removed":
            return Line(f"- {item['path']}  {compact(item['before'])}", "red")
    where = f"{item['path']} (was {item['was']})" if "was" in item else item["path"]
    if "words" in item:
        from dissensus_state.diff import in_words

        return Line(f"~ {where}  {in_words(item['words'])}", "yellow")
    return Line(f"~ {where}  {compact(item['before'])} -> {compact(item['after'])}", "yellow")


def branches(data: Data) -> list[Block]:
    """The branches, each with where it begins."""
    rows = [
        (
            item["name"],
            f"v{item['head']}",
            "-" if item["base_branch"] is None else f"v{item['base_version']} of {item['base_branch']}",
            "open" if item["closed_at"] is None else f"closed {when(item['closed_at'])}",
        )
        for item in data["branches"]
    ]
    return grid("branch head begins status", rows, "bold cyan dim")


def tags(data: Data) -> list[Block]:
    """The tags, each with the version it names."""
    rows = [
        (item["name"], f"v{item['version']}", item["branch"], item["author"], when(item["at"]))
        for item in data["tags"]
    ]
    return grid("tag version branch author when", rows, "bold cyan")


def merged(data: Data) -> list[Block]:
    """What came of a merge."""
    if data["conflicts"]:
        return conflicts(data)
    if data["version"] is None:
        return [Line(f"{data['branch']} has all that {data['source']} has", "green")]
    return [Line(f"{data['source']} merged into {data['branch']} as v{data['version']}", "green")]


def conflicts(data: Data) -> list[Block]:
    """What merges have left, each with what stands on either side."""
    page: list[Block] = []
    for item in data["conflicts"]:
        where = f"{item['source_branch']} into {item['branch']}"
        page.append(Line(f"{item['conflict']}  {item['path']}  {item['status']}, {where}", "bold"))
        sides = {name: item[name] for name in ("base", "ours", "theirs") if name in item}
        page += grid("", [(name, compact(value)) for name, value in sides.items()], "cyan", 4)
        if item["settlement"] is not None:
            page += facts({"settled": item["settlement"], "by": item["settled_by"]}, 4)
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


def machine(data: Data) -> list[Block]:
    """The transitions of a schema, and its rights if it declares any."""
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
    table = grid("transition phases writes guard review", rows, "bold cyan")
    return [title, *none, *table, *_rights(data["rights"])]


def _rights(entries: list[Data]) -> list[Block]:
    rights = ("read", "propose", "commit", "rule")
    rows = [(item["name"], *(", ".join(item[right]) or "nothing" for right in rights)) for item in entries]
    return grid(f"rights {' '.join(rights)}", rows, "bold cyan")


def verified(data: Data) -> list[Block]:
    """What a verification found."""
    rules = "checked" if data["rules_checked"] else "not checked: add --schema MODULE:CLASS"
    checked = f"{count(data['versions'], 'version')}, {count(data['rounds'], 'round')}"
    return [
        Line(f"verified: {checked}", "green"),
        *facts({"head": data["head"], "rules of the schema": rules}, 2),
        *facts({"documents": data["documents"] or None}, 2),
        *facts({"under another version of it": data["other_schema"] or None}, 2),
        *facts({"values redacted": data["redacted"] or None, "values pruned": data["pruned"] or None}, 2),
    ]


def schema_check(data: Data) -> list[Block]:
    """What a schema would break, head by head."""
    what = f"{data['schema']} (version {data['version']})"
    tried = f"{data['tried']:,} tried, {data['older']:,} of an older version"
    if data["broken"]:
        title = Line(f"{what} breaks {len(data['broken']):,} of {tried}", "red")
    else:
        title = Line(f"{what} breaks nothing: {tried}", "green")
    again = {"rounds that would be asked again": data["unsettled"] or None}
    return [title, *facts(again, 2), *(block for item in data["broken"] for block in _broken(item))]


def _broken(item: Data) -> list[Block]:
    where = f"{item['session']} {item['branch']} v{item['version']}"
    blocks: list[Block] = [Line(f"{where} (schema version {item['schema_version']})", "bold")]
    for breach in item["breaches"]:
        named = {name: breach[name] for name in ("path", "value", "upcast", "rule")}
        blocks += [Line(f"{breach['code']}: {breach['message']}", "yellow", 2), *facts(named, 4)]
    return blocks


def migrated(data: Data) -> list[Block]:
    """The commits that lifted a session."""
    if not data["commits"]:
        return [Line(f"{data['session']} is at schema version {data['schema_version']} already")]
    return [
        Line(f"{data['session']} {item['branch']} v{item['version']}: {_lifting(item['source'])}", "green")
        for item in data["commits"]
    ]
