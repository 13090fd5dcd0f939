"""The mock platform: an endpoint with prices, bots and notifications behind it."""

import asyncio
import secrets
from collections.abc import Callable
from functools import partial

from wsctl.clock import Clock
from wsctl.server import conformance
from wsctl.server.admission import Admission
from wsctl.server.client import Client
from wsctl.server.endpoint import ConnectionLog, Endpoint
from wsctl.server.handshake import SOCKETIO_PATH
from wsctl.server.hub import Hub
from wsctl.server.options import ServeOptions
from wsctl.server.requests import Requests
from wsctl.server.services.bots import BotService
from wsctl.server.services.notifications import NotificationService


class Platform(Endpoint):
    """The mock platform without its sockets."""

    def __init__(
        self,
        options: ServeOptions,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        on_log: Callable[[ConnectionLog], None],
        symbols: tuple[str, ...],
    ) -> None:
        hub = Hub(clock, epoch=secrets.token_hex(4))
        super().__init__(options, clock, loop, on_log, hub=hub, admission=Admission(options))
        self.notifications = NotificationService(hub)
        self.bots = BotService(hub, symbols, options.seed or 0, self.notifications)
        self.requests = Requests(hub, clock, self.bots, self.notifications, max_subscriptions=options.max_subscriptions)
        self.applications = {SOCKETIO_PATH: partial(Client, self)}
        if options.conformance:
            conformance.install(self)
