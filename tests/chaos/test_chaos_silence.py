"""Faults that withhold and slow down: heartbeats, a channel, whole streams."""

import asyncio
import socket
import time

import pytest

from tests.chaos.proxied import harmed, proxied, seqs, subscribed
from tests.chaos.upstreams import Reader, Writer, rest_of, serving, take_websocket, websocket_by_hand
from tests.server.served import BTC, ETH, SYMBOLS, frame, joined, run, until


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
            await peer.emit("price:subscribe", list(SYMBOLS))
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
            began = time.monotonic()
            scene.add("stall:for=150ms,direction=both")
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
    """It is not read: what it says stays with it, whatever the kernel takes; afterwards all comes."""
    sent, writers = frame(b"z" * (12 << 20), mask=False), list[Writer]()

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        await reader.readexactly(1)
        writers.append(writer)
        writer.write(sent)
        writer.write_eof()
        await reader.read()

    async def test() -> None:
        async with (
            serving(serve) as url,
            proxied(url, "slow-reader:times=1") as scene,
            websocket_by_hand(scene.url) as (slow, slow_writer),
            websocket_by_hand(scene.url) as (reader, writer),
        ):
            slow_writer.write(frame("x"))
            all_of_it = asyncio.ensure_future(rest_of(slow))
            await until(lambda: writers)
            writer.write(frame("x"))
            assert await rest_of(reader) == (sent, "fin")  # as long as this takes, the slow one gets nothing
            assert writers[0].transport.get_write_buffer_size() > 1 << 20
            scene.proxy.remove(scene.fault("slow-reader"))
            assert await all_of_it == (sent, "fin")

    run(test)
