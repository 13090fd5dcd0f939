"""Real sessions: untouched they are clean, and what is done to a line is found, as what it is and where.

The lines are read here as they stand in the files, so that no dialect of ours can hide a mistake of a scheme.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.checks.schemes.streams import counts, judge
from wsctl.checks.channel_report import ChannelReport
from wsctl.checks.inversion import InversionCheck
from wsctl.checks.skew import SkewCheck
from wsctl.checks.staleness import StalenessCheck
from wsctl.model.finding import Verdict
from wsctl.model.observation import Observation

CAPTURES = Path(__file__).parents[4] / "shared" / "captures"
pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason="no captures beside the repository")

Streams = dict[str, list[Observation]]
Told = tuple[str, int | None, float | None]
"""channel, number, exchange time"""


def _received(file: str) -> Iterator[tuple[float, Any]]:
    for line in (CAPTURES / file).read_text().splitlines():
        at, _, text = line.partition(": ")
        if text and at.replace(".", "").isdigit():
            yield float(at), json.loads(text)


def _streams(file: str, tell: Callable[[Any], Told | None]) -> Streams:
    found: Streams = {}
    for at, payload in _received(file):
        told = tell(payload)
        if told is not None:
            channel, seq, sent_at = told
            data = payload["data"] if "stream" in payload else payload
            event = payload.get("type", "update")
            seen = Observation(at, "c1", channel, event, None, seq, sent_at, None, data)
            found.setdefault(channel, []).append(seen)
    return found


def _binance(payload: Any) -> Told | None:
    if "stream" not in payload:
        return None
    data = payload["data"]
    time = data.get("E")
    number = data.get("a") if data.get("e") == "aggTrade" else data.get("u")
    return payload["stream"], number, None if time is None else time / 1000


def _coinbase(payload: Any) -> Told | None:
    kind = {"last_match": "match", "snapshot": "l2update"}.get(payload["type"], payload["type"])
    if kind == "subscriptions":
        return None
    time = payload.get("time")
    sent_at = None if time is None else datetime.fromisoformat(time).timestamp()
    return f"{kind}:{payload['product_id']}", payload.get("sequence"), sent_at


def _okx(payload: Any) -> Told | None:
    if "data" not in payload:
        return None
    last = payload["data"][-1]
    number = last.get("tradeId")
    channel = f"{payload['arg']['channel']}:{payload['arg']['instId']}"
    return channel, None if number is None else int(number), int(last["ts"]) / 1000


def _bybit(payload: Any) -> Told | None:
    if "cross_seq" not in payload:
        return None
    return payload["topic"], payload["cross_seq"], int(payload["timestamp_e6"]) / 1e6


RANGES = [("BINANCE.ws.1.0", 4, 177), ("BINANCE_FUTURES.ws.1.0", 4, 764)]
"""file, its channels of diffs, and messages on them"""


def _diffs(file: str) -> Streams:
    return {name: seen for name, seen in _streams(file, _binance).items() if "@depth" in name}


def _first(seen: Observation) -> int:
    return int(seen.data["pu"]) + 1 if "pu" in seen.data else int(seen.data["U"])


def _place(report: ChannelReport) -> tuple[str, int | None, int | None, float]:
    (finding,) = report.findings
    return finding.kind, finding.first, finding.last, finding.at


@pytest.mark.parametrize(("file", "channels", "messages"), RANGES)
def test_diffs_are_whole(file: str, channels: int, messages: int) -> None:
    streams = _diffs(file)
    assert (len(streams), sum(map(len, streams.values()))) == (channels, messages)
    for stream in streams.values():
        report = judge(stream, "range")
        assert counts(report) == {}
        assert (report.verdict, report.verified_percent, report.clean_percent) == (Verdict.PASS, 100.0, 100.0)


@pytest.mark.parametrize("file", [file for file, _, _ in RANGES])
def test_a_diff_lost_repeated_or_swapped_is_found_exactly(file: str) -> None:
    for stream in _diffs(file).values():
        for index in range(1, len(stream) - 1, 5):
            before, it, following = stream[:index], stream[index], stream[index + 1 :]
            first, last = _first(it), it.seq
            assert last is not None

            lost = judge(before + following, "range")
            assert counts(lost) == {"gaps": 1, "missing": last - first + 1}
            assert _place(lost) == ("gap", first, last, following[0].received_at)

            again = judge([*before, it, it, *following], "range")
            assert counts(again) == {"duplicates": 1}
            assert _place(again) == ("duplicate", first, last, it.received_at)

            swapped = judge([*before, following[0], it, *following[1:]], "range")
            assert counts(swapped) == {"reorders": 1}
            assert _place(swapped) == ("reorder", first, last, it.received_at)


MONOTONIC = {
    "binance": ("BINANCE.ws.1.0", _binance, ("@bookTicker", "@aggTrade"), 86),
    "binance futures": ("BINANCE_FUTURES.ws.1.0", _binance, ("@bookTicker", "@aggTrade"), 704),
    "coinbase": ("COINBASE.ws.28.0", _coinbase, ("ticker:", "match:"), 214),
    "okx": ("OKX.ws.1.0", _okx, ("trades:",), 74),
    "bybit": ("BYBIT.ws.26.0", _bybit, ("orderBookL2_25",), 1018),
}


@pytest.mark.parametrize("venue", MONOTONIC)
def test_rising_numbers_are_clean_and_prove_no_completeness(venue: str) -> None:
    file, tell, words, messages = MONOTONIC[venue]
    streams = {name: seen for name, seen in _streams(file, tell).items() if any(word in name for word in words)}
    assert sum(map(len, streams.values())) == messages
    for stream in streams.values():
        report = judge(stream, "monotonic")
        assert counts(report) == {}
        assert (report.verdict, report.verified_percent, report.clean_percent) == (Verdict.UNVERIFIABLE, 0.0, 100.0)
        for index in range(1, len(stream) - 1, 7):
            before, it, following = stream[:index], stream[index], stream[index + 1 :]
            assert counts(judge(before + following, "monotonic")) == {}, "loss cannot be seen"
            if it.event != "snapshot":  # which may be sent again
                assert _place(judge([*before, it, it, *following], "monotonic"))[:3] == ("duplicate", it.seq, it.seq)
            swapped = judge([*before, following[0], it, *following[1:]], "monotonic")
            assert _place(swapped) == ("regression", it.seq, it.seq, it.received_at)


def test_what_has_no_numbers_is_unverifiable() -> None:
    """OKX named no `prevSeqId` in 2022, nor does Coinbase number level2: nothing proves those books."""
    books = {name: seen for name, seen in _streams("OKX.ws.1.0", _okx).items() if name.startswith("books:")}
    level2 = {name: seen for name, seen in _streams("COINBASE.ws.28.0", _coinbase).items() if "l2update" in name}
    assert (sum(map(len, books.values())), sum(map(len, level2.values()))) == (290, 9729)
    for stream, scheme in (
        (one, scheme) for streams, scheme in ((books, "chain"), (level2, "none")) for one in streams.values()
    ):
        report = judge(stream, scheme)
        assert (report.verdict, report.verified_percent, report.clean_percent) == (Verdict.UNVERIFIABLE, 0.0, None)
        assert report.findings == []


TIMED = {
    "BINANCE.ws.1.0": (_binance, 0.0058),
    "BINANCE_FUTURES.ws.1.0": (_binance, 0.0),
    "COINBASE.ws.28.0": (_coinbase, 0.0183),
    "OKX.ws.1.0": (_okx, 0.0),
    "BYBIT.ws.26.0": (_bybit, 0.0),
}
"""how far the recorder's clock was behind, in seconds: less than clocks may differ by"""


