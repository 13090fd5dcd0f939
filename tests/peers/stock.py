"""The platform's dialect on stock python-socketio and uvicorn, from its description alone: a second opinion on wsctl.

    python -m tests.peers.stock --port 0 --rate 20

Nothing of wsctl is imported. Left out of the dialect: compact prices, slow readers (python-socketio queues for them
without end), and a close of ours behind DISCONNECT (stock servers leave that to the client).
"""

import argparse
import asyncio
import math
import random
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import jwt
import socketio
import uvicorn

Payload = dict[str, Any]

SECRET = "wsctl-dev"
HEARTBEAT_AFTER = 5.0
"""seconds of silence on a channel"""
BOT_PACE = 0.5
"""seconds between two trades of a bot"""
BOT_FEEDS = ("status", "trades", "positions", "logs")
LEVELS = 5
"""per side of a book"""


class Channel:
    """One numbered sequence; `state` is what is pushed at subscription, if anything."""

    def __init__(self, name: str, event: str, state: Callable[[], Iterable[Payload]]) -> None:
        self.name = name
        self.event = event
        self.state = state
        self.seq = 0
        self.last_sent = time.monotonic()


class Refusal(Exception):
    """A request, or one name in it, is not served: code and message."""


class Feed:
    """Channels, who may listen to them, and the events that clients send."""

    def __init__(self, sio: socketio.AsyncServer, symbols: list[str], max_per_user: int) -> None:
        self._sio = sio
        self._max_per_user = max_per_user
        self._epoch = secrets.token_hex(4)
        self._channels: dict[str, Channel] = {}
        self._users: dict[str, str] = {}
        """by connection"""
        self._connections: dict[str, list[str]] = {}
        """by user, the oldest first"""
        self._bots: dict[str, asyncio.Task[None]] = {}
        """by user"""
        self.markets = [Market(self, symbol) for symbol in symbols]
        self.open("price:public", "price:update", lambda: [market.price for market in self.markets if market.price])
        self.open("announcement", "announcement")
        sio.on("connect", self._connect)
        sio.on("disconnect", self._disconnect)
        sio.on("time:sync", self._time_sync)
        sio.on("price:subscribe", self._served(lambda sid, names: self._subscribe(sid, names, _ticker)))
        sio.on("price:unsubscribe", self._served(lambda sid, names: self._unsubscribe(sid, names, _ticker)))
        sio.on("channel:subscribe", self._served(lambda sid, names: self._subscribe(sid, names, str)))
        sio.on("channel:unsubscribe", self._served(lambda sid, names: self._unsubscribe(sid, names, str)))
        sio.on("bot:subscribe", self._served(self._bot_subscribe))
        sio.on("bot:subscribe:one", self._served(self._bot_subscribe_one))

    # Sending

    def open(self, name: str, event: str, state: Callable[[], Iterable[Payload]] = tuple) -> None:
        """Make a channel."""
        self._channels[name] = Channel(name, event, state)

    async def publish(self, name: str, body: Payload, due: float | None = None) -> None:
        """Number an event and send it to whoever listens; `due` at its source, in unix seconds."""
        channel = self._channels[name]
        channel.seq += 1
        channel.last_sent = time.monotonic()
        source = {} if due is None else {"sourceTime": _ms(due)}
        await self._sio.emit(channel.event, {**body, **self._stamp(channel), **source}, room=name)

    async def heartbeats(self) -> None:
        """On every silent channel, so that a lost last message shows."""
        while True:
            await asyncio.sleep(0.5)
            for channel in tuple(self._channels.values()):
                if time.monotonic() - channel.last_sent >= HEARTBEAT_AFTER:
                    channel.last_sent = time.monotonic()
                    body = {"channel": channel.name, "nextSeq": channel.seq + 1, "epoch": self._epoch}
                    await self._sio.emit("channel:heartbeat", {**body, "timestamp": _now()}, room=channel.name)

    def _stamp(self, channel: Channel) -> Payload:
        return {"channel": channel.name, "seq": channel.seq, "epoch": self._epoch, "timestamp": _now()}

    async def _join(self, sid: str, name: str) -> None:
        channel = self._channels[name]
        # Neither call gives way to other tasks before it has done its work: no update can come between.
        await self._sio.enter_room(sid, name)
        for body in tuple(channel.state()) if channel.seq else ():
            await self._sio.emit(channel.event, {**body, **self._stamp(channel), "snapshot": True}, to=sid)

    # Who is there

    async def _connect(self, sid: str, environ: Any, auth: Any) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        if token is None:
            return
        try:
            user: str = jwt.decode(token, SECRET, algorithms=["HS256"])["sub"]
        except (jwt.PyJWTError, KeyError) as error:
            raise socketio.exceptions.ConnectionRefusedError("Authentication error") from error
        self._users[sid] = user
        self._start_bots(user)
        connections = self._connections.setdefault(user, [])
        connections.append(sid)
        while len(connections) > self._max_per_user:
            oldest = connections.pop(0)
            await self._sio.emit("connection:closing", {"reason": "evicted", "retry": False}, to=oldest)
            await self._sio.disconnect(oldest)

    async def _disconnect(self, sid: str, reason: str) -> None:
        connections = self._connections.get(self._users.pop(sid, ""), [])
        if sid in connections:
            connections.remove(sid)

    # What they ask for

    def _served(self, handler: Callable[[str, list[str]], Awaitable[list[str]]]) -> Callable[..., Awaitable[Payload]]:
        """Takes names in a list, as several arguments or as one; answers what was done, or the refusal."""

        async def serve(sid: str, *args: Any) -> Payload:
            names = args[0] if len(args) == 1 and isinstance(args[0], list) else list(args)
            try:
                if not all(isinstance(name, str) for name in names):
                    raise Refusal("bad_request", "expected a list of names")
                return {"ok": True, "subscribed": await handler(sid, names)}
            except Refusal as refusal:
                code, message, *served = refusal.args
                if code == "access_denied":
                    await self._sio.emit("error", {"message": message, "code": code}, to=sid)
                return {"ok": False, "code": code, "message": message, "subscribed": served}

        return serve

    async def _subscribe(self, sid: str, names: list[str], channel_of: Callable[[str], str]) -> list[str]:
        """Join what can be joined; the first refusal gives code and message."""
        served: list[str] = []
        refusal: Refusal | None = None
        for name in names:
            try:
                self._check(sid, channel_of(name))
                await self._join(sid, channel_of(name))
                served.append(name)
            except Refusal as error:
                refusal = refusal or error
        if refusal is not None:
            raise Refusal(*refusal.args, *served)
        return served

    async def _unsubscribe(self, sid: str, names: list[str], channel_of: Callable[[str], str]) -> list[str]:
        for name in names:
            await self._sio.leave_room(sid, channel_of(name))
        return []

    async def _bot_subscribe(self, sid: str, names: list[str]) -> list[str]:
        if sid not in self._users:
            raise Refusal("auth_required", "bots need a token")
        bots = _bots_of(self._users[sid])
        await self._subscribe(sid, [f"bot:{bot}:{feed}" for bot in bots for feed in BOT_FEEDS[:3]], str)
        await self._sio.emit("bot:subscribed", bots, to=sid)
        return bots

    async def _bot_subscribe_one(self, sid: str, names: list[str]) -> list[str]:
        await self._subscribe(sid, [f"bot:{bot}:{feed}" for bot in names for feed in BOT_FEEDS], str)
        return names

    def _check(self, sid: str, name: str) -> None:
        kind, _, rest = name.partition(":")
        if kind in ("user", "bot"):
            if sid not in self._users:
                raise Refusal("auth_required", f"{name} needs a token")
            user = self._users[sid]
            if rest.partition(":")[0] not in (_bots_of(user) if kind == "bot" else [user]):
                raise Refusal("access_denied", "Access denied")
        if name not in self._channels:
            raise Refusal("unknown_symbol" if kind == "symbol" else "unknown_channel", f"there is no {name}")

    async def _time_sync(self, sid: str) -> Payload:
        return {"ok": True, "serverTime": _now()}

    # What a user owns

    def _start_bots(self, user: str) -> None:
        if user in self._bots:
            return
        self.open(f"user:{user}:notifications", "notification")
        self.open(f"user:{user}:balance", "balance:update")
        for bot in _bots_of(user):
            self.open(f"bot:{bot}:status", "bot:status", lambda bot=bot: [_status(bot, self.markets[0])])
            for feed in ("trade", "position", "log"):
                self.open(f"bot:{bot}:{feed}s", f"bot:{feed}")
        self._bots[user] = asyncio.create_task(self._trade(user))

    async def _trade(self, user: str) -> None:
        """The user's bots take turns to buy, for ever."""
        market, number = self.markets[0], 0
        while True:
            for bot in _bots_of(user):
                number += 1
                price, symbol = market.value, market.symbol
                trade = {"id": number, "symbol": symbol, "side": "buy", "price": price, "quantity": 1, "time": _now()}
                position = {"symbol": symbol, "size": number, "entryPrice": price, "unrealizedPnl": 0.0}
                note = {"id": number, "level": "info", "title": "Bought", "body": f"{bot} bought {symbol}"}
                await self.publish(f"bot:{bot}:trades", {"botId": bot, "trade": trade})
                await self.publish(f"bot:{bot}:positions", {"botId": bot, "position": position})
                await self.publish(f"bot:{bot}:logs", {"botId": bot, "level": "info", "message": "bought"})
                await self.publish(f"bot:{bot}:status", _status(bot, market))
                await self.publish(f"user:{user}:balance", {"asset": "USDT", "free": 1e9 - number, "locked": 0.0})
                await self.publish(f"user:{user}:notifications", note)
            await asyncio.sleep(BOT_PACE)


