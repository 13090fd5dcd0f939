"""Captures of cryptofeed: every line of the real ones, and what the real ones lack."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.tape.tapes import CAPTURES, read, source, write
from wsctl.errors import UsageError
from wsctl.tape.format import TapeFrame
from wsctl.tape.importers.cryptofeed import CryptofeedReader, dialect_of
from wsctl.tape.reader import LINE_CUT
from wsctl.tape.source import open_source

# name: dialect, frames by direction, unix ns of the first and the last record
GOLDEN = {
    "BINANCE.http.0.0": ("binance", {"http": 4}, 1633998512_320639000, 1633998522_743208000),
    "BINANCE.ws.1.0": ("binance", {"open": 1, "in": 265}, 1633998511_159679000, 1633998542_077861800),
    "BINANCE_FUTURES.ws.1.0": ("binance", {"open": 1, "in": 1535}, 1626992740_179554000, 1626992771_201806000),
    "BYBIT.ws.26.0": ("bybit", {"open": 1, "out": 4, "in": 1098}, 1618677785_489609000, 1618677816_500978000),
    "COINBASE.ws.28.0": ("coinbase", {"open": 1, "out": 3, "in": 9946}, 1618677816_843429800, 1618677847_846469900),
    "KRAKEN.ws.48.0": ("kraken", {"open": 1, "out": 1, "in": 49}, 1618678132_368463000, 1618678162_660873000),
    "KRAKEN.ws.49.0": ("kraken", {"open": 1, "out": 1, "in": 60}, 1618678132_377188200, 1618678163_183554000),
    "KRAKEN.ws.50.0": ("kraken", {"open": 1, "out": 1, "in": 4321}, 1618678132_385815100, 1618678163_372861900),
    "OKX.ws.1.0": ("okx", {"open": 1, "out": 3, "in": 410}, 1652459224_530060500, 1652459236_341644500),
}


@pytest.fixture(params=GOLDEN)
def capture(request: pytest.FixtureRequest) -> Path:
    """One of the real ones."""
    path: Path = CAPTURES / request.param
    if not path.exists():
        pytest.skip("no captures beside the repository")
    return path


def test_captures(capture: Path) -> None:
    """Counts and instants, exactly: a float would be wrong by up to 240 ns."""
    dialect, counts, first_ns, last_ns = GOLDEN[capture.name]
    with open_source(capture) as lines:
        reader = CryptofeedReader(lines)
        frames = list(reader)
    assert (reader.header.dialect, reader.header.started_ns, reader.truncated) == (dialect, first_ns, None)
    assert Counter(frame.direction for frame in frames) == counts
    assert frames[0].at_ns == 0
    assert first_ns + frames[-1].at_ns == last_ns


def test_every_line(capture: Path) -> None:
    """A record stands for each line that is not blank, and says what the line said."""
    with open_source(capture) as lines:
        reader = CryptofeedReader(lines)
        written = [_as_cryptofeed(frame, reader.header.started_ns, reader.header.url) for frame in reader]
    assert written == [line for line in capture.read_text().split("\n") if line]


def _as_cryptofeed(frame: TapeFrame, started_ns: int, url: str | None) -> str:
    """The line, written again without any of the reader's code."""
    whole, rest = divmod(started_ns + frame.at_ns, 10**9)
    time = f"{whole}.{rest:09}".rstrip("0")
    if frame.direction == "in":
        return f"{time}: {frame.frame}"
    if frame.direction == "out":
        return f"{url} <- {time}: {frame.frame}"
    if frame.direction == "http":
        return f"{frame.url} -> {time}: {frame.frame}"
    return f"{frame.url} <-> {time}"


def test_as_a_tape(capture: Path, tmp_path: Path) -> None:
    """Written as a tape of ours it reads the same."""
    with open_source(capture) as lines:
        reader = CryptofeedReader(lines)
        frames = list(reader)
    assert read(write(tmp_path / "t.jsonl.zst", frames, reader.header)) == (frames, None)


