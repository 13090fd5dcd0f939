"""`wsctl record` as people run it: what is on the tape, however the recording ends."""

import fcntl
import json
import re
import signal
import subprocess
import termios
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.request import urlopen

import pytest

from tests.cli.conftest import Serve
from tests.cli.program import Program, Result, Server, command, environment, wait_until, wsctl
from tests.cli.test_table import Terminal
from tests.peers.background import Background
from tests.peers.liar import Liar
from tests.tape.tapes import read, write
from wsctl.tape.format import Header, TapeFrame
from wsctl.tape.reader import LINE_CUT, STREAM_CUT, TapeReader
from wsctl.tape.source import open_source

SUFFIXES = ["", ".gz", ".zst"]
SUMMARY = re.compile(r"([\d,]+) frames? in, (\d+) out, (\d+) opens?, (\d+) closes? in [\d.]+ s: [\d.]+ [KM]?B in (\S+)")


def prices(frames: list[TapeFrame]) -> list[int]:
    """The sequence numbers of the prices on a tape."""
    texts = [str(frame.frame) for frame in frames if frame.direction == "in"]
    return [json.loads(text[2:])[1]["seq"] for text in texts if text.startswith('42["price:update"')]


def is_sequence(numbers: list[int]) -> bool:
    """Whether each follows the one before, but for the snapshot in front, which is repeated by none or one."""
    return len(numbers) > 1 and numbers[1:] == list(range(numbers[1], numbers[1] + len(numbers) - 1))


def summary(result: Result) -> tuple[str, ...]:
    """Frames in and out, opens, closes and the file, as it was said last but for an error."""
    (line,) = [match for line in result.err.splitlines() if (match := SUMMARY.fullmatch(line))]
    return line.groups()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_tape_holds_what_was_said(feed: Server, tmp_path: Path, suffix: str) -> None:
    """The header says what it is; then come the connection, both sides' frames to the byte, and its end."""
    path = tmp_path / f"t.jsonl{suffix}"
    began = time.time()
    result = wsctl("record", "BTC/USDT", "--url", feed.url, "-o", str(path), "--count", "30")
    assert (result.code, result.out) == (0, "")
    assert summary(result) == ("30", "3", "1", "1", str(path))
    with open_source(path) as lines:
        header = TapeReader(lines).header
    assert (header.dialect, header.url, header.clock, header.part) == ("socketio", feed.url, "monotonic", 1)
    assert began <= header.unix_seconds(0) <= time.time()
    frames, cut = read(path)
    assert cut is None
    assert [frame.conn for frame in frames] == ["c1"] * 35
    opened, hello, join, joined, ask = frames[:5]
    assert (opened.direction, opened.url) == ("open", f"{feed.url}/socket.io/?EIO=4&transport=websocket")
    assert dict(opened.headers)["Upgrade"] == "websocket"
    assert (hello.direction, str(hello.frame)[:8]) == ("in", '0{"sid":')
    assert (join.direction, str(join.frame)[:12]) == ("out", '40{"client":')
    assert (joined.direction, str(joined.frame)[:9]) == ("in", '40{"sid":')
    assert (ask.direction, ask.frame) == ("out", '421["price:subscribe",["BTC/USDT"]]')
    assert [(frame.direction, frame.frame, frame.code) for frame in frames[-2:]] == [
        ("out", "41", None),
        ("close", None, 1000),
    ]
    assert is_sequence(prices(frames))
    offsets = [frame.at_ns for frame in frames]
    assert offsets == sorted(offsets)
    assert 0.02 * 20 < offsets[-1] / 1e9 < time.time() - began  # 50 prices a second


def test_the_tape_gets_the_live_verdict(background: Background, tmp_path: Path) -> None:
    """What a live check finds of planted anomalies, a check of the tape finds, to the last number."""
    plans = {"A/B": "", "C/D": "drop 7, swap 20, repeat 30"}
    path = tmp_path / "t.jsonl.zst"
    with Liar(background, plans, length=60, listeners=2) as liar:
        options = ("A/B", "C/D", "--url", liar.url, "--duration", "1500ms")
        with Program("record", *options, "-o", str(path)) as recorder:
            wait_until(lambda: liar.listeners("C/D"))
            live = wsctl("ordering-check", *options, "--format", "json")
            assert recorder.finish().code == 0
    taped = wsctl("ordering-check", "--tape", str(path), "--format", "json")
    assert taped.code == live.code == 1
    live_report, report = json.loads(live.out), json.loads(taped.out)
    assert report["channels"]["symbol:C/D:ticker"]["gaps"] == 1
    del live_report["times"]  # looked at on tapes only where it is asked for
    for channels in (live_report["channels"], report["channels"]):
        for channel in channels.values():
            for finding in channel["findings"]:
                finding.pop("at", None)
    assert report == live_report


