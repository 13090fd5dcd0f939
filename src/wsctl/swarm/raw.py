"""A client's conversation in a raw WebSocket dialect."""

import time

from msgspec import Struct
from picows import WSMsgType

from wsctl.checks.lane import Lane
from wsctl.client.subscription import Subscription
from wsctl.errors import WireError
from wsctl.model.event import Event
from wsctl.swarm.connection import Connection, Frame, Owner
from wsctl.swarm.tally import Tally
from wsctl.wire.dialect import Dialect, Objected, Reply, Subscribed

REFUSED = "refused"
"""the code of an answer that says no: raw feeds have no codes in common"""


class _Asked(Struct):
    """A request that is not answered in full."""

    id: int
    channels: set[str]
    """those that no answer named yet"""
    frames: int
    """those that no answer without names was for yet"""
    objections: dict[str, None]


class RawConnection(Connection):
    """In as soon as the WebSocket is up. Answers are handed to the owner as the platform gives them."""

    __slots__ = ("_asked", "_beat_at", "_dialect", "_granted", "_records", "_session")

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
        self._asked: list[_Asked] = []
        """in their order"""
        self._granted: set[str] = set()
        """channels that the URL asks for"""
        self._beat_at = 0.0
        """monotonic seconds: when the server is to be shown that we live"""

    def ask(self, subscription: Subscription, id: int) -> None:
        """Ask; where nobody says that it was taken, or the URL asked already, it is taken for granted."""
        frames = self._session.subscribe(subscription.names)
        if frames and self._dialect.acknowledges:
            self._asked.append(_Asked(id, set(subscription.names) - self._granted, len(frames), {}))
        for frame in frames:
            self._send(frame)
        if not frames or not self._dialect.acknowledges:
            self._owner.acknowledged(id, [{"ok": True}])

    def look(self, now: float) -> None:
        """Keep alive."""
        keep_alive = self._dialect.keep_alive
        if keep_alive is None or self.over or self.transport is None or now < self._beat_at:
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
            self._tally.malformed(f"it sent a frame that is not {self._dialect.name}: {error}")
            return
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
                case Reply(frame=reply):
                    self._send(reply)
                case Subscribed(channels=channels):
                    self._answered(channels, None)
                case Objected(message=objection, channels=channels):
                    self._answered(channels, objection)

    def _answered(self, channels: tuple[str, ...], objection: str | None) -> None:
        """An answer that names channels is about those, whichever request they were in; else about the oldest frame."""
        if not self._asked and objection is not None:
            self._tally.counts.causes[f"the feed objected: {objection}"] += 1
        for asked in list(self._asked):
            if not channels:
                asked.frames -= 1
            elif asked.channels.isdisjoint(channels):
                continue
            asked.channels.difference_update(channels)
            if objection is not None:
                asked.objections[objection] = None
            if not asked.channels or asked.frames <= 0:
                self._asked.remove(asked)
                told = "; ".join(asked.objections)
                answer = {"ok": False, "code": REFUSED, "message": told} if told else {"ok": True}
                self._owner.acknowledged(asked.id, [answer])
            if not channels:
                break

    def _send(self, frame: Frame) -> None:
        assert self.transport is not None
        if isinstance(frame, str):
            self.transport.send(WSMsgType.TEXT, frame.encode())
        else:
            self.transport.send(WSMsgType.BINARY, frame)
