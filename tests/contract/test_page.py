"""The story of a session as one page: whole, inert, and of nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from by_hand import concluded, in_review, to_judging
from dissensus_state.errors import ArchiveRefused
from dissensus_state.pages import writing
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Finding, Inquiry, Notes

HOSTILE = "</script><script>document.title='taken over'</script><img src=x onerror=hi()> <!-- \u202e \0 & é"

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Parsed(HTMLParser):
    """A page as a browser takes it apart."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, str] = {}
        self.texts: list[str] = []
        self.within = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.within = str(dict(attrs).get("id") or tag) if tag in {"script", "style"} else ""

    def handle_endtag(self, tag: str) -> None:
        del tag
        self.within = ""

    def handle_data(self, data: str) -> None:
        if self.within:
            self.inside[self.within] = self.inside.get(self.within, "") + data
        else:
            self.texts.append(data)

    def block(self, name: str) -> list[Any]:
        """The details in one block."""
        return [json.loads(line) for line in self.inside[name].strip().split("\n")]


@pytest.fixture
def hostile(store: Store) -> Session[Inquiry]:
    """A session in which everybody says what a page could take for its own."""
    session = store.create(Inquiry(question=HOSTILE))
    with session.transaction(HOSTILE[:60], "gather") as tx:
        tx.append("findings", Finding(text=HOSTILE))
        tx.merge("answers", {HOSTILE: HOSTILE})
    concluded(session)
    aside = session.fork("aside", 1)
    with aside.transaction("ben", "gather") as tx:
        tx.add("doubts", 2)
    return session


def test_nothing_that_was_said_becomes_markup(hostile: Session[Inquiry]) -> None:
    page = Parsed(hostile.page())
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert scripts[-1] == {}
    assert all(one["type"] == "application/json" for one in scripts[:-1])
    assert not [tag for tag, _ in page.tags if tag in {"img", "iframe", "link", "a", "b", "object"}]
    named = {name for _, attributes in page.tags for name in attributes}
    assert not {name for name in named if name.startswith("on") or name in {"src", "href", "style"}}
    details = page.block("commits-0")
    assert HOSTILE in json.dumps(details, ensure_ascii=False).replace("\\u0000", "\0")