@pytest.mark.parametrize("file", TIMED)
def test_times_are_in_order(file: str) -> None:
    tell, skew = TIMED[file]
    inversions, staleness, clocks = InversionCheck(), StalenessCheck(), SkewCheck()
    for stream in _streams(file, tell).values():
        for seen in stream:
            assert inversions.add(seen) + staleness.add(seen) + clocks.add(seen) == []
    assert inversions.metrics() == {"ordering.time_inversions": 0}
    assert clocks.metrics()["clock.skew.max"] == pytest.approx(skew, abs=0.0001)


def test_a_time_that_falls_or_stands_still_is_found_on_a_real_stream() -> None:
    stream = _diffs("BINANCE.ws.1.0")["nknusdt@depth@100ms"]
    earlier, fallen = stream[40], stream[41]
    assert earlier.sent_at is not None
    times = [seen.sent_at for seen in stream]
    times[41] = earlier.sent_at - 0.001
    check = InversionCheck()
    found = [one for seen, time in zip(stream, times, strict=True) for one in check.add(_at(seen, time))]
    assert [(one.first, one.at) for one in found] == [(fallen.seq, fallen.received_at)]

    stale = StalenessCheck(limit=5.0)
    stuck = [
        _at(seen, time if index < 40 else times[40])
        for index, (seen, time) in enumerate(zip(stream, times, strict=True))
    ]
    (finding,) = [one for seen in stuck for one in stale.add(seen)]
    shows = next(seen for seen in stream if seen.received_at - earlier.received_at > 5.0)
    assert (finding.first, finding.last, finding.at) == (earlier.seq, shows.seq, shows.received_at)


def _at(seen: Observation, sent_at: float | None) -> Observation:
    return Observation(
        seen.received_at, seen.conn, seen.channel, seen.event, seen.epoch, seen.seq, sent_at, None, seen.data
    )
