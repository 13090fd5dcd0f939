"""The player: every record in its order and at its time, whatever the output does."""

import asyncio
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tape.looptime import NOON, LoopClock, run
from tests.tape.tapes import source
from wsctl.errors import UsageError
from wsctl.tape.format import Direction, Header, TapeFrame, encode_frame, encode_header
from wsctl.tape.player import TIMER_STEP, Output, Played, Player
from wsctl.tape.reader import TapeReader
from wsctl.wire.dialect import Dialect
from wsctl.wire.dialects import dialect_named

SECOND = 1_000_000_000
BINANCE = dialect_named("binance")


class Enough(Exception):
    """As many rounds as were wanted."""


class Seen(Output):
    """Notes what is put, and when; `busy` says how long it takes each."""

    def __init__(self, busy: Callable[[int], float] = lambda count: 0.0, rounds: float = math.inf) -> None:
        self.put_at: list[float] = []
        self.played: list[Played] = []
        self.skipped: list[Played] = []
        self.rounds: list[int] = []
        self._busy = busy
        self._last = rounds

    async def ready(self) -> None:
        await asyncio.sleep(5)  # somebody comes

    async def put(self, played: Played) -> None:
        self.put_at.append(asyncio.get_running_loop().time())
        self.played.append(played)
        if busy := self._busy(len(self.played)):
            await asyncio.sleep(busy)

    def skip(self, played: Played) -> None:
        self.skipped.append(played)

    async def lap_over(self, lap: int) -> None:
        self.rounds.append(lap)
        if lap >= self._last:
            raise Enough

    async def close(self) -> None: ...


def frame(at: float, text: str = "{}", direction: Direction = "in") -> TapeFrame:
    return TapeFrame(round(at * SECOND), "c1", direction, text)


def player(frames: Sequence[TapeFrame], dialect: Dialect | None = BINANCE, **options: Any) -> Player:
    """Of a tape with these frames."""
    lines = [encode_header(Header(started_ns=0)), *map(encode_frame, frames)]

    @contextmanager
    def recording() -> Iterator[TapeReader]:
        yield TapeReader(source(b"".join(lines)))

    return Player(recording, dialect, clock=LoopClock(), **options)


def play(frames: Sequence[TapeFrame], seen: Seen | None = None, **options: Any) -> tuple[Seen, Player]:
    """What an output sees of a tape, and the player; the first round begins at 5 s."""
    seen = seen or Seen()
    playing = player(frames, **options)
    with suppress(Enough):
        run(playing.play(seen))
    return seen, playing


@given(st.lists(st.floats(0, 10), min_size=1, max_size=30), st.sampled_from([0.5, 1.0, 10.0]))
def test_order_and_pace(pauses: list[float], speed: float) -> None:
    """Every frame is put in its order, at its time, and never before it."""
    offsets = [sum(pauses[: index + 1]) for index in range(len(pauses))]
    frames = [frame(at, json.dumps({"index": index})) for index, at in enumerate(offsets)]
    seen, playing = play(frames, speed=speed)
    assert [played.frame for played in seen.played] == frames
    begin = frames[0].at_ns
    for played, put_at in zip(seen.played, seen.put_at, strict=True):
        due = 5 + (played.frame.at_ns - begin) / SECOND / speed
        assert due - 1e-9 <= put_at <= due + TIMER_STEP
        assert played.at == pytest.approx(NOON + due, abs=1e-6)
    assert (playing.frames, playing.laps) == (len(frames), 1)
    assert playing.schedule.max <= TIMER_STEP


def test_no_drift() -> None:
    """An output that was busy for long gets what is late at once, and what follows in time."""
    frames = [frame(index / 10) for index in range(100)]
    seen, playing = play(frames, Seen(lambda count: 0.55 if count == 10 else 0.01))
    late = [put_at - 5 - index / 10 for index, put_at in enumerate(seen.put_at)]
    assert [index for index, by in enumerate(late) if by > TIMER_STEP] == [10, 11, 12, 13, 14]
    assert late[10] == pytest.approx(0.45, abs=TIMER_STEP)
    assert playing.schedule.max == pytest.approx(0.45, abs=TIMER_STEP)
    assert playing.schedule.count == 100


