"""wsctl replay as people run it: what it prints and serves, how it ends, and what it says of bad input."""

import asyncio
import gzip
import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection
from websockets.asyncio.server import serve as listen

from tests.cli.program import WAIT, Program, Result, command, environment, wait_until, wsctl
from tests.peers.background import Background
from tests.peers.bourse import DIALECT, tick
from tests.tape.tapes import CAPTURES, write
from wsctl.tape.format import Header, TapeFrame

SECOND = 1_000_000_000
BINANCE = Header(started_ns=1_600_000_000 * SECOND, dialect="binance", url="wss://stream.example/ws")
SOCKETIO = Header(started_ns=1_600_000_000 * SECOND, dialect="socketio")

needs_captures = pytest.mark.skipif(not CAPTURES.exists(), reason="the captures are not on this machine")


def trade(number: int, at: float) -> TapeFrame:
    text = f'{{"e":"trade","E":1600000000000,"s":"BTCUSDT","t":{number},"p":"{number}.10"}}'
    return TapeFrame(round(at * SECOND), "c1", "in", text)


def price(seq: int, at: float) -> TapeFrame:
    payload = {"channel": "symbol:A/B:ticker", "symbol": "A/B", "price": 1.5, "seq": seq, "epoch": "x"}
    return TapeFrame(
        round(at * SECOND), "c1", "in", "42" + json.dumps(["price:update", {**payload, "timestamp": 1.6e12}])
    )


@pytest.fixture
def tape(tmp_path: Path) -> str:
    """Five trades, a tenth of a second apart."""
    return str(write(tmp_path / "trades.jsonl", [trade(number, number / 10) for number in range(1, 6)], BINANCE))


@pytest.fixture
def prices(tmp_path: Path) -> str:
    """Five prices of the platform, a tenth of a second apart."""
    return str(write(tmp_path / "prices.jsonl.zst", [price(number, number / 10) for number in range(1, 6)], SOCKETIO))


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[tuple[Program, str]]:
    """`wsctl replay` as a server, and its URL."""
    ready = folder / "ready.json"
    with Program("replay", *arguments, "--port", "0", "--ready-file", str(ready)) as program:
        wait_until(lambda: ready.exists() or program.process.poll() is not None)
        assert ready.exists(), program.finish()
        said = json.loads(ready.read_text())
        assert said["pid"] == program.process.pid
        yield program, said["url"]


async def received(url: str, path: str, asking: Any, count: int) -> list[str]:
    """So many frames of a server, its answer not among them."""
    async with asyncio.timeout(WAIT), connect(url + path) as client:
        await client.send(json.dumps(asking))
        await client.recv()
        return [str(await client.recv()) for _ in range(count)]


ASKING = {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}


def test_a_server_to_its_end(tape: str, tmp_path: Path) -> None:
    """It says what it serves, plays what was asked for, says how well it kept time, and stays until SIGTERM."""
    with serving(tmp_path, tape) as (program, url):
        assert url.startswith("ws://127.0.0.1:")
        got = asyncio.run(received(url, "/ws", ASKING, 5))
        assert got == [trade(number, 0).frame for number in range(1, 6)]
        program.wait_err("the tape is over; serving on, silent")
        assert program.err[0] == f"replaying trades.jsonl at {url}  (binance, 0.4 s)"
        assert program.err[1] == "channels: btcusdt@trade"
        (played,) = (line for line in program.err if line.startswith("played"))
        assert played.startswith("played 5 frames in 0.")
        assert "; schedule error p50 " in played
        result = program.signal(signal.SIGTERM)
        assert (result.code, result.out) == (0, "")
        assert result.err.count("played") == 1
    assert not (tmp_path / "ready.json").exists()


def test_a_server_that_is_interrupted(tape: str, tmp_path: Path) -> None:
    """Ctrl-C in the middle: what was played is said; before anybody came, that nobody did."""
    with serving(tmp_path, tape, "--speed", "0.01") as (program, url):
        asyncio.run(received(url, "/ws", ASKING, 1))
        result = program.interrupt()
        assert result.code == 130
        assert "played 1 frames in" in result.err
    with serving(tmp_path, tape) as (program, _):
        result = program.interrupt()
        assert (result.code, result.err.splitlines()[-1]) == (130, "nobody subscribed; nothing was played")
        assert not (tmp_path / "ready.json").exists()


