"""ccxt on a replayed Binance session: its watchers, its own checks on, read what was recorded.

The capture has neither `@ticker` nor `@miniTicker`, which ccxt asks for. A tape is derived from it that has them: each
candle of the capture told as the two tickers of the same minute, best bid and ask from the book ticker before it.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from tests.cli.program import Program, wait_until
from tests.tape.tapes import CAPTURES
from wsctl.tape.format import TapeFrame
from wsctl.tape.opening import opened
from wsctl.tape.writer import TapeWriter

CAPTURE = (CAPTURES / "BINANCE.ws.1.0", CAPTURES / "BINANCE.http.0.0")
SYMBOL, ID = "NKN/USDT", "NKNUSDT"
SPEED = "10"
LAST = 499870179
"""the last update id of the symbol's book"""
PATIENCE = 40

pytestmark = pytest.mark.skipif(not CAPTURES.exists(), reason="the captures are not on this machine")


def derived(path: Path) -> Path:
    """The capture with tickers made of its candles, as a tape."""
    quotes: dict[str, dict[str, Any]] = {}
    with opened(CAPTURE) as recording, TapeWriter(path, recording.header) as writer:
        for frame in recording:
            writer.write(frame)
            for ticker in tickers(frame, quotes):
                writer.write(structs.replace(frame, frame=ticker))
    return path


def tickers(frame: TapeFrame, quotes: dict[str, dict[str, Any]]) -> Iterator[str]:
    if frame.direction != "in":
        return
    message = json.loads(frame.frame or "")
    symbol, _, kind = message["stream"].partition("@")
    data = message["data"]
    if kind == "bookTicker":
        quotes[symbol] = data
    if kind != "kline_1m":
        return
    candle = data["k"]
    mini = {"E": data["E"], "s": data["s"], **{key: candle[key] for key in "cohlvq"}}
    best = {key: quotes.get(symbol, {}).get(key, "0.0") for key in "bBaA"}
    full = {**mini, **best, "p": "0", "P": "0", "w": candle["c"], "x": candle["o"], "Q": "0", "O": candle["t"]}
    full |= {"C": data["E"], "F": candle["f"], "L": candle["L"], "n": candle["n"]}
    yield json.dumps({"stream": f"{symbol}@miniTicker", "data": {"e": "24hrMiniTicker", **mini}})
    yield json.dumps({"stream": f"{symbol}@ticker", "data": {"e": "24hrTicker", **full}})


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Where `wsctl replay` serves the derived tape."""
    ready = tmp_path / "ready.json"
    tape = str(derived(tmp_path / "derived.jsonl.zst"))
    with Program("replay", tape, "--port", "0", "--speed", SPEED, "--ready-file", str(ready)) as program:
        wait_until(lambda: ready.exists() or program.process.poll() is not None)
        assert ready.exists(), program.finish()
        yield json.loads(ready.read_text())["url"]


def exchange(url: str) -> Any:
    """A client of the replay: both its URLs are there, and its market is known, so that it asks for none."""
    import ccxt.pro  # type: ignore[import-untyped]

    spot = ccxt.pro.binance({"newUpdates": True})
    spot.urls["api"]["ws"]["spot"] = f"{url}/stream/ws"
    spot.urls["api"]["public"] = f"{url.replace('ws:', 'http:')}/api/v3"
    kinds = dict.fromkeys(("swap", "future", "option", "contract", "margin"), False)
    market: dict[str, Any] = {
        "id": ID,
        "lowercaseId": ID.lower(),
        "symbol": SYMBOL,
        "base": "NKN",
        "quote": "USDT",
        "baseId": "NKN",
        "quoteId": "USDT",
        "type": "spot",
        "spot": True,
        "linear": None,
        "inverse": None,
        "active": True,
        "precision": {"price": 0.00000001, "amount": 0.00000001},
        "limits": {"amount": {}, "price": {}, "cost": {}},
        "info": {},
        **kinds,
    }
    spot.set_markets([market])
    return spot


async def watched(watch: Callable[[], Awaitable[Any]], enough: Callable[[Any], bool]) -> Any:
    """What a watcher has read once that is enough."""
    while True:
        found = await watch()
        if enough(found):
            return found


def recorded_book() -> dict[str, dict[float, float]]:
    """Bids and asks at the capture's end: the recorded snapshot, and the diffs after it."""
    sides: dict[str, dict[float, float]] = {"bids": {}, "asks": {}}
    with opened(CAPTURE) as recording:
        frames = list(recording)
    snapshot = next(json.loads(frame.frame or "") for frame in frames if ID in (frame.url or "") and frame.frame)
    changes = [("bids", *level) for level in snapshot["bids"]] + [("asks", *level) for level in snapshot["asks"]]
    for frame in frames:
        data = json.loads(frame.frame or "{}").get("data", {}) if frame.direction == "in" else {}
        if data.get("e") == "depthUpdate" and data["s"] == ID and data["u"] > snapshot["lastUpdateId"]:
            changes += [("bids", *level) for level in data["b"]] + [("asks", *level) for level in data["a"]]
    for side, price, size in changes:
        sides[side][float(price)] = float(size)
    return {side: {price: size for price, size in levels.items() if size} for side, levels in sides.items()}


def test_ccxt_reads_the_recorded_values(url: str) -> None:
    """Ticker, trade and book; the book by a chain of updates that ccxt checks, from a snapshot that fits it."""

    async def scene() -> tuple[Any, Any, Any, Any]:
        spot = exchange(url)
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.gather(
                    watched(lambda: spot.watch_ticker(SYMBOL), bool),
                    watched(lambda: spot.watch_ticker(SYMBOL, {"name": "ticker"}), lambda ticker: ticker["bid"]),
                    watched(lambda: spot.watch_trades(SYMBOL, params={"name": "aggTrade"}), bool),
                    watched(lambda: spot.watch_order_book(SYMBOL), lambda book: book["nonce"] >= LAST),
                )
        finally:
            await spot.close()

    mini, full, trades, book = asyncio.run(scene())
    for ticker in (mini, full):
        assert (ticker["last"], ticker["open"], ticker["high"], ticker["low"]) == (0.3528, 0.3527, 0.3528, 0.3522)
        assert (ticker["baseVolume"], ticker["timestamp"]) == (25877.0, 1633998523963)
    assert (full["bid"], full["ask"]) == (0.3523, 0.3528)
    (trade,) = trades
    assert (trade["id"], trade["price"], trade["amount"], trade["side"], trade["timestamp"]) == (
        "15683430",
        0.3528,
        58.0,
        "buy",
        1633998523963,
    )
    held = recorded_book()
    assert book["nonce"] == LAST
    assert (book["bids"][0][0], book["asks"][0][0]) == (max(held["bids"]), min(held["asks"]))
    assert dict(book["bids"]) == held["bids"]
    assert dict(book["asks"]) == held["asks"]


def test_ccxt_comes_late(url: str) -> None:
    """In the middle of the tape its snapshot is of that moment: the chain holds from there on."""

    async def scene() -> Any:
        early, late = exchange(url), exchange(url)
        try:
            async with asyncio.timeout(PATIENCE):
                await watched(lambda: early.watch_order_book(SYMBOL), lambda book: book["nonce"] > 499869800)
                return await watched(lambda: late.watch_order_book(SYMBOL), lambda book: book["nonce"] >= LAST)
        finally:
            await early.close()
            await late.close()

    book = asyncio.run(scene())
    held = recorded_book()
    assert dict(book["bids"]) == held["bids"]
    assert dict(book["asks"]) == held["asks"]
