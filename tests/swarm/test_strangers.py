"""Swarms against servers written by hand: what no sound server sends, and what sound ones may."""

import asyncio
import json
import socket
import struct
from typing import Any

import pytest
from tests.server.served import run
from tests.swarm.strangers import OPEN, Line, frame, stranger
from tests.swarm.swarms import Watched, options
from websockets.frames import Opcode

from wsctl.client.target import Reconnect
from wsctl.errors import TargetError
from wsctl.swarm.remote import RemoteSwarm

ONCE = Reconnect(attempts=0)
FAST = OPEN.replace("25000", "200").replace("20000", "200")


def price(seq: int, **more: Any) -> str:
    """A message of the feed."""
    payload = {"symbol": "BTC/USDT", "price": 100 + seq, "channel": "c", "epoch": "e", "seq": seq, **more}
    return "42" + json.dumps(["price:update", payload])


MALFORMED = {
    "text that is not UTF-8": ([frame(b"42[\xff]", opcode=1)], 1007, "not UTF-8"),
    "a stray continuation": ([frame("rest", opcode=0)], 1002, "the continuation of nothing"),
    "a message inside another": ([frame("42[", fin=False), frame(price(1))], 1002, "inside another one"),
    "reserved bits": ([b"\xc1\x012"], 1002, "reserved bits"),
    "a reserved opcode": ([b"\x83\x00"], 1002, "not WebSocket"),
    "a masked frame": ([b"\x81\x81\x00\x00\x00\x002"], 1002, "not WebSocket"),
    "a close code that nobody may send": ([frame(b"\0\0", opcode=8)], 1002, "closed with 0"),
    "an unknown Engine.IO packet": ([frame("9")], 1002, "unknown Engine.IO packet"),
    "an empty packet": ([frame("")], 1002, "unknown Engine.IO packet"),
    "a second OPEN": ([frame(OPEN)], 1002, "OPEN comes first, and once"),
    "broken JSON": ([frame('42["price:update",{')], 1002, "JSON cannot be read"),
    "an event without a name": ([frame("42[]")], 1002, "invalid payload"),
    "an attachment of nothing": ([frame(b"bytes")], 1002, "no packet announced"),
    "text for an attachment": (
        [frame('451-["price:update",{"_placeholder":true,"num":0}]'), frame(price(1))],
        1002,
        "binary attachments were expected",
    ),
    "an event of a namespace not joined": ([frame('42/other,["price:update",{}]')], 1002, "was not joined"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name: str) -> None:
    frames, code, reason = MALFORMED[name]
    codes: list[int | None] = []

    async def serve(line: Line) -> None:
        await line.join()
        line.send(price(1), price(2))
        line.writer.write(b"".join(frames))
        codes.append(await line.close_code())

    async def test() -> None:
        async with stranger(serve) as url, RemoteSwarm(options(url, clients=2, reconnect=ONCE)) as swarm:
            watched = Watched(swarm)
            await watched.until(lambda metrics: metrics["errors"] == 2)
            done = await watched.stop()
        assert done.metrics["connections.closed"] == 2
        assert done.metrics["messages.received"] >= 2
        assert any(reason in note for note in done.notes), done.notes
        assert codes == [code] * 2

    run(test)


def test_a_message_too_big_ends_the_connection() -> None:
    part = b"x" * (1 << 20)
    codes: list[int | None] = []

    async def serve(line: Line) -> None:
        await line.join()
        line.writer.write(frame(b"42[" + part, opcode=1, fin=False) + frame(part, opcode=0, fin=False) * 16)
        codes.append(await line.close_code())

    async def test() -> None:
        async with stranger(serve) as url, RemoteSwarm(options(url, clients=1, reconnect=ONCE)) as swarm:
            watched = Watched(swarm)
            await watched.until(lambda metrics: metrics["errors"] == 1)
            done = await watched.stop()
        assert codes == [1009]
        assert any("more than 16777216 bytes" in note for note in done.notes)

    run(test)


def test_bytes_known_from_one_connection_mean_nothing_on_another_that_is_not_open_yet() -> None:
    async def serve(line: Line) -> None:
        if line.number == 1:
            await line.join()
            for _ in range(100):
                line.send(price(1))
                await asyncio.sleep(0.05)
        else:
            line.send(price(1))
        await line.gone()

    async def test() -> None:
        async with stranger(serve) as url, RemoteSwarm(options(url, clients=2, reconnect=ONCE)) as swarm:
            watched = Watched(swarm)
            await watched.until(lambda metrics: metrics["errors"] == 1)
            done = await watched.stop()
        assert any("it sent a packet that is not Socket.IO" in note for note in done.notes), done.notes
        assert done.metrics["connections.opened"] == 1

    run(test)


def test_fragments_and_pings_between_them_are_put_together() -> None:
    pongs: list[bytes] = []

    async def serve(line: Line) -> None:
        await line.join()
        line.send(price(1))
        for seq in range(2, 6):
            text = price(seq)
            line.writer.write(frame(text[:7], fin=False) + frame(b"hello", opcode=9))
            line.writer.write(frame(text[7:30], opcode=0, fin=False) + frame(text[30:], opcode=0))
        # all of it first, and an empty end: bytes known already, and still not a message
        line.writer.write(frame(price(5), fin=False) + frame("", opcode=0))
        for _ in range(4):
            while (answer := await line.read())[0] != Opcode.PONG:
                pass  # one of the two clients asks for the time
            pongs.append(answer[1])
        line.send(price(6))
        await line.gone()

    async def test() -> None:
        async with stranger(serve) as url, RemoteSwarm(options(url, clients=2)) as swarm:
            watched = Watched(swarm)
            await watched.until(lambda metrics: metrics["messages.received"] == 14)
            done = await watched.stop()
        assert pongs == [b"hello"] * 8
        assert done.metrics["ordering.duplicates"] == 2
        assert done.metrics["ordering.gaps"] == done.metrics["errors"] == 0

    run(test)


def test_attachments_and_events_that_want_an_answer() -> None:
    answers: list[str] = []

    async def serve(line: Line) -> None:
        await line.join()
        line.send(price(1))
        payload = {"channel": "c", "epoch": "e", "seq": 2, "blob": {"_placeholder": True, "num": 0}}
        line.send("451-" + json.dumps(["price:update", payload]), b"blob")
        line.send("427" + price(3)[2:])
        while "time:sync" in (said := await line.text()):
            pass  # the first client asks what time it is, sooner or later
        answers.append(said)
        line.send(price(4))
        await line.gone()

    async def test() -> None:
        async with stranger(serve) as url, RemoteSwarm(options(url, clients=2)) as swarm:
            watched = Watched(swarm)
            await watched.until(lambda metrics: metrics["messages.received"] == 8)
            done = await watched.stop()
        assert answers == ["437[]"] * 2
        assert done.metrics["ordering.gaps"] == done.metrics["errors"] == 0

    run(test)


def test_a_peer_that_resets_before_it_answers_the_handshake() -> None:
    async def serve(line: Line) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        sock = line.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def test() -> None:
        async with stranger(serve, upgrade=False) as url, RemoteSwarm(options(url)) as swarm:
            with pytest.raises(TargetError, match="accepts connections and cuts them before an answer"):
                await Watched(swarm).end()

    run(test)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answers, but not as a WebSocket: 404 Not Found"),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "answers 503 Service Unavailable"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "answers the WebSocket handshake wrongly"),
        (b"220 mail.test ESMTP\r\n\r\n", "answers, but not in HTTP"),
    ],
)
def test_a_peer_that_answers_something_else(answer: bytes, message: str) -> None:
    async def serve(line: Line) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        line.writer.write(answer)
        await line.gone()

    async def test() -> None:
        async with stranger(serve, upgrade=False) as url, RemoteSwarm(options(url)) as swarm:
            with pytest.raises(TargetError, match=message):
                await Watched(swarm).end()

    run(test)


