"""Whom a fault struck: each connection once, in their order, and no more than can be remembered."""

import pytest

from wsctl.chaos import struck
from wsctl.chaos.firing import Firing
from wsctl.chaos.struck import Struck

NOBODY = {"struck": [], "left_out": 0}


def firing(fault: str, conn: str | None, at: float = 1.0) -> Firing:
    return Firing(at=0, time=at, fault=fault, type="drop", action="dropped", conn=conn, client="me", port=7)


def test_each_connection_once() -> None:
    known = Struck()
    for one in (
        firing("a", "c1", 1.0),
        firing("a", "c1", 2.0),
        firing("b", "c1"),
        firing("a", None),
        firing("a", "c2"),
    ):
        known(one)
    first, second = known.by("a")["struck"]
    assert first == {"conn": "c1", "client": "me", "port": 7, "at": 1.0}
    assert known.by("a", 1) == {"struck": [second], "left_out": 0}
    assert known.by("a", 2) == known.by("a", 3) == known.by("nobody") == NOBODY
    known.forget("a")
    assert (known.by("a"), len(known.by("b")["struck"])) == (NOBODY, 1)
    known.forget()
    assert known.by("b") == NOBODY


def test_the_latest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for news now and then learns of everybody; who asks for those of long ago, how many they were."""
    monkeypatch.setattr(struck, "MOST", 5)
    known, seen = Struck(), []
    for number in range(13):
        known(firing("a", f"c{number}"))
        if number % 3 == 0:
            news = known.by("a", len(seen))
            assert news["left_out"] == 0
            seen += [one["conn"] for one in news["struck"]]
    assert seen == [f"c{number}" for number in range(13)]
    assert known.by("a")["left_out"] == 8
    assert [one["conn"] for one in known.by("a")["struck"]] == seen[8:]
    assert known.by("a", 8) == known.by("a", 2) | {"left_out": 0}
    assert known.by("a", 2)["left_out"] == 6
    known.forget("a")
    known(firing("a", "c99"))
    assert known.by("a") == {"struck": [{"conn": "c99", "client": "me", "port": 7, "at": 1.0}], "left_out": 0}
