"""WebSocketTarget: a recorded feed, frame by frame, as messages to a WebSocket."""

from wsctl.client.connection import OPEN_TIMEOUT
from wsctl.client.sender import SendingConnection
from wsctl.client.target import Target
from wsctl.tape.outputs.target import TargetOutput
from wsctl.tape.player import Played
from wsctl.wire.dialect import Dialect, ServerSession
from wsctl.wire.engineio import Frame


class WebSocketTarget(TargetOutput):
    """Sends each frame that a recorded server sent, to the byte unless it is told anew (restamped)."""

    def __init__(self, target: Target, dialect: Dialect) -> None:
        super().__init__(target.shown)
        self._dialect = dialect
        self._sessions: dict[str, ServerSession] = {}
        """by recorded connection: its URL may say how payloads are wrapped"""
        self._connection = SendingConnection(target, on_close=lambda reason: None)

    async def _connect(self) -> None:
        await self._connection.open(OPEN_TIMEOUT)

    async def put(self, played: Played) -> None:
        frame = played.frame
        if frame.direction == "open":
            self._sessions[frame.conn] = self._dialect.server(frame.url or "")
        for message in self._messages(played):
            await self._send(self._connection.send(message))

    def _messages(self, played: Played) -> list[Frame]:
        frame = played.frame
        if played.restamped and played.events:
            session = self._sessions.get(frame.conn) or self._dialect.server("")
            return [session.publish(event.channel or "", event.data) for event in played.events]
        return [frame.frame] if frame.direction == "in" and frame.frame is not None else []

    async def close(self) -> None:
        await self._connection.close()
