"""The writer: whatever was written stays readable, however the writer or the disk ends."""

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tape.tapes import FRAMES, HEADER, read, write
from wsctl.errors import ExitCode, UsageError, WsctlError
from wsctl.tape.format import Header, TapeFrame
from wsctl.tape.reader import LINE_CUT, STREAM_CUT, TapeReader
from wsctl.tape.source import open_source
from wsctl.tape.writer import FLUSH_NS, TapeWriter

SECOND = FLUSH_NS

RECORDER = """
import sys
from pathlib import Path
from wsctl.tape.format import Header, TapeFrame
from wsctl.tape.writer import TapeWriter

writer = TapeWriter(Path(sys.argv[1]), Header(started_ns=0))
for number in range(10**9):
    writer.write(TapeFrame(number * 20_000_000, "c1", "in", f'{{"seq":{number}}}'))
    if number >= 1000:
        print(number, flush=True)
"""


def ticks(count: int, step_ns: int = 1000) -> list[TapeFrame]:
    """Frames that can be told from one another."""
    return [TapeFrame(number * step_ns, "c1", "in", f'{{"seq":{number}}}') for number in range(count)]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk that fills, as far as this process can tell."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_killed(tmp_path: Path, suffix: str) -> None:
    """Plain, all that was written is there; compressed, all but the last second of the tape's time."""
    path = tmp_path / f"t.jsonl{suffix}"
    with subprocess.Popen([sys.executable, "-c", RECORDER, path], stdout=subprocess.PIPE, text=True) as recorder:
        assert recorder.stdout is not None
        said = int(recorder.stdout.readline())
        recorder.send_signal(signal.SIGKILL)
        said = max([said, *map(int, recorder.stdout.read().split("\n")[:-1])])
    frames, truncated = read(path)
    assert frames == ticks(len(frames), 20_000_000)
    if suffix:
        assert truncated in {STREAM_CUT, LINE_CUT}
        assert len(frames) > said - SECOND // 20_000_000
    else:
        assert truncated is None
        assert len(frames) > said


