"""Load tools: how each is started, and how it is read how many messages it received."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.contenders import ROOT, WSCTL, ContenderError, Running, last_line, start, stop
from bench.receivers import PATIENCE, Meter

LOADERS = ROOT / "bench" / "loaders"
ARTILLERY = ROOT / "bench" / "peers" / "node_modules" / "artillery"
OPEN_WITHIN = 60.0  # seconds until all connections of a tool must be open
RAMP = 5  # seconds over which they open, where a tool lets us say so
LASTING = 3600  # seconds that a tool is told to stay: it is ended once it is measured


@dataclass(frozen=True)
class Reading:
    """What had been received, and what it had cost, at an instant."""

    at: float
    messages: float
    cpu: float


@dataclass
class Bout:
    """A tool at work on a server."""

    server: Running
    folder: Path
    port: int
    """free for the tool to answer on"""
    process: subprocess.Popen[bytes]

    def __post_init__(self) -> None:
        self.meter = Meter(self.process.pid)

    def look_anew(self) -> None:
        """Take in the children that the tool has by now."""
        self.meter = Meter(self.process.pid)

    def talk(self) -> str:
        """What the tool last said."""
        return last_line(self.folder / "talk")


def by_ledger(bout: Bout) -> Reading:
    """Of a tool that does not say how many: what the server handed over."""
    return Reading(time.monotonic(), delivered(bout.server), bout.meter.cpu())


def by_k6(bout: Bout) -> Reading:
    """Out of k6's own REST interface."""
    answer = json.loads(get(f"http://127.0.0.1:{bout.port}/v1/metrics/ws_msgs_received"))
    return Reading(time.monotonic(), answer["data"]["attributes"]["sample"]["count"], bout.meter.cpu())


def by_file(bout: Bout) -> Reading:
    """What a locustfile says of itself: read from outside, a busy one would have told of another instant."""
    return Reading(**json.loads((bout.folder / "count").read_text()))


@dataclass(frozen=True)
class Tool:
    """A load tool. `command` holds {url}, {websocket}, {clients}, {pace} (a second) and {port}."""

    name: str
    title: str
    records: str
    """of each message"""
    command: Sequence[str]
    read: Callable[[Bout], Reading] = by_ledger
    absent: Callable[[], str | None] = lambda: None
    """why it cannot be measured here"""

    @property
    def counts(self) -> bool:
        """Whether it says itself how many messages it received."""
        return self.read is not by_ledger


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "wsctl",
            "wsctl load",
            "latency, order, fan-out",
            (
                *(WSCTL, "load", "--url", "{url}", "--users", "{clients}", "--symbols", "BTC/USDT"),
                *("--connect-rate", "{pace}", "--duration", f"{LASTING}s"),
            ),
        ),
        Tool(
            "locust",
            "Locust's SocketIOUser",
            "latency",
            (
                *(sys.executable, "-P", "-m", "locust", "-f", str(LOADERS / "locust_socketio.py"), "--headless"),
                *("--only-summary", "--host", "{url}", "--users", "{clients}", "--spawn-rate", "{pace}"),
            ),
            by_file,
        ),
        Tool(
            "artillery",
            "Artillery's socketio engine",
            "nothing",
            (
                *("node", str(ARTILLERY / "bin" / "run"), "run", "--target", "{url}"),
                str(LOADERS / "artillery_socketio.json"),
            ),
            absent=lambda: None if ARTILLERY.exists() else "it is not installed; make bench does it",
        ),
        Tool(
            "k6",
            "k6, Socket.IO by hand",
            "latency",
            (
                *("k6", "run", "--quiet", "--no-usage-report", "--address", "127.0.0.1:{port}"),
                *("-e", "URL={websocket}", str(LOADERS / "k6_socketio.js")),
            ),
            by_k6,
            absent=lambda: None if shutil.which("k6") else "it is not installed; make bench does it",
        ),
    )
}


@contextlib.contextmanager
def loading(tool: Tool, server: Running, clients: int) -> Iterator[Bout]:
    """A tool with all its connections open, for the time of the block. Raises ContenderError when it has not."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder, port = Path(name), free_port()
        facts = {
            "url": server.url,
            "websocket": server.url.replace("http", "ws", 1),
            "clients": clients,
            "pace": max(1, clients // RAMP),
            "port": port,
        }
        told = {"BENCH_COUNT": str(folder / "count"), "BENCH_CLIENTS": str(clients), "BENCH_RAMP": str(RAMP)}
        told |= {"ARTILLERY_DISABLE_TELEMETRY": "true"}
        with (folder / "talk").open("wb") as talk:
            command = [part.format(**facts) for part in tool.command]
            process = start(command, stdout=talk, stderr=talk, env={**os.environ, **told})
        try:
            bout = Bout(server, folder, port, process)
            await_open(bout, clients)
            yield bout
        finally:
            stop(process)


def await_open(bout: Bout, clients: int) -> None:
    """Until the server has all connections."""
    deadline = time.monotonic() + OPEN_WITHIN
    while (open_now := connections(bout.server)) < clients:
        if bout.process.poll() is not None:
            raise ContenderError(f"exited with {bout.process.returncode}: {bout.talk()}")
        if time.monotonic() > deadline:
            raise ContenderError(f"{open_now:g} of {clients} connections within {OPEN_WITHIN:g} s: {bout.talk()}")
        time.sleep(0.1)
    bout.look_anew()


def delivered(server: Running) -> float:
    """Messages that the server handed to connections."""
    return figures(server)["wsctl_messages_delivered_total"]


def connections(server: Running) -> float:
    """Connections that the server has."""
    return figures(server)['wsctl_connections{transport="websocket"}']


def figures(server: Running) -> dict[str, float]:
    """What the server says of itself."""
    lines = [line.rpartition(" ") for line in get(f"{server.url}/metrics").splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def get(url: str) -> str:
    """The body of an answer."""
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return answer.read().decode()


def free_port() -> int:
    """One that nobody listens on, now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def tool_versions() -> dict[str, str]:
    """Of the tools that are there."""
    found = {"locust": version("locust")}
    with contextlib.suppress(OSError):
        found["artillery"] = json.loads((ARTILLERY / "package.json").read_text())["version"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        answer = subprocess.run(["k6", "version"], capture_output=True, text=True, check=True)
        found["k6"] = answer.stdout.split()[1].removeprefix("v")
    return found
