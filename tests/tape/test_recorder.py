"""What records: nothing is lost between the loop and the file, or it is said how much."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.tape.tapes import HEADER, read
from tests.tape.test_writer import files_of_at_most
from wsctl.client import feed as feed_module
from wsctl.client.subscription import Subscription
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.errors import ExitCode, UsageError, WsctlError
from wsctl.server.app import MockFeed
from wsctl.server.options import ServeOptions
from wsctl.tape import spool as spool_module
from wsctl.tape.deck import Deck, DeckOptions
from wsctl.tape.format import TapeFrame
from wsctl.tape.recorder import ClientTap, Recorder
from wsctl.tape.spool import Rotation, Spool, parse_rotation, part_path

WAIT = 15.0


def tick(number: int) -> TapeFrame:
    return TapeFrame(number * 1000, "c1", "in", f'{{"seq":{number}}}')


async def until(condition: Any) -> None:
    """Wait for something that nobody tells about."""
    async with asyncio.timeout(WAIT):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Made:
    """A spool, and whether it broke."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.broken = asyncio.Event()
        self.spool = Spool(path, HEADER, on_broken=self.broken.set, **options)


@pytest.mark.parametrize("suffix", ["", ".zst"])
def test_everything_gets_there_in_order(tmp_path: Path, suffix: str) -> None:
    """However it comes: in bursts, one by one, while the thread is writing."""
    path = tmp_path / f"t.jsonl{suffix}"

    async def scenario() -> None:
        made = Made(path)
        for number in range(100_000):
            made.spool.put(tick(number))
            if Random(number).random() < 0.01:
                await asyncio.sleep(0)
        made.spool.close()
        assert (made.spool.records, made.spool.size) == (100_000, path.stat().st_size)

    asyncio.run(scenario())
    assert read(path) == ([tick(number) for number in range(100_000)], None)


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_silence_is_no_reason_to_hold_back(tmp_path: Path, suffix: str) -> None:
    """What came can be read soon, although nothing follows and nobody closes."""
    path = tmp_path / f"t.jsonl{suffix}"

    async def scenario() -> None:
        made = Made(path)
        for number in range(3):
            made.spool.put(tick(number))
            await until(lambda: len(read(path)[0]) == number + 1)  # noqa: B023 - awaited at once
        made.spool.close()

    asyncio.run(scenario())


def test_falling_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the limit waits: that is an error which says how many are on tape, and they are."""
    monkeypatch.setattr(spool_module, "LIMIT", 10_000)
    path = tmp_path / "t.jsonl"

    async def scenario() -> None:
        made = Made(path)
        for number in range(5):
            made.spool.put(tick(number))
        await until(lambda: len(read(path)[0]) == 5)
        for number in range(5, 100):  # the thread is not told before the loop's next turn
            made.spool.put(tick(number))
        await asyncio.wait_for(made.broken.wait(), WAIT)
        with pytest.raises(WsctlError) as caught:
            made.spool.close()
        assert caught.value.exit_code is ExitCode.INTERNAL
        kept = read(path)[0]
        assert kept == [tick(number) for number in range(43)]  # of some 265 bytes each; the thread wrote on
        assert made.spool.records == 43
        assert caught.value.message == (
            f"{path} cannot be written as fast as frames come: the first 43 records are on tape"
        )

    asyncio.run(scenario())


@contextmanager
def pipe(path: Path) -> Iterator[int]:
    """A pipe with a name, and the end of it that is read."""
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield reading
    finally:
        os.close(reading)


def test_nobody_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second part that takes nothing any more: what is said to be on tape is there, in both of them."""
    path = tmp_path / "t.jsonl"
    monkeypatch.setattr(spool_module, "part_path", lambda first, number: tmp_path / "pipe")

    async def scenario() -> str:
        made = Made(path, rotation=Rotation(size=1000))
        for number in range(100):
            made.spool.put(tick(number))
        await until(lambda: len(made.spool.paths) == 2)
        for number in range(100, 1000):
            made.spool.put(TapeFrame(number, "c1", "in", "x" * 1000))
        with pytest.raises(WsctlError) as caught:
            made.spool.close(patience=0.2)
        return caught.value.message

    with pipe(tmp_path / "pipe") as reading:
        said = asyncio.run(scenario())
        piped = os.read(reading, 1 << 20)
        os.set_blocking(reading, True)
        while os.read(reading, 1 << 20):  # let the thread end
            pass
    assert piped.count(b"\n") > 10
    assert len(read(path)[0]) == 100
    assert said == (
        f"{tmp_path}/pipe cannot be written as fast as frames come: at least the first 100 of 1,000 records are on tape"
    )


