"""A run on a terminal while it lasts."""

from collections.abc import Iterator
from io import StringIO

import pytest
from rich.console import Console

from tests.report.results import BROKEN, EVERY_VERDICT, FLASH, LATENCY, LIMIT, PLATFORM, run
from tests.report.test_terminal import StoppedClock
from wsctl.model.metrics import Metrics
from wsctl.model.run import (
    ActionDone,
    Outline,
    RunEnded,
    RunEvent,
    RunResult,
    RunStarted,
    ScenarioEnded,
    ScenarioStarted,
    ServiceStarted,
    StepEnded,
    StepProgress,
    StepStarted,
)
from wsctl.report.figures import figures
from wsctl.report.run_live import RunLive


def started(result: RunResult) -> RunStarted:
    outlines = [
        Outline(name=one.name, file=one.file, steps=tuple(step.name for step in one.steps)) for one in result.scenarios
    ]
    return RunStarted(tuple(outlines), result.target)


def every_event(result: RunResult) -> Iterator[RunEvent]:
    yield started(result)
    for scenario in result.scenarios:
        yield ScenarioStarted(scenario.name)
        yield ServiceStarted("feed", "http://127.0.0.1:4123")
        for step in scenario.steps:
            yield StepStarted(step.name, step.duration)
            yield StepProgress(step.name, {"connections.asked": 5.0, "connections.receiving": 4.0})
            for number in range(9):
                yield ActionDone(step.name, "flash", f"flash: {number} connections cut")
            yield StepEnded(step)
        yield ScenarioEnded(scenario)
    yield RunEnded(result)


class Screen:
    """A terminal and what is drawn on it."""

    def __init__(self, width: int = 80, height: int = 24) -> None:
        self.clock = StoppedClock()
        self.file = StringIO()
        self.console = Console(width=width, height=height, record=True, force_terminal=True, file=self.file)
        self.live = RunLive(self.clock, self.console)

    def draw(self, *events: RunEvent) -> list[str]:
        self.console.export_text(clear=True)
        for event in events:
            self.live.listen(event)
        self.live.refresh()
        return [line.rstrip() for line in self.console.export_text(clear=True).splitlines()]


RESULT = run(LATENCY, FLASH, LIMIT)
NAMES = tuple(step.name for step in FLASH.steps)


def test_a_step_under_way() -> None:
    """What ended with its verdict, what is under way with its figures, what is to come; tails in one column."""
    screen = Screen()
    with screen.live:
        assert screen.draw(started(RESULT)) == [
            "· Prices reach a client in time",
            "· Clients come back after a network flash",
            "· The fourth connection of a user evicts the oldest",
            "0 of 3 scenarios  0 s",
        ]
        screen.draw(ScenarioStarted(LATENCY.name), ScenarioEnded(LATENCY))
        assert screen.draw(ScenarioStarted(FLASH.name))[1:3] == [
            "⠸ Clients come back after a network flash   0 s",
            "  starting services",
        ]
        screen.draw(ServiceStarted("feed", "http://127.0.0.1:4123"), StepStarted(NAMES[0], None))
        screen.draw(StepEnded(FLASH.steps[0]), StepStarted(NAMES[1], 48.0))
        screen.clock.time += 10
        screen.draw(ActionDone(NAMES[1], "flash", "flash: 1,500 connections cut"))
        screen.clock.time += 2.7
        metrics = {"connections.asked": 1500.0, "connections.receiving": 1497.0, "messages.rate": 29940.2}
        assert screen.draw(StepProgress(NAMES[1], metrics)) == [
            "✓ Prices reach a client in time             10.6 s",
            "⠧ Clients come back after a network flash   12 s",
            "  ✓ everybody connects                      4.1 s",
            "  ⠧ fifteen hundred clients ride out a fl…  ━━━━━───────────────  12 s of 48 s",
            "    1,497 of 1,500 receiving · 29,940 msg/s",
            "    at 10 s  flash: 1,500 connections cut",
            "· The fourth connection of a user evicts the oldest",
            "1 of 3 scenarios  1 passed  12 s",
        ]
        assert screen.draw(StepEnded(FLASH.steps[1]), ScenarioEnded(FLASH))[1:] == [
            "✗ Clients come back after a network flash   52.5 s",
            "· The fourth connection of a user evicts the oldest",
            "2 of 3 scenarios  1 passed  1 failed  12 s",
        ]


