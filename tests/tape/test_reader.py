"""Tapes that somebody was interrupted at, damaged, or joined."""

import gzip
import hashlib
import os
import threading
import zlib
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from tests.tape.tapes import FRAMES, HEADER, read, source, write
from wsctl.errors import UsageError
from wsctl.tape.format import TapeFrame, encode_frame, encode_header
from wsctl.tape.packing import packer_for, zstd
from wsctl.tape.reader import LINE_CUT, STREAM_CUT, TapeReader
from wsctl.tape.source import Source, open_source
from wsctl.tape.writer import FLUSH_BYTES, TapeWriter

SUFFIXES = ["", ".gz", ".zst"]


@pytest.fixture(params=SUFFIXES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where a tape shall be, plain or compressed."""
    return tmp_path / f"t.jsonl{request.param}"


def test_read_back(path: Path) -> None:
    """What was written."""
    write(path)
    assert read(path) == (FRAMES, None)
    with open_source(path) as lines:
        assert TapeReader(lines).header == HEADER


def test_compressed_as_their_tools_do(tmp_path: Path) -> None:
    """`.gz` is gzip's and `.zst` zstandard's, whoever unpacks; the name of what is read does not matter."""
    plain = write(tmp_path / "t.jsonl").read_bytes()
    assert gzip.decompress(write(tmp_path / "t.jsonl.gz").read_bytes()) == plain
    assert zstd.decompress(write(tmp_path / "t.jsonl.zst").read_bytes()) == plain
    (tmp_path / "renamed").write_bytes(gzip.compress(plain))
    assert read(tmp_path / "renamed") == (FRAMES, None)


def test_cut_at_every_byte_of_the_last_line(tmp_path: Path) -> None:
    """The last record is there in full or not at all, and what is missing is told."""
    path = write(tmp_path / "t.jsonl")
    whole = path.read_bytes()
    begin = whole.rindex(b"\n", 0, -1) + 1
    for end in range(begin, len(whole) + 1):
        path.write_bytes(whole[:end])
        if end == begin:
            expected = (FRAMES[:-1], None)
        elif end < len(whole) - 1:
            expected = (FRAMES[:-1], LINE_CUT)
        else:  # only the newline is missing
            expected = (FRAMES, None)
        assert read(path) == expected, whole[begin:end]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_cut_at_every_byte_of_a_stream(tmp_path: Path, suffix: str) -> None:
    """Compressed, too: some first records, never a wrong one, and it is told."""
    path = write(tmp_path / f"t.jsonl{suffix}")
    whole = path.read_bytes()
    seen = []
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        try:
            frames, truncated = read(path)
        except UsageError:  # not even the header is there
            assert seen == []
            continue
        assert truncated in {LINE_CUT, STREAM_CUT}
        assert frames == FRAMES[: len(frames)]
        seen.append(len(frames))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, len(FRAMES))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_flipped_bit(tmp_path: Path, suffix: str) -> None:
    """Damage is an error, with the last line that could be read; the checksum finds what the format does not."""
    frames = [TapeFrame(at, "c1", "in", f'{{"seq":{at}}}') for at in range(10_000)]
    path = write(tmp_path / f"t.jsonl{suffix}", frames)
    whole = bytearray(path.read_bytes())
    for position in (len(whole) // 3, len(whole) - 2):
        damaged = whole.copy()
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(
            UsageError,
            match=r"t\.jsonl\.\w+(:\d+: not a tape's record|: its compressed data is damaged after line \d+: \w)",
        ):
            read(path)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_what_came_before_the_damage(tmp_path: Path, suffix: str) -> None:
    """Is read, though it was read from the disk in one piece with it."""
    path = tmp_path / f"t.jsonl{suffix}"
    lines = [hashlib.sha256(b"%d" % number).hexdigest().encode() + b"\n" for number in range(400)]
    packer, packed, ends = packer_for(path), b"", []
    for line in lines:
        packed += packer.add(line) + packer.flush()
        ends.append(len(packed))
    damaged = bytearray(packed + packer.close())
    damaged[ends[299] : ends[299] + 8] = bytes(range(0xF8, 0x100))
    path.write_bytes(damaged)
    with open_source(path) as file:
        seen = list(islice(file, 280))
        with pytest.raises(UsageError, match="damaged after line"):
            list(file)
    assert seen == lines[:280]


def test_garbage_behind_a_stream(path: Path) -> None:
    """Whatever follows the end is not passed over."""
    write(path)
    with path.open("ab") as file:
        file.write(b"garbage\n")
    with pytest.raises(UsageError, match=r":10: not a tape's record|damaged after line 9"):
        read(path)


def test_a_bad_line(tmp_path: Path) -> None:
    """Is an error with its number, blank lines counted."""
    path = write(tmp_path / "t.jsonl")
    path.write_bytes(path.read_bytes() + b"\n \n{}\n")
    with pytest.raises(UsageError) as caught:
        read(path)
    assert caught.value.message == f"{path}:12: not a tape's record: object missing required field `at`"


def test_deep_nesting(tmp_path: Path) -> None:
    """In what is ignored, too: an error and no crash."""
    path = write(tmp_path / "t.jsonl")
    path.write_bytes(path.read_bytes() + b'{"new":' + b"[" * 100_000 + b"\n")
    with pytest.raises(UsageError, match=":10: not a tape's record"):
        read(path)


@pytest.mark.parametrize("data", [b"", b"\n\n  \n", gzip.compress(b"", mtime=0), zstd.compress(b"")])
def test_empty(data: bytes) -> None:
    """Nothing is no tape."""
    with pytest.raises(UsageError, match=r"^t\.jsonl is empty; expected a recording$"):
        source(data)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    """A sentence, and no traceback."""
    for path, reason in ((tmp_path / "none", "no such file or directory"), (tmp_path, "is a directory")):
        with pytest.raises(UsageError, match=f"^cannot read {path}: {reason}$"):
            open_source(path)
    with pytest.raises(UsageError, match="null byte"):
        open_source(Path("a\0b"))


def test_a_header_alone(path: Path) -> None:
    """A recorder that saw nothing wrote a tape without records."""
    assert read(write(path, [])) == ([], None)


def test_several_streams_in_one(path: Path) -> None:
    """Compressed members behind one another are one: how parts of a rotated tape are joined."""
    parts = [path.with_name(f"{number}-{path.name}") for number in (1, 2)]
    with TapeWriter(parts[0], HEADER) as writer:
        for frame in FRAMES[:3]:
            writer.write(frame)
        writer.rotate(parts[1])
        for frame in FRAMES[3:]:
            writer.write(frame)
    path.write_bytes(parts[0].read_bytes() + parts[1].read_bytes())
    assert read(path) == (FRAMES, None)
    path.write_bytes(parts[1].read_bytes() + parts[0].read_bytes())
    with pytest.raises(UsageError, match="another tape begins; expected records, or part 3 of this one"):
        read(path)


def test_two_tapes_in_one(tmp_path: Path) -> None:
    """Offsets of another start cannot be told apart from one's own."""
    one = encode_header(HEADER) + encode_frame(FRAMES[0])
    other = encode_header(structs.replace(HEADER, started_ns=5))
    reader = TapeReader(source(one + other))
    with pytest.raises(UsageError, match=r"^t\.jsonl:3: another tape begins"):
        list(reader)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
def test_a_pipe(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """Records come as soon as they can be read, one byte at a time or not."""
    whole = b"".join([encode_header(HEADER), *map(encode_frame, FRAMES)])
    read_fd, write_fd = os.pipe()

    def feed() -> None:
        for byte in pack(whole):
            os.write(write_fd, bytes([byte]))
        os.close(write_fd)

    thread = threading.Thread(target=feed)
    thread.start()
    with Source(os.fdopen(read_fd, "rb"), "stdin") as lines:
        assert list(TapeReader(lines)) == FRAMES
    thread.join()


@pytest.mark.parametrize("packer", ["plain", "gz", "zst"])
def test_a_live_pipe(packer: str) -> None:
    """What was flushed is read while the writer goes on: no reader waits for a full buffer."""
    line = encode_header(HEADER) + encode_frame(FRAMES[0])
    if packer == "gz":
        stream = zlib.compressobj(wbits=31)
        data = stream.compress(line) + stream.flush(zlib.Z_SYNC_FLUSH)
    elif packer == "zst":
        data = zstd.ZstdCompressor().compress(line, mode=zstd.ZstdCompressor.FLUSH_BLOCK)
    else:
        data = line
    read_fd, write_fd = os.pipe()
    os.write(write_fd, data)
    with Source(os.fdopen(read_fd, "rb"), "stdin") as lines:
        reader = TapeReader(lines)
        assert next(iter(reader)) == FRAMES[0]
    os.close(write_fd)


def test_lines_longer_than_any_buffer(path: Path) -> None:
    """Snapshots of megabytes."""
    frames = [TapeFrame(at, "c1", "in", os.urandom(FLUSH_BYTES * 3).hex()) for at in range(3)]
    assert read(write(path, frames)) == (frames, None)


def test_line_numbers(tmp_path: Path) -> None:
    """Of the record that was yielded."""
    with open_source(write(tmp_path / "t.jsonl")) as lines:
        reader = TapeReader(lines)
        assert [reader.place for _ in reader] == [f"{lines.name}:{line}" for line in range(2, len(FRAMES) + 2)]


def test_byte_order_mark(tmp_path: Path) -> None:
    """Some shells put one in front of what they redirect."""
    path = write(tmp_path / "t.jsonl")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(path) == (FRAMES, None)


def test_half_a_line_of_garbage(tmp_path: Path) -> None:
    """What a failing disk left behind the last newline is told as cut off."""
    path = write(tmp_path / "t.jsonl")
    path.write_bytes(path.read_bytes() + bytes(512))
    assert read(path) == (FRAMES, LINE_CUT)
    assert msgspec.json.decode(path.read_bytes().splitlines()[0])["version"] == 1
