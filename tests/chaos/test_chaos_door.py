"""Faults at the door: refused, slow, and more than an address or a client may have."""

import asyncio
import json
import time
from contextlib import AsyncExitStack

import pytest
from websockets.exceptions import InvalidHandshake, InvalidStatus

from tests.chaos.proxied import harmed, proxied, subscribed
from tests.chaos.upstreams import Reader, Writer, rest_of, serving, take_websocket, websocket_by_hand
from tests.server.served import HANDSHAKE, POLLING, WEBSOCKET, frame, joined, raw_websocket, run, tcp, until, websocket
from wsctl.errors import UsageError
from wsctl.wire.dialects import spoken


def answered(head: str) -> tuple[int, dict[str, str]]:
    """Status and headers."""
    first, *lines = head.rstrip().split("\r\n")
    return int(first.split(" ")[1]), {
        name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
    }


@pytest.mark.parametrize("target", [WEBSOCKET, POLLING], ids=["websocket", "polling"])
@pytest.mark.parametrize("status", [302, 401, 403, 404, 409, 418, 426, 429, 499, 500, 502, 503, 504])
def test_reject(status: int, target: str) -> None:
    """Whichever way a client wants in; what is no handshake passes."""

    async def test() -> None:
        fault = f"reject:status={status},retry_after=7,location=http://127.0.0.1/,body=no"
        async with harmed(fault) as scene:
            async with tcp(scene) as raw:
                await raw.send(HANDSHAKE.format(target=target, more="").encode())
                code, headers = answered(await raw.read_head())
                assert (code, headers["retry-after"], headers["location"]) == (status, "7", "http://127.0.0.1/")
                assert await rest_of(raw.reader) == (b"no", "fin")
            async with tcp(scene) as raw:
                await raw.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                assert answered(await raw.read_head())[0] == 200
            assert [(one.action, one.detail) for one in scene.firings] == [("rejected", str(status))]

    run(test)


def test_a_bad_accept() -> None:
    """A 101 for another key, which a client must not take (RFC 6455, 4.1)."""

    async def test() -> None:
        async with harmed("reject:how=bad-accept") as scene:
            with pytest.raises(InvalidHandshake, match="invalid Sec-WebSocket-Accept"):
                async with websocket(scene):
                    pass

    run(test)


def test_every_other_handshake() -> None:
    """`nth` counts handshakes, whatever connection they come on; `times` ends it."""

    async def test() -> None:
        async with harmed("reject:nth=2,times=2,status=429") as scene:
            got = []
            for _ in range(7):
                try:
                    async with websocket(scene):
                        got.append(101)
                except InvalidStatus as error:
                    got.append(error.response.status_code)
            assert got == [101, 429, 101, 429, 101, 101, 101]
            fault = scene.fault("reject")
            assert (fault.matched, fault.applied) == (4, 2)

    run(test)


def test_slow_open() -> None:
    """Who waits for its handshake, or for Engine.IO's first words, waits as long; all others come right away."""

    async def test() -> None:
        async with harmed("slow-open:delay=150ms,times=1") as scene:
            began = time.monotonic()
            async with joined(scene):
                assert time.monotonic() - began >= 0.15
            async with joined(scene) as peer, joined(scene):
                scene.add("slow-open:name=packet,delay=150ms,what=open-packet,times=1")
                began = time.monotonic()
                async with websocket(scene) as late:
                    await late.send("40")  # a client that does not wait
                    await late.more()
                    await late.more()
                    assert [packet[:2] for packet in late.others] == ["0{", "40"]
                    assert time.monotonic() - began >= 0.15
                await subscribed(peer)
            assert scene.actions() == ["slowed", "slowed"]

    run(test)


def test_who_leaves_while_it_waits_at_the_door() -> None:
    """Is not led in any more."""

    async def test() -> None:
        async with harmed("slow-open:delay=1h") as scene:
            async with tcp(scene) as raw:
                await raw.send(HANDSHAKE.format(target=WEBSOCKET, more="").encode())
                await until(lambda: scene.firings)
            await until(lambda: not scene.proxy._tasks)

    run(test)


def test_limits_of_an_address() -> None:
    """So many at once, so many attempts in a window, refused ones included."""

    async def test() -> None:
        async with harmed("limit:connections=2") as scene, AsyncExitStack() as stack:
            for _ in range(2):
                await stack.enter_async_context(joined(scene))
            for _ in range(2):
                with pytest.raises(InvalidStatus) as refused:
                    await stack.enter_async_context(websocket(scene))
                assert refused.value.response.status_code == 429
        async with harmed("limit:connections=3") as scene, AsyncExitStack() as stack:
            knocking = [stack.enter_async_context(websocket(scene)) for _ in range(9)]
            at_once = await asyncio.gather(*knocking, return_exceptions=True)
            assert len([one for one in at_once if isinstance(one, InvalidStatus)]) == 6
            assert len(scene.proxy.connections) == 3
        async with harmed("limit:attempts=3,window=1h") as scene:
            for _ in range(3):
                async with websocket(scene):
                    pass
            with pytest.raises(InvalidStatus) as refused:
                await websocket(scene).__aenter__()
            assert 3590 <= int(refused.value.response.headers["Retry-After"]) <= 3600
            assert scene.firings[0].detail == "429 more than 3 attempts"

    run(test)


def test_a_limit_of_messages() -> None:
    """The one too many closes with 1008; the server does not hear it."""

    async def test() -> None:
        async with harmed("limit:messages=5") as scene, raw_websocket(scene) as raw:
            await raw.text("40", *['420["time:sync"]'] * 5)
            assert await raw.close_code() == 1008
            assert scene.proxy.passed["up"] == 5
            [firing] = scene.firings
            assert (firing.action, firing.detail) == ("closed", "1008 more than 5 messages in a second")

    run(test)


def test_a_limit_of_streams() -> None:
    """As the exchange's own server would count them, those of the URL included; given up, they count no more."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        await reader.read()

    def asks(method: str, *streams: str) -> bytes:
        return frame(json.dumps({"method": method, "params": streams, "id": 1}))

    async def test() -> None:
        async with serving(serve) as url, proxied(url, "limit:streams=3", dialect=spoken("binance")) as scene:
            async with websocket_by_hand(scene.url, target="/stream?streams=a@trade/b@trade") as (reader, writer):
                writer.write(
                    asks("SUBSCRIBE", "a@trade", "c@trade") + asks("UNSUBSCRIBE", "a@trade") + frame("nonsense")
                )
                writer.write(asks("SUBSCRIBE", "d@trade") + asks("SUBSCRIBE", "e@trade"))
                assert (await reader.read(100))[2:] == (1008).to_bytes(2) + b"more than 3 streams"
            assert scene.proxy.passed["up"] == 4
        async with harmed() as scene:
            with pytest.raises(UsageError, match="streams are counted where a raw dialect is spoken"):
                scene.add("limit:streams=3")

    run(test)
