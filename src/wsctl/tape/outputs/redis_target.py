"""RedisTarget: recorded prices, published to Redis; the door through which redis-py's exceptions are translated."""

import errno
import os
import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, InvalidResponse, RedisError, ResponseError

from wsctl.errors import Refused, TargetError, Unreachable, UsageError
from wsctl.model.channel import PRICE_PUBLIC
from wsctl.model.event import PRICE_UPDATE, Event
from wsctl.tape.outputs.target import TargetOutput
from wsctl.tape.player import Played
from wsctl.wire.dialect import Dialect

TIMEOUT: Final = 10.0
"""seconds for Redis to take a connection, and for each answer of it"""
PREFIX: Final = "price:"
"""before the symbol, in the name of what is published to"""

_SCHEMES: Final = ("redis", "rediss")


class RedisTarget(TargetOutput):
    """Publishes each price as JSON `{symbol, price, …}` to `price:{SYMBOL}`, the symbol as it is spelled.

    A price of the platform is a `price:update`, with all that was said beside it; of `price:public`, which repeats the
    tickers, none. Elsewhere it is what the dialect takes for one, with the `timestamp` in ms where there is one. All
    else is left out. `url` is `redis://[[user]:password@]host[:port][/db]`. Raises UsageError for any other.
    """

    unit = "prices"

    def __init__(self, url: str, dialect: Dialect | None) -> None:
        super().__init__(_shown(url))
        self._dialect = dialect
        self._redis = Redis.from_url(
            url,
            single_connection_client=True,
            socket_connect_timeout=TIMEOUT,
            socket_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),  # a price that was lost must not pass for one that was sent
        )

    async def _connect(self) -> None:
        try:
            await self._redis.ping()
        except RedisError as error:
            raise _translated(self._shown, error) from error

    async def put(self, played: Played) -> None:
        if played.frame.direction == "in" and not played.events:
            self.left_out += 1
        for event in played.events:
            price = self._price(event)
            if price is None:
                self.left_out += 1
            else:
                await self._publish(f"{PREFIX}{price['symbol']}", msgspec.json.encode(price))

    async def _publish(self, name: str, message: bytes) -> None:
        try:
            await self._redis.publish(name, message)
        except RedisError as error:
            raise self._gone(_word(error)) from error
        self.sent += 1

    async def close(self) -> None:
        await self._redis.aclose()

    def _price(self, event: Event) -> dict[str, Any] | None:
        """What is published of an event; None where it is no price."""
        if self._dialect is None:
            return _platform_price(event)
        quote = self._dialect.quote(event.channel or "", event.data)
        if quote.symbol is None or quote.price is None:
            return None
        sent = {} if event.sent_at is None else {"timestamp": round(event.sent_at * 1000, 3)}
        return {"symbol": quote.symbol, "price": quote.price, **sent}


def _platform_price(event: Event) -> dict[str, Any] | None:
    if event.name != PRICE_UPDATE or event.channel == PRICE_PUBLIC or not isinstance(event.data, dict):
        return None
    symbol = event.data.get("symbol", event.data.get("s"))
    price = event.data.get("price", event.data.get("p"))
    if not isinstance(symbol, str) or price is None:
        return None
    return {"symbol": symbol, "price": price, **event.data}


def _shown(url: str) -> str:
    """The URL without user and password. Raises UsageError, which repeats neither."""
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
    except ValueError as error:
        raise UsageError(f"bad Redis URL: {str(error).lower()}; expected redis://host:port/db") from error
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.query or parts.fragment:
        raise UsageError("bad Redis URL; expected redis://host:port/db")
    if not re.fullmatch(r"/?\d*", parts.path):
        raise UsageError(f"bad Redis database {parts.path[1:]!r}; expected a number, as in redis://host:port/0")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}"


def _translated(shown: str, error: RedisError) -> TargetError:
    """Why there is no connection."""
    if isinstance(error, InvalidResponse):
        return Unreachable(f"{shown} answers, but not as Redis", hint="is it the right port?", answered=True)
    if isinstance(error, AuthenticationError | ResponseError):
        hint = "redis://:password@host or redis://user:password@host lets you in"
        return Refused(f"{shown} refused the connection: {_word(error)}", hint=hint)
    return Unreachable(f"{shown}: {_word(error)}", hint="is a Redis server running there?")


def _word(error: BaseException) -> str:
    """The system's word for it, if it is the cause; else the library's, in one line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
            return os.strerror(cause.errno).lower()
        cause = cause.__cause__ or cause.__context__
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
