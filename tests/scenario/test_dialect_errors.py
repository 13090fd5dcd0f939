"""What a dialect cannot say and tapes that cannot be: each message to the letter, with its place."""

import shutil
from pathlib import Path

import pytest

from tests.scenario.suite import SUITE
from tests.scenario.texts import HEAD, STEP, expect, step
from wsctl.errors import UsageError
from wsctl.scenario.read import read_scenarios

RAW = "symbols: BTC/USDT, duration: 10s, dialect: binance"
TAPE = "b.jsonl"


def replaying(options: str, steps: str = STEP) -> str:
    """A scenario whose service plays a tape."""
    return f"name: N\nservices:\n  feed: {{replay: {{{options}}}}}\n{steps}"


def one(kind: str, options: str, more: str = "") -> str:
    """A scenario with one step of a kind."""
    return f"{HEAD}steps:\n  - name: s\n    {kind}: {{{options}}}\n{more}"


TABLE: dict[str, tuple[str, str, str | None]] = {
    "a service of nothing": (
        "name: N\nservices:\n  feed: {}\n" + STEP,
        "3:9: the service has nothing to run; expected one of serve, replay, chaos",
        None,
    ),
    "a service of two things": (
        "name: N\nservices:\n  feed: {serve: {}, replay: {tape: t.jsonl}}\n" + STEP,
        "3:9: the service has both serve and replay; expected one of serve, replay, chaos",
        None,
    ),
    "a tape that is not there": (
        replaying("tape: t.jsonl"),
        "3:25: cannot read t.jsonl: no such file or directory",
        None,
    ),
    "no tape": (replaying("speed: 2"), "3:18: services.feed.replay lacks 'tape'", None),
    "a tape that ends before it begins": (
        replaying("tape: t.jsonl, from: 3s, until: 2s"),
        "3:18: until is before from; expected it to be later",
        None,
    ),
    "no speed": (
        replaying("tape: t.jsonl, speed: 0"),
        "3:41: services.feed.replay.speed is 0; expected more than 0",
        None,
    ),
    "a tape in an unknown dialect": (
        replaying("tape: t.jsonl, dialect: binanse"),
        "3:43: unknown dialect 'binanse'",
        "did you mean binance?",
    ),
    "an unknown dialect": (
        step("symbols: BTC/USDT, duration: 10s, dialect: binanse"),
        "6:60: unknown dialect 'binanse'",
        "did you mean binance?",
    ),
    "a dialect's file that is not there": (
        step("symbols: BTC/USDT, duration: 10s, dialect: my/feed.yaml"),
        "6:60: my/feed.yaml cannot be read: no such file or directory",
        None,
    ),
    "a user on a raw feed": (
        step(RAW + ", user: ann"),
        "6:69: binance takes no user",
        "raw feeds take credentials by --header, or in the dialect file",
    ),
    "a token on a raw feed": (
        step(RAW + ", token: t"),
        "6:69: binance takes no token",
        "raw feeds take credentials by --header, or in the dialect file",
    ),
    "bots on a raw feed": (
        step(RAW + ", bots: true"),
        "6:69: bots makes no sense; binance has none: it is the platform's own",
        None,
    ),
    "a path on a raw feed": (
        step(RAW + ", seq_path: a.b"),
        "6:69: seq_path makes no sense; binance says itself where to look",
        None,
    ),
    "compact on a raw feed": (
        step(RAW + ", clients: 2, format: compact"),
        "6:81: format makes no sense; binance has none: it is the platform's own",
        None,
    ),
    "polling on a raw feed": (
        step(RAW + ", transport: polling"),
        "6:80: binance is spoken over WebSocket only; not by polling",
        None,
    ),
    "a symbol that is no pair": (
        step("symbols: BTC, duration: 10s, dialect: binance"),
        "6:26: symbol 'BTC' is no pair; expected one such as BTC/USDT",
        "--channel takes the names that binance uses itself",
    ),
    "a channel that a dialect has not": (
        step("channels: BTC, duration: 10s, dialect: kraken-v1"),
        "6:27: kraken-v1 has no channel 'BTC'",
        "known: book-{depth}:{pair}, ohlc-{interval}:{pair}, {name}:{pair}",
    ),
    "evictions on a raw feed": (
        expect("{connections.evicted: 0}", RAW),
        "7:14: connections.evicted cannot be measured; binance has no word for it",
        None,
    ),
    "source latency of many on a raw feed": (
        expect("{latency.source.p95: < 1 s}", RAW + ", clients: 2"),
        "7:14: latency.source.p95 cannot be measured; binance has no word for it",
        None,
    ),
    "a tape elsewhere": (
        one("record", "symbols: A, duration: 1s, file: ../t.jsonl"),
        "6:46: file is '../t.jsonl'; expected a plain name",
        None,
    ),
    "a tape where a log is": (
        one("record", "symbols: A, duration: 1s, file: feed.log"),
        "6:46: file is feed.log, which the run writes itself; expected another",
        None,
    ),
    "two tapes in one file": (
        HEAD
        + "steps:\n  - name: s\n    record: {symbols: A, duration: 1s}\n"
        + "  - name: t\n    record: {symbols: A, duration: 1s}\n",
        "8:13: step 's' writes tape.jsonl as well; expected another file",
        None,
    ),
    "nothing to record": (
        one("record", "duration: 1s"),
        "6:13: nothing to listen to; expected symbols or channels",
        None,
    ),
    "a latency of a tape": (
        one("record", "symbols: A, duration: 1s", "    expect: {latency.p95: < 1 s}\n"),
        "7:14: latency.p95 is not measured by this record step",
        "measured are auth.*, clock.*, connections.*, errors, messages.*, ordering.*, server.*, staleness.*, tape.*",
    ),
    "replay to an unknown service": (
        one("replay", "tape: s.yaml, to: fed"),
        "6:32: there is no service 'fed'",
        "did you mean feed?",
    ),
    "replay to an unknown scheme": (
        one("replay", f"tape: {TAPE}, to: ftp://x"),
        "6:33: to is ftp://x; expected a service, or http, https, ws, wss, redis, rediss",
        None,
    ),
    "replay of a tape that is not there": (
        one("replay", "tape: t.jsonl"),
        "6:20: cannot read t.jsonl: no such file or directory",
        None,
    ),
    "lateness at any speed": (
        one("replay", f"tape: {TAPE}, speed: max", "    expect: {replay.schedule_error.p99: < 1 ms}\n"),
        "7:14: replay.schedule_error.p99 is not measured by this replay step",
        "measured are replay.frames, replay.sent",
    ),
    "during a replay": (
        one("replay", f"tape: {TAPE}", "    during: [{at: 1s, pause: {}}]\n"),
        "7:5: during beside replay, which has no duration",
        None,
    ),
    "flash of a recorded feed": (
        replaying(
            f"tape: {TAPE}",
            "steps:\n  - name: s\n    subscribe: {channels: btcusdt@depth, duration: 60s}\n"
            "    during: [{at: 1s, flash: {}}]\n",
        ),
        "7:23: flash takes a mock feed (serve); feed is a recording",
        None,
    ),
    "emit to a recorded raw feed": (
        replaying(f"tape: {TAPE}", "steps:\n  - name: s\n    emit: {event: x}\n"),
        "6:11: emit sends events over Socket.IO; the feed speaks binance",
        None,
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_message(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Place, fact, what was expected; and a hint where there is one to give."""
    text, message, hint = TABLE[case]
    monkeypatch.chdir(tmp_path)
    shutil.copy(SUITE / "tapes" / "binance.jsonl", TAPE)
    Path("s.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_scenarios([Path("s.yaml")], {})
    assert (caught.value.message, caught.value.hint) == (f"s.yaml:{message}", hint)
