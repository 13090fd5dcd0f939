"""A running mock feed and its peers, written by hand: raw bytes, the websockets library, aiohttp.

Whatever a test does, afterwards nothing may be left: no task, no connection, no timer, no logged error.
"""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol, Self

import aiohttp
import websockets.asyncio.client as websockets_client
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from wsctl.clock import Clock
from wsctl.server.app import MockFeed
from wsctl.server.endpoint import ConnectionLog, Endpoint
from wsctl.server.options import ServeOptions

WAIT = 10.0
"""seconds until a condition that must come true is given up"""
SYMBOLS = ("BTC/USDT", "ETH/USDT")
BTC = "symbol:BTC/USDT:ticker"
ETH = "symbol:ETH/USDT:ticker"
HANDSHAKE = (
    "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
POLLING = "/socket.io/?EIO=4&transport=polling"
SEPARATOR = "\x1e"


class Running(Protocol):
    """A mock feed, or another server whose clients are Engine.IO's."""

    @property
    def url(self) -> str: ...
    @property
    def platform(self) -> Endpoint: ...


class _Errors(logging.Handler):
    """Keeps what was logged as an error, and whatever asyncio complains about."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or record.name == "asyncio":
            self.texts.append(self.format(record))


def run(test: Callable[[], Awaitable[None]], loop_factory: Any = None, seconds: float = 40.0) -> None:
    """Run a test's coroutine; nothing may be logged as an error, and no task may be left."""

    async def bounded() -> None:
        async with asyncio.timeout(seconds):
            await test()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"

    errors = _Errors()
    logging.getLogger().addHandler(errors)
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(bounded())
    finally:
        logging.getLogger().removeHandler(errors)
    assert not errors.texts, "\n".join(errors.texts)


@asynccontextmanager
async def feed(clock: Clock | None = None, **options: Any) -> AsyncIterator[MockFeed]:
    """A mock feed on a free port; when it is gone, so is everything it held."""
    given = {"port": 0, "rate": 50.0, "seed": 1, "control": True, **options}
    if "prices" not in given:
        given.setdefault("symbols", SYMBOLS)
    logs: list[ConnectionLog] = []
    running = MockFeed(ServeOptions(**given), clock=clock, on_log=logs.append)
    running.logs = logs  # type: ignore[attr-defined]
    async with running:
        yield running
    platform = running.platform
    assert not platform.connections
    assert not platform.departing
    assert not platform.sockets
    assert not any(channel.subscribers() for channel in platform.hub.channels.values())
    assert not armed(), f"timers left behind: {armed()}"


def armed() -> list[asyncio.TimerHandle]:
    """Timers of ours that are still to fire on the running loop (asyncio's own loop tells; uvloop does not)."""
    scheduled: list[asyncio.TimerHandle] = getattr(asyncio.get_running_loop(), "_scheduled", [])
    return [timer for timer in scheduled if not timer.cancelled() and "wsctl" in repr(timer)]


def reasons(running: MockFeed) -> list[str | None]:
    """Why connections ended or were refused, as the operator is told."""
    return [log.reason for log in running.logs if log.what != "connected"]  # type: ignore[attr-defined]


async def until(condition: Callable[[], Any], seconds: float = WAIT) -> None:
    """Wait for something to come true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for are facts of the feed, not events
            await asyncio.sleep(0.002)


def event_of(packet: str) -> tuple[str, Any] | None:
    """Name and first argument of an event without an id."""
    if not packet.startswith("42["):
        return None
    name, *args = json.loads(packet[2:])
    return name, args[0] if args else None


class Conversation:
    """What both kinds of client share: joining, events, acknowledgements. Subclasses bring the packets."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self.others: list[str] = []
        """packets that were no events"""
        self._read = 0
        self._ids = 0

    async def send(self, *packets: str) -> None:
        """Send Engine.IO packets."""
        raise NotImplementedError

    async def more(self) -> None:
        """Take in at least one more packet."""
        raise NotImplementedError

    def take(self, packet: str | bytes) -> None:
        """Sort one packet in."""
        assert isinstance(packet, str)
        event = event_of(packet)
        if event is None:
            self.others.append(packet)
        else:
            self.events.append(event)

    async def join(self, **auth: Any) -> Self:
        """Join the namespace."""
        await self.send("40" + (json.dumps(auth) if auth else ""))
        await self.answer(lambda packet: packet.startswith("40{"))
        return self

    async def answer(self, fits: Callable[[str], bool]) -> str:
        """The first packet beside events that fits."""
        async with asyncio.timeout(WAIT):
            while True:
                for packet in self.others:
                    if fits(packet):
                        self.others.remove(packet)
                        return packet
                await self.more()

    async def emit(self, name: str, *args: Any) -> Any:
        """Send an event; the acknowledgement's payload."""
        self._ids += 1
        start = f"43{self._ids}["
        await self.send(f"42{self._ids}" + json.dumps([name, *args]))
        return json.loads((await self.answer(lambda packet: packet.startswith(start)))[len(start) - 1 :])[0]

    async def event(self, name: str, fits: Callable[[Any], bool] = lambda payload: True) -> Any:
        """The payload of the next event of a name that fits; those before it stay in `events`."""
        async with asyncio.timeout(WAIT):
            while True:
                while self._read < len(self.events):
                    got, payload = self.events[self._read]
                    self._read += 1
                    if got == name and fits(payload):
                        return payload
                await self.more()

    async def gather(self, enough: Callable[[], bool]) -> None:
        """Take in packets until a condition holds."""
        async with asyncio.timeout(WAIT):
            while not enough():
                await self.more()

    def of(self, channel: str, *, snapshots: bool = False) -> list[Any]:
        """The updates of a channel so far (in full form)."""
        return [
            payload
            for _, payload in self.events
            if isinstance(payload, dict)
            and payload.get("channel") == channel
            and "seq" in payload
            and ("snapshot" in payload) is snapshots
        ]


class WebSocketPeer(Conversation):
    """A client over the websockets library."""

    def __init__(self, ws: websockets_client.ClientConnection) -> None:
        super().__init__()
        self.ws = ws

    async def send(self, *packets: str | bytes) -> None:
        for packet in packets:
            await self.ws.send(packet)

    async def more(self) -> None:
        packet = await self.ws.recv()
        if packet == "2":
            await self.ws.send("3")
        self.take(packet)

    async def closed(self) -> int | None:
        """Read on until the server closes; the close code (None: no close frame came)."""
        try:
            async with asyncio.timeout(WAIT):
                while True:
                    await self.more()
        except ConnectionClosed as end:
            return end.rcvd.code if end.rcvd else None


@asynccontextmanager
async def websocket(running: Running, target: str = WEBSOCKET, **options: Any) -> AsyncIterator[WebSocketPeer]:
    """An open WebSocket; its OPEN packet (of a new session) is the first of `others`."""
    url = running.url.replace("http", "ws", 1) + target
    settings: dict[str, Any] = {"compression": None, "proxy": None, "ping_interval": None, "max_size": None}
    settings |= {"max_queue": None, **options}  # with a bound, leaving would wait for what nobody reads any more
    async with websockets_client.connect(url, **settings) as ws:
        yield WebSocketPeer(ws)


@asynccontextmanager
async def joined(running: Running, **auth: Any) -> AsyncIterator[WebSocketPeer]:
    """A WebSocket client in the namespace."""
    async with websocket(running) as peer:
        await peer.answer(lambda packet: packet.startswith("0{"))
        yield await peer.join(**auth)


class PollingPeer(Conversation):
    """A client over long-polling."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        super().__init__()
        self.http = http
        self.url = url
        self.handshake: dict[str, Any] = {}

    @property
    def target(self) -> str:
        """Where this session's requests go."""
        return f"{POLLING}&sid={self.handshake['sid']}"

    async def open(self) -> Self:
        """Get a session."""
        status, body = await self.request("GET", POLLING)
        assert status == 200
        self.handshake = json.loads(body[1:])
        return self

    async def request(self, method: str, target: str, **options: Any) -> tuple[int, str]:
        """Status and body of one request."""
        async with self.http.request(method, self.url + target, **options) as response:
            return response.status, await response.text()

    async def poll(self) -> list[str]:
        """The packets of one poll."""
        status, body = await self.request("GET", self.target)
        assert status == 200, body
        return body.split(SEPARATOR)

    async def post(self, body: str | bytes) -> tuple[int, str]:
        """POST a payload as it stands."""
        return await self.request("POST", self.target, data=body)

    async def send(self, *packets: str) -> None:
        assert await self.post(SEPARATOR.join(packets)) == (200, "ok")

    async def more(self) -> None:
        for packet in await self.poll():
            if packet == "2":
                await self.send("3")
            self.take(packet)


@asynccontextmanager
async def polling(running: Running) -> AsyncIterator[PollingPeer]:
    """An open polling session; it says goodbye in the end, else the feed would wait for its last poll."""
    timeout = aiohttp.ClientTimeout(total=WAIT)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        peer = await PollingPeer(http, running.url).open()
        sid = str(peer.handshake["sid"])
        yield peer
        if sid in running.platform.connections and running.platform.connections[sid].transport == "polling":
            await peer.post("1")
        running.platform.seen_off(sid)


class Raw:
    """A TCP connection driven byte by byte. Server frames are read without a library."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = ""

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def text(self, *packets: str) -> None:
        """Send text frames, masked as clients must."""
        await self.send(b"".join(frame(packet) for packet in packets))

    async def read_head(self) -> str:
        """The status line and headers of an HTTP answer."""
        async with asyncio.timeout(WAIT):
            self.head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        return self.head

    async def read_frame(self) -> tuple[int, bytes]:
        """Opcode and data of the next frame."""
        async with asyncio.timeout(WAIT):
            first, length = await self.reader.readexactly(2)
            assert length < 128, "a server must not mask"
            if length >= 126:
                length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8))
            return first & 15, await self.reader.readexactly(length)

    async def close_code(self) -> int | None:
        """Read on until a close frame; its code, or None when the connection ends without one."""
        try:
            while True:
                opcode, data = await self.read_frame()
                if opcode == Opcode.CLOSE:
                    return int.from_bytes(data[:2])
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def ended(self) -> None:
        """Read on until the server ends the connection."""
        async with asyncio.timeout(WAIT):
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionError:
                return


def frame(data: str | bytes, *, fin: bool = True, opcode: int | None = None, mask: bool = True) -> bytes:
    """One WebSocket frame."""
    kind = Opcode(opcode) if opcode is not None else Opcode.TEXT if isinstance(data, str) else Opcode.BINARY
    return Frame(kind, data.encode() if isinstance(data, str) else data, fin).serialize(mask=mask)


@asynccontextmanager
async def tcp(running: Running, receive_buffer: int | None = None) -> AsyncIterator[Raw]:
    """A TCP connection to the feed; with a small receive buffer the reader falls behind soon."""
    host, _, port = running.url.partition("://")[2].rpartition(":")
    sock = socket.socket(socket.AF_INET)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
    limit = receive_buffer or 1 << 16
    reader, writer = await asyncio.open_connection(sock=sock, limit=limit)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def raw_websocket(
    running: Running, target: str = WEBSOCKET, *, more: str = "", receive_buffer: int | None = None
) -> AsyncIterator[Raw]:
    """A WebSocket by hand, its HTTP answer read."""
    async with tcp(running, receive_buffer) as raw:
        await raw.send(HANDSHAKE.format(target=target, more=more).encode())
        await raw.read_head()
        yield raw


async def post_control(running: MockFeed, name: str, **body: Any) -> dict[str, Any]:
    """POST /control/…; its JSON answer."""
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{running.url}/control/{name}", json=body) as response,
    ):
        answer = await response.json()
        assert response.status == 200, answer
        return dict(answer)


async def get_control(running: MockFeed, name: str) -> dict[str, Any]:
    """GET /control/…; its JSON answer."""
    async with aiohttp.ClientSession() as http, http.get(f"{running.url}/control/{name}") as response:
        assert response.status == 200
        return dict(await response.json())
