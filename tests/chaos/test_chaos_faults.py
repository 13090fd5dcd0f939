"""What each fault does to a connection, at the wire."""

import asyncio
import json
import re
import time
from contextlib import AsyncExitStack
from random import Random
from typing import Any

import pytest
import uvloop
from websockets.exceptions import InvalidHandshake, InvalidStatus

from tests.chaos.proxied import harmed, proxied, upstream
from tests.chaos.upstreams import (
    SWITCHING,
    Reader,
    Writer,
    head_of,
    rest_of,
    serving,
    take_websocket,
    websocket_by_hand,
)
from tests.server.served import (
    BTC,
    ETH,
    HANDSHAKE,
    POLLING,
    WEBSOCKET,
    WebSocketPeer,
    feed,
    frame,
    joined,
    polling,
    raw_websocket,
    run,
    tcp,
    until,
    websocket,
)
from wsctl.chaos.asked import asked
from wsctl.chaos.faults.corrupt import _DAMAGE, Mode
from wsctl.errors import UsageError
from wsctl.model.event import PRICE_UPDATE
from wsctl.wire.dialects import spoken
from wsctl.wire.frames import CLOSE, TEXT, build

SYMBOLS = ["BTC/USDT", "ETH/USDT"]


async def subscribed(peer: WebSocketPeer, *symbols: str) -> None:
    """It listens, and what is pushed at once has come."""
    await peer.emit("price:subscribe", list(symbols or SYMBOLS))
    peer.events.clear()


def seqs(peer: WebSocketPeer, channel: str = BTC) -> list[int]:
    """The numbers that came of a channel."""
    return [payload["seq"] for payload in peer.of(channel)]


# Ends


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1012, 1013, 4000])
def test_close(code: int) -> None:
    """Both sides are told; the server's answer is waited for, the client's too."""
    told: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        told.append(await reader.readexactly(10))
        writer.write(frame(b"", opcode=8, mask=False))
        assert await reader.read() == b""
        told.append(b"end")

    async def test() -> None:
        async with serving(serve) as url, proxied(url) as scene, websocket_by_hand(scene.url) as (reader, writer):
            scene.add(f"close:code={code},reason=go")
            assert await reader.readexactly(6) == frame(code.to_bytes(2) + b"go", opcode=8, mask=False)
            assert scene.proxy.connections == {}
            rest = asyncio.ensure_future(rest_of(reader))
            await until(lambda: told[-1:] == [b"end"])
            assert not rest.done()
            writer.write(frame(code.to_bytes(2), opcode=8))
            assert await rest == (b"", "fin")
            assert [(one.action, one.conn, one.detail) for one in scene.firings] == [("closed", "c1", f"{code} go")]
            assert told == [build(CLOSE, code.to_bytes(2) + b"go", mask=True).raw, b"end"]

    run(test)


