"""Binance spot and USD-M futures market streams: `btcusdt@depth@100ms` and the like, both ends.

Source of every rule: binance-spot-api-docs, web-socket-streams.md; where it is silent, what was measured. An
acknowledgement proves nothing: an unknown symbol is acknowledged, listed, and never heard of.
"""

import re
from collections.abc import Sequence
from typing import Any

from msgspec import Raw, Struct, ValidationError
from msgspec.json import Decoder

from wsctl.errors import WireError
from wsctl.model.event import Event
from wsctl.wire import binance_streams as streams
from wsctl.wire.binance_rest import BinanceRest
from wsctl.wire.dialect import (
    Asked,
    Carrier,
    Exists,
    Frame,
    KeepAlive,
    Link,
    Notice,
    Objected,
    Quote,
    Received,
    Reply,
    Scheme,
    Subscribed,
    Unsubscribed,
    everything,
)
from wsctl.wire.rest import Rest
from wsctl.wire.values import decode_json, encode_json

MAX_STREAMS = 1024
"""on one connection"""
MAX_FRAME = 4000
"""bytes of a request: longer ones were seen refused, so lists are split"""

SUBSCRIBE, UNSUBSCRIBE = "SUBSCRIBE", "UNSUBSCRIBE"
METHODS = (SUBSCRIBE, UNSUBSCRIBE, "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")

_FEEDS = {"ticker": "ticker", "trades": "aggTrade", "orderbook": "depth@100ms"}
_STREAM = re.compile(r"[^\s/]+")
MAX_ID = 36
"""characters of a request id that is a text"""


class Binance:
    """The dialect. Channels are Binance's stream names."""

    name = "binance"
    over: Carrier = "websocket"
    hosts = (
        "stream.binance.com",
        "data-stream.binance.vision",
        "stream.testnet.binance.vision",
        "testnet.binance.vision",
        "demo-stream.binance.com",
        "fstream.binance.com",
        "stream.binancefuture.com",
        "stream.binance.us",
    )
    acknowledges = True
    keep_alive: KeepAlive | None = None

    def client(self, url: str) -> "ClientSession":
        return ClientSession(streams.read_url(url))

    def server(self, url: str, exists: Exists = everything) -> "ServerSession":
        """`exists` does not matter: the exchange takes every name, and is silent on those it does not have."""
        return ServerSession(streams.read_url(url))

    def channel(self, feed: str, symbol: str) -> str:
        """Trades are the aggregated ones, which spot and futures both document."""
        return f"{symbol.replace('/', '').lower()}@{_FEEDS[feed]}"

    def scheme(self, channel: str) -> Scheme:
        return streams.scheme_of(channel)

    def link(self, channel: str, data: Any) -> Link:
        return streams.link_of(data)

    def quote(self, channel: str, data: Any) -> Quote:
        return streams.quote_of(data)

    def payload(self, frame: Frame) -> Raw:
        try:
            wrapped = _decode_wrapped(frame)
        except ValidationError:  # a bare list, or keys that mean something else
            return Raw(frame)
        return wrapped.data if wrapped.stream is not None and wrapped.data else Raw(frame)

    def is_snapshot(self, channel: str, data: Any) -> bool:
        """Never: whole books are asked for over HTTP."""
        return False

    def restamped(self, channel: str, data: Any, sent_at: float) -> Any:
        return streams.restamped(data, sent_at)

    def rest(self) -> Rest:
        return BinanceRest()


class _Wrapped(Struct):
    """A payload on a combined connection."""

    stream: str | None = None
    data: Raw = Raw()


_decode_wrapped = Decoder(_Wrapped).decode


