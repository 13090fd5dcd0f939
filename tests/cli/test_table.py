"""The live table on a real terminal: what is on the screen, at the widths people have."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.cli.program import Server, command, environment, wait_until
from tests.peers import markets
from tests.peers.background import Background
from tests.peers.exchange import Exchange, Say
from tests.peers.liar import Liar
from tests.peers.relay import Relay
from wsctl.wire.dialects import dialect_named


class Terminal:
    """A pseudo-terminal with a program on it, and the screen that its output makes."""

    def __init__(self, *arguments: str, columns: int, lines: int = 24) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        env = environment(TERM="xterm-256color")
        self.process = subprocess.Popen(
            command(*arguments), stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True
        )
        os.close(slave)
        os.set_blocking(self._master, False)
        self.raw = ""

    def read(self) -> str:
        """Everything written so far."""
        try:
            while data := os.read(self._master, 65536):
                self.raw += data.decode()
        except OSError:  # nothing more for now, or for ever
            pass
        return self.raw

    @property
    def screen(self) -> list[str]:
        """The lines as they stand: enough of a terminal for cursor-up, erase-line and carriage return."""
        lines, row = [""], 0
        for piece in re.split(r"(\x1b\[[\d;?]*[a-zA-Z]|\r|\n)", self.read()):
            if piece == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif match := re.fullmatch(r"\x1b\[(\d*)A", piece):
                row = max(0, row - int(match[1] or 1))
            elif piece == "\x1b[2K":
                lines[row] = ""
            elif not piece.startswith(("\x1b", "\r")):
                lines[row] += piece
        return [line.rstrip() for line in lines if line.strip()]

    def wait_screen(self, text: str) -> list[str]:
        """Wait until some line holds a text."""
        wait_until(lambda: any(text in line for line in self.screen) or self.process.poll() is not None)
        return self.screen

    def close(self) -> None:
        """End the program, if it still runs, and the terminal."""
        self.process.kill()
        self.process.wait(10)
        os.close(self._master)


@contextmanager
def terminal(*arguments: str, columns: int) -> Iterator[Terminal]:
    """A terminal for as long as the block lasts."""
    running = Terminal(*arguments, columns=columns)
    try:
        yield running
    finally:
        running.close()


@pytest.mark.parametrize("columns", [80, 120])
def test_live_table(feed: Server, columns: int) -> None:
    """Symbols, prices and the connection below them; redrawn in place; Ctrl-C leaves it there with a summary."""
    with terminal("subscribe", "BTC/USDT", "ETH/USDT", "--url", feed.url, columns=columns) as shown:
        shown.wait_screen("3 s")
        lines = shown.screen
        assert lines[0] == "symbol           price    change   msg/s   latency     seq  gaps"
        assert [line.split()[0] for line in lines[1:3]] == ["BTC/USDT", "ETH/USDT"]
        assert len({len(line) for line in lines[:3]}) == 1, "aligned"
        assert lines[3] == f"● connected over websocket  {feed.url}  3 s"
        assert len(lines) == 4, "redrawn in place"
        assert "…" not in shown.raw
        shown.process.send_signal(signal.SIGINT)
        assert shown.process.wait(10) == 130
        assert re.match(r"\d+ messages in [\d.]+ s; latency p50 .* ms, p95 .* ms; 0 gaps$", shown.screen[4])
        assert shown.screen[:1] == lines[:1]
        assert "\x1b[?25h" in shown.raw, "the cursor is visible again"


def test_gaps_and_reconnects(background: Background) -> None:
    """Gaps are red; a reconnection is told below the table."""
    options = ("--reconnect", "always", "--reconnect-delay", "10ms")
    with ExitStack() as stack:
        liar = stack.enter_context(Liar(background, {"X/Y": "drop 7-9, evict 200"}, length=300))
        shown = stack.enter_context(terminal("subscribe", "X/Y", "--url", liar.url, *options, columns=80))
        lines = shown.wait_screen("1 reconnect")
        assert lines[-1].startswith(f"● connected over websocket  1 reconnect  {liar.url}  ")
        shown.wait_screen(" 300     1")
        assert "\x1b[1;31m   1\x1b[0m" in shown.raw


def test_channels_of_an_exchange(background: Background) -> None:
    """Raw feeds: their own channels, in the order asked for, those that never speak as well."""
    depth, trade = "btcusdt@depth", "btcusdt@trade"
    steps = [Say(depth, markets.depth(1, 3)), Say(trade, markets.trade(7, "64000.50000000"))]
    with ExitStack() as stack:
        peer = stack.enter_context(Exchange(background, dialect_named("binance"), steps, channels=["nosuch@ticker"]))
        watch = ("subscribe", "NO/SUCH", "--channel", f"{depth},{trade}", "--url", peer.url, "--dialect", "binance")
        shown = stack.enter_context(terminal(*watch, columns=80))
        lines = shown.wait_screen("64,000.5")
        assert lines[0].split() == ["channel", "price", "change", "msg/s", "latency", "seq", "gaps"]
        assert [line.split()[0] for line in lines[1:4]] == ["nosuch@ticker", depth, trade]
        assert lines[1].split()[1:] == ["0.0", "?"]
        assert lines[4].startswith(f"● connected over websocket  {peer.url}  ")


def test_ordering_report(background: Background) -> None:
    """The ordering report fits 80 columns whatever there is to say."""
    plan = "drop 5, repeat 10, swap 15, restart 20, drop 23-24, repeat 30, fall 40, swap 45"
    with ExitStack() as stack:
        liar = stack.enter_context(Liar(background, {"BTC/USDT": plan}))
        check = ("ordering-check", "BTC/USDT", "--url", liar.url, "--duration", "1s")
        shown = stack.enter_context(terminal(*check, columns=80))
        assert shown.process.wait(15) == 1
        lines = shown.screen
    assert lines[0] == "symbol:BTC/USDT:ticker  fail"
    words = " ".join(line.strip() for line in lines[1:3])
    assert words.startswith("59 messages, 2 gaps, 3 missing, 2 duplicates, 2 reorders, 1 regression, 1 reset, ")
    assert lines[-1] == "verdict: fail"
    assert "…" not in shown.raw


def test_notes_above_the_table(feed: Server, background: Background) -> None:
    """What is not as asked for is said above the table: another transport, an unknown symbol."""
    with ExitStack() as stack:
        relay = stack.enter_context(Relay(background, feed.port, block="403"))
        watch = ("subscribe", "BTC/USDT", "NO/SUCH", "--url", relay.url)
        shown = stack.enter_context(terminal(*watch, columns=120))
        lines = shown.wait_screen("connected over polling  ")
        assert lines[0].startswith("connected over polling (no WebSocket, so long-polling: ")
        shown.wait_screen("unknown symbol 'NO/SUCH'; served are BTC/USDT, ETH/USDT")
        shown.wait_screen("BTC/USDT  ")
