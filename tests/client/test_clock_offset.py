"""Clock offsets from round trips, and what they make of latencies."""

import asyncio
from typing import Any

import pytest

from wsctl.client.clock_offset import ClockOffset, latency_ms, measure
from wsctl.client.losses import AckTimeout, Lost


class Clocks:
    """Our clock; the server's is `ahead` of it."""

    def __init__(self, ahead: float) -> None:
        self.time = 1000.0
        self.ahead = ahead

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time - 900


class Asked:
    """A connection that answers `time:sync` after given times there and back, or with given answers."""

    transport = "websocket"

    def __init__(self, clocks: Clocks, trips: list[tuple[float, float]], answers: list[Any] | None = None) -> None:
        self._clocks = clocks
        self._trips = trips
        self._answers = answers

    async def open(self, timeout: float, handshake: float | None = None) -> None: ...  # noqa: ASYNC109

    async def send(self, event: str, *args: Any) -> None: ...

    async def close(self) -> None: ...

    async def emit(self, event: str, *args: Any, timeout: float) -> list[Any]:  # noqa: ASYNC109
        assert event == "time:sync"
        if self._answers is not None:
            answer = self._answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return [answer]
        there, back = self._trips.pop(0)
        self._clocks.time += there
        server = (self._clocks.time + self._clocks.ahead) * 1000
        self._clocks.time += back
        return [{"ok": True, "serverTime": server}]


def test_the_shortest_round_trip_counts() -> None:
    clocks = Clocks(ahead=0.25)
    trips = [(0.5, 0.1), (0.002, 0.002), (0.03, 0.01), (0.0, 0.2), (0.1, 0.1)]
    found = asyncio.run(measure(Asked(clocks, trips), clocks))
    assert found is not None
    assert found.offset == pytest.approx(0.25)
    assert found.bound == pytest.approx(0.002)
    assert str(found) == "the server's clock is 250.0 ms ahead of ours (± 2.0 ms); latencies are corrected"


@pytest.mark.parametrize(("there", "back"), [(0.03, 0.0), (0.0, 0.03), (0.02, 0.01)])
def test_the_truth_is_within_the_bound(there: float, back: float) -> None:
    clocks = Clocks(ahead=-2.0)
    found = asyncio.run(measure(Asked(clocks, [(there, back)]), clocks, rounds=1))
    assert found is not None
    assert abs(found.offset - -2.0) <= found.bound + 1e-9


@pytest.mark.parametrize(
    "answer",
    [
        AckTimeout("no"),
        Lost("gone"),
        None,
        "x",
        {"ok": False},
        {"ok": True},
        {"ok": True, "serverTime": True},
        {"serverTime": 5},
    ],
)
def test_servers_that_do_not_tell(answer: Any) -> None:
    clocks = Clocks(0)
    assert asyncio.run(measure(Asked(clocks, [], [answer]), clocks)) is None


def test_an_answer_that_came_is_kept() -> None:
    clocks = Clocks(0)
    answers = [{"ok": True, "serverTime": 1_500_000}, AckTimeout("no")]
    found = asyncio.run(measure(Asked(clocks, [], answers), clocks))
    assert found == ClockOffset(500.0, 0.0005), "whole milliseconds are known to half of one"


def test_clocks_that_agree_as_far_as_can_be_seen() -> None:
    assert ClockOffset(0.001, 0.002).correction == 0
    assert ClockOffset(-0.003, 0.002).correction == -0.003
    assert str(ClockOffset(0.001, 0.002)) == "the server's clock agrees with ours (± 2.0 ms)"


@pytest.mark.parametrize(
    ("received", "sent", "offset", "expected"),
    [
        (10.010, 10.0, None, 10.0),
        (10.0, 10.004, None, 0.0),  # quick, and clocks a little apart
        (10.0, 10.006, None, None),
        (10.0, 10.006, ClockOffset(0.0, 0.01), 0.0),  # the bound is the larger tolerance
        (10.010, 15.0, ClockOffset(5.0, 0.001), 10.0),  # server ahead
        (10.010, 5.0, ClockOffset(-5.0, 0.001), 10.0),  # server behind
        (10.010, 10.0, ClockOffset(0.001, 0.002), 10.0),  # within the bound: not corrected
        (10.0, 15.1, ClockOffset(5.0, 0.001), None),
        (3609.0, 10.0, None, 3_599_000.0),
        (3610.0, 10.0, None, None),  # recorded, not sent
    ],
)
def test_latencies(received: float, sent: float, offset: ClockOffset | None, expected: float | None) -> None:
    assert latency_ms(received, sent, offset) == (None if expected is None else pytest.approx(expected, abs=0.01))