class ClientSession:
    """The client's side."""

    def __init__(self, endpoint: streams.Endpoint) -> None:
        self._endpoint = endpoint
        self._streams = dict.fromkeys(endpoint.streams)
        """what was asked for and not given up, in order"""
        self._pending: dict[int | str | None, tuple[str, tuple[str, ...]]] = {}
        """by id of the request: its method and streams"""
        self._next_id = 1

    def open(self) -> list[Received]:
        return [Subscribed(self._endpoint.streams)] if self._endpoint.streams else []

    def subscribe(self, channels: Sequence[str]) -> list[Frame]:
        """Streams that the URL asked for are not asked for again."""
        return self._ask(SUBSCRIBE, [channel for channel in channels if channel not in self._streams])

    def unsubscribe(self, channels: Sequence[str]) -> list[Frame]:
        return self._ask(UNSUBSCRIBE, channels)

    def sent(self, frame: Frame) -> None:
        try:
            request = decode_json(frame)
        except WireError:
            return
        if isinstance(request, dict) and request.get("method") in METHODS and _is_id(request.get("id")):
            params = request.get("params")
            names = tuple(name for name in params if isinstance(name, str)) if isinstance(params, list) else ()
            self._note(request.get("id"), request["method"], names)

    def receive(self, frame: Frame) -> list[Received]:
        message = decode_json(frame)
        if isinstance(message, list):
            return [self._event(streams.stream_of(message, self._streams), message)]
        if "stream" in message and "data" in message:
            return [self._wrapped(message["stream"], message["data"])]
        if "e" not in message and ("result" in message or "error" in message or "msg" in message):
            return [self._answer(message)]
        return [self._event(streams.stream_of(message, self._streams), message)]

    def _ask(self, method: str, channels: Sequence[str]) -> list[Frame]:
        frames: list[Frame] = []
        for names in _split(channels):
            frames.append(encode_json({"method": method, "params": names, "id": self._next_id}))
            self._note(self._next_id, method, names)
            self._next_id += 1
        return frames

    def _note(self, identifier: int | str | None, method: str, names: tuple[str, ...]) -> None:
        self._pending[identifier] = method, names
        if method == SUBSCRIBE:
            self._streams.update(dict.fromkeys(names))

    def _wrapped(self, stream: Any, payload: Any) -> Received:
        if not isinstance(stream, str) or not isinstance(payload, dict | list):
            raise WireError("a wrapped payload whose stream is no name, or whose data is no object")
        return self._event(stream, payload)

    def _event(self, stream: str | None, payload: Any) -> Received:
        name = streams.event_name(stream, payload)
        if name == "serverShutdown" or (stream is None and name == "message"):
            return Notice(name, payload)
        return Event(
            name=name,
            channel=stream,
            seq=streams.seq_of(stream, name, payload),
            sent_at=streams.sent_at_of(payload),
            data=payload,
        )

    def _answer(self, message: dict[str, Any]) -> Received:
        identifier = message.get("id")
        method, names = self._pending.pop(identifier, ("", ())) if _is_id(identifier) else ("", ())
        if "result" in message:
            return self._result(method, names, message["result"])
        for name in names if method == SUBSCRIBE else ():
            self._streams.pop(name, None)
        problem = message.get("error", message)
        if not isinstance(problem, dict):
            problem = {"msg": problem}
        code = f" (code {problem['code']})" if "code" in problem else ""
        return Objected(f"{problem.get('msg', 'error')}{code}", names)

    def _result(self, method: str, names: tuple[str, ...], result: Any) -> Received:
        if result is not None or method not in ("", SUBSCRIBE, UNSUBSCRIBE):
            return Notice(method or "result", result)
        if method == UNSUBSCRIBE:
            for name in names:
                self._streams.pop(name, None)
            return Unsubscribed(names)
        return Subscribed(names)


class _Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.body = {"code": code, "msg": message}