def test_rounds_of_a_server(tape: str, tmp_path: Path) -> None:
    """Clients are closed with 1012 at the end of each, and those who come back meet the beginning."""
    with serving(tmp_path, tape, "--loop", "--speed", "10") as (program, url):
        for _ in range(2):
            got = asyncio.run(received(url, "/ws", ASKING, 5))
            assert got[0] == trade(1, 0).frame
        result = program.signal(signal.SIGTERM)
        assert result.code == 0


def test_a_feed_that_a_file_describes(tmp_path: Path) -> None:
    """Our client gets the pair that it asks for, and no other; what the tape has not is refused."""
    file = str(tmp_path / "bourse.yaml")
    Path(file).write_text(DIALECT)
    events = [("t", tick(n, pair)) for n in range(1, 4) for pair in ("BTCUSDT", "ETHUSDT")]
    frames = [TapeFrame(n, "c1", "in", "42" + json.dumps(event)) for n, event in enumerate(events)]
    tape = str(write(tmp_path / "bourse.jsonl", frames, Header(started_ns=0, dialect=file)))
    with serving(tmp_path, tape, "--loop", "--speed", "10") as (_, url):
        result = wsctl("subscribe", "BTC/USDT", "--url", url, "--dialect", file, "--count", "6")
        assert {one["channel"] for one in result.observations} == {"ticks.BTCUSDT"}
        assert {one["seq"] for one in result.observations} == {1, 2, 3}
        result = wsctl("subscribe", "XRP/USDT", "--url", url, "--dialect", file)
        assert (result.code, "the tape has no ticks.XRPUSDT" in result.err) == (2, True)


def test_a_namespace(tmp_path: Path) -> None:
    """What was recorded on one is served there, and it is said which there are."""
    frame = price(1, 0)
    assert isinstance(frame.frame, str)
    text = frame.frame.replace("42", "42/prices,", 1)
    tape = str(write(tmp_path / "prices.jsonl", [TapeFrame(0, "c1", "in", text)], SOCKETIO))
    with serving(tmp_path, tape, "--loop") as (program, url):
        program.wait_err("namespaces: /prices")
        result = wsctl("subscribe", "A/B", "--url", url, "--namespace", "/prices", "--count", "1")
        assert [one["seq"] for one in result.observations] == [1]
        result = wsctl("subscribe", "A/B", "--url", url)
        assert result.code == 3


def test_a_time_that_cannot_be_written(tmp_path: Path) -> None:
    """Is an error before anything is played, wherever on the tape it is."""
    frames = [
        TapeFrame(0, "c1", "in", '[0,["5541.2","0.1","1534614057.3","s","l",""],"trade","XBT/USD"]'),
        TapeFrame(SECOND, "c1", "in", '[1,{"as":[["1","2","1600000000.5"]],"bs":[]},"book-10","XBT/USD"]'),
    ]
    tape = str(write(tmp_path / "kraken.jsonl", frames, Header(started_ns=0, dialect="kraken-v1")))
    result = wsctl("replay", tape, "--restamp", "--print")
    assert (result.code, result.out) == (2, "")
    assert "kraken-v1: the time of book-10:XBT/USD cannot be written, only read" in result.err


def test_it_ends_with_who_started_it(tape: str) -> None:
    """Whose stdin we are: a scenario's server does not outlive the scenario."""
    process = subprocess.Popen(
        command("replay", tape, "--port", "0", "--until-stdin-ends"),
        env=environment(),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(WAIT) == 0
    assert process.stderr is not None
    process.stderr.close()


def test_a_socketio_server(prices: str, tmp_path: Path) -> None:
    """Its URL is http; wsctl itself finds it whole, in the recorded epoch."""
    with serving(tmp_path, prices) as (_, url):
        assert url.startswith("http://127.0.0.1:")
        result = wsctl("subscribe", "A/B", "--url", url, "--count", "5", "--format", "jsonl")
        seen = [(line["epoch"], line["seq"], line["data"]["price"]) for line in result.observations]
        assert seen == [("x", seq, 1.5) for seq in range(1, 6)], result


def test_printed(tape: str) -> None:
    """Observations, received when they were due, one after the other at the tape's pace."""
    result = wsctl("replay", tape, "--print")
    assert result.code == 0
    assert [(line["channel"], line["event"], line["seq"], line["sent_at"]) for line in result.observations] == [
        ("btcusdt@trade", "trade", number, 1.6e9) for number in range(1, 6)
    ]
    assert [line["data"]["p"] for line in result.observations] == [f"{number}.10" for number in range(1, 6)]
    at = [line["received_at"] for line in result.observations]
    assert [later - at[0] for later in at] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4], abs=1e-5)
    assert result.err.startswith("played 5 frames in 0.")