def test_later_clients_that_are_cut_off_at_the_handshake_try_again() -> None:
    async def serve(line: Line) -> None:
        if line.number in (2, 3, 4):
            line.writer.transport.abort()
            return
        await line.upgrade()
        await line.join()
        await line.gone()

    async def test() -> None:
        async with stranger(serve, upgrade=False) as url, RemoteSwarm(options(url)) as swarm:
            watched = Watched(swarm)
            await watched.measuring()
            done = await watched.stop()
        assert done.metrics["connections.opened"] == 3
        assert done.metrics["errors"] == 3
        assert done.notes[0].startswith("3 × http://127.0.0.1")

    run(test)


def test_silence_is_noticed_and_a_heartbeat_answered() -> None:
    pongs: list[str] = []

    async def serve(line: Line) -> None:
        await line.join(FAST)
        if line.number == 1:
            for _ in range(4):
                line.send("2")
                while "time:sync" in (packet := await line.text()):
                    pass
                pongs.append(packet)
                await asyncio.sleep(0.15)
        else:
            for _ in range(1000):
                line.send("2")
                await asyncio.sleep(0.1)
        await line.gone()

    async def test() -> None:
        async with stranger(serve) as url, RemoteSwarm(options(url, clients=1)) as swarm:
            watched = Watched(swarm)
            await watched.until(lambda metrics: metrics["connections.closed"] == 1)
            await watched.until(lambda metrics: metrics["acks.ok"] == 2)
            done = await watched.stop()
        assert pongs == ["3"] * 4
        assert done.metrics["connections.closed"] == 1

    run(test)


