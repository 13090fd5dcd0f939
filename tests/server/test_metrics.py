"""The feed's own metrics: /metrics as Prometheus reads it, and a sample a second."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from served import ETH, feed, frame, joined, polling, raw_websocket, reasons, run, until, websocket
from tests.cli.program import Server, wait_until

from wsctl.server import defaults, metrics
from wsctl.server.app import MockFeed
from wsctl.server.auth import mint
from wsctl.server.metrics import Counters, Sample

COUNTERS = {
    "messages_delivered",
    "messages_skipped",
    "events_received",
    "joins",
    "reconnections",
    "refusals",
    "evictions",
    "slow_closes",
    "malformed",
}


async def scrape(running: MockFeed) -> dict[str, float]:
    """What /metrics says, by name (and transport), as Prometheus' own parser reads it."""
    async with aiohttp.ClientSession() as http, http.get(f"{running.url}/metrics") as response:
        assert response.status == 200
        assert response.headers["content-type"].startswith("text/plain; version=")
        text = await response.text()
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            if sample.name.startswith("process_"):  # CPU and memory, as every program's
                continue
            assert sample.name.startswith("wsctl_")
            name = sample.name.removeprefix("wsctl_").removesuffix("_total")
            found[" ".join([name, *sample.labels.values()])] = sample.value
            assert (family.type == "counter") is sample.name.endswith("_total")
    return found


def test_every_metric_is_there_from_the_start() -> None:
    """Before anyone came each counter reads 0, each transport too; nothing of the Python process is mixed in."""

    async def test() -> None:
        async with feed(rate=0.01) as running:
            found = await scrape(running)
            memory = found.pop("resident_memory_bytes", 1e7)
            assert 0 <= found.pop("loop_lag_seconds") < 10
            assert 1e6 < memory < 1e10
            assert found == dict.fromkeys({*COUNTERS, "connections websocket", "connections polling"}, 0.0)

    run(test)


@asynccontextmanager
async def gone(running: MockFeed, left: int) -> AsyncIterator[None]:
    """After the block only so many clients are left."""
    yield
    await until(lambda: len(running.platform.clients) == left)


def test_counters_tell_what_happened() -> None:
    """Joins, reconnections by `client`, refusals, evictions, broken protocols and events are counted once each."""

    async def test() -> None:
        async with feed(rate=0.01, max_per_user=1) as running:
            async with joined(running, client="a"), joined(running, client="b"), polling(running) as poller:
                await poller.join()
                found = await scrape(running)
                assert (found["connections websocket"], found["connections polling"]) == (2, 1)
                assert (found["joins"], found["reconnections"]) == (3, 0)
                await poller.post("1")
            await until(lambda: not running.platform.clients)
            for _ in range(2):
                async with gone(running, 0), joined(running, client="a") as back:
                    await back.emit("time:sync")
            async with gone(running, 0), joined(running, client="c"), joined(running):
                pass
            found = await scrape(running)
            assert (found["joins"], found["reconnections"], found["events_received"]) == (7, 2, 2)

            async with websocket(running) as peer:
                for _ in range(2):
                    await peer.send('40{"token":"nonsense"}')
                    await peer.answer(lambda packet: packet.startswith("44"))
            token = mint("alice", defaults.JWT_SECRET)
            async with joined(running, token=token) as old, joined(running, token=token):
                assert await old.closed() == 1000
            async with joined(running) as peer:
                await peer.send("4abc")
                assert await peer.closed() == 1002
            async with raw_websocket(running) as raw:
                await raw.send(frame("40", mask=False))
                assert await raw.close_code() == 1002
            async with polling(running) as poller:
                assert (await poller.post("abc"))[0] == 400
            found = await scrape(running)
            assert (found["refusals"], found["evictions"], found["malformed"]) == (2, 1, 3)
            assert (found["slow_closes"], found["messages_skipped"]) == (0, 0)
            await until(lambda: not running.platform.clients)
            assert (await scrape(running))["connections websocket"] == 0
            assert running.platform.counters.left == len([reason for reason in reasons(running) if reason]) - 2

    run(test)


def test_messages_are_those_of_the_ledger() -> None:
    """What counts as delivered is what the ledger of the channels says."""

    async def test() -> None:
        async with feed(rate=100.0) as running, joined(running) as peer, joined(running) as other:
            for one in (peer, other):
                await one.emit("channel:subscribe", [ETH])
                await one.gather(lambda o=one: len(o.of(ETH)) > 5)  # type: ignore[misc]
            running.prices.pause()
            ledger = running.platform.hub.ledger()
            found = await scrape(running)
            assert found["messages_delivered"] == sum(channel["delivered"] for channel in ledger.values()) > 10

    run(test)


def test_a_late_loop_is_told() -> None:
    """What holds up the event loop is seen at /metrics, whether anyone asked for samples or not; then it is over."""

    async def test() -> None:
        async with feed(rate=0.01) as running:
            asyncio.get_running_loop().call_soon(time.sleep, 0.4)
            counters = running.platform.counters
            await until(lambda: counters.loop_lag > 0.3)
            assert (await scrape(running))["loop_lag_seconds"] == counters.loop_lag
            await until(lambda: counters.loop_lag < 0.3)

    run(test)


def test_names_are_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the ids that tell reconnections only the latest are remembered, however many come."""
    monkeypatch.setattr(metrics, "NAMES_REMEMBERED", 3)
    counters = Counters()
    for name in ("a", "b", "c", "a", "d", "b", "a", None):
        counters.note_join(name)
    assert (counters.joined, counters.reconnected) == (8, 2)  # `b` had been forgotten for `d`


def test_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates are of the interval, counters of all time, and who listens gets one sample after another."""
    monkeypatch.setattr(metrics, "INTERVAL", 0.1)
    samples: list[Sample] = []

    async def test() -> None:
        async with feed(rate=100.0) as running, joined(running, client="a"):
            sampler = metrics.Sampler(running.platform, samples.append)
            async with joined(running, client="a") as peer:
                await peer.emit("price:subscribe", "BTC/USDT")
                task = asyncio.create_task(sampler.run())
                await peer.gather(lambda: len(samples) >= 3)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    run(test)
    assert all(sample.connections == 2 and sample.reconnections == 1 for sample in samples)
    assert [sample.at for sample in samples] == sorted(sample.at for sample in samples)
    assert any(20 < sample.messages_per_second < 400 for sample in samples)
    assert samples[0].events_per_second > 0
    assert samples[-1].events_per_second == 0
    assert all(sample.loop_lag_ms >= 0 for sample in samples)


def test_samples_as_json_lines(tmp_path: Path) -> None:
    """`wsctl serve --metrics --metrics-file -` writes a sample a second to stdout and says the same on stderr."""
    began = time.time()
    with Server(tmp_path, "--symbols", "BTC/USDT", "--metrics", "--metrics-file", "-") as server:
        server.wait_out(2)
        wait_until(lambda: sum("messages/s" in line for line in server.err) >= 2)
        samples = [json.loads(line) for line in server.out[:2]]
    assert [set(sample) for sample in samples] == [set(Sample.__struct_fields__)] * 2
    for sample in samples:
        assert began < sample["at"] < time.time()
        assert (sample["connections"], sample["errors"], sample["evictions"], sample["skipped"]) == (0, 0, 0, 0)
    assert 0.5 < samples[1]["at"] - samples[0]["at"] < 5