def test_the_loop_goes_on_while_a_tape_is_closed(tmp_path: Path) -> None:
    """Who reads a pipe may live on the very loop: nothing is lost, and there is no waiting in vain."""

    async def scenario() -> bytes:
        got = bytearray()
        with pipe(tmp_path / "pipe") as reading:
            deck = Deck(DeckOptions(path=tmp_path / "pipe"), SystemClock(), dialect="x", url=None)
            for number in range(10_000):
                deck.receive("c1", f"{number}")
            closing = asyncio.create_task(deck.close())
            while not closing.done():
                await asyncio.sleep(0)
                with suppress(BlockingIOError):
                    got += os.read(reading, 1 << 20)
            await closing
            with suppress(BlockingIOError):
                got += os.read(reading, 1 << 20)
        return bytes(got)

    assert asyncio.run(scenario()).count(b"\n") == 10_001


def test_full_disk(tmp_path: Path) -> None:
    """Who records is told at once, and what fits is there; nothing is taken after that."""
    path = tmp_path / "t.jsonl"

    async def scenario() -> None:
        made = Made(path)
        with files_of_at_most(1000):
            for number in range(100):
                made.spool.put(tick(number))
            await asyncio.wait_for(made.broken.wait(), WAIT)
        made.spool.put(tick(100))
        assert (made.spool.broken, made.spool.records) == (True, 100)
        with pytest.raises(WsctlError, match="file too large; its first 15 records are kept, the last 85 are not"):
            made.spool.close()

    asyncio.run(scenario())
    assert read(path) == ([tick(number) for number in range(15)], None)


def test_a_fault_of_our_own_is_not_lost_in_the_thread(tmp_path: Path) -> None:
    """What the thread meets comes out where the tape is closed."""

    async def scenario() -> None:
        made = Made(tmp_path / "t.jsonl")
        made.spool.put(TapeFrame(0, "c1", "open", headers=(("a", object()),)))  # type: ignore[arg-type]
        await asyncio.wait_for(made.broken.wait(), WAIT)
        with pytest.raises(TypeError):
            made.spool.close()

    asyncio.run(scenario())


def test_nothing_recorded_is_no_tape(tmp_path: Path) -> None:
    """The file goes, unless it was there before."""
    mine = tmp_path / "mine.jsonl"
    mine.touch()

    async def scenario() -> None:
        for path in (mine, tmp_path / "t.jsonl.gz"):
            made = Made(path)
            assert path.stat().st_size > 0
            made.spool.close()

    asyncio.run(scenario())
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == {"mine.jsonl": 0}


def test_rotation(tmp_path: Path) -> None:
    """By size and by time; nothing is lost on the way."""

    async def scenario(path: Path, rotation: Rotation) -> list[Path]:
        made = Made(path, rotation=rotation)
        for number in range(5000):
            made.spool.put(tick(number))
        made.spool.close()
        return made.spool.paths

    for name, rotation in (("a.jsonl", Rotation(size=40_000)), ("b.jsonl.gz", Rotation(time=0.001))):
        paths = asyncio.run(scenario(tmp_path / name, rotation))
        assert [part_path(paths[0], part) for part in range(1, len(paths) + 1)] == paths
        assert len(paths) > 3
        assert [frame for path in paths for frame in read(path)[0]] == [tick(number) for number in range(5000)]


def test_a_part_in_the_way(tmp_path: Path) -> None:
    """Any leftover part is said before anything is recorded; other files are none."""
    for name in ("t.1.jsonl", "t.02.jsonl", "t.3.jsonl.gz", "x.3.jsonl", "t.x.jsonl"):
        (tmp_path / name).write_text("mine")

    async def scenario() -> Spool:
        return Made(tmp_path / "t.jsonl", rotation=Rotation(size=1000)).spool

    asyncio.run(scenario()).close()
    for name in ("t.30.jsonl", "t.7.jsonl"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=r"t\.7\.jsonl exists already; a part of the tape would be written there"):
        asyncio.run(scenario())
    assert not (tmp_path / "t.jsonl").exists()