def test_parallel_steps() -> None:
    """Steps that run at the same time are shown at the same time; later than expected, the bar is full."""
    screen = Screen(120)
    with screen.live:
        screen.draw(
            started(RESULT), ScenarioStarted(FLASH.name), StepStarted(NAMES[0], 4.0), StepStarted(NAMES[1], 48.0)
        )
        screen.clock.time += 96
        lines = screen.draw()
    assert (
        lines[1].endswith("everybody connects                         ━━━━━━━━━━━━━━━━━━━━  1 m 36 s of 4 s") is False
    )
    assert [line.split("  ")[-1] for line in lines if "━" * 20 in line] == ["1 m 36 s of 4 s", "1 m 36 s of 48 s"]


@pytest.mark.parametrize("width", [20, 80])
@pytest.mark.parametrize("height", [2, 3, 5, 8, 12, 24])
def test_it_never_outgrows_the_terminal(width: int, height: int) -> None:
    """At any moment of a run, whatever the window: a row that scrolled off could not be redrawn."""
    screen = Screen(width, height)
    result = run(*EVERY_VERDICT.scenarios)
    with screen.live:
        for event in every_event(result):
            screen.clock.time += 1.5
            lines = screen.draw(event)
            assert len(lines) < max(height, 2)
            assert max(len(line) for line in lines) <= width


def test_a_low_window_counts_what_it_leaves_out() -> None:
    """The step under way stays in sight."""
    screen = Screen(80, 9)
    result = run(LATENCY, LIMIT, PLATFORM, FLASH, BROKEN)
    events = list(every_event(result))
    with screen.live:
        screen.draw(*events[: events.index(StepStarted(NAMES[1], 48.0)) + 2])
        lines = screen.draw()
    assert [line[:30].rstrip() for line in lines] == [
        "  … 2 more",
        "✓ What the platform promises,",
        "⠹ Clients come back after a ne",
        "  ✓ everybody connects",
        "  ⠹ fifteen hundred clients ri",
        "    4 of 5 receiving",
        "· Long-polling where WebSocket",
        "3 of 5 scenarios  3 passed  0",
    ]


def test_nothing_is_left_at_the_end() -> None:
    """The final report follows where the live one stood."""
    screen = Screen()
    with screen.live:
        lines = screen.draw(*every_event(RESULT))
    assert len(lines) == 4
    assert screen.file.getvalue().rpartition("\n")[2].count("\x1b[1A\x1b[2K") == len(lines)


def test_control_characters_are_not_obeyed() -> None:
    """Neither a file's names nor a server's answer write to the terminal."""
    screen = Screen()
    evil = "\x1b]0;x\x07\n[red]"
    outlines = (Outline(name=evil, file="x", steps=(evil,)),)
    with screen.live:
        events = (
            RunStarted(outlines, evil),
            ScenarioStarted(evil),
            StepStarted(evil, 1.0),
            ActionDone(evil, "x", evil),
        )
        lines = screen.draw(*events)
    assert len(lines) == 4
    assert all("�]0;x��[red]" in line for line in lines[:3])


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        ({}, ""),
        ({"connections.asked": 1500.0, "connections.receiving": 1497.0}, "1,497 of 1,500 receiving"),
        ({"connections.opened": 3.0}, "3 connected"),
        ({"messages.rate": 29940.2, "latency.p95": 0.0031, "ordering.gaps": 0.0}, "29,940 msg/s · p95 3.1 ms · 0 gaps"),
        ({"reconnect.cut": 1500.0, "reconnect.recovered": 1200.0}, "1,200 of 1,500 back"),
        ({"reconnect.cut": 0.0, "errors": 0.0, "connections.evicted": 0.0}, ""),
        ({"ordering.gaps": 1.0, "errors": 2.0, "connections.evicted": 3.0}, "1 gap · 3 evicted · 2 errors"),
        ({"latency.p95": float("inf"), "messages.received": 7.0}, "p95 never"),
    ],
)
def test_figures(metrics: Metrics, text: str) -> None:
    """What there is, and of the rest nothing."""
    assert figures(metrics).plain == text
