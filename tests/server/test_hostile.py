"""Every limit, hit by hand-written bytes: the declared ending, and afterwards nothing is left of it.

Framing, malformed packets and heads have their own catalogues (test_websocket, test_polling, test_front_door,
test_floods); here each kind comes many times over, and what the server holds is counted.
"""

import asyncio
import contextlib
import gc
import json
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from served import (
    POLLING,
    WEBSOCKET,
    Raw,
    WebSocketPeer,
    feed,
    frame,
    joined,
    raw_websocket,
    run,
    tcp,
    until,
)
from websockets.frames import Opcode

from wsctl.server.app import MockFeed
from wsctl.server.client import Client
from wsctl.server.connection import Connection
from wsctl.server.front_door import HttpProtocol
from wsctl.server.polling import PollingCarrier
from wsctl.server.upgrade import Upgrade
from wsctl.server.websocket import WebSocketProtocol
from wsctl.wire.engineio import MAX_PACKETS_RECEIVED
from wsctl.wire.socketio import MAX_ATTACHMENTS, MAX_DEPTH, Decoder

HELD = (Client, Connection, Decoder, HttpProtocol, PollingCarrier, Upgrade, WebSocketProtocol)
"""what the server keeps for each that comes"""
TIMES = 5
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n"


def held() -> Counter[str]:
    """How many live objects there are of each kind."""
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, HELD))


def placeholders(count: int) -> str:
    """Arguments with so many attachments."""
    return ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(count))


async def status(raw: Raw) -> int:
    """The status of the next HTTP answer."""
    return int((await raw.read_head()).split()[1])


