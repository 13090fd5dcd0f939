"""What clients report and do when their connection ends: each cell of the tables in docs/disconnects.md is observed.

All clients of one end live through it together, each in a process of its own.
"""

import json
import signal
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.program import Program, Server, command, wait_until
from tests.peers.background import Background
from wsctl.client.target import Reconnect
from wsctl.server import endpoint, limits, websocket
from wsctl.server.app import MockFeed
from wsctl.server.auth import mint
from wsctl.server.defaults import JWT_SECRET, MAX_PER_USER
from wsctl.server.options import ServeOptions

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "disconnects.md"
NODE_CLIENT = ROOT / "tests" / "node" / "ends.mjs"
PYTHON_CLIENT = Path(__file__).with_name("ends.py")

TRANSPORTS = {"WebSocket": "websocket", "polling": "polling"}
CLIENTS = [
    f"{library}, {transport}"
    for library in ("socket.io-client", "AsyncClient", "Client", "wsctl")
    for transport in TRANSPORTS
]
FLOOD = 5000.0
"""prices a second, which make a sleeping reader slow at once"""
NOTHING = "—"

pytestmark = pytest.mark.timeout(120)
"""the first test of an end waits for nine processes to start"""

Row = dict[str, str]


class Peer(Program):
    """A client in a process of its own, and what it told."""

    def __init__(self, argv: list[str]) -> None:
        super().__init__(argv=argv)

    def facts(self, event: str) -> list[list[Any]]:
        """What was told of an event, each time."""
        return [facts for name, *facts in map(json.loads, self.out) if name == event]

    @property
    def subscribed(self) -> bool:
        """Whether it has subscribed."""
        return bool(self.facts("subscribed"))

    @property
    def back(self) -> bool:
        """Whether it has joined again by itself."""
        return bool(self.facts("back"))

    @property
    def settled(self) -> bool:
        """Whether it has come back or will not."""
        return self.back or self.away

    @property
    def away(self) -> bool:
        """Whether nothing more will come of it."""
        return self._ended()

    def then(self) -> str:
        """What it did."""
        return "back by itself" if self.back else "stays away"

    def notice(self) -> str:
        """The word it was given before the end."""
        words = [word for (word,) in self.facts("connection:closing")]
        return "; ".join(f"`{word['reason']}`, `retry: {json.dumps(word['retry'])}`" for word in words) or NOTHING

    def reports(self) -> str:
        """The reasons that its library gave for the end, each once, with the close code where it has one."""
        reasons = [
            f"`{reason}`" + "".join(f", {code}" for code in more if code) for reason, *more in self.facts("disconnect")
        ]
        return ", then ".join(dict.fromkeys(reasons))

    def delays(self) -> list[str]:
        """First delay, longest delay and number of attempts unless told otherwise."""
        [[first, longest, attempts]] = self.facts("delays")
        return [f"about {first} s", f"{longest} s", str(attempts or "no end")]


class NodePeer(Peer):
    """Node's socket.io-client."""

    def __init__(self, library: str, *arguments: str) -> None:
        super().__init__(["node", str(NODE_CLIENT), *arguments])

    def notice(self) -> str:
        """The word; what comes in one poll with the end is kept back until the client has joined again."""
        told = [name for name, *_ in map(json.loads, self.out)]
        closing = "connection:closing"
        late = closing in told and told.index(closing) > told.index("disconnect")
        return super().notice() + ", once back" * late


class PythonPeer(Peer):
    """python-socketio."""

    def __init__(self, library: str, url: str, transport: str, token: str) -> None:
        self._polls = transport == "polling"
        super().__init__([sys.executable, str(PYTHON_CLIENT), library, url, transport, token])

    @property
    def away(self) -> bool:
        """Whether it ended; over polling, whether it said its last word: messages have tasks of their own."""
        final = self._polls and self.facts("final") and self.facts("connection:closing")
        return bool(final) or super().away


