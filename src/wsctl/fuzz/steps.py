"""Steps: what a case does to the other side, as data. Probes are made of them, generated cases and their files too.

Texts of a query, header or message may hold `{sid}`: the session that `Open` or `Upgrade` was given. Those of `Raw` may
hold `{target}` and `{host}` as well: what a request line asks for, and whom, to become a WebSocket there. Those of
`Say` may hold `{nsp}`: the target's namespace as packets have it, with its comma, or nothing where that is `/`.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Headers = tuple[tuple[str, str], ...]

MAX_CONNECTIONS = 1000
"""of one case"""
FRAME_HEAD = 6
"""bytes of a frame's head, at least: a client's"""
Times = Annotated[int, Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, Meta(ge=0, le=3600)]

BEYOND = -1
"""as `times`: as many as a message may have bytes by the target's OPEN packet, so that with more it has too many"""


class Run(Struct, frozen=True, omit_defaults=True):
    """A text (UTF-8) or bytes, so many times over."""

    text: str = ""
    raw: bytes = b""
    """used where there is no text"""
    times: Annotated[int, Meta(ge=BEYOND, le=1 << 40)] = 1

    def expand(self) -> bytes:
        """As bytes."""
        return (self.text.encode("utf-8", "surrogatepass") or self.raw) * self.times


Data = tuple[Run, ...]
"""Bytes that are written down short however long they are."""

Part = str | bytes | tuple[str | bytes, int]


def data(*parts: Part) -> Data:
    """`data("42", ("[", 100_000))` is 42 and a hundred thousand brackets."""
    return tuple(_run(part) for part in parts)


def _run(part: Part) -> Run:
    unit, times = part if isinstance(part, tuple) else (part, 1)
    return Run(text=unit, times=times) if isinstance(unit, str) else Run(raw=unit, times=times)


def expand(content: Data) -> bytes:
    """As bytes."""
    return b"".join(run.expand() for run in content)


class Step(Struct, frozen=True, tag_field="do", tag=str.lower):
    """One thing to do. It dials, where it needs a connection and there is none."""


# HTTP


class Request(Step, frozen=True, kw_only=True, omit_defaults=True):
    """A request on a connection of its own, and its answer."""

    method: str = "GET"
    path: str | None = None
    """None: the target's"""
    query: str = ""
    headers: Headers = ()
    body: Data | None = None
    chunked: bool = False
    """send the body in chunks, its length untold"""
    complete: bool = True
    """False: more is to come of the body, and never does"""
    wait: bool = True
    """for the answer; False: it is looked at in the end"""
    times: Times = 1
    """at once"""


class Raw(Step, frozen=True, kw_only=True, omit_defaults=True):
    """Bytes as they are onto the connection, before any handshake or after."""

    data: Data
    times: Times = 1
    every: Seconds = 0.0
    """seconds between two of `times`"""


# WebSocket


class Upgrade(Step, frozen=True, kw_only=True, omit_defaults=True):
    """An opening handshake; what follows is spoken in frames. One that is refused ends the case, unless it may be."""

    query: str | None = None
    """None: the target's own, of a WebSocket"""
    headers: Headers = ()
    leading: bool = False
    """the headers stand before those of the handshake, not behind"""
    tail: Data = ()
    """in the same write"""
    compressed: bool = False
    """offer permessage-deflate; without it the case proves nothing"""
    beside: bool = False
    """the connection that there is stays open"""
    optional: bool = False
    """where it is not answered with 101, it was a request like others, and what follows dials anew"""


class Answer(Step, frozen=True, kw_only=True, omit_defaults=True):
    """A server's answer to a client's opening handshake, unlike the usual one. It comes first, if at all."""

    headers: Headers = ()
    leading: bool = False
    """the headers stand before those of the handshake, not behind"""
    tail: Data = ()
    """in the same write"""
    without: tuple[str, ...] = ()
    """headers of the usual answer that are left out, in small letters"""


