"""FeedUser under Locust itself, as people run their locustfiles."""

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.cli.program import Program, Server, environment, wait_until
from tests.peers.background import Background
from tests.swarm.raw_feeds import RawFeed, raw_feed

from wsctl.wire.dialects import dialect_named

LOCUSTFILE = Path(__file__).with_name("my_locustfile.py")

pytestmark = pytest.mark.timeout(120)

Rows = dict[tuple[str, str], dict[str, str]]


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path, "--control", "--symbols", "BTC/USDT,ETH/USDT", "--rate", "20") as server:
        yield server


def argv(user: str, url: str, folder: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), user, "--host", url),
        *("--headless", "--only-summary", "--json-file", str(folder / "rows"), *more),
    ]


def run(user: str, url: str, folder: Path, *more: str, **env: str) -> tuple[int, Rows, str]:
    """Run Locust to its end: exit code, its rows by type and name, what it printed."""
    done = subprocess.run(
        argv(user, url, folder, *more), env=environment(**env), capture_output=True, text=True, timeout=60
    )
    talk = done.stdout + done.stderr
    return done.returncode, written(folder), talk[-1500:] if len(talk) > 5000 else talk


def written(folder: Path) -> Rows:
    """Locust's rows by type and name."""
    file = folder / "rows.json"
    rows = json.loads(file.read_text()) if file.exists() else []
    return {(row["method"], row["name"]): row for row in rows}


def check_trader(rows: Rows, users: int) -> None:
    counts = {key: int(row["num_requests"]) for key, row in rows.items()}
    assert counts["FEED", "connect"] == counts["WS", "connect"] == users
    asked = sum(count for (kind, name), count in counts.items() if kind == "FEED" and name != "connect")
    # what was asked last may not be answered to a task, and with Ctrl-C tasks go on while the last figures are made
    assert asked <= counts["WS", "acknowledge"] + users
    assert counts["WS", "message"] > 100
    assert counts["FEED", "subscribe price:subscribe"] > users
    assert all(int(row["num_failures"]) == 0 for row in rows.values())


def test_alone(feed: Server, tmp_path: Path) -> None:
    with Program(argv=argv("Trader", feed.url, tmp_path, "-u", "4", "-r", "4", "-t", "4")) as locust:
        wait_until(lambda: sum(sent(feed).values()) > 200)
        pause(feed)  # who leaves a feed that talks does not hear its last words
        ended = locust.finish()
    assert ended.code == 0, ended
    rows = written(tmp_path)
    check_trader(rows, 4)
    assert int(rows["WS", "message"]["num_requests"]) >= sum(sent(feed).values())


def pause(server: Server) -> None:
    asked = urllib.request.Request(f"{server.url}/control/pause", b"{}", {"Content-Type": "application/json"})
    urllib.request.urlopen(asked).close()


def connections(server: Server) -> list[Any]:
    with urllib.request.urlopen(f"{server.url}/control/connections") as response:
        return list(json.load(response)["connections"])


def sent(server: Server) -> dict[str, int]:
    with urllib.request.urlopen(f"{server.url}/control/sent") as response:
        return {name: one["delivered"] for name, one in json.load(response)["channels"].items()}


def test_over_locusts_own_workers(feed: Server, tmp_path: Path) -> None:
    code, rows, talk = run("Trader", feed.url, tmp_path, "-u", "5", "-r", "5", "-t", "5", "--processes", "2")
    assert code == 0, talk
    check_trader(rows, 5)


def test_what_goes_wrong_is_raised_and_a_failed_request(feed: Server, tmp_path: Path) -> None:
    code, rows, talk = run("Clumsy", feed.url, tmp_path, "-u", "1", "-r", "1", "-t", "4")
    assert code == 1, "Locust's own code for failed requests"
    assert "raised: not connected" in talk
    assert "raised: Authentication error" in talk
    assert "raised: price:subscribe was refused: unknown symbol" in talk, talk
    assert "raised: time:sync was not acknowledged within 1 ms" in talk
    connects = rows["FEED", "connect"]
    assert int(connects["num_failures"]) > 0
    assert int(connects["num_requests"]) in (2 * int(connects["num_failures"]), 2 * int(connects["num_failures"]) - 1)
    for name in ("subscribe price:subscribe", "emit time:sync"):
        assert rows["FEED", name]["num_failures"] == rows["FEED", name]["num_requests"]


def test_an_answer_that_is_late_is_a_failed_request_and_the_user_goes_on(feed: Server, tmp_path: Path) -> None:
    code, rows, talk = run("Hasty", feed.url, tmp_path, "-u", "1", "-r", "1", "-t", "3")
    assert code == 1, talk
    late = rows["FEED", "emit time:sync"]
    assert int(late["num_failures"]) == int(late["num_requests"]) > 1
    assert "AckTimeout" in talk
    assert ("FEED", "emit bots") not in rows, "nobody but the user was impatient"


def test_a_shard_that_dies_ends_the_test(feed: Server, tmp_path: Path) -> None:
    code, _, talk = run("Trader", feed.url, tmp_path, "-u", "3", "-r", "1", "-t", "60", BREAK="1")
    assert code == 4, talk


def test_ctrl_c_tells_what_was_counted_and_leaves_no_process(feed: Server, tmp_path: Path) -> None:
    with Program(argv=argv("Trader", feed.url, tmp_path, "-u", "3", "-r", "3")) as locust:
        wait_until(lambda: sum(sent(feed).values()) > 100)
        assert locust.interrupt().code == 0
    check_trader(written(tmp_path), 3)
    wait_until(lambda: not connections(feed))


@contextmanager
def trades(background: Background) -> Iterator[RawFeed]:
    """A feed of binance's trades: a hundred of each symbol, every 20 ms one, as soon as somebody is there."""
    context = raw_feed(dialect_named("binance"))

    async def publish(feed: RawFeed) -> None:
        while not feed.connections:  # noqa: ASYNC110 - what is waited for is a fact of the feed, not an event
            await asyncio.sleep(0.02)
        for number in range(1, 101):
            await asyncio.sleep(0.02)
            for symbol in ("BTCUSDT", "ETHUSDT"):
                trade: dict[str, Any] = {"e": "trade", "E": 1700000000000, "s": symbol, "t": number, "p": "1", "q": "1"}
                await feed.publish(f"{symbol.lower()}@trade", trade)

    feed = background.run(context.__aenter__())
    task = asyncio.run_coroutine_threadsafe(publish(feed), background.loop)
    try:
        yield feed
    finally:
        task.cancel()
        background.run(context.__aexit__(None, None, None))


def test_a_raw_feed(background: Background, tmp_path: Path) -> None:
    with trades(background) as feed:
        code, rows, talk = run("Raw", feed.url, tmp_path, "-u", "3", "-r", "3", "-t", "4")
    assert code == 0, talk
    assert int(rows["FEED", "connect"]["num_requests"]) == 3
    assert int(rows["FEED", "subscribe"]["num_requests"]) > 6
    received, published = int(rows["WS", "message"]["num_requests"]), sum(feed.sent.values())
    assert 0 < received <= published
    assert received > 0.9 * published


def test_users_of_one_target_share_a_shard(feed: Server, tmp_path: Path) -> None:
    with Program(argv=argv("Trader", feed.url, tmp_path, "-u", "6", "-r", "6")) as locust:
        wait_until(lambda: sum(sent(feed).values()) > 100)
        assert len(psutil.Process(locust.process.pid).children(recursive=True)) == 1
        assert locust.interrupt().code == 0
