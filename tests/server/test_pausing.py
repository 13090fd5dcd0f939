"""A pause that begins before a recording does."""

import time
from pathlib import Path

import pytest
from served import feed, joined, post_control, run

HOUR = 3600.0


class Leaping:
    """A clock that can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def prices(tmp_path: Path) -> str:
    """A recording of three trades within a tenth of a second."""
    path = tmp_path / "prices.csv"
    rows = [f"{1_700_000_000_000 + 50 * number},BTC/USDT,{100 + number},1\n" for number in range(3)]
    path.write_text("time_ms,symbol,price,quantity\n" + "".join(rows))
    return str(path)


@pytest.mark.parametrize("resumed", ["before", "after"])
def test_a_pause_before_the_first_subscription_delays_nothing(prices: str, resumed: str) -> None:
    """However long it lasted before anybody listened: after resume and subscription the first row comes at once."""

    async def test() -> None:
        clock = Leaping()
        async with feed(clock=clock, prices=prices) as running, joined(running) as peer:
            await post_control(running, "pause")
            clock.ahead += HOUR
            if resumed == "before":
                await post_control(running, "resume")
            assert (await peer.emit("price:subscribe", "BTC/USDT"))["ok"]
            if resumed == "after":
                await post_control(running, "resume")
            seen = [await peer.event("price:update") for _ in range(3)]
            assert [price["price"] for price in seen] == [100, 101, 102]
            assert [price["seq"] for price in seen] == [1, 2, 3]

    run(test)


def test_a_pause_afterwards_is_left_out(prices: str) -> None:
    """The part of a pause after the first subscription is none of the recording's time either."""

    async def test() -> None:
        clock = Leaping()
        async with feed(clock=clock, prices=prices, price_speed=0.001) as running, joined(running) as peer:
            await post_control(running, "pause")
            clock.ahead += HOUR
            assert (await peer.emit("price:subscribe", "BTC/USDT"))["ok"]
            clock.ahead += HOUR
            await post_control(running, "resume")
            assert (await peer.event("price:update"))["price"] == 100
            assert (await peer.emit("time:sync"))["ok"]
            assert running.platform.hub.channels["symbol:BTC/USDT:ticker"].seq == 1, "the second is due in 50 s"

    run(test)