@pytest.mark.parametrize("loop", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(("how", "end"), [("rst", "rst"), ("fin", "fin")])
def test_cut(how: str, end: str, loop: object) -> None:
    """Without a close frame, on both sides."""
    ends: list[tuple[bytes, str]] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        ends.append(await rest_of(reader))

    async def test() -> None:
        async with serving(serve) as url, proxied(url) as scene, websocket_by_hand(scene.url) as (reader, _):
            scene.add(f"cut:how={how}")
            assert await rest_of(reader) == (b"", end)
            await until(lambda: ends)
            assert ends == [(b"", end)]

    run(test, loop)


def test_half_close() -> None:
    """We write no more and read on: what the client says still reaches the server."""

    async def test() -> None:
        async with harmed() as scene, raw_websocket(scene) as raw:
            await raw.read_frame()
            scene.add("cut:how=half-close")
            assert await rest_of(raw.reader) == (b"", "fin")
            await raw.text('40{"client":"late"}')
            await until(lambda: [one.name for one in scene.platform.clients.values()] == ["late"])

    run(test)


@pytest.mark.parametrize(("fault", "code"), [("close:code=1013", 1013), ("cut:how=fin", None)])
def test_an_end_at_a_message(fault: str, code: int | None) -> None:
    """What came before it is handed on, however the bytes came; nothing behind it strikes anybody."""

    async def test() -> None:
        async with harmed() as scene, joined(scene) as peer:
            await subscribed(peer)
            scene.add(f"{fault},nth=3,symbol=BTC/USDT")
            scene.add("drop:symbol=ETH/USDT")
            scene.publish(1, "ETH/USDT")
            scene.publish(5)
            scene.publish(1, "ETH/USDT")
            assert await peer.closed() == code
            assert len(seqs(peer)) == 2
            struck = [(one.action, one.channel) for one in scene.firings]
            assert struck == [("dropped", ETH), ("cut" if code is None else "closed", BTC)]

    run(test)


# The door


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


# Many at once


@pytest.mark.parametrize(("percent", "hit"), [(100, 8), (50, 4), (25, 2), (0, 0)])
def test_flash(percent: int, hit: int) -> None:
    """To the connection; nobody gets in during the outage, by whatever door; then everybody does."""

    async def test() -> None:
        async with harmed() as scene, AsyncExitStack() as stack, polling(scene) as poller:
            peers = [await stack.enter_async_context(joined(scene, client=f"c{number}")) for number in range(8)]
            fault = scene.add(f"flash:percent={percent},outage=1h")
            cut = {one.client for one in scene.firings}
            assert len(cut) == hit == fault.applied
            assert {one.client for one in scene.proxy.connections.values()} == {f"c{n}" for n in range(8)} - cut
            for number, peer in enumerate(peers):
                if f"c{number}" in cut:
                    assert await peer.closed() is None
                else:
                    await subscribed(peer)
            for target in (WEBSOCKET, POLLING, poller.target, "/healthz"):
                async with tcp(scene) as raw:
                    await raw.send(HANDSHAKE.format(target=target, more="").encode())
                    assert await rest_of(raw.reader) == (b"", "rst")
            scene.proxy.remove(fault)
            await stack.enter_async_context(joined(scene))

    run(test)


def test_a_seed_says_who_is_hit() -> None:
    """The same for the same seed, others for another."""

    async def hit(seed: int) -> list[str | None]:
        async with harmed(seed=seed) as scene, AsyncExitStack() as stack:
            for number in range(12):
                await stack.enter_async_context(joined(scene, client=str(number)))
            scene.add("flash:percent=50,outage=0")
            scene.add("close:p_connection=0.5")
            return [one.client for one in scene.firings]

    async def test() -> None:
        assert await hit(1) == await hit(1) != await hit(2)

    run(test)


def test_flashes_come_again() -> None:
    """Each `every`; `times` counts who was hit."""

    async def test() -> None:
        async with harmed() as scene, AsyncExitStack() as stack:
            for _ in range(5):
                await stack.enter_async_context(raw_websocket(scene))
            fault = scene.add("flash:percent=20,outage=0,at=20ms,every=20ms,times=3")
            assert not fault.is_on
            await until(lambda: fault.applied)
            await until(lambda: not fault.is_on)
            assert scene.actions() == ["cut"] * 3
            assert len(scene.proxy.connections) == 2

    run(test)


def test_rolling_restart() -> None:
    """One upstream after another: notice, close, nobody is led there; the others keep theirs."""
    notice = '42["connection:closing",{"reason":"shutdown"}]'

    async def test() -> None:
        async with feed() as one, feed() as other, AsyncExitStack() as stack:
            scene = await stack.enter_async_context(proxied([upstream(one.url), upstream(other.url)]))
            scene.server = one
            peers = [await stack.enter_async_context(joined(scene)) for _ in range(4)]
            assert [len(feed.platform.clients) for feed in (one, other)] == [2, 2]
            first, second = scene.proxy.upstreams
            away = scene.proxy.add(asked("rolling-restart", {"down": "1h", "notice": notice}))
            await until(lambda: not first.is_up)
            for peer in peers[::2]:
                assert await peer.closed() == 1012
                assert peer.events[-1] == ("connection:closing", {"reason": "shutdown"})
            async with joined(scene), joined(scene):
                assert len(other.platform.clients) == 4
            assert second.is_up
            scene.proxy.remove(away)
            assert first.is_up
            scene.firings.clear()
            async with joined(scene):  # the first one's turn again
                both = scene.proxy.add(asked("rolling-restart", {"down": "50ms", "pause": 0}))
                await until(lambda: both.applied == 2 and second.is_up)
            assert scene.actions() == ["taken away", "closed", "taken away", "closed", "closed"]

    run(test)


def test_a_restart_with_no_other_upstream() -> None:
    """Who comes meanwhile is told so; the fault taken away, it is up."""

    async def test() -> None:
        async with harmed("rolling-restart:down=1h") as scene:
            await until(lambda: scene.firings)
            with pytest.raises(InvalidStatus) as refused:
                await websocket(scene).__aenter__()
            assert refused.value.response.status_code == 503
            scene.proxy.remove(scene.fault("rolling-restart"))
            async with joined(scene):
                pass

    run(test)


# Silence


@pytest.mark.parametrize("direction", ["down", "up"])
def test_ping_blackhole(direction: str) -> None:
    """WebSocket's pings and Engine.IO's vanish; probes and data do not."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        for sent in (
            frame(b"x", opcode=9, mask=False),
            *(frame(text, mask=False) for text in ("2", "2probe", "42[1]")),
        ):
            writer.write(sent)
        writer.write_eof()
        assert frame(b"", opcode=10)[:1] in await reader.read() or direction == "up"

    async def test() -> None:
        async with serving(serve) as url, proxied(url, f"ping-blackhole:direction={direction}") as scene:
            async with websocket_by_hand(scene.url) as (reader, writer):
                writer.write(frame(b"", opcode=10))
                writer.write_eof()
                came, _ = await rest_of(reader)
            pings = frame(b"x", opcode=9, mask=False) + frame("2", mask=False)
            data = frame("2probe", mask=False) + frame("42[1]", mask=False)
            assert came == (data if direction == "down" else pings + data)
            told = {"down": ["ping", "Engine.IO 2"], "up": ["pong"]}[direction]
            assert [one.detail for one in scene.firings] == told

    run(test)


def test_freeze_channel() -> None:
    """One channel is silent, what says its numbers included; all else goes on."""

    async def test() -> None:
        async with harmed("freeze-channel:symbol=BTC/USDT") as scene, joined(scene) as peer:
            await peer.emit("price:subscribe", SYMBOLS)
            scene.publish(3)
            scene.publish(3, "ETH/USDT")
            await peer.gather(lambda: len(peer.of(ETH)) >= 3)
            assert not [payload for _, payload in peer.events if payload.get("channel") == BTC]
            assert {one.channel for one in scene.firings} == {BTC}

    run(test)


def test_stall_is_over_when_its_time_is() -> None:
    """All that came meanwhile comes then, in order."""

    async def test() -> None:
        async with harmed() as scene, joined(scene) as peer:
            await subscribed(peer)
            scene.add("stall:for=150ms,direction=both")
            began = time.monotonic()
            scene.publish(5)
            await peer.gather(lambda: len(seqs(peer)) == 5)
            assert time.monotonic() - began >= 0.15
            assert seqs(peer) == sorted(seqs(peer))
            assert [(one.action, one.detail) for one in scene.firings] == [("stalled", "down"), ("stalled", "up")]

    run(test)


# Slowness


@pytest.mark.parametrize("fault", ["bandwidth:rate=20000", "slow-reader:rate=20000"])
def test_a_thin_line(fault: str) -> None:
    """Bytes come no faster than that, in slices; the end comes behind them."""
    sent = frame('42["x","' + "y" * 6000 + '"]', mask=False)

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        await reader.read(1)
        writer.write(sent)
        writer.write_eof()

    async def test() -> None:
        async with (
            serving(serve) as url,
            proxied(url, fault) as scene,
            websocket_by_hand(scene.url) as (reader, writer),
        ):
            writer.write(frame("x"))
            began = time.monotonic()
            assert await rest_of(reader) == (sent, "fin")
            assert time.monotonic() - began >= 0.2

    run(test)


def test_slow_reader_fills_the_servers_queue() -> None:
    """It is not read, and the little that the kernel takes is soon full; afterwards all comes."""
    sent, full = frame(b"z" * (12 << 20), mask=False), asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        await reader.read(1)
        writer.write(sent)
        if writer.transport.get_write_buffer_size() > 1 << 20:
            full.set()
        writer.write_eof()
        await reader.read()

    async def test() -> None:
        async with (
            serving(serve) as url,
            proxied(url, "slow-reader") as scene,
            websocket_by_hand(scene.url) as (reader, writer),
        ):
            writer.write(frame("x"))
            await asyncio.wait_for(full.wait(), 10)
            scene.proxy.remove(scene.fault("slow-reader"))
            assert await rest_of(reader) == (sent, "fin")

    run(test)


# Messages


@pytest.mark.parametrize("form", ["full", "compact"])
@pytest.mark.parametrize("mode", ["truncate", "flip", "type", "utf8", "stale"])
def test_corrupt(mode: str, form: str) -> None:
    """Each mode does what it says and no more; the same for the same seed."""

    async def test() -> None:
        async with harmed() as scene, raw_websocket(scene) as raw:
            await raw.read_frame()
            auth = json.dumps({"format": form})
            await raw.text(f"40{auth}", '420["price:subscribe",["BTC/USDT"]]')
            while not (await raw.read_frame())[1].startswith(b"430"):
                pass
            scene.add(f"corrupt:mode={mode},event=price:update,channel=symbol:*")
            scene.publish(3)
            for _ in range(3):
                check_damage(mode, (await raw.read_frame())[1])
            assert scene.actions() == ["corrupted"] * 3

    run(test)


def check_damage(mode: str, content: bytes) -> None:
    """Whether a content is damaged in a way, and in no other."""
    if mode == "utf8":
        with pytest.raises(UnicodeDecodeError):
            content.decode()
        json.loads(content.replace(b"\xff", b"")[2:])
        return
    text = content.decode()[2:]
    if mode == "truncate":
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            json.loads(text)
        return
    name, body = json.loads(text)
    assert name == PRICE_UPDATE
    usual = {"symbol": "BTC/USDT", "s": "BTC/USDT", "price": 1.5, "p": 1.5, "volume": 3.0, "v": 3.0, "bid": 1, "ask": 2}
    usual["channel"] = BTC
    time_key = "t" if "t" in body else "timestamp"
    strange = [key for key in body if body[key] != usual.get(key, body[key])]
    numbers = [key for key in body if key not in ("symbol", "s", "channel", "epoch", "e")]
    quoted = [key for key in numbers if isinstance(body[key], str)]
    old = abs(time.time() - 3600 - float(body[time_key]) / 1000) < 60
    assert (len(quoted) == 1) is (mode == "type")
    assert old is (mode == "stale")
    if mode == "flip":
        assert len(strange) <= 1
    if mode == "stale":
        assert strange == []


@pytest.mark.parametrize(
    ("content", "mode", "may_be"),
    [
        (b'42["x",{"a":true,"b":null}]', "flip", None),
        (b'42["x",{"c":"user:7:x","d":[1]}]', "type", None),
        (b'42["x",{"in":"{\\"a\\":1}"}]', "type", None),
        (b'42["x",{"a":-1.5e3}]', "type", rb'42\["x",{"a":"-1.5e3"}\]'),
        (b'{"checksum":-305419896}', "checksum", rb'{"checksum":-\d+}'),
        (b'{"a":1}', "checksum", None),
        (b'{"time":1700000000}', "stale", rb'{"time":1699996400}'),
        (b'{"ts":1700000000123456789}', "stale", rb'{"ts":1699996400123456789}'),
        (b'{"E":1700000000123,"t":1234567890}', "stale", rb'{"E":1699996400123,"t":1234567890}'),
        (b"[1]", "truncate", None),
        (b"", "utf8", rb"\xff"),
    ],
)
def test_what_can_be_damaged(content: bytes, mode: Mode, may_be: bytes | None) -> None:
    """Where there is nothing that could be, nothing is, and nothing counts."""
    for seed in range(10):
        damaged = _DAMAGE[mode](content, Random(seed))
        if may_be is None:
            assert damaged is None
        else:
            assert damaged != content
            assert re.fullmatch(may_be, damaged)


@pytest.mark.parametrize("form", ["full", "compact"])
def test_epoch_reset(form: str) -> None:
    """From one message on the numbers begin anew, in a new epoch; heartbeats and later subscribers go along."""

    async def test() -> None:
        async with harmed() as scene, joined(scene, format=form) as peer:
            await subscribed(peer)
            scene.publish(3)
            await peer.gather(lambda: len(peer.events) == 3)
            scene.add("epoch-reset:nth=3,start=0,snapshot=true,channel=symbol:BTC/USDT:ticker,name=anew")
            scene.publish(6)
            scene.publish(1, "ETH/USDT")
            await peer.gather(lambda: len(peer.events) == 10)
            got = [payload for _, payload in peer.events]
            seq, epoch, snapshot = ("seq", "epoch", "snapshot") if form == "full" else ("q", "e", "n")
            first = got[0][seq]
            assert [payload[seq] for payload in got[:9]] == [*range(first, first + 5), 0, 1, 2, 3]
            begun = got[0][epoch]
            assert [payload[epoch] for payload in got] == [begun] * 5 + [f"{begun}-anew"] * 4 + [begun]
            assert [payload.get(snapshot) for payload in got] == [None] * 5 + [1] + [None] * 4
            assert [(one.action, one.seq) for one in scene.firings] == [("reset", first + 5)]

    run(test)


def numbered(seq: int) -> bytes:
    """A message of one channel."""
    return frame(f'42["price:update",{{"channel":"symbol:A:ticker","seq":{seq}}}]', mask=False)


@pytest.mark.parametrize(
    ("fault", "actions"), [("reorder:flush=1h", ["held back", "not overtaken"]), ("delay:delay=50ms", ["held", "held"])]
)
def test_what_says_the_numbers_overtakes_nothing(fault: str, actions: list[str]) -> None:
    """A heartbeat before the message that it announces would make that look lost."""
    heartbeat = frame('42["channel:heartbeat",{"channel":"symbol:A:ticker","nextSeq":2}]', mask=False)

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.write(numbered(1) + heartbeat)
        writer.write_eof()

    async def test() -> None:
        async with serving(serve) as url, proxied(url, fault) as scene, websocket_by_hand(scene.url) as (reader, _):
            assert (await rest_of(reader))[0] == numbered(1) + heartbeat
            assert scene.actions() == actions

    run(test)


@pytest.mark.parametrize(
    ("faults", "came"),
    [
        (("reorder:nth=2,flush=50ms", "duplicate"), [1, 1, 3, 3, 2, 2, 4, 4]),
        (("duplicate", "reorder:nth=2,flush=50ms"), [1, 2, 1, 3, 2, 4, 3, 4]),
        (("reorder:nth=2,flush=50ms", "drop:nth=2"), [1, 2]),
        (("drop:nth=2", "reorder:nth=2,flush=50ms"), [1, 3]),
        (("duplicate:nth=4", "close:nth=4"), [1, 2, 3]),
    ],
)
def test_faults_one_behind_another(faults: tuple[str, ...], came: list[int]) -> None:
    """Each sees what those before it let through, in that order."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.write(b"".join(map(numbered, range(1, 5))))
        writer.write_eof()

    async def test() -> None:
        async with serving(serve) as url, proxied(url, *faults) as scene, websocket_by_hand(scene.url) as (reader, _):
            got = (await rest_of(reader))[0]
            assert got.removesuffix(build(CLOSE, (1001).to_bytes(2), mask=False).raw) == b"".join(map(numbered, came))

    run(test)


def test_attachments_fall_with_their_message() -> None:
    """All or none of it; twice, all of it twice."""
    head, attached = frame('451-["price:update",{"_placeholder":true,"num":0}]', mask=False), frame(b"a", mask=False)
    other = frame('42["other"]', mask=False)

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        for sent in (head, attached, other) * 3:
            writer.write(sent)
            await writer.drain()
        writer.write_eof()

    async def test() -> None:
        async with (
            serving(serve) as url,
            proxied(url, "drop:event=price:*,nth=2", "duplicate:event=price:*,nth=2") as scene,
        ):
            async with websocket_by_hand(scene.url) as (reader, _):
                assert (await rest_of(reader))[0] == (head + attached + other) + other + (head + attached) * 2 + other
            assert scene.actions() == ["dropped", "duplicated"]

    run(test)


@pytest.mark.parametrize(
    ("options", "struck"),
    [
        ("event=price:*", [0, 1]),
        ("event=price:update", [0, 1]),
        ("channel=symbol:*:ticker", [0, 1]),
        ("channel=symbol:ETH/USDT:ticker", [1]),
        ("symbol=BTC/USDT", [0, 2]),
        ("symbol=BTC/USDT,event=trade:*", [2]),
        ("kind=ack", [4]),
        ("kind=join", [5]),
        ("kind=transport", [6, 7]),
        ("kind=heartbeat", [8]),
        ("kind=other", [9]),
        ("direction=up", []),
        ("", [0, 1, 2, 3]),
        ("nth=2,times=1", [1]),
    ],
)
def test_whom_a_fault_means(options: str, struck: list[int]) -> None:
    """By event, channel, symbol, kind and direction; transport, acks and joins are spared unless asked for."""
    price, trade = (
        '42["price:update",{"channel":"symbol:%s:ticker","seq":1}]',
        '42["trade:update",{"channel":"symbol:%s:trades"}]',
    )
    texts = [
        *(price % "BTC/USDT", price % "ETH/USDT", trade % "BTC/USDT", '42/ns,["announcement"]'),
        *('431[{"ok":true}]', "41", "2", '0{"sid":"x"}', '42["channel:heartbeat",{"channel":"c"}]', "4?"),
    ]

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.write(b"".join(frame(text, mask=False) for text in texts))
        writer.write_eof()

    async def test() -> None:
        async with serving(serve) as url, proxied(url, f"drop:{options}") as scene:
            async with websocket_by_hand(scene.url) as (reader, _):
                left = [frame(text, mask=False) for at, text in enumerate(texts) if at not in struck]
                assert (await rest_of(reader))[0] == b"".join(left)
            assert len(scene.firings) == len(struck)

    run(test)


def test_a_raw_dialect() -> None:
    """An exchange's own messages, by its own names."""
    trades = [
        {"stream": f"{symbol}@aggTrade", "data": {"e": "aggTrade", "E": 1, "s": symbol.upper(), "a": number, "p": "1"}}
        for number, symbol in enumerate(("btcusdt", "ethusdt", "btcusdt"), 1)
    ]
    answer = '{"result":null,"id":1}'
    texts = [answer, *map(json.dumps, trades)]

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        await reader.readexactly(20)
        writer.write(b"".join(frame(text, mask=False) for text in texts))
        writer.write_eof()

    async def test() -> None:
        fault = "drop:channel=btcusdt@*"
        async with serving(serve) as url, proxied(url, fault, dialect=spoken("binance")) as scene:
            async with websocket_by_hand(scene.url, target="/stream") as (reader, writer):
                writer.write(frame('{"method":"SUBSCRIBE","params":["btcusdt@aggTrade"],"id":1}'))
                assert (await rest_of(reader))[0] == b"".join(frame(texts[at], mask=False) for at in (0, 2))
            assert [(one.channel, one.event) for one in scene.firings] == [("btcusdt@aggTrade", "aggTrade")] * 2
            with pytest.raises(
                UsageError, match=r"renumbers the platform's messages; those of binance it does not know"
            ):
                scene.add("epoch-reset")

    run(test)


# Asking for them


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("drop", {"for": "2s", "every": "1s"}, "for 2 s every 1 s has no end; expected every to be longer"),
        ("close", {"code": 1006}, "close code 1006 never stands on the wire; the fault cut ends without one"),
        ("close", {"reason": "x" * 124}, "a close reason of 124 bytes; expected at most 123"),
        ("rolling-restart", {"code": 1015}, "close code 1015 never stands on the wire"),
        ("freeze-channel", {}, "freeze-channel freezes a channel; expected channel or symbol"),
        ("limit", {}, "limit limits nothing; expected connections, attempts, messages or streams"),
        ("limit", {"for": "2s", "every": "1s", "attempts": 1}, "for 2 s every 1 s has no end"),
    ],
)
def test_what_cannot_be_asked_for(kind: str, options: dict[str, Any], error: str) -> None:
    with pytest.raises(UsageError, match=error):
        asked(kind, options)


