"""A tape as lines: what is in them, and that a slow reader gets them all."""

import asyncio
import json

from wsctl.model.event import Event
from wsctl.tape.format import TapeFrame
from wsctl.tape.outputs.printing import FULL, Printing
from wsctl.tape.player import Played


class SlowReader:
    """Takes lines in, and reads one each time that somebody looks how many wait."""

    def __init__(self) -> None:
        self.read: list[bytes] = []
        self.lines: list[bytes] = []
        self.most = 0

    @property
    def waiting(self) -> int:
        waiting = sum(map(len, self.lines))
        self.most = max(self.most, waiting)
        if self.lines:
            self.read.append(self.lines.pop(0))
        return waiting

    def put(self, line: bytes) -> None:
        self.lines.append(line)


def played(number: int, size: int = 1) -> Played:
    frame = TapeFrame(number, "c1.2", "in", "{}")
    event = Event(name="trade", channel="a@trade", seq=number, sent_at=1.5, epoch="e", data={"x": "x" * size})
    return Played(frame, (event,), 100.5 + number, 1, restamped=False)


def test_a_line() -> None:
    """An Observation, received when it was due."""
    reader = SlowReader()

    async def scene() -> None:
        printing = Printing(reader, None)
        await printing.ready()
        await printing.put(played(7))
        await printing.put(Played(TapeFrame(8, "c1", "close"), (), 1.0, 1, restamped=False))

    asyncio.run(scene())
    (line,) = reader.lines + reader.read
    assert json.loads(line) == {
        "received_at": 107.5,
        "conn": "c1.2",
        "channel": "a@trade",
        "event": "trade",
        "epoch": "e",
        "seq": 7,
        "sent_at": 1.5,
        "latency_ms": None,
        "data": {"x": "x"},
    }


def test_a_slow_reader() -> None:
    """Holds the player at a bound, and gets every line before the end."""
    reader = SlowReader()
    size, count = FULL // 4, 20

    async def scene() -> None:
        printing = Printing(reader, None)
        for number in range(count):
            await printing.put(played(number, size))
        await printing.close()

    asyncio.run(scene())
    assert [json.loads(line)["seq"] for line in reader.read] == list(range(count))
    assert reader.most < FULL + 2 * size
