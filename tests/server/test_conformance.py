"""Section by section what the protocol authors' suites ask of their server, against `wsctl serve --conformance`.

Heartbeats take 30 s unless they are what is tested: only the server's own decision can close a connection here. What
the platform itself owes in the same respects stands in test_polling, test_websocket and test_upgrade.
"""

import asyncio
import base64
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from served import (
    WAIT,
    PollingPeer,
    WebSocketPeer,
    feed,
    polling,
    run,
    tcp,
    until,
    websocket,
)
from websockets.exceptions import ConnectionClosed

from wsctl.server import conformance
from wsctl.server.app import MockFeed
from wsctl.server.auth import mint

LONG: dict[str, Any] = {"ping_interval": 30.0, "ping_timeout": 30.0, "connect_timeout": 30.0, "conformance": True}
SOCKETIO = "/socket.io/"
ENGINEIO = "/engine.io/"
SCRIPTS = Path(__file__).parents[1] / "node"
PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


def suites(**options: Any) -> AbstractAsyncContextManager[MockFeed]:
    """A server for the suites, its heartbeats out of the way."""
    return feed(**{**LONG, **options})


class Line(Protocol):
    """Engine.IO packets both ways, whatever carries them; binary messages as bytes."""

    handshake: dict[str, Any]

    async def send(self, *packets: str | bytes) -> None:
        """Send packets."""

    async def receive(self) -> str | bytes:
        """The next packet."""

    async def closed(self) -> None:
        """Return once the server has ended the session; packets before that are skipped."""


