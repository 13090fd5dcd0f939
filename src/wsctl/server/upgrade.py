"""The upgrade: a WebSocket that wants to take over a polling session, from its handshake to `5`."""

import asyncio

from wsctl.errors import WireError
from wsctl.server.connection import Candidate, Connection
from wsctl.wire import engineio

UPGRADE_TIMEOUT = 10.0
"""seconds between a candidate's handshake and its upgrade, as in the reference server"""


class Upgrade:
    """Handles a WebSocket opened with the id of a polling session."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._candidate: Candidate | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, carrier: Candidate) -> None:
        """The WebSocket is open: the client has UPGRADE_TIMEOUT to probe and upgrade."""
        self._candidate = carrier
        self._connection.consider(carrier)
        self._timer = self._connection.platform.loop.call_later(UPGRADE_TIMEOUT, self._fail)

    def receive(self, frame: engineio.Frame) -> None:
        """Take `2probe`, then `5`."""
        if self._candidate is None:
            return
        try:
            upgraded = self._connection.receive_on_candidate(engineio.decode(frame), self._candidate)
        except WireError:
            self._fail()
            return
        if upgraded:
            self._stop()

    def lost(self, reason: str) -> None:
        """The WebSocket went away before it took over; polling goes on."""
        self._stop()
        if self._candidate is not None:
            self._connection.candidate_lost(self._candidate)

    def fell_behind(self) -> None:
        """Nothing is fanned out to a candidate."""

    def caught_up(self) -> None:
        """Nothing is fanned out to a candidate."""

    def _fail(self) -> None:
        carrier, self._candidate = self._candidate, None
        if carrier is not None:
            self._stop()
            self._connection.candidate_lost(carrier)
            carrier.close(1002)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
