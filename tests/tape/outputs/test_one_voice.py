"""One stream of what several clients of a tape heard: nothing that any of them heard is lost, or said twice."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsctl.model.event import Event
from wsctl.tape.contents import Place, client_of
from wsctl.tape.format import TapeFrame
from wsctl.tape.outputs.one_voice import KEPT, PATIENCE, OneVoice

MS = 1_000_000
PLACE: Place = ("/", "ticks")
End = str
"""a connection that is closed"""
Said = tuple[float, str, Any]
"""ms, connection, seq; or a text where nothing is numbered, or (epoch, seq)"""


def event(said: Any) -> Event:
    match said:
        case int():
            return Event(name="tick", channel="ticks", seq=said, data={"n": said})
        case (epoch, seq):
            return Event(name="tick", channel="ticks", seq=seq, epoch=epoch, data={"n": seq, "e": epoch})
    return Event(name="tick", channel="ticks", data=said)


def heard(*script: Said | End) -> list[Any]:
    """What who hears one stream is told of a tape."""
    said = [one for one in script if not isinstance(one, str)]
    voices: OneVoice[Any] = OneVoice(Counter((PLACE, client_of(conn)) for _, conn, _ in said))
    told = []
    for one in script:
        if isinstance(one, str):
            told += voices.end(one)
        else:
            at, conn, what = one
            told += voices.hear(PLACE, TapeFrame(round(at * MS), conn, "in", ""), event(what), what)
    return [what for _, _, what in told]


def both(first: int, last: int, *conns: str, apart: float = 10.0) -> list[Said]:
    """Numbers that several connections hear, one shortly after the other."""
    return [(n * apart + place, conn, n) for n in range(first, last + 1) for place, conn in enumerate(conns)]


def test_another_goes_on_where_the_first_ends() -> None:
    """Whether its end was noted or not; what the other heard sooner is not lost."""
    expected = list(range(1, 31))
    assert heard(*both(1, 5, "c1", "c2"), *both(6, 30, "c2")) == expected
    assert heard(*both(1, 5, "c1", "c2"), "c1", *both(6, 30, "c2")) == expected
    assert (
        heard(*both(1, 4, "c1", "c2"), (50, "c2", 5), (51, "c2", 6), (52, "c1", 5), *both(7, 9, "c2")) == expected[:9]
    )
    assert heard(*both(1, 5, "c1", "c2"), *both(6, 9, "c2"), "c1", *both(10, 12, "c1", "c2")) == expected[:12]


def test_who_is_silent_is_not_waited_for() -> None:
    """Though it comes back: another has news, and patience is over."""
    quiet = PATIENCE * 1000
    script = [*both(1, 3, "c1", "c2"), (40, "c2", 4), (50, "c2", 5), (60 + quiet, "c2", 6), (70 + quiet, "c1", 7)]
    assert heard(*script, *((80 + quiet + n, "c2", n) for n in range(7, 10))) == list(range(1, 10))


def test_what_is_held_has_an_end() -> None:
    """So much is kept of others, and no more."""
    others = range(2, KEPT + 4)
    assert heard((0, "c1", 1), *((n / 1e4, "c2", n) for n in others), (2, "c1", KEPT + 4)) == [1, *others, KEPT + 4]


def test_what_the_first_misses_is_missing() -> None:
    """A hole, a swap and a repeat stay as one client had them: they are what a tape is played for."""
    wrong = [1, 2, 5, 4, 4, 7, 8]
    script = [(n * 10.0, "c1", seq) for n, seq in enumerate(wrong)] + [
        (seq * 10 + 5.0, "c2", seq) for seq in range(1, 9)
    ]
    assert heard(*sorted(script, key=lambda said: said[0]))[: len(wrong)] == wrong


def test_what_is_not_numbered() -> None:
    """Is known by what it says."""
    script = [(0, "c1", "a"), (1, "c2", "a"), (2, "c1", "b"), (3, "c2", "b"), (4, "c2", "c"), (5, "c2", "d")]
    assert heard(*script) == ["a", "b", "c", "d"]
    assert heard((0, "c2", "a"), (1, "c1", "a"), (2, "c1", "b"), "c2", (3, "c1", "c")) == ["a", "b", "c"]


def test_another_epoch() -> None:
    """Is news, whoever has it first; the one before it is over."""
    script = [
        (0, "c1", ("e", 7)),
        (1, "c2", ("e", 7)),
        "c1",
        (2, "c2", ("f", 1)),
        (3, "c3", ("e", 8)),
        (4, "c3", ("f", 2)),
    ]
    assert heard(*script, "c2", (5, "c3", ("f", 3))) == [("e", 7), ("f", 1), ("f", 2), ("f", 3)]


@st.composite
def tapes(draw: st.DrawFn) -> tuple[list[Said | End], set[int], float]:
    """Clients that each listen from some number to another, with delays of their own (a number comes every 10 ms); what
    any of them heard; the longest delay."""
    script: list[tuple[float, Said | End]] = []
    everything: set[int] = set()
    most = draw(st.sampled_from([9.0, 30.0]))
    for client in range(1, draw(st.integers(1, 4)) + 1):
        conn, delay = f"c{client}", draw(st.floats(0, most))
        first = draw(st.integers(1, 40))
        numbers = range(first, draw(st.integers(first, 60)) + 1)
        everything.update(numbers)
        script += [(n * 10 + delay, (n * 10 + delay, conn, n)) for n in numbers]
        if draw(st.booleans()):
            script.append((numbers[-1] * 10 + delay + 1, conn))
    return [one for _, one in sorted(script, key=lambda entry: entry[0])], everything, most


@given(tapes())
def test_nothing_is_lost_or_said_twice(tape: tuple[list[Said | End], set[int], float]) -> None:
    """Whoever leaves, noted or not, and whoever is ahead: numbers rise, and all are there that any client heard; only
    one who lags behind numbers that were told already, and alone heard older ones, is too late."""
    script, everything, most = tape
    got = heard(*script)
    assert got == sorted(set(got))
    if most < 10:
        assert got == sorted(everything)


@pytest.mark.parametrize("conn", ["c1", "c1.2"])
def test_one_client(conn: str) -> None:
    """Is heard as it is, whatever it says."""
    wrong = [3, 1, 1, ("e", 5), ("f", 2), "a", "a", 2]
    assert heard(*((n, conn, what) for n, what in enumerate(wrong))) == wrong
