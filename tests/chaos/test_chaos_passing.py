"""Without a fault everything passes as it is: WebSockets to the byte, plain HTTP, polling with its upgrade."""

import asyncio
import ssl
from contextlib import AsyncExitStack

import pytest
import trustme
import uvloop

from tests.chaos.proxied import harmed, proxied, upstream
from tests.chaos.upstreams import (
    SWITCHING,
    Reader,
    Writer,
    dialled,
    head_of,
    rest_of,
    serving,
    take_websocket,
    websocket_by_hand,
)
from tests.server.served import BTC, HANDSHAKE, POLLING, feed, frame, joined, polling, run, until, websocket

SENT = (
    frame("text", mask=False),
    frame("frag", fin=False, mask=False),
    frame(b"ping", opcode=9, mask=False),
    frame("ments", opcode=0, mask=False),
    frame('451-["x",{"_placeholder":true,"num":0}]', mask=False),
    frame("2", mask=False),
    frame(b"attached", mask=False),
    frame(b"z" * 200_000, mask=False),
    b"\xc1\x03odd",  # compressed, without anybody having agreed to that
    frame((1000).to_bytes(2) + b"bye", opcode=8, mask=False),
)
WORDS = b"".join(SENT)
LOOKED_AT = (0, 2, 1, 3, 5, 4, 6, 7, 8, 9)
"""their order, pings first"""


