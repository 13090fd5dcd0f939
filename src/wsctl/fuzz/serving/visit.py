"""Visit: a Line that a client made: it reads requests, and frames once it was told to."""

from collections.abc import Callable, Sequence
from http.client import responses
from urllib.parse import parse_qsl, urlsplit

import httptools
from msgspec import Struct

from wsctl.fuzz.line import MAX_MESSAGE, Line
from wsctl.fuzz.steps import Answer, Frame, Headers, data, expand
from wsctl.server import opening

MAX_HEAD = 1 << 16
"""bytes of a request's head"""


class Asked(Struct, frozen=True):
    """A request."""

    method: str
    target: str
    headers: dict[str, str]
    """the names in small letters"""
    body: bytes = b""
    upgrade: bool = False
    """to a WebSocket"""

    @property
    def query(self) -> dict[str, str]:
        """Of its target."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


class Visit(Line):
    """One connection. `on_request` is called for each request, `on_message` for each message once it is upgraded."""

    def __init__(self, on_request: "Callable[[Visit, Asked], None]") -> None:
        super().__init__(client=False)
        self.common: Headers = ()
        """of every answer"""
        self.on_message: Callable[[str | bytes], None] = lambda message: None
        self._on_request = on_request
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[str, str] = {}
        self._head = 0
        """bytes received since the last whole head"""
        self._body = b""
        self._early: bytes | None = None
        """what came behind the request for an upgrade, which is not answered yet"""

    @property
    def left(self) -> bool:
        """Whether the client is gone, or said that it goes."""
        return self.ended or self.close_code is not None

    def accept(self, usual: Sequence[str], step: Answer) -> None:
        """Answer a request to become a WebSocket, with what a step changes about it, and read frames from here."""
        first, *lines = usual
        given = {name.lower() for name, _ in step.headers} | set(step.without)
        lines = [line for line in lines if line.partition(":")[0].lower() not in given]
        own = [f"{name}: {value}" for name, value in step.headers]
        lines = [first, *own, *lines] if step.leading else [first, *lines, *own]
        self._put("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + expand(step.tail))
        self.upgraded = True
        early, self._early = self._early, None
        if early:
            self.data_received(early)

    def answer(self, status: int, body: bytes, kind: str = "application/json", headers: Headers = ()) -> None:
        """Answer a request."""
        usual = (("Content-Type", kind), ("Content-Length", str(len(body))))
        lines = [
            f"HTTP/1.1 {status} {responses[status]}",
            *(f"{name}: {value}" for name, value in (*usual, *headers, *self.common)),
        ]
        self._put("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def say_now(self, message: str | bytes) -> None:
        """Write a message, without waiting for the other side to read."""
        self._write_now(Frame(opcode=1 if isinstance(message, str) else 2, data=data(message)))

    # What comes

    def _read_http(self, received: bytes) -> bytes:
        if self._early is not None:
            self._early = (self._early + received)[:MAX_MESSAGE]
            return b""
        self._head += len(received)
        try:
            self._parser.feed_data(received)
        except httptools.HttpParserUpgrade as upgrade:
            self._early = received[upgrade.args[0] :]
            self._tell(upgrade=True)
        except httptools.HttpParserError:
            self.abort()
        if self._head > MAX_HEAD:
            self.abort()
        return b""

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url, self._headers, self._body = b"", {}, b""

    def on_url(self, url: bytes) -> None:
        """A piece of its target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._head = 0

    def on_body(self, body: bytes) -> None:
        """A piece of its body, of which more is no matter."""
        self._head = 0
        self._body += body[: MAX_MESSAGE - len(self._body)]

    def on_message_complete(self) -> None:
        """It is there as a whole."""
        if not self._parser.should_upgrade():
            self._tell(upgrade=False)

    def _tell(self, *, upgrade: bool) -> None:
        method, target = self._parser.get_method().decode("latin-1"), self._url.decode("latin-1")
        self._on_request(self, Asked(method, target, self._headers, self._body, upgrade))

    def _hear(self, message: str | bytes) -> None:
        super()._hear(message)
        self.on_message(message)

    def _put(self, content: bytes) -> None:
        if self._transport is not None and not self.ended:
            self._transport.write(content)


def usual_answer(asked: Asked) -> list[str]:
    """The lines of a lawful answer to a request to become a WebSocket. Raises Unsound where it is no such request."""
    fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in asked.headers.items()]
    head, _ = opening.accept(asked.method, "1.1", fields, compress=False)
    lines = head.decode("latin-1").split("\r\n")[:-2]
    if "sec-websocket-protocol" in asked.headers:  # clients that ask for some leave where none is chosen
        lines.append(f"Sec-WebSocket-Protocol: {asked.headers['sec-websocket-protocol'].partition(',')[0].strip()}")
    return lines
