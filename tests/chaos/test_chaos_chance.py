"""What a seed decides about one direction, nothing in the other changes."""

import asyncio

import pytest

from tests.chaos.proxied import proxied
from tests.chaos.upstreams import Reader, Writer, serving, take_websocket, websocket_by_hand
from tests.server.served import frame, run

COUNT = 30
SAID = frame('42["x"]')


def price(seq: int) -> bytes:
    """A message of the feed."""
    return frame(f'42["price:update",{{"channel":"symbol:A:ticker","seq":{seq}}}]', mask=False)


async def struck(fault: str, *, talks: bool) -> tuple[list[int | None], int]:
    """The messages of a down stream that are struck, and how many up; `talks`: each is followed by one up."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        for seq in range(1, COUNT + 1):
            writer.write(price(seq))
            if talks:
                await reader.readexactly(len(SAID))
        await reader.read()

    async with (
        serving(serve) as url,
        proxied(url, fault) as scene,
        websocket_by_hand(scene.url) as (reader, writer),
    ):
        for seq in range(1, COUNT + 1):
            assert await reader.readexactly(len(price(seq))) == price(seq)
            if talks:
                writer.write(SAID)
        directions = [one.direction for one in scene.firings]
        return [one.seq for one in scene.firings if one.direction == "down"], directions.count("up")


@pytest.mark.parametrize("options", ["p=0.5", "nth=3", "p=0.5,p_connection=0.999"])
def test_each_direction_has_dice_of_its_own(options: str) -> None:
    """However what goes up and what goes down take turns."""

    async def test() -> None:
        fault = f"noop:direction=both,{options}"
        down, silence = await struck(fault, talks=False)
        again, up = await struck(fault, talks=True)
        assert down == again
        assert 0 < len(down) < COUNT
        assert silence == 0 < up < COUNT

    run(test)


def test_one_share_of_connections_for_both_directions() -> None:
    """Who is meant is meant in both."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.write(price(1))
        await reader.readexactly(len(SAID))
        writer.write(price(2))
        await reader.read()

    async def talk(url: str) -> None:
        async with websocket_by_hand(url) as (reader, writer):
            await reader.readexactly(len(price(1)))
            writer.write(SAID)
            await reader.readexactly(len(price(2)))

    async def test() -> None:
        faults = "noop:direction=both,p_connection=0.5,name=seen", "noop:direction=up,name=all"
        async with serving(serve) as url, proxied(url, *faults) as scene:
            await asyncio.gather(*(talk(scene.url) for _ in range(16)))
            assert scene.fault("all").applied == 16
            assert 0 < scene.fault("seen").applied < 32
            assert scene.fault("seen").applied % 2 == 0

    run(test)
