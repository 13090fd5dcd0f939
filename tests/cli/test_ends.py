"""How commands end: Ctrl-C at any moment, a closed pipe, SIGTERM, a reader that does not read."""

import fcntl
import signal
import subprocess
import termios
import time
from array import array
from collections.abc import Callable, Iterator

import pytest

from tests.cli.conftest import Serve
from tests.cli.program import Program, Result, Server, command, environment, wait_until, wsctl
from tests.peers.babbler import Babbler
from tests.peers.background import Background

MOMENTS = (0.0, 0.05, 0.15, 0.25, 0.4, 0.6)
"""seconds after the start, from the interpreter's own start-up to well into the watch"""

COMMANDS = {
    "subscribe": ("subscribe", "BTC/USDT"),
    "check": ("ordering-check", "BTC/USDT", "--duration", "60s"),
    "emit": ("emit", "price:subscribe", '["BTC/USDT"]', "--wait", "60s"),
    "mock": ("subscribe", "BTC/USDT"),
    "serve": ("serve", "--port", "0"),
    "tape": ("ordering-check", "-"),
}


def interrupted_whole(result: Result) -> bool:
    """Whether it ended as an interrupted program should: 130, or before wsctl's first line, where Python answers."""
    started = "wsctl/cli/" in result.err
    python_alone = result.code in (-signal.SIGINT, 1) and not started
    return python_alone if "Traceback" in result.err or result.code < 0 else result.code == 130


