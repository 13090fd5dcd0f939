"""Dialling: which transport to try, and which to keep."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from wsctl.client.connection import OPEN_TIMEOUT, Connect, Connection, OnClose, OnEvent
from wsctl.client.tap import Tap
from wsctl.client.target import Target
from wsctl.errors import Unreachable
from wsctl.wire.dialect import Dialect
from wsctl.wire.dialects import spoken


class Dialler:
    """Opens one connection after another to a target.

    With transport `auto` WebSocket comes first; where something answered without becoming a WebSocket (a firewall,
    a proxy, a server without it), long-polling follows. The transport that joined first is kept from then on.
    """

    def __init__(
        self, target: Target, auth: Mapping[str, Any], connect: Connect | None = None, tap: Tap | None = None
    ) -> None:
        self._target = target
        self._auth = auth
        dialect = spoken(target.dialect)
        raw = dialect if dialect is not None and dialect.over == "websocket" else None
        self._connect = connect or _connector(raw, tap)
        self._kept: str | None = None if target.transport == "auto" else target.transport
        if raw is not None or tap is not None:  # only WebSocket has frames, to be spoken in or to be seen
            self._kept = self._kept or "websocket"

    async def open(
        self,
        on_event: OnEvent,
        on_close: OnClose,
        *,
        timeout: float = OPEN_TIMEOUT,  # noqa: ASYNC109
    ) -> tuple[Connection, str | None]:
        """A joined connection, and a note for people when it is not over the transport one would expect.

        `timeout` (seconds) is for all of it. Raises Unreachable, Refused or UsageError.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        if self._kept is not None:
            return await self._try(self._kept, on_event, on_close, timeout), None
        note = None
        try:
            connection = await self._try("websocket", on_event, on_close, timeout, handshake=timeout / 2)
        except Unreachable as error:
            left = deadline - asyncio.get_running_loop().time()
            if not error.answered or left <= 0:
                raise
            connection = await self._try("polling", on_event, on_close, left)
            note = f"no WebSocket, so long-polling: {error.message}"
        self._kept = connection.transport
        return connection, note

    async def _try(
        self, transport: str, on_event: OnEvent, on_close: OnClose, within: float, handshake: float | None = None
    ) -> Connection:
        connection = self._connect(self._target, self._auth, transport, on_event=on_event, on_close=on_close)
        await connection.open(within, handshake)
        return connection


def _connector(raw: Dialect | None, tap: Tap | None) -> Connect:
    """For a raw dialect, frames; else python-socketio's client, or our own sessions where frames are to be seen."""
    # heavy imports, needed only where something is dialled
    if raw is not None:
        return partial(_connect_raw, raw, tap)
    if tap is not None:
        from wsctl.client.framed import FramedConnection

        return partial(FramedConnection, tap=tap)
    from wsctl.client.sio import SocketIOConnection

    return SocketIOConnection


def _connect_raw(
    dialect: Dialect,
    tap: Tap | None,
    target: Target,
    auth: Mapping[str, Any],
    transport: str,
    *,
    on_event: OnEvent,
    on_close: OnClose,
) -> Connection:
    """Nobody is asked who he is: credentials are headers, or in the dialect's frames."""
    from wsctl.client.raw import RawConnection

    return RawConnection(target, transport, dialect=dialect, on_event=on_event, on_close=on_close, tap=tap)
