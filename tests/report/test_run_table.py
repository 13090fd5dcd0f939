"""The report of a run as people read it, at the widths of their terminals."""

from io import StringIO

import pytest
from msgspec.structs import replace
from rich.console import Console

from tests.report.results import (
    ALL_PASSED,
    BROKEN,
    EVERY_VERDICT,
    FAULTLESS,
    FLASH,
    INVALID,
    LATENCY,
    LIMIT,
    SILENT,
    SKIPPED,
    gap,
    judge,
    run,
    scenario,
    step,
)
from wsctl.model.expectation import Judged
from wsctl.model.finding import Verdict
from wsctl.model.run import RunResult
from wsctl.report.judged import observed, outcome
from wsctl.report.run_table import RunTable, summary


def draw(result: RunResult, width: int, *, terminal: bool = True) -> list[str]:
    file = StringIO()
    Console(width=width, height=40, force_terminal=terminal, color_system=None, file=file).print(RunTable(result))
    return file.getvalue().splitlines()


def test_what_passed_takes_few_lines() -> None:
    """What holds is shown by its values; a single step needs no name of its own."""
    assert draw(ALL_PASSED, 80) == [
        "pass  Prices reach a client in time                              10.6 s",
        "      latency.p50 900 µs < 5 ms · latency.p95 3.1 ms < 50 ms",
        "      latency.p99 9.8 ms < 100 ms · ordering.gaps 0",
        "pass  The fourth connection of a user evicts the oldest           8.5 s",
        "      three connect  2.1 s",
        "        connections.receiving 3 · errors 0",
        "      a fourth one  6 s",
        "        connections.evicted 1 · limit.evicted_oldest_first 100 %",
        "        limit.survivors_receiving 100 %",
        "pass  What the platform promises, at a size that two cores hold  28.8 s",
        "      connections.receiving 5,000 · connections.rate 612.4 /s >= 500 /s",
        "      messages.rate 50,123.7 /s >= 45000 /s · latency.p95 38.4 ms < 50 ms",
        "      server.rss 412.7 MB < 500 MB · server.cpu 0.83 cores < 1.2 cores",
        "      fanout.reach 100 % >= 99.9 %",
        "      note: the first 2 s of latencies are left out (warmup)",
        "",
        "3 scenarios: 3 passed in 47.9 s",
        "verdict: pass",
    ]


def test_each_missed_expectation_is_named() -> None:
    """Metric, bound and what was observed, then what held, what was found and what was kept."""
    assert draw(run(FLASH, LATENCY), 80)[3:] == [
        "fail  Clients come back after a network flash  52.5 s",
        "      everybody connects  4.1 s",
        "        connections.receiving 1,500",
        "      fifteen hundred clients ride out a flash  48 s  fail",
        "        reconnect.success_rate  expected >= 99.8 %, observed 99.793 %",
        "        reconnect.time.p99      expected < 15 s, observed never",
        "        latency.p95             expected < 50 ms, observed 83.2 ms",
        "        fanout.reach            expected >= 99.9 %, was not measured",
        "        ordering.duplicates 0",
        "        gap: seq 41 after 39 on symbol:BTC/USDT:ticker; expected 40",
        "        gap: seq 58 after 56 on symbol:BTC/USDT:ticker; expected 57",
        "        gap: seq 92 after 90 on symbol:BTC/USDT:ticker; expected 91",
        "        gap: seq 121 after 119 on symbol:BTC/USDT:ticker; expected 120",
        "        gap: seq 134 after 132 on symbol:BTC/USDT:ticker; expected 133",
        "        … and 2 more (result.json of --out lists them)",
        "        note: 12 latencies left out: the clocks cannot be compared",
        "        kept: reconnection/observations.jsonl reconnection/feed.log",
        "",
        "2 scenarios: 1 passed, 1 failed in 1 m 3 s",
        "verdict: fail",
    ]


def test_every_other_end_has_its_reason() -> None:
    """Skipped, unverifiable, invalid and error say why."""
    assert draw(run(SKIPPED, SILENT, INVALID, FAULTLESS, BROKEN, interrupted=True, target="http://feed.test"), 80) == [
        "skipped       A bad token is refused                   400 ms",
        "              mints tokens with the service's secret, and --url took the",
        "              service's place; give tokens: {alice: …}",
        "unverifiable  Order without numbers                    10.4 s",
        "              listen",
        "                no sequence numbers where they are looked for; seq_path says",
        "                where they are",
        "invalid       Load that this machine cannot make       30.4 s",
        "              twenty thousand clients",
        "                timers of wsctl's own clients fired 240.0 ms late (p99): the",
        "                figures are its own, not the server's",
        "error         A slow reader harms nobody else          12.4 s",
        "              one of fifty stops reading",
        "                the fault 'slow' was asked for at 5 s and never fired",
        "                latency.p95 4.0 ms < 50 ms",
        "error         Long-polling where WebSocket is blocked  400 ms",
        "              service feed ended with exit code 2 before it answered: wsctl:",
        "              error: unknown option --blocked",
        "              kept: fallback/feed.log",
        "",
        "target: http://feed.test",
        "5 scenarios: 2 errors, 1 unverifiable, 1 skipped, 1 invalid in 54 s",
        "verdict: error (interrupted)",
    ]


