"""Connection: a client and its server with the proxy between them: HTTP at first; as a WebSocket, two streams.

Ends are handed on as they are: a FIN as a FIN, a reset as a reset, and only after what was said, or is held.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from wsctl.chaos import body, heads
from wsctl.chaos.body import Body
from wsctl.chaos.door import Reject, Reset, Slow
from wsctl.chaos.heads import Head
from wsctl.chaos.message import Message, client_name
from wsctl.chaos.side import Side
from wsctl.chaos.stream import Stream
from wsctl.chaos.upstream import Upstream
from wsctl.errors import WireError
from wsctl.wire.frames import CLOSE, TEXT, build

if TYPE_CHECKING:
    from wsctl.chaos.proxy import Proxy

LAST_WORDS = 2.0
"""seconds for what is still to be said, once both sides are left"""
OPENING = 4096
"""bytes within which a server tells a new session's id, and its client what it calls itself"""
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_MAX_HEADS = 8
"""of one answer: those before the last are informational (1xx)"""


class Gone(Exception):
    """One of the sides has left, or was cut."""


class Refused(Exception):
    """The client is not let through, and told why."""

    def __init__(self, reject: Reject) -> None:
        super().__init__(reject.body)
        self.reject = reject


class Connection:
    """One client's TCP connection, and the one that was made to an upstream for it. `run` is its life."""

    def __init__(self, proxy: "Proxy", connected: Callable[[], None]) -> None:
        self.proxy = proxy
        self.number = 0
        """of those that knocked at the door; 0: it did not"""
        self.address = ""
        """of the client, without its port"""
        self.port = 0
        self.client: str | None = None
        """as a Socket.IO client calls itself in its handshake auth, if it does"""
        self.target = ""
        """path and query of its latest request"""
        self.upstream: Upstream | None = None
        """that it was led to"""
        self.down: Stream | None = None
        self.up: Stream | None = None
        self.lower = Side(connected)
        self.upper: Side | None = None
        self.closing_code: int | None = None
        self._over = asyncio.Event()
        self._closes = False
        """whether we closed it, and the sides are to say good-bye"""
        self._failure: Exception | None = None

    @property
    def name(self) -> str:
        """As logs call it."""
        return f"c{self.number}"

    @property
    def is_websocket(self) -> bool:
        """Whether it has become one."""
        return self.down is not None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Both directions of a WebSocket."""
        return () if self.down is None or self.up is None else (self.down, self.up)

    @property
    def sides(self) -> tuple[Side, ...]:
        """Both sockets, as far as there are two."""
        return (self.lower,) if self.upper is None else (self.lower, self.upper)

    async def run(self) -> None:
        """Serve the client until both sides have left."""
        peer = self.lower.transport.get_extra_info("peername")
        self.address, self.port = peer[:2] if peer else ("", 0)
        try:
            while not self.is_websocket:
                await self._exchange(await self._read_head(self.lower))
            await self._over.wait()
        except asyncio.CancelledError:
            for side in self.sides:
                side.abort(reset=False)
            raise
        except Gone:
            pass
        except WireError as error:  # of HTTP
            self.proxy.say(f"{self.address}: {error}")
        except Refused as refused:
            self._answer(refused.reject)
        finally:
            await self._end()
        if self._failure is not None:
            raise self._failure

    # What faults do

    def close(self, code: int, reason: str) -> None:
        """Close both ends with a code, as if the other side had."""
        content = code.to_bytes(2, "big") + reason.encode()
        self.closing(content)
        self._stop()
        self._closes = True
        for side, mask in zip(self.sides, (False, True), strict=False):
            side.write(build(CLOSE, content, mask=mask).raw)

    def cut(self, *, reset: bool) -> None:
        """End both sockets, by RST or FIN, without a word of WebSocket: at once, where by RST."""
        self._stop()
        for side in self.sides:
            (side.abort if reset else side.leave)(reset=reset)

    def half_close(self) -> None:
        """Say no more to the client, and listen on."""
        for stream in self.streams:
            stream.flush()
        self.lower.finish()

    def text(self, content: str) -> None:
        """Tell the client something in a text message, as if the server had."""
        if self.down is not None:
            self.down.flush()
            self.lower.write(build(TEXT, content.encode(), mask=False).raw)

    # HTTP

    async def _read_head(self, side: Side) -> Head:
        text = b""
        while (end := text.find(heads.END)) < 0:
            if len(text) > heads.MAX_HEAD:
                raise WireError(f"a head of more than {heads.MAX_HEAD:,} bytes")
            data = await side.read()
            if not data:
                raise Gone
            text += data
        end += len(heads.END)
        side.unread(text[end:])
        return heads.parse(text[:end])

    async def _exchange(self, head: Head) -> None:
        """One request and its answer, as they are. Who asks for a WebSocket or an Engine.IO session is at the door."""
        if self.proxy.is_shut:
            self.cut(reset=True)
            raise Gone
        self.target = head.target
        opens = head.sid == ""
        if head.sid and head.method == "GET" and not head.is_upgrade:
            self.proxy.polled()
        if head.method == "GET" and (opens or (head.is_upgrade and head.sid is None)):
            await self._pass_door()
        upper, request = await self._connected(head), body.of_request(head)
        upper.write(self._rewritten(head).encode())
        self._send_on(upper, request, head.sid)
        answer = await self._read_answer(upper)
        if head.is_upgrade and answer.status == HTTPStatus.SWITCHING_PROTOCOLS:
            self.client = self.proxy.sessions.client(head.sid)
            self._become_websocket(upper)
            return
        await self._hand_over(upper, body.of_answer(answer, head.method), opens=opens)
        self.lower.when_ended = None
        if upper.ended.is_set() or not request.is_whole:
            raise Gone
        upper.when_ended = lambda: self.lower.leave(reset=upper.broke)

    def _send_on(self, upper: Side, rest: Body, sid: str | None) -> None:
        """The request's body goes to the upstream as it comes, whatever the upstream says meanwhile.

        Over polling a client says there what it calls itself; it may go on as a WebSocket.
        """
        beginning = b""

        def take(data: bytes) -> None:
            nonlocal beginning
            size = rest.take(data)
            upper.write(data[:size])
            if sid and len(beginning) < OPENING:
                beginning += data[:size]
                self.proxy.sessions.heard(sid, beginning)
            if rest.is_whole:
                self.lower.stream(None)
            self.lower.unread(data[size:])

        def end() -> None:
            if self.lower.lost.is_set():
                upper.leave(reset=self.lower.broke)
            else:
                upper.finish()

        self.lower.when_ended = end
        if not rest.is_whole:
            self.lower.stream(self._guarded(take))
        if self.lower.ended.is_set():
            end()

    async def _read_answer(self, upper: Side) -> Head:
        """The head of the final answer; those before it (100 Continue) go on as well."""
        for _ in range(_MAX_HEADS):
            answer = await self._read_head(upper)
            self.lower.write(answer.encode())
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
                assert self.upstream is not None
                self.proxy.sessions.opened(beginning, self.upstream)
            self.lower.write(data[:size])
            upper.unread(data[size:])

    async def _connected(self, head: Head) -> Side:
        """The upstream of the request's session, or any."""
        upstream = self.proxy.sessions.upstream(head.sid)
        if upstream is None and self.upstream is not None and self.upper is not None and not self.upper.ended.is_set():
            upstream = self.upstream
        if upstream is None:
            upstream = self.proxy.choose_upstream()
        if upstream is None or not upstream.is_up:
            raise Refused(Reject(HTTPStatus.SERVICE_UNAVAILABLE, body="wsctl chaos: the upstream is restarting\n"))
        if self.upper is not None:
            self.upper.when_ended = None
            if upstream is self.upstream and not self.upper.ended.is_set():
                return self.upper
            self.upper.forget()
            self.upper.leave(reset=False)
        self.upper = await self._dial(upstream)
        self.upper.other, self.lower.other = self.lower, self.upper
        self.upstream = upstream
        return self.upper

    async def _dial(self, upstream: Upstream) -> Side:
        try:
            side = await upstream.dial()
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error).lower() or "timed out"
            text = f"upstream {upstream.shown} cannot be reached: {reason}"
            if upstream.answers:
                self.proxy.say(text)
            upstream.answers = False
            raise Refused(Reject(HTTPStatus.BAD_GATEWAY, body=f"wsctl chaos: {text}\n")) from error
        upstream.answers = True
        return side

    def _rewritten(self, head: Head) -> Head:
        """For the upstream: its own name, and no compression, which would not bear what faults do to messages.

        Nor may an answer be compressed whose session is to be known.
        """
        assert self.upstream is not None
        readable = ("accept-encoding",) if head.sid == "" and len(self.proxy.upstreams) > 1 else ()
        return self.upstream.addressed(head).changed(without=("sec-websocket-extensions", *readable))

    # The door

    async def _pass_door(self) -> None:
        """Meet what the faults have for those who want in. Raises Refused, Gone."""
        self.number = self.number or self.proxy.number()
        for fault in self.proxy.faults:
            match fault.at_door(self):
                case Reject() as reject:
                    raise Refused(reject)
                case Reset():
                    self.cut(reset=True)
                    raise Gone
                case Slow(seconds):
                    await self._wait(seconds)

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.lower.ended.wait()
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
        self.lower.write(Head(line, tuple(fields)).encode() + content)

    # WebSocket

    def _become_websocket(self, upper: Side) -> None:
        self.number = self.number or self.proxy.number()
        reader = self.proxy.reader(self.target)
        self.down = down = Stream(self, "down", upper, self.lower, reader)
        self.up = up = Stream(self, "up", self.lower, upper, reader)
        self.proxy.opened(self)
        for stream in (up, down):
            stream.source.when_ended = self._guarded(lambda stream=stream: self.heed(stream))
            stream.source.stream(self._guarded(stream.feed))
            self.heed(stream)

    def _guarded(self, function: Callable[..., None]) -> Callable[..., None]:
        """What asyncio calls: it has nobody to tell of what goes wrong, `run` has."""

        def call(*given: bytes) -> None:
            try:
                function(*given)
            except WireError as error:
                self.proxy.say(f"{self.name}: {error}")
                self.cut(reset=False)
            except Exception as error:
                self._failure = error
                self.cut(reset=True)

        return call

    def heed(self, stream: Stream) -> None:
        """A stream may be over: its other side is told as it was told itself."""
        if self._closes:
            if stream.source.ended.is_set():
                stream.source.leave(reset=False)
            return
        if stream.is_over:
            if stream.source.lost.is_set():
                stream.sink.leave(reset=stream.source.broke)
            else:
                stream.sink.finish()
            if stream.source.broke or all(one.is_over for one in self.streams):
                self._over.set()

    def joined(self, message: Message) -> None:
        """A client said `40`: perhaps with its name."""
        if self.client is None:
            self.client = client_name(message.content)

    def closing(self, content: bytes) -> None:
        """A close frame passes."""
        if self.closing_code is None and len(content) >= 2:
            self.closing_code = int.from_bytes(content[:2], "big")

    # The end

    def _stop(self) -> None:
        """It no longer counts as open, and nothing more is handed on."""
        for stream in self.streams:
            stream.stop()
        self.proxy.closed(self)
        self._over.set()

    async def _end(self) -> None:
        """Both sides are left; however it came to that, nothing of it stays."""
        for stream in self.streams:
            stream.stop()
        self.proxy.closed(self)
        try:
            if self._closes:
                await self._until_lost()
            broke = [side.broke for side in self.sides]
            for side, other_broke in zip(self.sides, reversed(broke), strict=True):
                side.leave(reset=other_broke)
            await self._until_lost()
        finally:
            for side in self.sides:
                side.abort(reset=False)
                await side.lost.wait()
                side.forget()
            self.down = self.up = None

    async def _until_lost(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                for side in self.sides:
                    await side.lost.wait()
