"""Each fault there is: it strikes n of n, nothing when it is off, and decides alike twice under one seed.

A row says how a fault is asked for; a new fault needs one. What each does to whom it strikes, other tests show.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest

from tests.chaos.proxied import Scene, proxied
from tests.chaos.upstreams import Reader, Writer, serving, take_websocket
from tests.server.served import HANDSHAKE, Raw, frame, run, tcp, until
from wsctl.chaos.faults import FAULTS
from wsctl.wire.frames import CLOSE, PING, TEXT

CLIENTS = 8
PRICES = 10
"""of each of two channels, as many heartbeats of Engine.IO, and as many pings"""
HEARD = [
    (TEXT, b'0{"sid":"x"}'),
    *(
        one
        for seq in range(1, PRICES + 1)
        for one in (
            *(
                (TEXT, b'42["price:update",{"channel":"symbol:%b:ticker","epoch":"e","seq":%d}]' % (symbol, seq))
                for symbol in (b"BTC/USDT", b"ETH/USDT")
            ),
            (TEXT, b"2"),
            (PING, b"%d" % seq),
        )
    ),
    (CLOSE, (1000).to_bytes(2)),
]
"""what the upstream says to whoever says something, and what a client hears that is not harmed"""
SAID = ("4?", *['42["time:sync"]'] * 8)
GOOD_BYE = frame((1000).to_bytes(2), opcode=CLOSE)


class Row(NamedTuple):
    """How a fault strikes all there is, and what the log says then; and how it is left to chance, if it can be."""

    fault: str
    struck: Mapping[str, int]
    chance: str | None
    at_door: bool = False
    """who is in already does not meet it"""
    silences: bool = False
    """whom it strikes hears nothing until it is taken away"""


ALL = CLIENTS
EVENTS = 2 * PRICES * CLIENTS
ROWS = (
    Row("bandwidth:rate=1000000", {"narrowed": ALL}, "p_connection=0.5"),
    Row("close", {"closed": ALL}, "p_connection=0.5"),
    Row("close:code=1012,symbol=ETH/USDT", {"closed": ALL}, "p=0.05"),
    Row("corrupt:mode=flip", {"corrupted": EVENTS}, "p=0.5"),
    Row("cut:how=fin", {"cut": ALL}, "p_connection=0.5"),
    Row("cut:how=fin,symbol=BTC/USDT", {"cut": ALL}, "p=0.05"),
    Row("delay:delay=5ms,kind=event", {"held": EVENTS}, "p=0.5"),
    Row("drop", {"dropped": EVENTS}, "direction=both,p=0.5"),
    Row("duplicate", {"duplicated": EVENTS}, "p=0.5"),
    Row("epoch-reset", {"reset": 2 * CLIENTS}, "p=0.3"),
    Row("flash:outage=0", {"cut": ALL}, "percent=50"),
    Row("freeze-channel:symbol=BTC/USDT", {"withheld": PRICES * CLIENTS}, "p_connection=0.5"),
    Row("limit:messages=5", {"closed": ALL}, "p_connection=0.5"),
    Row("limit:attempts=2,window=1h", {"rejected": CLIENTS - 2}, "p_connection=0.5", at_door=True),
    Row("noop", {"seen": EVENTS}, "p=0.5"),
    Row("ping-blackhole", {"withheld": EVENTS}, "p=0.5"),
    Row("reject:status=429", {"rejected": ALL}, "p=0.5", at_door=True),
    Row("reorder:flush=50ms", {"held back": PRICES * CLIENTS}, "p=0.3"),
    Row("rolling-restart:down=1h", {"taken away": 1, "closed": ALL}, None),
    Row("slow-open:delay=1ms", {"slowed": ALL}, "p=0.5", at_door=True),
    Row("slow-open:delay=1ms,what=open-packet", {"slowed": ALL}, "p=0.5"),
    Row("slow-reader", {"slowed": ALL}, "p_connection=0.5", silences=True),
    Row("stall", {"stalled": ALL}, "direction=both,p_connection=0.5", silences=True),
)


async def answer(reader: Reader, writer: Writer) -> None:
    """The upstream."""
    await take_websocket(reader, writer)
    await reader.readexactly(1)
    writer.write(b"".join(frame(data, opcode=opcode, mask=False) for opcode, data in HEARD))
    await reader.read()


async def knock(raw: Raw) -> bool:
    """Ask to be let in; whether one is."""
    await raw.send(HANDSHAKE.format(target="/", more="").encode())
    return (await raw.read_head()).startswith("HTTP/1.1 101 ")


async def listen(raw: Raw) -> list[tuple[int, bytes]]:
    """Speak, and hear all until the end: opcodes and contents."""
    heard = []
    try:
        await raw.text(*SAID)
        while True:
            heard.append(await raw.read_frame())
            if heard[-1][0] == CLOSE:
                raw.writer.write(GOOD_BYE)
                raw.writer.write_eof()
    except (asyncio.IncompleteReadError, ConnectionError):
        return heard


def with_more(fault: str, more: str) -> str:
    """A fault with more options."""
    return f"{fault}{',' if ':' in fault else ':'}{more}"


class Round(NamedTuple):
    """What became of clients that came one after another."""

    told: dict[tuple[str | None, str | None], list[Any]]
    """what the log says, by connection and direction, in order"""
    heard: list[list[tuple[int, bytes]] | None]
    """by client; None: not let in"""
    actions: Counter[str]


async def meet(scene: Scene, row: Row, text: str | None) -> Round:
    """Clients meet a fault, or none, which is taken away once it has struck."""
    scene.firings.clear()
    async with AsyncExitStack() as stack:
        faults = [scene.add(text)] if text and row.at_door else []
        raws = [await stack.enter_async_context(tcp(scene)) for _ in range(CLIENTS)]
        let_in = [raw for raw in raws if await knock(raw)]
        faults += [scene.add(text)] if text and not row.at_door else []
        hearing = {raw: asyncio.ensure_future(listen(raw)) for raw in let_in}
        ports = {one.port for one in scene.firings} if row.silences else set()
        silent = [raw for raw in let_in if raw.writer.get_extra_info("sockname")[1] in ports]
        await asyncio.gather(*(hearing[raw] for raw in let_in if raw not in silent))
        assert not any(hearing[raw].done() for raw in silent)
        for fault in faults:
            scene.proxy.remove(fault)
        heard = [await hearing[raw] if raw in hearing else None for raw in raws]
    told = defaultdict(list)
    for one in scene.firings:
        told[one.conn, one.direction].append((one.action, one.event, one.channel, one.seq, one.detail))
    return Round(dict(told), heard, Counter(one.action for one in scene.firings))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_it_strikes_each_time_and_never_when_it_is_off(row: Row) -> None:
    """Not enabled; in force; taken away."""

    async def test() -> None:
        async with serving(answer) as url, proxied(url) as scene:
            disabled = await meet(scene, row, with_more(row.fault, "enabled=false"))
            assert disabled == ({}, [HEARD] * CLIENTS, {})
            harmed = await meet(scene, row, row.fault)
            assert harmed.actions == row.struck
            assert not row.silences or harmed.heard == disabled.heard
            assert await meet(scene, row, None) == disabled

    run(test)


@pytest.mark.parametrize("row", [row for row in ROWS if row.chance], ids=lambda row: row.fault)
def test_a_seed_decides(row: Row) -> None:
    """Alike in two proxies that know nothing of each other; with another seed it strikes others."""

    async def decided(seed: int) -> Round:
        assert row.chance is not None
        async with serving(answer) as url, proxied(url, seed=seed) as scene:
            return await meet(scene, row, with_more(row.fault, row.chance))

    async def test() -> None:
        once, again, other = [await decided(seed) for seed in (1, 1, 3)]
        assert once == again
        assert once.told != other.told
        directions = 2 if "direction=both" in str(row.chance) else 1
        for one in (once, other):
            assert 0 < one.actions.total() < directions * sum(row.struck.values())

    run(test)


def test_a_seed_decides_jitter() -> None:
    """When each message is to go on."""
    texts = sum(opcode == TEXT for opcode, _ in HEARD)

    async def decided(seed: int) -> list[float]:
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(serving(answer))
            scene = await stack.enter_async_context(proxied(url, "delay:delay=2h,jitter=1h", seed=seed))
            for _ in range(CLIENTS):
                raw = await stack.enter_async_context(tcp(scene))
                assert await knock(raw)
                await raw.text(*SAID)
            await until(lambda: len(scene.firings) == CLIENTS * texts)
            streams = [one.down for one in scene.proxy.connections.values() if one.down is not None]
            dues = [held.timer.when() for stream in streams for held in stream._held.values()]
            return [due - dues[0] for due in dues]

    async def test() -> None:
        once, again, other = [await decided(seed) for seed in (1, 1, 3)]
        assert once == pytest.approx(again, abs=10)  # seconds, of hours
        assert once != pytest.approx(other, abs=10)

    run(test)


def test_each_fault_has_a_row() -> None:
    """Also those to come."""
    assert {row.fault.partition(":")[0] for row in ROWS} == set(FAULTS)
