"""Whom a fault struck: each connection once, in their order, and no more than can be remembered."""

from wsctl.chaos import struck
from wsctl.chaos.firing import Firing
from wsctl.chaos.struck import Struck


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
    first, second = known.by("a")
    assert first == {"conn": "c1", "client": "me", "port": 7, "at": 1.0}
    assert known.by("a", 1) == [second]
    assert (known.by("a", 2), known.by("nobody")) == ([], [])
    known.forget("a")
    assert (known.by("a"), len(known.by("b"))) == ([], 1)
    known.forget()
    assert known.by("b") == []


def test_no_more_than_can_be_remembered() -> None:
    known = Struck()
    for number in range(struck.MOST + 10):
        known(firing("a", f"c{number}"))
    assert len(known.by("a")) == struck.MOST
    assert known.by("a", struck.MOST - 1)[0]["conn"] == f"c{struck.MOST - 1}"
