"""How many recorded messages a second `wsctl ordering-check` judges on one core.

python -m bench.ordering
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from wsctl.model.observation import Observation, encode

MESSAGES = 500_000
CHANNELS = 20
TARGET = 200_000


def main() -> None:
    """Write a file of Observations, judge it with the real command, print messages per second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seen.jsonl"
        with path.open("wb") as lines:
            for number in range(MESSAGES):
                lines.write(encode(_observation(number)) + b"\n")
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "wsctl", "ordering-check", "--tape", str(path)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        rate = MESSAGES / (time.perf_counter() - began)
    print(f"ordering-check: {rate:,.0f} messages/s (start-up included)")
    print(f"≥ {TARGET:,} messages/s: {'met' if rate >= TARGET else 'missed'}")


def _observation(number: int) -> Observation:
    seq, index = number // CHANNELS + 1, number % CHANNELS
    at = 1_763_870_000 + number / 10_000
    data = {
        "symbol": f"S{index}/USDT",
        "price": 65000.5 + number % 100,
        "bid": 65000.25,
        "ask": 65000.75,
        "volume": 1234.5,
        "channel": f"symbol:S{index}/USDT:ticker",
        "seq": seq,
        "epoch": "0123abcd",
        "timestamp": at * 1000,
    }
    return Observation(at, "c1", data["channel"], "price:update", "0123abcd", seq, at, 0.5, data)


if __name__ == "__main__":
    main()
