"""Which kind of recording a stream is, and several of them as one."""

import gzip
import os
from pathlib import Path

import pytest

from tests.tape.tapes import CAPTURES, FRAMES, source, write
from wsctl.errors import UsageError
from wsctl.model.observation import Observation, encode
from wsctl.tape.format import Header, TapeFrame, encode_frame, encode_header
from wsctl.tape.recording import Kind, Merged, kind_of, read_frames
from wsctl.tape.source import Source, open_source

OBSERVATION = encode(Observation(1.0, "c1", "c", "e", "x", 1, None, None, {"wsctl": "tape"})) + b"\n"
FIRST_LINES = {
    Kind.TAPE: [
        encode_header(Header(started_ns=0)),
        b'{ "version": 1, "clock": "wall", "started_at": 0, "wsctl": "tape" }\n',
        b'{"wsctl":"tape","version":99,"else":"new"}\n',
        b'{"wsctl":"tape","ver',
        b'\n\n{"wsctl":"tape","version":1,"started_at":0}\n',
    ],
    Kind.OBSERVATIONS: [OBSERVATION, b"\n" + OBSERVATION, b'{"received_at":1', b"{}\n"],
    Kind.CRYPTOFEED: [
        b"wss://x <-> 100.5\n",
        b"wss://x <-> 100.5",
        b'100.5: {"a":1}\n',
        b"https://x -> 100.5: {}\n",
        b"wss://x <- 100.5: {}\n",
        b'configuration: {"trades": []}\n',
    ],
    Kind.TRADES: [b"time_ms,symbol,price,quantity\n", b"\xef\xbb\xbftime_ms,symbol,price,quantity\r\n"],
}


@pytest.mark.parametrize(("kind", "line"), [(kind, line) for kind, lines in FIRST_LINES.items() for line in lines])
def test_kinds(kind: Kind, line: bytes) -> None:
    """Told by the first line that is not blank; the source still has all of it."""
    lines = source(line)
    assert kind_of(lines) is kind
    assert b"".join(lines) == line.removeprefix(b"\xef\xbb\xbf")


@pytest.mark.parametrize(
    "data", [b"dear diary\n", b"[1]\n", b"\x89PNG\r\n\x1a\n\x00", b"100\n", b"a,b\n", b"\xff\xfe{"]
)
def test_none_of_them(data: bytes) -> None:
    """A sentence that says what would do."""
    with pytest.raises(UsageError, match=r"^t\.jsonl: neither a tape nor Observation lines, nor a capture"):
        kind_of(source(data))


def test_on_a_pipe() -> None:
    """Nothing but the first line is waited for, and nothing of it is lost."""
    read_fd, write_fd = os.pipe()
    os.write(write_fd, OBSERVATION)
    with Source(os.fdopen(read_fd, "rb"), "stdin") as lines:
        assert kind_of(lines) is Kind.OBSERVATIONS
        os.write(write_fd, OBSERVATION * 2)
        os.close(write_fd)
        assert list(lines) == [OBSERVATION] * 3


def test_compressed_observations(tmp_path: Path) -> None:
    """Whatever it is may be compressed."""
    path = tmp_path / "seen.jsonl.gz"
    path.write_bytes(gzip.compress(OBSERVATION * 2))
    with open_source(path) as lines:
        assert kind_of(lines) is Kind.OBSERVATIONS
        assert list(lines) == [OBSERVATION] * 2


def test_frames_of_each_kind(tmp_path: Path) -> None:
    """One door for all that hold frames."""
    with open_source(write(tmp_path / "t.jsonl")) as lines:
        assert list(read_frames(lines)) == FRAMES
    assert read_frames(source(b"wss://ws.kraken.com <-> 1\n")).header.dialect == "kraken"
    assert read_frames(source(b"wss://x <-> 1\n"), lambda url: "mine").header.dialect == "mine"
    assert len(list(read_frames(source(b"time_ms,symbol,price,quantity\n1,A,1,1\n")))) == 2
    with pytest.raises(UsageError, match="Observation lines hold no frames"):
        read_frames(source(OBSERVATION))


def tape(header: Header, frames: list[TapeFrame], name: str, rest: bytes = b"") -> Source:
    """A tape of these."""
    return source(encode_header(header) + b"".join(map(encode_frame, frames)) + rest, name)


def test_merged() -> None:
    """By instant; what is simultaneous in the order given; each client keeps a number of its own."""
    first = [TapeFrame(10, "c1", "in", "a"), TapeFrame(20, "c1.2", "in", "b"), TapeFrame(50, "c2", "in", "c")]
    second = [TapeFrame(-95, "c1", "in", "d"), TapeFrame(-80, "", "http", "e"), TapeFrame(10, "c1", "in", "f")]
    merged = Merged(
        [
            read_frames(tape(Header(started_ns=1000, dialect=None, part=2, conns={"c1": "u"}), first, "1.jsonl")),
            read_frames(tape(Header(started_ns=1100, dialect="okx", clock="wall"), second, "2.jsonl", b'{"at')),
        ]
    )
    header = merged.header
    assert (header.started_ns, header.dialect, header.clock, header.conns) == (1000, "okx", "wall", {"c1": "u"})
    assert merged.truncated is None
    seen = [(frame.at_ns, frame.conn, frame.frame, merged.place) for frame in merged]
    assert seen == [
        (5, "c2", "d", "2.jsonl:2"),
        (10, "c1", "a", "1.jsonl:2"),
        (20, "c1.2", "b", "1.jsonl:3"),
        (20, "", "e", "2.jsonl:3"),
        (50, "c3", "c", "1.jsonl:4"),
        (110, "c2", "f", "2.jsonl:4"),
    ]
    assert merged.truncated is not None


def test_parts_of_one_tape() -> None:
    """Connections go on from one into the next, beside those of another recording."""
    first = [TapeFrame(10, "c1", "open"), TapeFrame(20, "c1", "in", "a")]
    second = [TapeFrame(30, "c1", "in", "b"), TapeFrame(40, "c2", "open")]
    merged = Merged(
        [
            read_frames(tape(Header(started_ns=500), [TapeFrame(525, "c1", "in", "x")], "other.jsonl")),
            read_frames(tape(Header(started_ns=1000), first, "1.jsonl")),
            read_frames(tape(Header(started_ns=1000, part=2, conns={"c1": "u"}), second, "2.jsonl")),
        ]
    )
    assert [(frame.at_ns, frame.conn) for frame in merged] == [
        (510, "c1"),
        (520, "c1"),
        (525, "c2"),
        (530, "c1"),
        (540, "c3"),
    ]
    assert merged.header.conns == {"c1": "u"}


def test_merged_captures() -> None:
    """Binance's snapshots fall between the updates that they belong to."""
    paths = [CAPTURES / "BINANCE.ws.1.0", CAPTURES / "BINANCE.http.0.0"]
    if not paths[0].exists():
        pytest.skip("no captures beside the repository")
    with open_source(paths[0]) as stream, open_source(paths[1]) as answers:
        merged = Merged([read_frames(stream), read_frames(answers)])
        frames = list(merged)
    assert [frames[index].direction for index in range(3)] == ["open", "in", "http"]
    assert sum(frame.direction == "http" for frame in frames) == 4
    assert [frame.at_ns for frame in frames] == sorted(frame.at_ns for frame in frames)
    assert merged.header.started_ns + frames[2].at_ns == 1633998512_320639000