def test_a_part_of_it(tape: str) -> None:
    """--from and --until count from the first record on."""
    result = wsctl("replay", tape, "--print", "--from", "100ms", "--until", "0.3s")
    assert [line["seq"] for line in result.observations] == [2, 3, 4]


def test_into_a_pipe(prices: str) -> None:
    """ordering-check reads what is printed: each round is a new epoch, and in order."""
    script = (
        f"{' '.join(command('replay', prices, '--print', '--loop', '--speed', 'max'))} | head -n 12"
        f" | {' '.join(command('ordering-check', '-', '--format', 'json'))}"
    )
    done = subprocess.run(["sh", "-c", script], env=environment(), capture_output=True, timeout=WAIT)
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"]) == (0, "pass"), report
    (channel,) = report["channels"].values()
    assert (channel["messages"], channel["resets"], channel["gaps"]) == (12, 2, 0)


def test_restamped(prices: str) -> None:
    """Times of sending are those of the playing."""
    result = wsctl("replay", prices, "--print", "--restamp")
    for line in result.observations:
        assert line["sent_at"] == pytest.approx(line["received_at"], abs=1)
        assert line["data"]["timestamp"] == pytest.approx(line["sent_at"] * 1000, abs=0.001)


def test_into_a_target(tape: str, background: Background) -> None:
    """Frame by frame, and how many went where is said; the query, which may hold a key, is not."""
    got: list[str | bytes] = []

    async def take(connection: ServerConnection) -> None:
        got.extend([frame async for frame in connection])

    async def start() -> tuple[Server, int]:
        server = await listen(take, "127.0.0.1", 0)
        return server, next(iter(server.sockets)).getsockname()[1]

    server, port = background.run(start())
    result = wsctl("replay", tape, "--to", f"ws://127.0.0.1:{port}/in?key=hush")
    background.run(stopped(server))
    assert (result.code, result.out) == (0, "")
    assert got == [trade(number, 0).frame for number in range(1, 6)]
    assert result.err.splitlines()[-1] == f"5 messages sent to ws://127.0.0.1:{port}/in"
    assert result.err.startswith("played 5 frames in 0.")
    assert "hush" not in result.err


async def stopped(server: Server) -> None:
    server.close()
    await server.wait_closed()


@needs_captures
def test_recordings_of_one_time(tmp_path: Path) -> None:
    """A capture's stream and its HTTP answers play together."""
    files = [str(CAPTURES / name) for name in ("BINANCE.ws.1.0", "BINANCE.http.0.0")]
    with serving(tmp_path, *files, "--speed", "max") as (_, url):
        got = asyncio.run(received(url, "/ws", {**ASKING, "params": ["nknusdt@aggTrade"]}, 1))
        assert json.loads(got[0])["p"] == "0.35280000"
        with Program(argv=["curl", "-s", f"{url.replace('ws', 'http', 1)}/api/v3/depth?symbol=LRCBTC&limit=1"]) as curl:
            book = json.loads(curl.finish().out)
        assert book["lastUpdateId"] > 259345543
        assert (len(book["bids"]), len(book["asks"])) == (1, 1)


@needs_captures
def test_the_live_verdict_is_that_of_the_tape(tmp_path: Path) -> None:
    """ordering-check finds on the replayed stream what it finds in the file."""
    tape, channel = str(CAPTURES / "BINANCE.ws.1.0"), "nknusdt@depth@100ms"
    offline = wsctl("ordering-check", "--tape", tape, "--format", "json")
    feed = ("--dialect", "binance", "--channel", channel, "--duration", "60s", "--max-silence", "3s")
    with serving(tmp_path, tape, "--speed", "10") as (_, url):
        live = wsctl("ordering-check", "--url", f"{url}/ws", *feed, "--format", "json")
    found, wanted = (json.loads(result.out)["channels"][channel] for result in (live, offline))
    assert (found["messages"], found["verdict"]) == (150, "pass")
    assert found == wanted


