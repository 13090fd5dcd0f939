"""wsctl's swarm as a listener: its process held by `RemoteSwarm`, its CPU clock read from outside."""

import argparse
import asyncio
import json
import time
from typing import Any

from bench.listeners.arguments import PATIENCE, parse
from bench.receivers import Meter, ReceiverError
from wsctl.client.subscription import Subscription
from wsctl.client.target import Target
from wsctl.errors import WsctlError
from wsctl.swarm.messages import Done, Progress
from wsctl.swarm.options import SwarmOptions
from wsctl.swarm.remote import RemoteSwarm


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One window, and what the swarm itself says of the whole."""
    told = SwarmOptions(
        target=Target(url=options.url, direct=True),
        clients=options.clients,
        subscriptions=(Subscription("price:subscribe", tuple(options.symbols.split(","))),),
        spread=True,
        connect_rate=0,
        duration=options.warmup + options.seconds + PATIENCE,
        warmup=options.warmup,
    )
    async with RemoteSwarm(told) as swarm:
        meter = Meter(swarm.pid)
        start = end = None
        async for report in swarm:
            if isinstance(report, Progress) and report.elapsed >= options.warmup:
                instant = {"at": time.monotonic(), "cpu": meter.cpu(), "messages": report.metrics["messages.received"]}
                start = start or instant
                if end is None and instant["at"] >= start["at"] + options.seconds:
                    end = instant
                    await swarm.stop()
            elif isinstance(report, Done):
                if start is None or end is None:
                    raise ReceiverError("the swarm ended early")
                return summary(start, end, report)
    raise ReceiverError("the swarm ended without a result")


def summary(start: dict[str, float], end: dict[str, float], done: Done) -> dict[str, Any]:
    """As every listener prints it."""
    metrics = done.metrics
    return {
        "seconds": end["at"] - start["at"],
        "messages": end["messages"] - start["messages"],
        "cpu_seconds": end["cpu"] - start["cpu"],
        "rss": metrics["generator.rss"],
        "receiving": metrics["connections.receiving"],
        "opened_per_s": metrics["connections.rate"],
        "missing": metrics["ordering.missing"],
        "p50": metrics["latency.p50"],
        "p95": metrics["latency.p95"],
        "lag": metrics["generator.lag.p99"],
    }


def main() -> None:
    """Print the measurement, or {"error"} when there is none."""
    try:
        result = asyncio.run(measure(parse(__doc__)))
    except (ReceiverError, WsctlError) as error:
        result = {"error": str(error)}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
