"""The HTTP door: bodies that come with their head, and heads that are too large."""

import asyncio
import json

import pytest
from served import (
    HANDSHAKE,
    SEPARATOR,
    WAIT,
    WEBSOCKET,
    Conversation,
    Raw,
    feed,
    frame,
    joined,
    polling,
    run,
    tcp,
    until,
)

from wsctl.server.app import MockFeed

LIMIT = 64 * 1024
"""bytes of a request's head"""
MOST = 100
"""headers of a request"""
PLAIN = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n"
UPGRADE = HANDSHAKE.format(target=WEBSOCKET, more="{more}")
REQUESTS = pytest.mark.parametrize("request_text", [PLAIN, UPGRADE], ids=["plain", "upgrade"])


def messages(size: int) -> str:
    """A polling payload of text messages, `size` bytes in all: one event with a long name in it, and a small one."""
    small = '421["time:sync"]'
    start, end = '420["time:sync","', '"]'
    return start + "x" * (size - len(start + end + SEPARATOR + small)) + end + SEPARATOR + small


@pytest.mark.parametrize("size", [100_000, 300_000, 900_000])
def test_a_large_post_in_one_write(size: int) -> None:
    """A payload within max_payload is taken although it comes in one write with its head, and is answered `ok`."""

    async def test() -> None:
        async with feed(rate=0.01) as running, polling(running) as peer, tcp(running) as raw:
            await peer.join()
            body = messages(size)
            assert len(body) == size
            head = f"POST {peer.target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n"
            await raw.send((head + body).encode())
            assert (await raw.read_head()).startswith("HTTP/1.1 200")
            assert await raw.reader.readexactly(2) == b"ok"
            for start in ("430[", "431["):
                answer = await peer.answer(lambda packet: packet.startswith(start))  # noqa: B023 - awaited at once
                assert json.loads(answer[3:])[0]["ok"]

    run(test)


def test_a_large_post_between_others_on_one_connection() -> None:
    """On a kept-alive connection each head is counted by itself, and no body with it."""

    async def test() -> None:
        async with feed(rate=0.01) as running, polling(running) as peer, tcp(running) as raw:
            await peer.join()
            for size in (100_000, 40, 100_000):
                head = f"POST {peer.target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n"
                await raw.send((head + messages(size)).encode())
                assert (await raw.read_head()).startswith("HTTP/1.1 200")
                assert await raw.reader.readexactly(2) == b"ok"

    run(test)


def test_a_head_that_begins_behind_a_large_post() -> None:
    """The beginning of a next request, in one write with a large body, is not counted together with it."""

    async def test() -> None:
        async with feed(rate=0.01) as running, polling(running) as peer, tcp(running) as raw:
            await peer.join()
            body, (begin, end) = messages(100_000), (PLAIN[:20], PLAIN.format(more="")[20:])
            head = f"POST {peer.target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
            await raw.send((head + body + begin).encode())
            assert (await raw.read_head()).startswith("HTTP/1.1 200")
            assert await raw.reader.readexactly(2) == b"ok"
            await raw.send(end.encode())
            assert (await raw.read_head()).startswith("HTTP/1.1 200")

    run(test)


async def answers(raw: Raw) -> list[str]:
    """The status lines of everything that is answered until the connection ends."""
    data = b""
    async with asyncio.timeout(WAIT):
        try:
            while more := await raw.reader.read(65536):
                data += more
        except ConnectionError:
            pass
    return [line for line in data.decode().splitlines() if line.startswith("HTTP/")]


TOO_LARGE = ["HTTP/1.1 431 Request Header Fields Too Large"]


@REQUESTS
def test_a_head_that_is_too_long(request_text: str) -> None:
    """A head over 64 KiB is answered with 431 whatever it asks for, and the connection is closed."""

    async def test() -> None:
        async with feed() as running, joined(running) as other, tcp(running) as raw:
            await raw.send(request_text.format(more=f"X: {'y' * LIMIT}\r\n").encode())
            assert await answers(raw) == TOO_LARGE
            await nobody_but(running, other)

    run(test)


def test_a_head_that_does_not_end() -> None:
    """As soon as 64 KiB of a head have come without its end, the answer is 431."""

    async def test() -> None:
        async with feed() as running, tcp(running) as raw:
            start = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "
            await raw.send(start + b"y" * (LIMIT + 1 - len(start)))
            assert await answers(raw) == TOO_LARGE

    run(test)


@REQUESTS
def test_too_many_headers(request_text: str) -> None:
    """A head of more than a hundred headers is answered with 431, and nothing behind it is heard."""

    async def test() -> None:
        async with feed() as running, joined(running) as other, tcp(running) as raw:
            await raw.send(with_headers(request_text, MOST + 1) + PLAIN.format(more="").encode() + frame("40"))
            assert await answers(raw) == TOO_LARGE
            await nobody_but(running, other)

    run(test)


@pytest.mark.parametrize(("request_text", "status"), [(PLAIN, 200), (UPGRADE, 101)], ids=["plain", "upgrade"])
def test_just_as_many_headers(request_text: str, status: int) -> None:
    """A hundred headers are taken."""

    async def test() -> None:
        async with feed() as running, tcp(running) as raw:
            await raw.send(with_headers(request_text, MOST))
            assert (await raw.read_head()).startswith(f"HTTP/1.1 {status}")

    run(test)


def with_headers(request_text: str, count: int) -> bytes:
    """A request with so many headers in all."""
    given = request_text.count("\r\n") - 2  # all lines but the first and the empty one
    return request_text.format(more="".join(f"X-{number}: y\r\n" for number in range(count - given))).encode()


async def nobody_but(running: MockFeed, peer: Conversation) -> None:
    """Only the one peer is connected, and it is served."""
    await until(lambda: len(running.platform.sockets) == 1)
    assert len(running.platform.connections) == 1
    assert (await peer.emit("time:sync"))["ok"]