@pytest.mark.parametrize("size", range(300, 420, 7))
def test_full_disk(tmp_path: Path, size: int) -> None:
    """The error names what was kept, and that is what is there: whole lines, wherever the disk became full."""
    path = tmp_path / "t.jsonl"
    frames = ticks(20)
    with files_of_at_most(size), pytest.raises(WsctlError) as caught:
        write(path, frames)
    kept, truncated = read(path)
    assert truncated is None
    assert kept == frames[: len(kept)]
    assert 0 < len(kept) < 20
    assert caught.value.message == f"cannot write {path}: file too large; its first {len(kept)} records are kept"
    assert caught.value.exit_code is ExitCode.INTERNAL


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_full_disk_compressed(tmp_path: Path, suffix: str) -> None:
    """What had been flushed is there, and the error says how many records were not."""
    path = tmp_path / f"t.jsonl{suffix}"
    frames = ticks(100_000, SECOND // 50)
    taken = iter(frames)
    with files_of_at_most(3000), pytest.raises(WsctlError) as caught:
        write(path, taken)
    written = len(frames) - len(list(taken))
    kept, truncated = read(path)
    assert truncated == STREAM_CUT
    assert kept == frames[: len(kept)]
    assert len(kept) >= 100
    assert caught.value.message == (
        f"cannot write {path}: file too large; "
        f"its first {len(kept):,} records are kept, the last {written - len(kept):,} are not"
    )


def test_after_the_disk_was_full(tmp_path: Path) -> None:
    """Nothing is added behind what is missing, and closing is no second error."""
    path = tmp_path / "t.jsonl"
    writer = TapeWriter(path, HEADER)
    with files_of_at_most(writer.size), pytest.raises(WsctlError, match="its first 0 records are kept"):
        writer.write(FRAMES[0])
    with pytest.raises(WsctlError, match="is closed"):
        writer.write(FRAMES[1])
    writer.flush()
    writer.close()
    assert read(path) == ([], None)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_full_from_the_beginning() -> None:
    """A device that takes nothing."""
    with pytest.raises(WsctlError, match=r"^cannot write /dev/full: no space left on device; its first 0 records"):
        TapeWriter(Path("/dev/full"), HEADER)


def test_full_stdout(tmp_path: Path) -> None:
    """What others wrote to the file before us is not ours to cut back."""
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    program = (
        "import resource; from pathlib import Path; from tests.tape.tapes import write, FRAMES\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))\n"
        "write(Path('-'), FRAMES * 9)"
    )
    argv = [sys.executable, "-c", program]
    with path.open("ab") as file:
        run = subprocess.run(argv, stdout=file, stderr=subprocess.PIPE, text=True, check=False)
    assert "cannot write stdout: file too large; its first 2 records are kept" in run.stderr
    assert path.read_bytes().startswith(b"before\n{")
    assert path.stat().st_size == 400


def test_stdout(tmp_path: Path) -> None:
    """`-` is a tape on stdout."""
    program = "from pathlib import Path; from tests.tape.tapes import write\nwrite(Path('-'))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert run.stdout == write(tmp_path / "t.jsonl").read_bytes()


def test_stdout_whose_reader_left() -> None:
    """Is told apart from a failure."""
    program = (
        "import sys; from pathlib import Path; from tests.tape.tapes import write, FRAMES\n"
        "sys.stdin.read()\n"
        "try: write(Path('-'))\n"
        "except BrokenPipeError: sys.exit(7)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdin is not None
        run.stdout.close()
        run.stdin.close()
        assert run.wait() == 7


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    """A sentence, before anything is recorded."""
    for path, reason in (
        (tmp_path / "none" / "t.jsonl", "no such file or directory"),
        (tmp_path, "is a directory"),
        (Path("a\0b"), "embedded null byte"),
    ):
        with pytest.raises(UsageError) as caught:
            TapeWriter(path, HEADER)
        assert caught.value.message == f"cannot write {path}: {reason}"


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A file with something in it stays as it is; an empty one (mktemp) will do."""
    path = tmp_path / "t.jsonl"
    path.write_text("dear diary\n")
    with pytest.raises(UsageError, match="exists and is not empty; expected a new file"):
        TapeWriter(path, HEADER)
    assert path.read_text() == "dear diary\n"
    path.write_text("")
    assert read(write(path)) == (FRAMES, None)


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_flush(tmp_path: Path, suffix: str) -> None:
    """Makes readable what was written, also compressed; without news it writes nothing."""
    path = tmp_path / f"t.jsonl{suffix}"
    with TapeWriter(path, HEADER) as writer:
        assert (writer.records, writer.size) == (0, path.stat().st_size)
        for count in (1, 2, 3):
            writer.write(FRAMES[count - 1])
            writer.flush()
            assert read(path) == (FRAMES[:count], STREAM_CUT if suffix else None)
            assert (writer.records, writer.size) == (count, path.stat().st_size)
        writer.flush()
        assert writer.size == path.stat().st_size
        before = writer.size
        writer.flush()
        assert writer.size == before


def test_held_back_for_a_second(tmp_path: Path) -> None:
    """Compressed: a second of the tape's time, or 128 KiB, whatever is first; a clock set back is no reason to wait."""
    path = tmp_path / "t.jsonl.zst"
    with TapeWriter(path, HEADER) as writer:
        writer.write(TapeFrame(SECOND - 1, "c1", "in", "a"))
        assert writer.records == 0
        writer.write(TapeFrame(SECOND, "c1", "in", "b"))
        assert writer.records == 2
        writer.write(TapeFrame(SECOND + 5, "c1", "in", "c"))
        assert writer.records == 2
        writer.write(TapeFrame(SECOND - 5, "c1", "in", "d"))
        assert writer.records == 4
        writer.write(TapeFrame(SECOND, "c1", "in", "e" * 128 * 1024))
        assert writer.records == 5


def test_rotation(tmp_path: Path) -> None:
    """Each part can be read alone, says which one it is and what is open; offsets run on."""
    one, two = tmp_path / "1.jsonl", tmp_path / "2.jsonl.gz"
    with TapeWriter(one, HEADER) as writer:
        for frame in FRAMES[:3]:
            writer.write(frame)
        writer.rotate(two)
        assert writer.records == 0
        writer.write(FRAMES[3])
        assert writer.header.part == 2
    assert read(one) == (FRAMES[:3], None)
    assert read(two) == ([FRAMES[3]], None)
    with open_source(two) as lines:
        header = TapeReader(lines).header
    assert (header.part, header.conns) == (2, {"c1": "wss://stream.example/ws"})
    assert header.started_ns == HEADER.started_ns


def test_rotation_that_fails(tmp_path: Path) -> None:
    """The recording goes on where it was."""
    path = tmp_path / "t.jsonl"
    with TapeWriter(path, HEADER) as writer:
        writer.write(FRAMES[0])
        with pytest.raises(UsageError):
            writer.rotate(tmp_path / "none" / "t.jsonl")
        writer.write(FRAMES[1])
        assert writer.header.part == 1
    assert read(path) == (FRAMES[:2], None)


def test_secrets(tmp_path: Path) -> None:
    """Are not on a tape, unless it is asked for."""
    header = Header(started_ns=0, url="wss://feed.example/?token=s3cret&symbol=BTC")
    frames = [
        TapeFrame(0, "c1", "open", url=header.url, headers=(("Authorization", "Bearer s3cret"),)),
        TapeFrame(1, "c1", "out", '40{"token":"s3cret","format":"full"}'),
    ]
    path = tmp_path / "t.jsonl"
    with TapeWriter(path, header) as writer:
        for frame in frames:
            writer.write(frame)
        writer.rotate(tmp_path / "2.jsonl")
    assert b"s3cret" not in path.read_bytes() + (tmp_path / "2.jsonl").read_bytes()
    assert b"symbol=BTC" in path.read_bytes()
    assert b'\\"format\\":\\"full\\"' in path.read_bytes()
    with TapeWriter(tmp_path / "3.jsonl", header, keep_secrets=True) as writer:
        for frame in frames:
            writer.write(frame)
    assert read(tmp_path / "3.jsonl") == (frames, None)
    assert (tmp_path / "3.jsonl").read_bytes().count(b"s3cret") == 4
