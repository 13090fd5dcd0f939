"""An outage meets everybody, also those who are still in their handshake, or in a poll."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.chaos.proxied import Scene, proxied, upstream
from tests.chaos.upstreams import SWITCHING, Reader, Writer, dialled, head_of, rest_of, serving
from tests.server.served import HANDSHAKE, run, until

WANTS_IN = HANDSHAKE.format(target="/ws", more="").encode()
POLLS = b"GET /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: x\r\n\r\n"


async def flashed(scene: Scene) -> None:
    """A flash of a second."""
    scene.add("flash:outage=1h")


async def disabled(scene: Scene) -> None:
    """Switched off, and on again at once: who was there is cut all the same."""
    scene.proxy.enable(enabled=False)
    scene.proxy.enable(enabled=True)


OUTAGES = pytest.mark.parametrize("harm", [flashed, disabled])


@OUTAGES
@pytest.mark.parametrize("request_", [WANTS_IN, POLLS], ids=["handshake", "poll"])
def test_who_waits_for_an_answer(harm: Callable[[Scene], Awaitable[None]], request_: bytes) -> None:
    """The server's answer comes in the outage: it is not handed on, and no WebSocket comes of it."""
    asked, answers = asyncio.Event(), asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await head_of(reader)
        asked.set()
        await answers.wait()
        writer.write(SWITCHING)
        await rest_of(reader)

    async def test() -> None:
        async with serving(serve) as url, proxied(url) as scene, dialled(scene.url) as (reader, writer):
            writer.write(request_)
            await asked.wait()
            await harm(scene)
            answers.set()
            assert await rest_of(reader) == (b"", "rst")
            assert not scene.proxy.connections

    run(test)


@OUTAGES
def test_who_waits_at_the_door(harm: Callable[[Scene], Awaitable[None]]) -> None:
    """A slow handshake that ends in an outage ends with a reset; the server never hears of it."""
    dials: list[Reader] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        dials.append(reader)
        await rest_of(reader)

    async def test() -> None:
        async with (
            serving(serve) as url,
            proxied(url, "slow-open:delay=200ms") as scene,
            dialled(scene.url) as (reader, writer),
        ):
            writer.write(WANTS_IN)
            await until(lambda: scene.actions() == ["slowed"])
            await harm(scene)
            assert await rest_of(reader) == (b"", "rst")
        assert not dials

    run(test)


def test_who_waits_for_a_server_that_restarts() -> None:
    """Its 101 comes when it is said to be away: 503, as for all who come meanwhile."""
    asked, answers = asyncio.Event(), asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await head_of(reader)
        asked.set()
        await answers.wait()
        writer.write(SWITCHING)
        await rest_of(reader)

    async def test() -> None:
        async with serving(serve) as url, proxied([upstream(url)]) as scene, dialled(scene.url) as (reader, writer):
            writer.write(WANTS_IN)
            await asked.wait()
            scene.add("rolling-restart:down=1h")
            await until(lambda: not scene.proxy.upstreams[0].is_up)
            answers.set()
            said, end = await rest_of(reader)
            assert (said.partition(b"\r\n")[0], end) == (b"HTTP/1.1 503 Service Unavailable", "fin")

    run(test)
