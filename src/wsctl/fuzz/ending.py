"""Ending: what became of a case on its own connection. Safe: an ending that a probe declares harmless."""

import re
from typing import Literal

from msgspec import Struct

Kind = Literal["answered", "closed", "cut", "alive", "silent", "unreachable"]
"""an HTTP status; a close code; the socket ended without one; open and answering; neither in time; no connection"""

SHOWN = 200
"""characters of a message that an ending keeps"""
KEPT = 50
"""messages that it keeps"""


class Unfit(Exception):
    """What has to stand before the hostile part could not be had."""


class Ended(Exception):
    """The connection ended before all steps were done."""


class Ending(Struct, frozen=True, kw_only=True):
    """What became of it."""

    kind: Kind
    code: int | None = None
    """the HTTP status, or the close code"""
    reason: str = ""
    after: float = 0.0
    """seconds from the last step to it"""
    said: tuple[str, ...] = ()
    """the beginnings of what was received"""
    statuses: tuple[int, ...] = ()
    """of every HTTP answer"""
    answers: int = 0
    """HTTP answers on the connection"""
    unfit: str | None = None
    """why the case proves nothing: what has to stand before the hostile part could not be had"""

    def __str__(self) -> str:
        words = {
            "answered": f"HTTP {self.code}",
            "closed": f"closed with {self.code}",
            "cut": "cut without a close",
            "alive": "stayed open and answers",
            "silent": "neither ended nor answers",
            "unreachable": "could not connect",
        }
        return words[self.kind] + (f" ({self.reason})" if self.reason else "")


class Safe(Struct, frozen=True, kw_only=True):
    """An ending that does no harm."""

    kind: Kind
    codes: tuple[int, ...] = ()
    """one of these; none: any"""
    says: str | None = None
    """a message, or an HTTP answer's body or head (`HTTP 200` and lines of `name: value`), matches this expression"""
    answers: int = 0
    """at least so many HTTP answers came on the connection"""

    def holds(self, ending: Ending) -> bool:
        """Whether an ending is this one."""
        return (
            ending.kind == self.kind
            and (not self.codes or ending.code in self.codes)
            and ending.answers >= self.answers
            and (self.says is None or any(re.search(self.says, one) for one in ending.said))
        )

    def __str__(self) -> str:
        if self == REFUSED:
            return "an HTTP refusal"
        codes = "/".join(map(str, self.codes))
        answered = f"HTTP {codes}" if codes else "an HTTP answer"
        words = {"answered": answered, "closed": f"close {codes}".strip(), "cut": "cut", "alive": "stays"}
        return words.get(self.kind, self.kind) + (f" and says {self.says}" if self.says else "")


def status(*codes: int) -> Safe:
    """Answered with one of these HTTP statuses."""
    return Safe(kind="answered", codes=codes)


def closed(*codes: int) -> Safe:
    """Closed with one of these codes; none given: any."""
    return Safe(kind="closed", codes=codes)


def says(pattern: str) -> Safe:
    """Stayed open, and said something like this."""
    return Safe(kind="alive", says=pattern)


CUT = Safe(kind="cut")
ALIVE = Safe(kind="alive")
REFUSED = status(400, 401, 403, 404, 405, 408, 413, 414, 415, 426, 429, 431, 501, 505)
"""no, in one of HTTP's ways of saying so"""
ENDED = (closed(), CUT)
"""however it ended, it did"""
