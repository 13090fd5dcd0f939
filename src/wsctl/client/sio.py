"""One Socket.IO connection on python-socketio's client: the door through which its exceptions are translated."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import engineio
import engineio.base_client
import engineio.payload
import socketio

from wsctl.client import causes
from wsctl.client.connection import OnClose, OnEvent
from wsctl.client.emitting import Emitting
from wsctl.client.losses import AckTimeout, Lost
from wsctl.client.net import SharedSession, open_session
from wsctl.client.target import Target
from wsctl.errors import UsageError
from wsctl.spec.units import format_duration

CLOSE_TIMEOUT = 1.0
"""seconds for a polite good-bye"""

MAX_MESSAGE = 64 * 1024 * 1024
"""bytes of one WebSocket message; a larger one ends the connection with 1009"""

# A poll answer of more than 16 packets would end the connection; servers that never saw this client send more.
engineio.payload.Payload.max_decode_packets = 100_000

# The library's own default writes to stderr in the middle of a table; what matters reaches us as exceptions.
_log = logging.getLogger("wsctl.client.socketio")
_log.addHandler(logging.NullHandler())

_DISCONNECT = "1"


class SocketIOConnection(Emitting):
    """A Connection (see `wsctl.client.connection`) on a client object of its own, never used twice.

    Handlers are plain functions: the library starts a task per message, and tasks that never wait end in the
    order they were started.
    """

    def __init__(
        self, target: Target, auth: Mapping[str, Any], transport: str, *, on_event: OnEvent, on_close: OnClose
    ) -> None:
        self.transport = transport
        self._target = target
        self._auth = dict(auth)
        self._on_event = on_event
        self._on_close = on_close
        loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = loop.create_future()
        """the transport is up: Engine.IO's open packet came"""
        self._ended: asyncio.Future[str] = loop.create_future()
        """with the reason; acknowledgements stop waiting on it"""
        self._joined = False
        self._closing = False
        self._refusal: tuple[Any, ...] | None = None
        self._trail = causes.Trail()
        self._session: aiohttp.ClientSession | None = None
        self._client: Any = None
        self._tasks: set[asyncio.Task[Any]] = set()
        """ours and the library's, so that none outlives close()"""

    async def open(self, timeout: float, handshake: float | None = None) -> None:  # noqa: ASYNC109
        """Connect and join; see Connection.open."""
        _check_url(self._target)
        try:
            async with asyncio.timeout(timeout):
                self._session = await open_session(self._target, self._trail)
                self._client = self._make_client(self._session, timeout)
                await self._connect(timeout, timeout if handshake is None else min(handshake, timeout))
        except TimeoutError as error:
            await self._abort()
            raise self._timed_out(timeout) from error
        except BaseException:
            await self._abort()
            raise
        # Scheduled, not called: tasks of messages that came before the end run first.
        self._ended.add_done_callback(self._tell_end)

    async def emit(self, event: str, *args: Any, timeout: float) -> list[Any]:  # noqa: ASYNC109
        """Send and await the acknowledgement; see Emitting.emit."""
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

        def acknowledge(*values: Any) -> None:
            if not answer.done():
                answer.set_result(list(values))

        await self._emit(event, args, acknowledge)
        await _first(answer, self._ended, within=timeout)
        if answer.done():
            return answer.result()
        answer.cancel()
        if self._ended.done():
            raise Lost(self._ended.result())
        raise AckTimeout(f"{event} was not acknowledged within {format_duration(timeout)}")

    async def send(self, event: str, *args: Any) -> None:
        """Send without asking for an acknowledgement; see Emitting.send."""
        await self._emit(event, args, None)
        written = asyncio.create_task(self._client.eio.queue.join())  # the library's, which knows no bound
        try:
            await _first(written, self._ended)
        finally:
            written.cancel()
        if self._ended.done():
            raise Lost(self._ended.result())

    async def close(self) -> None:
        """Leave politely if that is quick, and anyway; see Connection.close."""
        self._closing = True
        self._end("closed by us")
        try:
            if self._client is not None:
                await self._say_goodbye(self._client)
        finally:
            await self._abort()

    async def _say_goodbye(self, client: Any) -> None:
        leaving = asyncio.create_task(client.disconnect())
        self._tasks.add(leaving)
        writing = client.eio.write_loop_task
        # Some servers let a pending poll wait on after the good-bye was written; the library would wait with it.
        enough = [leaving, writing] if self.transport == "polling" and writing is not None else [leaving]
        await _first(*enough, within=CLOSE_TIMEOUT)

    def _make_client(self, session: aiohttp.ClientSession, timeout: float) -> Any:
        client = socketio.AsyncClient(
            reconnection=False,
            handle_sigint=False,
            logger=_log,
            engineio_logger=_log,
            request_timeout=timeout,
            http_session=SharedSession(session),
            websocket_extra_options={"max_msg_size": MAX_MESSAGE},
        )
        namespace = self._target.namespace
        # No handler for `disconnect`: a server may send an event of that name. The ends are seen below.
        client.on("*", self._receive, namespace=namespace)
        client.on("connect", self._note_join, namespace=namespace)
        client.on("connect_error", self._note_refusal, namespace=namespace)
        handlers = client.eio.handlers
        handle_open, handle_message, handle_end = (handlers[name] for name in ("connect", "message", "disconnect"))

        async def on_open() -> None:
            if not self._opened.done():
                self._opened.set_result(None)
            await handle_open()

        async def on_message(data: Any) -> None:
            await self._handle(handle_message, data)

        async def on_end(reason: str) -> None:
            self._end(self._describe_end(client.eio, reason))
            await handle_end(reason)

        client.eio.on("connect", on_open)
        client.eio.on("message", on_message)
        client.eio.on("disconnect", on_end)
        return client

    async def _connect(self, within: float, handshake: float) -> None:
        """Run the library's connect, watching for what it does not notice: a peer that ends or stays silent."""
        connecting = asyncio.create_task(self._run_connect(within))
        self._tasks.add(connecting)
        await _first(connecting, self._opened, within=handshake)
        if not connecting.done() and not self._opened.done():
            raise self._timed_out(handshake)
        await _first(connecting, self._ended)
        if not connecting.done() and not self._joined:
            raise self._failed(None)
        try:
            await connecting
        except Exception as error:
            raise self._failed(error) from error

    async def _run_connect(self, within: float) -> None:
        await self._client.connect(
            self._target.url,
            auth=self._auth,
            transports=[self.transport],
            namespaces=[self._target.namespace],
            socketio_path=self._target.path,
            wait_timeout=within,
        )

    def _failed(self, error: BaseException | None) -> Exception:
        """Why connecting did not end in a joined namespace."""
        if self._refusal is not None:
            return causes.refused(self._target, self._refusal[0] if self._refusal else None)
        if self._ended.done():
            return causes.ended_early(self._target, self._ended.result())
        if error is None or self._opened.done():
            return causes.ended_early(self._target, str(error))
        return causes.handshake_failed(self._target, self._trail, error, polling=self.transport == "polling")

    def _timed_out(self, seconds: float) -> Exception:
        return causes.timed_out(
            self._target, self._trail, seconds, transport=self.transport, opened=self._opened.done()
        )

    async def _handle(self, handle: Callable[[Any], Any], data: Any) -> None:
        """One Socket.IO packet, in the library's task for it."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        # Noted first: the library ignores a DISCONNECT that comes before its connect() returned.
        if isinstance(data, str) and data[:1] == _DISCONNECT:
            self._end("disconnected by the server")
        try:
            await handle(data)
        except Exception as error:
            self._end(f"it sent a packet that is not Socket.IO: {type(error).__name__}")
        finally:
            self._tasks.discard(task)

    def _receive(self, name: Any, *args: Any) -> None:
        if isinstance(name, str):
            self._on_event(name, args)
        else:  # the library takes whatever stands there
            self._end("it sent a packet that is not Socket.IO: an event without a name")

    def _note_join(self, *args: Any) -> None:  # a server may send an event of that name, too
        self._joined = True

    def _note_refusal(self, *args: Any) -> None:
        if self._opened.done() and not self._joined:  # the library also calls this for a failed handshake
            self._refusal = args

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    def _tell_end(self, ended: asyncio.Future[str]) -> None:
        if not self._closing:
            self._on_close(ended.result())

    def _describe_end(self, eio: Any, reason: str) -> str:
        """Why the transport ended, from what the library leaves behind."""
        if reason == eio.reason.SERVER_DISCONNECT:
            return "closed by the server"
        if self.transport == "polling":
            response = self._trail.response
            failed = response is not None and response.status >= 300
            return f"a poll was answered with {response.status}" if failed and response else "a poll failed"
        if eio.ws is None or not eio.ws.closed:
            silence = (eio.ping_interval or 0) + (eio.ping_timeout or 0)
            return f"nothing received for {format_duration(silence)}, not even a ping"
        code = eio.ws.close_code
        return "connection lost" if code in (None, 1006) else f"closed by the server with code {code}"

    async def _emit(self, event: str, args: tuple[Any, ...], callback: Callable[..., None] | None) -> None:
        if self._ended.done():
            raise Lost(self._ended.result())
        try:
            # a tuple is sent as several arguments, whatever they are
            await self._client.emit(event, args, namespace=self._target.namespace, callback=callback)
        except socketio.exceptions.SocketIOError as error:
            raise Lost("the connection ended") from error

    async def _abort(self) -> None:
        """Stop every task and close every socket, without a word to the peer."""
        self._closing = True
        client, self._client = self._client, None
        tasks = set(self._tasks)
        if client is not None:
            eio = client.eio
            eio.state = "disconnected"  # its loops look here, and Python 3.11's wait_for can lose a cancellation
            tasks |= {task for task in (eio.read_loop_task, eio.write_loop_task) if task is not None}
            with suppress(ValueError):
                engineio.base_client.connected_clients.remove(eio)
        for task in tasks:
            task.cancel()
        try:
            # Sockets before tasks: closing aborts those in use at once, where a cancelled request would begin TLS's
            # good-bye and leave it to nobody.
            if self._session is not None:
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self._session.close()
        except TimeoutError:
            pass
        finally:
            await asyncio.gather(*tasks, return_exceptions=True)
            self._trail.close()
            if client is not None:
                client.eio.http = None  # or its finaliser would close it once more, outside the loop


async def _first(*futures: asyncio.Future[Any], within: float | None = None) -> None:
    """Wait until one of the futures is done, or for some seconds."""
    await asyncio.wait(futures, timeout=within, return_when=asyncio.FIRST_COMPLETED)


def _check_url(target: Target) -> None:
    path = urlsplit(target.url).path
    if path.strip("/") in ("", target.path.strip("/")):
        return
    hint = f"--namespace {path} joins a namespace; --path {path} says where the server listens"
    if target.url.startswith("ws"):
        hint = f"--dialect says how a raw WebSocket feed is spoken to; {hint}"
    raise UsageError(f"{target.shown} has a path, which Socket.IO does not know what to do with", hint=hint)
