"""Hostile heads end their own connection, and nobody else's."""

import pytest

from tests.chaos.proxied import proxied
from tests.chaos.upstreams import Reader, Writer, dialled, head_of, rest_of, serving, take_websocket, websocket_by_hand
from tests.server.served import frame, run, until
from wsctl.wire.frames import Splitter

NO_REQUESTS = (
    b"\r\n\r\n",
    b"GET / HTTP/2.0\r\n\r\n",
    b"GET /\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
    b"GET / two HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 200 OK, really\r\nContent-Length: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 5000 + b"\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
)
ODD_TARGETS = ("//[", "/?EIO=4&sid=%", "/?EIO=4&" + "&" * 1000, "http://[::1", "/\xff?EIO", "*")
NO_ANSWERS = (
    b"HTTP/1.1 \xb200 OK\r\n\r\n",
    b"HTTP/1.1 99999999999999999999 OK\r\n\r\n",
    b"HTTP/1.1\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
)


async def answering(reader: Reader, writer: Writer) -> None:
    """WebSockets are taken; whatever else is asked is answered with 200."""
    head = await head_of(reader)
    if b"Upgrade" in head:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        await reader.read()
    else:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


@pytest.mark.parametrize("text", NO_REQUESTS, ids=range(len(NO_REQUESTS)))
def test_a_client_that_speaks_no_http(text: bytes) -> None:
    """It is left, with a word about why; the others stay, and more may come."""

    async def test() -> None:
        async with serving(answering) as url, proxied(url) as scene, websocket_by_hand(scene.url):
            async with dialled(scene.url) as (reader, writer):
                writer.write(text)
                await rest_of(reader)
            async with websocket_by_hand(scene.url):
                await until(lambda: len(scene.proxy.connections) == 2)
            assert len(scene.said) == 1
            assert scene.said[0].startswith("127.0.0.1: ")

    run(test)


@pytest.mark.parametrize("target", ODD_TARGETS, ids=range(len(ODD_TARGETS)))
def test_targets_that_are_no_urls(target: str) -> None:
    """They go on as they are: what they mean is for the server to say."""
    asked: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        asked.append(await head_of(reader))
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    async def test() -> None:
        async with serving(serve) as url, proxied(url) as scene, dialled(scene.url) as (reader, writer):
            writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1"))
            assert (await head_of(reader)).startswith(b"HTTP/1.1 404 ")
        assert asked[0].startswith(f"GET {target} HTTP/1.1\r\n".encode("latin-1"))

    run(test)


@pytest.mark.parametrize("text", NO_ANSWERS, ids=range(len(NO_ANSWERS)))
def test_an_upstream_that_speaks_no_http(text: bytes) -> None:
    """Its client is left; the next is served."""
    answers = [text]

    async def serve(reader: Reader, writer: Writer) -> None:
        if answers:
            await head_of(reader)
            writer.write(answers.pop())
            await reader.read()
        else:
            await take_websocket(reader, writer)
            await reader.read()

    async def test() -> None:
        async with serving(serve) as url, proxied(url) as scene:
            async with dialled(scene.url) as (reader, writer):
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                await rest_of(reader)
            async with websocket_by_hand(scene.url):
                assert len(scene.said) == 1

    run(test)


NO_FRAMES = {
    "reserved-bits": b"\x74est",
    "reserved-opcode": b"\x83\x80\0\0\0\0",
    "continuation-of-nothing": frame("x", opcode=0),
    "message-within-message": frame('42["begun', fin=False) + frame('42["x"]') + b"\x01",
    "cut-in-a-packet-with-attachments": frame('451-["x",{"_placeholder":true,"num":0}]') + frame("x", opcode=0),
}


@pytest.mark.parametrize("faults", [(), ("noop",), ("delay:delay=10ms",)], ids=["straight", "noop", "delay"])
@pytest.mark.parametrize("text", NO_FRAMES.values(), ids=NO_FRAMES)
def test_a_client_that_speaks_no_websocket(text: bytes, faults: tuple[str, ...]) -> None:
    """What breaks the protocol goes on as it is, at once and all of it: the server is to judge."""
    sound = frame('42["before"]')
    behind = b"whatever comes after"

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        assert sorted(await reader.readexactly(len(sound + text + behind))) == sorted(sound + text + behind)
        writer.write(frame("judged", mask=False))
        await rest_of(reader)

    async def test() -> None:
        up = [fault + (",direction=up" if ":" in fault else ":direction=up") for fault in faults]
        async with (
            serving(serve) as url,
            proxied(url, *up) as scene,
            websocket_by_hand(scene.url) as (reader, writer),
        ):
            writer.write(sound + text)
            await until(lambda: len(scene.said) == 1)
            writer.write(behind)
            assert await reader.readexactly(8) == frame("judged", mask=False)

    run(test)


def test_a_frame_that_is_too_long() -> None:
    """Nobody could hold it: both sides are told so."""
    closed = (1009).to_bytes(2)

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        got.append((await rest_of(reader))[0])

    got: list[bytes] = []

    async def test() -> None:
        async with serving(serve) as url, proxied(url) as scene, websocket_by_hand(scene.url) as (reader, writer):
            writer.write(b"\x82\xff" + (1 << 40).to_bytes(8))
            assert await reader.readexactly(4) == frame(closed, opcode=8, mask=False)
            writer.close()
            await until(lambda: got)
        [answer] = Splitter(100).feed(got[0])
        assert (answer.opcode, answer.content) == (8, closed)

    run(test)
