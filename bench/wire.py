"""Hand-written Socket.IO clients that count every byte at their sockets: over WebSocket and by long-polling.

TCP and IP heads are not counted, HTTP heads and WebSocket frames are. `rtt` is a pretended network: each
message is said to arrive half of it later, and a poll sets out for the server a whole one after the answer
before it.
"""

import asyncio
import base64
import os
import time
import zlib
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from bench.latency import Latencies
from bench.receivers import ReceiverError, Tally

PRICE = b'42["price:update"'
SEPARATOR = b"\x1e"  # between the packets of a polling payload
TAIL = b"\x00\x00\xff\xff"  # what permessage-deflate leaves out of every message
SHORTEST_PRICE = 20  # bytes, deflated; what is shorter is protocol
PAGE = "http://localhost:8080"
HEADS = {
    "bare": (),
    "browser": (
        "Connection: keep-alive",
        'sec-ch-ua: "Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"',
        "sec-ch-ua-mobile: ?0",
        'sec-ch-ua-platform: "Windows"',
        "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/142.0.0.0 Safari/537.36",
        "Accept: */*",
        f"Origin: {PAGE}",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Dest: empty",
        f"Referer: {PAGE}/",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Accept-Language: en-US,en;q=0.9",
    ),
}
"""what a request carries beside Host: nothing, or what Chrome sends"""


@dataclass
class Setting:
    """What all clients of a run share."""

    url: str
    heads: str = "bare"
    auth: str = ""
    deflate: bool = False
    rtt: float = 0.0
    tally: Tally = field(default_factory=Tally)
    latencies: Latencies = field(default_factory=lambda: Latencies(1))
    polls: int = 0
    """answers that were fetched by polling"""

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect to."""
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def request(self, line: str, *heads: str, body: bytes = b"") -> bytes:
        """An HTTP request."""
        host, port = self.address
        lines = [f"{line} HTTP/1.1", f"Host: {host}:{port}", *HEADS[self.heads], *heads]
        return "\r\n".join([*lines, "", ""]).encode() + body


class Session:
    """The Socket.IO conversation of one client, whatever carries it: joins, subscribes, counts."""

    def __init__(self, setting: Setting, symbol: str) -> None:
        self.setting = setting
        self.received = 0
        self.lost: str | None = None
        self._subscribe = f'42["price:subscribe",["{symbol}"]]'.encode()

    def answer(self, packet: bytes) -> bytes | None:
        """Take a packet; what to send in return."""
        if packet.startswith(PRICE):
            self.count(packet)
        elif packet == b"2":
            return b"3"
        elif packet.startswith(b"40"):
            return self._subscribe
        elif packet.startswith(b"0"):
            return b"40" + self.setting.auth.encode()
        elif packet.startswith((b"1", b"41", b"44")):
            self.lost = f"refused or closed: {packet.decode()}"
        return None

    def count(self, packet: bytes | None = None) -> bool:
        """Count a price; whether this one is to be parsed, which happens at once when it is given."""
        tally, latencies = self.setting.tally, self.setting.latencies
        self.received += 1
        tally.messages += 1
        sampled = latencies.open and tally.messages % latencies.every == 0
        if sampled and packet is not None:
            self.parse(packet)
        return sampled

    def parse(self, packet: bytes) -> None:
        """Take a price's latency; raises ValueError for what is none."""
        self.setting.latencies.add(packet, time.time() + self.setting.rtt / 2)


