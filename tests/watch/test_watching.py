"""Watching on a connection made up here: what `events` lets through."""

import asyncio
from collections.abc import Mapping
from random import Random
from typing import Any

from wsctl.checks.ordering import OrderingCheck
from wsctl.client.clock_offset import ClockOffset
from wsctl.client.connection import OnClose, OnEvent
from wsctl.client.subscription import Subscription
from wsctl.client.target import Reconnect, Target
from wsctl.clock import Clock, SystemClock
from wsctl.errors import Gone
from wsctl.model.observation import Observation
from wsctl.watch.options import WatchOptions
from wsctl.watch.watching import Watching

CHANNEL = "symbol:X/Y:ticker"
Event = tuple[str, dict[str, Any]]


def price(seq: int) -> Event:
    """A numbered price."""
    return "price:update", {"channel": CHANNEL, "seq": seq, "epoch": "e", "symbol": "X/Y", "price": 100.0 + seq}


def trade(seq: int) -> Event:
    """A numbered trade, on a channel of its own."""
    return "trade:update", {"channel": "symbol:X/Y:trades", "seq": seq, "epoch": "e", "symbol": "X/Y"}


def skipped(first: int, last: int) -> Event:
    """A range left out on purpose."""
    return "channel:skipped", {"channel": CHANNEL, "from": first, "to": last, "epoch": "e", "reason": "slow"}


def heartbeat(next_seq: int) -> Event:
    """What a silent channel says."""
    return "channel:heartbeat", {"channel": CHANNEL, "nextSeq": next_seq, "epoch": "e"}


class Connection:
    """One that sends some events to whoever subscribes, and ends."""

    transport = "websocket"
    port = None

    def __init__(self, events: list[Event], on_event: OnEvent, on_close: OnClose) -> None:
        self._events = events
        self._on_event = on_event
        self._on_close = on_close

    async def open(self, timeout: float, handshake: float | None = None) -> None:  # noqa: ASYNC109
        """Nothing to open."""

    async def ask(self, subscription: Subscription, *, timeout: float) -> Any:  # noqa: ASYNC109
        """Acknowledge a subscription; everything comes with it."""
        for name, payload in self._events:
            self._on_event(name, (payload,))
        self._on_close("done")
        return {"ok": True, "subscribed": subscription.names}

    async def clock_offset(self, clock: Clock) -> ClockOffset | None:
        """Nothing tells the time."""
        return None

    async def close(self) -> None:
        """Nothing to close."""


def watch(sent: list[Event], **options: Any) -> list[Observation]:
    """What a watch of X/Y hands out when these events come."""

    def connect(
        target: Target, auth: Mapping[str, Any], transport: str, *, on_event: OnEvent, on_close: OnClose
    ) -> Connection:
        return Connection(sent, on_event, on_close)

    async def main() -> list[Observation]:
        asked = WatchOptions(target=Target(), symbols=("X/Y",), reconnect=Reconnect(attempts=0), **options)
        seen = []
        async with Watching(asked, SystemClock(), Random(1), connect=connect) as watching:
            try:
                async for item in watching:
                    if isinstance(item, Observation):
                        seen.append(item)
            except Gone:
                return seen
        raise AssertionError("the connection ended, and that was not told")

    return asyncio.run(main())


def check(seen: list[Observation]) -> OrderingCheck:
    """The ordering check's judgement on them."""
    judge = OrderingCheck()
    for one in seen:
        judge.add(one)
    judge.close()
    return judge


ONLY_PRICES = {"events": ("price:update",)}


def test_a_declared_skip_is_no_gap() -> None:
    """With an event asked for, declared skips still come through: what they declare is not missing."""
    seen = watch([price(1), price(2), trade(1), skipped(3, 5), price(6), price(7)], **ONLY_PRICES)
    assert [one.event for one in seen] == ["price:update"] * 2 + ["channel:skipped"] + ["price:update"] * 2
    report = check(seen).channels[CHANNEL]
    assert (report.verdict, report.gaps, report.skipped) == ("pass", 0, 3)


def test_a_heartbeat_tells_of_a_lost_last_message() -> None:
    """So do heartbeats: nothing else says that the last messages never came."""
    seen = watch([price(1), price(2), trade(1), heartbeat(4)], **ONLY_PRICES)
    assert [one.event for one in seen] == ["price:update", "price:update", "channel:heartbeat"]
    report = check(seen).channels[CHANNEL]
    assert (report.verdict, report.gaps, report.missing) == ("fail", 1, 1)


def test_a_gap_stays_a_gap() -> None:
    """What nobody declared is missing, whatever else is left out."""
    report = check(watch([price(1), trade(1), price(4), trade(2)], **ONLY_PRICES)).channels
    assert report.keys() == {CHANNEL}
    assert (report[CHANNEL].verdict, report[CHANNEL].missing) == ("fail", 2)


def test_in_sequence() -> None:
    """Handed out in sequence, a declared skip keeps its place between the prices."""
    seen = watch([price(1), skipped(2, 3), price(5), price(4), heartbeat(6)], ordered=True, **ONLY_PRICES)
    assert [one.seq for one in seen if one.event == "price:update"] == [1, 4, 5]
    report = check(seen).channels[CHANNEL]
    assert (report.verdict, report.skipped, report.reorders) == ("pass", 2, 0)
