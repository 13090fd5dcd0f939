"""Recorded exchange sessions, where somebody keeps them beside the repository, read line by line."""

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from wsctl.model.event import Event
from wsctl.wire.dialect import Dialect, Received
from wsctl.wire.dialects import dialect_of

FOLDER = Path(__file__).parents[3] / "shared" / "captures"

_OPENED = re.compile(r"(\S+) <-> [0-9.]+")
_SENT = re.compile(r"(\S+) <- [0-9.]+: (.*)")
_CAME = re.compile(r"([0-9.]+): (.*)")


class Capture(NamedTuple):
    """One connection: how it was spoken on, and each frame received with what it meant."""

    dialect: Dialect
    opened: list[Received]
    frames: list[tuple[str, list[Received]]]

    @property
    def events(self) -> list[Event]:
        """All of them, in order."""
        return [received for _, found in self.frames for received in found if isinstance(received, Event)]

    def channel(self, name: str) -> list[Event]:
        """Those of a channel."""
        return [event for event in self.events if event.channel == name]

    def kinds(self) -> Counter[str]:
        """How many of each kind of thing received."""
        return Counter(type(received).__name__ for _, found in self.frames for received in found)


def find(name: str) -> Path:
    """A file, or the test is skipped."""
    file = FOLDER / name
    if not file.exists():
        pytest.skip("no captures beside the repository")
    return file


def read(name: str) -> Capture:
    """A capture by the dialect that its host picks; a frame that cannot be read raises WireError."""
    first, *lines = find(name).read_text().splitlines()
    opened = _OPENED.fullmatch(first)
    assert opened is not None
    dialect = dialect_of(opened[1])
    assert dialect is not None
    session = dialect.client(opened[1])
    capture = Capture(dialect, session.open(), [])
    for line in filter(None, lines):
        if sent := _SENT.fullmatch(line):
            session.sent(sent[2])
        else:
            came = _CAME.fullmatch(line)
            assert came is not None, line
            capture.frames.append((came[2], session.receive(came[2])))
    return capture
