"""What clients of Engine.IO say and hear by long-polling, as frames of one connection per session.

A session begins with a handshake, and may go on over a WebSocket: that belongs to the same connection. Its end has a
close code there; by polling there is none.
"""

import asyncio
import sys
from typing import Final, Protocol
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from wsctl.errors import WireError
from wsctl.tape.deck import Deck, Headers
from wsctl.wire import engineio

_UPGRADE: Final = engineio.encode(engineio.Packet(engineio.UPGRADE))


class Asked(Struct, frozen=True):
    """A client's request, as it goes on to the server."""

    method: str
    url: str
    headers: Headers
    path: str
    """without secrets, for people"""
    client: str
    """its address"""


class Register(Protocol):
    """Where connections come and go: they are numbered, go on tape, and are told of."""

    deck: Deck

    def opened(self, asked: Asked) -> str:
        """A connection is up. Answers its name."""

    def closed(self, conn: str, code: int | None, reason: str) -> None:
        """It is over; None: without a close code."""

    def tell(self, text: str) -> None:
        """Something that people should know."""


class Session:
    """One session of a client, as long as it lasts: by polling, then maybe over a WebSocket.

    Without any request for `patience` seconds it is over: the client has left without a word.
    """

    def __init__(self, asked: Asked, register: Register, patience: float) -> None:
        self.conn = register.opened(asked)
        self.open = True
        self._register = register
        self._patience = patience
        self._under_way = 0
        self._over = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """A request, or a WebSocket."""
        self._under_way += 1
        self._stop_timer()

    def leave(self, *, over: bool = False) -> None:
        """One is answered. `over`: the session ends as soon as all are."""
        self._under_way -= 1
        self._over = self._over or over
        if self.open and not self._under_way:
            if self._over:
                self.end()
            else:
                self._timer = asyncio.get_running_loop().call_later(self._patience, self.end)

    def send(self, frame: engineio.Frame) -> None:
        """The client said something."""
        if self.open:
            self._register.deck.send(self.conn, frame)

    def receive(self, frame: engineio.Frame) -> None:
        """The server said something."""
        if self.open:
            self._register.deck.receive(self.conn, frame)

    def end(self, code: int | None = None, reason: str = "") -> None:
        """It is over. Later calls change nothing."""
        if self.open:
            self.open = False
            self._stop_timer()
            self._register.closed(self.conn, code, reason)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Candidate:
    """A WebSocket that takes a session over, once the client says so; the probe before that is on tape, too."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._taken = False
        session.begin()

    def send(self, frame: engineio.Frame) -> None:
        """The client said something."""
        self._taken = self._taken or frame == _UPGRADE
        self._session.send(frame)

    def receive(self, frame: engineio.Frame) -> None:
        """The server said something."""
        self._session.receive(frame)

    def end(self, code: int, reason: str) -> None:
        """It is closed: the session's end, or a probe that failed."""
        if self._taken:
            self._session.end(code, reason)
        self._session.leave()


class Polls:
    """All sessions of clients that poll."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._sessions: dict[str, Session] = {}
        self._told: set[str] = set()

    def candidate(self, url: str) -> Candidate | None:
        """A WebSocket's part in the session that its URL names."""
        session = self.find(url)
        return None if session is None else Candidate(session)

    def find(self, url: str) -> Session | None:
        """The session that a URL names, if it lasts."""
        session = self._sessions.get(_parameter(url, "sid"))
        return session if session is not None and session.open else None

    def request(self, asked: Asked) -> "Poll | None":
        """What a request says, if it is a poll; None for any other."""
        if _parameter(asked.url, "transport") != "polling" or not (version := _parameter(asked.url, "EIO")):
            return None
        if version != engineio.PROTOCOL:
            self.cannot_judge(f"Engine.IO {version}; expected {engineio.PROTOCOL}")
            return None
        return Poll(self, asked)

    def begin(self, handshake: engineio.Handshake, asked: Asked) -> Session:
        """A server let a client in."""
        self._sessions = {sid: session for sid, session in self._sessions.items() if session.open}
        patience = (handshake.ping_interval + handshake.ping_timeout) / 1000
        session = self._sessions[handshake.sid] = Session(asked, self._register, patience)
        return session

    def cannot_judge(self, why: str) -> None:
        """Say, once, that something polled is no frame on the tape."""
        if why not in self._told:
            self._told.add(why)
            self._register.tell(f"long-polling that cannot be read is passed on, and cannot be judged: {why}")

    def close(self) -> None:
        """Recording ends."""
        for session in self._sessions.values():
            session.end(reason="recording ends")


class Poll:
    """One request of a client that polls: `said`, `heard`, and `end`, whatever became of it."""

    def __init__(self, polls: Polls, asked: Asked) -> None:
        self._polls = polls
        self._asked = asked
        self._method = asked.method
        self._answered = False
        self._over = False
        self._session = polls.find(asked.url)
        if self._session is not None:
            self._session.begin()

    def said(self, body: bytes | None) -> None:
        """The request's whole body; None where it is too long."""
        if self._method == "POST" and self._session is not None:
            for packet in self._packets(body, engineio.MAX_PACKETS_RECEIVED):
                self._session.send(engineio.encode(packet))
                self._over = self._over or packet.type is engineio.CLOSE

    def heard(self, status: int, body: bytes | None) -> bool:
        """The whole answer. Answers whether it says no more than the frames that are on tape now."""
        self._answered = True
        self._over = self._over or self._method == "DELETE" or (status >= 400 and self._method in ("GET", "POST"))
        if status != 200 or self._method not in ("GET", "POST"):
            return False
        if self._method == "POST":
            return self._session is not None
        packets = self._packets(body, sys.maxsize)
        if packets and self._session is None:
            self._session = self._open(packets[0])
        if self._session is None:
            return False
        for packet in packets:
            self._session.receive(engineio.encode(packet))
            self._over = self._over or packet.type is engineio.CLOSE
        return bool(packets)

    def end(self) -> None:
        """It is answered, or never will be: then the session is over, too, as no client goes on with it."""
        if self._session is not None:
            self._session.leave(over=self._over or not self._answered)

    def _open(self, packet: engineio.Packet) -> Session | None:
        """A session, where the first packet is a handshake."""
        try:
            opened = engineio.ClientSession().receive(packet)
        except WireError as error:
            self._polls.cannot_judge(error.message)
            return None
        assert isinstance(opened, engineio.Opened), "a client's session begins with nothing else"
        session = self._polls.begin(opened.handshake, self._asked)
        session.begin()
        return session

    def _packets(self, body: bytes | None, limit: int) -> list[engineio.Packet]:
        """Of a whole body; none, and it is said, where they cannot be read."""
        try:
            if body is None:
                raise WireError("a body is too long for a tape")
            return engineio.decode_payload(body.decode(), limit)
        except UnicodeDecodeError:
            self._polls.cannot_judge("a body is not UTF-8")
        except WireError as error:
            self._polls.cannot_judge(error.message)
        return []


def _parameter(url: str, name: str) -> str:
    """A URL's first parameter of a name; empty where there is none."""
    return parse_qs(urlsplit(url).query).get(name, [""])[0]
