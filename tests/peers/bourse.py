"""A Socket.IO feed that nobody foresaw, on python-socketio: events of its own, described by a dialect's file."""

from collections.abc import Sequence
from typing import Any

from tests.peers.background import Background
from tests.peers.stranger import Stranger

DIALECT = """\
name: bourse
over: socketio
subscribe:
  - {channels: "ticks.{pair}", frame: [listen, {pairs: ["{pair}"]}, 2]}
  - {channels: "book.{pair}", frame: [open book, "{pair}"]}
message: {channel: "{topic}", seq: meta.n, time: meta.at, time_unit: ms, price: px, scheme: counter}
channels: [{match: "book.{pair}", scheme: monotonic}]
feeds: {ticker: "ticks.{base}{quote}"}
"""
NO = {"ok": False, "code": "unknown", "message": "no such pair"}


def tick(number: int, pair: str = "BTCUSDT", **more: Any) -> dict[str, Any]:
    """A numbered price."""
    return {"topic": f"ticks.{pair}", "px": "100.5", "meta": {"n": number, "at": 1_700_000_000_000}, **more}


class Bourse(Stranger):
    """Greets whoever comes; who listens is sent, in turn, the events of one more round, and disconnected in between.

    Pairs but BTCUSDT are refused.
    """

    def __init__(self, background: Background, rounds: Sequence[Sequence[tuple[str, Any]]]) -> None:
        super().__init__(background)
        self.asked: list[tuple[str, tuple[Any, ...]]] = []
        self._rounds = list(rounds)

    def _listen(self) -> None:
        self._server.on("connect", self._greet)
        self._server.on("listen", self._listen_to)
        self._server.on("open book", self._open_book)

    async def _greet(self, sid: str, environ: Any, auth: Any) -> None:
        await self._server.emit("welcome", {"hello": 1}, to=sid)

    async def _listen_to(self, sid: str, *args: Any) -> Any:
        self.asked.append(("listen", args))
        if "BTCUSDT" not in args[0]["pairs"]:
            return NO
        self._server.start_background_task(self._play, sid, self._rounds.pop(0) if self._rounds else ())
        return {"ok": True}

    async def _open_book(self, sid: str, *args: Any) -> Any:
        self.asked.append(("open book", args))
        return {"ok": True}

    async def _play(self, sid: str, events: Sequence[tuple[str, Any]]) -> None:
        for name, payload in events:
            await self._server.emit(name, payload, to=sid)
        if self._rounds:
            await self._server.disconnect(sid)
