"""Play the whole catalogue against current servers of others, and our own: `python -m tests.vulnerable.peers [NAME …]`.

It prints Markdown: the verdicts counted, and everything that is not passed. What it says of others is for docs/fuzz.md,
where somebody who has looked explains each.
"""

import asyncio
import json
import os
import shlex
import socket
import sys
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct

from tests.vulnerable.beds import PROGRAMS, ROOT
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.fuzz.options import FuzzOptions
from wsctl.fuzz.probe import Verdict
from wsctl.fuzz.result import FuzzResult, ProbeResult
from wsctl.fuzz.run import FuzzRun

NODE_MODULES = ROOT / "tests" / "node" / "node_modules"
VERDICTS = (Verdict.PASSED, Verdict.NON_STRICT, Verdict.FAILED, Verdict.INCONCLUSIVE)


class Peer(Struct, frozen=True, kw_only=True):
    """A server as people run it."""

    name: str
    program: str
    packages: tuple[str, ...]
    """whose versions are told"""
    raw: bool = False
    """it speaks WebSocket, and no Engine.IO"""

    @property
    def node(self) -> bool:
        """Whether it runs on Node."""
        return self.program.endswith(".cjs")

    @property
    def versions(self) -> str:
        """Of what it is made of."""
        return ", ".join(f"{name} {_version(name, node=self.node)}" for name in self.packages)

    def command(self, port: int) -> str:
        """The command line that starts it."""
        return shlex.join(["node" if self.node else sys.executable, str(PROGRAMS / self.program), str(port)])


PEERS = (
    Peer(
        name="Node socket.io",
        program="socketio_server.cjs",
        packages=("socket.io", "engine.io", "socket.io-parser", "ws"),
    ),
    Peer(
        name="python-socketio",
        program="python_socketio_server.py",
        packages=("python-socketio", "python-engineio", "uvicorn", "websockets"),
    ),
    Peer(name="websockets", program="websockets_server.py", packages=("websockets",), raw=True),
    Peer(name="picows", program="picows_server.py", packages=("picows",), raw=True),
    Peer(name="ws", program="ws_server.cjs", packages=("ws",), raw=True),
    Peer(name="wsctl serve --compress", program="wsctl_server.py", packages=()),
)


def main() -> None:
    """Write the tables."""
    os.environ["NODE_PATH"] = str(NODE_MODULES)
    chosen = [peer for peer in PEERS if not sys.argv[1:] or peer.name in sys.argv[1:]]
    results = {}
    for peer in chosen:
        print(f"{peer.name} …", file=sys.stderr, flush=True)
        results[peer] = asyncio.run(_play(peer))
    print("\n".join(["| server | probes | " + " | ".join(VERDICTS) + " |", "|---|" + "--:|" * (len(VERDICTS) + 1)]))
    for peer, result in results.items():
        counts = [str(result.counts[verdict]) for verdict in VERDICTS]
        print(f"| {peer.name} | {len(result.probes)} | {' | '.join(counts)} |")
    for peer, result in results.items():
        print(f"\n{peer.name}: {peer.versions}\n")
        print("| probe | verdict | what was seen |\n|---|---|---|")
        for probe in result.probes:
            if probe.verdict is not Verdict.PASSED:
                print(f"| {probe.id} {probe.title} | {probe.verdict} | {_seen(probe)} |")


async def _play(peer: Peer) -> FuzzResult:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    target = Target(url=f"http://127.0.0.1:{port}")
    if peer.raw:
        target = Target(url=f"ws://127.0.0.1:{port}", dialect="binance")
    options = FuzzOptions(target=target, seed=1, cases=0, command=peer.command(port))
    return await FuzzRun(options, SystemClock(), lambda _: None).run()


def _seen(probe: ProbeResult) -> str:
    return "; ".join(filter(None, (probe.case, probe.ending, *probe.harms, probe.reason))).replace("|", "\\|")


def _version(package: str, *, node: bool) -> str:
    if not node:
        return version(package)
    described: dict[str, str] = json.loads(Path(NODE_MODULES, package, "package.json").read_text())
    return described["version"]


if __name__ == "__main__":
    main()
