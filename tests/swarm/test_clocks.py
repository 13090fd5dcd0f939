"""What latencies rest on, by the offsets that are measured now and then."""

import pytest

from wsctl.client.clock_offset import ClockOffset
from wsctl.client.target import Target
from wsctl.swarm.clocks import DRIFT, SAME_HOST, Basis, Clocks, is_loopback


def elsewhere(*measured: tuple[float, float, float]) -> Clocks:
    """Compared with a feed elsewhere: at, offset and bound."""
    clocks = Clocks(same_host=False)
    for at, offset, bound in measured:
        clocks.add(ClockOffset(offset, bound), at)
    return clocks


def test_nothing_is_known_before_a_comparison() -> None:
    assert elsewhere().basis(5.0) is None


def test_an_offset_is_less_and_less_exact() -> None:
    clocks = elsewhere((10.0, 0.25, 0.001))
    assert clocks.basis(10.0) == Basis(0.25, 0.001)
    assert clocks.basis(110.0) == Basis(0.25, pytest.approx(0.001 + 100 * DRIFT))


def test_what_is_too_small_to_correct_is_error() -> None:
    assert elsewhere((0.0, 0.0008, 0.001)).basis(0.0) == Basis(0.0008, pytest.approx(0.0018))


def test_a_better_offset_is_held_and_the_worst_error_told() -> None:
    clocks = elsewhere((0.0, 0.25, 0.02))
    assert clocks.add(ClockOffset(0.245, 0.001), 1.0)
    assert clocks.offset == ClockOffset(0.245, 0.001)
    assert clocks.basis(1.0) == Basis(0.245, pytest.approx(0.02 + DRIFT))


def test_a_worse_offset_is_held_once_the_other_is_old() -> None:
    clocks = elsewhere((0.0, 0.25, 0.001))
    assert not clocks.add(ClockOffset(0.251, 0.003), 30.0)
    assert clocks.add(ClockOffset(0.251, 0.003), 30.0 + 0.003 / DRIFT)


def test_a_clock_that_was_set_is_followed_at_once_and_said() -> None:
    """However bad the new one is: the one that is held is proved wrong."""
    clocks = elsewhere((0.0, 0.25, 0.001))
    assert clocks.add(ClockOffset(-3.0, 0.5), 30.0)
    assert clocks.basis(30.0) == Basis(-3.0, pytest.approx(3.75))


def test_one_clock_stays_one_unless_that_is_refuted() -> None:
    """As by a tunnel that begins on this machine and ends on another."""
    clocks = Clocks(same_host=True)
    assert clocks.basis(0.0) == SAME_HOST
    assert not clocks.add(ClockOffset(-0.004, 0.0001), 1.0), "a server may round its time"
    assert clocks.basis(1.0) == SAME_HOST
    assert clocks.add(ClockOffset(-2.0, 0.001), 2.0)
    assert clocks.basis(2.0) == Basis(-2.0, 0.001)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:3000", True),
        ("wss://[::1]/feed", True),
        ("http://localhost:3000", True),
        ("http://10.0.0.7:3000", False),
        ("https://feed.example", False),
    ],
)
def test_what_is_on_this_machine(url: str, here: bool) -> None:
    assert is_loopback(Target(url=url)) is here