def test_two_of_one_name() -> None:
    """Nothing changes where one of several cannot be had."""

    async def test() -> None:
        async with harmed("drop") as scene:
            before = scene.proxy.faults
            with pytest.raises(UsageError, match="there is a fault 'drop' already"):
                scene.add("drop")
            with pytest.raises(UsageError, match="2 faults are called 'noop'"):
                scene.proxy.populate([asked("noop", {}), asked("noop", {})])
            assert scene.proxy.faults == before

    run(test)


# When


def test_when_a_fault_is_on() -> None:
    """From `at` on, for as long as it lasts, again and again; it holds nothing back in between."""

    async def test() -> None:
        async with harmed() as scene, joined(scene) as peer:
            await subscribed(peer)
            fault = scene.add("stall:at=50ms,for=50ms,every=100ms")
            assert not fault.is_on
            for _ in range(3):
                await until(lambda: fault.is_on)
                scene.publish(1)
                await until(lambda: not fault.is_on)
                scene.publish(1)
            await peer.gather(lambda: len(seqs(peer)) == 6)
            assert seqs(peer) == sorted(seqs(peer))
            assert len(scene.firings) >= 3

    run(test)


def test_a_fault_is_there_from_the_first_byte() -> None:
    """What is to be dropped is dropped even where it comes with the answer to the handshake."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await head_of(reader)
        writer.write(SWITCHING + build(TEXT, b'42["x"]', mask=False).raw)
        writer.write_eof()

    async def test() -> None:
        async with serving(serve) as url, proxied(url, "drop") as scene, websocket_by_hand(scene.url) as (reader, _):
            assert await rest_of(reader) == (b"", "fin")
            assert scene.actions() == ["dropped"]

    run(test)
