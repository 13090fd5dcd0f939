"""Stream: one direction of a connection: bytes, frames, messages, what the faults let through, and bytes again."""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from wsctl.chaos.message import MAX_MESSAGE, Assembler, Direction, Message, Reader
from wsctl.chaos.side import HIGH_WATER, Side
from wsctl.wire.frames import CLOSE, NO_FRAME, RawFrame, Splitter

if TYPE_CHECKING:
    from wsctl.chaos.connection import Connection
    from wsctl.chaos.fault import AnyFault

MAX_HELD = 16 * 1024 * 1024
"""bytes of messages that faults hold, with what each costs; past them the source is read no further for a while"""
HELD_COSTS = 2560
"""bytes of memory that a message takes beside its own while it is held"""


class Held(Struct, frozen=True):
    """A message that a fault holds; it goes on by itself when its time is over."""

    number: int
    message: Message
    fault: "AnyFault"
    timer: asyncio.TimerHandle


class Stream:
    """Feed it what one side says; it writes what the other side is to hear.

    Where no fault means messages, each frame goes on as it comes. Otherwise a message goes on as a whole, and a ping
    between its frames goes ahead of it.
    """

    def __init__(
        self, connection: "Connection", direction: Direction, source: Side, sink: Side, reader: Reader
    ) -> None:
        self.connection = connection
        self.direction: Direction = direction
        self.source = source
        self.sink = sink
        self._proxy = connection.proxy
        self._splitter = Splitter(MAX_MESSAGE)
        self._assembler = Assembler(direction, reader)
        self._straight = True
        """whether the frames of the message that is coming go on as they come"""
        self._out: list[bytes] = []
        """what goes out at the end of the bytes that are being fed, or of a stall"""
        self._is_feeding = False
        self._stallers: set[object] = set()
        """who wants nothing to go out at the moment"""
        self._out_size = 0
        self._held: dict[int, Held] = {}
        self._held_size = 0
        self._numbers = itertools.count()
        self._good_bye: bytes | None = None
        """a close frame that waits for what is held"""
        self._stopped = False
        self._is_broken = False
        """whether it has ceased to be WebSocket"""

    def feed(self, received: bytes) -> None:
        """Take bytes. Raises WireError for frames and messages that are too long to be held."""
        self._is_feeding = True
        try:
            for frame in self._splitter.feed(received):
                if self._stopped:
                    if frame.opcode == CLOSE:
                        self.source.leave(reset=False)
                elif frame.opcode == NO_FRAME:
                    self._unread(frame)
                elif frame.is_control:
                    self._control(frame)
                else:
                    self._data(frame)
        finally:
            self._is_feeding = False
            self.flush()

    def flush(self) -> None:
        """What was let through so far goes out, unless it is stalled."""
        if self._out and not self._stallers:
            self.sink.write(b"".join(self._out))
            self._out.clear()
            self._out_size = 0
        if self._stallers:
            self._feel()

    def stop(self) -> None:
        """Nothing goes on any more; what is held is lost. Its source is left once it says good-bye itself."""
        self.flush()
        self._stopped = True
        for held in self._held.values():
            held.timer.cancel()
        self._held.clear()
        self._out.clear()
        self._held_size = self._out_size = 0
        self._feel()

    @property
    def is_over(self) -> bool:
        """Whether its source says no more, and nothing is kept back; who has left as well is not waited with."""
        if not self.source.ended.is_set() or self._stallers:
            return False
        return not self._held or self.sink.ended.is_set()

    @property
    def is_between_messages(self) -> bool:
        """Whether what goes out has no message begun."""
        return self._assembler.is_idle or not self._straight

    @property
    def is_silenced(self) -> bool:
        """Whether a fault keeps back all of it, its end included."""
        return bool(self._stallers) or self.source.is_shut

    # What faults do

    def stall(self, who: object, *, stalled: bool) -> None:
        """Hand nothing on, not even an end, until nobody wants that any more; then all of it."""
        (self._stallers.add if stalled else self._stallers.discard)(who)
        if not self._stallers:
            self.flush()
            self._feel()
            self.connection.heed(self)

    def hold(
        self, message: Message, fault: "AnyFault", due: float, lapsed: Callable[[], object] = lambda: None
    ) -> Held:
        """Keep a message: at that time of `proxy.clock` (`lapsed`), or with `release`, it goes on to later faults."""

        def lapse() -> None:
            lapsed()
            if held.number in self._held:
                self.release((held,))

        number = next(self._numbers)
        timer = asyncio.get_running_loop().call_at(due, self.connection.guarded(lapse))
        held = self._held[number] = Held(number, message, fault, timer)
        self._held_size += len(message.raw) + HELD_COSTS
        self._feel()
        return held

    def take_back(self, held: Held) -> Message:
        """What was held, for the fault to return among what goes on."""
        del self._held[held.number]
        held.timer.cancel()
        self._held_size -= len(held.message.raw) + HELD_COSTS
        self._feel()
        return held.message

    def release(self, some: Iterable[Held]) -> None:
        """They go on, unless the connection ended with one of those before."""
        faults = self._proxy.message_faults
        for held in some:
            if held.number in self._held:
                self._go_on(self.take_back(held), faults[faults.index(held.fault) + 1 :])
        if self._good_bye is not None and not self._held and not self._stopped:
            self._write(self._good_bye)
            self._good_bye = None
        self.connection.heed(self)

    def release_all(self, fault: "AnyFault") -> None:
        """All that a fault holds goes on."""
        self.release([held for held in self._held.values() if held.fault is fault])

    # Within

    def _control(self, frame: RawFrame) -> None:
        if frame.opcode == CLOSE:
            self.connection.closing(frame.content)
            if self._held:
                self._good_bye = frame.raw
            else:
                self._write(frame.raw)
        elif all(fault.on_frame(frame, self) for fault in self._proxy.faults):
            self._write(frame.raw)

    def _data(self, frame: RawFrame) -> None:
        if not self._assembler.fits(frame):
            self._splitter.give_up()
            self._unread(frame)
            return
        faults = self._proxy.message_faults
        if self._assembler.is_idle:
            self._straight = not faults
        message = self._assembler.add(frame)
        if message is not None and message.kind == "join" and self.direction == "up":
            self.connection.joined(message)
        if self._straight:
            self._write(frame.raw)
            if message is not None:
                self._proxy.passed[self.direction] += 1
        elif message is not None:
            self._go_on(message, faults)

    def _unread(self, frame: RawFrame) -> None:
        """It is no WebSocket, and none from there on: for the other side to judge, with all that came before it."""
        if not self._is_broken:
            self._is_broken = True
            self._proxy.say(f"{self.connection.name} {self.direction}: no WebSocket any more; it passes unread")
            while self._held:  # it came before
                self.release(list(self._held.values()))
            if not self._straight:
                self._write(self._assembler.begun)
        self._write(frame.raw)

    def _go_on(self, message: Message, faults: "Sequence[AnyFault]") -> None:
        if self._stopped:
            return
        for place, fault in enumerate(faults):
            instead = (fault.on_message if fault.means(message, self) else fault.on_other)(message, self)
            if instead is not None:
                for one in instead:
                    self._go_on(one, faults[place + 1 :])
                return
        self._proxy.passed[self.direction] += 1
        self._write(message.raw)

    def _write(self, content: bytes) -> None:
        self._out.append(content)
        self._out_size += len(content)
        if not self._is_feeding:
            self.flush()

    def _feel(self) -> None:
        """Read no further while too much is kept."""
        stalled = bool(self._stallers) and self._out_size > HIGH_WATER
        self.source.hold(self, held=stalled or self._held_size > MAX_HELD)