class Market:
    """One symbol: its price, its book and its trades."""

    def __init__(self, feed: Feed, symbol: str) -> None:
        self.symbol = symbol
        self.value = 100.0
        self.price: Payload = {}
        self._feed = feed
        self._book = {
            "bids": {99.0 - level: 1.0 for level in range(LEVELS)},
            "asks": {101.0 + level: 1.0 for level in range(LEVELS)},
        }
        self._channels = [f"symbol:{symbol}:{feed}" for feed in ("ticker", "orderbook", "trades")]
        feed.open(self._channels[0], "price:update", lambda: [self.price])
        feed.open(self._channels[1], "orderbook:update", lambda: [self._whole_book()])
        feed.open(self._channels[2], "trade:update")

    async def play(self, rate: float, offset: float) -> None:
        """Tick for ever, by a schedule that lateness does not move."""
        start, number = time.time() + offset, 0
        while True:
            number += 1
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.time()))
            await self._tick(number, due)

    async def _tick(self, number: int, due: float) -> None:
        publish, (ticker, book, trades) = self._feed.publish, self._channels
        symbol, value = self.symbol, round(100 + math.sin(number / 10) / 2, 2)
        self.value = value
        self.price = {"symbol": symbol, "price": value, "bid": value - 0.1, "ask": value + 0.1, "volume": number / 10}
        await publish(ticker, self.price, due)
        await publish("price:public", self.price, due)
        side = random.choice(("bids", "asks"))
        level, size = random.choice(list(self._book[side])), round(random.uniform(0.1, 2), 2)
        self._book[side][level] = size
        await publish(book, {"symbol": symbol, "bids": [], "asks": [], side: [[level, size]]}, due)
        trade = {"symbol": symbol, "id": number, "price": value, "quantity": 0.1, "side": "buy"}
        await publish(trades, trade, due)

    def _whole_book(self) -> Payload:
        bids, asks = self._book["bids"].items(), self._book["asks"].items()
        return {"symbol": self.symbol, "bids": sorted(bids, reverse=True), "asks": sorted(asks)}


