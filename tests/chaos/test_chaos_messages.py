"""Which messages a fault means, and what becomes of them where several faults, attachments and numbers meet."""

import json

import pytest

from tests.chaos.proxied import harmed, proxied, subscribed
from tests.chaos.upstreams import Reader, Writer, rest_of, serving, take_websocket, websocket_by_hand
from tests.server.served import frame, joined, run
from wsctl.errors import UsageError
from wsctl.wire.dialects import spoken
from wsctl.wire.frames import CLOSE, build


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
