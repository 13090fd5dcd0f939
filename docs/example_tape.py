"""scenarios/tapes/binance.jsonl: a session on Binance as wsctl records one, made up by a seed, in the dialect's words.

Two symbols' books (numbered in ranges), trades (which only rise) and tickers (which count nothing), for six seconds.
"""

import heapq
from collections.abc import Iterator
from random import Random
from typing import Any

from wsctl.tape.format import Header, TapeFrame, encode_frame, encode_header
from wsctl.wire.binance import Binance
from wsctl.wire.dialect import Reply

URL = "wss://stream.binance.com:9443/ws"
STARTED_NS = 1_763_870_000_000_000_000
SECONDS = 6.0
MARKETS = {"BTCUSDT": 91_250.0, "ETHUSDT": 3_040.0}
DEPTH_EVERY, TICKER_EVERY, TRADES_A_SECOND = 0.1, 1.0, 2.5

Message = tuple[float, str, dict[str, Any]]
"""seconds since the start, the channel, the payload"""


def example_tape() -> bytes:
    """The tape, the same each time."""
    header = Header(started_ns=STARTED_NS, dialect=Binance.name, url=URL)
    return encode_header(header) + b"".join(map(encode_frame, _frames()))


def _frames() -> Iterator[TapeFrame]:
    client, server = Binance().client(URL), Binance().server(URL)
    channels = [f"{symbol.lower()}@{kind}" for symbol in MARKETS for kind in ("depth@100ms", "aggTrade", "ticker")]
    yield TapeFrame(0, "c1", "open", url=URL)
    for number, frame in enumerate(client.subscribe(channels), 1):
        yield TapeFrame(number * 1_000_000, "c1", "out", frame)
        for reply in server.receive(frame):
            if isinstance(reply, Reply):
                yield TapeFrame(40_000_000 + number * 1_000_000, "c1", "in", reply.frame)
    random = Random(7)
    streams = [stream for symbol, price in MARKETS.items() for stream in _market(symbol, price, random)]
    for at, channel, payload in heapq.merge(*map(sorted, streams), key=lambda message: message[0]):
        yield TapeFrame(int(at * 1e9), "c1", "in", server.publish(channel, payload))
    yield TapeFrame(int(SECONDS * 1e9), "c1", "close", code=1000)


def _market(symbol: str, price: float, random: Random) -> tuple[list[Message], list[Message], list[Message]]:
    """The three streams of a symbol; the time of an event is some milliseconds before its receipt."""
    name = symbol.lower()
    update, trade, at = random.randrange(10**10), random.randrange(10**9), 0.1
    books: list[Message] = []
    trades: list[Message] = []
    tickers: list[Message] = []
    while at < SECONDS - 0.2:
        price *= 1 + random.gauss(0, 0.00005)
        first, update = update + 1, update + random.randint(3, 60)
        sides = {side: _levels(price, way, random) for side, way in (("b", -1), ("a", 1))}
        book = {"e": "depthUpdate", "E": _event_time(at), "s": symbol, "U": first, "u": update, **sides}
        books.append((at + random.uniform(0.004, 0.012), f"{name}@depth@100ms", book))
        if random.random() < TRADES_A_SECOND * DEPTH_EVERY:
            count = random.randint(1, 4)
            ids = {"a": trade, "f": 3 * trade, "l": 3 * trade + count - 1}
            sold = {"p": f"{price:.2f}", "q": f"{random.uniform(0.001, 0.4):.5f}", "m": random.random() < 0.5}
            moment = at + 0.03
            times = {"E": _event_time(moment), "T": _event_time(moment) - 1}
            trades.append((moment + 0.005, f"{name}@aggTrade", {"e": "aggTrade", "s": symbol, **ids, **sold, **times}))
            trade += random.randint(1, 3)
        if len(books) % round(TICKER_EVERY / DEPTH_EVERY) == 1:
            ticker = {"e": "24hrTicker", "E": _event_time(at), "s": symbol, "c": f"{price:.2f}", "v": "21345.60100"}
            tickers.append((at + 0.02, f"{name}@ticker", ticker))
        at = round(at + DEPTH_EVERY, 3)
    return books, trades, tickers


def _event_time(at: float) -> int:
    return STARTED_NS // 1_000_000 + int(at * 1000)


def _levels(price: float, way: int, random: Random) -> list[list[str]]:
    """A few levels that changed; a size of zero is one that is gone."""
    count = random.randint(1, 3)
    return [
        [f"{price + way * random.randint(1, 400) / 100:.2f}", f"{max(0.0, random.uniform(-0.3, 2)):.5f}"]
        for _ in range(count)
    ]