def test_a_part_that_cannot_be_begun(tmp_path: Path) -> None:
    """Somebody took its name meanwhile: the tape stays where it is, whole, and that is said once."""
    path = tmp_path / "t.jsonl"
    said: list[str] = []

    async def scenario() -> Made:
        made = Made(path, rotation=Rotation(size=1000), tell=said.append)
        (tmp_path / "t.3.jsonl").write_text("mine")
        for number in range(5000):
            made.spool.put(tick(number))
        await until(lambda: bool(said))
        made.spool.close()
        return made

    made = asyncio.run(scenario())
    assert not made.broken.is_set()
    assert made.spool.paths == [path, tmp_path / "t.2.jsonl"]
    assert [frame for part in made.spool.paths for frame in read(part)[0]] == [tick(number) for number in range(5000)]
    assert said == [f"recording stays in {tmp_path}/t.2.jsonl: {tmp_path}/t.3.jsonl exists and is not empty; "
                    "expected a new file"]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "third"),
    [
        ("feed.jsonl.zst", "feed.3.jsonl.zst"),
        ("feed.jsonl", "feed.3.jsonl"),
        ("feed.gz", "feed.3.gz"),
        ("feed", "feed.3"),
        ("a.b.jsonl.GZ", "a.b.3.jsonl.GZ"),
    ],
)
def test_names_of_parts(name: str, third: str) -> None:
    """The suffixes stay, as they say what is in the file."""
    assert part_path(Path("x") / name, 3) == Path("x") / third
    assert part_path(Path(name), 1) == Path(name)


def test_how_rotations_are_written() -> None:
    """Sizes have a B at the end: 10m are minutes."""
    assert parse_rotation("100MB") == Rotation(size=100_000_000)
    assert parse_rotation(" 1.5 KiB") == Rotation(size=1536)
    assert parse_rotation("10m") == Rotation(time=600)
    for wrong in ("10", "10M", "10 mb", "-1MB", "1iB", ""):
        with pytest.raises(
            UsageError, match=r"^bad rotation .*; expected a size such as 100MB, or a time such as 10m$"
        ):
            parse_rotation(wrong)


def test_a_deck_counts(tmp_path: Path) -> None:
    """Frames of the server up to the count; what the client says is recorded to the end."""

    async def scenario() -> Deck:
        deck = Deck(DeckOptions(path=tmp_path / "t.jsonl", count=2), SystemClock(), dialect="x", url=None)
        async with deck:
            tap = ClientTap(deck)
            tap.opened("ws://one/", (("A", "b"),))
            tap.received("1")
            assert not deck.over.is_set()
            tap.closed(1006, "")
            tap.opened("ws://two/", ())
            for frame in ("2", "3"):
                tap.received(frame)
            assert deck.over.is_set()
            tap.sent("bye", "…")
            tap.closed(4000, "why")
        return deck

    deck = asyncio.run(scenario())
    assert (deck.received, deck.sent, deck.opens, deck.closes) == (2, 1, 2, 2)
    frames, _ = read(tmp_path / "t.jsonl")
    assert [(f.conn, f.direction, f.frame, f.url, f.code, f.reason, f.headers) for f in frames] == [
        ("c1", "open", None, "ws://one/", None, None, (("A", "b"),)),
        ("c1", "in", "1", None, None, None, ()),
        ("c1", "close", None, None, 1006, None, ()),
        ("c1.2", "open", None, "ws://two/", None, None, ()),
        ("c1.2", "in", "2", None, None, None, ()),
        ("c1.2", "out", "bye", None, None, None, ()),
        ("c1.2", "close", None, None, 4000, "why", ()),
    ]


def test_frames_are_not_kept_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recording for hours fills no queue of observations that nobody reads."""
    monkeypatch.setattr(feed_module, "QUEUE_LIMIT", 10)

    async def scenario() -> Deck:
        async with MockFeed(ServeOptions(port=0, symbols=("X/Y",), rate=500)) as mock:
            recorder = Recorder(
                Target(url=mock.url, direct=True),
                [Subscription("price:subscribe", ("X/Y",))],
                DeckOptions(path=tmp_path / "t.jsonl", count=100),
                SystemClock(),
                Random(1),
            )
            async with asyncio.timeout(WAIT), recorder:
                async for _ in recorder:
                    pass
        return recorder.deck

    assert asyncio.run(scenario()).received == 100
