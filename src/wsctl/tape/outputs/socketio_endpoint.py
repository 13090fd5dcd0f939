"""What clients of a played Socket.IO tape talk to: the platform's own sessions and requests, a tape behind them."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from wsctl.clock import Clock
from wsctl.model.channel import ANNOUNCEMENT, PRICE_PUBLIC, symbol_of
from wsctl.model.event import Event
from wsctl.server import limits
from wsctl.server.admission import Admission
from wsctl.server.auth import User
from wsctl.server.client import Client, Closing
from wsctl.server.connection import Connection
from wsctl.server.endpoint import Endpoint
from wsctl.server.framing import binary_frame, text_frame
from wsctl.server.handshake import SOCKETIO_PATH
from wsctl.server.hub import Channel, Encoding, Hub, Message, Subscriber
from wsctl.server.options import ServeOptions
from wsctl.server.requests import Client as Asking
from wsctl.server.requests import Denied, Requests
from wsctl.server.services.bots import bot_channels
from wsctl.tape.outputs.channel_states import ChannelStates
from wsctl.wire.engineio import Frame
from wsctl.wire.payload import Payload

EVERYBODY: Final = "*"
"""the hub's name for what needs no subscription"""
BEHIND_LIMIT: Final = 16 * 1024 * 1024
"""bytes that may wait for a client"""
MAX_EVENTS: Final = 10_000
"""events a second of one client: others' clients may subscribe symbol by symbol"""

_ANYBODY: Final = User("anybody", admin=True)


def is_subscribed(channel: str | None) -> bool:
    """Whether a channel is one of the platform, which its clients ask for; those of other feeds come without asking."""
    if channel is None:
        return False
    return channel in (PRICE_PUBLIC, ANNOUNCEMENT) or channel.startswith(("symbol:", "user:", "bot:"))


class Recorded(Message):
    """A played event. What its stamp would say is in its packets, in the form in which it was recorded."""

    __slots__ = ("packets",)

    def __init__(self, channel: Channel, packets: Sequence[Frame]) -> None:  # a Message without a stamp
        self.channel = channel
        self.packets = packets
        self._frames = {}

    def frame(self, encoding: Encoding) -> bytes:
        """The WebSocket frames of all its packets."""
        frame = self._frames.get(encoding)
        if frame is None:
            frame = self._frames[encoding] = b"".join(
                binary_frame(packet) if isinstance(packet, bytes) else text_frame(packet, encoding.window_bits)
                for packet in self.packets
            )
        return frame


class TapeHub(Hub):
    """The channels of a tape, numbered by who was recorded."""

    def __init__(self, clock: Clock, channels: Sequence[str]) -> None:
        super().__init__(clock, epoch="")
        self._states = ChannelStates()
        for name in (*channels, EVERYBODY):
            self.open(name)

    def play(self, event: Event, packets: Sequence[Frame]) -> None:
        """Give an event to who listens."""
        self.note(event)
        name = event.channel if event.channel is not None and is_subscribed(event.channel) else EVERYBODY
        self.deliver(Recorded(self.channels[name], packets))

    def note(self, event: Event) -> None:
        """Take an event for known: its state, not its news."""
        self._states.take(event)

    def begin_anew(self) -> None:
        """Nothing has been played."""
        self._states = ChannelStates()

    def push_snapshot(self, subscriber: Subscriber, channel: Channel) -> None:
        """Send what a channel is at by now, if that is known as a whole."""
        for name, payload in self._states.snapshots(channel.name):
            subscriber.send_event(name, payload)

    def push_snapshots(self) -> None:
        """Send everybody what their channels are at."""
        for channel in self.channels.values():
            for subscriber in channel.subscribers():
                self.push_snapshot(subscriber, channel)


class Anybody(Admission):
    """A replay protects nothing: whoever comes is let in, with whatever token."""

    def identify(self, token: object) -> User:
        """The one user that there is."""
        return _ANYBODY


class TapeBots:
    """Bots, users and whatever is theirs, as far as it is on the tape."""

    def __init__(self, channels: Sequence[str]) -> None:
        ids = [name.split(":")[1] for name in channels if name.startswith("bot:")]
        self._ids = list(dict.fromkeys(ids))

    def ensure(self, user: str) -> None:
        """What is not on the tape does not come into being."""

    def bots_of(self, user: str) -> list[str]:
        """All there are, whoever's."""
        return self._ids


