"""--expect and --max-silence: what a one-liner in CI says, and how it ends."""

import json
import re
import urllib.request
from pathlib import Path

import pytest

from tests.cli.conftest import Serve
from tests.cli.program import Program, Result, Server, wsctl
from tests.peers.background import Background
from tests.peers.liar import Liar
from tests.peers.stranger import Stranger

PASSED, FINDINGS, USAGE, TARGET = 0, 1, 2, 3
CHANNEL = "symbol:BTC/USDT:ticker"


def judged(result: Result) -> list[str]:
    """The lines about expectations."""
    return [line for line in result.err.splitlines() if line.startswith(("pass: ", "fail: "))]


def pause(server: Server) -> None:
    """Prices stop, heartbeats do not."""
    asked = urllib.request.Request(f"{server.url}/control/pause", b"{}", {"Content-Type": "application/json"})
    urllib.request.urlopen(asked, timeout=5).close()


def expecting(url: str, *expected: str, command: str = "subscribe", more: tuple[str, ...] = ()) -> Result:
    """A short look at a feed."""
    options = [option for text in expected for option in ("--expect", text)]
    return wsctl(command, "BTC/USDT", "--url", url, "--duration", "600ms", *options, *more)


def test_what_holds(feed: Server) -> None:
    """Exit 0; each expectation is said with what was observed, on stderr: stdout is the feed's."""
    result = expecting(
        feed.url, "latency.p95 < 500 ms", "messages.received>3", "ordering.gaps = 0", "silence.max < 1 m"
    )
    assert result.code == PASSED, result.err
    assert {one["channel"] for one in result.observations} == {CHANNEL}
    held = [re.sub(r": [\d.]+( ms| µs| s|)$", ": N", line) for line in judged(result)]
    assert held == [
        "pass: latency.p95 < 500 ms: N",
        "pass: messages.received >3: N",
        "pass: ordering.gaps = 0: N",
        "pass: silence.max < 1 m: N",
    ]


def test_what_does_not_hold(feed: Server) -> None:
    """Exit 1 with one of several; the bound as it was written, and what was observed."""
    result = expecting(feed.url, "messages.received >= 1_000_000", "ordering.gaps == 0")
    assert result.code == FINDINGS
    missed, held = judged(result)
    assert re.fullmatch(r"fail: messages\.received expected >= 1_000_000, observed \d+", missed)
    assert held == "pass: ordering.gaps == 0: 0"


def test_what_was_not_measured(feed: Server) -> None:
    """It fails: nothing came, so nothing is known of latency."""
    arguments = ("--channel", "announcement", "--url", feed.url, "--duration", "300ms")
    result = wsctl("subscribe", *arguments, "--expect", "latency.p95 < 1 s", "--expect", "messages.received == 0")
    assert result.code == FINDINGS
    assert judged(result) == [
        "fail: latency.p95 expected < 1 s, was not measured",
        "pass: messages.received == 0: 0",
    ]


def test_so_many_messages(feed: Server) -> None:
    """--count and --expect agree on what a message is."""
    result = wsctl("subscribe", "BTC/USDT", "--url", feed.url, "--count", "3", "--expect", "messages.received == 3")
    assert (result.code, judged(result)) == (PASSED, ["pass: messages.received == 3: 3"])


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("latency.p59 < 50 ms", "unknown metric 'latency.p59'", "did you mean latency.p99?"),
        ("zebra > 3", "unknown metric 'zebra'", "docs/scenarios.md lists them"),
        ("fanout.reach == 1", "fanout.reach is not measured by one client that watches", "wsctl run measures it"),
        ("auth.refused == 1", "auth.refused is not measured by one client that watches", "wsctl run measures it"),
        ("reconnect.cut == 1", "reconnect.cut is not measured by one client that watches", "wsctl run measures it"),
        (
            "latency.p95 < 50",
            "bad bound '< 50' for latency.p95: no unit; expected something like '< 50 ms'",
            None,
        ),
        (
            "latency.p95 50 ms",
            "bad expectation 'latency.p95 50 ms'; expected a metric and a bound, such as 'latency.p95 < 50 ms'",
            None,
        ),
        ("", "bad expectation ''; expected a metric and a bound, such as 'latency.p95 < 50 ms'", None),
    ],
)
@pytest.mark.parametrize("command", ["subscribe", "ordering-check"])
def test_what_makes_no_sense(command: str, text: str, message: str, hint: str | None) -> None:
    """Exit 2 before anything is connected."""
    result = wsctl(command, "A", "--url", "http://127.0.0.1:1", "--expect", text)
    said = f"wsctl: error: {message}\n" + (f"  hint: {hint}\n" if hint else "")
    assert (result.err, result.out, result.code) == (said, "", USAGE)