@pytest.mark.parametrize("loop", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("faults", [(), ("noop:kind=ack", "delay:kind=ack")], ids=["straight", "looked at"])
def test_a_websocket_passes_to_the_byte(faults: tuple[str, ...], loop: object) -> None:
    """Both ways, masks and fragments and pings between them included, and then the end.

    Where faults look at messages, a ping that stands within one goes ahead of it.
    """
    up = b"".join(frame(one) for one in ("a", "b" * 200, b"c" * 70_000)) + frame(b"", opcode=8)
    got: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        got.append(await take_websocket(reader, writer))
        got.append(await reader.readexactly(len(up)))
        writer.write(WORDS)
        writer.write_eof()
        got.append((await rest_of(reader))[0])

    async def test() -> None:
        more = "X-Odd:  spaces \r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
        async with serving(serve) as url, proxied(url, *faults) as scene, dialled(scene.url) as (reader, writer):
            writer.write(HANDSHAKE.format(target="/ws?a=b", more=more).encode() + up[:1000])  # in the same write
            assert await head_of(reader) == SWITCHING
            writer.write(up[1000:])
            assert await rest_of(reader) == (b"".join(SENT[at] for at in LOOKED_AT) if faults else WORDS, "fin")
            writer.close()
            await until(lambda: len(got) == 3)
        told = HANDSHAKE.format(target="/ws?a=b", more="X-Odd:  spaces \r\nX-Forwarded-For: 127.0.0.1\r\n").encode()
        assert got == [told.replace(b"Host: 127.0.0.1\r\n", f"Host: {url[7:]}\r\n".encode()), up, b""]
        assert scene.proxy.passed == {"up": 3, "down": 5}  # from the odd one on it is no WebSocket

    run(test, loop)


async def shop(reader: Reader, writer: Writer) -> None:
    """Answers requests in each of HTTP's ways, by their path."""
    while True:
        head = await head_of(reader)
        if b"/continue" in head:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if b"chunked" in head:
            body = await reader.readuntil(b"0\r\n\r\n")
        else:
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            body = await reader.readexactly(int(length or b"0"))
        if b"/lasting" in head:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
            return
        if head.startswith(b"HEAD"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        elif b"/chunks" in head:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n")
            await writer.drain()
            writer.write(b"0\r\nT: 1\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


CONVERSATION: list[tuple[bytes, bytes]] = [
    (b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    (b"POST /b HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"),
    (b"HEAD /c HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"),
    (
        b"POST /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        b"GET /chunks HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n",
    ),
    (b"GET /lasting HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nuntil the end"),
]


@pytest.mark.parametrize("pipelined", [False, True])
def test_http_passes(pipelined: bool) -> None:
    """One connection after another request, each in its own way; also where a client does not wait for answers."""

    async def test() -> None:
        async with serving(shop) as url, proxied(url) as scene, dialled(scene.url) as (reader, writer):
            if pipelined:
                writer.write(b"".join(asked for asked, _ in CONVERSATION))
                assert await rest_of(reader) == (b"".join(answer for _, answer in CONVERSATION), "fin")
                return
            for asked, answer in CONVERSATION[:-1]:
                writer.write(asked)
                assert await reader.readexactly(len(answer)) == answer
            asked, answer = CONVERSATION[-1]
            writer.write(asked)
            assert await rest_of(reader) == (answer, "fin")

    run(test)


def test_a_client_that_waits_for_continue() -> None:
    """It is told 100 before it has sent the body, as the upstream says it."""

    async def test() -> None:
        async with serving(shop) as url, proxied(url) as scene, dialled(scene.url) as (reader, writer):
            writer.write(b"POST /continue HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            assert await head_of(reader) == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"ok")
            assert await reader.readuntil(b"ok") == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    run(test)


def test_an_upstream_that_leaves_takes_an_idle_client_along() -> None:
    """Its client is not left with a connection that leads nowhere."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def test() -> None:
        async with serving(serve) as url, proxied(url) as scene, dialled(scene.url) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert await rest_of(reader) == (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "fin")

    run(test)


def test_a_handshake_that_the_upstream_refuses() -> None:
    """Its own words; and the connection serves on."""

    async def test() -> None:
        async with serving(shop) as url, proxied(url) as scene, dialled(scene.url) as (reader, writer):
            for _ in range(2):
                writer.write(HANDSHAKE.format(target="/no", more="").encode())
                assert await head_of(reader) == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
            assert not scene.proxy.connections

    run(test)


def test_an_upstream_that_is_not_there() -> None:
    """502 in a sentence; it is said once, and again after it was there."""

    async def test() -> None:
        async with serving(shop) as url:
            pass
        async with proxied(url) as scene:
            for _ in range(2):
                async with dialled(scene.url) as (reader, writer):
                    writer.write(b"GET / HTTP/1.1\r\n\r\n")
                    came, _ = await rest_of(reader)
                    text = f"upstream {url} cannot be reached: connection refused"
                    assert came.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
                    assert came.endswith(f"\r\n\r\nwsctl chaos: {text}\n".encode())
            assert scene.said == [text]

    run(test)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, "127.0.0.1: a head of more than 65,536 bytes"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "127.0.0.1: a content-length of 'x'; expected a number"),
    ],
)
def test_what_is_no_http(sent: bytes, said: str) -> None:
    """The connection ends, and it is said why."""

    async def test() -> None:
        async with serving(shop) as url, proxied(url) as scene, dialled(scene.url) as (reader, writer):
            writer.write(sent)
            assert (await rest_of(reader))[0] == b""
            assert scene.said == [said]

    run(test)


def test_an_upstream_with_tls() -> None:
    """Both ways, and its end."""
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(ours)

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.write(frame(f"got {len(await reader.readexactly(len(frame('hello'))))}", mask=False))

    async def test() -> None:
        async with (
            serving(serve, theirs) as url,
            proxied([upstream(url, ours)]) as scene,
            websocket_by_hand(scene.url) as (reader, writer),
        ):
            writer.write(frame("hello"))
            assert await rest_of(reader) == (frame("got 11", mask=False), "fin")

    run(test)


def test_a_request_that_ends_before_a_server_with_tls() -> None:
    """TLS knows no half of an end: its answer comes all the same."""
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(ours)

    async def serve(reader: Reader, writer: Writer) -> None:
        await head_of(reader)
        await asyncio.sleep(0.05)  # the end of the request is long there
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nanswer")

    async def test() -> None:
        async with (
            serving(serve, theirs) as url,
            proxied([upstream(url, ours)]) as scene,
            dialled(scene.url) as (reader, writer),
        ):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            writer.write_eof()
            assert (await rest_of(reader))[0].endswith(b"answer")

    run(test)


# Engine.IO


def test_polling_and_its_upgrade() -> None:
    """What a client calls itself is known afterwards, though it said so while it polled."""

    async def test() -> None:
        async with harmed() as scene, polling(scene) as peer:
            await peer.join(client="alice")
            await peer.emit("price:subscribe", ["BTC/USDT"])
            scene.publish(2)
            await peer.gather(lambda: len(peer.of(BTC)) == 2)
            async with websocket(scene, peer.target.replace("polling", "websocket")) as ws:
                await ws.send("2probe")
                await ws.answer(lambda packet: packet == "3probe")
                await ws.send("5")
                [connection] = scene.proxy.connections.values()
                assert connection.client == "alice"
                await until(lambda: scene.platform.connections[peer.handshake["sid"]].transport == "websocket")
                scene.publish(3)
                await ws.gather(lambda: len(ws.of(BTC)) == 3)
            got = [payload["seq"] for payload in (*peer.of(BTC), *ws.of(BTC))]
            assert got == list(range(got[0], got[0] + 5))

    run(test)


def test_polls_are_not_harmed() -> None:
    """And that is said, once; where there is nothing to be harmed by, it is not."""

    async def test() -> None:
        async with harmed() as scene, polling(scene) as peer:
            await peer.join()
            assert scene.said == []
            scene.add("drop")
            await peer.emit("price:subscribe", ["BTC/USDT"])
            scene.publish(2)
            await peer.gather(lambda: len(peer.of(BTC)) == 2)
            assert scene.said == ["messages over long-polling pass unharmed: faults strike those of WebSockets"]
            assert scene.firings == []

    run(test)


def test_a_polling_session_stays_with_its_upstream() -> None:
    """Whatever connections its requests come on, the upgrade too; others are led to each upstream in turn."""

    async def test() -> None:
        async with feed() as one, feed() as other, proxied([upstream(one.url), upstream(other.url)]) as scene:
            scene.server = one
            async with polling(scene) as first, polling(scene) as second:
                for peer in (first, second):
                    for _ in range(3):  # a connection of its own for each request
                        async with dialled(scene.url) as (reader, writer):
                            body = b"3"
                            lines = f"POST {peer.target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
                            writer.write(lines.encode() + body)
                            assert (await head_of(reader)).startswith(b"HTTP/1.1 200 OK")
                    async with websocket(scene, peer.target.replace("polling", "websocket")) as ws:
                        await ws.send("2probe")
                        await ws.answer(lambda packet: packet == "3probe")
                        [connection] = scene.proxy.connections.values()
                        home = one if peer.handshake["sid"] in one.platform.connections else other
                        assert connection.upstream is not None
                        assert connection.upstream.shown == home.url
                    await until(lambda: not scene.proxy.connections)
                assert len(one.platform.connections) == len(other.platform.connections) == 1
                await second.post("1")

    run(test)


def test_a_compressed_opening_is_not_asked_for_where_it_must_be_read() -> None:
    """Only where there is more than one upstream, and only of the answer that tells the session's id."""
    asked: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        while True:
            asked.append(await head_of(reader))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n")
            await writer.drain()
            writer.write(b'0{"sid":"abc"')

    async def test() -> None:
        async with (
            serving(serve) as url,
            proxied([upstream(url), upstream(url)]) as scene,
            dialled(scene.url) as (
                reader,
                writer,
            ),
        ):
            for target in (POLLING, f"{POLLING}&sid=abc"):
                writer.write(f"GET {target} HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n".encode())
                await reader.readuntil(b'"abc"')
            assert [b"gzip" in head for head in asked] == [False, True]
            assert scene.proxy.sessions.upstream("abc") is scene.proxy.upstreams[0]

    run(test)


def test_everybody_is_let_go_at_the_end() -> None:
    """Idle, waiting for an answer, before a handshake, as a WebSocket: all ends with the proxy."""

    async def silence(reader: Reader, writer: Writer) -> None:
        if b"Upgrade" in await head_of(reader):
            writer.write(SWITCHING)
        await reader.read()

    async def test() -> None:
        async with AsyncExitStack() as stack, serving(silence) as url:
            async with proxied(url, "slow-open:delay=1h,nth=2") as scene:
                clients = [(await stack.enter_async_context(dialled(scene.url))) for _ in range(4)]
                (_, idle), (_, waits), (open_one, opens), (_, knocks) = clients
                waits.write(b"GET / HTTP/1.1\r\n\r\n")
                opens.write(HANDSHAKE.format(target="/", more="").encode())
                await head_of(open_one)
                knocks.write(HANDSHAKE.format(target="/", more="").encode())
                await until(lambda: scene.firings)
                assert not idle.is_closing()
            assert [await rest_of(reader) for reader, _ in clients] == [(b"", "fin")] * 4

    run(test)


def test_a_mistake_of_ours_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it happens: it ends the proxy as what it is."""

    def wrong(*given: object) -> None:
        raise ZeroDivisionError

    async def test() -> None:
        async with harmed("noop") as scene:
            monkeypatch.setattr(scene.fault("noop"), "on_message", wrong)
            async with joined(scene) as peer:
                await peer.send('42["price:subscribe",["BTC/USDT"]]')
                await until(lambda: scene.proxy.passed["up"] == 2)
                scene.publish(1)
                await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        run(test)