class ServerSession:
    """The exchange's side."""

    def __init__(self, endpoint: streams.Endpoint) -> None:
        self._streams = dict.fromkeys(endpoint.streams)
        self._combined = endpoint.combined

    def open(self) -> list[Asked | Reply]:
        return [Asked(True, tuple(self._streams))] if self._streams else []

    def receive(self, frame: Frame) -> list[Asked | Reply]:
        """Whatever is wrong is answered, as the exchange does, and not raised."""
        identifier: Any = None
        try:
            request = _read_request(frame)
            identifier = request.get("id")
            if not _is_id(identifier):
                identifier = None
                raise _Refused(2, "Invalid request: request ID is invalid")
            result, asked = self._do(request)
        except _Refused as refusal:
            return [Reply(encode_json({"error": refusal.body, "id": identifier}))]
        return [Reply(encode_json({"result": result, "id": identifier})), *asked]

    def publish(self, channel: str, payload: Any) -> Frame:
        return encode_json({"stream": channel, "data": payload} if self._combined else payload)

    def _do(self, request: dict[str, Any]) -> tuple[Any, list[Asked]]:
        """The result of a request and what it asks for. Raises _Refused."""
        method, params = request["method"], request.get("params", [])
        if not isinstance(params, list):
            raise _Refused(2, "Invalid request: invalid type of params, expected a sequence")
        match method:
            case "SUBSCRIBE":
                return None, self._subscribe(_names(params))
            case "UNSUBSCRIBE":
                return None, self._unsubscribe(_names(params))
            case "LIST_SUBSCRIPTIONS":
                return list(self._streams), []
            case "SET_PROPERTY":
                self._combined = _property_value(params)
                return None, []
            case _:
                _check_property(params, 1)
                return self._combined, []

    def _subscribe(self, names: list[str]) -> list[Asked]:
        new = tuple(dict.fromkeys(name for name in names if name not in self._streams))
        if len(self._streams) + len(new) > MAX_STREAMS:
            raise _Refused(4, "Too many subscriptions")
        self._streams.update(dict.fromkeys(new))
        return [Asked(True, new)] if new else []

    def _unsubscribe(self, names: list[str]) -> list[Asked]:
        gone = tuple(dict.fromkeys(name for name in names if name in self._streams))
        for name in gone:
            del self._streams[name]
        return [Asked(False, gone)] if gone else []


def _read_request(frame: Frame) -> dict[str, Any]:
    try:
        request = decode_json(frame)
    except WireError as error:
        raise _Refused(3, "Invalid JSON: expected value at line 1 column 1") from error
    if not isinstance(request, dict) or "method" not in request:
        raise _Refused(2, "Invalid request: missing field `method`")
    if request["method"] not in METHODS:
        expected = ", ".join(f"`{method}`" for method in METHODS)
        raise _Refused(2, f"Invalid request: unknown variant `{request['method']!s:.40}`, expected one of {expected}")
    return request


def _names(params: list[Any]) -> list[str]:
    if not all(isinstance(name, str) and _STREAM.fullmatch(name) for name in params):
        raise _Refused(2, "Invalid request: invalid stream")
    return params


def _check_property(params: list[Any], wanted: int) -> None:
    if len(params) != wanted:
        few = "too many parameters" if len(params) > wanted else "missing parameter"
        raise _Refused(2, f"Invalid request: {few}")
    if not isinstance(params[0], str):
        raise _Refused(2, "Invalid request: property name must be a string")
    if params[0] != "combined":
        raise _Refused(0, "Unknown property")


def _property_value(params: list[Any]) -> bool:
    _check_property(params, 2)
    if not isinstance(params[1], bool):
        raise _Refused(1, "Invalid value type: expected Boolean")
    return params[1]


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_ID
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63)


def _split(names: Sequence[str]) -> list[tuple[str, ...]]:
    """In as many requests as keep each below MAX_FRAME."""
    parts: list[list[str]] = []
    room = 0
    for name in dict.fromkeys(names):
        size = len(encode_json(name).encode()) + 1
        if size > room:
            parts.append([])
            room = MAX_FRAME - len('{"method":"UNSUBSCRIBE","params":[],"id":9999999}')
        parts[-1].append(name)
        room -= size
    return [tuple(part) for part in parts]