def test_a_clock_that_was_set_back() -> None:
    """The frame after it follows at once, and those behind as they did."""
    seen, _ = play([frame(100), frame(101), frame(40), frame(42), frame(41.5), frame(42)])
    assert [round(put_at - 5, 2) for put_at in seen.put_at] == [0, 1, 1, 3, 3, 3.5]


def test_a_crowd_at_once_starves_nobody() -> None:
    """Between any two frames that are due together, others have their turn."""
    turns = 0
    seen_at: list[int] = []
    begun = asyncio.Event()

    def note(count: int) -> float:
        begun.set()
        seen_at.append(turns)
        return 0.0

    async def others() -> None:
        nonlocal turns
        await begun.wait()
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def both() -> None:
        beside = asyncio.ensure_future(others())
        await player([frame(0)] * 100).play(Seen(note))
        beside.cancel()

    run(both())
    assert all(later > before for before, later in pairwise(seen_at[2:])), seen_at


def test_as_fast_as_the_output_takes_it() -> None:
    """At infinite speed only the output is waited for, and no schedule is kept."""
    seen, playing = play([frame(index) for index in range(5)], Seen(lambda count: 2.0), speed=math.inf)
    assert [round(put_at - 5, 2) for put_at in seen.put_at] == [0, 2, 4, 6, 8]
    assert [round(played.at - NOON - 5, 2) for played in seen.played] == [0, 2, 4, 6, 8]
    assert playing.schedule.count == 0


@pytest.mark.parametrize("speed", [1.0, 2.0, math.inf])
def test_from_and_until(speed: float) -> None:
    """What lies before is state, and its subscriptions count; what lies after is not met."""
    trade = '{"e":"trade","s":"BTCUSDT","t":%d}'
    frames = [
        frame(100, '{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}', "out"),
        *(frame(100 + index, trade % index) for index in range(1, 10)),
    ]
    seen, playing = play(frames, since=3.0, until=6.0, speed=speed)
    assert [played.events[0].seq for played in seen.skipped[1:]] == [1, 2]
    assert [(event.channel, event.seq) for played in seen.played for event in played.events] == [
        ("btcusdt@trade", seq) for seq in (3, 4, 5, 6)
    ]
    wanted = [0.0] * 4 if speed == math.inf else [index / speed for index in range(4)]
    assert [put_at - 5 for put_at in seen.put_at] == pytest.approx(wanted, abs=TIMER_STEP)
    assert playing.frames == 4


def test_nothing_in_that_time() -> None:
    with pytest.raises(UsageError, match=r"^the tape holds nothing in the time that was asked for\n"):
        play([frame(0), frame(1)], since=1.5)


def test_what_a_server_did_not_send() -> None:
    """Every record is put; events are in what a server sent, and only that counts as a frame played."""
    http = TapeFrame(0, "", "http", "{}", url="https://x/y")
    frames = [http, frame(0, '{"e":"trade","s":"A","t":1}', "out"), frame(0, '{"e":"trade","s":"A","t":1}')]
    seen, playing = play(frames)
    assert [len(played.events) for played in seen.played] == [0, 0, 1]
    assert playing.frames == 1


PRICE = {"channel": "symbol:A:ticker", "symbol": "A", "price": 1.5, "seq": 7, "epoch": "x", "timestamp": 1.6e12}
COMPACT = {"s": "A", "p": 1.5, "v": 2, "t": 1.6e12, "q": 8, "e": "x"}
PLAIN = {"symbol": "A", "price": 2}


def socketio(*payloads: Any) -> list[TapeFrame]:
    return [frame(index, "42" + json.dumps(["price:update", payload])) for index, payload in enumerate(payloads)]


def test_each_round_is_an_epoch() -> None:
    """Numbers begin again with a new name, in the payload as well; where there was none, only the Event has it."""
    seen, playing = play(socketio(PRICE, COMPACT, PLAIN), Seen(rounds=3), dialect=None, loop=True)
    assert (seen.rounds, playing.laps, playing.frames) == ([1, 2, 3], 3, 9)
    events = [played.events[0] for played in seen.played]
    assert [event.epoch for event in events] == ["x", "x", None, "x+2", "x+2", "lap-2", "x+3", "x+3", "lap-3"]
    assert [event.seq for event in events] == [7, 8, None] * 3
    assert [played.lap for played in seen.played] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert [played.restamped for played in seen.played] == [False] * 3 + [True] * 6
    assert [event.data for event in events[3:6]] == [{**PRICE, "epoch": "x+2"}, {**COMPACT, "e": "x+2"}, PLAIN]
    assert [round(put_at, 1) for put_at in seen.put_at] == [5, 6, 7, 12, 13, 14, 19, 20, 21]


