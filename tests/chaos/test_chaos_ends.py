"""Ends are handed on as they are and after what was said; memory is bounded meanwhile, and nothing stays."""

import asyncio
import gc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import pytest
import uvloop

from tests.chaos.proxied import Scene, harmed, proxied
from tests.chaos.upstreams import Reader, Writer, dialled, rest_of, serving, take_websocket, websocket_by_hand
from tests.server.served import HANDSHAKE, WEBSOCKET, armed, frame, raw_websocket, run, tcp, until
from wsctl.chaos import side, stream
from wsctl.chaos.firing import Firing
from wsctl.server.sockets import linger

LAST = frame('42["last"]', mask=False)
CLOSE = frame((1000).to_bytes(2), opcode=8, mask=False)
GOOD_BYE = frame((1000).to_bytes(2), opcode=8)
LOOPS = pytest.mark.parametrize("loop", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


async def by_fin(writer: Writer) -> None:
    """Say no more, and listen on."""
    writer.write_eof()


async def by_rst(writer: Writer) -> None:
    """Vanish."""
    await writer.drain()
    linger(writer.transport)
    writer.transport.abort()


ENDS = pytest.mark.parametrize(("how", "kind"), [(by_fin, "fin"), (by_rst, "rst")])
HELD = pytest.mark.parametrize(
    "faults", [(), ("delay:delay=100ms",), ("reorder:flush=100ms",)], ids=["", "delay", "reorder"]
)


@LOOPS
@ENDS
@HELD
def test_the_servers_end(
    how: Callable[[Writer], Awaitable[None]], kind: str, faults: tuple[str, ...], loop: object
) -> None:
    """It reaches the client as what it is, behind the last words, also those that a fault holds."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.write(LAST)
        await how(writer)
        await reader.read()

    async def test() -> None:
        async with serving(serve) as url, proxied(url, *faults) as scene:
            async with websocket_by_hand(scene.url) as (reader, _):
                assert await rest_of(reader) == (LAST, kind)
            await until(lambda: not scene.proxy.connections)

    run(test, loop)


@LOOPS
@ENDS
@HELD
def test_the_clients_end(
    how: Callable[[Writer], Awaitable[None]], kind: str, faults: tuple[str, ...], loop: object
) -> None:
    """The same the other way."""
    said = frame('42["last"]')
    got: list[tuple[bytes, str]] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        got.append(await rest_of(reader))

    async def test() -> None:
        up = [f"{fault},direction=up" for fault in faults]
        async with serving(serve) as url, proxied(url, *up) as scene:
            async with websocket_by_hand(scene.url) as (_, writer):
                writer.write(said)
                await how(writer)
                await until(lambda: got)
            assert got == [(said, kind)]
            await until(lambda: not scene.proxy.connections)

    run(test, loop)


@HELD
def test_a_close_frame_waits_for_what_is_held(faults: tuple[str, ...]) -> None:
    """It would be the end of a client that has not heard all."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.write(LAST + CLOSE)
        assert (await rest_of(reader))[0] == GOOD_BYE

    async def test() -> None:
        async with (
            serving(serve) as url,
            proxied(url, *faults) as scene,
            websocket_by_hand(scene.url) as (reader, writer),
        ):
            assert await reader.readexactly(len(LAST + CLOSE)) == LAST + CLOSE
            writer.write(GOOD_BYE)
            writer.write_eof()
            assert await rest_of(reader) == (b"", "fin")

    run(test)


def test_a_stall_hides_the_end() -> None:
    """Until it is over: that is what half-open means."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        await reader.readexactly(len(frame("bye")))
        writer.write(LAST)

    async def test() -> None:
        async with serving(serve) as url, proxied(url) as scene:
            async with websocket_by_hand(scene.url) as (reader, writer):
                fault = scene.add("stall")
                writer.write(frame("bye"))  # the other direction goes on
                await until(lambda: scene.proxy.passed["up"])
                rest = asyncio.ensure_future(rest_of(reader))
                async with websocket_by_hand(scene.url) as (_, other):  # as long as this takes, nothing comes
                    other.write(frame("bye"))
                    await until(lambda: scene.proxy.passed["up"] == 2)
                assert not rest.done()
                scene.proxy.remove(fault)
                assert await rest == (LAST, "fin")
            assert [(firing.action, firing.detail) for firing in scene.firings] == [("stalled", "down")] * 2

    run(test)


# Memory


@pytest.mark.parametrize("fault", ["", "noop", "delay:delay=2ms"])
def test_a_client_that_does_not_read_is_felt(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server can say no more once buffers are full, the kernel's included; afterwards all of it comes."""
    monkeypatch.setattr(side, "HIGH_WATER", 64 * 1024)
    monkeypatch.setattr(stream, "MAX_HELD", 64 * 1024)
    message, much = frame('42["x","' + "y" * 30_000 + '"]', mask=False), 20_000
    written = 0
    blocked = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        nonlocal written
        await take_websocket(reader, writer)
        while not blocked.is_set():
            assert written < much, "it can say whatever it likes"
            writer.write(message)
            written += 1
            try:
                async with asyncio.timeout(0.3):
                    await writer.drain()
            except TimeoutError:
                blocked.set()
        writer.write_eof()
        await reader.read()

    async def test() -> None:
        async with (
            serving(serve) as url,
            proxied(url, *[fault] if fault else []) as scene,
            websocket_by_hand(scene.url) as (reader, _),
        ):
            [one] = scene.proxy.connections.values()
            assert one.down is not None
            await asyncio.wait_for(blocked.wait(), 20)
            assert one.down._held_size <= 2 * 64 * 1024 + 2 * side.HIGH_WATER
            assert one.lower.transport.get_write_buffer_size() < 1 << 20
            assert len((await rest_of(reader))[0]) == written * len(message)

    run(test)


def test_what_a_fault_holds_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past that its source is read no further, until some goes on."""
    monkeypatch.setattr(stream, "MAX_HELD", 100_000)
    message, count = frame('42["x","' + "y" * 30_000 + '"]', mask=False), 1000

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.write(message * count)
        writer.write_eof()
        await reader.read()

    async def test() -> None:
        async with (
            serving(serve) as url,
            proxied(url, "delay:delay=1h") as scene,
            websocket_by_hand(scene.url) as (reader, _),
        ):
            [one] = scene.proxy.connections.values()
            assert one.down is not None
            await until(lambda: one.upper is not None and one.upper._holders)
            assert one.down._held_size < 100_000 + side.HIGH_WATER * 2
            scene.proxy.remove(scene.fault("delay"))
            assert await rest_of(reader) == (message * count, "fin")

    run(test)


def test_a_client_that_says_much_before_it_is_let_in() -> None:
    """It is read no further than it may be kept."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        await reader.read()

    async def test() -> None:
        async with (
            serving(serve) as url,
            proxied(url, "slow-open:delay=1h") as scene,
            dialled(scene.url) as (_, writer),
        ):
            writer.write(HANDSHAKE.format(target="/", more="").encode())
            await until(lambda: scene.firings)
            writer.transport.set_write_buffer_limits(high=0)
            writer.write(frame(b"x" * (64 << 20)))
            [task] = scene.proxy._tasks
            lower = task.get_coro().cr_frame.f_locals["self"].lower
            await until(lambda: lower._holders)
            assert len(lower._buffer) < 4 * side.HIGH_WATER

    run(test)


# Nothing stays


async def politely(scene: Scene) -> None:
    async with websocket_by_hand(scene.url, target=WEBSOCKET) as (reader, writer):
        writer.write(GOOD_BYE)
        await rest_of(reader)


async def without_a_word(scene: Scene) -> None:
    async with websocket_by_hand(scene.url, target=WEBSOCKET):
        pass


async def by_reset(scene: Scene) -> None:
    async with websocket_by_hand(scene.url, target=WEBSOCKET) as (_, writer):
        linger(writer.transport)


async def with_messages_held(scene: Scene) -> None:
    faults = [scene.add(f"{fault}") for fault in ("delay:delay=1h", "reorder:flush=1h", "slow-open:what=open-packet")]
    async with raw_websocket(scene) as raw:
        await until(lambda: scene.firings)
        scene.firings.clear()
        del raw
    await until(lambda: not scene.proxy.connections)
    for fault in faults:
        assert not vars(fault).get("_due", vars(fault).get("_waiting"))
        scene.proxy.remove(fault)


async def closed_by_a_fault(scene: Scene) -> None:
    async with raw_websocket(scene) as raw:
        scene.proxy.remove(scene.add("close:code=1012"))
        assert await raw.close_code() == 1012


async def cut_by_a_fault(scene: Scene) -> None:
    for how in ("rst", "fin", "half-close"):
        async with raw_websocket(scene) as raw:
            scene.proxy.remove(scene.add(f"cut:how={how}"))
            await raw.ended()


async def turned_away(scene: Scene) -> None:
    fault = scene.add("reject")
    async with tcp(scene) as raw:
        await raw.send(HANDSHAKE.format(target="/", more="").encode())
        await raw.ended()
    scene.proxy.remove(fault)
    assert not fault._chances


async def refused_by_the_upstream(scene: Scene) -> None:
    async with tcp(scene) as raw:
        await raw.send(HANDSHAKE.format(target="/nothing", more="").encode())
        await raw.read_head()


async def by_polling(scene: Scene) -> None:
    async with tcp(scene) as raw:
        await raw.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await raw.read_head()


async def throttled(scene: Scene) -> None:
    fault = scene.add("bandwidth:rate=100000")
    async with raw_websocket(scene) as raw:
        await raw.read_frame()
    scene.proxy.remove(fault)


WAYS = [
    *(politely, without_a_word, by_reset, with_messages_held, closed_by_a_fault, cut_by_a_fault),
    *(turned_away, refused_by_the_upstream, by_polling, throttled),
]


@pytest.fixture
def without_collector() -> Iterator[None]:
    """No garbage is collected meanwhile."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def kept() -> Counter[str]:
    """Live objects of what connections are made of, by type."""
    kinds = (type(one) for one in gc.get_objects() if not isinstance(one, Firing))
    return Counter(kind.__qualname__ for kind in kinds if str(kind.__module__).startswith("wsctl.chaos."))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.usefixtures("without_collector")
def test_nothing_is_left_for_the_collector(way: Callable[[Scene], Awaitable[None]]) -> None:
    """However one leaves: reference counts free all that the proxy had of it, and no timer runs on."""

    async def test() -> None:
        async with harmed() as scene:
            tasks = len(asyncio.all_tasks())

            def is_empty() -> bool:
                return not scene.proxy._tasks and not scene.platform.sockets

            await way(scene)
            await until(is_empty)
            before = kept()
            for _ in range(3):
                await way(scene)
            await until(is_empty)
            await asyncio.sleep(0)
            assert kept() - before == Counter()
            assert len(asyncio.all_tasks()) == tasks
            assert not [timer for timer in armed() if "chaos" in repr(timer)]

    run(test)
