"""What a shard and who drives it say to each other: one JSON object a line.

The first line to the shard is its ShardOptions; the end of the input ends it at once. What it is asked with a `call`
it answers in Heard, some of a moment's answers at a time; what it counted it tells once a second, and when asked.
"""

import json
from typing import Any, Final

import msgspec
from msgspec import Struct

from wsctl.client.subscription import ACK_TIMEOUT, Subscription
from wsctl.client.target import Reconnect, Target
from wsctl.swarm.delta import Delta

ON_THE_WAY: Final = 1.0
"""seconds that a connection may take to come up, or to be served, before it counts as missing"""


class ShardOptions(Struct, frozen=True, kw_only=True):
    """Where all clients of a shard connect, and how. Times in seconds."""

    target: Target
    reconnect: Reconnect = Reconnect()
    connect_rate: float = 500.0
    """clients that set out per second; 0: as fast as the target takes them"""
    addresses: tuple[str, ...] = ()
    """source addresses, in turn: each has some 28,000 ports; none: the system's choice"""
    seed: int | None = None
    """of the spread of attempts"""


class _Message(Struct, frozen=True, kw_only=True, tag=True):
    pass


class Enter(_Message, frozen=True, kw_only=True):
    """A client is to connect; `Heard.entered` or `.failed` follows."""

    user: int
    """its number; never used again"""
    token: str | None = None
    auth: dict[str, Any] = {}
    """further keys of the handshake auth"""
    subscriptions: tuple[Subscription, ...] = ()


class Subscribe(_Message, frozen=True, kw_only=True):
    """Ask for more."""

    user: int
    call: int
    subscription: Subscription
    within: float = ACK_TIMEOUT
    """seconds that an answer is waited for; so it is with the next two"""


class Unsubscribe(_Message, frozen=True, kw_only=True):
    """Give channels up."""

    user: int
    call: int
    subscription: Subscription
    """names as they were asked for; its event is the one that says so"""
    within: float = ACK_TIMEOUT


class Emit(_Message, frozen=True, kw_only=True):
    """Send an event that asks to be acknowledged."""

    user: int
    call: int
    event: str
    args: tuple[Any, ...] = ()
    within: float = ACK_TIMEOUT


class Leave(_Message, frozen=True, kw_only=True):
    """A client has had enough; nothing is heard of it any more."""

    user: int
    polite: bool = True
    """False: its socket is closed without a word"""


class Flush(_Message, frozen=True, kw_only=True):
    """Tell what was counted, now; Counted with the same number follows."""

    number: int


class Heard(_Message, frozen=True, kw_only=True):
    """What came of what was asked."""

    entered: tuple[int, ...] = ()
    """users that are in, for the first time"""
    failed: tuple[tuple[int, str], ...] = ()
    """users that will never be in, or no longer, and why"""
    answers: tuple[tuple[int, Any, str | None], ...] = ()
    """call, what it was acknowledged with, and why it was not"""


class Counted(_Message, frozen=True, kw_only=True):
    """What was counted since the last one."""

    delta: Delta
    flush: int | None = None
    """the number of the Flush that asked for it"""


class Broken(_Message, frozen=True, kw_only=True):
    """The shard is of no use, or no longer: a WsctlError, to be raised on the other side."""

    message: str
    hint: str | None = None
    exit_code: int


Command = Enter | Subscribe | Unsubscribe | Emit | Leave | Flush
Report = Heard | Counted | Broken


def encode(message: Struct) -> bytes:
    """A line, its newline included."""
    try:
        return msgspec.json.encode(message) + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, which a feed may send
        return json.dumps(msgspec.to_builtins(message), ensure_ascii=False).encode(errors="replace") + b"\n"


decode_options = msgspec.json.Decoder(ShardOptions).decode
decode_command = msgspec.json.Decoder(Command).decode
decode_report = msgspec.json.Decoder(Report).decode
"""From a line. Raise msgspec.DecodeError (or its subclass ValidationError)."""
