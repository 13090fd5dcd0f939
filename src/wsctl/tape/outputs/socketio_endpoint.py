"""What clients of a played Socket.IO tape talk to: the platform's own sessions, a tape behind them."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from wsctl.clock import Clock
from wsctl.model.channel import ANNOUNCEMENT, PRICE_PUBLIC
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
from wsctl.tape.contents import Place
from wsctl.tape.outputs.channel_states import ChannelStates
from wsctl.tape.outputs.emissions import Emission, encoded
from wsctl.tape.outputs.patience import BEHIND_LIMIT
from wsctl.tape.outputs.socketio_requests import ANYBODY, Room, room
from wsctl.tape.outputs.whole_states import KEPT, WholeStates
from wsctl.wire.dialect import Dialect
from wsctl.wire.engineio import Frame

MAX_EVENTS: Final = 10_000
"""events a second of one client: others' clients may subscribe symbol by symbol"""

_EVERYBODY: Final = "*"
"""in the hub's names: what needs no subscription"""


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
    """The channels of a tape, numbered by who was recorded. `tell` is told what people should know, in sentences."""

    def __init__(self, clock: Clock, places: Sequence[Place], dialect: Dialect | None) -> None:
        super().__init__(clock, epoch="")
        self._dialect = dialect
        self._namespaces: dict[str, str] = {}
        """by the hub's names"""
        self.begin_anew()
        for namespace, channel in places:
            for name in (_hub_name(namespace, channel), _hub_name(namespace, None)):
                self._namespaces[name] = namespace
                self.open(name)

    def is_subscribed(self, channel: str | None) -> bool:
        """Whether clients ask for a channel; what others than the platform send comes without asking, if no file says
        how that is done."""
        if channel is None:
            return False
        if self._dialect is not None:
            return True
        return channel in (PRICE_PUBLIC, ANNOUNCEMENT) or channel.startswith(("symbol:", "user:", "bot:"))

    def play(self, place: Place, event: Event, packets: Sequence[Frame]) -> None:
        """Give an event to who listens."""
        self.note(place, event, packets)
        namespace, channel = place
        name = _hub_name(namespace, channel if self.is_subscribed(channel) else None)
        self.deliver(Recorded(self.channels[name], packets))

    def note(self, place: Place, event: Event, packets: Sequence[Frame]) -> None:
        """Take an event for known: its state, not its news."""
        if event.channel is None:
            return
        name = _hub_name(*place)
        if self._dialect is None:
            self._states.take(name, event)
        else:
            self._whole.add(name, packets, self._dialect.is_snapshot(event.channel, event.data))

    def begin_anew(self) -> None:
        """Nothing has been played."""
        self._states = ChannelStates()
        self._whole: WholeStates[Sequence[Frame]] = WholeStates()

    def push_snapshot(self, subscriber: Subscriber, channel: Channel) -> None:
        """Send what a channel is at by now, if that is known as a whole."""
        for packets in tuple(self._snapshots(channel.name)):
            subscriber.offer(Recorded(channel, packets))

    def push_snapshots(self) -> None:
        """Send everybody what their channels are at."""
        for channel in self.channels.values():
            for subscriber in channel.subscribers():
                self.push_snapshot(subscriber, channel)

    def is_lost(self, name: str) -> bool:
        """Whether a channel has a whole state, but too far back."""
        return self._whole.is_lost(name)

    def _snapshots(self, name: str) -> Iterator[Sequence[Frame]]:
        for event, payload in self._states.snapshots(name):
            yield encoded(Emission(self._namespaces[name], event, [payload]))
        yield from self._whole.since(name) or ()


def _hub_name(namespace: str, channel: str | None) -> str:
    """What the hub calls a place."""
    name = _EVERYBODY if channel is None else channel
    return name if namespace == "/" else f"{namespace},{name}"


class Anybody(Admission):
    """A replay protects nothing: whoever comes is let in, with whatever token."""

    def identify(self, token: object) -> User:
        """The one user that there is."""
        return ANYBODY


