"""Output that nobody takes: a reader that has left, a full disk, a stream that was never open."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Result, Server, command, environment, wsctl
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
