"""Output that nobody takes: a reader that has left, a full disk, a stream that was never open."""

import contextlib
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from select import select

import pytest

from tests.cli.conftest import Serve
from tests.cli.program import Result, Server, command, environment, wait_until, wsctl
from tests.peers.background import Background
from tests.peers.liar import Liar

FULL = Path("/dev/full")

needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


def ended(arguments: tuple[str, ...], stdout: int, stdin: bytes = b"") -> Result:
    """Run to the end with its stdout somewhere else."""
    done = subprocess.run(
        command(*arguments), input=stdin, stdout=stdout, stderr=subprocess.PIPE, env=environment(), timeout=20
    )
    return Result(done.returncode, "", done.stderr.decode())


@pytest.fixture
def unread() -> Iterator[int]:
    """A pipe whose reader has left."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.fixture
def full() -> Iterator[int]:
    """A file on a full disk."""
    with FULL.open("wb") as file:
        yield file.fileno()


@pytest.fixture(scope="module")
def tapes() -> dict[int, bytes]:
    """Recordings by the exit code that they deserve: a clean one, and one with a gap."""
    background = Background()
    with Liar(background, {"GOOD": "", "BAD": "drop 7"}, length=20) as liar:
        lines = {
            symbol: wsctl("subscribe", symbol, "--url", liar.url, "--count", str(liar.sent(symbol))).out.encode()
            for symbol in ("GOOD", "BAD")
        }
    background.stop()
    return {0: lines["GOOD"], 1: lines["BAD"]}


@pytest.mark.parametrize("format", ["table", "json"])
@pytest.mark.parametrize("code", [0, 1])
def test_a_verdict_outlives_its_reader(tapes: dict[int, bytes], unread: int, code: int, format: str) -> None:
    """`ordering-check - | true` keeps the verdict's exit code, and says nothing about it."""
    result = ended(("ordering-check", "-", "--format", format), unread, tapes[code])
    assert (result.code, result.err) == (code, "")


def test_a_live_verdict_outlives_its_reader(background: Background, unread: int) -> None:
    """So does the verdict on a feed."""
    with Liar(background, {"X/Y": "drop 7"}, length=20) as liar:
        result = ended(("ordering-check", "X/Y", "--url", liar.url, "--duration", "500ms"), unread)
    assert (result.code, result.err) == (1, "")


def test_a_watch_ends_with_its_reader(feed: Server) -> None:
    """`subscribe | head -1` is 0, with nothing but its summary on stderr."""
    shell = '"$@" | head -1; exit ${PIPESTATUS[0]}'
    watch = command("subscribe", "BTC/USDT", "--url", feed.url)
    done = subprocess.run(["bash", "-c", shell, "bash", *watch], env=environment(), capture_output=True, timeout=20)
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 1)
    (summary,) = done.stderr.decode().splitlines()
    assert " in " in summary


@needs_full
def test_a_watch_on_a_full_disk(feed: Server, full: int) -> None:
    """It ends 4 with one sentence that says what is wrong; that is no fault to report."""
    result = ended(("subscribe", "BTC/USDT", "--url", feed.url), full)
    assert result.code == 4
    *_, sentence = result.err.splitlines()
    assert sentence == "wsctl: error: cannot write the output: no space left on device"
    assert result.err.count("error") == 1


@needs_full
@pytest.mark.parametrize("arguments", [("emit", "time:sync", "--wait", "50ms"), ("ordering-check", "-")], ids=" ".join)
def test_an_answer_on_a_full_disk(feed: Server, full: int, arguments: tuple[str, ...]) -> None:
    """Whatever prints once says so in the same words."""
    reach = ("--url", feed.url) if arguments[0] == "emit" else ()
    result = ended((*arguments, *reach), full)
    assert result == (4, "", "wsctl: error: cannot write the output: no space left on device\n")


def answers(server: Server) -> bool:
    with urllib.request.urlopen(f"{server.url}/healthz", timeout=5) as response:
        return bool(response.status == 200)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A named pipe."""
    path = tmp_path / "metrics"
    os.mkfifo(path)
    return path


def test_a_feed_outlives_the_reader_of_its_metrics(serve: Serve, fifo: Path) -> None:
    """`serve --metrics-file - | head -1`: told once, and the feed goes on without."""
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    server = serve("--metrics", "--metrics-file", str(fifo))
    wait_until(lambda: select([reading], [], [], 0)[0])
    os.close(reading)
    server.wait_err("metrics are no longer written (their reader has left); serving goes on")
    server.wait_err("messages/s", sum("messages/s" in line for line in server.err) + 2)
    assert answers(server)
    ended = server.signal(signal.SIGTERM)
    assert (ended.code, ended.err.count("no longer written")) == (0, 1)


@needs_full
def test_a_feed_outlives_a_full_disk(serve: Serve) -> None:
    """So it does where the metrics cannot be written."""
    server = serve("--metrics-file", str(FULL))
    server.wait_err("metrics are no longer written (cannot write the output: no space left on device); serving goes on")
    assert answers(server)
    assert server.signal(signal.SIGTERM).code == 0


def test_the_last_metrics_are_written(serve: Serve, fifo: Path) -> None:
    """What a slow reader has not taken when the feed ends is still given to it."""
    reading = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(reading, b"\n" * 4096)
    server = serve("--metrics", "--metrics-file", str(fifo))
    server.wait_err("messages/s", 2)
    server.process.send_signal(signal.SIGTERM)
    server.wait_err("served for")
    with pytest.raises(subprocess.TimeoutExpired):  # it waits two seconds for the reader
        server.process.wait(0.7)
    taken = b""
    while server.process.poll() is None or select([reading], [], [], 0)[0]:
        if select([reading], [], [], 0.05)[0]:
            taken += os.read(reading, 65536)
    os.close(reading)
    assert taken.count(b"loop_lag_ms") >= 2


@pytest.mark.parametrize(
    ("arguments", "streams", "code"),
    [
        (("subscribe", "BTC/USDT", "--count", "3"), ">&-", 0),
        (("subscribe", "BTC/USDT", "--count", "3"), "<&- >&- 2>&-", 0),
        (("emit", "price:subscribe", "BTC/USDT", "--wait", "100ms"), ">&-", 0),
        (("emit", "price:subscribe", "NO/SUCH", "--wait", "50ms"), "<&- >&-", 1),
        (("ordering-check", "BTC/USDT", "--duration", "200ms"), ">&-", 0),
    ],
)
def test_closed_streams(feed: Server, arguments: tuple[str, ...], streams: str, code: int) -> None:
    """With stdout closed by the shell, or all streams, a command does its work and ends as ever."""
    shell = ["sh", "-c", f'exec "$@" {streams}', "sh", *command(*arguments, "--url", feed.url)]
    done = subprocess.run(shell, env=environment(), capture_output=True, timeout=20)
    assert (done.returncode, done.stdout) == (code, b"")
    said = done.stderr.decode().splitlines()
    assert [line for line in said if not line.startswith("3 messages in ")] == []
    assert bool(said) == (arguments[0] == "subscribe" and "2>" not in streams)
