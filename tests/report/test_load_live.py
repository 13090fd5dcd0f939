"""A load on a terminal while it lasts, and what is said of it at its end."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from tests.load.seconds import process, second
from tests.report.test_terminal import StoppedClock
from wsctl.client.target import Target
from wsctl.load.messages import Done, Ready, WorkerLost
from wsctl.load.options import LoadOptions
from wsctl.load.outcome.result import LimitTry
from wsctl.load.profile import LoadSpec, StageSpec
from wsctl.load.run import LoadRun
from wsctl.model.expectation import parse_expectation
from wsctl.report.load_lines import LoadLines
from wsctl.report.load_live import LoadLive, bar, spark

STAGES = (StageSpec(ramp=1000, over=10.0), StageSpec(hold=30.0), StageSpec(spike=500, lasting=5.0))


class Screen:
    """A terminal, and a load that is told to it."""

    def __init__(self, width: int = 100, height: int = 30, **given: Any) -> None:
        self.clock = StoppedClock()
        spec = LoadSpec(symbols=("BTC/USDT",), **({"stages": STAGES} if "limit" not in given else {"users": 1000}))
        options = LoadOptions(target=Target(url="http://feed.example"), spec=spec, name="a market opens", **given)
        self.run = LoadRun(options, self.clock, lambda event: None)
        self.console = Console(width=width, height=height, record=True, force_terminal=True, file=StringIO())
        self.live = LoadLive(self.run, self.clock, self.console)

    def tell(self, event: Any) -> None:
        if hasattr(event, "delta"):
            self.run.figures.add(event)
        self.live.listen(event)

    def drawn(self) -> list[str]:
        with self.live:
            self.console.export_text()
            self.live.refresh()
            return [line.rstrip() for line in self.console.export_text().splitlines() if line.strip()]


def test_before_the_first_second() -> None:
    assert Screen().drawn()[1] == "  the load's processes start"


def test_stages_connections_messages_and_causes() -> None:
    screen = Screen()
    screen.tell(Ready(url="http://127.0.0.1:8089/"))
    screen.tell(second(10.0, users=1000, open=990, opened=100, received=900, latencies={0.01: 900}))
    screen.tell(
        second(
            25.0,
            stage=1,
            users=1000,
            open=998,
            received=20_000,
            latencies={0.004: 20_000},
            causes={"Too many connections": 2},
            ordering__gaps=3,
            processes=(process(cpu=0.25, users=998),),
        )
    )
    drawn = screen.drawn()
    assert drawn[0].endswith("a market opens  http://feed.example  Locust at http://127.0.0.1:8089/  0 s")
    text = "\n".join(drawn)
    assert "✓ ramp to 1,000" in text
    assert "▸ hold 30 s" in text
    assert "15 s of 30 s" in text
    assert "· spike of 500" in text
    assert "998 of 1,000 open  ·  998 receiving" in text
    assert "1,333 /s" in text  # 20,000 in 15 s
    assert "4.0 ms" in text
    assert "2 × Too many connections" in text
    assert "3 gaps" in text
    assert "0.25 cores" in text


def test_workers_have_a_line_each_and_one_that_is_lost_is_told() -> None:
    screen = Screen()
    screen.tell(second(1.0, processes=(process(0), process(1))))
    screen.tell(WorkerLost(index=1, users=5))
    text = "\n".join(screen.drawn())
    assert "worker 0" in text
    assert "worker 1 is lost, and 5 users with it" in text


def test_a_search_shows_what_was_tried() -> None:
    screen = Screen(limit=parse_expectation("latency.p95 < 50 ms"))
    assert screen.run.limit is not None
    screen.run.limit.tries.append(LimitTry(users=400, held=False, receiving=400, observed=0.08, reason="it was slow"))
    screen.tell(second(1.0, stage=None, users=100))
    text = "\n".join(screen.drawn())
    assert "✗      400  it was slow" in text
    assert "▸      100  is tried" in text


@pytest.mark.parametrize("height", [3, 6, 10])
def test_no_terminal_is_too_small(height: int) -> None:
    screen = Screen(width=40, height=height)
    screen.tell(second(5.0, received=100, latencies={0.01: 100}))
    assert len(screen.drawn()) < height


def test_bars() -> None:
    assert bar(0.5).plain == "━" * 12 + "─" * 12
    assert bar(7.0).plain == "━" * 24
    assert spark([0, 1, 2, 4], 10).plain == "▁▃▅█"
    assert spark([9, 9, 1, 2], 2).plain == "▅█"
    assert spark([0, 0], 10).plain == ""


def test_lines_come_now_and_then_and_whenever_the_stage_changes() -> None:
    screen = Screen()
    said: list[str] = []
    lines = LoadLines(screen.run, said.append)
    for at, stage in ((1.0, 0), (2.0, 0), (4.0, 0), (6.0, 0), (10.0, 1), (11.0, 1)):
        told = second(at, stage=stage, users=1000, open=900, received=50, failed=int(at == 10), latencies={0.01: 50})
        screen.run.figures.add(told)
        lines.listen(told)
    assert said == [
        "   1.0 s  ramp to 1,000: 900 of 1,000 open, 900 receiving, 50 msg/s, p95 10.0 ms",
        "   6.0 s  ramp to 1,000: 900 of 1,000 open, 900 receiving, 25 msg/s, p95 10.0 ms",
        "  10.0 s  hold 30 s: 900 of 1,000 open, 900 receiving, 12 msg/s, p95 10.0 ms, 1 error",
    ]


def test_a_line_is_about_the_stage_that_most_of_its_second_was_in_and_none_comes_after_the_end() -> None:
    screen = Screen()
    said: list[str] = []
    lines = LoadLines(screen.run, said.append)
    told = (second(9.5), second(10.4, stage=1, mostly=0), second(11.4, stage=1))
    for one in (*told, second(11.6, stage=None, mostly=1)):
        screen.run.figures.add(one)
        lines.listen(one)
    assert [line.split(":")[0] for line in said] == ["   9.5 s  ramp to 1,000", "  11.4 s  hold 30 s"]


def test_what_was_is_not_shown_as_what_is_once_the_load_is_over() -> None:
    screen = Screen()
    screen.tell(second(5.0, received=100))
    screen.tell(Done(flushed=True))
    assert screen.drawn()[1:] == ["  the load's processes end"]
