"""A client that comes back and is answered with 429 and Retry-After: one policy heeds it, the others do not see it."""

import asyncio
from random import Random

import pytest

from tests.chaos.proxied import harmed
from wsctl.client.feed import Feed
from wsctl.client.subscription import Subscription
from wsctl.client.target import Policy, Reconnect, Target
from wsctl.model.lifecycle import Lifecycle, Stage


async def delay_after_refusal(policy: Policy) -> float:
    """What a client waits that was cut, and then met the refusal."""
    async with harmed() as scene:
        target = Target(url=scene.url, transport="websocket")
        reconnect = Reconnect(policy=policy, delay=0.01, delay_max=0.02)
        subscriptions = [Subscription("price:subscribe", ("BTC/USDT",))]
        async with Feed(target, subscriptions, reconnect=reconnect, random=Random(7)) as feed:
            async for item in feed:
                if isinstance(item, Lifecycle) and item.stage is Stage.SUBSCRIBED:
                    scene.add("reject:status=429,retry_after=9")
                    scene.proxy.enable(enabled=False)
                    scene.proxy.enable(enabled=True)
                if isinstance(item, Lifecycle) and item.stage is Stage.FAILED:
                    assert item.reason is not None
                    assert "429" in item.reason
                    assert item.delay is not None
                    return item.delay
    raise AssertionError("it was not refused")


@pytest.mark.parametrize(("policy", "told"), [("full-jitter", 9), ("socket.io-client", 0)])
def test_who_heeds_it(policy: Policy, told: float) -> None:
    """On top of the delay of its own."""
    delay = asyncio.run(asyncio.wait_for(delay_after_refusal(policy), 20))
    assert told <= delay <= told + 0.02