class WebSocketClient(Session, asyncio.Protocol):
    """Over WebSocket: the opening handshake and the frames by hand."""

    def __init__(self, setting: Setting, symbol: str) -> None:
        super().__init__(setting, symbol)
        self._buffer = b""
        self._open = False
        self._inflater: zlib._Decompress | None = None
        """None when each message is deflated on its own"""
        self._transport = cast("asyncio.Transport", None)

    async def start(self) -> None:
        """Connect; the rest happens as bytes arrive."""
        await asyncio.get_running_loop().create_connection(lambda: self, *self.setting.address)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the opening handshake."""
        self._transport = cast("asyncio.Transport", transport)
        heads = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        heads.append(f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}")
        if self.setting.deflate:
            heads.append("Sec-WebSocket-Extensions: permessage-deflate")
        self._write(self.setting.request("GET /socket.io/?EIO=4&transport=websocket", *heads))

    def connection_lost(self, error: Exception | None) -> None:
        """Remember that this one is gone."""
        self.lost = self.lost or "connection lost"

    def data_received(self, data: bytes) -> None:
        """Count bytes, take frames."""
        self.setting.tally.bytes += len(data)
        self._buffer = data = self._buffer + data if self._buffer else data
        if not self._open:
            if not self._opened(data):
                return
            data = self._buffer
        try:
            self._buffer = self._take_all(data)
        except (ValueError, zlib.error) as error:
            self._fail(str(error))

    def _take_all(self, data: bytes) -> bytes:
        """Take the frames that are complete; what is left."""
        place = 0
        while (frame := _frame(data, place)) is not None:
            first, begin, place = frame
            self._take(first, data[begin:place])
        return data[place:]

    def _opened(self, data: bytes) -> bool:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            return False
        lines = head.decode("latin-1").split("\r\n")
        if " 101 " not in lines[0]:
            self._fail(f"handshake answered with {lines[0]}")
            return False
        heads = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        extensions = heads.get("sec-websocket-extensions", "")
        if self.setting.deflate and "permessage-deflate" not in extensions:
            self._fail("permessage-deflate was offered and not agreed on")
            return False
        if extensions and "server_no_context_takeover" not in extensions:
            self._inflater = zlib.decompressobj(-15)
        self._open, self._buffer = True, rest
        return True

    def _take(self, first: int, payload: bytes) -> None:
        if first == 0x81:
            self._reply(payload)
        elif first == 0xC1:  # text, deflated
            self._take_deflated(payload)
        elif first == 0x89:
            self._send(0x8A, payload)
        elif first == 0x88:
            self._fail(f"closed by the server with {int.from_bytes(payload[:2], 'big')}")
        else:
            raise ValueError(f"unexpected frame {first:#x}")

    def _take_deflated(self, payload: bytes) -> None:
        """Count prices without a look at them once they flow; inflate every k-th, and what is too short for one."""
        if not self.received or len(payload) < SHORTEST_PRICE:
            self._reply(self._inflate(payload))
            return
        packet = self._inflate(payload) if self._inflater is not None else None  # its window needs every message
        if self.count():
            self.parse(self._inflate(payload) if packet is None else packet)

    def _inflate(self, payload: bytes) -> bytes:
        inflater = self._inflater or zlib.decompressobj(-15)
        return inflater.decompress(payload + TAIL)

    def _reply(self, packet: bytes) -> None:
        if (answer := self.answer(packet)) is not None:
            self._send(0x81, answer)

    def _send(self, first: int, payload: bytes) -> None:
        """A masked frame; the mask is zeros, for only its size matters here."""
        assert len(payload) < 126
        self._write(bytes((first, 0x80 | len(payload), 0, 0, 0, 0)) + payload)

    def _write(self, data: bytes) -> None:
        self.setting.tally.sent += len(data)
        self._transport.write(data)

    def _fail(self, cause: str) -> None:
        self.lost = self.lost or cause
        self._transport.close()


def _frame(data: bytes, place: int) -> tuple[int, int, int] | None:
    """First byte, begin and end of payload of the frame at a place; None while it is not complete."""
    if len(data) < place + 2:
        return None
    size, begin = data[place + 1], place + 2
    if size == 126:
        size, begin = int.from_bytes(data[begin : begin + 2], "big"), begin + 2
    elif size > 126:
        raise ValueError("a frame of more than 64 KiB")
    return (data[place], begin, begin + size) if begin + size <= len(data) else None


class PollingClient(Session):
    """By long-polling: one keep-alive connection, one poll pending, a POST in between where one is due."""

    def __init__(self, setting: Setting, symbol: str) -> None:
        super().__init__(setting, symbol)
        self._target = "/socket.io/?EIO=4&transport=polling"
        self._reader = cast("asyncio.StreamReader", None)
        self._writer = cast("asyncio.StreamWriter", None)
        self._polling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect and open a session; polls follow in a task of their own."""
        self._reader, self._writer = await asyncio.open_connection(*self.setting.address)
        opened = await self._get()
        if not opened.startswith(b'0{"sid":"'):
            raise ReceiverError(f"no session: {opened!r}")
        self._target += "&sid=" + opened.split(b'"')[3].decode()
        self._polling = asyncio.create_task(self._poll(opened))

    async def _poll(self, payload: bytes) -> None:
        try:
            while True:
                for packet in payload.split(SEPARATOR):
                    if (answer := self.answer(packet)) is not None:
                        await self._request("POST", answer)
                if self.setting.rtt:
                    await asyncio.sleep(self.setting.rtt)
                payload = await self._get()
                self.setting.polls += 1
        except (OSError, EOFError, ValueError, ReceiverError) as error:
            self.lost = str(error) or "connection lost"

    async def _get(self) -> bytes:
        return await self._request("GET")

    async def _request(self, method: str, body: bytes = b"") -> bytes:
        target = self._target
        if self.setting.heads == "browser":
            target += f"&t={base64.urlsafe_b64encode(os.urandom(6)).decode()}"  # against caches
        line = f"{method} {target}"
        heads = ("Content-Type: text/plain;charset=UTF-8", f"Content-Length: {len(body)}") if body else ()
        request = self.setting.request(line, *heads, body=body)
        self.setting.tally.sent += len(request)
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        answer = await self._reader.readexactly(_content_length(head))
        self.setting.tally.bytes += len(head) + len(answer)
        if b" 200 " not in head[:13]:
            status = head.partition(b"\r\n")[0].decode()
            raise ReceiverError(f"answered with {status}: {answer.decode()}")
        return answer


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise ReceiverError("an answer without Content-Length")


CARRIERS: dict[str, type[WebSocketClient | PollingClient]] = {"websocket": WebSocketClient, "polling": PollingClient}
