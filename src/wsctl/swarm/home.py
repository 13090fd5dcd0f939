"""What the clients of one process share: the target and how it is dialled, what is counted, and chance."""

import asyncio
import logging
from random import Random
from typing import TYPE_CHECKING, Any

from picows import WSError

from wsctl.client.connection import OPEN_TIMEOUT
from wsctl.client.route import find_proxy, tls_context
from wsctl.client.speech import SOCKETIO, raw_speech
from wsctl.client.target import Reconnect, Target
from wsctl.model.lifecycle import Lifecycle
from wsctl.swarm.connection import MAX_MESSAGE
from wsctl.swarm.tally import Tally
from wsctl.wire.dialects import spoken

if TYPE_CHECKING:
    from wsctl.swarm.client import Client


class Home:
    """Clients are told where they are at home, and tell there what becomes of them."""

    def __init__(self, target: Target, reconnect: Reconnect, random: Random | None, *, hold: float) -> None:
        """`hold` (seconds): see ReconnectionCheck."""
        self.target = target
        self.reconnect = reconnect
        self.resubscribe = True
        """False: clients that come back forget to ask again"""
        self.random = random or Random()  # noqa: S311 (spreads attempts, names clients; protects nothing)
        self.dialect = spoken(target.dialect)
        """of a feed of others; None: the platform's"""
        self.is_raw = self.dialect is not None and self.dialect.over == "websocket"
        self.speech = raw_speech(self.dialect.name) if self.dialect is not None and self.is_raw else SOCKETIO
        self.tally = Tally(hold, self.dialect)
        self.dialling: dict[str, Any] = {}
        """what every connection is dialled with"""

    def prepare(self) -> None:
        """Find out how to dial. Raises UsageError for certificates and proxies that cannot be used."""
        self.dialling = _dialling(self.target, raw=self.is_raw)
        asyncio.get_running_loop().set_exception_handler(self._on_error)

    def way(self) -> dict[str, Any]:
        """The arguments of `ws_connect` for one more connection."""
        return self.dialling

    def arrived(self) -> None:
        """A client's first attempt came to its end."""

    def entered(self, client: "Client") -> None:
        """A client is in for the first time."""

    def given_up(self, client: "Client", reason: str) -> None:
        """A client will not be in, or no longer."""

    def stage(self, lifecycle: Lifecycle) -> None:
        """Something became of a connection."""
        self.tally.reconnection.stage(lifecycle)

    def settled(self) -> None:
        """A client is subscribed, refused, or has given up, for the first time."""

    def broken(self, error: Exception) -> None:
        """An error of our own: nothing that is measured from now on would be worth anything."""
        raise NotImplementedError

    def _on_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What a callback raised. picows' own complaints about a peer are counted where they are met."""
        error = context.get("exception")
        if isinstance(error, WSError):
            return
        self.broken(error if isinstance(error, Exception) else RuntimeError(context["message"]))


def _dialling(target: Target, *, raw: bool) -> dict[str, Any]:
    url = target.websocket_url if raw else target.engineio_url("websocket")
    quiet = logging.getLogger("wsctl.swarm.picows")
    quiet.disabled = True
    return {
        "url": url.replace("http", "ws", 1) if url.startswith("http") else url,
        "ssl_context": tls_context(target) if target.secure else None,
        "proxy": find_proxy(target),
        "extra_headers": list(target.headers),
        "websocket_handshake_timeout": OPEN_TIMEOUT,
        "max_frame_size": MAX_MESSAGE,
        "read_buffer_init_size": 2048,
        # on uvloop it ends the process (SIGABRT) when many peers reset at once: it watches sockets behind libuv's back
        "use_aiofastnet": False,
        "logger_name": logging.LoggerAdapter(quiet, {}),  # a logger would make one more for each connection
    }
