"""Planted faults: a swarm finds exactly what the ordering check finds."""

import pytest
from tests.peers.background import Background
from tests.peers.liar import Liar
from tests.peers.plan import Message, script
from tests.server.served import run
from tests.swarm.swarms import Watched, options, prices

from wsctl.checks.ordering import OrderingCheck
from wsctl.model.observation import Observation
from wsctl.swarm.remote import RemoteSwarm

LENGTH = 400
CLIENTS = 3


@pytest.mark.parametrize(
    "plan",
    [
        "drop 207-209, drop 300",
        "repeat 212, repeat 213",
        "swap 215, swap 301",
        "restart 220",
        "fall 230",
        "drop 205, repeat 212, swap 220, restart 240, drop 310-311",
    ],
)
def test_planted_faults(plan: str, background: Background) -> None:
    async def test() -> None:
        with Liar(background, {"BTC/USDT": plan}, length=LENGTH, listeners=CLIENTS) as liar:
            given = {"clients": CLIENTS, "subscriptions": prices("BTC/USDT")}
            async with RemoteSwarm(options(liar.url, **given)) as swarm:
                watched = Watched(swarm)
                await watched.measuring()
                await watched.silence()
                done = await watched.stop()
        assert {name: value / CLIENTS for name, value in done.metrics.items() if name in expected} == expected
        assert len(done.findings) == CLIENTS * sum(
            expected[f"ordering.{name}"] for name in ("gaps", "duplicates", "reorders", "regressions")
        )
        if done.findings:
            assert done.samples

    expected = judged(plan)
    run(test)


def judged(plan: str) -> dict[str, int]:
    """What the ordering check says of such a stream."""
    check = OrderingCheck()
    for place, message in enumerate(script(plan, LENGTH)):
        assert isinstance(message, Message)
        data = {"seq": message.seq, "epoch": message.epoch}
        check.add(Observation(place / 1e4, "c1", "c", "e", f"e{message.epoch}", message.seq, None, None, data))
    check.close()
    return check.metrics()


def test_everybody_is_sent_away(background: Background) -> None:
    async def test() -> None:
        with Liar(background, {"BTC/USDT": "evict 200"}, length=LENGTH, listeners=CLIENTS) as liar:
            given = {"clients": CLIENTS, "subscriptions": prices("BTC/USDT")}
            async with RemoteSwarm(options(liar.url, **given)) as swarm:
                watched = Watched(swarm)
                await watched.until(lambda metrics: metrics["connections.evicted"] == CLIENTS)
                done = await watched.stop()
        assert done.metrics["connections.receiving"] == 0
        assert done.metrics["connections.closed"] == CLIENTS
        assert done.metrics["ordering.gaps"] == 0

    run(test)
