"""What answers show of themselves: everything escaped, nothing left out without a word."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from dissensus_state.diff import Difference
from dissensus_state.records import Event
from dissensus_state.replay import Replay
from dissensus_state.showing import MOST_CHARACTERS, MOST_ROWS, Listing, table


class Tags(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"style"}

    def handle_data(self, data: str) -> None:
        self.text += data


OURS = {"table", "thead", "tbody", "tr", "th", "td", "caption", "div"}
HOSTILE = "<script>alert(1)</script>\" onload='x' &amp; \x1b[2J \u202e"


@given(st.lists(st.text(max_size=20)), st.text(max_size=20))
def test_no_text_becomes_markup(texts: list[str], title: str) -> None:
    page = Tags(table([title, "what"], [[text, [text]] for text in texts], title))
    assert page.tags <= OURS


def test_an_answer_escapes_what_stands_in_it() -> None:
    one = Event(1, HOSTILE, 0, None, 2, {HOSTILE: [HOSTILE]})
    for shown in (one._repr_html_(), Listing([one])._repr_html_(), Listing([HOSTILE])._repr_html_()):
        assert Tags(shown).tags <= OURS
        assert "<script" not in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert "<script>alert(1)</script>" in Tags(one._repr_html_()).text


def test_a_line_of_an_answer_cannot_steer_a_terminal() -> None:
    one = Event(1, "kind\x1b[2J", 0, None, None, {"said": "\u202e\nforged"})
    assert str(one).isprintable()
    assert str(Listing([one, one])).count("\n") == 1


def test_a_slice_of_a_listing_is_a_listing() -> None:
    listing = Listing([Difference("/a", "added", None, n) for n in range(4)])
    assert isinstance(listing[1:3], Listing)
    assert listing[1:3] == list(listing)[1:3]
    assert listing[0].after == 0
    assert isinstance(listing, list)


def test_what_a_listing_does_not_show_it_counts() -> None:
    long = Listing(range(MOST_ROWS + 1_234))
    left = f"and 1,234 more of these {MOST_ROWS + 1234:,}"
    assert left in str(long)
    assert left in long._repr_html_()
    wide = Listing([Event(1, "x" * (MOST_CHARACTERS + 7), 0, None, None, {})])
    assert "(7 characters more)" in str(wide)
    assert re.search(r"\(7 characters more\)", wide._repr_html_())
    assert left not in str(long[:MOST_ROWS])


def test_numbers_without_a_name_of_their_own_are_named() -> None:
    assert str(Replay(3, "ab")).startswith("versions 3, digest ab, calls 0")
    assert "<td" in Replay(3, "ab")._repr_html_()
