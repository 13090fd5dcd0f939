"""corrupt: messages come damaged, in one of the ways that feeds have been seen to damage them."""

import re
from collections.abc import Sequence
from random import Random
from typing import Annotated, Literal

from msgspec import Meta

from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream

Mode = Literal["truncate", "flip", "type", "utf8", "checksum", "stale"]


class CorruptSpec(FaultSpec, frozen=True, kw_only=True):
    """Messages come damaged."""

    mode: Annotated[
        Mode,
        Meta(
            description="truncate: the JSON ends early; flip: a letter or digit becomes another; type: a number becomes"
            " a text; utf8: bytes that are no text; checksum: another one; stale: the time of sending is an hour old."
        ),
    ] = "truncate"


class Corrupt(Fault[CorruptSpec]):
    """Damages."""

    type_name = "corrupt"
    options = CorruptSpec

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """Damaged, or as it was where there is nothing that could be damaged so: that does not count."""
        damaged = _DAMAGE[self.spec.mode](message.content, self.dice(stream))
        if damaged is None:
            return (message,)
        self.fire("corrupted", stream.connection, message, detail=self.spec.mode)
        return (message.replaced(damaged),)


def _truncate(content: bytes, dice: Random) -> bytes | None:
    body = content.find(b"{")
    return None if body < 0 else content[: dice.randrange(body + 1, max(body + 2, len(content) - 1))]


_KEY = rb"(?<!\\)\":\s*"
"""the end of a key: not within a text, not even where JSON stands in one"""
_LETTER = re.compile(_KEY + rb"(?:\"([A-Za-z1-9])|-?([1-9]))")
_NUMBER = re.compile(_KEY + rb"(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)")


def _flip(content: bytes, dice: Random) -> bytes | None:
    """The first letter of a text, or digit of a number: the JSON stays JSON."""
    places = [found.end() - 1 for found in _LETTER.finditer(content)]
    if not places:
        return None
    place = dice.choice(places)
    return content[:place] + _other(content[place : place + 1], dice) + content[place + 1 :]


def _other(letter: bytes, dice: Random) -> bytes:
    others = b"123456789" if letter.isdigit() else b"abcdefghijklmnopqrstuvwxyz"
    return bytes((dice.choice([one for one in others if one != letter[0]]),))


def _type(content: bytes, dice: Random) -> bytes | None:
    numbers = list(_NUMBER.finditer(content))
    if not numbers:
        return None
    number = dice.choice(numbers)
    return content[: number.start(1)] + b'"' + number[1] + b'"' + content[number.end(1) :]


def _utf8(content: bytes, dice: Random) -> bytes | None:
    """0xFF is in no UTF-8 (RFC 3629, section 1)."""
    place = dice.randrange(1, len(content) + 1) if content else 0
    return content[:place] + b"\xff" + content[place:]


def _checksum(content: bytes, dice: Random) -> bytes | None:
    found = re.search(rb"\"(?:checksum|cs|crc)\":\s*(-?\d+)", content)
    if found is None:
        return None
    wrong = str(int(found[1]) ^ 1 << dice.randrange(1, 16)).encode()
    return content[: found.start(1)] + wrong + content[found.end(1) :]


_HOUR = 3600
_TIME = re.compile(rb"\"(?:timestamp|t|ts|time|E)\":\s*(\d{10,19})(\.\d+)?")


def _stale(content: bytes, dice: Random) -> bytes | None:
    """In whatever unit: seconds have ten digits, and each three more make the next smaller unit."""
    found = _TIME.search(content)
    if found is None:
        return None
    old = int(found[1]) - _HOUR * 10 ** (len(found[1]) - 10)
    return content[: found.start(1)] + str(old).encode() + content[found.end(1) :]


_DAMAGE = {
    "truncate": _truncate,
    "flip": _flip,
    "type": _type,
    "utf8": _utf8,
    "checksum": _checksum,
    "stale": _stale,
}
