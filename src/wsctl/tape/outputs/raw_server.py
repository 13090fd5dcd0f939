"""RawServer: a recorded feed of a raw WebSocket dialect, for any client of that exchange to connect to."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

import msgspec
from msgspec import Raw
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from wsctl.clock import Clock
from wsctl.errors import WireError
from wsctl.server.sockets import bind
from wsctl.tape.contents import Contents
from wsctl.tape.format import TapeFrame
from wsctl.tape.outputs.answers import Answers
from wsctl.tape.outputs.giving_up import RawGivingUp
from wsctl.tape.outputs.one_voice import OneVoice, Told
from wsctl.tape.outputs.patience import BEHIND_LIMIT, SETTLING
from wsctl.tape.outputs.raw_connection import RawConnection, answer
from wsctl.tape.outputs.whole_states import KEPT, WholeStates
from wsctl.tape.player import Output, Played
from wsctl.wire.dialect import Asked, Dialect, Reply, ServerSession

CLOSE_TIMEOUT: Final = 2.0
"""seconds that a client has to answer a close"""
_TURN: Final = 16
"""messages of the past that a late client is sent before the others have their turn"""

_UNHEARD = logging.getLogger(__name__)
"""of strangers whose handshakes fail: no news for who plays a tape"""
_UNHEARD.addHandler(logging.NullHandler())
_UNHEARD.propagate = False


class _Client:
    """A connection, its session and what it listens to."""

    def __init__(self, connection: ServerConnection, session: ServerSession) -> None:
        self.connection = connection
        self.session = session
        self.left = False
        """it is closed, or is about to be: nothing is sent any more"""

    @property
    def address(self) -> str:
        host, port = self.connection.remote_address[:2]
        return f"{host}:{port}"


class RawServer(Output):
    """Serves a tape's channels to those who ask for them, and its HTTP answers at the same port.

    A client that cannot keep up is closed with 1008; with `hold` the player waits for it instead. Who comes late gets
    what a channel's messages since its latest whole state say, where there are such. `tell` is told what people should
    know, in sentences. Raises UsageError where it cannot listen.
    """

    def __init__(
        self,
        dialect: Dialect,
        contents: Contents,
        *,
        host: str | None,
        port: int,
        hold: bool,
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self._dialect = dialect
        self._contents = contents
        self._sockets = bind(host, port)
        self._hold = hold
        self._clock = clock
        self._tell = tell
        self._stack = AsyncExitStack()
        self._clients: set[_Client] = set()
        self._listeners: dict[str, dict[_Client, None]] = {}
        self._asked = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._begin()

    @property
    def url(self) -> str:
        """Of its first socket."""
        host, port = self._sockets[0].getsockname()[:2]
        return f"ws://[{host}]:{port}" if ":" in host else f"ws://{host}:{port}"

    async def __aenter__(self) -> Self:
        for socket in self._sockets:
            await self._stack.enter_async_context(
                serve(
                    self._serve,
                    sock=socket,
                    process_request=self._answer,
                    create_connection=RawConnection,
                    compression=None,  # would be done anew for each client
                    close_timeout=CLOSE_TIMEOUT,
                    logger=_UNHEARD,
                )
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def stay(self) -> None:
        """Serve on, for ever, after the tape. Raises what went wrong in serving a client."""
        await self._failed

    async def ready(self) -> None:
        while not self._is_heard():
            self._asked.clear()
            await self._asked.wait()
            await asyncio.sleep(SETTLING)

    async def put(self, played: Played) -> None:
        if self._failed.done():
            self._failed.result()
        for channel, payload in self._note(played):
            for client in tuple(self._listeners.get(channel, ())):
                await self._send(client, channel, payload)

    def skip(self, played: Played) -> None:
        for _ in self._note(played):
            pass

    async def lap_over(self, lap: int) -> None:
        """Close everybody, with 1012: there is no other way to say that the feed begins anew."""
        self._begin()
        clients = tuple(self._clients)
        for client in clients:
            self._leave(client)
        await asyncio.gather(*(client.connection.close(1012, "the tape begins anew") for client in clients))

    async def close(self) -> None:
        await self._stack.aclose()
        for socket in self._sockets:
            socket.close()
        await asyncio.gather(*self._closing)

    def _begin(self) -> None:
        """A round: nothing has been played."""
        self._states: WholeStates[Raw] = WholeStates()
        self._voices: OneVoice[Raw] = OneVoice(self._contents.messages)
        self._giving_up = RawGivingUp(self._dialect)
        self._answers = Answers(self._dialect.rest(), self._contents)

    def _note(self, played: Played) -> Iterator[tuple[str, Raw]]:
        """Take in a record; the payloads in it, each with its channel."""
        self._answers.add(played)
        for (_, channel), event, payload in self._told(played):
            if channel is not None and payload is not None:
                self._states.add(channel, payload, self._dialect.is_snapshot(channel, event.data))
                yield channel, payload

    def _told(self, played: Played) -> Iterator[Told[Raw]]:
        """What is to be said at a record, once for all that were recorded."""
        frame = played.frame
        if frame.direction in ("open", "close"):  # nobody may have noted the close before
            yield from self._voices.end(frame.conn)
        yield from self._voices.leave(frame.conn, self._giving_up.places(frame))
        for event in played.events:
            payload = Raw(msgspec.json.encode(event.data)) if played.restamped else self._recorded(frame)
            yield from self._voices.hear(("/", event.channel), frame, event, payload)

    def _recorded(self, frame: TapeFrame) -> Raw:
        assert frame.frame is not None
        return self._dialect.payload(frame.frame)

    async def _send(self, client: _Client, channel: str, payload: Raw) -> None:
        frame = client.session.publish(channel, payload)
        connection = client.connection
        if self._hold:
            try:
                await connection.send(frame)
            except ConnectionClosed:
                self._leave(client)
            return
        broadcast([connection], frame)
        if connection.transport.get_write_buffer_size() > BEHIND_LIMIT and not client.left:
            self._close_slow(client, f"is {BEHIND_LIMIT >> 20} MiB behind")

    def _close_slow(self, client: _Client, why: str) -> None:
        self._leave(client)
        self._tell(f"client {client.address} {why}; closed with 1008")
        task = asyncio.ensure_future(client.connection.close(1008, "too slow"))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _serve(self, connection: ServerConnection) -> None:
        try:
            await self._converse(connection)
        except WireError as error:
            await connection.close(1007, error.message.encode()[:120].decode(errors="ignore"))
        except ConnectionClosed:
            pass
        except Exception as error:  # ours: websockets would only log it
            if not self._failed.done():
                self._failed.set_exception(error)

    async def _converse(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        exists = self._contents.channels.__contains__
        client = _Client(connection, self._dialect.server(connection.request.path, exists))
        self._clients.add(client)
        try:
            await self._do(client, client.session.open())
            async for frame in connection:
                await self._do(client, client.session.receive(frame))
        finally:
            self._leave(client)
            self._clients.discard(client)

    async def _do(self, client: _Client, found: list[Asked | Reply]) -> None:
        for each in found:
            if client.left:
                return
            if isinstance(each, Reply):
                await client.connection.send(each.frame)
            elif each.subscribe:
                for channel in each.channels:
                    await self._join(client, channel)
            else:
                for channel in each.channels:
                    self._part(client, channel)

    async def _join(self, client: _Client, channel: str) -> None:
        """Let a client listen to a channel, once it has what was played since the latest whole state."""
        since: list[Raw] | None = None
        sent = 0
        while True:
            known = self._states.since(channel)
            if known is not since:  # another whole state came meanwhile, or too much
                if since is not None and known is None:
                    self._close_slow(client, f"fell more than {KEPT:,} messages behind while it caught up on {channel}")
                    return
                since, sent = known, 0
            if since is None or sent == len(since):
                break
            await client.connection.send(client.session.publish(channel, since[sent]))
            sent += 1
            if sent % _TURN == 0:
                await asyncio.sleep(0)
        if self._states.is_lost(channel):
            self._tell(
                f"client {client.address} asked for {channel} more than {KEPT:,} messages after its latest snapshot; "
                "it gets what follows"
            )
        if not client.left:
            self._listeners.setdefault(channel, {})[client] = None
            self._asked.set()

    def _is_heard(self) -> bool:
        """Whether somebody listens to something that is on the tape: exchanges take names of what does not exist."""
        return any(channel in self._contents.channels for channel in self._listeners)

    def _part(self, client: _Client, channel: str) -> None:
        listeners = self._listeners.get(channel, {})
        listeners.pop(client, None)
        if not listeners:
            self._listeners.pop(channel, None)

    def _leave(self, client: _Client) -> None:
        client.left = True
        for channel in [channel for channel, listeners in self._listeners.items() if client in listeners]:
            self._part(client, channel)

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """To plain HTTP, as far as it can be answered; WebSocket handshakes go on."""
        if "websocket" in map(str.lower, request.headers.get_all("Upgrade")):  # it may come twice, which is refused
            return None
        assert isinstance(connection, RawConnection)
        said = self._answers.answer(request.path, self._clock.now())
        response = answer(
            said.status, said.content_type, said.body if isinstance(said.body, bytes) else said.body.encode()
        )
        if connection.method == "HEAD":
            response.body = b""
        return response