def interrupted(arguments: tuple[str, ...], moment: float) -> Result:
    """The end of a command that Ctrl-C meets so many seconds after its start."""
    process = subprocess.Popen(
        command(*arguments),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(moment)
    process.send_signal(signal.SIGINT)
    process.wait(20)
    out, err = process.communicate()
    return Result(process.returncode, out, err)


@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_at_any_moment(name: str, feed: Server) -> None:
    """Whenever it comes, Ctrl-C ends with 130 and without a traceback."""
    reach = () if name in ("mock", "serve", "tape") else ("--url", feed.url)
    for moment in MOMENTS:
        result = interrupted((*COMMANDS[name], *reach), moment)
        assert interrupted_whole(result), (moment, result)
        assert moment < 0.1 or "error" not in result.err.lower(), (moment, result)


def test_ctrl_c_while_watching(feed: Server) -> None:
    """A watch ends with its summary, and every line on stdout is whole."""
    with Program("subscribe", "BTC/USDT", "--url", feed.url) as program:
        program.wait_out(3)
        result = program.interrupt()
    assert result.code == 130
    assert len(result.observations) >= 3
    assert result.err.startswith(f"{len(result.observations)} messages in ")
    assert result.err.count("\n") == 1


def test_ctrl_c_while_checking(feed: Server) -> None:
    """A check reports what it has seen so far."""
    with Program("ordering-check", "BTC/USDT", "--url", feed.url, "--duration", "1h", "--trace") as program:
        program.wait_for(lambda: sum("price:update" in line for line in program.err) >= 5)
        result = program.interrupt()
    assert result.code == 130
    assert result.out.endswith("verdict: pass\n")
    assert "symbol:BTC/USDT:ticker" in result.out


def test_ctrl_c_in_a_pipe(feed: Server) -> None:
    """Ctrl-C reaches both ends of a pipe: the check reports, each side ends 130."""
    watch = subprocess.Popen(
        command("subscribe", "BTC/USDT", "--url", feed.url),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: unread(watch) > 0)
    check = subprocess.Popen(
        command("ordering-check", "-"),
        env=environment(),
        stdin=watch.stdout,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: unread(watch) == 0)  # both are at work
    assert watch.stdout is not None
    watch.stdout.close()
    for process in (watch, check):
        process.send_signal(signal.SIGINT)
    out, err = check.communicate(timeout=20)
    watched = watch.communicate(timeout=20)[1]
    assert (check.returncode, err) == (130, b"")
    assert out.decode().splitlines()[-1].startswith("verdict: ")
    assert watch.returncode in (130, 0), watched
    assert b"Traceback" not in watched


@pytest.fixture
def silent() -> Iterator[Babbler]:
    """Something that takes connections and says nothing."""
    background = Background()
    with Babbler(background, None) as babbler:
        yield babbler
    background.stop()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_ctrl_c_while_connecting(silent: Babbler, transport: str) -> None:
    """While a handshake is awaited: at once, and nothing is said."""
    with Program("subscribe", "A", "--url", silent.url, "--transport", transport) as program:
        wait_until(lambda: silent.asked)
        assert program.interrupt() == (130, "", "")


def test_ctrl_c_during_back_off(serve: Serve) -> None:
    """Between two attempts: at once, the summary printed."""
    server = serve()
    with Program(
        "subscribe", "BTC/USDT", "--url", server.url, "--reconnect-delay", "1h", "--reconnect-delay-max", "1h"
    ) as program:
        program.wait_out(1)
        server.process.kill()
        program.wait_err("connection lost")
        result = program.interrupt()
    assert result.code == 130
    assert " in " in result.err.splitlines()[-1]
    assert "Traceback" not in result.err


def test_twice(feed: Server) -> None:
    """A second Ctrl-C changes nothing but may come at any time."""
    with Program("subscribe", "BTC/USDT", "--url", feed.url) as program:
        program.wait_out(1)
        program.process.send_signal(signal.SIGINT)
        program.process.send_signal(signal.SIGINT)
        result = program.finish()
    assert result.code == 130
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    "arguments",
    [("subscribe", "BTC/USDT"), ("emit", "price:subscribe", "BTC/USDT", "--wait", "1s")],
)
def test_closed_pipe(feed: Server, arguments: tuple[str, ...]) -> None:
    """`| head -1`: exit 0, and not a word about it."""
    left = subprocess.Popen(
        command(*arguments, "--url", feed.url), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert left.stdout is not None
    head = subprocess.run(["head", "-1"], stdin=left.stdout, capture_output=True, timeout=20)
    left.stdout.close()
    assert head.stdout.count(b"\n") == 1
    assert left.stderr is not None
    said = left.stderr.read().decode()
    left.stderr.close()
    assert left.wait(20) == 0
    assert [line for line in said.splitlines() if " messages in " not in line and "1 message in" not in line] == []


def test_closed_pipe_of_a_report(feed: Server) -> None:
    """A report whose reader has left ends 0 and silent, too."""
    lines = wsctl("subscribe", "BTC/USDT", "--url", feed.url, "--count", "5").out
    for arguments in (("ordering-check", "-"), ("ordering-check", "-", "--format", "json")):
        shell = 'exec 3>&1; "$@" | true; exit ${PIPESTATUS[0]}'
        done = subprocess.run(
            ["bash", "-c", shell, "bash", *command(*arguments)],
            input=lines.encode(),
            env=environment(),
            capture_output=True,
            timeout=20,
        )
        assert (done.returncode, done.stderr) == (0, b"")


def unread(process: subprocess.Popen[bytes]) -> int:
    """Bytes that wait in the pipe from a process."""
    waiting = array("i", [0])
    fcntl.ioctl(process.stdout, termios.FIONREAD, waiting)
    return waiting[0]


def stuck(process: subprocess.Popen[bytes]) -> Callable[[], bool]:
    """Whether the pipe from a process holds a lot and nothing more gets in."""
    levels = [0]

    def is_stuck() -> bool:
        levels.append(unread(process))
        return levels[-1] > 32_000 and len(levels) > 10 and len(set(levels[-10:])) == 1

    return is_stuck


def test_reader_that_never_reads(serve: Serve) -> None:
    """Nobody reads stdout and the pipe is full: Ctrl-C ends it all the same, within its few seconds of patience."""
    server = serve("--symbols", "A,B,C,D", "--rate", "500")
    arguments = command("subscribe", "A", "B", "C", "D", "--url", server.url)
    with subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until(stuck(process))
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr is not None
        said = process.stderr.read().decode()
    assert "Traceback" not in said
    assert " messages in " in said


def test_sigterm_of_serve(serve: Serve) -> None:
    """SIGTERM is the ordinary way to end serve: 0, and it counts what it delivered."""
    server = serve()
    wsctl("subscribe", "BTC/USDT", "--url", server.url, "--count", "1")
    result = server.signal(signal.SIGTERM)
    assert (result.code, result.out) == (0, "")
    assert result.err.splitlines()[-1].startswith("served for ")
    assert result.err.splitlines()[-1].endswith(" messages delivered")


def test_sigint_of_serve(serve: Serve) -> None:
    """Ctrl-C of serve: 130, the clients told."""
    server = serve()
    with Program("subscribe", "BTC/USDT", "--url", server.url) as program:
        program.wait_out(1)
        result = server.interrupt()
        program.wait_err("closed by the server with code 1012 (shutdown)")
    assert result.code == 130
    assert "Traceback" not in result.err
