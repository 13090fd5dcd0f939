"""Binance over HTTP: books that agree with the stream at every position of it."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.wire.captures import find, read
from wsctl.model.event import Event
from wsctl.wire.binance_rest import BinanceRest
from wsctl.wire.rest import Answer

URL = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000"
SNAPSHOT = {
    "lastUpdateId": 160,
    "bids": [["1.10", "7.00"], ["1.00", "1.00"], ["0.90", "0.50"]],
    "asks": [["1.20", "2.00"], ["1.30", "3.00"]],
}


def rest(snapshot: dict[str, Any] = SNAPSHOT, url: str = URL) -> BinanceRest:
    answering = BinanceRest()
    answering.recorded(url, json.dumps(snapshot))
    return answering


def diff(first: int, last: int, *, bids: Any = (), asks: Any = (), symbol: str = "BTCUSDT", **more: Any) -> Event:
    data = {"e": "depthUpdate", "E": 9, "s": symbol, "U": first, "u": last, "b": bids, "a": asks, **more}
    return Event(name="depthUpdate", channel="x@depth", data=json.loads(json.dumps(data)))


def body(answer: Answer | None) -> Any:
    assert answer is not None
    return answer.status, json.loads(answer.body)


def depth(answering: BinanceRest, query: str = "symbol=BTCUSDT", path: str = "/api/v3/depth") -> Any:
    return body(answering.answer(f"{path}?{query}", 0.0))


def test_as_recorded_until_the_stream_is_there() -> None:
    """What the snapshot covers changes nothing."""
    answering = rest()
    answering.event(diff(150, 160, bids=[["1.10", "0.00"]]))
    assert depth(answering) == (200, SNAPSHOT)


def test_what_was_played_since_is_applied() -> None:
    """Levels set, added in their place, and removed, digits as they came; of this symbol and no other."""
    answering = rest()
    answering.event(diff(161, 165, bids=[["1.05", "4.40"], ["1.00", "0.00000000"]], asks=[["1.20", "9"]]))
    answering.event(diff(1, 999, bids=[["5.00", "5.00"]], symbol="ETHUSDT"))
    answering.event(diff(166, 166, asks=[["1.15", "0.10"], ["7.77", "0.00"]]))
    assert depth(answering) == (
        200,
        {
            "lastUpdateId": 166,
            "bids": [["1.10", "7.00"], ["1.05", "4.40"], ["0.90", "0.50"]],
            "asks": [["1.15", "0.10"], ["1.20", "9"], ["1.30", "3.00"]],
        },
    )


def test_a_later_snapshot_takes_the_books_place() -> None:
    """And one that the stream has overtaken does not."""
    answering = rest()
    answering.event(diff(161, 170, bids=[["1.10", "0.00"]]))
    answering.recorded(URL, json.dumps(SNAPSHOT))
    assert depth(answering)[1]["lastUpdateId"] == 170
    answering.recorded(URL, json.dumps({"lastUpdateId": 200, "bids": [], "asks": []}))
    assert depth(answering) == (200, {"lastUpdateId": 200, "bids": [], "asks": []})


def test_futures() -> None:
    """Their answers have times, and theirs is another path."""
    snapshot = {"lastUpdateId": 5, "E": 1, "T": 2, "bids": [["1.0", "1"]], "asks": []}
    answering = rest(snapshot, "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT")
    path = "/fapi/v1/depth"
    assert depth(answering, path=path) == (200, snapshot)
    answering.event(diff(6, 7, asks=[["2.0", "2"]], T=8, pu=5))
    wanted = {"lastUpdateId": 7, "E": 9, "T": 8, "bids": [["1.0", "1"]], "asks": [["2.0", "2"]]}
    assert depth(answering, path=path) == (200, wanted)


def test_as_many_levels_as_asked_for() -> None:
    """100 unless asked; at most 5000."""
    levels = [[f"{price}.0", "1.0"] for price in range(6000, 0, -1)]
    answering = rest({"lastUpdateId": 1, "bids": levels, "asks": levels[::-1]})
    for query, count in (("", 100), ("&limit=5", 5), ("&limit=0", 100), ("&limit=1000", 1000), ("&limit=99999", 5000)):
        _, answer = depth(answering, f"symbol=BTCUSDT{query}")
        assert answer["bids"] == levels[:count]
        assert answer["asks"] == levels[::-1][:count]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("symbol=NOPE", 400, -1121),
        ("symbol=btcusdt", 400, -1121),
        ("", 400, -1102),
        ("symbol=", 400, -1102),
        ("symbol=BTCUSDT&limit=x", 400, -1100),
        ("symbol=BTCUSDT&limit=-1", 400, -1100),
        ("symbol=ETHUSDT", 404, -1000),
    ],
)
def test_errors(query: str, status: int, code: int) -> None:
    """As the exchange words them; a book that the tape has no snapshot of is said to be missing."""
    answering = rest()
    answering.event(diff(1, 2, symbol="ETHUSDT"))
    said, answer = depth(answering, query)
    assert (said, answer["code"]) == (status, code)


def test_other_paths() -> None:
    answering = rest()
    assert body(answering.answer("/api/v3/ping", 0.0)) == (200, {})
    assert body(answering.answer("/fapi/v1/time", 1_700_000_000.5)) == (200, {"serverTime": 1_700_000_000_500})
    assert answering.answer("/api/v3/exchangeInfo", 0.0) is None
    assert answering.answer("/depth?symbol=BTCUSDT", 0.0) is None


@pytest.mark.parametrize("recorded", ['{"code":-1121,"msg":"Invalid symbol."}', "no JSON", "[]", b"\xff"])
def test_recorded_errors_are_no_books(recorded: str | bytes) -> None:
    answering = BinanceRest()
    answering.recorded(URL, recorded)
    assert depth(answering)[0] == 400


@pytest.mark.parametrize(
    "data", [[], {"s": 1}, {"e": "depthUpdate", "s": "BTCUSDT", "u": "x"}, {"s": "BTCUSDT", "u": 900, "b": 1, "a": 2}]
)
def test_what_is_no_diff(data: Any) -> None:
    """Changes no book."""
    answering = rest()
    answering.event(Event(name="depthUpdate", data=data))
    assert depth(answering) == (200, SNAPSHOT)


def test_the_captured_book() -> None:
    """After the whole capture, every level is what its latest update says."""
    events = read("BINANCE.ws.1.0").channel("nknusdt@depth@100ms")
    line = find("BINANCE.http.0.0").read_text().splitlines()[0]
    url, _, recorded = line.partition(" -> ")
    snapshot = json.loads(recorded.partition(": ")[2])
    answering = BinanceRest()
    answering.recorded(url, json.dumps(snapshot))
    sides: dict[str, dict[str, str]] = {"bids": dict(snapshot["bids"]), "asks": dict(snapshot["asks"])}
    for event in events:
        answering.event(event)
        if event.data["u"] > snapshot["lastUpdateId"]:
            sides["bids"].update(event.data["b"])
            sides["asks"].update(event.data["a"])
    status, answer = depth(answering, "symbol=NKNUSDT&limit=5000")
    assert (status, answer["lastUpdateId"]) == (200, 499870179)
    for side, reverse in (("bids", True), ("asks", False)):
        held = [[price, size] for price, size in sides[side].items() if Decimal(size)]
        assert answer[side] == sorted(held, key=lambda level: Decimal(level[0]), reverse=reverse)
    assert answer["bids"][0] == ["0.35270000", "9602.00000000"]
