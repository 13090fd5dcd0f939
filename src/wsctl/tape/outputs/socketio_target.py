"""SocketIOTarget: a recorded feed emitted into a Socket.IO server that takes events."""

import uuid

from wsctl.client.connection import Connection
from wsctl.client.dial import Dialler
from wsctl.client.emitting import Emitting
from wsctl.client.target import Target
from wsctl.tape.outputs.emissions import Emissions, is_of_connection
from wsctl.tape.outputs.target import TargetOutput
from wsctl.tape.player import Played
from wsctl.wire.dialect import Dialect


class SocketIOTarget(TargetOutput):
    """Emits each event that a recorded server sent: name and arguments, or the data of a raw dialect's event.

    What the tape says about its own connection is left out.
    """

    unit = "events"

    def __init__(self, target: Target, dialect: Dialect | None) -> None:
        super().__init__(target.shown)
        self._target = target
        self._emissions = Emissions(dialect) if dialect is None or dialect.over == "socketio" else None
        self._connection: Connection | None = None
        self._emitting: Emitting

    async def _connect(self) -> None:
        dialler = Dialler(self._target, self._target.handshake(uuid.uuid4().hex))
        connection, self.note = await dialler.open(lambda name, arguments: None, lambda reason: None)
        self._connection = connection
        assert isinstance(connection, Emitting), "events are emitted over Socket.IO only"
        self._emitting = connection

    async def put(self, played: Played) -> None:
        emission = None if self._emissions is None else self._emissions.of(played)
        for event in played.events:
            if is_of_connection(event):
                self.left_out += 1
            else:
                name, said = (event.name, [event.data]) if emission is None else (emission.name, emission.arguments)
                await self._send(self._emitting.send(name, *said))

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
