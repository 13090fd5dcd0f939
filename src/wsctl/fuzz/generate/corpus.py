"""Corpus: messages that clients mean, to be mutated: from tapes, and from what a dialect's own client would say."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from wsctl.client.target import Target
from wsctl.errors import UsageError
from wsctl.tape.format import TapeFrame
from wsctl.tape.opening import opened
from wsctl.tape.redact import redacted
from wsctl.wire.dialect import Dialect, Frame

MOST = 90
"""messages that are kept, each of another shape"""
FEEDS = ("ticker", "trades", "orderbook")
SYMBOLS = ("BTC/USDT", "ETH/USDT")
_CONNECT = re.compile(r"40|[^4b]|$")
"""how Engine.IO packets begin that a case has steps of its own for: joining, with the target's token, and heartbeats"""


def recorded(tapes: Sequence[Path], *, engineio: bool) -> list[Frame]:
    """What clients said on tapes, without secrets. Raises UsageError where that is nothing, and for bad tapes."""
    if not tapes:
        return []
    by_shape: dict[str, Frame] = {}
    with opened(tapes) as frames:
        for content in _said_by_clients(frames):
            if not (engineio and isinstance(content, str) and _CONNECT.match(content)) and len(by_shape) < MOST:
                by_shape.setdefault(re.sub(r"[\w.]*\d[\w.]*", "0", repr(content)), content)
    if not by_shape:
        raise UsageError(f"{', '.join(map(str, tapes))}: no client says anything there that could be mutated")
    return list(by_shape.values())


def _said_by_clients(frames: Iterable[TapeFrame]) -> Iterator[Frame]:
    for frame in frames:
        if frame.direction == "out" and (content := redacted(frame).frame) is not None:
            yield content


def spoken_by(dialect: Dialect, target: Target) -> list[Frame]:
    """What a client of the dialect says to subscribe and unsubscribe; over Socket.IO as packets."""
    client = dialect.client(target.websocket_url)
    found: list[Frame] = []
    for feed in FEEDS:
        try:
            channels = [dialect.channel(feed, symbol) for symbol in SYMBOLS]
            frames = [*client.subscribe(channels), *client.unsubscribe(channels[:1])]
        except UsageError:  # it has no such feed
            continue
        found += [f"42{frame!s}" for frame in frames] if dialect.over == "socketio" else frames
    return found