def bad(folder: Path) -> Iterator[tuple[list[str], str]]:
    """Arguments, and the sentence that they earn."""
    good = str(write(folder / "good.jsonl", [trade(1, 0), trade(2, 1)], BINANCE))
    (folder / "newer.jsonl").write_text('{"wsctl":"tape","version":2,"started_at":0}\n')
    (folder / "empty.jsonl").write_text("")
    (folder / "seen.jsonl").write_text('{"received_at":1.0}\n')
    packed = gzip.compress((folder / "good.jsonl").read_bytes())
    (folder / "damaged.gz").write_bytes(packed[:-8] + bytes(8))  # its checksum
    yield ["newer.jsonl"], "newer.jsonl:1: a tape of version 2; this wsctl reads up to version 1"
    yield ["empty.jsonl"], "empty.jsonl is empty; expected a recording"
    yield ["nowhere.jsonl"], "cannot read nowhere.jsonl: no such file or directory"
    yield ["seen.jsonl"], "seen.jsonl: Observation lines hold no frames; expected a tape or a capture"
    yield ["damaged.gz"], "damaged.gz: its compressed data is damaged after line"
    yield ["-"], "a tape is read more than once, so that stdin will not do; expected a file"
    yield [good, "--dialect", "coinbase"], "the tape holds no event of coinbase; "
    yield [good, "--dialect", "socketio"], "the tape holds no event of socketio; "
    yield [good, "--dialect", "binanc"], "unknown dialect 'binanc'"
    yield [good, "--speed", "0"], "--speed: '0' is no speed; expected a number above 0, such as 0.5 or 10, or max"
    yield [good, "--speed", "nan"], "--speed: 'nan' is no speed"
    yield [good, "--from", "1001ms"], "--from is after the end: the tape is 1.0 s long"
    yield [good, "--from", "1s", "--until", "1s"], "--until ends before --from begins; expected it to be later"
    yield [good, "--from", "1"], "--from: bad duration '1'; expected a number and a unit"
    yield [good, "--print", "--to", "ws://127.0.0.1:1"], "--to and --print are two ways to play; expected one of them"
    yield [good, "--to", "ftp://127.0.0.1"], "bad URL scheme 'ftp'; expected http, https, ws, wss, redis, rediss"
    yield [good, "--print", "--port", "1"], "--port is about a server; with --to or --print there is none"
    yield [good, "--ready-file", "nowhere/ready.json"], "cannot write the ready file nowhere/ready.json: no such file"


def test_bad_input(tmp_path: Path) -> None:
    """One sentence each, and exit 2."""
    for arguments, message in bad(tmp_path):
        elsewhere = () if {"--print", "--to"} & set(arguments) else ("--port", "0")
        result = wsctl("replay", *elsewhere, *arguments, cwd=tmp_path)
        said = [line for line in result.err.splitlines() if line.startswith("wsctl: error: ")]
        assert (result.code, len(said)) == (2, 1), (arguments, result)
        assert said[0].startswith(f"wsctl: error: {message}"), arguments


def test_a_target_that_is_not_there(tape: str) -> None:
    """One sentence, and exit 3."""
    for url in ("ws://127.0.0.1:1", "http://127.0.0.1:1", "redis://127.0.0.1:1"):
        result = wsctl("replay", tape, "--to", url)
        assert (result.code, result.err.count("wsctl: error: ")) == (3, 1), result


def test_a_port_in_use(tape: str, tmp_path: Path) -> None:
    with serving(tmp_path, tape) as (_, url):
        port = url.rpartition(":")[2]
        result = wsctl("replay", tape, "--port", port)
    assert result == Result(
        2,
        "",
        f"wsctl: error: port {port} on 127.0.0.1 is already in use\n  hint: --port 0 picks a free one\n",
    )


def test_what_was_cut_off_is_said(tape: str, tmp_path: Path) -> None:
    """A killed recorder's last line is left out, as everywhere."""
    (tmp_path / "cut.jsonl").write_bytes(Path(tape).read_bytes()[:-20])
    result = wsctl("replay", str(tmp_path / "cut.jsonl"), "--print", "--speed", "max")
    assert [line["seq"] for line in result.observations] == [1, 2, 3, 4]
    assert "the last line was cut off; left out" in result.err