def test_options_that_make_no_sense() -> None:
    """A silence of no length; what a recording cannot tell."""
    result = wsctl("subscribe", "A", "--max-silence", "0")
    assert (result.code, result.err) == (
        USAGE,
        "wsctl: error: --max-silence is 0; expected more\n  hint: wsctl subscribe --help\n",
    )
    for expected in ("latency.p95 < 1 s", "connections.opened == 1", "silence.max < 1 s"):
        result = wsctl("ordering-check", "--tape", "x", "--expect", "ordering.gaps == 0", "--expect", expected)
        message = f"{expected.split()[0]} is not measured on a recording"
        hint = "ordering.*, messages.received, staleness.max and clock.skew.max are"
        assert (result.code, result.err) == (USAGE, f"wsctl: error: {message}\n  hint: {hint}\n")


def lines(*told: tuple[int, float, float]) -> str:
    """Observations by number, time of receipt and time of sending."""
    line = '{"received_at":%s,"conn":"c1","channel":"c","event":"e","epoch":"x","seq":%d,"sent_at":%s,'
    return "".join((line % (at, seq, sent) + '"latency_ms":null,"data":{}}\n') for seq, at, sent in told)


def on_tape(path: Path, *expected: str, more: tuple[str, ...] = ()) -> Result:
    """A recording with expectations."""
    options = [option for text in expected for option in ("--expect", text)]
    return wsctl("ordering-check", "--tape", str(path), *options, *more)


def test_what_is_expected_of_a_recording(tmp_path: Path) -> None:
    """Its times too; what was missed is shown, and weighs no more in the verdict than the times do."""
    tape = tmp_path / "tape.jsonl"
    tape.write_text(lines((1, 100.0, 100.0), (2, 101.0, 103.5), (3, 102.0, 101.0), (4, 120.0, 101.0)))
    result = on_tape(
        tape, "messages.received == 4", "ordering.gaps == 0", "clock.skew.max < 3 s", "staleness.max > 1 s"
    )
    assert (result.code, judged(result)) == (
        PASSED,
        [
            "pass: messages.received == 4: 4",
            "pass: ordering.gaps == 0: 0",
            "pass: clock.skew.max < 3 s: 2.50 s",
            "pass: staleness.max > 1 s: 19.00 s",
        ],
    )
    assert result.out.splitlines()[-5:] == [
        "",
        "  note: sent 2.500 s after it came on c; expected before: the clocks differ",
        "  note: seq 3 was sent 2.500 s before 2 on c; expected after it",
        "  note: messages came for 19.0 s on c, none newer than the first; expected newer ones",
        "verdict: pass",
    ]
    result = on_tape(tape, "ordering.time_inversions == 0", "ordering.gaps == 0", more=("--format", "json"))
    assert (result.code, result.err.splitlines()) == (
        FINDINGS,
        [
            "fail: ordering.time_inversions expected == 0, observed 1",
            "  inversion: seq 3 was sent 2.500 s before 2 on c; expected after it",
            "pass: ordering.gaps == 0: 0",
        ],
    )
    report = json.loads(result.out)
    times = report["times"]
    assert (report["verdict"], [finding["kind"] for finding in times.pop("findings")]) == (
        "pass",
        ["skew", "inversion", "stale"],
    )
    assert times == {"ordering.time_inversions": 1, "staleness.max": 19.0, "clock.skew.max": 2.5}


def test_what_is_expected_of_the_order_on_a_recording(tmp_path: Path) -> None:
    """The times, at which nobody looked, are not told."""
    tape = tmp_path / "tape.jsonl"
    tape.write_text(lines(*((2 * seq, 100.0 + seq, 200.0) for seq in range(6))))
    result = on_tape(tape, "ordering.gaps == 0", more=("--format", "json"))
    assert (result.code, result.err.splitlines()) == (
        FINDINGS,
        [
            "fail: ordering.gaps expected == 0, observed 5",
            *(f"  gap: seq {seq} never came on c; expected between {seq - 1} and {seq + 1}" for seq in (1, 3, 5)),
        ],
    )
    assert "times" not in json.loads(result.out)


