"""Messages that are held are let go at last, whatever the faults behind do with them; nothing is held for who left."""

import asyncio

import pytest

from tests.chaos.proxied import proxied
from tests.chaos.upstreams import Reader, Writer, rest_of, serving, take_websocket, websocket_by_hand
from tests.server.served import frame, run, until

COUNT = 6
HOLDERS = {
    "delay": "delay:delay={time}",
    "reorder": "reorder:flush={time},by=100",
    "slow-open": "slow-open:what=open-packet,delay={time}",
}
ENDERS = {
    "cut": "cut:how=rst,nth=2,kind={kind}",
    "fin": "cut:how=fin,nth=2,kind={kind}",
    "half-close": "cut:how=half-close,nth=2,kind={kind}",
    "close": "close:nth=2,kind={kind}",
}
OPENS = ['0{"sid":"abc"}', *(['42["x"]'] * (COUNT - 1))]
CHANNELS = [f'42["price:update",{{"channel":"symbol:S{number}/USDT:ticker"}}]' for number in range(COUNT)]
"""each of a channel of its own: reorder holds one of each"""


@pytest.mark.parametrize("lets_go", ["remove", "timer", "end"])
@pytest.mark.parametrize("ender", ENDERS)
@pytest.mark.parametrize("holder", HOLDERS)
def test_one_that_is_let_go_ends_the_connection(holder: str, ender: str, lets_go: str) -> None:
    """The others that were held with it are lost, as all behind it; the proxy goes on."""
    said = OPENS if holder == "slow-open" else CHANNELS

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.write(b"".join(frame(one, mask=False) for one in said))
        await rest_of(reader)

    async def test() -> None:
        time = "50ms" if lets_go == "timer" else "1h"
        faults = HOLDERS[holder].format(time=time), ENDERS[ender].format(kind="event")
        async with serving(serve) as url:
            async with proxied(url, *faults) as scene, websocket_by_hand(scene.url):
                ends = scene.fault(ENDERS[ender].partition(":")[0])
                await until(lambda: scene.fault(holder).applied == (1 if holder == "slow-open" else COUNT))
                if lets_go == "remove":
                    scene.proxy.remove(scene.fault(holder))
                elif lets_go == "timer":
                    await until(lambda: ends.applied)
            assert ends.applied == 1

    run(test)


def test_one_that_is_let_go_ends_what_is_held_the_other_way() -> None:
    """A holder of both directions finds the second one gone."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.write(b"".join(frame(one, mask=False) for one in CHANNELS))
        await rest_of(reader)

    async def test() -> None:
        async with serving(serve) as url, proxied(url, "reorder:flush=1h,direction=both", "cut:nth=2") as scene:
            async with websocket_by_hand(scene.url) as (_, writer):
                writer.write(b"".join(frame(one) for one in CHANNELS))
                await until(lambda: scene.fault("reorder").applied == 2 * COUNT)
                scene.proxy.remove(scene.fault("reorder"))
            assert scene.fault("cut").applied == 1

    run(test)


@pytest.mark.parametrize(
    "silencer",
    [
        "stall:direction=down",
        "stall:direction=up",
        "stall:direction=both",
        "slow-reader:rate=0,direction=down",
        "slow-reader:rate=0,direction=up",
    ],
)
def test_a_silenced_connection_that_both_have_left(silencer: str) -> None:
    """It is not kept for as long as the fault lasts."""
    left = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        await left.wait()

    async def test() -> None:
        async with serving(serve) as url, proxied(url, silencer) as scene:
            async with websocket_by_hand(scene.url):
                await until(lambda: scene.proxy.connections)
            left.set()
            await until(lambda: not scene.proxy.connections)
            assert scene.fault(silencer.partition(":")[0]).is_on

    run(test)