def test_a_pipe_gets_the_live_verdict(feed: Server) -> None:
    """`record -o - | ordering-check -`: commands are filters."""
    recorded = wsctl("record", "BTC/USDT", "ETH/USDT", "--url", feed.url, "--duration", "500ms", "-o", "-")
    assert recorded.code == 0
    assert recorded.err.endswith(" to stdout\n")
    piped = wsctl("ordering-check", "-", "--format", "json", stdin=recorded.out.encode())
    report = json.loads(piped.out)
    assert (piped.code, report["verdict"]) == (0, "pass")
    assert set(report["channels"]) == {"symbol:BTC/USDT:ticker", "symbol:ETH/USDT:ticker"}
    lines = recorded.out.splitlines()
    messages = sum(channel["messages"] for channel in report["channels"].values())
    assert messages == sum("price:update" in line for line in lines) > 10


def test_a_name_for_who_gives_none(feed: Server, tmp_path: Path) -> None:
    """By the feed and the time, in the current folder; told."""
    result = wsctl("record", "BTC/USDT", "--url", feed.url, "--count", "5", cwd=tmp_path)
    (path,) = tmp_path.iterdir()
    assert re.fullmatch(rf"127\.0\.0\.1-{feed.port}-\d{{8}}-\d{{6}}\.jsonl", path.name)
    assert result.err.splitlines()[0] == f"recording to {path.name}"


@pytest.fixture
def recording(feed: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Program, Path]]:
    """A recorder at work for more than a second, and its tape."""
    path = tmp_path / f"t.jsonl{request.param}"
    with Program("record", "BTC/USDT", "ETH/USDT", "--url", feed.url, "-o", str(path)) as program:
        enough = 2500 if path.suffix in SUFFIXES else 20_000
        wait_until(lambda: path.exists() and path.stat().st_size > enough)
        yield program, path


@pytest.mark.parametrize("recording", SUFFIXES, indirect=True)
def test_killed(recording: tuple[Program, Path]) -> None:
    """kill -9 at any time: what was in the file by then can be read, without a hole."""
    program, path = recording
    size = path.stat().st_size
    result = program.signal(signal.SIGKILL)
    assert (result.code, result.err) == (-9, "")
    assert path.stat().st_size >= size
    frames, cut = read(path)
    assert cut == STREAM_CUT if path.suffix in SUFFIXES else cut in (None, LINE_CUT)
    check = wsctl("ordering-check", "--tape", str(path), "--format", "json")
    assert check.code == 0
    assert ("cut off" in check.err) == (cut is not None)
    channels = json.loads(check.out)["channels"]
    assert sum(channel["messages"] for channel in channels.values()) == len(prices(frames)) > 20
    assert {channel["clean_percent"] for channel in channels.values()} == {100.0}


@pytest.mark.parametrize("recording", SUFFIXES, indirect=True)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_ended(recording: tuple[Program, Path], number: int, code: int) -> None:
    """Ctrl-C and SIGTERM: the connection is closed, the tape is whole, and summed up."""
    program, path = recording
    result = program.signal(number)
    assert result.code == code
    frames, cut = read(path)
    assert cut is None
    assert (frames[-1].direction, frames[-1].code) == ("close", 1000)
    received = sum(frame.direction == "in" for frame in frames)
    assert summary(result) == (f"{received:,}", "3", "1", "1", str(path))
    assert len(result.err.splitlines()) == 1


def test_across_reconnects(serve: Serve, tmp_path: Path) -> None:
    """A server that dies and comes back: two connections on the tape, the first one's end with its code."""
    server = serve("--symbols", "X/Y", "--rate", "50")
    path = tmp_path / "t.jsonl"
    quick = ("--reconnect-delay", "50ms", "--reconnect-delay-max", "200ms", "--reconnect-attempts", "1000")
    with Program("record", "X/Y", "--url", server.url, "-o", str(path), *quick) as program:
        wait_until(lambda: path.exists() and b"price:update" in path.read_bytes())
        server.signal(signal.SIGTERM)
        program.wait_err("connection lost")
        serve("--symbols", "X/Y", "--rate", "50", "--port", str(server.port))
        program.wait_err("connected over websocket")
        size = path.stat().st_size
        wait_until(lambda: path.stat().st_size > size + 1000)
        result = program.signal(signal.SIGTERM)
    assert result.code == 0
    frames, _ = read(path)
    ends = [(frame.conn, frame.direction, frame.code) for frame in frames if frame.direction in ("open", "close")]
    assert ends == [("c1", "open", None), ("c1", "close", 1012), ("c1.2", "open", None), ("c1.2", "close", 1000)]
    asked = [frame.conn for frame in frames if '["price:subscribe",' in str(frame.frame)]
    assert asked == ["c1", "c1.2"]
    assert any("price:update" in str(frame.frame) for frame in frames if frame.conn == "c1.2")


