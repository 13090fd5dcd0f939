"""Tapes of the platform's feed, and how they are played in tests: record by record, or by a Player."""

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from tests.server.served import WebSocketPeer, joined
from tests.tape import tapes
from wsctl.clock import SystemClock
from wsctl.model.observation import Observation
from wsctl.server.app import MockFeed
from wsctl.server.endpoint import Endpoint
from wsctl.tape.contents import Contents, contents_of
from wsctl.tape.format import Header, TapeFrame, encode_frame, encode_header
from wsctl.tape.observing import Observing
from wsctl.tape.outputs.socketio_server import SocketIOServer
from wsctl.tape.player import Played
from wsctl.tape.reading import Reading
from wsctl.tape.recording import Recording, read_frames
from wsctl.tape.retelling import Retelling
from wsctl.tape.source import open_source
from wsctl.wire.dialect import Dialect

HEADER = Header(started_ns=1_763_870_000_000_000_000, dialect="socketio", url="http://127.0.0.1:3000")


def said(name: str, *args: Any, at_ms: int = 0, conn: str = "c1", namespace: str = "") -> TapeFrame:
    """An event that a server sent."""
    head = f"42{namespace}," if namespace else "42"
    return TapeFrame(at_ms * 1_000_000, conn, "in", head + json.dumps([name, *args], separators=(",", ":")))


def asked(name: str, *args: Any, at_ms: int = 0, conn: str = "c1") -> TapeFrame:
    """An event that a client sent."""
    return TapeFrame(at_ms * 1_000_000, conn, "out", "421" + json.dumps([name, *args]))


def price(seq: int, value: float = 0.0, symbol: str = "BTC/USDT", **more: Any) -> dict[str, Any]:
    """A ticker's payload."""
    channel = f"symbol:{symbol}:ticker"
    common = {"channel": channel, "seq": seq, "epoch": "e1", "timestamp": 1_763_870_000_000 + seq}
    return {"symbol": symbol, "price": value or 100.0 + seq, **common, **more}


def prices(first: int, last: int, **more: Any) -> list[TapeFrame]:
    """Prices of a ticker, one a millisecond."""
    return [said("price:update", price(seq), at_ms=seq, **more) for seq in range(first, last + 1)]


@contextmanager
def opened(path: Path) -> Iterator[Recording]:
    """As the player opens it."""
    with open_source(path) as source:
        yield read_frames(source)


def observations(path: Path) -> list[Observation]:
    """What is on a tape."""
    with opened(path) as recording:
        return list(Observing(recording, None))


def plays(
    frames: Sequence[TapeFrame], lap: int = 1, *, restamp: bool = False, dialect: Dialect | None = None
) -> list[Played]:
    """The records as a player would put them."""
    reading, retelling = Reading(dialect, HEADER), Retelling(dialect, restamp=restamp)
    told = ((frame, retelling.tell(reading.events(frame, "tape"), time.time(), lap)) for frame in frames)
    return [Played(frame, events, time.time(), lap, restamped=retelling.changes(lap)) for frame, events in told]


def contents(frames: Sequence[TapeFrame], dialect: Dialect | None = None) -> Contents:
    """What is found on a tape before it is played."""
    lines = b"".join([encode_header(HEADER), *map(encode_frame, frames)])
    return contents_of(read_frames(tapes.source(lines)), dialect)


class Serving(SocketIOServer):
    """A server, and what it told."""

    told: list[str]

    @property
    def platform(self) -> Endpoint:
        """As tests of the mock call it."""
        return self._endpoint

    async def play(self, frames: Sequence[TapeFrame], lap: int = 1, *, restamp: bool = False) -> None:
        """Put these records, one after the other."""
        for played in plays(frames, lap, restamp=restamp, dialect=self._dialect):
            await self.put(played)


@asynccontextmanager
async def served(
    held: Sequence[TapeFrame] | Contents, *, hold: bool = False, dialect: Dialect | None = None
) -> AsyncIterator[Serving]:
    """A tape's server on a free port; afterwards nothing of it may be left."""
    told: list[str] = []
    known = held if isinstance(held, Contents) else contents(held, dialect)
    server = Serving(dialect, known, host=None, port=0, hold=hold, clock=SystemClock(), tell=told.append)
    server.told = told
    async with server:
        yield server
    endpoint = server._endpoint
    assert not endpoint.connections
    assert not endpoint.departing
    assert not endpoint.sockets
    assert not endpoint._behind


async def record(
    path: Path, running: MockFeed, channels: Sequence[str], enough: Callable[[WebSocketPeer], bool]
) -> Path:
    """A tape of a mock feed, taken frame by frame off a WebSocket."""
    frames: list[TapeFrame] = []
    began = time.monotonic_ns()

    def keep(direction: Any, content: str | bytes | None = None) -> None:
        frames.append(TapeFrame(time.monotonic_ns() - began, "c1", direction, content))

    async with joined(running) as peer:
        take = peer.take

        def note(packet: str | bytes) -> None:
            keep("in", packet)
            take(packet)

        keep("open")
        peer.take = note  # type: ignore[method-assign]
        await peer.emit("channel:subscribe", list(channels))
        await peer.gather(lambda: enough(peer))
        keep("close")
    return tapes.write(path, frames, HEADER)
