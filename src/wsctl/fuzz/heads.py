"""Heads: what is asked for over HTTP, the target's own where a step leaves it open. No I/O."""

from urllib.parse import urlsplit

from msgspec import structs

from wsctl.client.target import Target
from wsctl.fuzz.line import MAX_MESSAGE
from wsctl.fuzz.steps import Data, Headers, Request

MISSING = 1_000_000_000
"""bytes that a body lacks which is never completed"""


class Heads:
    """Of requests to one target."""

    def __init__(self, target: Target, *, engineio: bool) -> None:
        self._target = target
        self._engineio = engineio

    def addressed(self, content: Data) -> Data:
        """With what a request line of the opening handshake asks for, and whom."""
        words = {"{target}": self._asked_for(self.query(None, "websocket")), "{host}": self._host()}

        def filled(text: str) -> str:
            for name, word in words.items():
                text = text.replace(name, word)
            return text

        return tuple(structs.replace(run, text=filled(run.text)) if "{" in run.text else run for run in content)

    def _asked_for(self, query: str) -> str:
        return f"{self._path()}{'?' if query else ''}{query}"

    def _host(self) -> str:
        return urlsplit(self._target.url).netloc

    def query(self, query: str | None, transport: str, sid: str = "") -> str:
        """A step's, or None: the target's own for such a transport."""
        if query is None:
            return urlsplit(self._target.engineio_url(transport) if self._engineio else self._target.url).query
        return query.replace("{sid}", sid)

    def _path(self) -> str:
        return self._target.path if self._engineio else urlsplit(self._target.url).path or "/"

    def request(self, step: Request, query: str, body: bytes) -> bytes:
        """A request with its body, as a step says."""
        headers: Headers = (*self._target.headers, *step.headers, ("Connection", "close"))
        if step.chunked:
            headers = (*headers, ("Transfer-Encoding", "chunked"))
            body = b"".join(_chunk(body[at : at + MAX_MESSAGE]) for at in range(0, len(body), MAX_MESSAGE))
            body += _chunk(b"") if step.complete else b""
        elif step.body is not None and not any(name.lower() == "content-length" for name, _ in headers):
            headers = (*headers, ("Content-Length", str(len(body) + (0 if step.complete else MISSING))))
        return (
            self._head(f"{step.method} {step.path or self._path()}{'?' if query else ''}{query} HTTP/1.1", headers)
            + body
        )

    def opening(self, query: str, headers: Headers, *, leading: bool) -> bytes:
        """The opening handshake of a WebSocket; `leading`: these headers stand before its own."""
        usual: Headers = (
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "d3NjdGwtZnV6ei1rZXktMQ=="),
        )
        given = {name.lower() for name, _ in headers}
        usual = tuple((name, value) for name, value in usual if name.lower() not in given)
        own = (*headers, *usual) if leading else (*usual, *headers)
        return self._head(f"GET {self._asked_for(query)} HTTP/1.1", (*self._target.headers, *own))

    def _head(self, line: str, headers: Headers) -> bytes:
        given = {name.lower() for name, _ in headers}
        host = () if "host" in given else (("Host", self._host()),)
        lines = [line, *(f"{name}: {value}" for name, value in (*host, *headers))]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)
