"""Every error has a stable code and an exit code, and crosses a process as it was."""

from __future__ import annotations

import pickle
import re

import pytest

from dissensus_state import errors
from dissensus_state.errors import Conflict, Denied, DissensusError, located

DRAWN = re.compile(r"^\W*(\w+) +(\d+)   ", re.MULTILINE)


def _all(kind: type[DissensusError]) -> list[type[DissensusError]]:
    kinds = [leaf for leaf in kind.__subclasses__() if leaf.__module__ == errors.__name__]
    return [kind, *(leaf for child in kinds for leaf in _all(child))]


def test_the_tree_that_is_drawn_is_the_tree_that_is_coded() -> None:
    drawn = [(name, int(number)) for name, number in DRAWN.findall(errors.__doc__ or "")]
    assert sorted(drawn) == sorted((kind.__name__, kind.exit_code) for kind in _all(DissensusError))


def test_every_error_has_a_code_of_its_own_speaks_and_says_what_to_do() -> None:
    kinds = _all(DissensusError)
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert kind().message == (kind.__doc__ or "").split("\n")[0]
    assert {kind.__name__ for kind in kinds if not kind.next_step} == {
        "DissensusError",
        "CheckFailed",
        "Refused",
    }


def test_an_error_says_what_happened_where_and_what_to_do_next() -> None:
    error = Conflict("ana changed /a in version 1", expected=0, actual=1, paths=["/a"], other=None)
    assert str(error) == (
        "ana changed /a in version 1 (expected 0, actual 1, paths ['/a']). "
        "Read again and repeat the step; session.transact(fn) does that for you"
    )
    assert error.as_dict() == {
        "code": "conflict",
        "message": "ana changed /a in version 1",
        "next": "Read again and repeat the step; session.transact(fn) does that for you",
        "expected": 0,
        "actual": 1,
        "paths": ["/a"],
    }


def test_an_error_crosses_a_process_as_it_was() -> None:
    error = Denied("ana may write /a", next_step="Ask ben", path="/b")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is Denied
    assert back.as_dict() == error.as_dict()


def test_an_error_gains_where_it_happened_at_one_border_and_keeps_what_it_knew() -> None:
    error = Denied("no", path="/a")
    with pytest.raises(Denied) as caught, located(session="s", path="/", version=None):
        raise error
    assert caught.value.context == {"session": "s", "path": "/a"}
    with pytest.raises(KeyError), located(session="s"):
        raise KeyError
