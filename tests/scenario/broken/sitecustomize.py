"""Breaks `wsctl serve`, where this folder is on PYTHONPATH: each of the suite's expectations must be able to fail.

WSCTL_TEST_BREAK names what to break, one of the functions here marked `@a_break`. It is done to the service that a
scenario starts, and to nothing else; what cannot be broken any more, since it has another name now, ends the process.
"""

import asyncio
import hashlib
import itertools
import os
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

EVERY = 25
"""of so many messages on a channel, one is lost, repeated or moved"""
DELAY = 0.6
"""seconds"""

BREAKS: dict[str, Callable[[], None]] = {}


def a_break(function: Callable[[], None]) -> Callable[[], None]:
    """Known by its name, with dashes."""
    BREAKS[function.__name__.replace("_", "-")] = function
    return function


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put something in the place of a function or constant, made of what is there."""
    if name not in vars(owner):
        raise AttributeError(f"{owner.__name__} has no {name} any more: tests/scenario/broken must follow")
    setattr(owner, name, make(vars(owner)[name]))


# The order of messages


def _on_publish(around: Callable[[Callable[..., None], Any], None]) -> None:
    """`around` is called for each message, with what publishes it and its channel."""
    from wsctl.server.hub import Hub

    def make(publish: Any) -> Any:
        def broken(self: Any, channel_name: str, *args: Any, **more: Any) -> None:
            around(lambda: publish(self, channel_name, *args, **more), self.channels[channel_name])

        return broken

    replace(Hub, "publish", make)


@contextmanager
def _nobody_listens(channel: Any) -> Iterator[None]:
    audiences, channel.audiences = channel.audiences, {}
    yield
    channel.audiences = audiences


def _send_again(channel: Any, message: Any) -> None:
    for encoding, audience in channel.audiences.items():
        for transport in tuple(audience.direct.values()):
            transport.write(message.frame(encoding))
        for subscriber in tuple(audience.held):
            subscriber.offer(message)


def _is_next(channel: Any) -> bool:
    return (channel.seq + 1) % EVERY == 0


@a_break
def drop() -> None:
    """Number a message and lose it."""

    def around(publish: Any, channel: Any) -> None:
        if _is_next(channel):
            with _nobody_listens(channel):
                publish()
        else:
            publish()

    _on_publish(around)


@a_break
def repeat() -> None:
    """Send a message twice."""

    def around(publish: Any, channel: Any) -> None:
        publish()
        if channel.seq % EVERY == 0:
            _send_again(channel, channel.latest)

    _on_publish(around)


@a_break
def swap() -> None:
    """Send a message after the one that follows it."""
    waiting: dict[Any, Any] = {}

    def around(publish: Any, channel: Any) -> None:
        if _is_next(channel):
            with _nobody_listens(channel):
                publish()
            waiting[channel] = channel.latest
            return
        publish()
        if channel in waiting:
            _send_again(channel, waiting.pop(channel))

    _on_publish(around)


@a_break
def fall() -> None:
    """Count from 1 again, over and over, without another epoch."""

    def around(publish: Any, channel: Any) -> None:
        if channel.seq == 2 * EVERY:
            channel.seq = 0
        publish()

    _on_publish(around)


@a_break
def leave_out() -> None:
    """Save work: leave a message out, and say so."""
    from wsctl.server import delivery

    declare = delivery._declare

    def around(publish: Any, channel: Any) -> None:
        if not _is_next(channel):
            publish()
            return
        with _nobody_listens(channel):
            publish()
        for subscriber in channel.subscribers():
            declare(subscriber, channel, channel.seq, channel.seq, "busy")

    _on_publish(around)


@a_break
def number_before_throttling() -> None:
    """Give a seq to the prices that a throttle holds back, too."""
    from wsctl.model.channel import ticker
    from wsctl.server.services.throttle import Throttle

    def make(offer: Any) -> Any:
        def broken(self: Any, symbol: str, *args: Any) -> None:
            hub = self._publish.__self__._hub
            hub.channels[ticker(symbol)].seq += symbol in self._newest
            offer(self, symbol, *args)

        return broken

    replace(Throttle, "offer", make)


@a_break
def no_snapshots() -> None:
    """Tell who subscribes nothing of the current state."""
    from wsctl.server.hub import Hub

    replace(Hub, "push_snapshot", lambda push: lambda self, subscriber, channel: None)


# Time, and whom a message reaches


@a_break
def delay() -> None:
    """Stamp every message when it should go out, and send it later."""
    from wsctl.server.hub import Hub

    class Behind:
        def __init__(self, clock: Any) -> None:
            self.monotonic = clock.monotonic
            self.now = lambda: clock.now() - DELAY

    def make_init(init: Any) -> Any:
        def broken(self: Any, clock: Any, *args: Any, **more: Any) -> None:
            init(self, Behind(clock), *args, **more)

        return broken

    def make_publish(publish: Any) -> Any:
        def broken(*args: Any, **more: Any) -> None:
            asyncio.get_running_loop().call_later(DELAY, lambda: publish(*args, **more))

        return broken

    replace(Hub, "__init__", make_init)
    replace(Hub, "publish", make_publish)


@a_break
def stall_source() -> None:
    """Make every price late, and stamp it with the time at which it went out all the same."""
    from wsctl.server.services.prices import PriceService

    def make(wait_for: Any) -> Any:
        async def broken(self: Any, due: float) -> None:
            await wait_for(self, due + DELAY)

        return broken

    replace(PriceService, "_wait_for", make)


@a_break
def serve_half_later() -> None:
    """Every second subscriber gets each message later."""
    from wsctl.server.hub import Audience

    class Later:
        def __init__(self, transport: Any) -> None:
            self._transport = transport

        def write(self, data: bytes) -> None:
            asyncio.get_running_loop().call_later(DELAY, self._transport.write, data)

    def make(place: Any) -> Any:
        def broken(self: Any, subscriber: Any) -> None:
            place(self, subscriber)
            if subscriber in self.direct and _share(subscriber.name, 2):
                self.direct[subscriber] = Later(self.direct[subscriber])

        return broken

    replace(Audience, "place", make)


@a_break
def forget_some() -> None:
    """Every third subscriber of one market gets its current price and nothing more."""
    from wsctl.server.hub import Channel

    def make(place: Any) -> Any:
        def broken(self: Any, subscriber: Any) -> None:
            if not (self.name == "symbol:ETH/USDT:ticker" and _share(subscriber.name, 3)):
                place(self, subscriber)

        return broken

    replace(Channel, "place", make)


def _share(client: str, of: int) -> bool:
    """Whether a client, by the id that it keeps, is one of every so many."""
    return zlib.crc32(client.encode()) % of == 0


# Who may do what


@a_break
def let_anybody_in() -> None:
    """Take a bad token for somebody's."""
    from wsctl.server import admission
    from wsctl.server.auth import User

    def make(verify: Any) -> Any:
        def broken(token: Any, secret: str) -> User:
            try:
                return verify(token, secret)
            except admission.BadToken:
                return User("mallory")

        return broken

    replace(admission, "verify", make)


