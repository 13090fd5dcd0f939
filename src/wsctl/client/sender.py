"""A WebSocket to send to: what the peer says is read, and of no interest."""

from typing import ClassVar

from wsctl.client.connection import OnClose
from wsctl.client.speech import PING_EVERY, raw_speech
from wsctl.client.tap import Frame
from wsctl.client.target import Target
from wsctl.client.websocket import WebSocketConnection


class SendingConnection(WebSocketConnection):
    """Opened and closed as a Connection is (see `wsctl.client.connection`)."""

    ping_every: ClassVar[float | None] = PING_EVERY

    def __init__(self, target: Target, *, on_close: OnClose) -> None:
        super().__init__(target, "websocket", on_close=on_close, tap=None, speech=raw_speech("WebSocket"))

    @property
    def _url(self) -> str:
        return self._target.websocket_url

    async def _join(self) -> None:
        """There is nothing to join."""

    async def _take(self, frame: Frame) -> None:
        """Let go of it."""

    async def send(self, frame: Frame) -> None:
        """Send a message; returns once it is written. Raises Lost."""
        await self._write(frame)
