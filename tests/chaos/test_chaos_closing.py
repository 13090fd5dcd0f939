"""Faults that end connections, one by one and many at once: what each side is told, who is hit, who gets in again."""

import asyncio
from contextlib import AsyncExitStack

import pytest
import uvloop
from websockets.exceptions import InvalidStatus

from tests.chaos.proxied import harmed, proxied, seqs, subscribed, upstream
from tests.chaos.upstreams import Reader, Writer, rest_of, serving, take_websocket, websocket_by_hand
from tests.server.served import (
    BTC,
    ETH,
    HANDSHAKE,
    POLLING,
    WEBSOCKET,
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
from wsctl.wire.frames import CLOSE, build

# One by one


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
                await until(lambda: both.applied == 3 and second.is_up)
            assert scene.actions() == ["taken away", "closed", "taken away", "closed", "closed"]

    run(test)


def test_a_restart_with_no_other_upstream() -> None:
    """Who comes meanwhile is told so; the fault taken away, it is up."""

    async def test() -> None:
        async with harmed("rolling-restart:down=1h") as scene:
            await until(lambda: scene.firings)
            assert scene.fault("rolling-restart").applied == 0  # nobody was there
            with pytest.raises(InvalidStatus) as refused:
                await websocket(scene).__aenter__()
            assert refused.value.response.status_code == 503
            scene.proxy.remove(scene.fault("rolling-restart"))
            async with joined(scene):
                pass

    run(test)
