"""Back-off policies under the same flash: how soon clients are back, how often they try, and how much at once.

Every connection of a crowd is cut by a chaos proxy, which lets nobody in for a while; the crowd comes back by one
policy after another. Writes the table of docs/reconnection.md. See README.md for how to read it.
"""

import argparse
import json
import math
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, get_args

from bench.contenders import WSCTL
from bench.runs import listed, machine, positive, raise_file_limit, talk, whole
from wsctl.client.target import Policy

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "ADA/USDT")
SYMBOLS += ("DOGE/USDT", "BNB/USDT", "DOT/USDT", "LTC/USDT", "LINK/USDT")
AT = 3.0  # seconds into a step until the flash
HOLD = 5.0  # seconds that a client must stay well to count as back
RECONNECTS = {policy: f"{{attempts: 1000, policy: {policy}}}" for policy in get_args(Policy)} | {
    "full-jitter, 5 s at most": "{attempts: 1000, delay_max: 5s}"
}
"""by what the table calls them"""
COLUMNS = ("policy", "back", "p50", "p95", "p99", "attempts", "most in 100 ms", "herd factor")
SCENARIO = """\
name: {name}, away for {outage:g} s
services:
  feed: {{serve: {{symbols: [{symbols}], rate: 1, seed: {seed}}}}}
  proxy: {{chaos: {{upstream: feed, seed: {seed}}}}}
steps:
  - name: flash
    subscribe:
      target: proxy
      symbols: [{symbols}]
      spread: true
      clients: {clients}
      duration: {duration:g}s
      reconnect: {reconnect}
    during:
      - {{at: {at:g}s, flash: {{outage: {outage:g}s, within: {within:g}s, hold: {hold:g}s}}}}
"""


def main() -> int:
    """0 measured, 1 something could not be, 130 interrupted."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that children are ended
    raise_file_limit(2 * options.clients)
    print(
        f"{options.clients:,} clients, all cut at once; seed {options.seed}; {time.strftime('%Y-%m-%d')}; {machine()}"
    )
    with tempfile.TemporaryDirectory(prefix="wsctl-bench-") as folder:
        try:
            for outage in options.outages:
                print(f"\nNobody gets in for {outage:g} s:\n\n| {' | '.join(COLUMNS)} |")
                print(f"|---|{'--:|' * (len(COLUMNS) - 1)}", flush=True)
                for name in RECONNECTS:
                    print(row(name, measured(name, outage, options, Path(folder))), flush=True)
        except KeyboardInterrupt:
            return 130
        except (OSError, KeyError, IndexError) as error:
            talk(f"not measured: {error}")
            return 1
    return 0


def measured(name: str, outage: float, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The metrics of one crowd, back or not. Raises KeyError where the step came to none."""
    text = SCENARIO.format(
        name=name,
        outage=outage,
        symbols=", ".join(SYMBOLS),
        seed=options.seed,
        clients=options.clients,
        duration=AT + outage + options.within + HOLD,
        reconnect=RECONNECTS[name],
        at=AT,
        within=options.within,
        hold=HOLD,
    )
    (folder / "flash.yaml").write_text(text)
    command = [WSCTL, "run", str(folder / "flash.yaml"), "--out", str(folder / "out")]
    subprocess.run(command, capture_output=True, check=False)  # who is not back in time is a failure, and a figure
    result = json.loads((folder / "out" / "result.json").read_text())
    metrics: dict[str, Any] = result["scenarios"][0]["steps"][0]["metrics"]
    return metrics


def row(name: str, metrics: dict[str, Any]) -> str:
    """A line of the table."""
    times = [seconds(metrics[f"reconnect.time.{percentile}"]) for percentile in ("p50", "p95", "p99")]
    back = f"{math.floor(metrics['reconnect.success_rate'] * 1000) / 10:g} %"
    tries = f"{metrics['reconnect.attempts']:.1f}" if "reconnect.attempts" in metrics else ""
    herd = (f"{metrics['reconnect.herd_peak']:,.0f}", f"{metrics['reconnect.herd_factor']:.1f}")
    return f"| {' | '.join((name, back, *times, tries, *herd))} |"


def seconds(value: float | None) -> str:
    """None stands for who was not back in time."""
    return "not back" if value is None else f"{value:.1f} s"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.policies", description=__doc__)
    parser.add_argument("--clients", type=whole, default=1500)
    parser.add_argument("--outages", type=listed(positive), default=[3.0, 15.0], help="seconds, such as 3,15")
    parser.add_argument("--within", type=positive, default=45.0, help="seconds after an outage to be back in")
    parser.add_argument("--seed", type=whole, default=7)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