class Frame(Step, frozen=True, kw_only=True, omit_defaults=True):
    """One frame, lawful or not (RFC 6455, section 5.2)."""

    opcode: Annotated[int, Meta(ge=0, le=15)] = 1
    data: Data = ()
    fin: bool = True
    rsv: Annotated[int, Meta(ge=0, le=7)] = 0
    """three bits; RSV1 is 4"""
    masked: bool | None = None
    """None: as it is right for the side that sends"""
    length: int | None = None
    """that the head claims; None: the true one"""
    wide: bool = False
    """write the length in eight bytes, however small"""
    deflated: bool = False
    """compress the data (RFC 7692); `rsv` is to say so"""
    times: Times = 1

    def __post_init__(self) -> None:
        """Raises ValueError for a length that eight bytes do not hold, which is beyond msgspec's own bounds."""
        if self.length is not None and not 0 <= self.length < 1 << 64:
            raise ValueError(f"a frame's length is {self.length:,}; expected 0 to 2^64 - 1")


class Cut(Step, frozen=True, kw_only=True, omit_defaults=True):
    """End the connection; what follows dials anew."""

    how: Literal["close", "fin", "rst"] = "close"
    after: Seconds = 0.0
    """seconds, of `rst`: the other side may end it first, and is answered by the reset"""


class Wait(Step, frozen=True, kw_only=True, omit_defaults=True):
    """Until the connection ends, at most so many seconds; what comes meanwhile is answered as a client would."""

    seconds: Annotated[float, Meta(le=3600)]
    """negative: as long as the server may take to miss a heartbeat, by its own OPEN packet"""
    answers: bool = True
    """False: not even heartbeats are answered"""


class Await(Step, frozen=True, kw_only=True, omit_defaults=True):
    """Wait for a message that begins so; without it the case proves nothing."""

    prefix: str
    seconds: Seconds = 5.0


# Engine.IO and Socket.IO


class Open(Step, frozen=True, kw_only=True, omit_defaults=True):
    """Begin an Engine.IO session."""

    carrier: Literal["websocket", "polling"] = "websocket"


class Join(Step, frozen=True, kw_only=True, omit_defaults=True):
    """Join a Socket.IO namespace, in a session that is opened where there is none."""

    namespace: str | None = None
    """None: the target's"""
    auth: dict[str, Any] | None = None
    """None: the target's"""


class Say(Step, frozen=True, kw_only=True, omit_defaults=True):
    """A message of the session, over whatever carries it: Engine.IO's text, or binary."""

    data: Data
    binary: bool = False
    times: Times = 1


Steps = tuple[Request | Raw | Upgrade | Answer | Frame | Cut | Wait | Await | Open | Join | Say, ...]

Ask = Literal["session", "ping", "both"]


class Case(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is done to the other side in one go."""

    steps: Annotated[Steps, Meta(min_length=1, max_length=1000)]
    name: str = ""
    at_once: Annotated[int, Meta(ge=1, le=MAX_CONNECTIONS)] = 1
    """so many of them side by side"""
    ask: Ask = "session"
    """how to ask afterwards whether it lives: in its own words where there are any, or by WebSocket ping only; both: by
    ping, then in words, and who has no answer to those waits for more of what was begun, and counts as silent"""

    def __post_init__(self) -> None:
        """Raises ValueError for more connections than this machine should open."""
        each = 1 + sum(
            step.times if isinstance(step, Request) else isinstance(step, Upgrade | Cut) for step in self.steps
        )
        if self.at_once * each > MAX_CONNECTIONS:
            raise ValueError(f"a case makes {self.at_once * each:,} connections; expected {MAX_CONNECTIONS:,} at most")


def size(case: Case) -> int:
    """Bytes that it sends, those aside that every client of the target sends."""
    return case.at_once * sum(_size(step) for step in case.steps)


def _size(step: Step) -> int:
    match step:
        case Request(times=times, body=content):
            line = len(step.method) + len(step.path or "") + len(step.query)
            return times * (line + _headers(step.headers) + _content(content or ()))
        case Raw(data=content, times=times) | Say(data=content, times=times):
            return times * _content(content)
        case Frame(data=content, times=times):
            return times * (FRAME_HEAD + _content(content))
        case Upgrade(query=query):
            return len(query or "") + _headers(step.headers) + _content(step.tail)
        case Answer(headers=headers, tail=content):
            return _headers(headers) + _content(content)
    return 0


def _headers(headers: Headers) -> int:
    return sum(len(f"{name}: {value}\r\n".encode("utf-8", "surrogateescape")) for name, value in headers)


def _content(content: Data) -> int:
    return sum(map(length, content))


def length(run: Run) -> int:
    """Bytes of it; one that goes beyond a limit has those of its target."""
    return len(run.text.encode("utf-8", "surrogatepass") or run.raw) * max(run.times, 0)
