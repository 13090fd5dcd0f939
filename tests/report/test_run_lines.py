"""A run where there is no terminal."""

from tests.report.results import BROKEN, FLASH, LATENCY, SKIPPED, run
from tests.report.test_run_live import started
from tests.report.test_terminal import StoppedClock
from wsctl.model.run import (
    ActionDone,
    RunEnded,
    RunStarted,
    ScenarioEnded,
    ScenarioStarted,
    ServiceStarted,
    StepEnded,
    StepProgress,
    StepStarted,
)
from wsctl.report.run_lines import RunLines


def test_a_line_for_each_thing_that_happens() -> None:
    """With the seconds since the start; nothing for figures that move, nothing for the end."""
    clock, said = StoppedClock(), list[str]()
    lines = RunLines(clock, said.append)
    result = run(FLASH, BROKEN, SKIPPED)
    flash = FLASH.steps[1]
    for event in (
        started(result),
        ScenarioStarted(FLASH.name),
        ServiceStarted("feed", "http://127.0.0.1:4123"),
        StepStarted(FLASH.steps[0].name, None),
        StepEnded(FLASH.steps[0]),
        StepStarted(flash.name, 48.0),
        StepProgress(flash.name, {"messages.rate": 5.0}),
        ActionDone(flash.name, "flash", "flash: 1,500 connections cut"),
        StepEnded(flash),
        ScenarioEnded(FLASH),
        ScenarioEnded(SKIPPED),
        RunEnded(result),
    ):
        lines.listen(event)
        clock.time += 12.34
    missed = (
        "reconnect.success_rate expected >= 99.8 %, observed 99.793 %; "
        "reconnect.time.p99 expected < 15 s, observed never; "
        "latency.p95 expected < 50 ms, observed 83.2 ms; "
        "fanout.reach expected >= 99.9 %, was not measured"
    )
    assert said == [
        "   0.0 s  3 scenarios",
        "  12.3 s  Clients come back after a network flash",
        "  24.7 s    feed at http://127.0.0.1:4123",
        "  37.0 s    everybody connects",
        "  49.4 s    pass: everybody connects",
        "  61.7 s    fifteen hundred clients ride out a flash (about 48 s)",
        "  86.4 s      flash: 1,500 connections cut",
        f"  98.7 s    fail: fifteen hundred clients ride out a flash: {missed}",
        " 111.1 s  fail: Clients come back after a network flash",
        f" 123.4 s  skipped: A bad token is refused: {SKIPPED.reason}",
    ]


def test_control_characters_stay_out_of_logs() -> None:
    """One line stays one line, whatever a name or a server says."""
    said = list[str]()
    lines = RunLines(StoppedClock(), said.append)
    lines.listen(RunStarted((), "http://feed.test"))
    lines.listen(ScenarioStarted(f"{LATENCY.name}\n\x1b[2J"))
    assert said == ["   0.0 s  0 scenarios, target http://feed.test", "   0.0 s  Prices reach a client in time��[2J"]