class Seat:
    """A client in one namespace, as its requests see it: channels have the names that the client knows."""

    def __init__(self, listener: "Listener", namespace: str, room: Room) -> None:
        self.user: User | None = ANYBODY
        self.channels: dict[str, None] = {}
        self.serve = room(self)
        self._listener = listener
        self._namespace = namespace
        listener.subscribe(_hub_name(namespace, None))

    def subscribe(self, channel: str) -> None:
        """Join a channel."""
        self.channels[channel] = None
        self._listener.subscribe(_hub_name(self._namespace, channel))

    def unsubscribe(self, channel: str) -> None:
        """Leave a channel."""
        self.channels.pop(channel, None)
        self._listener.unsubscribe(_hub_name(self._namespace, channel))

    def send_event(self, name: str, payload: Any) -> None:
        """Send one event to this client only."""
        for packet in encoded(Emission(self._namespace, name, [payload])):
            self._listener.send_packet(packet)

    def leave(self) -> None:
        """Hear nothing more."""
        for channel in tuple(self.channels):
            self.unsubscribe(channel)
        self._listener.unsubscribe(_hub_name(self._namespace, None))


class Listener(Client):
    """A client of a tape. What it does not take waits, up to BEHIND_LIMIT and STALL_LIMIT: nothing is left out."""

    __slots__ = ("_endpoint", "_seats")

    def __init__(self, endpoint: "TapeEndpoint", connection: Connection) -> None:
        super().__init__(endpoint, connection)
        self._endpoint = endpoint
        self._seats: dict[str, Seat] = {}
        """by namespace"""

    @property
    def most_waiting(self) -> int:
        """Bytes that may wait for this reader before it is closed."""
        return BEHIND_LIMIT

    def subscribe(self, channel: str) -> None:
        """Join a channel; who asks again knows its state."""
        if channel not in self.channels:
            super().subscribe(channel)
            self._endpoint.note_subscription(self, channel)

    def send_packet(self, packet: Frame) -> None:
        """Send one encoded packet."""
        self._connection.send_packet(packet)

    def _join(self, namespace: str, auth: dict[str, Any]) -> None:
        if self.joined_at is not None and namespace in self._endpoint.namespaces:
            self._connection.send(self._session.accept(namespace, self._endpoint.new_sid()))
        else:
            super()._join(namespace, auth)
        if namespace in self._session.joined:
            self._seats[namespace] = Seat(self, namespace, self._endpoint.rooms[namespace])

    def _handle(self, namespace: str, name: str, args: list[Any], *, acknowledged: bool) -> Any:
        return self._seats[namespace].serve(name, args, acknowledged=acknowledged)

    def _leave(self, namespace: str) -> None:
        self._seats.pop(namespace).leave()
        if not self._seats:
            super()._leave(namespace)

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
        self,
        options: ServeOptions,
        clock: Clock,
        places: Sequence[Place],
        dialect: Dialect | None,
        tell: Callable[[str], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        hub = TapeHub(clock, places, dialect)
        super().__init__(options, clock, loop, lambda log: None, hub=hub, admission=Anybody(options))
        self.applications = {SOCKETIO_PATH: partial(Listener, self)}
        self.namespaces = tuple(dict.fromkeys(namespace for namespace, _ in places))
        self.rooms = {
            name: room(dialect, [channel for at, channel in places if at == name and channel is not None], clock)
            for name in self.namespaces
        }
        self.flowing = asyncio.Event()
        """while nobody is behind"""
        self.flowing.set()
        self.arrived = asyncio.Event()
        """somebody has subscribed, or joined"""
        self._behind: set[Listener] = set()
        self._tell = tell
        asked_for = [_hub_name(*place) for place in places if hub.is_subscribed(place[1])]
        self._waited_for = asked_for or [_hub_name(namespace, None) for namespace in self.namespaces]

    @property
    def heard(self) -> bool:
        """Whether there is somebody to play to."""
        return any(self.hub.channels[name].heard for name in self._waited_for)

    def note_subscription(self, client: Listener, name: str) -> None:
        """Somebody listens to one more channel, by the hub's name."""
        self.arrived.set()
        if self.hub.is_lost(name):
            self._tell(
                f"client {client.address} asked for {name} more than {KEPT:,} messages after its latest snapshot; "
                "it gets what follows"
            )

    def note_behind(self, client: Listener) -> None:
        """Somebody does not keep up."""
        self._behind.add(client)
        self.flowing.clear()

    def note_caught_up(self, client: Listener) -> None:
        """Nothing waits for somebody any more."""
        self._behind.discard(client)
        if not self._behind:
            self.flowing.set()

    def left(self, client: Client, reason: str) -> None:
        """A client is gone."""
        super().left(client, reason)
        if reason == Closing.SLOW:
            self._tell(f"client {client.address} did not keep up and was closed")
