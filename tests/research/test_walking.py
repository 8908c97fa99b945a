"""Finding files: in the same order always, never outside of the folder, nothing passed over in silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dissensus.research.readers.walking import Found, Skipped, walk
from dissensus_state.errors import NotFound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "sources"
    for name in ("b.txt", "a/2.md", "a/1.txt", "Z.csv", "ä.txt"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(f"This is {name}")
    return top


def names(folder: Path, **bounds: int) -> list[str]:
    return [one.name for one in walk(folder, **bounds) if isinstance(one, Found)]


def skipped(folder: Path, **bounds: int) -> dict[str, str]:
    return {one.name: one.reason for one in walk(folder, **bounds) if isinstance(one, Skipped)}


def test_files_come_by_name_with_their_kind_and_size(folder: Path) -> None:
    assert names(folder) == ["Z.csv", "a/1.txt", "a/2.md", "b.txt", "ä.txt"]
    found = next(one for one in walk(folder) if one.name == "a/2.md")
    assert found == Found("a/2.md", folder / "a/2.md", 14, "markdown")
    assert skipped(folder) == {}


def test_a_single_file_is_found_by_its_name(folder: Path) -> None:
    assert names(folder / "a/2.md") == ["2.md"]


def test_a_folder_that_is_not_there_is_not_found(folder: Path) -> None:
    with pytest.raises(NotFound, match="no folder"):
        list(walk(folder / "nothing"))


def test_what_is_hidden_empty_or_no_file_is_skipped_and_told(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git/config").write_text("secret")
    (folder / ".env").write_text("secret")
    (folder / "empty.txt").touch()
    (folder / "a\nb.txt").write_text("x")
    os.mkfifo(folder / "pipe")
    assert skipped(folder) == {
        ".env": "is hidden",
        ".git": "is hidden",
        "a\\nb.txt": "has a name that cannot be printed",
        "empty.txt": "is empty",
        "pipe": "is no file",
    }
    assert len(names(folder)) == 5


def test_a_name_that_is_no_text_is_skipped_and_told(folder: Path) -> None:
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xff.txt"))).write_text("x")
    assert skipped(folder) == {"\\udcff.txt": "has a name that cannot be printed"}


def test_links_are_followed_inside_of_the_folder_and_nowhere_else(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    links = {
        "in.txt": folder / "b.txt",
        "inside": folder / "a",
        "loop": folder,
        "a/up": folder,
        "out": outside,
        "out.txt": outside / "secret.txt",
        "gone.txt": folder / "nothing.txt",
        "self": folder / "self",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    told = skipped(folder)
    assert told["out"] == told["out.txt"] == "is a link that leaves the folder"
    assert told["loop"] == told["a/up"] == "is a link that leads back to a folder above it"
    assert told["gone.txt"].startswith("cannot be opened")
    assert told["self"].startswith("cannot be opened")
    assert {"in.txt", "inside/1.txt"} <= set(names(folder))
    assert not any("secret" in name or "out" in name for name in names(folder))


def test_what_is_too_large_alone_or_together_is_skipped_and_told(folder: Path) -> None:
    (folder / "large.txt").write_text("x" * 1000)
    assert skipped(folder, largest=999) == {"large.txt": "has 1,000 bytes, and not at most 999"}
    told = skipped(folder, together=40)
    assert set(told) == {"a/2.md", "b.txt", "large.txt", "ä.txt"}
    assert set(told.values()) == {"does not fit into what all files together may have"}


def test_folders_in_folders_without_end_come_to_an_end(tmp_path: Path) -> None:
    deep = tmp_path / "top"
    for _ in range(80):
        deep /= "d"
    deep.mkdir(parents=True)
    (tmp_path / "top/a.txt").write_text("x")
    assert names(tmp_path / "top") == ["a.txt"]
    assert list(skipped(tmp_path / "top").values()) == ["lies deeper than 64 folders"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_what_may_not_be_opened_is_skipped_and_told(folder: Path) -> None:
    (folder / "a").chmod(0)
    (folder / "b.txt").chmod(0)
    assert set(skipped(folder)) == {"a/", "b.txt"}
    (folder / "a").chmod(0o700)
