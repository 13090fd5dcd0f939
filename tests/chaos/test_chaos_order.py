"""What the log says was dropped, doubled, swapped, renumbered or spoilt is exactly what clients find so.

python-socketio's client and Node's socket.io-client listen to the same feed through one proxy; the ordering checker
judges what each of them got.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import socketio

from tests.chaos.proxied import Scene, harmed
from tests.interop.conftest import node
from tests.interop.test_node import Session
from tests.peers.background import Background
from tests.server.served import BTC, until
from wsctl.chaos.fault import AnyFault
from wsctl.chaos.firing import Firing
from wsctl.checks.channel_report import ChannelReport
from wsctl.checks.ordering import OrderingCheck
from wsctl.model.event import PRICE_UPDATE
from wsctl.model.observation import Observation

COUNT = 120
"""messages while a fault is on"""

__all__ = ["node"]


class Price(NamedTuple):
    """One that came; `time` is when it was sent, in unix milliseconds."""

    epoch: str
    seq: int
    time: float


class Audience:
    """Two clients of other people's, and what each got."""

    def __init__(self, scene: Scene, session: Session, background: Background) -> None:
        self.scene = scene
        self.background = background
        self._session = session
        self._got: list[dict[str, Any]] = []
        self._client = socketio.AsyncClient(reconnection=False)
        self._client.on(PRICE_UPDATE, self._got.append)

    async def join(self) -> None:
        """Both listen, both on WebSockets."""
        await self._client.connect(self.scene.url, auth={"client": "python"}, transports=["websocket"])
        await self._client.call("price:subscribe", ["BTC/USDT"])
        await until(lambda: self._session._facts("ack"))
        connections = self.scene.platform.connections
        await until(lambda: [one.transport for one in connections.values()] == ["websocket"] * 2)
        assert {one.client for one in self.scene.proxy.connections.values()} == {"python", "node"}

    async def leave(self) -> None:
        """The one that is ours to close."""
        await self._client.disconnect()

    def got(self, client: str) -> list[Price]:
        """What came, in order."""
        if client == "python":
            return [Price(one["epoch"], one["seq"], one["timestamp"]) for one in self._got]
        return [Price(*facts) for facts in self._session._facts(PRICE_UPDATE)]

    def harm(self, fault: str) -> "Heard":
        """A hundred messages with a fault, and one without, which both wait for."""
        return self.background.run(self._harm(fault))

    async def _harm(self, text: str) -> "Heard":
        await self._catch_up()
        start = self.last
        before = {client: len(self.got(client)) for client in ("python", "node")}
        counter = self.scene.add("noop:name=counter,channel=symbol:*:ticker")  # meets them all, before the fault does
        fault = self.scene.add(f"{text}{',' if ':' in text else ':'}channel=symbol:*:ticker")
        self.scene.firings.clear()
        for _ in range(COUNT // 6):  # some come alone, some together
            self.scene.publish(6)
            await asyncio.sleep(0)
        await until(lambda: counter.matched == 2 * COUNT)
        self.scene.proxy.remove(fault)
        self.scene.proxy.remove(counter)
        await self._catch_up()
        sent = list(range(start + 1, self.last + 1))
        got = {client: self.got(client)[before[client] :] for client in before}
        return Heard(
            self._channel.epoch, sent, got, [one for one in self.scene.firings if one.fault == fault.name], fault
        )

    async def _catch_up(self) -> None:
        self.scene.publish(1)
        latest = (self._channel.epoch, self.last)
        await until(lambda: all(latest in [one[:2] for one in self.got(client)] for client in ("python", "node")))

    @property
    def _channel(self) -> Any:
        return self.scene.platform.hub.channels[BTC]

    @property
    def last(self) -> int:
        """The channel's latest number."""
        return int(self._channel.seq)


class Heard:
    """What was sent, what came, and what the log says."""

    def __init__(
        self, epoch: str, sent: list[int], got: dict[str, list[Price]], firings: list[Firing], fault: AnyFault
    ) -> None:
        self.epoch = epoch
        self.sent = sent
        self.got = got
        self.firings = firings
        self.fault = fault

    def told(self, client: str, action: str) -> list[int]:
        """The numbers of what the log says was done to a client."""
        return [
            one.seq for one in self.firings if one.client == client and one.action == action and one.seq is not None
        ]

    def numbers(self, client: str) -> list[tuple[str, int]]:
        """Epochs and numbers that came."""
        return [(one.epoch, one.seq) for one in self.got[client]]

    def old(self, client: str) -> list[int]:
        """The numbers of what came with a time long past."""
        return [one.seq for one in self.got[client] if one.time < (time.time() - 1800) * 1000]

    def expected(self, client: str) -> list[tuple[str, int]]:
        """What must have come, by the log alone."""
        gone = {*self.told(client, "dropped"), *self.told(client, "withheld")}
        doubled, held = self.told(client, "duplicated"), self.told(client, "held back")
        copies = 1 + getattr(self.fault.spec, "copies", 0)
        came: list[int] = []
        waiting: list[int] = []
        left = 0
        for seq in self.sent:
            if seq in held:
                waiting, left = [seq], self.fault.spec.by
            else:
                came += [seq] * (0 if seq in gone else copies if seq in doubled else 1)
                left -= 1
            if left == 0 or seq == self._last_struck:
                came += waiting
                waiting = []
        return [self._renumbered(seq, self.told(client, "reset")) for seq in came]

    def _renumbered(self, seq: int, resets: list[int]) -> tuple[str, int]:
        if resets and resets[0] <= seq <= self._last_struck:
            return f"{self.epoch}-{self.fault.name}", seq - resets[0] + self.fault.spec.start
        return self.epoch, seq

    @property
    def _last_struck(self) -> int:
        """Behind it the fault is taken away."""
        return self.sent[-2]

    def judged(self, client: str) -> ChannelReport:
        """What the ordering checker says of it."""
        check = OrderingCheck()
        for at, (epoch, seq) in enumerate([(self.epoch, self.sent[0] - 1), *self.numbers(client)]):
            check.add(Observation(at / 1e4, "c1", BTC, PRICE_UPDATE, epoch, seq, None, None, {}))
        check.close()
        return check.channels[BTC]


@pytest.fixture(scope="module")
def audience(node: str) -> Iterator[Audience]:
    """Both clients behind a proxy, for all tests of the module."""
    background = Background()
    ready: asyncio.Future[Scene] = asyncio.Future(loop=background.loop)
    over = asyncio.Event()

    async def scene() -> None:
        async with harmed() as scene:
            ready.set_result(scene)
            await over.wait()

    async def wait() -> Scene:
        return await ready

    running = asyncio.run_coroutine_threadsafe(scene(), background.loop)
    there: Scene = background.run(wait())
    with Session(node, there.url, client="node") as session:
        audience = Audience(there, session, background)
        background.run(audience.join())
        yield audience
        background.run(audience.leave())
    background.loop.call_soon_threadsafe(over.set)
    running.result(10)
    background.stop()


@pytest.mark.parametrize(
    ("fault", "action", "each"),
    [
        ("drop:nth=5", "dropped", COUNT // 5),
        ("drop:p=0.2", "dropped", None),
        ("drop:times=9", "dropped", None),
        ("duplicate:nth=7,copies=2", "duplicated", COUNT // 7),
        ("duplicate:p=0.2", "duplicated", None),
        ("reorder:nth=6,flush=30s", "held back", COUNT // 6),
        ("reorder:p=0.2,by=3,flush=30s", "held back", None),
        ("delay:delay=5ms,jitter=5ms", "held", COUNT),
        ("delay:delay=20ms,p=0.2", "held", None),
        ("freeze-channel:for=1h", "withheld", COUNT),
        ("epoch-reset:nth=50", "reset", 1),
        ("epoch-reset:p=0.05,start=0,name=anew", "reset", 1),
        ("corrupt:mode=stale,nth=8", "corrupted", COUNT // 8),
        ("corrupt:mode=stale,p=0.2", "corrupted", None),
        ("noop", "seen", COUNT),
    ],
)
def test_the_log_is_the_truth(audience: Audience, fault: str, action: str, each: int | None) -> None:
    """To the message, for both clients, and by the checker's own counts."""
    heard = audience.harm(fault)
    assert heard.fault.applied == len([one for one in heard.firings if one.action == action]) > 0
    for client in ("python", "node"):
        struck = heard.told(client, action)
        assert each in (None, len(struck))
        assert heard.numbers(client) == heard.expected(client)
        assert heard.old(client) == (struck if action == "corrupted" else [])
        report = heard.judged(client)
        lost = action in ("dropped", "withheld")
        overtaken = len(heard.told(client, "held back")) - len(heard.told(client, "not overtaken"))
        copies = len(heard.got[client]) - len(set(heard.numbers(client)))
        assert report.missing == (len(struck) if lost else 0)
        assert report.duplicates == copies == (len(struck) * heard.fault.spec.copies if action == "duplicated" else 0)
        assert report.reorders == overtaken
        assert report.resets == (2 if action == "reset" else 0)  # and back
        assert report.regressions == 0


@pytest.mark.parametrize("fault", ["drop:enabled=false", "duplicate:p=0", "reorder:p_connection=0", "drop:at=1h"])
def test_a_fault_that_is_off_harms_nothing(audience: Audience, fault: str) -> None:
    heard = audience.harm(fault)
    assert heard.firings == []
    assert heard.fault.applied == 0
    for client in ("python", "node"):
        assert heard.numbers(client) == [(heard.epoch, seq) for seq in heard.sent]


@pytest.mark.parametrize("fault", ["drop:p=0.3", "duplicate:p=0.3", "reorder:p=0.3,flush=30s"])
def test_a_seed_decides(audience: Audience, fault: str) -> None:
    """The same messages twice; others under another name, and for another connection."""
    once, again, other = (audience.harm(f"{fault},name={name}") for name in ("dice", "dice", "others"))

    def struck(heard: Heard, client: str) -> Counter[int]:
        return Counter(one.seq - heard.sent[0] for one in heard.firings if one.client == client and one.seq is not None)

    for client in ("python", "node"):
        assert struck(once, client) == struck(again, client)
        assert struck(once, client) != struck(other, client)
    assert struck(once, "python") != struck(once, "node")