class WsctlPeer(Peer):
    """wsctl subscribe."""

    def __init__(self, library: str, url: str, transport: str, token: str) -> None:
        reach = ("--url", url, "--transport", transport, "--token", token)
        quick = ("--reconnect-delay", "50ms", "--reconnect-delay-max", "200ms", "--reconnect-attempts", "100")
        super().__init__(command("subscribe", "BTC/USDT", *reach, *quick))

    @property
    def subscribed(self) -> bool:
        """Whether it has subscribed; the server is asked."""
        return True

    @property
    def back(self) -> bool:
        """Whether something came over its second connection."""
        return bool(self.out) and '"conn":"c1.2"' in self.out[-1]

    def facts(self, event: str) -> list[list[Any]]:
        """The observations of an event."""
        return [[json.loads(line)["data"]] for line in self.out if f'"event":"{event}"' in line]

    def then(self) -> str:
        """What it did, with the exit code."""
        return "back by itself" if self.back else f"exit {self.finish().code}"

    def reports(self) -> str:
        """Its sentence on stderr."""
        said = next((line for line in self.err if line.startswith(("connection lost", "wsctl: error"))), "")
        return f"`{said.partition('; next attempt')[0]}`"

    def delays(self) -> list[str]:
        """First delay, longest delay and number of attempts unless told otherwise."""
        usual = Reconnect()
        return [f"up to {usual.delay:g} s", f"up to {usual.delay_max:g} s", f"{usual.attempts} failures in a row"]


PEERS: dict[str, Callable[..., Peer]] = {"socket.io-client": NodePeer, "wsctl": WsctlPeer}


class Scene(NamedTuple):
    """Where an end happens."""

    url: str
    peers: dict[str, Peer]

    def connections(self) -> list[dict[str, Any]]:
        """Who is connected."""
        with urllib.request.urlopen(f"{self.url}/control/connections") as answer:
            return list(json.load(answer)["connections"])

    def control(self, name: str, **body: Any) -> None:
        """POST /control/…"""
        post(f"{self.url}/control/{name}", json.dumps(body), "application/json")

    def start(self, stack: ExitStack) -> "Scene":
        """Start every client, each as a user of its own, and wait until all have subscribed."""
        for name in CLIENTS:
            library, transport = name.split(", ")
            peer = PEERS.get(library, PythonPeer)
            self.peers[name] = stack.enter_context(peer(library, self.url, TRANSPORTS[transport], token(user(name))))
        for peer in self.peers.values():
            peer.wait_for(lambda peer=peer: peer.subscribed)
        wait_until(lambda: sum(bool(one["channels"]) for one in self.connections()) == len(CLIENTS))
        return self

    def send_signal(self, number: int) -> None:
        """Send every client a signal."""
        for peer in self.peers.values():
            peer.process.send_signal(number)

    def subscriptions(self, client: str) -> str:
        """Whether a client that came back is still subscribed."""
        if not self.peers[client].back:
            return NOTHING
        return "kept" if any(one["channels"] for one in self.connections() if one["user"] == user(client)) else "lost"


def user(client: str) -> str:
    """Whom a client connects as."""
    return client.replace(", ", "-")


def token(user: str) -> str:
    """A user's token."""
    return mint(user, JWT_SECRET)


def post(url: str, body: str, kind: str = "text/plain") -> None:
    """POST something."""
    with urllib.request.urlopen(urllib.request.Request(url, body.encode(), {"content-type": kind})) as answer:
        answer.read()


def join(url: str, user: str) -> None:
    """One more connection of a user, over polling."""
    polling = f"{url}/socket.io/?EIO=4&transport=polling"
    with urllib.request.urlopen(polling) as answer:
        sid = json.loads(answer.read()[1:])["sid"]
    post(f"{polling}&sid={sid}", "40" + json.dumps({"token": token(user)}))


@contextmanager
def served(stack: ExitStack, folder: Path, port: int = 0) -> Iterator[Server]:
    """wsctl serve, with everybody subscribed."""
    yield stack.enter_context(serve(folder, port))


def serve(folder: Path, port: int = 0) -> Server:
    """wsctl serve."""
    return Server(folder, "--control", "--symbols", "BTC/USDT", "--rate", "20", "--port", str(port))


def evict(stack: ExitStack, folder: Path) -> Scene:
    """The fourth connection of a user comes."""
    scene = Scene(stack.enter_context(serve(folder)).url, {}).start(stack)
    for name in CLIENTS:
        for _ in range(MAX_PER_USER):
            join(scene.url, user(name))
    return scene


def shut_down(stack: ExitStack, folder: Path) -> Scene:
    """The server ends, and another one starts on its port."""
    server = stack.enter_context(serve(folder))
    scene = Scene(server.url, {}).start(stack)
    assert server.signal(signal.SIGTERM).code == 0
    stack.enter_context(serve(folder, server.port))
    return scene


