"""freeze-channel: one channel falls silent while all else goes on, heartbeats of the transport included."""

from collections.abc import Sequence

from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream
from wsctl.errors import UsageError


class FreezeChannelSpec(FaultSpec, frozen=True, kw_only=True):
    """A channel falls silent: nothing about it comes, what says its numbers included. Ask for `channel` or `symbol`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.channel is None and self.symbol is None:
            raise UsageError("freeze-channel freezes a channel; expected channel or symbol")


class FreezeChannel(Fault[FreezeChannelSpec]):
    """Withholds all that is about a channel."""

    type_name = "freeze-channel"
    options = FreezeChannelSpec
    kinds = frozenset({"event", "heartbeat"})

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """Nothing."""
        self.fire("withheld", stream.connection, message)
        return ()