@a_break
def open_private_channels() -> None:
    """Serve every user's bots and channels to whoever has a token."""
    from wsctl.server.requests import Requests

    def make(check_owner: Any) -> Any:
        def broken(self: Any, client: Any, name: str) -> None:
            self._bots.ensure("bob")
            self._notifications.ensure("bob")

        return broken

    replace(Requests, "_check_owner", make)


@a_break
def serve_bots_to_strangers() -> None:
    """Take who has no token for somebody."""
    from wsctl.server import requests
    from wsctl.server.auth import User

    replace(requests, "_user_of", lambda user_of: lambda client, what: client.user or User("nobody"))


@a_break
def deny_everything() -> None:
    """Deny users their own bots."""
    from wsctl.server import requests

    def make(user_of: Any) -> Any:
        def broken(client: Any, what: str) -> None:
            raise requests.Denied("access_denied", "Access denied")

        return broken

    replace(requests, "_user_of", make)


# The limit of connections


@a_break
def evict_newest() -> None:
    """The one before the newest has to go."""
    from wsctl.server.admission import Admission

    def make(enter: Any) -> Any:
        def broken(self: Any, client: Any) -> Any:
            mine = [] if client.user is None else list(self._by_user.get(client.user.id, ()))
            return mine[-1:] if enter(self, client) else []

        return broken

    replace(Admission, "enter", make)


