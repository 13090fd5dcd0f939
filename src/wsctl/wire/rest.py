"""Rest: what an exchange answers over HTTP beside its stream, at a position in it. No I/O, no clock."""

from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct

from wsctl.model.event import Event

Key = tuple[str, tuple[tuple[str, str], ...]]
"""a path and its query, whatever its order"""


class Answer(Struct, frozen=True):
    """An HTTP answer."""

    status: int
    body: str | bytes
    content_type: str = "application/json"


class Rest(Protocol):
    """Answers that depend on what the stream has said."""

    def recorded(self, url: str, body: str | bytes) -> None:
        """Take note of a good answer that the exchange gave at this position; also of the first of all, beforehand."""

    def event(self, event: Event) -> None:
        """Take note of an event of the stream."""

    def answer(self, target: str, now: float) -> Answer | None:
        """To a GET of a path and query; `now` is unix seconds. None where this has no answer of its own."""


def key_of(target: str) -> Key:
    """Of a URL, or of its path and query."""
    parts = urlsplit(target)
    return parts.path, tuple(sorted(parse_qsl(parts.query, keep_blank_values=True)))


def as_json(status: int, body: object) -> Answer:
    """An answer in JSON."""
    return Answer(status, msgspec.json.encode(body))
