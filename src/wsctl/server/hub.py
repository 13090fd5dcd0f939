"""The fan-out point: numbers every message of a channel, encodes it once per form, writes it once per connection."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from wsctl.clock import Clock
from wsctl.model.event import HEARTBEAT
from wsctl.server.framing import text_frame
from wsctl.wire.payload import FORMS, Payload, Stamp
from wsctl.wire.socketio import encode_event


class Writable(Protocol):
    """What the fan-out needs of a transport."""

    def write(self, data: bytes) -> None:
        """Queue bytes for the socket."""


class Encoding(NamedTuple):
    """How a subscriber wants its messages; those who want the same are sent the same bytes."""

    form: str
    """of the payload: full or compact"""
    window_bits: int | None
    """of permessage-deflate; None: not compressed"""


class Subscriber(Protocol):
    """What the hub needs of a connection."""

    form: str

    @property
    def encoding(self) -> Encoding:
        """Of the frames written to `direct`."""

    @property
    def direct(self) -> Writable | None:
        """Where ready frames may be written at once; None while messages must be held (polling, slow reader)."""

    def offer(self, message: "Message") -> None:
        """Take a message: send it if that is possible, owe it otherwise."""

    def owes(self, channel: "Channel") -> bool:
        """Whether messages of a channel are held back: a heartbeat must not announce what is yet to come."""

    def send_event(self, name: str, payload: Payload) -> None:
        """Send one event to this connection only."""

    def send_encoded(self, event: str) -> None:
        """Send an event that many are sent, encoded already."""


class Message:
    """One stamped event, encoded at most once per form."""

    __slots__ = ("_frames", "_texts", "channel", "name", "payload", "stamp")

    def __init__(self, channel: "Channel", name: str, payload: Payload, stamp: Stamp) -> None:
        self.channel = channel
        self.name = name
        self.payload = payload
        self.stamp = stamp
        self._texts: dict[str, str] = {}
        self._frames: dict[Encoding, bytes] = {}

    def text(self, form: str) -> str:
        """The Engine.IO packet in a form."""
        text = self._texts.get(form)
        if text is None:
            body = FORMS[form](self.name, self.payload, self.stamp)
            text = self._texts[form] = "4" + encode_event(self.name, body)
        return text

    def frame(self, encoding: Encoding) -> bytes:
        """The WebSocket frame in an encoding."""
        frame = self._frames.get(encoding)
        if frame is None:
            frame = self._frames[encoding] = text_frame(self.text(encoding.form), encoding.window_bits)
        return frame


class Audience:
    """The subscribers of a channel in one encoding: those written to directly, and those whose messages are held."""

    __slots__ = ("direct", "held")

    def __init__(self) -> None:
        self.direct: dict[Subscriber, Writable] = {}
        self.held: dict[Subscriber, None] = {}

    def place(self, subscriber: Subscriber) -> None:
        """Put a subscriber where its `direct` says."""
        if (transport := subscriber.direct) is None:
            self.held[subscriber] = None
        else:
            self.direct[subscriber] = transport

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a subscriber, if it is there."""
        self.direct.pop(subscriber, None)
        self.held.pop(subscriber, None)


SnapshotSource = Callable[[], Iterable[tuple[str, Payload]]]
"""Gives the current state of a channel as (event name, payload) pairs."""