def test_what_is_expected_of_nothing() -> None:
    """A feed that said nothing into a pipe."""
    result = wsctl("ordering-check", "-", "--expect", "staleness.max < 1 s", "--expect", "messages.received == 0")
    assert (result.code, judged(result)) == (
        FINDINGS,
        ["fail: staleness.max expected < 1 s, was not measured", "pass: messages.received == 0: 0"],
    )


@pytest.mark.parametrize("command", ["subscribe", "ordering-check"])
def test_a_feed_whose_times_are_wrong(background: Background, command: str) -> None:
    """It is shown why an expectation was missed; a check tells it anyway."""
    ahead = [("price", {"seq": seq, "timestamp": 4_000_000_000_000 - seq}) for seq in (1, 2)]
    with Stranger(background, ahead) as stranger:
        result = expecting(stranger.url, "ordering.time_inversions == 0", "clock.skew.max < 1 s", command=command)
        missed, inversion, skewed, skew = result.err.splitlines()[-4:]
        assert (result.code, missed) == (FINDINGS, "fail: ordering.time_inversions expected == 0, observed 1")
        assert inversion == "  inversion: seq 2 was sent 0.001 s before 1 on price; expected after it"
        assert skewed.startswith("fail: clock.skew.max expected < 1 s, observed ")
        assert re.fullmatch(r"  skew: sent \d+\.\d+ s after it came on price; expected before: the clocks differ", skew)
        if command == "ordering-check":
            plain = wsctl("ordering-check", "BTC/USDT", "--url", stranger.url, "--duration", "600ms")
            assert (plain.code, plain.out.splitlines()[-1]) == (PASSED, "verdict: pass")
            assert "  note: seq 2 was sent 0.001 s before 1 on price; expected after it\n" in plain.out


def test_a_check_with_expectations(feed: Server) -> None:
    """The report on stdout, the expectations after it; either can fail the command."""
    result = expecting(feed.url, "latency.p95 < 500 ms", command="ordering-check")
    assert (result.code, judged(result)[0][:27]) == (PASSED, "pass: latency.p95 < 500 ms:")
    assert CHANNEL in result.out
    result = expecting(feed.url, "messages.received > 100000", command="ordering-check", more=("--format", "json"))
    assert (result.code, result.out[:18]) == (FINDINGS, '{"verdict":"pass",')


def test_a_finding_is_not_outweighed(background: Background) -> None:
    """What was expected held, and yet the check failed."""
    with Liar(background, {"BTC/USDT": "repeat 12"}, length=100) as liar:
        result = expecting(liar.url, "messages.received > 50", command="ordering-check")
    assert (result.code, judged(result)[0][:30]) == (FINDINGS, "pass: messages.received > 50: ")


@pytest.mark.parametrize("command", ["subscribe", "ordering-check"])
def test_a_feed_that_stops(serve: Serve, command: str) -> None:
    """Heartbeats prove that the connection lives, and do not end the silence."""
    server = serve("--symbols", "BTC/USDT,ETH/USDT", "--rate", "50", "--control")
    arguments = ("BTC/USDT", "ETH/USDT", "--url", server.url, "--max-silence", "1500ms", "--duration", "1m")
    with Program(command, *arguments) as program:
        server.wait_err("connected")
        pause(server)
        result = program.finish()
    assert result.code == FINDINGS
    (said,) = judged(result)
    assert said.startswith("fail: nothing came on ")
    assert said.endswith(" for 1.5 s (--max-silence)")


def test_heartbeats_came_meanwhile(serve: Serve) -> None:
    """Observations are printed as ever, heartbeats among them, and nothing else."""
    server = serve("--symbols", "BTC/USDT", "--rate", "50", "--control")
    with Program("subscribe", "BTC/USDT", "--url", server.url, "--max-silence", "1s") as program:
        program.wait_out(3)
        pause(server)
        result = program.finish()
    assert (result.code, judged(result)) == (FINDINGS, [f"fail: nothing came on {CHANNEL} for 1 s (--max-silence)"])
    assert result.observations[-1]["event"] == "channel:heartbeat"


