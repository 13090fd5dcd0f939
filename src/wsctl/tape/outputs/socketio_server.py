"""SocketIOServer: a recorded Socket.IO feed, for any Socket.IO client to connect to."""

import asyncio
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

from wsctl.clock import Clock
from wsctl.model.event import Event
from wsctl.server.http import build_app
from wsctl.server.listening import Listening
from wsctl.server.options import ServeOptions
from wsctl.tape.contents import Contents
from wsctl.tape.outputs.emissions import PLAIN, Emissions, encoded, is_of_connection
from wsctl.tape.outputs.one_voice import OneVoice
from wsctl.tape.outputs.socketio_endpoint import MAX_EVENTS, TapeEndpoint
from wsctl.tape.player import Output, Played
from wsctl.wire.engineio import Frame

SETTLING: Final = 0.25
"""seconds between the first subscription and the tape's beginning: clients ask for their channels in several events"""


class SocketIOServer(Output):
    """Serves a tape's channels to those who ask for them, and events of other feeds to everybody.

    What the tape says about its own connection (an eviction, an error) is not played. A client that cannot keep up is
    closed; with `hold` the player waits for it first. Who comes late is told what a channel is at by now. `tell` is
    told what people should know, in sentences. Raises UsageError where it cannot listen.
    """

    def __init__(
        self,
        contents: Contents,
        *,
        host: str | None,
        port: int,
        hold: bool,
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        channels = sorted(contents.channels)
        options = ServeOptions(
            host=host, port=port, max_per_user=0, max_events=MAX_EVENTS, max_subscriptions=len(channels) + 1
        )
        self._listening = Listening(options)
        self._endpoint = TapeEndpoint(options, clock, channels, tell)
        self._endpoint.requests.on_subscription = self._note_arrival
        self._hold = hold
        self._arrived = asyncio.Event()
        self._emissions = Emissions()
        self._voices = OneVoice()
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
            self._arrived.clear()
            await self._arrived.wait()
            await asyncio.sleep(SETTLING)

    async def put(self, played: Played) -> None:
        if self._serving.done():
            self._serving.result()
        if self._hold:
            await self._endpoint.flowing.wait()
        if self._skipping:
            self._skipping = False
            self._endpoint.hub.push_snapshots()
        for event, packets in self._news(played):
            self._endpoint.hub.play(event, packets)

    def skip(self, played: Played) -> None:
        """What lies before the beginning is told as the state that it left."""
        self._skipping = True
        for event, _ in self._news(played):
            self._endpoint.hub.note(event)

    async def lap_over(self, lap: int) -> None:
        self._endpoint.hub.begin_anew()
        self._emissions = Emissions()
        self._voices = OneVoice()

    async def close(self) -> None:
        """Say goodbye to everybody, with 1012."""
        self._listening.stop()
        await self._serving

    def _note_arrival(self) -> None:
        self._arrived.set()

    def _news(self, played: Played) -> Iterator[tuple[Event, list[Frame]]]:
        """The events to be played for a record, each in the packets that carry it."""
        frame = played.frame
        if frame.direction == "close":
            self._voices.end(frame.conn)
        plain = isinstance(frame.frame, str) and frame.frame.startswith(PLAIN)
        arguments = None if plain and not played.restamped else self._emissions.arguments(played)
        for event in played.events:
            if is_of_connection(event):
                continue
            for told in self._voices.follow(frame, event):
                if told is not event:
                    yield told, encoded(told, [told.data])
                elif arguments is None:
                    assert frame.frame is not None
                    yield told, [frame.frame]
                else:
                    yield told, encoded(told, arguments)