class TapeRequests(Requests):
    """The platform's requests, served from a tape. Every other event a client may send is acknowledged, and no more."""

    def handle(self, client: Asking, name: str, args: list[Any], *, acknowledged: bool) -> Payload:
        """Serve one event."""
        if name not in self._handlers:
            return {"ok": True}
        return super().handle(client, name, args, acknowledged=acknowledged)

    def _check_owner(self, client: Asking, name: str) -> None:
        """Nothing is private."""

    def _join_bot(self, client: Asking, id: str, feeds: tuple[str, ...]) -> None:
        recorded = tuple(feed for feed, channel in bot_channels(id).items() if channel in self._hub.channels)
        if not recorded:
            raise Denied("unknown_channel", f"bot {id!r} is not on the tape")
        super()._join_bot(client, id, tuple(feed for feed in feeds if feed in recorded))

    def _advise(self, symbol: str) -> str:
        others = [name for name in self._hub.channels if symbol_of(name) == symbol]
        return f"the tape has of {symbol} only {', '.join(others)}" if others else super()._advise(symbol)


class Listener(Client):
    """A client of a tape. What it does not take waits, up to BEHIND_LIMIT and STALL_LIMIT: nothing is left out."""

    __slots__ = ("_endpoint",)

    def __init__(self, endpoint: "TapeEndpoint", connection: Connection) -> None:
        super().__init__(endpoint, connection)
        self._endpoint = endpoint

    @property
    def most_waiting(self) -> int:
        """Bytes that may wait for this reader before it is closed."""
        return BEHIND_LIMIT

    def subscribe(self, channel: str) -> None:
        """Join a channel; who asks again knows its state."""
        if channel not in self.channels:
            super().subscribe(channel)

    def offer(self, message: Message) -> None:
        """Send what cannot be written at once: to a poll, or to a reader that is behind."""
        assert isinstance(message, Recorded)
        message.channel.delivered += 1
        for packet in message.packets:
            self._connection.send_packet(packet)
        if self._connection.waiting > BEHIND_LIMIT:
            self.dismiss(Closing.SLOW, retry=True)
        elif self._connection.waiting > limits.WRITE_LIMIT:
            self.fell_behind()

    def fell_behind(self) -> None:
        """The reader does not keep up."""
        super().fell_behind()
        if self._stall_timer is not None:
            self._endpoint.note_behind(self)

    def caught_up(self) -> None:
        """The reader took what was waiting."""
        super().caught_up()
        self._endpoint.note_caught_up(self)

    def carrier_changing(self) -> None:
        """What waited is about to be written elsewhere."""
        super().carrier_changing()
        self._endpoint.note_caught_up(self)

    def ended(self, reason: str) -> None:
        """Let go of everything."""
        super().ended(reason)
        self._endpoint.note_caught_up(self)


class TapeEndpoint(Endpoint):
    """Everyone who listens to a tape's channels. `tell` is told who did not keep up, in sentences."""

    hub: TapeHub

    def __init__(
        self, options: ServeOptions, clock: Clock, channels: Sequence[str], tell: Callable[[str], None]
    ) -> None:
        hub = TapeHub(clock, channels)
        loop = asyncio.get_running_loop()
        super().__init__(options, clock, loop, lambda log: None, hub=hub, admission=Anybody(options))
        bots = TapeBots(channels)
        self.requests = TapeRequests(hub, clock, bots, bots, max_subscriptions=options.max_subscriptions)
        self.applications = {SOCKETIO_PATH: partial(Listener, self)}
        self.flowing = asyncio.Event()
        """while nobody is behind"""
        self.flowing.set()
        self._behind: set[Listener] = set()
        self._tell = tell
        self._waited_for = [name for name in channels if is_subscribed(name)] or [EVERYBODY]

    @property
    def heard(self) -> bool:
        """Whether there is somebody to play to."""
        return any(self.hub.channels[name].heard for name in self._waited_for)

    def note_behind(self, client: Listener) -> None:
        """Somebody does not keep up."""
        self._behind.add(client)
        self.flowing.clear()

    def note_caught_up(self, client: Listener) -> None:
        """Nothing waits for somebody any more."""
        self._behind.discard(client)
        if not self._behind:
            self.flowing.set()

    def joined(self, client: Client) -> None:
        """A client is in, and hears what needs no subscription."""
        super().joined(client)
        client.subscribe(EVERYBODY)
        self.requests.on_subscription()

    def left(self, client: Client, reason: str) -> None:
        """A client is gone."""
        super().left(client, reason)
        if reason == Closing.SLOW:
            self._tell(f"client {client.address} did not keep up and was closed")