def test_feed_gone(serve: Serve, tmp_path: Path) -> None:
    """The feed is lost for good: exit 3, and what is on tape is said."""
    server = serve("--symbols", "X/Y", "--rate", "50")
    path = tmp_path / "t.jsonl.gz"
    with Program("record", "X/Y", "--url", server.url, "-o", str(path), "--reconnect-attempts", "0") as program:
        wait_until(lambda: path.exists() and path.stat().st_size > 1000)
        server.process.kill()
        result = program.finish()
    assert result.code == 3
    frames, cut = read(path)
    assert cut is None
    assert (frames[-1].direction, frames[-1].code) == ("close", 1006)
    said, error = result.err.splitlines()
    assert SUMMARY.fullmatch(said)
    assert error.startswith("wsctl: error: the connection ended and is not tried again: connection lost")


def test_nobody_there(tmp_path: Path) -> None:
    """A target that does not answer leaves no tape behind; a file that was there before stays, empty."""
    mine = tmp_path / "mine.jsonl"
    mine.touch()
    for path in (tmp_path / "t.jsonl", mine):
        result = wsctl("record", "X/Y", "--url", "http://127.0.0.1:1", "-o", str(path))
        assert result.code == 3
        assert result.err.splitlines()[0] == "wsctl: error: http://127.0.0.1:1: connection refused"
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == {"mine.jsonl": 0}


def test_refused(serve: Serve, tmp_path: Path) -> None:
    """A server that says no is on tape, with what it said."""
    path = tmp_path / "t.jsonl"
    result = wsctl("record", "X/Y", "--url", serve("--auth", "required").url, "-o", str(path))
    assert result.code == 3
    assert summary(result)[:4] == ("2", "1", "1", "1")
    assert any("Authentication error" in str(frame.frame) for frame in read(path)[0])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_full_disk(feed: Server, tmp_path: Path, suffix: str) -> None:
    """Exit 4; the error says how many records are kept, and those are there."""
    path = tmp_path / f"t.jsonl{suffix}"
    limited = ("prlimit", "--fsize=9000")
    arguments = ("record", "BTC/USDT", "ETH/USDT", "--url", feed.url, "-o", str(path))
    with Program(*arguments, prefix=limited) as program:
        result = program.finish()
    assert result.code == 4
    (error,) = result.err.splitlines()
    match = re.fullmatch(
        r"wsctl: error: cannot write (\S+): file too large; "
        r"its first ([\d,]+) records are kept(, the last \d+ are not)?",
        error,
    )
    assert match, error
    frames, _ = read(path)
    assert (match[1], int(match[2].replace(",", ""))) == (str(path), len(frames))
    assert len(frames) > 20
    assert path.stat().st_size <= 9000


def test_secrets(serve: Serve, tmp_path: Path) -> None:
    """The handshake's token, its further keys and headers are not on tape, unless it is asked for."""
    token = wsctl("token", "--user", "alice").out.strip()
    reach = ("--url", serve().url, "--token", token, "--auth", '{"apiKey":"s3cret"}', "--header", "X-Api-Key: s3cret")
    path, kept = tmp_path / "t.jsonl", tmp_path / "kept.jsonl"
    for options in (("-o", str(path)), ("-o", str(kept), "--keep-secrets")):
        assert wsctl("record", "--notifications", *reach, "--count", "4", *options).code == 0
    assert token.encode() not in path.read_bytes()
    assert b"s3cret" not in path.read_bytes()
    assert b'\\"token\\":\\"redacted\\"' in path.read_bytes()
    assert kept.read_bytes().count(token.encode()) == 1
    assert kept.read_bytes().count(b"s3cret") == 2


