"""A client's conversation in a raw WebSocket dialect."""

import time

from picows import WSMsgType

from wsctl.checks.lane import Lane
from wsctl.client.asking import Asking
from wsctl.client.speech import PING_EVERY
from wsctl.client.subscription import Subscription
from wsctl.errors import WireError
from wsctl.model.event import Event
from wsctl.swarm.connection import PROTOCOL_ERROR, Connection, Frame, Malformed, Owner
from wsctl.swarm.tally import Tally
from wsctl.wire.dialect import Dialect, Objected, Reply, Subscribed

SILENCE = 1.5 * PING_EVERY
"""seconds without anything, be it the answer to a ping, after which the server is gone"""


class RawConnection(Connection):
    """In as soon as the WebSocket is up. Answers are handed to the owner as the platform gives them.

    Nothing in these dialects says how long a server may be silent: one that is gets a ping.
    """

    __slots__ = ("_asked", "_beat_at", "_dialect", "_granted", "_pinged_at", "_records", "_session")

    def __init__(
        self,
        owner: Owner,
        conn: str,
        tally: Tally,
        *,
        dialect: Dialect,
        url: str,
        channels: tuple[str, ...],
        former: dict[str, Lane],
        slow: bool,
    ) -> None:
        """`channels` are all that this client asks for."""
        super().__init__(owner, conn, tally, former=former, slow=slow)
        self._dialect = dialect
        self._session = dialect.client(url)
        self._records = tally.records_for(channels)
        self._asked: list[Asking] = []
        """what was not answered in full"""
        self._granted: set[str] = set()
        """channels that the URL asks for"""
        self._beat_at = 0.0
        """monotonic seconds: when the server is to be shown that we live"""
        self._pinged_at = 0.0
        """monotonic seconds"""
        self.silence = SILENCE

    def ask(self, subscription: Subscription, id: int) -> None:
        """Ask; where nobody says that it was taken, or the URL asked already, it is taken for granted."""
        asking = Asking([name for name in subscription.names if name not in self._granted])
        frames = self._session.subscribe(asking.names)
        for frame in frames:
            self._send(frame)
        if frames and self._dialect.acknowledges:
            self._asked.append(asking)
            asking.done.add_done_callback(lambda done: self._answered(asking, id))
        else:
            self._owner.acknowledged(id, [{"ok": True}])

    def give_up(self, subscription: Subscription, id: int) -> None:
        """What comes of it is not waited for: a server has nothing to object."""
        for frame in self._session.unsubscribe(subscription.names):
            self._send(frame)
        self._owner.acknowledged(id, [{"ok": True}])

    def look(self, now: float) -> None:
        """Keep alive, and see whether the server does."""
        if self.transport is None:
            return
        if now - self.alive_at > PING_EVERY and self._pinged_at < self.alive_at:
            self._pinged_at = now
            self.transport.send_ping()
        keep_alive = self._dialect.keep_alive
        if keep_alive is None or now < self._beat_at:
            return
        if self._beat_at:
            self._send(keep_alive.frame)
        self._beat_at = now + keep_alive.every

    def _begin(self) -> None:
        said = self._session.open()
        self._granted = {name for one in said if isinstance(one, Subscribed) for name in one.channels}
        self._known = self._records.known.get
        self._owner.joined()

    def _receive(self, message: Frame) -> None:
        self._known = self._records.known.get  # fragments are over
        now = time.time()
        frame = message.encode() if isinstance(message, str) else message
        try:
            received = self._session.receive(message)
        except WireError as error:
            raise Malformed(PROTOCOL_ERROR, f"it sent a frame that is not {self._dialect.name}: {error}") from error
        size = len(frame)
        for one in received:
            match one:
                case Event():
                    is_state = self._dialect.is_snapshot(one.channel or "", one.data)
                    record = self._records.of(self.conn, one, now, size, is_state=is_state)
                    if len(received) == 1:
                        self._records.keep(frame, record)
                    self._hear(record, now)
                    size = 0  # of what came in one frame, the first counts it
                case Reply(reply):
                    self._send(reply)
                case Subscribed(channels):
                    for asking in self._asked:
                        asking.taken(channels)
                case Objected(objection, channels):
                    self._objected(objection, channels)

    def _objected(self, objection: str, channels: tuple[str, ...]) -> None:
        if not self._asked:
            self._tally.counts.causes.blame(f"the feed objected: {objection}")
        for asking in self._asked:
            asking.refused(objection, channels)

    def _answered(self, asking: Asking, id: int) -> None:
        self._asked.remove(asking)
        asking.close()
        if not self.over:
            self._owner.acknowledged(id, [asking.answer])

    def _send(self, frame: Frame) -> None:
        assert self.transport is not None
        if isinstance(frame, str):
            self.transport.send(WSMsgType.TEXT, frame.encode())
        else:
            self.transport.send(WSMsgType.BINARY, frame)