@pytest.mark.parametrize(
    ("last_words", "back"),
    [
        (['42["connection:closing",{"reason":"limit","retry":false}]', "41"], False),
        (['42["connection:closing",{"reason":"shutdown","retry":true,"retryAfterMs":10}]'], True),
        (["41"], True),
        (["1"], True),
        ([frame(b"\x0f\xa0bye", opcode=8)], True),
        ([frame(b"", opcode=8)], True),
    ],
)
def test_ends(last_words: list[Any], back: bool) -> None:
    async def serve(line: Line) -> None:
        await line.join()
        if line.number == 1:
            for word in last_words:
                line.writer.write(word if isinstance(word, bytes) else frame(word))
            if len(last_words) == 1 and "closing" in str(last_words[0]):
                line.writer.write(frame(b"\x03\xf4", opcode=8))
        await line.gone()

    async def test() -> None:
        async with stranger(serve) as url, RemoteSwarm(options(url, clients=1)) as swarm:
            watched = Watched(swarm)
            await watched.until(lambda metrics: metrics["connections.closed"] == 1)
            if back:
                await watched.until(lambda metrics: metrics["acks.ok"] == 2)
            else:
                await watched.silence()
            done = await watched.stop()
        assert done.metrics["acks.ok"] == 1 + back
        assert done.metrics["errors"] == 0

    run(test)


def test_who_never_acknowledges_is_taken_to_serve() -> None:
    async def serve(line: Line) -> None:
        line.send(OPEN)
        await line.text()
        line.send('40{"sid":"x"}')
        await line.text()
        line.send(price(1), "42" + json.dumps(["tick", {"p": 1}]))
        await line.gone()

    async def test() -> None:
        async with stranger(serve) as url, RemoteSwarm(options(url)) as swarm:
            watched = Watched(swarm)
            await watched.measuring()
            done = await watched.stop()
        assert done.metrics["connections.subscribed"] == 3
        assert done.metrics["acks.ok"] == 0
        assert "3 subscriptions were not acknowledged; taken for served all the same" in done.notes
        assert "3 of 6 messages have no sequence number: nothing proves their order" in done.notes

    run(test)


def test_clocks_that_cannot_be_compared_yield_no_latency() -> None:
    async def serve(line: Line) -> None:
        await line.join()
        for seq in range(1, 1000):
            line.send(price(seq, timestamp=4e12))
            await asyncio.sleep(0.05)

    async def test() -> None:
        async with stranger(serve) as url, RemoteSwarm(options(url)) as swarm:
            watched = Watched(swarm)
            await watched.measuring()
            await watched.until(lambda metrics: metrics["messages.rate"] > 0)
            done = await watched.stop()
        assert "latency.p50" not in done.metrics
        assert any("the clocks cannot be compared" in note for note in done.notes)

    run(test)
