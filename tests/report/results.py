"""Results of runs that nobody ran: every verdict, and what reports must get right."""

from collections.abc import Mapping

from wsctl.model.expectation import Judged, parse_expectation
from wsctl.model.finding import Finding, Verdict
from wsctl.model.run import RunResult, ScenarioResult, StepResult, overall

NEVER = float("inf")


def judge(metrics: Mapping[str, float], *expectations: str) -> tuple[Judged, ...]:
    return tuple(parse_expectation(text).judge(metrics) for text in expectations)


def step(name: str, duration: float, metrics: Mapping[str, float], *expectations: str, **more: object) -> StepResult:
    """A step whose verdict is that of its expectations."""
    judged = judge(metrics, *expectations)
    verdict = overall([one.verdict for one in judged]) if judged else Verdict.PASS
    told = {"verdict": verdict, "metrics": dict(metrics), "expectations": judged, **more}
    return StepResult(name=name, duration=duration, **told)  # type: ignore[arg-type]


def scenario(name: str, file: str, *steps: StepResult, **more: object) -> ScenarioResult:
    """A scenario whose verdict is that of its steps."""
    told = {"verdict": overall([one.verdict for one in steps]), **more}
    duration = sum(one.duration for one in steps) + 0.4
    return ScenarioResult(name=name, file=f"scenarios/{file}.yaml", duration=duration, steps=steps, **told)  # type: ignore[arg-type]


def run(*scenarios: ScenarioResult, **more: object) -> RunResult:
    """A run whose verdict is that of its scenarios."""
    told = {"verdict": overall([one.verdict for one in scenarios]), "started_at": 1_800_000_000.0, **more}
    return RunResult(duration=sum(one.duration for one in scenarios), scenarios=scenarios, **told)  # type: ignore[arg-type]


def gap(seq: int) -> Finding:
    channel = "symbol:BTC/USDT:ticker"
    message = f"seq {seq + 1} after {seq - 1} on {channel}; expected {seq}"
    return Finding(kind="gap", conn="c1", channel=channel, first=seq, last=seq, at=1_800_000_001.0, message=message)


LATENCY = scenario(
    "Prices reach a client in time",
    "latency",
    step(
        "one client at 200 updates per second",
        10.2,
        {"latency.p50": 0.0009, "latency.p95": 0.0031, "latency.p99": 0.0098, "ordering.gaps": 0.0},
        "latency.p50 < 5 ms",
        "latency.p95 < 50 ms",
        "latency.p99 < 100 ms",
        "ordering.gaps == 0",
    ),
)
LIMIT = scenario(
    "The fourth connection of a user evicts the oldest",
    "connection-limit",
    step(
        "three connect", 2.1, {"connections.receiving": 3.0, "errors": 0.0}, "connections.receiving == 3", "errors == 0"
    ),
    step(
        "a fourth one",
        6.0,
        {"connections.evicted": 1.0, "limit.evicted_oldest_first": 1.0, "limit.survivors_receiving": 1.0},
        "connections.evicted == 1",
        "limit.evicted_oldest_first == 100 %",
        "limit.survivors_receiving == 100 %",
    ),
)
PLATFORM = scenario(
    "What the platform promises, at a size that two cores hold",
    "platform-claims",
    step(
        "five thousand clients",
        28.4,
        {
            "connections.receiving": 5000.0,
            "connections.rate": 612.4,
            "messages.rate": 50123.7,
            "latency.p95": 0.0384,
            "server.rss": 412.7e6,
            "server.cpu": 0.83,
            "fanout.reach": 1.0,
        },
        "connections.receiving == 5000",
        "connections.rate >= 500 /s",
        "messages.rate >= 45000 /s",
        "latency.p95 < 50 ms",
        "server.rss < 500 MB",
        "server.cpu < 1.2 cores",
        "fanout.reach >= 99.9 %",
        notes=("the first 2 s of latencies are left out (warmup)",),
    ),
)
FLASH = scenario(
    "Clients come back after a network flash",
    "reconnection",
    step("everybody connects", 4.1, {"connections.receiving": 1500.0}, "connections.receiving == 1500"),
    step(
        "fifteen hundred clients ride out a flash",
        48.0,
        {
            "reconnect.success_rate": 0.9979333,
            "reconnect.time.p99": NEVER,
            "latency.p95": 0.0832,
            "ordering.duplicates": 0.0,
        },
        "reconnect.success_rate >= 99.8 %",
        "reconnect.time.p99 < 15 s",
        "latency.p95 < 50 ms",
        "fanout.reach >= 99.9 %",
        "ordering.duplicates == 0",
        findings=tuple(gap(seq) for seq in (40, 57, 91, 120, 133, 150, 188)),
        notes=("12 latencies left out: the clocks cannot be compared",),
        evidence=("reconnection/observations.jsonl", "reconnection/feed.log"),
    ),
)
FAULTLESS = scenario(
    "A slow reader harms nobody else",
    "slow-reader",
    step(
        "one of fifty stops reading",
        12.0,
        {"latency.p95": 0.004},
        "latency.p95 < 50 ms",
        verdict=Verdict.ERROR,
        reason="the fault 'slow' was asked for at 5 s and never fired",
    ),
)
SILENT = scenario(
    "Order without numbers",
    "ordering",
    step(
        "listen",
        10.0,
        {"messages.received": 1811.0},
        verdict=Verdict.UNVERIFIABLE,
        reason="no sequence numbers where they are looked for; seq_path says where they are",
    ),
)
SKIPPED = scenario(
    "A bad token is refused",
    "auth",
    verdict=Verdict.SKIPPED,
    reason="mints tokens with the service's secret, and --url took the service's place; give tokens: {alice: …}",
)
BROKEN = scenario(
    "Long-polling where WebSocket is blocked",
    "fallback",
    verdict=Verdict.ERROR,
    reason="service feed ended with exit code 2 before it answered: wsctl: error: unknown option --blocked",
    evidence=("fallback/feed.log",),
)
INVALID = scenario(
    "Load that this machine cannot make",
    "throttle",
    step(
        "twenty thousand clients",
        30.0,
        {"latency.p95": 0.31, "generator.lag.p99": 0.24},
        verdict=Verdict.INVALID,
        reason="timers of wsctl's own clients fired 240.0 ms late (p99): the figures are its own, not the server's",
    ),
)
ALL_PASSED = run(LATENCY, LIMIT, PLATFORM)
EVERY_VERDICT = run(LATENCY, FLASH, LIMIT, FAULTLESS, SILENT, SKIPPED, BROKEN, INVALID, PLATFORM)
