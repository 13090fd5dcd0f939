"""permessage-deflate on real sockets: what is agreed, one frame for everybody, and nobody the worse for it."""

import asyncio
import json
import random
import shutil
import string
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from served import (
    BTC,
    HANDSHAKE,
    WEBSOCKET,
    Conversation,
    WebSocketPeer,
    event_of,
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
from test_slow_reader import FEED, Judge, caught_up, only, sleep_through
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate

from wsctl.server import hub as hub_module
from wsctl.server import limits
from wsctl.server.app import MockFeed

AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
SCRIPTS = Path(__file__).parents[1] / "node"
QUIET: dict[str, Any] = {"rate": 0.01, "compress": True}


@asynccontextmanager
async def deflated(running: MockFeed, bits: int | None = None, **auth: Any) -> AsyncIterator[WebSocketPeer]:
    """A client in the namespace that asked for compression, with a window of so many bits."""
    extensions = [ClientPerMessageDeflateFactory(server_max_window_bits=bits)]
    async with websocket(running, extensions=extensions) as peer:
        await peer.answer(lambda packet: packet.startswith("0{"))
        assert isinstance(peer.ws.protocol.extensions[0], PerMessageDeflate)
        yield await peer.join(**auth)


async def negotiated(running: MockFeed, offer: str | None) -> str | None:
    """What the server agrees to when it is offered something."""
    async with tcp(running) as raw:
        more = "" if offer is None else f"Sec-WebSocket-Extensions: {offer}\r\n"
        await raw.send(HANDSHAKE.format(target=WEBSOCKET, more=more).encode())
        head = await raw.read_head()
        assert head.startswith("HTTP/1.1 101")
        found = [line.partition(": ")[2] for line in head.splitlines() if line.startswith("Sec-WebSocket-Extensions")]
        return found[0] if found else None


OFFERS: list[tuple[str | None, str | None]] = [
    (None, None),
    ("permessage-deflate", AGREED),
    ("permessage-deflate; client_max_window_bits", AGREED),
    ("permessage-deflate; server_max_window_bits=10", f"{AGREED}; server_max_window_bits=10"),
    ("permessage-deflate; client_max_window_bits=9", f"{AGREED}; client_max_window_bits=9"),
    ("permessage-deflate; server_max_window_bits=8", None),  # zlib cannot
    ("permessage-deflate; server_max_window_bits=8, permessage-deflate", AGREED),
    ("permessage-deflate; server_max_window_bits=16", None),
    ("permessage-deflate; unheard_of", None),
    ("x-webkit-deflate-frame", None),
]


def test_what_is_agreed() -> None:
    """No context is kept on either side; an offer that cannot be met is left out, and the connection goes on plain."""

    async def test() -> None:
        async with feed(**QUIET) as running:
            for offer, answer in OFFERS:
                assert await negotiated(running, offer) == answer, offer
        async with feed(rate=0.01) as running:
            assert await negotiated(running, "permessage-deflate") is None

    run(test)


def test_one_compressed_frame_serves_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event is framed once for plain clients and once per window size, however many listen, and fanned out as is."""
    framed: Counter[tuple[str, int | None]] = Counter()
    frames: dict[tuple[str, int | None], bytes] = {}
    original = hub_module.text_frame

    def count(text: str, window_bits: int | None) -> bytes:
        framed[text, window_bits] += 1
        frames[text, window_bits] = original(text, window_bits)
        return frames[text, window_bits]

    monkeypatch.setattr(hub_module, "text_frame", count)

    async def test() -> None:
        async with (
            feed(rate=50.0, compress=True) as running,
            deflated(running) as one,
            deflated(running) as two,
            deflated(running) as three,
            deflated(running, bits=10) as small,
            joined(running) as plain,
        ):
            peers = (one, two, three, small, plain)
            for peer in peers:
                await peer.emit("channel:subscribe", [BTC])
            framed.clear()
            await asyncio.gather(*(peer.gather(lambda p=peer: len(p.of(BTC)) > 10) for peer in peers))  # type: ignore[misc]
            running.prices.pause()
            assert set(framed.values()) == {1}
            assert {bits for _, bits in framed} == {None, 10, 15}
            for (text, bits), data in frames.items():
                assert data[0] == (0x81 if bits is None else 0xC1)  # RSV1: compressed
                if bits is not None:
                    assert len(data) < len(text)

    run(test)


def facts(peer: Conversation) -> list[tuple[int, float]]:
    """Sequence number and price of every update of one channel, in either form."""
    found = []
    for _, payload in peer.events:
        if isinstance(payload, dict) and not {"snapshot", "n"} & payload.keys():
            if payload.get("channel") == BTC and "price" in payload:
                found.append((payload["seq"], payload["price"]))
            elif payload.get("s") == "BTC/USDT":
                found.append((payload["q"], payload["p"]))
    return found


def test_a_mixed_audience() -> None:
    """Compressed, plain, compact, both, and polling: all are told the same, without a gap, and nothing else."""

    async def test() -> None:
        async with (
            feed(rate=100.0, compress=True) as running,
            deflated(running) as one,
            deflated(running, format="compact") as two,
            deflated(running, bits=9) as three,
            joined(running) as four,
            joined(running, format="compact") as five,
            polling(running) as six,
        ):
            peers = (one, two, three, four, five, await six.join())
            for peer in peers:
                await peer.emit("price:subscribe", "BTC/USDT")
            first = running.platform.hub.channels[BTC].seq + 1
            await asyncio.gather(
                *(peer.gather(lambda p=peer: facts(p) and facts(p)[-1][0] > first + 20) for peer in peers)  # type: ignore[misc]
            )
            told = [{seq: price for seq, price in facts(peer) if first <= seq <= first + 20} for peer in peers]
            assert list(told[0]) == list(range(first, first + 21))
            assert all(other == told[0] for other in told)
            # what goes to one client alone is compressed as well, and ends as it was
            for peer in peers:
                assert (await peer.emit("time:sync"))["ok"]

    run(test)


@pytest.mark.parametrize("bits", [9, 10, 12, 15])
def test_a_window_is_kept_to(bits: int) -> None:
    """A client with a small window can inflate what repeats beyond it, from the fan-out and sent to it alone."""
    text = "".join(random.Random(7).choices(string.ascii_letters, k=20_000)) * 2

    async def test() -> None:
        async with feed(**QUIET) as running, deflated(running, bits=bits) as peer:
            assert peer.ws.protocol.extensions[0].remote_max_window_bits == bits
            await peer.emit("channel:subscribe", "announcement")
            running.platform.hub.publish("announcement", "announcement", {"id": 1, "title": "long", "body": text})
            assert (await peer.event("announcement"))["body"] == text
            only(running).send_event("alone", text)
            assert await peer.event("alone") == text

    run(test)


def test_an_upgrade_to_a_compressed_websocket() -> None:
    """At 200 messages a second the sequence across the upgrade has no gap, no repeat, no swap."""

    async def test() -> None:
        async with feed(rate=200.0, compress=True) as running, polling(running) as peer:
            await peer.join()
            await peer.emit("channel:subscribe", [BTC])
            await peer.gather(lambda: len(peer.of(BTC)) > 20)
            target = f"{WEBSOCKET}&sid={peer.handshake['sid']}"
            async with websocket(running, target, compression="deflate") as upgraded:
                polls = asyncio.create_task(peer.more())
                await upgraded.send("2probe")
                assert await upgraded.ws.recv() == "3probe"
                await polls
                await upgraded.send("5")
                await upgraded.gather(lambda: len(upgraded.of(BTC)) > 50)
                assert only(running).encoding.window_bits == 15
                seqs = [payload["seq"] for payload in peer.of(BTC) + upgraded.of(BTC)]
                assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))

    run(test)


def test_a_slow_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind compressed frames, too: bounded, what was left out is declared, the newest follows, the ledger is true."""
    monkeypatch.setattr(limits, "WRITE_LIMIT", 64 * 1024)

    async def test() -> None:
        async with (
            feed(**FEED, compress=True) as running,
            raw_websocket(running, more="Sec-WebSocket-Extensions: permessage-deflate\r\n", receive_buffer=4096) as raw,
        ):
            channels = ["price:public", "symbol:BTC/USDT:ticker", "symbol:ETH/USDT:trades"]
            await raw.text("40", f'42["channel:subscribe",{json.dumps(channels)}]')
            await until(lambda: running.platform.clients and len(only(running).channels) == len(channels))
            await sleep_through(running, only(running))
            judge = Judge()

            async def take() -> None:
                _, data = await raw.read_frame()
                text = zlib.decompressobj(-15).decompress(data + b"\0\0\xff\xff").decode()
                if (event := event_of(text)) is not None:
                    judge.take(*event)

            while not judge.check.metrics().get("ordering.skipped") or only(running)._stall_timer is not None:
                await take()
            running.prices.pause()
            last = {name: running.platform.hub.channels[name].seq + 1 for name in channels}
            while not caught_up(judge, last, only(running)):
                await take()
            judge.judge(running, channels)

    run(test)


# What a client sends


def deflate(data: bytes) -> bytes:
    """A compressed text frame, masked."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
    plain = bytearray(frame(packed[:-4], opcode=1))
    plain[0] |= 0x40
    return bytes(plain)


def test_bombs_and_rubbish() -> None:
    """A message is measured as it is once inflated (1009); what cannot be inflated ends in 1002 or 1007."""
    ends = [
        (deflate(b"4" + b"x" * 50_000_000), 1009),
        (deflate(b"4" + b"x" * 1000), 1009),
        (b"\xc1\x85\0\0\0\0\xff\xff\xff\xff\xff", 1002),
        (b"\xe1\x80\0\0\0\0", 1002),  # RSV2
        (b"\xc9\x80\0\0\0\0", 1002),  # a compressed ping
    ]

    async def test() -> None:
        async with feed(**QUIET, max_payload=1000) as running, deflated(running) as other:
            for data, code in ends:
                async with raw_websocket(running, more="Sec-WebSocket-Extensions: permessage-deflate\r\n") as raw:
                    await raw.send(data)
                    assert await raw.close_code() == code, data[:20]
            assert (await other.emit("time:sync"))["ok"]

    run(test)


def test_a_compressed_message_of_just_the_limit() -> None:
    """A message of exactly maxPayload bytes is taken, compressed or not."""

    async def test() -> None:
        async with feed(**QUIET, max_payload=1000) as running, deflated(running) as peer:
            await peer.send('420["time:sync","' + "x" * 981 + '"]')
            await peer.answer(lambda answer: answer.startswith("430["))

    run(test)


def test_node() -> None:
    """Node's ws with perMessageDeflate reads every update in turn."""
    node = shutil.which("node")
    if node is None or not (SCRIPTS / "node_modules" / "ws").exists():
        pytest.skip("no Node, or its packages are not installed: make test installs them")

    async def test() -> None:
        async with feed(rate=100.0, compress=True) as running:
            process = await asyncio.create_subprocess_exec(
                str(node),
                str(SCRIPTS / "deflate.mjs"),
                running.url.replace("http", "ws", 1) + WEBSOCKET,
                "BTC/USDT",
                "50",
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await process.communicate()
            assert (process.returncode, err.decode()) == (0, "")
            told = json.loads(out)
            assert "permessage-deflate" in told["extensions"]
            assert told["seqs"] == list(range(told["seqs"][0], told["seqs"][0] + 50))
            await until(lambda: not running.platform.connections)

    run(test)
