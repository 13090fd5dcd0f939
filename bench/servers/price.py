"""What every contender sends, and the start-up file by which a contender says where it listens."""

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SYMBOL = "BTC/USDT"
CHANNEL = f"symbol:{SYMBOL}:ticker"
EVENT = "price:update"
EPOCH = "5f3a9c1e"


def arguments(description: str) -> argparse.Namespace:
    """The options that every contender takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--ready-file", type=Path, required=True)
    return parser.parse_args()


def write_ready(file: Path, port: int, **more: Any) -> None:
    """Tell the runner where this process listens, as `wsctl serve --ready-file` does."""
    facts = {"url": f"http://127.0.0.1:{port}", "pid": os.getpid(), **more}
    part = file.with_suffix(".part")
    part.write_text(json.dumps(facts))
    part.replace(file)


def payload(seq: int, due: float) -> dict[str, Any]:
    """One `price:update` in the platform's full form; `due` is unix seconds."""
    price = 65_000 + seq * 37 % 10_000 / 100
    return {
        "symbol": SYMBOL,
        "price": round(price, 2),
        "bid": round(price - 0.5, 2),
        "ask": round(price + 0.5, 2),
        "volume": round(1 + seq % 97 / 1000, 4),
        "channel": CHANNEL,
        "seq": seq,
        "epoch": EPOCH,
        "timestamp": round(time.time() * 1000, 3),
        "sourceTime": round(due * 1000, 3),
    }


def due_times(rate: float) -> Iterator[float]:
    """Unix seconds of each tick, evenly spaced from now on; lateness does not add up."""
    start, tick = time.time(), 0
    while True:
        tick += 1
        yield start + tick / rate
