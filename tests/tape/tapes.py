"""Tapes to test with, and how they are read back."""

import io
from collections.abc import Iterable
from pathlib import Path

from wsctl.tape.format import Header, TapeFrame
from wsctl.tape.reader import TapeReader
from wsctl.tape.source import Source, open_source
from wsctl.tape.writer import TapeWriter

CAPTURES = Path(__file__).parents[3] / "shared" / "captures"
"""beside the repository, where somebody keeps captures there"""

HEADER = Header(started_ns=1_763_870_000_123_456_789, dialect="binance", url="wss://stream.example/ws")

FRAMES = [
    TapeFrame(0, "c1", "open", url="wss://stream.example/ws", headers=(("User-Agent", "wsctl"),)),
    TapeFrame(1_000_000, "c1", "out", '{"method":"SUBSCRIBE","id":1}'),
    TapeFrame(2_500_000, "c1", "in", '{"result":null,"id":1}'),
    TapeFrame(2_500_001, "c1", "in", b"\x00\xffnot text"),
    TapeFrame(3_000_000, "", "http", '{"lastUpdateId":7}', url="https://api.example/depth", status=200),
    TapeFrame(4_000_000, "c1", "close", code=1012, reason="restart – später"),
    TapeFrame(5_000_000, "c1.2", "open"),
    TapeFrame(6_000_000, "c1.2", "in", '{"price":"0.35210000"}'),
]


def write(path: Path, frames: Iterable[TapeFrame] = FRAMES, header: Header = HEADER) -> Path:
    """A finished tape."""
    with TapeWriter(path, header) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def source(data: bytes, name: str = "t.jsonl") -> Source:
    """As if these bytes had been read from a file."""
    return Source(io.BytesIO(data), name)


def read(path: Path) -> tuple[list[TapeFrame], str | None]:
    """All records, and what was cut off."""
    with open_source(path) as lines:
        reader = TapeReader(lines)
        frames = list(reader)
    return frames, reader.truncated
