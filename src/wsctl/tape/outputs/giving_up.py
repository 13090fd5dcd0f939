"""Giving up: which channels recorded clients asked no more for, by what they sent."""

from collections.abc import Mapping, Sequence
from typing import Any

from wsctl.errors import WireError
from wsctl.server.auth import User
from wsctl.tape.contents import Place
from wsctl.tape.format import TapeFrame
from wsctl.tape.outputs.emissions import Emission
from wsctl.tape.outputs.socketio_requests import ANYBODY, Room, Serve
from wsctl.wire.dialect import Asked, Dialect, ServerSession


class RawGivingUp:
    """Over a raw WebSocket: the exchange's side of each recorded connection."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._sessions: dict[str, ServerSession] = {}

    def places(self, frame: TapeFrame) -> list[Place]:
        """Those that a record gives up; to be given every record."""
        if frame.direction == "open":
            self._sessions[frame.conn] = self._dialect.server(frame.url or "")
            self._sessions[frame.conn].open()
        if frame.direction != "out" or frame.frame is None:
            return []
        session = self._sessions.get(frame.conn)
        if session is None:  # a tape that begins in the middle of a connection
            session = self._sessions[frame.conn] = self._dialect.server("")
        try:
            found = session.receive(frame.frame)
        except WireError:
            return []  # nonsense of a recorded client, at which nobody stopped sending
        asked = [each for each in found if isinstance(each, Asked)]
        return [("/", channel) for each in asked if not each.subscribe for channel in each.channels]


class SocketIOGivingUp:
    """Over Socket.IO: the requests of each recorded client, by what serves its namespace."""

    def __init__(self, rooms: Mapping[str, Room]) -> None:
        self._rooms = rooms
        self._clients: dict[tuple[str, str], _Recorded] = {}

    def places(self, frame: TapeFrame, emission: Emission | None) -> Sequence[Place]:
        """Those that an event of a client gives up; to be given every record."""
        if frame.direction == "open":
            self._clients = {key: client for key, client in self._clients.items() if key[0] != frame.conn}
        if frame.direction != "out" or emission is None or emission.namespace not in self._rooms:
            return []
        key = frame.conn, emission.namespace
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = _Recorded(self._rooms[emission.namespace])
        client.serve(emission.name, emission.arguments, acknowledged=True)
        given_up, client.given_up = client.given_up, []
        return [(emission.namespace, channel) for channel in given_up]


class _Recorded:
    """What requests need of a client, where nothing is sent to it."""

    def __init__(self, room: Room) -> None:
        self.user: User | None = ANYBODY
        self.channels: dict[str, None] = {}
        self.given_up: list[str] = []
        self.serve: Serve = room(self)

    def subscribe(self, channel: str) -> None:
        self.channels[channel] = None

    def unsubscribe(self, channel: str) -> None:
        self.channels.pop(channel, None)
        self.given_up.append(channel)

    def send_event(self, name: str, payload: Any) -> None:
        """It has what it was sent."""
