"""What markets say in each dialect: a channel and numbered payloads of it, and a dialect of nobody's."""

import time
from pathlib import Path
from typing import Any

GENERIC = """\
name: nobody
subscribe:
  frame: {do: subscribe, what: "{channels}"}
  answer: {done: subscribe, what: "{channels}"}
  refusal: {failed: "{channel}", why: unknown}
subscribed: {when: "done == 'subscribe'", channels: "{what}"}
error: {when: "failed", message: why, channels: "{failed}"}
keep_alive: {every: 50ms, send: {are: you there}, answer: {i: am}, asked: {still: "{n:int}"}, reply: {yes: "{n:int}"}}
message: {channel: "{ch}", seq: n, time: at, time_unit: ms, price: p, scheme: counter}
feeds: {ticker: "{base}-{quote}"}
"""


def generic(folder: Path, *without: str) -> str:
    """The file of a dialect, without some of its lines."""
    lines = [line for line in GENERIC.splitlines() if not line.startswith(without)] if without else GENERIC.splitlines()
    file = folder / "nobody.yaml"
    file.write_text("\n".join(lines) + "\n")
    return str(file)


def now_ms() -> int:
    """Unix milliseconds."""
    return int(time.time() * 1000)


def depth(first: int, last: int, **more: Any) -> dict[str, Any]:
    """A diff of Binance's book."""
    return {"e": "depthUpdate", "E": now_ms(), "s": "BTCUSDT", "U": first, "u": last, "b": [], "a": [], **more}


def trade(number: int, price: str = "100.50") -> dict[str, Any]:
    """A trade of Binance's."""
    return {"e": "trade", "E": now_ms(), "s": "BTCUSDT", "t": number, "p": price, "q": "1", "T": now_ms(), "m": True}


def coinbase_ticker(number: int) -> dict[str, Any]:
    """Coinbase's ticker."""
    return {"type": "ticker", "sequence": number, "product_id": "BTC-USD", "price": "100.50", "time": iso()}


def okx_trade(number: int) -> dict[str, Any]:
    """A trade of OKX's."""
    data = {"instId": "BTC-USDT", "tradeId": str(number), "px": "100.5", "sz": "1", "side": "buy", "ts": str(now_ms())}
    return {"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [data]}


def bybit_trade(number: int) -> dict[str, Any]:
    """A trade of Bybit's."""
    data = {"symbol": "BTCUSD", "price": 100.5, "cross_seq": number, "trade_time_ms": str(now_ms())}
    return {"topic": "trade.BTCUSD", "data": [data]}


def kraken_trade(number: int) -> list[Any]:
    """A trade of Kraken's, which has no number."""
    return [337, [[f"{number}.5", "1", f"{time.time():.6f}", "b", "l", ""]], "trade", "XBT/USD"]


def nobody(number: int) -> dict[str, Any]:
    """A message of the dialect of nobody's."""
    return {"ch": "BTC-USDT", "n": number, "p": 100.5, "at": now_ms()}


def iso() -> str:
    """The time as Coinbase writes it."""
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e6):06d}Z"
