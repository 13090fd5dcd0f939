"""Exchange: HTTP on a connection, request by request, until it becomes a WebSocket or ends."""

import asyncio
import contextlib
import os
import socket
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING

from wsctl.chaos import body, heads
from wsctl.chaos.body import Body
from wsctl.chaos.door import Reject, Slow
from wsctl.chaos.heads import Head
from wsctl.chaos.side import Side
from wsctl.chaos.upstream import Upstream
from wsctl.errors import WireError

if TYPE_CHECKING:
    from wsctl.chaos.connection import Connection

HEAD_TIMEOUT = 60.0
"""seconds until a client has said what it wants, the pause after an answer included"""
OPENING = 4096
"""bytes within which a server tells a new session's id, and its client what it calls itself"""
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_MAX_HEADS = 8
"""of one answer: those before the last are informational (1xx)"""
_RESTARTING = Reject(HTTPStatus.SERVICE_UNAVAILABLE, body="wsctl chaos: the upstream is restarting\n")


class Gone(Exception):
    """One of the sides has left, or was cut."""


class Refused(Exception):
    """The client is not let through, and told why."""

    def __init__(self, reject: Reject) -> None:
        super().__init__(reject.body)
        self.reject = reject


class Exchange:
    """What a client asks for, and is answered."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._proxy = connection.proxy
        self._lower = connection.lower

    async def becomes_websocket(self) -> bool:
        """Serve one request after another; whether the last was answered with 101, or it is all over."""
        try:
            while not await self._serve(await self._next_request()):
                pass
        except Gone:
            return False
        except WireError as error:
            self._proxy.say(f"{self._connection.address}: {error}")
            return False
        except Refused as refused:
            self._answer(refused.reject)
            return False
        return True

    async def _next_request(self) -> Head:
        try:
            async with asyncio.timeout(HEAD_TIMEOUT):
                return await _read_head(self._lower)
        except TimeoutError as error:
            raise Gone from error

    async def _serve(self, head: Head) -> bool:
        """One request and its answer, as they are; whether it is a WebSocket from here on.

        Who asks for a WebSocket or an Engine.IO session is at the door.
        """
        self._check_open()
        self._connection.target = head.target
        opens = head.sid == ""
        if head.sid and head.method == "GET" and not head.is_upgrade:
            self._proxy.polled()
        if head.method == "GET" and (opens or (head.is_upgrade and head.sid is None)):
            await self._pass_door()
            self._check_open()
        upper, request = await self._connected(head), body.of_request(head)
        upper.write(self._rewritten(head).encode())
        self._send_on(upper, request, head.sid)
        answer = await self._read_answer(upper)
        if head.is_upgrade and answer.status == HTTPStatus.SWITCHING_PROTOCOLS:
            self._connection.client = self._proxy.sessions.client(head.sid)
            return True
        await self._hand_over(upper, body.of_answer(answer, head.method), opens=opens)
        self._lower.when_ended = None
        if upper.ended.is_set() or not request.is_whole:
            raise Gone
        upper.when_ended = lambda: self._lower.leave(reset=upper.broke)
        return False

    def _check_open(self) -> None:
        """Nobody gets through an outage, not even who came before it. Raises Gone."""
        if self._proxy.is_shut:
            self._connection.cut(reset=True)
            raise Gone

    # The door

    async def _pass_door(self) -> None:
        """Meet what the faults have for those who want in. Raises Refused, Gone."""
        connection = self._connection
        connection.number = connection.number or self._proxy.number()
        for fault in self._proxy.faults:
            match fault.at_door(connection):
                case Reject() as reject:
                    raise Refused(reject)
                case Slow(seconds):
                    await self._wait(seconds)

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._lower.ended.wait()
            raise Gone

    def _answer(self, reject: Reject) -> None:
        content = reject.body.encode()
        line = f"HTTP/1.1 {reject.status} {_PHRASES.get(reject.status, '')}"
        fields = [f"{name}: {value}" for name, value in reject.headers]
        if reject.status >= HTTPStatus.OK:
            fields += [
                f"Content-Length: {len(content)}",
                "Content-Type: text/plain; charset=utf-8",
                "Connection: close",
            ]
        self._lower.write(Head(line, tuple(fields)).encode() + content)

    # The upstream

    async def _connected(self, head: Head) -> Side:
        """The upstream of the request's session, or any. Raises Refused, Gone."""
        connection = self._connection
        before, upper = connection.upstream, connection.upper
        upstream = self._proxy.sessions.upstream(head.sid)
        if upstream is None and before is not None and upper is not None and not upper.ended.is_set():
            upstream = before
        upstream = upstream or self._proxy.choose_upstream()
        if upstream is None or not upstream.is_up:
            raise Refused(_RESTARTING)
        if upper is not None:
            upper.when_ended = None
            if upstream is before and not upper.ended.is_set():
                return upper
            upper.forget()
            upper.leave(reset=False)
        connection.upper = upper = await self._dial(upstream)
        connection.upstream = upstream
        upper.other, self._lower.other = self._lower, upper
        self._check_open()
        return upper

    async def _dial(self, upstream: Upstream) -> Side:
        try:
            side = await upstream.dial()
        except OSError as error:
            text = f"upstream {upstream.shown} cannot be reached: {_cause(error)}"
            if upstream.answers:
                self._proxy.say(text)
            upstream.answers = False
            raise Refused(Reject(HTTPStatus.BAD_GATEWAY, body=f"wsctl chaos: {text}\n")) from error
        upstream.answers = True
        return side

    def _rewritten(self, head: Head) -> Head:
        """For the upstream: its own name for the proxy's, and no compression.

        That would not bear what faults do to messages. Nor may an answer be compressed whose session is to be known.
        """
        upstream = self._connection.upstream
        assert upstream is not None, "it is connected"
        readable = ("accept-encoding",) if head.sid == "" and len(self._proxy.upstreams) > 1 else ()
        addressed = upstream.addressed(head, self._connection.address, self._proxy.host)
        return addressed.changed(without=("sec-websocket-extensions", *readable))

    def _send_on(self, upper: Side, rest: Body, sid: str | None) -> None:
        """The request's body goes to the upstream as it comes, whatever the upstream says meanwhile.

        Over polling a client says there what it calls itself; it may go on as a WebSocket.
        """
        lower, beginning = self._lower, b""

        def take(data: bytes) -> None:
            nonlocal beginning
            size = rest.take(data)
            upper.write(data[:size])
            if sid and len(beginning) < OPENING:
                beginning += data[:size]
                self._proxy.sessions.heard(sid, beginning)
            if rest.is_whole:
                lower.stream(None)
            lower.unread(data[size:])

        def end() -> None:
            if lower.lost.is_set():
                upper.leave(reset=lower.broke)
            elif not upper.is_tls:  # there it would be the end of the answer, too
                upper.finish()

        lower.when_ended = end
        if not rest.is_whole:
            lower.stream(self._connection.guarded(take))
        if lower.ended.is_set():
            end()

    async def _read_answer(self, upper: Side) -> Head:
        """The head of the final answer; those before it (100 Continue) go on as well. Raises Refused, Gone."""
        for _ in range(_MAX_HEADS):
            answer = await _read_head(upper)
            self._check_open()
            if self._connection.upstream is not None and not self._connection.upstream.is_up:
                raise Refused(_RESTARTING)
            self._lower.write(answer.encode())
            if answer.status == HTTPStatus.SWITCHING_PROTOCOLS or answer.status >= HTTPStatus.OK:
                return answer
        raise WireError(f"{_MAX_HEADS} answers before the answer")

    async def _hand_over(self, upper: Side, rest: Body, *, opens: bool) -> None:
        """An answer's body. Where it opens an Engine.IO session, it is known whose that is before the client is."""
        beginning = b""
        while not rest.is_whole:
            data = await upper.read()
            if not data:
                raise Gone
            size = rest.take(data)
            if opens and len(beginning) < OPENING:
                beginning += data[:size]
                assert self._connection.upstream is not None, "it answers"
                self._proxy.sessions.opened(beginning, self._connection.upstream)
            self._lower.write(data[:size])
            upper.unread(data[size:])


async def _read_head(side: Side) -> Head:
    """Raises Gone, and WireError for what is no HTTP."""
    text = b""
    while not 0 <= (end := text.find(heads.END)) <= heads.MAX_HEAD:
        if len(text) > heads.MAX_HEAD:
            raise WireError(f"a head of more than {heads.MAX_HEAD:,} bytes")
        data = await side.read()
        if not data:
            raise Gone
        text += data
    end += len(heads.END)
    side.unread(text[end:])
    return heads.parse(text[:end])


def _cause(error: OSError) -> str:
    """Why nobody answers, in words."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {(error.reason or str(error)).lower().replace('_', ' ')}"
        case socket.gaierror():
            return "host name not found"
    return os.strerror(error.errno).lower() if error.errno else str(error).lower() or "timed out"
