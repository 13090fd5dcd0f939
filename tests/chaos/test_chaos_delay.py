"""A delay is a slow line: it holds all kinds of messages, and none overtakes another of its channel."""

import asyncio
import re
from collections import defaultdict

import pytest
import uvloop

from tests.chaos.proxied import proxied
from tests.chaos.upstreams import Reader, Writer, rest_of, serving, take_websocket, websocket_by_hand
from tests.server.served import frame, run, until
from wsctl.wire.frames import PING

PRICE = '42["price:update",{"channel":"symbol:A:ticker","seq":1}]'
ACK, JOIN, OPEN, BEAT = "431[]", '40{"sid":"x"}', '0{"sid":"x"}', "2"
HEARTBEAT = '42["channel:heartbeat",{"channel":"symbol:A:ticker","nextSeq":2}]'


def down(text: str) -> bytes:
    """From a server."""
    return frame(text, mask=False)


async def heard(faults: tuple[str, ...], said: bytes) -> tuple[bytes, list[tuple[str, str | None, int | None]]]:
    """What a client hears of what a server says at once, and what the log says was done: action, channel, number."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await take_websocket(reader, writer)
        writer.write(said)
        writer.write_eof()

    async with serving(serve) as url, proxied(url, *faults) as scene, websocket_by_hand(scene.url) as (reader, _):
        came, end = await rest_of(reader)
        assert end == "fin"
        return came, [(one.action, one.channel, one.seq) for one in scene.firings]


@pytest.mark.parametrize(
    ("options", "held"),
    [
        ("jitter=0", [OPEN, JOIN, ACK, PRICE, HEARTBEAT, BEAT, "4?"]),
        ("kind=ack", [ACK]),
        ("kind=transport", [OPEN, BEAT]),
        ("event=price:*", [PRICE, HEARTBEAT]),
    ],
)
def test_what_is_held(options: str, held: list[str]) -> None:
    """All; told which, those, and what follows one of its channel."""
    texts = [OPEN, JOIN, ACK, PRICE, HEARTBEAT, BEAT, "4?"]

    async def test() -> None:
        came, told = await heard((f"delay:delay=20ms,{options}",), b"".join(map(down, texts)))
        assert came == b"".join(map(down, [*(one for one in texts if one not in held), *held]))
        assert len(told) == len(held)

    run(test)


@pytest.mark.parametrize("loop", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("options", ["p=0.3", "nth=7", "p=0.3,jitter=15ms", "jitter=15ms"])
def test_none_overtakes_another_of_its_channel(options: str, loop: object) -> None:
    """What is not struck waits behind what is, of its channel alone; the log tells both."""
    sent = [(channel, seq) for seq in range(200) for channel in "ABC"]
    text = '42["price:update",{"channel":"symbol:%s:ticker","seq":%d}]'

    async def test() -> None:
        came, told = await heard((f"delay:delay=20ms,{options}",), b"".join(down(text % one) for one in sent))
        got = [(one[1].decode(), int(one[2])) for one in re.finditer(rb"symbol:(.):ticker\",\"seq\":(\d+)", came)]
        assert sorted(got) == sorted(sent)
        by_channel = defaultdict(list)
        for channel, seq in got:
            by_channel[channel].append(seq)
        assert all(seqs == list(range(200)) for seqs in by_channel.values())
        actions = [action for action, _, _ in told]
        if options.startswith("jitter"):
            assert got == sent
            assert actions == ["held"] * 600
            return
        assert got != sent
        first = {
            channel: min(seq for _, about, seq in told if about == f"symbol:{channel}:ticker") for channel in "ABC"
        }
        late = [(f"symbol:{channel}:ticker", seq) for channel, seq in sent if seq >= first[channel]]
        assert [(about, seq) for _, about, seq in told] == late
        assert 0 < actions.count("held") < actions.count("held behind")

    run(test, loop)


def test_who_is_struck_is_counted_alone() -> None:
    """What waits behind is not."""

    async def test() -> None:
        async def serve(reader: Reader, writer: Writer) -> None:
            await take_websocket(reader, writer)
            writer.write(down(PRICE) * 4)
            writer.write_eof()

        async with serving(serve) as url, proxied(url, "delay:delay=5ms,nth=3") as scene:
            async with websocket_by_hand(scene.url) as (reader, _):
                await rest_of(reader)
            assert scene.actions() == ["held", "held behind"]
            assert (scene.fault("delay").matched, scene.fault("delay").applied) == (4, 1)

    run(test)


def test_what_goes_ahead_of_one_that_is_held() -> None:
    """Other channels, other kinds that are about none, and pings of WebSocket."""
    ahead = [down(BEAT), down(JOIN), down('42["news"]'), down(PRICE), frame(b"p", opcode=PING, mask=False)]

    async def test() -> None:
        async def serve(reader: Reader, writer: Writer) -> None:
            await take_websocket(reader, writer)
            writer.write(down(ACK) + b"".join(ahead))
            await reader.read()

        async with (
            serving(serve) as url,
            proxied(url, "delay:delay=1h,kind=ack") as scene,
            websocket_by_hand(scene.url) as (reader, _),
        ):
            assert await reader.readexactly(sum(map(len, ahead))) == b"".join(ahead)
            assert scene.actions() == ["held"]
            scene.proxy.remove(scene.fault("delay"))
            assert await reader.readexactly(len(ACK) + 2) == down(ACK)

    run(test)


def test_nothing_is_held_longer_than_the_fault_is_there() -> None:
    """All goes on in the order in which it came, and what comes later as it comes."""
    text = '42["price:update",{"channel":"c","seq":%d}]'
    sent = [down(text % seq) for seq in range(10)]

    async def test() -> None:
        more = asyncio.Event()

        async def serve(reader: Reader, writer: Writer) -> None:
            await take_websocket(reader, writer)
            writer.write(b"".join(sent[:9]))
            await more.wait()
            writer.write(sent[9])
            writer.write_eof()

        async with (
            serving(serve) as url,
            proxied(url, "delay:delay=1h,nth=2") as scene,
            websocket_by_hand(scene.url) as (reader, _),
        ):
            await until(lambda: scene.fault("delay").matched == 9)
            assert scene.actions() == ["held", "held behind"] * 4
            scene.proxy.remove(scene.fault("delay"))
            more.set()
            assert (await rest_of(reader))[0] == b"".join(sent)

    run(test)