class Channel:
    """One numbered sequence and those who listen to it."""

    __slots__ = ("audiences", "delivered", "epoch", "last_sent", "latest", "name", "seq", "snapshot_source")

    def __init__(self, name: str, epoch: str, snapshot_source: SnapshotSource | None, now: float) -> None:
        self.name = name
        self.epoch = epoch
        self.seq = 0
        self.latest: Message | None = None
        self.delivered = 0
        """messages handed to connections; snapshots and heartbeats are not among them"""
        self.last_sent = now
        """monotonic seconds of the last message or heartbeat"""
        self.snapshot_source = snapshot_source
        self.audiences: dict[Encoding, Audience] = {}

    def place(self, subscriber: Subscriber) -> None:
        """Put a subscriber, new or not, where its encoding and its `direct` say."""
        self.remove(subscriber)
        encoding = subscriber.encoding
        audience = self.audiences.get(encoding)
        if audience is None:
            audience = self.audiences[encoding] = Audience()
        audience.place(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a subscriber, if it is there."""
        for audience in self.audiences.values():
            audience.remove(subscriber)

    @property
    def heard(self) -> bool:
        """Whether anybody listens."""
        return any(audience.direct or audience.held for audience in self.audiences.values())

    def subscribers(self) -> list[Subscriber]:
        """Everyone who listens."""
        return [one for audience in self.audiences.values() for one in (*audience.direct, *audience.held)]


class Hub:
    """All channels of the mock feed."""

    def __init__(self, clock: Clock, epoch: str) -> None:
        self.clock = clock
        self.epoch = epoch
        self.channels: dict[str, Channel] = {}
        self.skipped = 0
        """messages left out, with a declared skip, for readers that were behind"""

    @property
    def delivered(self) -> int:
        """Messages handed to connections, over all channels."""
        return sum(channel.delivered for channel in self.channels.values())

    def open(self, name: str, snapshot_source: SnapshotSource | None = None) -> None:
        """Make a channel."""
        self.channels[name] = Channel(name, self.epoch, snapshot_source, self.clock.monotonic())

    def publish(self, channel_name: str, name: str, payload: Payload, source_at: float | None = None) -> None:
        """Stamp an event with the channel's next seq and give it to every subscriber."""
        channel = self.channels[channel_name]
        channel.seq += 1
        channel.last_sent = self.clock.monotonic()
        stamp = Stamp(channel_name, channel.epoch, channel.seq, self.clock.now(), source_at)
        self.deliver(Message(channel, name, payload, stamp))

    def deliver(self, message: Message) -> None:
        """Give a message to every subscriber of its channel."""
        channel = message.channel
        channel.latest = message
        for encoding, audience in channel.audiences.items():
            # copies: a write that fills a buffer moves its connection to `held` within this very loop, and it has
            # this message already
            direct, held = tuple(audience.direct.values()), tuple(audience.held)
            if direct:
                frame = message.frame(encoding)
                for transport in direct:
                    transport.write(frame)
                channel.delivered += len(direct)
            for subscriber in held:
                subscriber.offer(message)

    def join(self, subscriber: Subscriber, channel_name: str) -> None:
        """Subscribe a connection and push the channel's current state, if it has one yet."""
        channel = self.channels[channel_name]
        channel.place(subscriber)
        self.push_snapshot(subscriber, channel)

    def push_snapshot(self, subscriber: Subscriber, channel: Channel) -> None:
        """Send the current state; it repeats the channel's latest seq, so before the first value there is none."""
        if channel.seq == 0 or channel.snapshot_source is None:
            return
        stamp = Stamp(channel.name, channel.epoch, channel.seq, self.clock.now(), snapshot=True)
        for name, payload in channel.snapshot_source():
            subscriber.send_event(name, FORMS[subscriber.form](name, payload, stamp))

    def leave(self, subscriber: Subscriber, channel_name: str) -> None:
        """Unsubscribe a connection."""
        self.channels[channel_name].remove(subscriber)

    def move(self, subscriber: Subscriber, channel_names: Iterable[str]) -> None:
        """Put a subscriber anew where its `direct` says, after that changed."""
        for name in channel_names:
            self.channels[name].place(subscriber)

    def beat(self, silence: float) -> None:
        """Send a heartbeat on every channel silent for `silence` seconds: it makes a lost last message visible."""
        now = self.clock.monotonic()
        for channel in self.channels.values():
            if now - channel.last_sent >= silence:
                channel.last_sent = now
                if not channel.heard:  # most channels of a user who left
                    continue
                packet = encode_event(HEARTBEAT, heartbeat(channel, self.clock.now()))
                for subscriber in channel.subscribers():
                    if not subscriber.owes(channel):
                        subscriber.send_encoded(packet)

    def ledger(self) -> dict[str, dict[str, Any]]:
        """What was truly sent, per channel: the ground truth that instruments compare with."""
        return {
            channel.name: {"epoch": channel.epoch, "seq": channel.seq, "delivered": channel.delivered}
            for channel in self.channels.values()
        }


def heartbeat(channel: Channel, now: float) -> Payload:
    """The payload of a channel's heartbeat; `now` in unix seconds."""
    return {
        "channel": channel.name,
        "nextSeq": channel.seq + 1,
        "epoch": channel.epoch,
        "timestamp": round(now * 1000, 3),
    }