def test_a_page_runs_and_loads_nothing_but_itself(hostile: Session[Inquiry]) -> None:
    page = Parsed(hostile.page())
    (policy,) = (
        str(attributes["content"])
        for tag, attributes in page.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(page.inside[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not re.search(r"fetch\(|XMLHttp|WebSocket|import\(|innerHTML|eval\(", page.inside["script"])
    assert "url(" not in page.inside["style"]


def test_a_page_tells_every_commit_of_every_branch_and_every_round(hostile: Session[Inquiry]) -> None:
    page = Parsed(hostile.page())
    index = json.loads(page.inside["index"])
    assert index["branches"] == ["main", "aside"]
    told = [(index["branches"][line[0]], line[1], index["authors"][line[2]]) for line in index["commits"]]
    stored = [(one.branch, one.version, one.author) for one in hostile.log(100)]
    assert [one for one in told if one[0] == "main"] == stored
    assert ("aside", 2, "ben") in told
    (round_,) = page.block("rounds-0")
    assert {one["status"] for one in round_["proposals"]} == {"accepted", "dissent"}
    assert round_["rulings"][0]["upheld"] == ["ana"]
    assert all(call["reasoning"].endswith("thought about it.") for call in round_["calls"])


def test_a_commit_is_told_with_what_stood_there_before(store: Store) -> None:
    session = store.create(Notes(text="the valve was open"))
    with session.transaction("ana") as tx:
        tx.set("text", "the pump was open")
        tx.append("lines", "more")
    newest = Parsed(session.page()).block("commits-0")[0]["changes"]
    assert newest[0] == {
        "verb": "set", "path": "/text", "before": "the valve was open", "value": "the pump was open"
    }  # fmt: skip
    assert newest[1] == {"verb": "append", "path": "/lines", "value": ["more"]}


def test_a_page_of_the_newest_commits_says_how_many_it_leaves_out(store: Store) -> None:
    session = store.create(Notes())
    for number in range(6):
        with session.transaction("ana") as tx:
            tx.set("a", number)
    page = Parsed(session.page(limit=2))
    assert [line[1] for line in json.loads(page.inside["index"])["commits"]] == [6, 5]
    assert any("5 older commits are left out" in text for text in page.texts)
    assert page.block("commits-0")[1]["changes"][0] == {"verb": "set", "path": "/a", "before": 3, "value": 4}


def test_what_was_pruned_is_told_as_pruned(store: Store) -> None:
    session = store.create(Notes())
    for number in range(3):
        with session.transaction("ana") as tx:
            tx.set("text", f"text {number}")
    session.prune(session.plan_prune(3), author="ana")
    details = Parsed(session.page()).block("commits-0")
    assert details[-1]["changes"][0]["gone"] == "pruned"
    assert details[1]["changes"][0] == {"verb": "set", "path": "/text", "value": "text 2"}


def test_a_round_that_waits_for_a_ruling_does_not_say_who_holds_what(store: Store) -> None:
    session = store.create(Inquiry())
    with session.transaction("scout", "gather") as tx:
        tx.append("findings", Finding(text="open"))
    to_judging(session)
    in_review(session)
    page = Parsed(session.page())
    (round_,) = page.block("rounds-0")
    assert round_["proposals"] == round_["calls"] == []
    assert "ben" not in json.dumps(round_)
    assert json.loads(page.inside["index"])["commits"][0][4] == "review"


def test_a_page_that_no_browser_likes_is_refused_with_what_to_do(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(writing, "MOST_BYTES", 10_000)
    session = store.create(Notes())
    target = tmp_path / "story.html"
    with pytest.raises(ArchiveRefused) as caught:
        session.export(target, "html")
    assert "--limit" in caught.value.next_step
    assert not target.exists()


def test_a_page_is_a_form_of_an_export_with_what_is_redacted_left_out(store: Store, tmp_path: Path) -> None:
    session = store.create(Notes())
    with session.transaction("ana") as tx:
        tx.set("text", "a secret that nobody may see")
    session.export(tmp_path / "story.html", "html", redact=["/text"])
    page = (tmp_path / "story.html").read_text("utf-8")
    assert "a secret" not in page
    assert "[redacted]" in page


def _node(code: str) -> Any:
    """What the page's own functions say, where there is a Node to ask."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node to run the page's script in")
    script = Path(writing.__file__).with_name("page.js")
    program = f"const page = require({json.dumps(str(script))}); console.log(JSON.stringify({code}))"
    done = subprocess.run([node, "-e", program], capture_output=True, encoding="utf-8", check=True)
    return json.loads(done.stdout)


def test_the_words_of_two_texts_that_differ_are_those_that_were_changed() -> None:
    parts = _node('page.difference("The valve was open.", "The pump was closed.")')
    words = [["-", "valve"], ["+", "pump"], ["=", " was "], ["-", "open"], ["+", "closed"]]
    assert parts == [["=", "The "], *words, ["=", "."]]


@pytest.mark.parametrize(
    ("before", "after"),
    [("", "new"), ("old", ""), ("a b c", "c b a"), ("é 😀 x", "é 😀 y"), ("one", "one")],
)
def test_a_difference_holds_both_texts(before: str, after: str) -> None:
    parts = _node(f"page.difference({json.dumps(before)}, {json.dumps(after)})")
    assert "".join(text for sign, text in parts if sign != "+") == before
    assert "".join(text for sign, text in parts if sign != "-") == after


def test_marks_that_turn_the_direction_of_writing_are_shown() -> None:
    assert _node(r'page.plain("a\u202eb")') == "a\\u202eb"


def test_a_browser_shows_the_log_and_stays_its_own(hostile: Session[Inquiry], tmp_path: Path) -> None:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"none of the browsers {', '.join(BROWSERS)} is on this machine")
    page = tmp_path / "story.html"
    page.write_text(hostile.page(), "utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [browser, *flags, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=True)
    shown = Parsed(done.stdout)
    title = re.search("<title>(.*?)</title>", done.stdout)
    assert title is not None
    assert title[1] == hostile.name
    assert any(text.endswith(" entries") for text in shown.texts)
    assert not [tag for tag, _ in shown.tags if tag == "img"]
