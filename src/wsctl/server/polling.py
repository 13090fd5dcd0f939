"""The long-polling carrier: packets wait here until the client's next poll fetches them."""

import asyncio
from collections.abc import Callable

from wsctl.server.hub import Writable
from wsctl.server.sockets import linger
from wsctl.wire.engineio import MAX_PACKETS_SENT, Frame, encode_payload

NOOP = "6"
CLOSE = "1"


class PollingCarrier:
    """What one polling session has not fetched yet, and its pending poll."""

    name = "polling"
    window_bits = None
    """nothing is compressed"""

    def __init__(self, on_fetched: Callable[[], None]) -> None:
        self.waiting = 0
        """bytes (of text: characters) not fetched yet"""
        self.closed = False
        self.posting = False
        """whether a POST is being read; a second one beside it ends the session"""
        self._on_fetched = on_fetched
        self._queue: list[Frame] = []
        self._poll: asyncio.Future[None] | None = None
        self._poll_transport: asyncio.Transport | None = None

    @property
    def direct(self) -> Writable | None:
        """Nothing can be written ahead of a poll."""
        return None

    @property
    def polled(self) -> bool:
        """Whether a poll is pending; a second one beside it ends the session."""
        return self._poll is not None

    def send(self, packet: Frame) -> None:
        """Queue a packet and answer a pending poll."""
        self._queue.append(packet)
        self.waiting += len(packet)
        self._answer()

    def begin_poll(self, transport: asyncio.Transport) -> asyncio.Future[None]:
        """A poll came over a TCP transport: the future is done as soon as there is something to fetch.

        `end_poll` must follow.
        """
        self._poll_transport = transport
        self._poll = asyncio.get_running_loop().create_future()
        if self._queue:
            self._answer()
        return self._poll

    def end_poll(self) -> None:
        """The poll is over, answered or abandoned."""
        self._poll = self._poll_transport = None

    def fetch(self) -> str:
        """The body of a poll answer; NOOP when nothing waits."""
        packets, self._queue = self._queue[:MAX_PACKETS_SENT], self._queue[MAX_PACKETS_SENT:]
        self.waiting -= sum(map(len, packets))
        if not self._queue and not self.closed:
            self._on_fetched()
        return encode_payload(packets or [NOOP])

    def wake(self) -> None:
        """Answer a pending poll now, with a NOOP if need be."""
        self._answer()

    def retire(self) -> list[Frame]:
        """Stop after an upgrade: answer a pending poll, hand over what was not fetched."""
        queue, self._queue = self._queue, []
        self.closed = True
        self._answer()
        return queue

    def close(self, code: int, *, patience: float = 0.0) -> None:
        """End: polling has no close codes, so a CLOSE packet says it, unless there are last words to be fetched.

        With them it would do harm: JavaScript's client takes CLOSE before the events beside it, and python-socketio's
        takes it for a dismissal, from which it does not come back. The poll after them finds the session unknown.
        """
        self.closed = True
        if not self._queue:
            self.send(CLOSE)

    def abort(self, *, reset: bool = False) -> None:
        """End at once: answer a pending poll, or reset the TCP connection it came over."""
        self.closed = True
        if reset and self._poll_transport is not None:
            linger(self._poll_transport)
            self._poll_transport.abort()
        else:
            self._answer()

    def _answer(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)