@pytest.mark.parametrize("suffix", ["", ".zst"])
def test_rotation(feed: Server, tmp_path: Path, suffix: str) -> None:
    """Parts follow one another without a hole: joined they are one tape, and each can be read alone."""
    path = tmp_path / f"t.jsonl{suffix}"
    rotate = "2KB" if suffix else "10KB"
    result = wsctl(
        "record", "BTC/USDT", "ETH/USDT", "--url", feed.url, "-o", str(path), "--count", "250", "--rotate", rotate
    )
    assert result.code == 0
    parts = [path, *(tmp_path / f"t.{number}.jsonl{suffix}" for number in range(2, len(list(tmp_path.iterdir())) + 1))]
    assert len(parts) > 2
    assert result.err.endswith(f" in {len(parts)} files, {path} to {parts[-1].name}\n")
    joined = tmp_path / "joined"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, cut = read(joined)
    assert cut is None
    assert sum(frame.direction == "in" for frame in frames) == 250
    assert frames == [frame for part in parts for frame in read(part)[0]]
    with open_source(parts[1]) as lines:
        header = TapeReader(lines).header
    assert (header.part, header.conns) == (2, {"c1": f"{feed.url}/socket.io/?EIO=4&transport=websocket"})
    again = wsctl("record", "BTC/USDT", "--url", feed.url, "-o", str(tmp_path / f"t.jsonl{suffix}"), "--rotate", "1MB")
    assert again.code == 2


def test_rotation_by_time(feed: Server, tmp_path: Path) -> None:
    """A part holds so much of the tape's time."""
    path = tmp_path / "t.jsonl"
    options = ("--rotate", "300ms", "--duration", "1s")
    assert wsctl("record", "BTC/USDT", "--url", feed.url, "-o", str(path), *options).code == 0
    frames, _ = read(tmp_path / "t.2.jsonl")
    assert 0.2e9 < frames[-1].at_ns - frames[0].at_ns < 0.5e9
    assert frames[0].at_ns >= 0.3e9


def test_nothing_is_recorded_over(feed: Server, tmp_path: Path) -> None:
    """A file with something in it stays as it is; so does one that a later part would be."""
    path, second = tmp_path / "t.jsonl", tmp_path / "t.2.jsonl"
    path.write_text("dear diary\n")
    result = wsctl("record", "BTC/USDT", "--url", feed.url, "-o", str(path))
    assert (result.code, path.read_text()) == (2, "dear diary\n")
    assert f"{path} exists and is not empty; expected a new file" in result.err
    path.unlink()
    second.write_text("more\n")
    result = wsctl("record", "BTC/USDT", "--url", feed.url, "-o", str(path), "--rotate", "1MB")
    assert (result.code, second.read_text(), path.exists()) == (2, "more\n", False)
    assert f"{second} exists already; a part of the tape would be written there" in result.err


WRONG = {
    (): "nothing to record\n  hint: name a symbol (BTC/USDT) or a --channel",
    ("X/Y", "--rotate", "5"): "bad rotation '5'; expected a size such as 100MB, or a time such as 10m",
    ("X/Y", "--rotate", "5kiB"): "bad rotation '5kiB'; expected a size such as 100MB, or a time such as 10m",
    ("X/Y", "--rotate", "0s"): "a rotation after 0s would never write anything; expected more",
    ("X/Y", "--rotate", "1MB", "-o", "-"): "stdout cannot be rotated; expected a file",
    ("X/Y", "-o", "none/t.jsonl"): "cannot write none/t.jsonl: no such file or directory",
    ("X/Y", "--listen", ":0"): "--listen is for other clients; expected --listen and --upstream",
    ("X/Y", "--upstream", "http://h"): "--upstream is for other clients; expected --listen and --upstream",
    ("X/Y", "--ready-file", "x"): "--ready-file is for other clients; expected --listen and --upstream",
    ("X/Y", "--listen", ":0", "--upstream", "http://h"): "symbols are for a client of our own",
    ("--token", "x", "--listen", ":0", "--upstream", "http://h"): "--token is for a client of our own",
    ("--listen", "here", "--upstream", "http://h"): "bad address 'here'; expected :PORT or HOST:PORT, such as :8080",
    ("--listen", ":99999", "--upstream", "http://h"): "bad address ':99999'",
    ("--listen", ":0", "--upstream", "ftp://h"): "bad URL scheme 'ftp'; expected http, https, ws, wss",
    ("--listen", ":0", "--upstream", "ws://h/?k=1"): "the upstream's URL has a query; expected none",
    ("--listen", ":0", "--upstream", "ws://h", "--dialect", "binanc"): "unknown dialect 'binanc'",
}