class OverWebSocket:
    """A session over WebSocket."""

    def __init__(self, peer: WebSocketPeer) -> None:
        self.peer = peer
        self.handshake: dict[str, Any] = {}

    async def send(self, *packets: str | bytes) -> None:
        await self.peer.send(*packets)

    async def receive(self) -> str | bytes:
        async with asyncio.timeout(WAIT):
            packet: str | bytes = await self.peer.ws.recv()
        return packet

    async def closed(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.receive()


class OverPolling:
    """A session over long-polling."""

    def __init__(self, peer: PollingPeer, path: str) -> None:
        self.peer = peer
        self.path = path
        self.handshake: dict[str, Any] = {}
        self._received: list[str] = []

    @property
    def target(self) -> str:
        """Where its requests go."""
        return f"{self.path}?EIO=4&transport=polling&sid={self.handshake['sid']}"

    async def send(self, *packets: str | bytes) -> None:
        body = "\x1e".join(
            "b" + base64.b64encode(packet).decode() if isinstance(packet, bytes) else packet for packet in packets
        )
        self.answer = await self.peer.request("POST", self.target, data=body)

    async def receive(self) -> str | bytes:
        while not self._received:
            status, body = await self.peer.request("GET", self.target)
            assert status == 200, body
            self._received = body.split("\x1e")
        packet = self._received.pop(0)
        return base64.b64decode(packet[1:]) if packet.startswith("b") else packet

    async def closed(self) -> None:
        while (found := await self.peer.request("GET", self.target))[0] == 200:
            assert found[1] != "6", "a poll answered with nothing but a NOOP"
        assert found[0] == 400


Open = Callable[..., AbstractAsyncContextManager[Line]]


@asynccontextmanager
async def over_websocket(running: MockFeed, path: str = SOCKETIO) -> AsyncIterator[OverWebSocket]:
    """An open session over WebSocket."""
    async with websocket(running, f"{path}?EIO=4&transport=websocket") as peer:
        line = OverWebSocket(peer)
        opening = await line.receive()
        assert isinstance(opening, str)
        assert opening.startswith("0")
        line.handshake = json.loads(opening[1:])
        yield line


@asynccontextmanager
async def over_polling(running: MockFeed, path: str = SOCKETIO) -> AsyncIterator[OverPolling]:
    """An open session over long-polling; it says goodbye in the end."""
    async with polling(running) as peer:
        await peer.post("1")  # the session that comes with the peer is not for us
        line = OverPolling(peer, path)
        status, opening = await peer.request("GET", f"{path}?EIO=4&transport=polling")
        assert status == 200
        line.handshake = json.loads(opening[1:])
        yield line
        sid = line.handshake["sid"]
        if sid in running.platform.connections and running.platform.connections[sid].transport == "polling":
            await line.send("1")
        running.platform.seen_off(sid)


BOTH = pytest.mark.parametrize("opened", [over_websocket, over_polling], ids=["websocket", "polling"])


async def join(line: Line, namespace: str = "/", auth: str = "") -> dict[str, Any]:
    """Join a namespace; the CONNECT answer. `auth` must be echoed right after it."""
    prefix = "" if namespace == "/" else f"{namespace},"
    await line.send(f"40{prefix}{auth}")
    answer = await line.receive()
    assert isinstance(answer, str)
    assert answer.startswith(f"40{prefix}{{")
    assert await line.receive() == f'42{prefix}["auth",{auth or "{}"}]'
    found: dict[str, Any] = json.loads(answer.removeprefix(f"40{prefix}"))
    return found


# Opening


@BOTH
@pytest.mark.parametrize("path", [SOCKETIO, ENGINEIO])
def test_the_open_packet(opened: Open, path: str) -> None:
    """Intervals are milliseconds as configured, fractions of a second included; polling offers the upgrade."""

    async def test() -> None:
        async with suites(ping_interval=30.3, ping_timeout=29.0625) as running, opened(running, path) as line:
            sid = line.handshake["sid"]
            assert isinstance(sid, str)
            assert len(sid) >= 20
            assert line.handshake == {
                "sid": sid,
                "upgrades": ["websocket"] if opened is over_polling else [],
                "pingInterval": 30300,
                "pingTimeout": 29062.5,
                "maxPayload": 1_000_000,
            }

    run(test)


BAD_QUERIES = [
    ("EIO=4", 0),
    ("EIO=4&transport=abc", 0),
    ("transport={}", 5),
    ("EIO=abc&transport={}", 5),
    ("EIO=3&transport={}", 5),
    ("EIO=4&transport={}&sid=unknown", 1),
]


@pytest.mark.parametrize("path", [SOCKETIO, ENGINEIO])
def test_bad_queries(path: str) -> None:
    """A bad transport, session id or EIO is answered with 400, code and message, by HTTP and to a WebSocket."""

    async def test() -> None:
        async with suites() as running, polling(running) as peer:
            for query, code in BAD_QUERIES:
                status, body = await peer.request("GET", f"{path}?{query.format('polling')}")
                assert (status, json.loads(body)["code"]) == (400, code), query
                headers = {
                    "Connection": "Upgrade",
                    "Upgrade": "websocket",
                    "Sec-WebSocket-Version": "13",
                    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                }
                target = f"{path}?{query.format('websocket')}"
                async with peer.http.get(running.url + target, headers=headers) as response:
                    refusal = await response.json()
                    assert (response.status, refusal["code"]) == (400, code), query
                    assert refusal["message"]
            for method in ("POST", "PUT"):
                status, body = await peer.request(method, f"{path}?EIO=4&transport=polling")
                assert (status, json.loads(body)["code"]) == (400, 2)

    run(test)


# Joining and leaving


@BOTH
def test_joining(opened: Open) -> None:
    """The CONNECT answer holds `sid` and nothing else, and nothing comes before it; then `auth` has what was sent."""

    async def test() -> None:
        async with suites() as running:
            for auth in ("", '{"token":"123"}'):
                async with opened(running) as line:
                    sids = {line.handshake["sid"]}
                    for namespace in ("/", "/custom"):
                        answer = await join(line, namespace, auth)
                        assert list(answer) == ["sid"]
                        sids.add(answer["sid"])
                    assert len(sids) == 3

    run(test)


@BOTH
def test_an_unknown_namespace(opened: Open) -> None:
    """CONNECT_ERROR is an object with the message `Invalid namespace`; the connection goes on."""

    async def test() -> None:
        async with suites() as running, opened(running) as line:
            for packet in ("40/random", "40/random,", '40/random,{"token":"123"}'):
                await line.send(packet)
                assert await line.receive() == '44/random,{"message":"Invalid namespace"}'
            await join(line)

    run(test)


@BOTH
@pytest.mark.parametrize("left", ["/", "/custom"])
def test_leaving_one_namespace(opened: Open, left: str) -> None:
    """After a DISCONNECT the connection and the other namespace go on; the one that was left may be joined anew."""

    async def test() -> None:
        async with suites() as running, opened(running) as line:
            await join(line)
            await join(line, "/custom")
            await line.send("41" if left == "/" else "41/custom,")
            stays = "/custom," if left == "/" else ""
            await line.send(f'42{stays}["message","still here"]')
            assert await line.receive() == f'42{stays}["message-back","still here"]'
            await join(line, left)

    run(test)


@BOTH
def test_leaving_the_only_namespace(opened: Open) -> None:
    """A DISCONNECT from everything leaves the connection open: its client decides what comes next."""

    async def test() -> None:
        async with suites(connect_timeout=0.2) as running, opened(running) as line:
            await join(line)
            await line.send("41")
            await join(line)

    run(test)


def test_tokens_are_looked_at_when_there_is_a_secret() -> None:
    """With a secret of its own the server checks tokens; without, it takes whatever is there."""

    async def test() -> None:
        async with suites(jwt_secret="ours") as running, over_websocket(running) as line:
            await line.send('40{"token":"123"}')
            assert await line.receive() == '44{"message":"Authentication error"}'
            await join(line, "/", json.dumps({"token": mint("alice", "ours")}, separators=(",", ":")))

    run(test)


# Messages


@BOTH
@pytest.mark.parametrize("namespace", ["/", "/custom"])
def test_messages(opened: Open, namespace: str) -> None:
    """`message` comes back as `message-back`, `message-with-ack` as its acknowledgement, every argument as it was."""
    prefix = "" if namespace == "/" else f"{namespace},"

    async def test() -> None:
        async with suites() as running, opened(running) as line:
            await join(line, namespace)
            for arguments in ('1,"2",{"3":[true]}', "", '"é\U0001f600",null,-0.5,[[[]]]'):
                comma = "," if arguments else ""
                await line.send(f'42{prefix}["message"{comma}{arguments}]')
                assert await line.receive() == f'42{prefix}["message-back"{comma}{arguments}]'
                await line.send(f'42{prefix}456["message-with-ack"{comma}{arguments}]')
                assert await line.receive() == f"43{prefix}456[{arguments}]"
            await line.send(f'42{prefix}["message-with-ack","no id: nobody waits"]', f'42{prefix}["message",9]')
            assert await line.receive() == f'42{prefix}["message-back",9]'

    run(test)


@BOTH
@pytest.mark.parametrize("namespace", ["/", "/custom"])
def test_binary_messages(opened: Open, namespace: str) -> None:
    """Attachments come back right behind their packet, in order."""
    prefix = "" if namespace == "/" else f"{namespace},"

    async def test() -> None:
        async with suites() as running, opened(running) as line:
            await join(line, namespace)
            await line.send(f'452-{prefix}["message",{PLACEHOLDERS}]', b"\1\2\3", b"")
            answers = [await line.receive() for _ in range(3)]
            assert answers == [f'452-{prefix}["message-back",{PLACEHOLDERS}]', b"\1\2\3", b""]
            await line.send(f'452-{prefix}789["message-with-ack",{PLACEHOLDERS}]', b"\1\2\3", b"\xff")
            answers = [await line.receive() for _ in range(3)]
            assert answers == [f"462-{prefix}789[{PLACEHOLDERS}]", b"\1\2\3", b"\xff"]

    run(test)


# What ends a connection

ENDS: list[list[str | bytes]] = [
    ["abc"],
    ["7"],
    ["4abc"],
    ["42{}"],
    ["42[]"],
    ["42[7]"],
    ['42abc["message-with-ack",1,"2",{"3":[false]}]'],
    ["40"],
    ["40/custom"],
    ['42/random,["message"]'],
    ['451-["message",{"_placeholder":true,"num":1}]', b"x"],
    [b"announced by nobody"],
]


@BOTH
def test_what_ends_a_joined_connection(opened: Open) -> None:
    """Unknown types, bad acks, payloads that are no events, a second CONNECT: the session is over, no traceback."""

    async def test() -> None:
        async with suites() as running:
            for count, packets in enumerate(ENDS, start=1):
                async with opened(running) as line:
                    await join(line)
                    await join(line, "/custom")
                    await line.send(*packets)
                    if isinstance(line, OverPolling):
                        assert line.answer[0] == 400, packets
                    await line.closed()
                    assert line.handshake["sid"] not in running.platform.connections
                    assert running.platform.counters.malformed == count, packets

    run(test)


@BOTH
def test_what_ends_a_connection_that_has_not_joined(opened: Open) -> None:
    """Before CONNECT, too; CLOSE is no mistake and ends it as well."""

    async def test() -> None:
        async with suites() as running:
            for packet in ("4abc", "1", '42["message"]', "2probe", "5"):
                async with opened(running) as line:
                    await line.send(packet)
                    if isinstance(line, OverPolling):
                        assert line.answer[0] == (200 if packet == "1" else 400), packet
                    await line.closed()

    run(test)


@BOTH
def test_who_does_not_join_is_closed(opened: Open) -> None:
    """Without a CONNECT the session ends after the connect timeout; an Engine.IO echo has nothing to join."""

    async def test() -> None:
        async with (
            suites(connect_timeout=0.1) as running,
            opened(running, ENGINEIO) as plain,
            opened(running) as line,
        ):
            await line.closed()
            await plain.send("4hello")
            assert await plain.receive() == "4hello"

    run(test)


@pytest.mark.parametrize("path", [SOCKETIO, ENGINEIO])
def test_a_bad_body_without_a_pending_poll(path: str) -> None:
    """A bad packet is answered with 400, and so is the next poll."""

    async def test() -> None:
        async with suites() as running, over_polling(running, path) as line:
            assert await line.peer.request("POST", line.target, data="abc") == (
                400,
                '{"code":3,"message":"Bad request"}',
            )
            assert (await line.peer.request("GET", line.target))[0] == 400

    run(test)


@BOTH
@pytest.mark.parametrize("path", [SOCKETIO, ENGINEIO])
def test_a_ping_that_is_not_answered(opened: Open, path: str) -> None:
    """Without a pong the session is over after interval and timeout; over polling it is unknown then."""

    async def test() -> None:
        async with suites(ping_interval=0.1, ping_timeout=0.1) as running, opened(running, path) as line:
            if isinstance(line, OverPolling):
                await until(lambda: line.handshake["sid"] not in running.platform.connections)
                assert (await line.peer.request("GET", line.target))[0] == 400
            else:
                await line.closed()

    run(test)


@BOTH
@pytest.mark.parametrize("path", [SOCKETIO, ENGINEIO])
def test_pings_that_are_answered(opened: Open, path: str) -> None:
    """Every pong is followed by the next ping."""

    async def test() -> None:
        async with suites(ping_interval=0.05) as running, opened(running, path) as line:
            for _ in range(3):
                assert await line.receive() == "2"
                await line.send("3")

    run(test)


@pytest.mark.parametrize("path", [SOCKETIO, ENGINEIO])
def test_close_and_polls_at_once(path: str) -> None:
    """CLOSE answers the pending poll with a NOOP at once; a second poll gets 400 and the first CLOSE."""

    async def test() -> None:
        async with suites() as running:
            async with over_polling(running, path) as line:
                poll = asyncio.create_task(line.peer.request("GET", line.target))
                carrier: Any = running.platform.connections[line.handshake["sid"]].carrier
                await until(lambda: carrier.polled)
                await line.send("1")
                assert line.answer == (200, "ok")
                assert await poll == (200, "6")
                assert (await line.peer.request("GET", line.target))[0] == 400
            async with over_polling(running, path) as line:
                poll = asyncio.create_task(line.peer.request("GET", line.target))
                carrier = running.platform.connections[line.handshake["sid"]].carrier
                await until(lambda: carrier.polled)
                assert (await line.peer.request("GET", line.target))[0] == 400
                assert await poll == (200, "1")
                assert (await line.peer.request("GET", line.target))[0] == 400

    run(test)


@pytest.mark.parametrize("path", [SOCKETIO, ENGINEIO])
def test_two_posts_at_once(path: str) -> None:
    """The second one is refused, and the session is over."""

    async def test() -> None:
        async with suites() as running, over_polling(running, path) as line, tcp(running) as slow:
            carrier: Any = running.platform.connections[line.handshake["sid"]].carrier
            await slow.send(f"POST {line.target} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n4".encode())
            await until(lambda: carrier.posting)
            await line.send("3")
            assert line.answer[0] == 400
            await line.closed()

    run(test)


# Engine.IO, and WebSocket, bare


@BOTH
def test_the_engineio_echo(opened: Open) -> None:
    """Text and binary messages come back as they were, several of one payload in order."""

    async def test() -> None:
        async with suites() as running, opened(running, ENGINEIO) as line:
            sent: list[str | bytes] = ["4hello", b"\1\2\3\4", "4", "4é\U0001f600", b""]
            await line.send(*sent)
            assert [await line.receive() for _ in sent] == sent

    run(test)


@pytest.mark.parametrize("path", [SOCKETIO, ENGINEIO])
def test_an_upgrade(path: str) -> None:
    """The poll is answered with a NOOP, no NOOP leads on the WebSocket, polling is over, a second one is closed."""

    async def test() -> None:
        async with suites() as running, over_polling(running, path) as line:
            if path == SOCKETIO:
                await join(line)
            target = f"{path}?EIO=4&transport=websocket&sid={line.handshake['sid']}"
            async with websocket(running, target) as upgraded:
                await upgraded.send("2probe")
                assert await upgraded.ws.recv() == "3probe"
                assert await line.peer.request("GET", line.target) == (200, "6")
                said, back = ("4hello", "4hello") if path == ENGINEIO else ('42["message"]', '42["message-back"]')
                await upgraded.send("5", said)
                assert await upgraded.ws.recv() == back
                for method in ("GET", "POST"):
                    assert (await line.peer.request(method, line.target))[0] == 400
                async with websocket(running, target) as second:
                    assert await second.closed() == 1000
                await upgraded.send(said)
                assert await upgraded.ws.recv() == back
            await until(lambda: line.handshake["sid"] not in running.platform.connections)

    run(test)


def test_an_upgrade_in_haste() -> None:
    """Probe and upgrade in one breath, as the suites send them: polls right after it are refused."""

    async def test() -> None:
        async with suites() as running, over_polling(running, ENGINEIO) as line:
            target = f"{ENGINEIO}?EIO=4&transport=websocket&sid={line.handshake['sid']}"
            async with websocket(running, target) as upgraded:
                await upgraded.send("2probe", "5")
                assert (await line.peer.request("GET", line.target))[0] == 400
                async with websocket(running, target) as second:
                    assert await second.closed() == 1000
                await upgraded.send("4hello")
                assert [await upgraded.ws.recv(), await upgraded.ws.recv()] == ["3probe", "4hello"]
            await until(lambda: not running.platform.connections)

    run(test)


def test_the_raw_echo() -> None:
    """`/echo` sends every message back and nothing else; over the limit it closes with 1009."""

    async def test() -> None:
        async with suites(max_payload=1000) as running:
            async with websocket(running, "/echo") as peer:
                for message in ("hello", "", b"\0\1", "2", "x" * 1000):
                    await peer.send(message)
                    assert await peer.ws.recv() == message
                await peer.ws.send(["in ", "pieces"])
                assert await peer.ws.recv() == "in pieces"
                await peer.send("x" * 1001)
                with pytest.raises(ConnectionClosed) as end:
                    await peer.ws.recv()
                assert end.value.rcvd is not None
                assert end.value.rcvd.code == 1009
            await until(lambda: not running.platform.sockets)

    run(test)


def test_the_end_with_everything_open() -> None:
    """Sessions of every kind do not hold the end up; WebSockets are told 1012."""

    async def test() -> None:
        async with (
            suites() as running,
            websocket(running, "/echo") as raw,
            over_websocket(running, ENGINEIO) as plain,
            over_websocket(running) as line,
            over_polling(running) as poller,
        ):
            await join(line)
            await join(poller)
            poll = asyncio.create_task(poller.peer.request("GET", poller.target))
            carrier: Any = running.platform.connections[poller.handshake["sid"]].carrier
            await until(lambda: carrier.polled)
            codes = asyncio.gather(plain.peer.closed(), line.peer.closed())
            await raw.send("before the end")
            assert await raw.ws.recv() == "before the end"
            await running.__aexit__(None, None, None)
            assert await codes == [1012, 1012]
            assert await poll == (200, "1")

    run(test)


# Other people's client


@pytest.mark.parametrize("transports", ["polling", "websocket", "polling,websocket"])
def test_node(transports: str) -> None:
    """Node's socket.io-client finds everything: both namespaces, echoes, binary, leaving one, a refusal."""
    node = shutil.which("node")
    if node is None or not (SCRIPTS / "node_modules" / "socket.io-client").exists():
        pytest.skip("no Node, or its packages are not installed: make test installs them")

    async def test() -> None:
        async with suites() as running:
            script = str(SCRIPTS / "conformance.mjs")
            process = await asyncio.create_subprocess_exec(
                str(node),
                script,
                running.url,
                transports,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await process.communicate()
            assert (process.returncode, err.decode()) == (0, "")
            told = dict(json.loads(line) for line in out.splitlines())
            assert told == {
                "transport": "polling" if transports == "polling" else "websocket",
                "auth": [{"token": "123"}, {"token": "123"}],
                "message-back": [1, "2", {"3": [True]}, "010203"],
                "message-back /custom": ["custom", "ff"],
                "ack": ["a", None, "040506"],
                "ack /custom": [],
                "left": "io client disconnect",
                "still there": ["main goes on"],
                "refused": "Invalid namespace",
            }
            await until(lambda: not running.platform.connections)

    run(test)


def test_the_suites_own_timing() -> None:
    """Unless told otherwise, heartbeats are those which the suites' documents ask for."""
    assert (conformance.PING_INTERVAL, conformance.PING_TIMEOUT) == (0.3, 0.2)