def test_what_went_wrong_comes_last() -> None:
    """At the bottom, so that nobody has to scroll for it."""
    heads = [line.split("  ")[0] for line in draw(EVERY_VERDICT, 120) if line[0:1].strip()]
    verdicts = ["pass", "pass", "pass", "skipped", "unverifiable", "invalid", "fail", "error", "error"]
    assert heads[: len(verdicts)] == verdicts


@pytest.mark.parametrize("width", [24, 40, 80, 100, 120, 250])
@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_is_cut(width: int, terminal: bool) -> None:
    """Whatever the width, every word is there; and where there is room no line is longer or ends in blanks."""
    lines = draw(EVERY_VERDICT, width, terminal=terminal)
    said = "".join("".join(lines).split())
    for words in ("evicts the oldest", "observed 83.2 ms", "was not measured", "expected 133", "alice: …", "2 m 34 s"):
        assert "".join(words.split()) in said
    if width > 60:
        assert max(len(line) for line in lines) <= width
        assert lines == [line.rstrip() for line in lines]


def test_a_calm_screen() -> None:
    """Twelve scenarios that pass: a screen or two, and a verdict."""
    twelve = run(*[LATENCY, LIMIT, LATENCY] * 4)
    assert len(draw(twelve, 100)) < 50
    assert draw(twelve, 100)[-2:] == ["12 scenarios: 12 passed in 1 m 59 s", "verdict: pass"]


def test_colours() -> None:
    """The verdict and the missed metric stand out; what a file or a feed says is no markup."""
    file = StringIO()
    console = Console(width=80, force_terminal=True, color_system="standard", file=file)
    console.print(RunTable(run(FLASH, scenario("[bold]x[/bold]", "x", step("s", 1.0, {})))))
    text = file.getvalue()
    assert "\x1b[1;31mfail\x1b[0m" in text
    assert "\x1b[31mlatency.p95             \x1b[0mexpected < 50 ms" in text
    assert "[bold]x[/bold]" in text


def test_control_characters_are_not_obeyed() -> None:
    """Neither names from a file nor reasons and findings from a feed reach the terminal as they are."""
    evil = "\x1b[2J\n\x9b\u202e"
    harmful = step(
        f"s{evil}",
        1.0,
        {},
        verdict=Verdict.ERROR,
        reason=evil,
        notes=(evil,),
        evidence=(evil,),
        findings=(replace(gap(1), message=evil, kind=evil),),
    )
    text = "\n".join(draw(run(scenario(f"n{evil}", "x", harmful, reason=evil), target=evil), 80))
    assert not set(evil) & set(text) - {"\n", "[", "2", "J"}
    assert "�[2J��" in text


def test_no_scenario() -> None:
    """A run without any says so."""
    assert summary(run()) == "no scenario in 0 ms"
    assert draw(run(), 80) == ["no scenario in 0 ms", "verdict: unverifiable"]


@pytest.mark.parametrize(
    ("value", "expectation", "text"),
    [
        (0.0832, "latency.p95 < 50 ms", "83.2 ms"),
        (0.05002, "latency.p95 <= 50 ms", "50.0 ms (0.05002 s)"),
        (0.04998, "latency.p95 < 50 ms", "50.0 ms (0.04998 s)"),
        (0.05, "latency.p95 < 50 ms", "50.0 ms"),
        (0.9979999, "reconnect.success_rate >= 99.8 %", "99.799 %"),
        (1500000.0, "messages.received >= 1400000", "1,500,000"),
        (499.97, "messages.rate >= 500 /s", "500.0 /s (499.97 /s)"),
        (float("inf"), "reconnect.time.p99 < 15 s", "never"),
        (float("inf"), "reconnect.herd_factor < 3", "infinite"),
        (float("nan"), "latency.p95 < 50 ms", "–"),
    ],
)
def test_observed(value: float, expectation: str, text: str) -> None:
    """A value as shown never contradicts its verdict."""
    (judged,) = judge({expectation.split()[0]: value}, expectation)
    assert observed(judged) == text


@pytest.mark.parametrize(
    ("judged", "text"),
    [
        (Judged("latency.p95", "< 50 ms", 0.0832, Verdict.FAIL), "expected < 50 ms, observed 83.2 ms"),
        (
            Judged("latency.p95", "< 50 ms", None, Verdict.FAIL, "was not measured"),
            "expected < 50 ms, was not measured",
        ),
        (Judged("errors", "== 0", None, Verdict.SKIPPED, "needs control"), "expected == 0; skipped: needs control"),
        (Judged("errors", "== 0", None, Verdict.UNVERIFIABLE), "expected == 0; unverifiable"),
        (Judged("not.ours", "< 5", 7.0, Verdict.FAIL), "expected < 5, observed 7"),
    ],
)
def test_outcome(judged: Judged, text: str) -> None:
    """What came of an expectation, in a sentence."""
    assert outcome(judged) == text