def test_a_round_of_a_raw_dialect() -> None:
    """Nothing on the wire says which round it is: the frames stay what they are."""
    seen, _ = play([frame(0, '{"e":"trade","s":"A","t":1}')], Seen(rounds=2), loop=True)
    assert [played.events[0].epoch for played in seen.played] == [None, "lap-2"]
    assert not any(played.restamped for played in seen.played)


def test_restamped() -> None:
    """The time of sending is when it is put; all else stays."""
    seen, _ = play(socketio(PRICE, COMPACT, PLAIN), dialect=None, restamp=True)
    now = [NOON + put_at for put_at in seen.put_at]
    events = [played.events[0] for played in seen.played]
    assert [event.sent_at for event in events] == [now[0], now[1], None]
    assert events[0].data == {**PRICE, "timestamp": pytest.approx(now[0] * 1000, abs=0.001)}
    assert events[1].data == {**COMPACT, "t": pytest.approx(now[1] * 1000, abs=0.001)}
    assert events[2].data == PLAIN
    assert all(played.restamped for played in seen.played)


RAW = [
    ("binance", '{"e":"trade","E":1633998512068,"s":"A","t":1}', ["E"], 1_800_000_005_000),
    ("binance", '{"e":"trade","E":1633998512068001,"s":"A","t":1}', ["E"], 1_800_000_005_000_000),
    ("coinbase", '{"type":"match","time":"2021-04-01T00:00:00.5Z"}', ["time"], "2027-01-15T08:00:05.000000Z"),
    ("okx", '{"arg":{"channel":"c","instId":"i"},"data":[{"ts":"1"},{"ts":"2"}]}', ["data", -1, "ts"], "1800000005000"),
]


@pytest.mark.parametrize(("name", "text", "place", "time"), RAW)
def test_restamped_raw(name: str, text: str, place: list[Any], time: Any) -> None:
    """In the exchange's unit and spelling, and nowhere else."""
    if name == "coinbase":
        text = text[:-1] + ',"product_id":"BTC-USD"}'
    seen, _ = play([frame(0, text)], dialect=dialect_named(name), restamp=True)
    wanted: Any = json.loads(text)
    inner = wanted
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = time
    (event,) = seen.played[0].events
    assert event.data == wanted
    assert event.sent_at == NOON + 5


def test_a_time_that_cannot_be_written() -> None:
    book = '[1,{"as":[["1","2","1600000000.5"]],"bs":[]},"book-10","XBT/USD"]'
    with pytest.raises(UsageError, match=r"^kraken-v1: the time of book-10:XBT/USD cannot be written, only read\n"):
        play([frame(0, book)], dialect=dialect_named("kraken-v1"), restamp=True)


class Slow(LoopClock):
    """A clock on which opening and reading take their time."""

    lost = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.lost


@pytest.mark.parametrize("since", [0.0, 5.0])
def test_opening_is_no_part_of_the_schedule(since: float) -> None:
    """Time runs from when the first frame is there to be played, in every round: what was before made none late."""
    clock, times = Slow(), [0, 1, 5, 5.001, 5.5]
    lines = [encode_header(Header(started_ns=0)), *(encode_frame(frame(at)) for at in times)]

    class Recorded(TapeReader):
        def __iter__(self) -> Iterator[TapeFrame]:
            for record in super().__iter__():
                clock.lost += 0.2 if record.at_ns < since * SECOND else 0.0
                yield record

    @contextmanager
    def recording() -> Iterator[TapeReader]:
        clock.lost += 0.5
        yield Recorded(source(b"".join(lines)))

    playing = Player(recording, BINANCE, clock=clock, since=since, loop=True)
    with suppress(Enough):
        run(playing.play(Seen(rounds=2)))
    assert playing.frames == 2 * sum(at >= since for at in times)
    assert playing.schedule.max <= TIMER_STEP