@pytest.mark.parametrize(
    ("arguments", "sentence"), WRONG.items(), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_wrong_things_typed(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    """Exit 2, one sentence, and no file left behind."""
    result = wsctl("record", *arguments, cwd=tmp_path)
    assert (result.code, result.out) == (2, ""), result
    assert f"wsctl: error: {sentence}" in result.err
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves(feed: Server) -> None:
    """`record -o - | head -1` is 0, and nothing is said about it."""
    shell = '"$@" | head -1; exit ${PIPESTATUS[0]}'
    argv = command("record", "BTC/USDT", "--url", feed.url, "-o", "-")
    done = subprocess.run(["bash", "-c", shell, "bash", *argv], env=environment(), capture_output=True, timeout=20)
    assert (done.returncode, done.stderr, done.stdout.count(b"\n")) == (0, b"", 1)


def test_a_reader_that_never_reads(serve: Serve) -> None:
    """The pipe is full and nobody reads: the connection lives on, and Ctrl-C ends it, saying what is lost."""
    pings = ("--ping-interval", "100ms", "--ping-timeout", "1s")
    server = serve("--symbols", "A,B,C,D", "--rate", "500", "--metrics", *pings)
    argv = command("record", "A", "B", "C", "D", "--url", server.url, "-o", "-")
    with subprocess.Popen(argv, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        reading = process.stdout
        wait_until(lambda: is_stuck(reading, server))
        stuck = delivered(server)
        wait_until(lambda: delivered(server) > stuck + 4000)  # two seconds of a connection that answers pings
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 4
        on_tape = process.stdout.read().count(b"\n") - 1
        said = process.stderr.read().decode()
    assert "Traceback" not in said
    match = re.search(
        r"stdout cannot be written as fast as frames come: at least the first ([\d,]+) of ([\d,]+) records are on tape",
        said,
    )
    assert match, said
    kept, taken = (int(figure.replace(",", "")) for figure in match.groups())
    assert 0 < kept <= on_tape < 4000 < taken


def is_stuck(pipe: IO[bytes], server: Server) -> bool:
    """Whether nothing more comes into a pipe, though its feed goes on."""
    size, sent = waiting_in(pipe), delivered(server)
    wait_until(lambda: delivered(server) > sent + 400)
    return 0 < size == waiting_in(pipe)


def waiting_in(pipe: IO[bytes]) -> int:
    """Bytes in a pipe that nobody has read yet."""
    count = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def delivered(server: Server) -> float:
    """Messages that a server has handed to connections."""
    with urlopen(f"{server.url}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    return float(re.search(r"^wsctl_messages_delivered_total (\S+)", text, re.MULTILINE)[1])  # type: ignore[index]


def test_progress(feed: Server, tmp_path: Path) -> None:
    """On a terminal one line is redrawn each second, and makes room for the summary."""
    path = tmp_path / "t.jsonl"
    arguments = ("record", "BTC/USDT", "--url", feed.url, "-o", str(path), "--duration", "2500ms")
    terminal = Terminal(*arguments, columns=200)
    assert terminal.process.wait(20) == 0
    *drawn, last = terminal.read().replace("\n", "").split("\r\x1b[K")
    lines = [line for line in drawn if line]
    assert len(lines) == 2
    for line in lines:
        assert re.fullmatch(rf"\d s  \d+ frames  \d+/s  [\d.]+ KB in {path}", line), line
    assert SUMMARY.fullmatch(last.strip())


def test_a_raw_feed(tmp_path: Path) -> None:
    """A feed of another dialect: its own requests and answers, and every frame as the exchange sent it."""
    trade = '{"stream":"bnbbtc@trade","data":{"e":"trade","E":1,"s":"BNBBTC","t":NUMBER,"p":"0.35210000","q":"1.0"}}'
    messages = [trade.replace("NUMBER", str(number)) for number in range(1, 21)]
    source, path, ready = tmp_path / "source.jsonl", tmp_path / "t.jsonl.zst", tmp_path / "ready.json"
    opened = TapeFrame(0, "c1", "open", url="wss://stream.binance.com:9443/stream")
    frames = [TapeFrame(number * 10_000_000, "c1", "in", text) for number, text in enumerate(messages, 1)]
    write(source, [opened, *frames], Header(started_ns=0, dialect="binance", url=opened.url))
    with Program("replay", str(source), "--port", "0", "--ready-file", str(ready)) as replay:
        wait_until(lambda: ready.exists() or replay.process.poll() is not None)
        url = json.loads(ready.read_text())["url"] + "/stream"
        options = ("--url", url, "--dialect", "binance", "--channel", "bnbbtc@trade", "-o", str(path))
        result = wsctl("record", *options, "--count", "21")
    assert result.code == 0, result
    with open_source(path) as lines:
        assert TapeReader(lines).header.dialect == "binance"
    said = [(frame.direction, frame.frame) for frame in read(path)[0] if frame.frame is not None]
    assert said[0] == ("out", '{"method":"SUBSCRIBE","params":["bnbbtc@trade"],"id":1}')
    assert said[1] == ("in", '{"result":null,"id":1}')
    assert said[2:] == [("in", text) for text in messages]