def _bots_of(user: str) -> list[str]:
    return [f"{user}-bot-1", f"{user}-bot-2"]


def _status(bot: str, market: Market) -> Payload:
    return {"botId": bot, "status": "running", "symbol": market.symbol, "pnl": 0.0}


def _ticker(symbol: str) -> str:
    return f"symbol:{symbol}:ticker"


def _now() -> float:
    return _ms(time.time())


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def main() -> None:
    """Serve until told to stop; the first line of stdout is the URL."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.stock", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--symbols", default="BTC/USDT,ETH/USDT,SOL/USDT,XRP/USDT,ADA/USDT,DOGE/USDT,BNB/USDT,DOT/USDT")
    parser.add_argument("--rate", type=float, default=10.0, help="ticks a second and symbol")
    parser.add_argument("--max-per-user", type=int, default=3)
    options = parser.parse_args()
    sio = socketio.AsyncServer(async_mode="asgi", ping_interval=25, ping_timeout=60)
    feed = Feed(sio, options.symbols.split(","), options.max_per_user)
    listener = socket.create_server(("127.0.0.1", options.port), backlog=4096)
    tasks: list[asyncio.Task[None]] = []

    async def start() -> None:
        apart = 1 / options.rate / len(feed.markets)
        plays = [market.play(options.rate, place * apart) for place, market in enumerate(feed.markets)]
        tasks.extend(map(asyncio.create_task, (*plays, feed.heartbeats())))
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)

    app = socketio.ASGIApp(sio, on_startup=start)
    config = uvicorn.Config(app, log_level="warning", ws_per_message_deflate=False, timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
