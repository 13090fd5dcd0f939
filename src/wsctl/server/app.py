"""The mock feed as something to start and stop: sockets, platform and services put together."""

import asyncio
import math
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

from msgspec import structs

from wsctl.clock import Clock, SystemClock
from wsctl.errors import UsageError
from wsctl.server import defaults
from wsctl.server.control import control_routes
from wsctl.server.endpoint import ConnectionLog
from wsctl.server.http import build_app
from wsctl.server.listening import Listening
from wsctl.server.metrics import Sample, Sampler
from wsctl.server.options import ServeOptions
from wsctl.server.platform import Platform
from wsctl.server.services.prices import PriceService
from wsctl.server.sockets import is_loopback
from wsctl.server.sources.recorded import RecordedSource
from wsctl.server.sources.simulated import SimulatedSource
from wsctl.server.sources.tick import Source
from wsctl.spec.nearest import nearest

HEARTBEAT_SILENCE = 5.0
"""seconds of silence on a channel after which it gets a heartbeat"""

LEAST = {"max_payload": 100, "max_events": 1, "max_subscriptions": 1, "max_per_user": 0, "max_connections": 0}
"""what options must be at least; the command line says so itself, a config file or a test does not"""

TRANSPORTS = ("polling", "websocket")


class MockFeed:
    """A running mock feed: `async with MockFeed(options) as feed: …`.

    Entering raises UsageError for options that make no sense, a port in use or a bad prices file.
    """

    def __init__(
        self,
        options: ServeOptions,
        *,
        clock: Clock | None = None,
        on_log: Callable[[ConnectionLog], None] = lambda log: None,
        on_sample: Callable[[Sample], None] = lambda sample: None,
    ) -> None:
        self.seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
        self.options = structs.replace(options, seed=self.seed)
        self._clock = clock or SystemClock()
        self._on_log = on_log
        self._on_sample = on_sample
        self.url = ""
        self.symbols: tuple[str, ...] = ()

    async def __aenter__(self) -> "MockFeed":
        _check(self.options)
        source = _source(self.options, self.seed)
        self._listening = Listening(self.options)
        self.symbols = source.symbols
        self.url = self._listening.url

        loop = asyncio.get_running_loop()
        self.platform = Platform(self.options, self._clock, loop, self._on_log, source.symbols)
        self.prices = PriceService(
            self.platform.hub,
            source,
            self._clock,
            self.platform.bots.on_price,
            throttle=self.options.throttle,
            wait=self.options.prices is not None,
        )
        self.platform.requests.on_subscription = self.prices.start
        routes = control_routes(self.platform, self.prices) if self.options.control else []
        self._tasks = [
            await self._listening.serve(self.platform, build_app(self.platform, routes)),
            asyncio.create_task(self.prices.run(), name="prices"),
            asyncio.create_task(self._beat(), name="heartbeats"),
            asyncio.create_task(Sampler(self.platform, self._on_sample).run(), name="metrics"),
        ]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        uvicorn_task, *services = self._tasks
        for task in services:
            task.cancel()
        self._listening.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not uvicorn_task.cancelled() and (error := uvicorn_task.exception()):
            raise error

    async def wait(self) -> None:
        """Wait for ever; raises what breaks the server or a service."""
        running = set(self._tasks)
        while running:  # recorded prices come to an end; that is none
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.platform.hub.beat(HEARTBEAT_SILENCE)


def _check(options: ServeOptions) -> None:
    if options.jwt_secret == defaults.JWT_SECRET and not is_loopback(options.host):
        raise UsageError(
            f"refusing to listen on {options.host} with the public JWT secret",
            hint="set --jwt-secret, or listen on loopback",
        )
    if not options.jwt_secret:
        raise UsageError("the JWT secret is empty; expected some text")
    if options.prices is not None and options.symbols is not None:
        raise UsageError("--prices brings its own symbols; --symbols cannot be given with it")
    if not 0 <= options.port <= 65535:
        raise UsageError(f"port is {options.port}; expected 0 to 65535")
    for name in ("ping_interval", "ping_timeout", "connect_timeout"):
        if not 0 < getattr(options, name) < math.inf:
            raise UsageError(f"{name} is {getattr(options, name):g} s; expected a finite time above 0")
    if not 0 <= options.throttle < math.inf:
        raise UsageError(f"throttle is {options.throttle:g} s; expected a finite time, 0 or more")
    for name, least in LEAST.items():
        if getattr(options, name) < least:
            raise UsageError(f"{name} is {getattr(options, name)}; expected {least} or more")
    if not 0 < options.rate <= 10_000:
        raise UsageError(f"rate is {options.rate:g}; expected more than 0 and at most 10000 a second")
    _check_choices(options)
    for origin in options.cors_origin:
        if "*" in origin:  # for requests with credentials, which Socket.IO's may be, browsers take no wildcard
            raise UsageError(f"{origin!r} names no origin; expected one such as https://app.example")


def _check_choices(options: ServeOptions) -> None:
    """A misspelt word must not pass for another: `--auth requird` would let everybody in."""
    for name, kind in get_type_hints(ServeOptions).items():
        if get_origin(kind) is Literal:
            _check_choice(name, getattr(options, name), get_args(kind))
    for transport in options.transports:
        _check_choice("transports", transport, TRANSPORTS)
    if not options.transports:
        raise UsageError(f"transports names none; expected {' or '.join(TRANSPORTS)}")


def _check_choice(name: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        near = nearest(given, allowed)
        raise UsageError(
            f"{name} is {given!r}; expected {' or '.join(allowed)}", hint=f"did you mean {near}?" if near else None
        )


def _source(options: ServeOptions, seed: int) -> Source:
    if options.prices is not None:
        return RecordedSource(Path(options.prices), options.price_speed, options.price_loop, seed=seed)
    return SimulatedSource(options.symbols or defaults.SYMBOLS, rate=options.rate, seed=seed)
