"""Stream: one direction of a connection: bytes, frames, messages, what the faults let through, and bytes again."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from wsctl.chaos.message import Assembler, Direction, Message, Reader
from wsctl.chaos.side import Side
from wsctl.wire.frames import CLOSE, Splitter

if TYPE_CHECKING:
    from wsctl.chaos.connection import Connection
    from wsctl.chaos.fault import AnyFault

MAX_KEPT = 16 * 1024 * 1024
"""bytes of a stalled stream; past them its source is read no further"""
MAX_FRAME = 64 * 1024 * 1024
"""bytes of a frame that may be held"""


class Stream:
    """Feed it what one side says; it writes what the other side is to hear."""

    def __init__(
        self, connection: "Connection", direction: Direction, source: Side, sink: Side, reader: Reader
    ) -> None:
        self.connection = connection
        self.direction: Direction = direction
        self.source = source
        self._sink = sink
        self._splitter = Splitter(MAX_FRAME)
        self._assembler = Assembler(direction, reader)
        self._out: list[bytes] | None = None
        """what goes out at the end of the bytes that are being fed"""
        self._stalling: set[object] = set()
        self._kept = b""
        """what came while it was stalled"""
        self._held = 0
        """messages that faults hold"""
        self._then: Callable[[], None] | None = None
        """to be done once nothing is held"""

    def stall(self, who: object, *, stalled: bool) -> None:
        """Keep what comes until nobody stalls it; it is read no further once that is a lot."""
        (self._stalling.add if stalled else self._stalling.discard)(who)
        if not self._stalling and (kept := self._kept):
            self._kept = b""
            self.source.hold(self, held=False)
            self.feed(kept)

    def feed(self, received: bytes) -> None:
        """Take bytes. Raises WireError for frames that nobody may hold."""
        if self._stalling:
            self._kept += received
            self.source.hold(self, held=len(self._kept) > MAX_KEPT)
            return
        self._out = []
        try:
            for frame in self._splitter.feed(received):
                if frame.is_control:
                    if frame.opcode == CLOSE:
                        self.connection.closing(self.direction, frame.content)
                    if all(fault.on_frame(frame, self) for fault in self.connection.proxy.faults):
                        self._out.append(frame.raw)
                elif (message := self._assembler.add(frame)) is not None:
                    if message.kind == "join" and self.direction == "up":
                        self.connection.joined(message)
                    self._go_on(message, self.connection.proxy.faults)
        finally:
            out, self._out = self._out, None
            if out:
                self._sink.write(b"".join(out))

    def hold(self) -> None:
        """A fault holds a message: this side does not end before it is released."""
        self._held += 1

    def release(self, message: Message, fault: "AnyFault") -> None:
        """Let a message go on that a fault held, to the faults after it."""
        self._held -= 1
        faults = self.connection.proxy.faults
        after = faults[faults.index(fault) + 1 :] if fault in faults else ()
        self._go_on(message, after)
        if not self._held and self._then is not None:
            self._then()

    def when_done(self, then: Callable[[], None]) -> None:
        """Do something once nothing is held any more."""
        self._then = then
        if not self._held:
            then()

    def write(self, content: bytes) -> None:
        """To the other side, in turn."""
        if self._out is not None:
            self._out.append(content)
        else:
            self._sink.write(content)

    def _go_on(self, message: Message, faults: "Sequence[AnyFault]") -> None:
        for place, fault in enumerate(faults):
            if fault.means(message, self):
                for one in fault.on_message(message, self):
                    self._go_on(one, faults[place + 1 :])
                return
        self.connection.proxy.passed[self.direction] += 1
        self.write(message.raw)
        for fault in faults:
            fault.passed(message, self)
