"""How often a fault strikes: a half-close once, an epoch-reset once a round and channel; and what fails at its time."""

import asyncio
import re

import pytest

from tests.chaos.proxied import harmed, proxied
from tests.chaos.upstreams import Reader, Writer, rest_of, serving, take_websocket, websocket_by_hand
from tests.server.served import frame, joined, run, until
from wsctl.chaos.faults.noop import Noop

UP = frame('42["up",{"channel":"symbol:BTC/USDT:ticker","seq":1}]')


def price(seq: int, symbol: str = "BTC/USDT") -> bytes:
    """A message of the feed."""
    text = f'42["price:update",{{"channel":"symbol:{symbol}:ticker","epoch":"e","seq":{seq}}}]'
    return frame(text, mask=False)


@pytest.mark.parametrize("options", ["symbol=BTC/USDT", "symbol=BTC/USDT,direction=up", "nth=1,direction=both", "at=0"])
def test_a_half_close_happens_once(options: str) -> None:
    """However many messages it means; what the client says still reaches the server, and nothing else passes."""

    async def test() -> None:
        heard = bytearray()
        told = asyncio.Event()

        async def serve(reader: Reader, writer: Writer) -> None:
            await take_websocket(reader, writer)
            heard.extend(await reader.readexactly(len(UP)))
            writer.write(b"".join(price(seq) for seq in range(10)))
            heard.extend(await reader.readexactly(2 * len(UP)))
            told.set()
            await reader.read()

        async with serving(serve) as url, proxied(url) as scene, websocket_by_hand(scene.url) as (reader, writer):
            fault = scene.add(f"cut:how=half-close,{options}")
            writer.write(UP)
            assert await rest_of(reader) == (b"", "fin")
            writer.write(UP * 2)
            await told.wait()
            assert bytes(heard) == UP * 3
            fault.begin()
            assert scene.actions() == ["cut"]
            assert fault.applied == 1
            assert scene.proxy.passed == {"up": 3}

    run(test)


@pytest.mark.parametrize("options", ["nth=3", "nth=3,symbol=BTC/USDT"])
def test_each_round_heeds_which_messages_are_meant(options: str) -> None:
    """The first message of a new round is only reset if it is one of them, and none twice in a round."""

    async def test() -> None:
        more = asyncio.Event()

        async def serve(reader: Reader, writer: Writer) -> None:
            await take_websocket(reader, writer)
            writer.write(b"".join(price(seq) for seq in range(1, 8)))
            await more.wait()
            writer.write(b"".join(price(seq) for seq in range(8, 11)))
            writer.write_eof()

        async with serving(serve) as url, proxied(url, f"epoch-reset:{options},name=r") as scene:
            async with websocket_by_hand(scene.url) as (reader, _):
                await until(lambda: scene.proxy.passed["down"] == 7)
                scene.fault("r").begin()
                more.set()
                came, _ = await rest_of(reader)
            assert [(one.action, one.seq) for one in scene.firings] == [("reset", 3), ("reset", 9)]
            numbers = [(epoch.decode(), int(seq)) for epoch, seq in re.findall(rb'"epoch":"(.*?)","seq":(\d+)', came)]
            old, first, second = ["e"] * 2, ["e-r"] * 6, ["e-r-2"] * 2
            assert numbers == list(zip([*old, *first, *second], [1, 2, *range(1, 7), 1, 2], strict=True))

    run(test)


def test_an_epoch_is_reset_in_the_direction_that_is_meant() -> None:
    """Messages about the same channel, told by a client, keep their numbers."""

    async def test() -> None:
        heard = bytearray()

        async def serve(reader: Reader, writer: Writer) -> None:
            await take_websocket(reader, writer)
            writer.write(price(5))
            heard.extend(await reader.readexactly(len(UP)))

        async with serving(serve) as url, proxied(url, "epoch-reset:start=1") as scene:
            async with websocket_by_hand(scene.url) as (reader, writer):
                assert b'"seq":1' in await reader.readexactly(len(price(5)) + len("-epoch-reset"))
                writer.write(UP)
                await rest_of(reader)
            assert bytes(heard) == UP

    run(test)


def test_a_flash_that_is_spent_keeps_nobody_out() -> None:
    """Its later rounds do nothing: neither a cut nor an outage."""

    async def test() -> None:
        async with harmed() as scene, joined(scene):
            fault = scene.add("flash:times=1,outage=50ms")
            await until(lambda: not scene.proxy.is_shut)
            fault.begin()
            assert not scene.proxy.is_shut
            assert scene.actions() == ["cut"]

    run(test)


@pytest.mark.parametrize("rate", ["3000000000", "1e18"])
def test_a_reader_may_be_as_slow_as_it_likes(rate: str) -> None:
    """Its window is no more than the system takes."""

    async def test() -> None:
        async with harmed(f"slow-reader:rate={rate}") as scene, joined(scene):
            assert scene.actions() == ["slowed"]

    run(test)


@pytest.mark.parametrize("when", ["at=10ms", "for=10ms", "for=5ms,every=10ms"])
def test_what_fails_at_a_faults_time_ends_the_proxy(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As anything else that should not happen: a loop would only have logged it."""

    def fail(self: Noop) -> None:
        raise ValueError("a mistake")

    monkeypatch.setattr(Noop, "begin" if when.startswith("at") else "end", fail)

    async def test() -> None:
        async with harmed() as scene:
            scene.add(f"noop:{when}")
            await asyncio.Event().wait()

    with pytest.raises(ValueError, match="a mistake"):
        run(test, seconds=10)
