"""The contenders: how each is started, found listening, and ended."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
WSCTL = str(Path(sys.executable).parent / "wsctl")
PEERS = ROOT / "tests" / "node" / "node_modules"
SYMBOLS = tuple(
    f"{base}/USDT"
    for base in (
        *("BTC", "ETH", "BNB", "SOL", "XRP", "DOGE", "ADA", "TRX", "AVAX", "DOT"),
        *("LINK", "LTC", "BCH", "MATIC", "UNI", "ATOM", "XLM", "ETC", "NEAR", "APT"),
    )
)
"""the twenty that are served where one is not enough"""
START_PATIENCE = 20.0  # seconds until a server must have written its ready file
STOP_PATIENCE = 5.0  # seconds from SIGTERM to SIGKILL


class ContenderError(Exception):
    """A contender did not start; the message says why."""


@dataclass(frozen=True)
class Load:
    """What a server is asked to do."""

    clients: int
    rate: float
    seed: int
    symbols: Sequence[str] = ("BTC/USDT",)
    more: Sequence[str] = ()
    """further options of the contender's own"""


@dataclass(frozen=True)
class Contender:
    """A fan-out server. `command` holds {clients}, {rate}, {seed} and {symbols}; `--ready-file` is added."""

    name: str
    title: str
    command: Sequence[str]
    socketio: bool = True
    """whether it speaks Socket.IO; the floor sends frames only"""

    def arguments(self, load: Load, ready_file: Path) -> list[str]:
        """The command line."""
        facts = {
            "clients": load.clients,
            "rate": f"{load.rate:g}",
            "seed": load.seed,
            "symbols": ",".join(load.symbols),
        }
        return [*(part.format(**facts) for part in self.command), *load.more, "--ready-file", str(ready_file)]


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module, "--clients", "{clients}", "--rate", "{rate}"]


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender("floor", "bare send()", _python("bench.servers.floor"), socketio=False),
        Contender(
            "wsctl",
            "wsctl serve",
            [
                WSCTL,
                *("serve", "--port", "0", "--symbols", "{symbols}", "--rate", "{rate}", "--seed", "{seed}"),
            ],
        ),
        Contender("stock", "python-socketio on uvicorn", _python("bench.servers.stock_socketio")),
        Contender(
            "node",
            "Node socket.io",
            [
                "node",
                str(ROOT / "bench/servers/node_socketio.mjs"),
                "--clients",
                "{clients}",
                "--rate",
                "{rate}",
                "--symbols",
                "{symbols}",
            ],
        ),
    )
}


@dataclass(frozen=True)
class Running:
    """A server that listens."""

    pid: int
    port: str

    @classmethod
    def from_ready(cls, facts: dict[str, str], pid: int) -> "Running":
        """From the contents of a ready file; the process is the one we started."""
        return cls(pid=pid, port=facts["url"].rstrip("/").rpartition(":")[2])

    @property
    def url(self) -> str:
        """Where HTTP is spoken."""
        return f"http://127.0.0.1:{self.port}"

    def websocket_url(self, *, socketio: bool) -> str:
        """Where a receiver connects."""
        path = "/socket.io/?EIO=4&transport=websocket" if socketio else "/"
        return f"ws://127.0.0.1:{self.port}{path}"


@contextlib.contextmanager
def running(contender: Contender, load: Load) -> Iterator[Running]:
    """A server for the time of the block, ended whatever happens."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        ready_file, errors = Path(folder, "ready.json"), Path(folder, "stderr")
        with errors.open("wb") as stderr:
            process = start(contender.arguments(load, ready_file), stdout=stderr, stderr=stderr)
        try:
            yield Running.from_ready(_await_ready(process, ready_file, errors), process.pid)
        finally:
            stop(process)


def start(command: Sequence[str], **streams: object) -> subprocess.Popen[bytes]:
    """Start a child out of reach of the terminal's Ctrl-C: we end it ourselves, in order."""
    try:
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True, **streams)
    except OSError as error:
        raise ContenderError(f"cannot start {Path(command[0]).name}: {error.strerror}") from error


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a child and its children by their ids: politely, then not."""
    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.terminate()
    _, alive = psutil.wait_procs(family, timeout=STOP_PATIENCE)
    for member in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()


def _await_ready(process: subprocess.Popen[bytes], ready_file: Path, errors: Path) -> dict[str, str]:
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, json.JSONDecodeError):  # not there, or not complete
            return json.loads(ready_file.read_text())
        if process.poll() is not None:
            raise ContenderError(f"exited with {process.returncode}: {last_line(errors)}")
        time.sleep(0.02)
    raise ContenderError(f"wrote no ready file within {START_PATIENCE:g} s: {last_line(errors)}")


def last_line(file: Path) -> str:
    """The line of a program's talk that most likely says what is wrong."""
    lines = [line.strip(" │╭╰─╮╯\t") for line in file.read_text(errors="replace").splitlines()]
    lines = [line for line in lines if line]
    return next((line for line in lines if "Error:" in line), lines[-1] if lines else "it said nothing")


def versions() -> dict[str, str]:
    """Who competes, and with what the receiver is made."""
    names = ("python-socketio", "python-engineio", "uvicorn", "websockets", "uvloop", "picows")
    found = {"wsctl": version("wsctl-feeds"), **{name: version(name) for name in names}}
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        answer = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
        found["node"] = answer.stdout.strip().removeprefix("v")
    for name in ("socket.io", "ws"):
        with contextlib.suppress(OSError):
            found[name] = json.loads((PEERS / name / "package.json").read_text())["version"]
    return found
