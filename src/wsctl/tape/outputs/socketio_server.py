"""SocketIOServer: a recorded Socket.IO feed, for any Socket.IO client to connect to."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from wsctl.clock import Clock
from wsctl.model.event import Event
from wsctl.server.http import build_app
from wsctl.server.listening import Listening
from wsctl.server.options import ServeOptions
from wsctl.tape.contents import Contents, Place
from wsctl.tape.outputs.emissions import PLAIN, Emission, Emissions, encoded, is_of_connection
from wsctl.tape.outputs.giving_up import SocketIOGivingUp
from wsctl.tape.outputs.one_voice import OneVoice, Told
from wsctl.tape.outputs.patience import SETTLING
from wsctl.tape.outputs.socketio_endpoint import MAX_EVENTS, TapeEndpoint
from wsctl.tape.player import Output, Played
from wsctl.wire.dialect import Dialect
from wsctl.wire.engineio import Frame


class SocketIOServer(Output):
    """Serves a tape's channels to those who ask for them, and what has no channel to everybody, each in its namespace.

    Without a `dialect` the channels are the platform's, and everything else goes to everybody. What the tape says about
    its own connection (an eviction, an error) is not played. A client that cannot keep up is closed; with `hold` the
    player waits for it first. Who comes late is told what a channel is at by now. `tell` is told what people should
    know, in sentences. Raises UsageError where it cannot listen.
    """

    def __init__(
        self,
        dialect: Dialect | None,
        contents: Contents,
        *,
        host: str | None,
        port: int,
        hold: bool,
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        places = list(dict.fromkeys(place for place, _ in contents.messages))
        options = ServeOptions(host=host, port=port, max_per_user=0, max_events=MAX_EVENTS)
        self._listening = Listening(options)
        self._endpoint = TapeEndpoint(options, clock, places, dialect, tell)
        self._dialect = dialect
        self._contents = contents
        self._hold = hold
        self._begin()
        self._skipping = False
        self._serving: asyncio.Task[None]

    @property
    def url(self) -> str:
        """Of its first socket."""
        return self._listening.url

    async def __aenter__(self) -> Self:
        self._serving = await self._listening.serve(self._endpoint, build_app(self._endpoint))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def stay(self) -> None:
        """Serve on, for ever, after the tape. Raises what breaks the server."""
        await asyncio.shield(self._serving)

    async def ready(self) -> None:
        """Return once somebody listens: has subscribed, or joined where there is nothing to subscribe to."""
        while not self._endpoint.heard:
            self._endpoint.arrived.clear()
            await self._endpoint.arrived.wait()
            await asyncio.sleep(SETTLING)

    async def put(self, played: Played) -> None:
        if self._serving.done():
            self._serving.result()
        if self._hold:
            await self._endpoint.flowing.wait()
        if self._skipping:
            self._skipping = False
            self._endpoint.hub.push_snapshots()
        for place, event, packets in self._news(played):
            self._endpoint.hub.play(place, event, packets)

    def skip(self, played: Played) -> None:
        """What lies before the beginning is told as the state that it left."""
        self._skipping = True
        for place, event, packets in self._news(played):
            self._endpoint.hub.note(place, event, packets)

    async def lap_over(self, lap: int) -> None:
        self._endpoint.hub.begin_anew()
        self._begin()

    async def close(self) -> None:
        """Say goodbye to everybody, with 1012."""
        self._listening.stop()
        await self._serving

    def _begin(self) -> None:
        """A round: nothing has been played."""
        self._emissions = Emissions(self._dialect)
        self._voices: OneVoice[Sequence[Frame]] = OneVoice(self._contents.messages)
        self._giving_up = SocketIOGivingUp(self._endpoint.rooms)

    def _news(self, played: Played) -> Iterator[tuple[Place, Event, Sequence[Frame]]]:
        """The events to be played at a record, each with its place and in the packets that carry it."""
        for place, event, packets in self._told(played):
            if is_of_connection(event):
                continue
            if packets is None and self._dialect is None:
                packets = encoded(Emission(place[0], event.name, [event.data]))
            if packets is not None:
                yield place, event, packets

    def _told(self, played: Played) -> Iterator[Told[Sequence[Frame]]]:
        """What is to be said at a record, once for all that were recorded."""
        frame = played.frame
        if frame.direction in ("open", "close"):  # nobody may have noted the close before
            yield from self._voices.end(frame.conn)
        plain = frame.direction == "in" and isinstance(frame.frame, str) and frame.frame.startswith(PLAIN)
        if plain and not played.restamped:
            assert frame.frame is not None
            namespace, packets = "/", [frame.frame]
        else:
            emission = self._emissions.of(played)
            yield from self._voices.leave(frame.conn, self._giving_up.places(frame, emission))
            if emission is None or not played.events:
                return
            namespace, packets = emission.namespace, encoded(emission)
        for event in played.events:
            yield from self._voices.hear((namespace, event.channel), frame, event, packets)
