"""Faults behind faults: each sees what those before it let through."""

import asyncio

import pytest

from tests.chaos.proxied import proxied
from tests.chaos.upstreams import Reader, Writer, dialled, head_of, rest_of, serving, take_websocket, websocket_by_hand
from tests.server.served import frame, run, until
from wsctl.wire.frames import CLOSE, Splitter

COUNT = 12
LAST = frame((1000).to_bytes(2), opcode=8, mask=False)


def prices(namespace: str = "") -> list[str]:
    """Of a sequence from 101 on."""
    return [
        f'42{namespace}["price:update",{{"channel":"symbol:BTC/USDT:ticker","epoch":"e1","price":1.5,"seq":{seq}}}]'
        for seq in range(101, 101 + COUNT)
    ]


async def heard(said: list[str], *faults: str) -> tuple[list[str], list[tuple[str, str, int | None]]]:
    """What comes of it behind the faults, and their log: fault, epoch and seq."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.write(b"".join(frame(one, mask=False) for one in said) + LAST)
        await rest_of(reader)

    async with serving(serve) as url, proxied(url, *faults) as scene, websocket_by_hand(scene.url) as (reader, _):
        frames = Splitter(1 << 20)
        came: list[str] = []
        while True:
            for one in frames.feed(await reader.read(65536)):
                if one.opcode == CLOSE:
                    return came, [(one.fault, one.epoch or "", one.seq) for one in scene.firings]
                came.append(one.content.decode("utf-8", "replace"))


def numbers(came: list[str]) -> list[int]:
    return [int(one.partition('"seq":')[2].partition("}")[0]) for one in came]


def test_a_log_says_what_clients_see() -> None:
    """A message that a fault renumbered is dropped by its new number, and told so."""

    async def test() -> None:
        came, log = await heard(prices(), "epoch-reset", "drop:nth=4")
        assert numbers(came) == [seq for seq in range(1, COUNT + 1) if seq % 4]
        assert log == [("epoch-reset", "e1", 101), *(("drop", "e1-epoch-reset", seq) for seq in (4, 8, 12))]

    run(test)


def test_two_that_renumber() -> None:
    """The second begins where the first has come to."""

    async def test() -> None:
        came, log = await heard(prices(), "epoch-reset:name=a", "epoch-reset:name=b,nth=3,start=50")
        assert numbers(came) == [1, 2, *range(50, 50 + COUNT - 2)]
        assert log == [("a", "e1", 101), ("b", "e1-a", 3)]

    run(test)


@pytest.mark.parametrize("mode", ["truncate", "flip", "type", "utf8", "stale"])
def test_what_was_spoilt_before(mode: str) -> None:
    """Nobody renumbers what cannot be read; it goes on as it came, and all else is renumbered."""

    async def test() -> None:
        came, _ = await heard(prices(), f"corrupt:mode={mode},nth=3", "epoch-reset")
        assert len(came) == COUNT
        assert numbers(came[:2]) == [1, 2]

    run(test)


def test_a_namespace_with_a_bracket() -> None:
    """JSON begins behind the namespace, whatever that is called."""

    async def test() -> None:
        came, _ = await heard(prices("/a[b,"), "epoch-reset")
        assert numbers(came) == list(range(1, COUNT + 1))

    run(test)


def test_what_passes_unread_passes_behind_what_is_held() -> None:
    """The order of what comes is what is to be judged."""
    odd = b"\xc1\x03odd"

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.write(frame("first", mask=False) + odd)
        await rest_of(reader)

    async def test() -> None:
        expected = frame("first", mask=False) + odd
        async with (
            serving(serve) as url,
            proxied(url, "delay:delay=1h", "delay:name=more,delay=1h") as scene,
            websocket_by_hand(scene.url) as (reader, _),
        ):
            assert await reader.readexactly(len(expected)) == expected

    run(test)


def test_a_notice_waits_for_no_message_within_another() -> None:
    """A restart may come between two fragments: then there is no notice, and the code alone."""
    begun = frame("abc", fin=False, mask=False)

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.write(begun)
        await rest_of(reader)

    async def test() -> None:
        async with serving(serve) as url, proxied(url) as scene, websocket_by_hand(scene.url) as (reader, _):
            assert await reader.readexactly(len(begun)) == begun
            scene.add("rolling-restart:notice=bye,code=1012,down=1h")
            came = await reader.readexactly(4)
            assert came[:1] + came[2:] == b"\x88" + (1012).to_bytes(2)

    run(test)


def test_small_messages_that_are_held_are_bounded() -> None:
    """By what they cost to keep, and not by their few bytes."""
    piece = frame("2", mask=False) * 5_000
    sent = 100_000

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        for _ in range(sent // 5_000):
            writer.write(piece)
            await asyncio.sleep(0.001)  # as it would come over a line, and not all in one read
        await rest_of(reader)

    async def test() -> None:
        async with serving(serve) as url, proxied(url, "delay:delay=1h") as scene, websocket_by_hand(scene.url):
            await until(lambda: scene.fault("delay").applied)
            [connection] = scene.proxy.connections.values()
            assert connection.upper is not None
            source = connection.upper.transport
            await until(lambda: not source.is_reading())
            assert scene.fault("delay").applied < sent / 2

    run(test)


def test_a_body_that_is_read_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has said all and left: what waits for the client is not given up while it may still be taken."""
    monkeypatch.setattr("wsctl.chaos.connection.LAST_WORDS", 0.05)
    size = 8_000_000

    async def serve(reader: Reader, writer: Writer) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(size))
        await writer.drain()
        writer.write_eof()

    async def test() -> None:
        async with serving(serve) as url, proxied(url) as scene, dialled(scene.url) as (reader, writer):
            writer.transport.pause_reading()
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.sleep(0.2)  # longer than the last words, and nothing is taken
            writer.transport.resume_reading()
            await head_of(reader)
            body, end = await rest_of(reader)
            assert (len(body), end) == (size, "fin")

    run(test)