def test_one_channel_of_two_stops(background: Background) -> None:
    """The other goes on, and excuses nothing."""
    plans = {"BTC/USDT": "", "ETH/USDT": "drop 20-100000"}
    with Liar(background, plans, length=20_000) as liar:
        arguments = ("BTC/USDT", "ETH/USDT", "--url", liar.url, "--max-silence", "1s", "--duration", "1m")
        result = wsctl("subscribe", *arguments, "--expect", "silence.max >= 1 s")
    assert result.code == FINDINGS
    said, expectation = judged(result)
    assert said == "fail: nothing came on symbol:ETH/USDT:ticker for 1 s (--max-silence)"
    assert expectation.startswith("pass: silence.max >= 1 s: 1.")
    assert {one["channel"] for one in result.observations[-50:]} == {CHANNEL}


def test_a_feed_without_channels(background: Background) -> None:
    """The event names the stream; a greeting is none."""
    events = [("welcome", {"hello": True}), *[("price", {"p": number}) for number in range(5)]]
    with Stranger(background, events) as stranger:
        result = wsctl("subscribe", "BTC/USDT", "--url", stranger.url, "--max-silence", "600ms", "--duration", "1m")
    assert (result.code, judged(result)) == (FINDINGS, ["fail: nothing came on price for 600 ms (--max-silence)"])
    assert [one["event"] for one in result.observations] == ["welcome"] + ["price"] * 5


def test_a_feed_that_says_nothing(background: Background) -> None:
    """No channel of it is known."""
    with Stranger(background) as stranger:
        result = wsctl("subscribe", "BTC/USDT", "--url", stranger.url, "--max-silence", "600ms", "--duration", "1m")
    assert (result.code, result.out) == (FINDINGS, "")
    assert judged(result) == ["fail: nothing came on any channel for 600 ms (--max-silence)"]


@pytest.mark.parametrize("command", ["subscribe", "ordering-check"])
def test_a_feed_that_goes(background: Background, command: str) -> None:
    """Its end decides the exit code, and what was expected until then is told all the same."""
    expected = ("messages.received >= 30", "ordering.gaps == 7")
    with Liar(background, {"BTC/USDT": "evict 40"}, length=200) as liar:
        result = expecting(liar.url, *expected, command=command, more=("--duration", "1m"))
    assert (result.code, judged(result)) == (
        TARGET,
        ["pass: messages.received >= 30: 40", "fail: ordering.gaps expected == 7, observed 0"],
    )
    assert result.err.splitlines()[-1].startswith("wsctl: error: the server closed this connection for good")


@pytest.mark.parametrize("command", ["subscribe", "ordering-check"])
def test_a_feed_that_says_no(feed: Server, command: str) -> None:
    """To all that was asked for: denied, unknown, not even there."""
    result = wsctl(command, "--channel", "user:bob:balance", "--url", feed.url, "--expect", "auth.denied == 0")
    assert (result.code, judged(result)) == (TARGET, ["fail: auth.denied expected == 0, observed 1"])
    result = wsctl(command, "NO/SUCH", "--url", feed.url, "--expect", "errors == 1")
    assert (result.code, judged(result)) == (USAGE, ["pass: errors == 1: 1"])
    result = wsctl(command, "A", "--url", "http://127.0.0.1:1", "--expect", "latency.p95 < 1 s")
    assert (result.code, judged(result)) == (TARGET, ["fail: latency.p95 expected < 1 s, was not measured"])


def test_a_feed_that_says_no_to_some(feed: Server) -> None:
    """What is left is watched, and judged."""
    result = expecting(feed.url, "auth.denied == 1", "errors == 0", more=("--channel", "user:bob:balance,announcement"))
    assert (result.code, judged(result)) == (
        FINDINGS,
        ["pass: auth.denied == 1: 1", "fail: errors expected == 0, observed 1"],
    )


def test_no_silence(feed: Server, tmp_path: Path) -> None:
    """A feed that goes on is not bothered."""
    result = expecting(feed.url, more=("--max-silence", "5s"))
    assert (result.code, judged(result)) == (PASSED, [])