@a_break
def starve_survivors() -> None:
    """With the oldest, the user's other connections lose their subscriptions."""
    from wsctl.server.client import Client, Closing

    def make(dismiss: Any) -> Any:
        def broken(self: Any, reason: Any, **how: Any) -> None:
            if reason is Closing.EVICTED:
                for other in [one for one in self.platform.clients.values() if one.user == self.user]:
                    for channel in tuple(other.channels):
                        other.unsubscribe(channel)
            dismiss(self, reason, **how)

        return broken

    replace(Client, "dismiss", make)


@a_break
def invite_the_evicted() -> None:
    """Tell the evicted to come back."""
    from wsctl.server.client import Client

    def make(dismiss: Any) -> Any:
        def broken(self: Any, reason: Any, *, retry: bool, **how: Any) -> None:
            dismiss(self, reason, retry=True, **how)

        return broken

    replace(Client, "dismiss", make)


# Coming back


@a_break
def turn_some_away() -> None:
    """Every tenth client never gets in again."""
    from wsctl.server.client import Client

    seen: set[str] = set()

    def make(join: Any) -> Any:
        def broken(self: Any, namespace: str, auth: dict[str, Any]) -> None:
            name = auth["client"]
            if name in seen and _share(name, 10):
                self.cut()
            else:
                seen.add(name)
                join(self, namespace, auth)

        return broken

    replace(Client, "_join", make)


@a_break
def reset_some() -> None:
    """Reset every fifth TCP connection at once."""
    from wsctl.server.front_door import HttpProtocol

    numbers = itertools.count(1)

    def make(connection_made: Any) -> Any:
        def broken(self: Any, transport: Any) -> None:
            connection_made(self, transport)
            if next(numbers) % 5 == 0:
                transport.abort()

        return broken

    replace(HttpProtocol, "connection_made", make)


# Slow readers


@a_break
def hold_everything() -> None:
    """Keep all that a slow reader has not read, without end."""
    from wsctl.server import limits

    replace(limits, "WRITE_LIMIT", lambda _: 1 << 30)
    replace(limits, "CLOSE_LIMIT", lambda _: 1 << 30)


@a_break
def skip_in_silence() -> None:
    """Leave out what a slow reader misses without a word."""
    from wsctl.server import delivery

    replace(delivery, "_declare", lambda declare: lambda *args: None)


def _on_falling_behind(also: Callable[[Any], None]) -> None:
    from wsctl.server.client import Client

    def make(fell_behind: Any) -> Any:
        def broken(self: Any) -> None:
            if self._stall_timer is None:
                also(self)
            fell_behind(self)

        return broken

    replace(Client, "fell_behind", make)


@a_break
def wait_for_slow_readers() -> None:
    """Everybody waits for whoever falls behind."""
    _on_falling_behind(lambda client: time.sleep(1.0))


@a_break
def close_others() -> None:
    """When one falls behind, close those who listen to less."""
    from wsctl.server.client import Closing

    def close(client: Any) -> None:
        for other in tuple(client.platform.clients.values()):
            if len(other.channels) < len(client.channels):
                other.dismiss(Closing.REQUESTED, retry=True)

    _on_falling_behind(close)


# What the server costs


@a_break
def hog_memory() -> None:
    """Half a gigabyte, used."""
    BREAKS["hog-memory"].hog = bytearray(os.urandom(1) * (500 << 20))  # type: ignore[attr-defined]


@a_break
def burn_cpu() -> None:
    """Some 40 % of a core, beside the loop: hashing does not hold the interpreter's lock."""

    def burn() -> None:
        block = bytes(1 << 20)
        while True:
            began = time.thread_time()
            hashlib.sha256(block).digest()
            time.sleep(1.5 * (time.thread_time() - began))

    threading.Thread(target=burn, daemon=True).start()


# What hostile input does


@a_break
def die_of_an_event() -> None:
    """Of one named error, and of a subscription to an object: the process is gone."""
    from wsctl.server.requests import Requests

    def make(handle: Any) -> Any:
        def broken(self: Any, client: Any, name: str, args: list[Any], **more: Any) -> Any:
            if name == "error" or (name == "price:subscribe" and args and isinstance(args[0], dict)):
                os._exit(7)
            return handle(self, client, name, args, **more)

        return broken

    replace(Requests, "handle", make)


if (chosen := os.environ.get("WSCTL_TEST_BREAK")) and "serve" in sys.orig_argv:
    try:
        BREAKS[chosen]()
    except Exception:  # site would print a line and go on
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(4)
