"""The live verdict is the offline one: each capture, replayed and listened to, is judged as the file is."""

import asyncio
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.cli.program import Program, wait_until, wsctl
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.model.observation import Observation
from wsctl.watch.judging import ordering_check
from wsctl.watch.options import WatchOptions
from wsctl.watch.watching import Watching
from wsctl.wire.dialects import dialect_named

CAPTURES = Path(__file__).parents[3] / "shared" / "captures"
DIALECTS = {
    "BINANCE.ws.1.0": "binance",
    "BINANCE_FUTURES.ws.1.0": "binance",
    "BYBIT.ws.26.0": "bybit-inverse",
    "COINBASE.ws.28.0": "coinbase",
    "KRAKEN.ws.48.0": "kraken-v1",
    "KRAKEN.ws.49.0": "kraken-v1",
    "KRAKEN.ws.50.0": "kraken-v1",
    "OKX.ws.1.0": "okx",
}
ENOUGH = 40.0
"""seconds for the longest of them"""

pytestmark = pytest.mark.skipif(not CAPTURES.exists(), reason="the captures are not on this machine")


class Replay(Program):
    """`wsctl replay`, listening."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        ready = folder / "ready.json"
        super().__init__("replay", *arguments, "--port", "0", "--ready-file", str(ready))
        wait_until(lambda: ready.exists() or self.process.poll() is not None)
        assert ready.exists(), self.finish()
        self.url: str = json.loads(ready.read_text())["url"]


def offline(capture: Path) -> dict[str, Any]:
    """What the file says."""
    report: dict[str, Any] = json.loads(wsctl("ordering-check", "--tape", str(capture), "--format", "json").out)
    return report


async def live(url: str, dialect: str, channels: tuple[str, ...], messages: int) -> dict[str, Any]:
    """What a live check says once so many messages came."""
    check = ordering_check(dialect_named(dialect))
    options = WatchOptions(target=Target(url=url, dialect=dialect, direct=True), channels=channels)
    async with asyncio.timeout(ENOUGH), Watching(options, SystemClock(), Random()) as watching:
        async for item in watching:
            if isinstance(item, Observation):
                check.add(item)
            if sum(report.messages for report in check.channels.values()) == messages:
                break
    check.close()
    return check.as_json()


def test_every_capture_is_here() -> None:
    assert {capture.name for capture in CAPTURES.glob("*.ws.*")} == set(DIALECTS)


WAYS = [(name, "") for name in DIALECTS] + [(name, "/stream") for name in DIALECTS if name.startswith("BINANCE")]
"""each capture and where it is asked for: at `/stream` Binance wraps what it sends"""


@pytest.mark.parametrize(("name", "path"), WAYS)
def test_the_live_verdict_is_the_offline_one(tmp_path: Path, name: str, path: str) -> None:
    """Per channel: scheme, messages, every count, findings."""
    expected = offline(CAPTURES / name)
    with Replay(tmp_path, str(CAPTURES / name), "--speed", "max") as replay:
        found = asyncio.run(live(replay.url + path, DIALECTS[name], tuple(expected["channels"]), total(expected)))
    assert found["channels"].keys() == expected["channels"].keys()
    for channel, report in expected["channels"].items():
        assert found["channels"][channel] == report, channel
    assert found["verdict"] == expected["verdict"]


def test_what_is_planted_is_found_live_as_well(tmp_path: Path) -> None:
    """The same findings on a capture with a line lost, one twice and two swapped, by the command and its exit code."""
    lines = (CAPTURES / "BINANCE.ws.1.0").read_text().splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if '{"stream":"nknusdt@depth@100ms"' in line]
    (one, first), (other, second) = (lines[place].split(": ", 1) for place in places[20:22])
    lines[places[20]], lines[places[21]] = f"{one}: {second}", f"{other}: {first}"
    lines.insert(places[30], lines[places[30]])
    del lines[places[10]]
    tape = tmp_path / "BINANCE.ws.1.0"
    tape.write_text("".join(lines))
    expected = offline(tape)
    with Replay(tmp_path, str(tape), "--speed", "50") as replay:
        result = wsctl(
            "ordering-check", "--url", replay.url, "--dialect", "binance", "--channel", ",".join(expected["channels"]),
            "--duration", "4s", "--format", "json",
        )  # fmt: skip
    found = json.loads(result.out)
    assert (result.code, found["verdict"], expected["verdict"]) == (1, "fail", "fail")
    assert total(found) == total(expected)
    planted = findings(expected)
    assert [kind for _, kind, _, _ in planted] == ["gap", "reorder", "duplicate"]
    assert findings(found) == planted


def total(report: dict[str, Any]) -> int:
    """Messages on all channels."""
    return sum(channel["messages"] for channel in report["channels"].values())


def findings(report: dict[str, Any]) -> list[tuple[str, str, int, int]]:
    """Channel, kind and numbers of each, in the order in which they were sent."""
    return sorted(
        (
            (name, finding["kind"], finding["first"], finding["last"])
            for name, channel in report["channels"].items()
            for finding in channel["findings"]
        ),
        key=lambda found: found[2],
    )