def cut(stack: ExitStack, folder: Path) -> Scene:
    """Every connection is reset."""
    scene = Scene(stack.enter_context(serve(folder)).url, {}).start(stack)
    scene.control("flash", percent=100)
    return scene


def fall_asleep(stack: ExitStack, folder: Path) -> Scene:
    """The clients stop reading, fall behind, and wake up while the server still waits for them to take the close."""
    return sleep(stack, patience=10.0)


def sleep_on(stack: ExitStack, folder: Path) -> Scene:
    """The same, and they wake up after the server's patience has ended."""
    return sleep(stack, patience=0.1)


def sleep(stack: ExitStack, patience: float) -> Scene:
    """Stop the clients' processes, flood them until the server has closed them all, let them go on."""
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setattr(limits, "WRITE_LIMIT", 32 * 1024)
    patch.setattr(limits, "STALL_LIMIT", 0.2)
    patch.setattr(websocket, "CLOSE_TIMEOUT", patience)
    patch.setattr(endpoint, "FAREWELL", patience)
    feed = stack.enter_context(background_feed(rate=FLOOD))
    scene = Scene(feed.url, {})
    scene.control("pause")
    scene.start(stack)
    scene.send_signal(signal.SIGSTOP)
    scene.control("resume")
    wait_until(lambda: not scene.connections())
    scene.control("pause")
    wait_until(lambda: patience > 1 or not (feed.platform.departing or len(feed.platform.sockets)))
    scene.send_signal(signal.SIGCONT)
    return scene


@contextmanager
def background_feed(rate: float) -> Iterator[MockFeed]:
    """A mock feed in this process, whose limits a test can set."""
    background = Background()
    feed = MockFeed(ServeOptions(port=0, control=True, symbols=("BTC/USDT",), rate=rate))
    background.run(feed.__aenter__())
    yield feed
    background.run(feed.__aexit__())
    background.stop()


ENDS: dict[str, Callable[[ExitStack, Path], Scene]] = {
    "eviction": evict,
    "shutdown": shut_down,
    "slow reader": fall_asleep,
    "slow reader, woken late": sleep_on,
    "network cut": cut,
}


@pytest.fixture(scope="module", params=ENDS)
def end(request: pytest.FixtureRequest) -> str:
    """One of the ends."""
    return str(request.param)


@pytest.fixture(scope="module")
def scene(end: str, node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An end, just happened to every client."""
    with ExitStack() as stack:
        yield ENDS[end](stack, tmp_path_factory.mktemp("ends"))


def documented(first: str) -> list[Row]:
    """The rows of the document's table whose first column has this title."""
    lines = DOCUMENT.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    titles = cells(lines[start])
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(titles, cells(line), strict=True)))
    return rows


def cells(line: str) -> list[str]:
    """What stands between the bars of a table's line."""
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("client", CLIENTS)
def test_end(scene: Scene, end: str, client: str) -> None:
    """The client reports and does what its row says; `or` parts the outcomes of a race in the client."""
    [row] = [row for row in documented("End") if (row["End"], row["Client"]) == (end, client)]
    peer = scene.peers[client]
    peer.wait_for(lambda: peer.settled)
    observed = {
        "End": end,
        "Client": client,
        "`connection:closing`": peer.notice(),
        "Reports": peer.reports(),
        "Then": peer.then(),
        "Subscriptions": scene.subscriptions(client),
    }
    assert observed == {
        title: observed[title] if observed[title] in cell.split(" or ") else cell for title, cell in row.items()
    }


@pytest.mark.parametrize("end", ["eviction"], indirect=True)
@pytest.mark.parametrize("client", CLIENTS[::2])
def test_delays(scene: Scene, client: str) -> None:
    """Each library's usual delays are the documented ones."""
    library = client.partition(",")[0]
    [row] = [row for row in documented("Library") if row["Library"] == library]
    assert [library, *scene.peers[client].delays()] == list(row.values())


def test_every_row_is_observed() -> None:
    """The tables have one row for each end and client, and no other."""
    rows = [(row["End"], row["Client"]) for row in documented("End")]
    assert rows == [(end, client) for end in ENDS for client in CLIENTS]
    assert len(documented("Library")) == len(CLIENTS[::2])
