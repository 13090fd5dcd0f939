"""The swarm's own load, and when it spoils the figures."""

import asyncio
import time

from wsctl.swarm.generator import Generator, saturation


def test_load_is_measured_from_the_beginning_of_the_measured_time() -> None:
    async def test() -> dict[str, float]:
        generator = Generator()
        generator.begin()
        until = time.process_time() + 0.3
        while time.process_time() < until:
            pass  # busy, so that timers are late as well
        await asyncio.sleep(0.1)
        metrics = generator.metrics()
        generator.close()
        return metrics

    metrics = asyncio.run(test())
    assert 0 < metrics["generator.cpu"] <= 1.1
    assert metrics["generator.lag.p99"] > 0.2
    assert metrics["generator.rss"] > 1e6


def test_saturation() -> None:
    assert saturation({"generator.cpu": 0.5, "generator.lag.p99": 0.01}) is None
    assert saturation({}) is None
    busy = saturation({"generator.cpu": 0.99, "generator.lag.p99": 0.01})
    assert busy == "the clients' own process used 0.99 cores; above 0.95 it is what is measured"
    late = saturation({"generator.cpu": 0.5, "generator.lag.p99": 0.25})
    assert late == "the clients' own process was 250 ms late at times (p99); expected below 100 ms"