async def get_session(raw: Raw) -> str:
    """Open a polling session by hand; where its requests go."""
    await raw.send(f"GET {POLLING} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert await status(raw) == 200
    length = int(raw.head.lower().partition("content-length: ")[2].split()[0])
    return f"{POLLING}&sid={json.loads((await raw.reader.readexactly(length))[1:])['sid']}"


async def post(raw: Raw, target: str, body: bytes) -> int:
    """POST by hand; the status."""
    head = f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    await raw.send(head.encode() + body)
    return await status(raw)


# Each attack and its declared ending


async def large_heads(running: MockFeed) -> None:
    """A head of any size is answered with 431 and an orderly end, although most of it is still on its way."""
    for size in (70_000, 5_000_000):
        for start in ("GET / HTTP/1.1\r\nX: ", f"GET {WEBSOCKET} HTTP/1.1\r\nUpgrade: websocket\r\nX: "):
            async with tcp(running) as raw:
                await raw.send(start.encode() + b"x" * size)  # to the end before anything is read
                assert await status(raw) == 431
                await raw.ended()


async def many_headers(running: MockFeed) -> None:
    """A hundred headers and one are too many."""
    async with tcp(running) as raw:
        await raw.send(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n")
        assert await status(raw) == 431
        await raw.ended()


async def large_bodies(running: MockFeed) -> None:
    """A body over maxPayload is answered with 413, and its session is over."""
    async with tcp(running) as raw:
        target = await get_session(raw)
        assert await post(raw, target, b"4" * 1001) == 413


async def large_messages(running: MockFeed) -> None:
    """A message over maxPayload ends in 1009, in one frame, in several, or announced only."""
    endless = b"\x81\xff" + (1 << 40).to_bytes(8) + b"\0\0\0\0"
    fragments = frame("4", fin=False) + frame(b"x" * 600, fin=False, opcode=Opcode.CONT) * 2
    for data in (frame("4" + "x" * 1000), frame(b"x" * 1001), fragments, endless):
        async with raw_websocket(running) as raw:
            await raw.send(data)
            assert await raw.close_code() == 1009


async def malformed_packets(running: MockFeed) -> None:
    """A packet that breaks the protocol ends the session: 1002, or 400."""
    for packet in ("4abc", "42{}", "9", '42["connect"]'):
        async with joined(running) as peer:
            await peer.send(packet)
            assert await peer.closed() == 1002
        async with tcp(running) as raw:
            assert await post(raw, await get_session(raw), packet.encode()) == 400


async def silent_clients(running: MockFeed) -> None:
    """Whoever does not join is disconnected after the connect timeout, on either transport."""
    async with raw_websocket(running) as raw, tcp(running) as poller:
        target = await get_session(poller)
        assert await raw.close_code() == 1000
        await until(lambda: len(running.platform.connections) == 1 and not running.platform.departing)
        await poller.send(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert await status(poller) == 400


async def many_events(running: MockFeed) -> None:
    """More events a second than allowed: `limit`, DISCONNECT, 1000, and nothing after it is heard."""
    async with joined(running) as peer:
        await peer.send(*['42["time:sync"]'] * 200)
        assert await peer.closed() == 1000
        assert peer.events == [("connection:closing", {"reason": "limit", "retry": False})]
        assert peer.others == ["41"]


async def many_refusals(running: MockFeed) -> None:
    """A CONNECT that is refused counts as an event: tokens are not guessed without end."""
    before = running.platform.counters.refused
    async with raw_websocket(running) as raw:
        await raw.text(*['40{"token":"x"}'] * 400)
        assert await raw.close_code() == 1000
    assert 100 < running.platform.counters.refused - before < 400 * TIMES
    async with joined(running) as peer:
        await peer.send(*["40/x,"] * 200)
        assert await peer.closed() == 1000
        assert peer.events == [("connection:closing", {"reason": "limit", "retry": False})]
        assert peer.others[-1] == "41"


async def many_subscriptions(running: MockFeed) -> None:
    """Channels over the limit are refused with the code `limit`, and the client stays."""
    async with joined(running) as peer:
        answer = await peer.emit("channel:subscribe", list(running.platform.hub.channels)[:5])
        assert (answer["code"], len(answer["subscribed"]), len(answer["refused"])) == ("limit", 2, 3)


async def many_attachments(running: MockFeed) -> None:
    """More attachments than allowed are refused before any comes; those that never come are waited for in vain."""
    async with joined(running) as peer:
        await peer.send(f'45{MAX_ATTACHMENTS + 1}-["x",{placeholders(MAX_ATTACHMENTS + 1)}]')
        assert await peer.closed() == 1002
    async with joined(running) as peer:
        await peer.send(f'45{MAX_ATTACHMENTS}-["x",{placeholders(MAX_ATTACHMENTS)}]', b"x", b"x")
    async with joined(running) as peer:
        await peer.send('452-["x"]', b"x", "3", "4" + '2["x"]')
        assert await peer.closed() == 1002


async def deep_json(running: MockFeed) -> None:
    """JSON nested deeper than allowed is malformed, as lists, as objects, in auth, with attachments."""
    deep = MAX_DEPTH
    async with joined(running) as peer:
        await peer.send('420["time:sync",' + "[" * (deep - 1) + "]" * (deep - 1) + "]")
        await peer.answer(lambda packet: packet.startswith("430["))
    for packet in (
        '42["x",' + "[" * deep + "]" * deep + "]",
        '42["x",' + '{"a":' * deep + "1" + "}" * deep + "]",
        "40/custom," + '{"a":' * (deep + 1) + "1" + "}" * (deep + 1),
        '451-["x",' + "[" * deep + placeholders(1) + "]" * deep + "]",
    ):
        async with joined(running) as peer:
            await peer.send(packet)
            assert await peer.closed() == 1002, packet[:20]


async def many_packets(running: MockFeed) -> None:
    """More packets in one payload than allowed are refused with 400, and the session is over."""
    async with tcp(running) as raw:
        assert await post(raw, await get_session(raw), b"\x1e".join([b"3"] * (MAX_PACKETS_RECEIVED + 1))) == 400


async def half_of_everything(running: MockFeed) -> None:
    """Clients that vanish in the middle of a head, a body, a poll, a message, an upgrade, a close leave nothing."""
    async with tcp(running) as raw:
        await raw.send(b"GET /socket.io/?EIO")
    async with tcp(running) as raw:
        target = await get_session(raw)
        await raw.send(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n4".encode())
    async with tcp(running) as raw:
        target = await get_session(raw)
        await raw.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    async with raw_websocket(running) as raw:
        await raw.send(frame("4", fin=False) + frame(b"x" * 500, fin=False, opcode=Opcode.CONT) + b"\x81")
    async with tcp(running) as poller:
        target = await get_session(poller)
        async with raw_websocket(running, target.replace("polling", "websocket")) as raw:
            await raw.text("2probe")
            await raw.read_frame()
    async with raw_websocket(running) as raw:
        await raw.text("40")
        await raw.send(frame((1000).to_bytes(2), opcode=Opcode.CLOSE)[:3])
    async with raw_websocket(running, more=DEFLATE) as raw:
        await raw.send(b"\x41\x85\0\0\0\0\xaa\x56\x4a\x00\x00")


ATTACKS: list[Callable[[MockFeed], Awaitable[None]]] = [
    large_heads,
    many_headers,
    large_bodies,
    large_messages,
    malformed_packets,
    silent_clients,
    many_events,
    many_refusals,
    many_subscriptions,
    many_attachments,
    deep_json,
    many_packets,
    half_of_everything,
]


def connections(running: MockFeed) -> int:
    """TCP connections that the server holds, WebSockets included."""
    return len(running._listening._server.server_state.connections | set(running.platform.sockets))


async def settled(running: MockFeed, baseline: tuple[Counter[str], int, int], bystander: WebSocketPeer) -> None:
    """Wait until all is as it was; the bystander is served meanwhile."""
    objects, tasks, sockets = baseline
    await until(lambda: len(running.platform.connections) == 1 and not running.platform.departing)
    await until(lambda: connections(running) == sockets and len(asyncio.all_tasks()) == tasks)
    with contextlib.suppress(TimeoutError):
        await until(lambda: held() == objects)
    assert held() == objects
    assert (await bystander.emit("time:sync"))["ok"]
    assert not running.platform.outage_until


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack(attack: Callable[[MockFeed], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    """However often: the declared ending each time, and then no object, task, socket or timer more than before."""
    monkeypatch.setattr("wsctl.server.endpoint.FAREWELL", 0.05)

    async def test() -> None:
        size = 5000 if attack in (deep_json, many_packets) else 1000
        options = {"max_payload": size, "max_events": 100, "max_subscriptions": 2}
        async with (
            feed(rate=1.0, connect_timeout=0.3, compress=True, **options) as running,
            joined(running) as bystander,
        ):
            await until(lambda: connections(running) == 1)
            baseline = held(), len(asyncio.all_tasks()), connections(running)
            await asyncio.gather(*(attack(running) for _ in range(1 if attack is silent_clients else TIMES)))
            await settled(running, baseline, bystander)

    run(test)