def test_values() -> None:
    """Of one message, from the raw line."""
    path = CAPTURES / "BINANCE.ws.1.0"
    if not path.exists():
        pytest.skip("no captures beside the repository")
    with open_source(path) as lines:
        frames = list(CryptofeedReader(lines))
    assert isinstance(frames[1].frame, str)
    message = msgspec.json.decode(frames[1].frame)
    assert (frames[1].at_ns, frames[1].conn) == (903_677_900, "c1")
    assert (message["data"]["U"], message["data"]["b"][0]) == (499869750, ["0.35130000", "6195.00000000"])


def records(text: str) -> list[TapeFrame]:
    """What a capture of this text holds."""
    return list(CryptofeedReader(source(text.encode(), "X.ws.1.0")))


def test_what_the_real_ones_lack() -> None:
    """A second connection, binary frames, answers with headers, whole seconds and nanoseconds, a configuration."""
    capture = [
        'configuration: {"trades": ["BTC-USDT"]}',
        "wss://x/a?b=c <-> 100",
        "wss://x/a?b=c <- 100.5: b'\\x00a'",
        '101.000000001: b"it\'s"',
        "101.1: b'unfinished",
        "101.2: a <- 1: b",
        "",
        'https://x/d -> 102.25: {"a": " header: x"} header: {"ETag": "1", "Age": 7}',
        'https://x/d -> 102.5: {"a": " header: x"}',
        "wss://x/a?b=c <-> 99.75",
        "103: ",
    ]
    assert records("\n".join(capture) + "\n") == [
        TapeFrame(0, "c1", "open", url="wss://x/a?b=c"),
        TapeFrame(500_000_000, "c1", "out", b"\x00a"),
        TapeFrame(1_000_000_001, "c1", "in", b"it's"),
        TapeFrame(1_100_000_000, "c1", "in", "b'unfinished"),
        TapeFrame(1_200_000_000, "c1", "in", "a <- 1: b"),
        TapeFrame(
            2_250_000_000, "", "http", '{"a": " header: x"}', url="https://x/d", headers=(("ETag", "1"), ("Age", "7"))
        ),
        TapeFrame(2_500_000_000, "", "http", '{"a": " header: x"}', url="https://x/d"),
        TapeFrame(-250_000_000, "c1.2", "open", url="wss://x/a?b=c"),
        TapeFrame(3_000_000_000, "c1.2", "in", ""),
    ]


def test_a_file_that_begins_in_the_middle() -> None:
    """As the second of a rotation does: nobody knows the URL."""
    reader = CryptofeedReader(source(b"100: {}\n"))
    assert (reader.header.url, reader.header.dialect) == (None, None)
    assert list(reader) == [TapeFrame(0, "c1", "in", "{}")]


@pytest.mark.parametrize(
    "line",
    ["garbage", "wss://x <-> 100: {}", "wss://x <- 100", "100", "100.1234567890: {}", "x y <-> 100", "-1: {}"],
)
def test_lines_that_are_no_records(line: str) -> None:
    """Nothing is passed over in silence."""
    with pytest.raises(UsageError, match=r"^X\.ws\.1\.0:2: not a record of cryptofeed: "):
        records(f"wss://x <-> 100\n{line}\n101: {{}}\n")


def test_cut_at_every_byte_of_the_last_line() -> None:
    """Whole, or left out and told."""
    first, last = b"wss://x <-> 100\n", b'100.125: {"a":[1,{"b":2}]}\n'
    for end in range(1, len(last) + 1):
        reader = CryptofeedReader(source(first + last[:end]))
        whole = end >= len(last) - 1
        assert len(list(reader)) == 1 + whole, last[:end]
        assert reader.truncated == (None if whole else LINE_CUT)


def test_nothing_but_a_cut_line() -> None:
    """Is no capture."""
    with pytest.raises(UsageError, match="holds no whole record"):
        records("wss://x <-> 16")


def test_dialects() -> None:
    """By host, never by a part of its name."""
    assert dialect_of("wss://stream.binance.com:9443/stream?streams=a") == "binance"
    assert dialect_of("wss://binance.com.evil.example/") is None
    assert dialect_of("wss://notokx.com/") is None
    assert CryptofeedReader(source(b"wss://okx.com <-> 1\n"), lambda url: "mine").header.dialect == "mine"
