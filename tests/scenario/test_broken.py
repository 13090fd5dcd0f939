"""The suite can fail: each shipped scenario against a server or clients broken on purpose, and what is named then.

The copies are short (see `suite`), and two run at a time. `harm` is a break of `broken/sitecustomize.py`; the other
breaks are options, of the server or of the clients. `named` are all expectations that are missed: no other is.
"""

import json
from collections.abc import Callable, Iterator, Set
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.scenario.suite import SMALLER, SUITE, Edit, missed, python_path, retape, run, smaller

BROKEN = Path(__file__).parent / "broken"

LATE = frozenset({"latency.p95", "latency.p99", "latency.source.p95"})
LOST = {"reconnect.success_rate", "reconnect.success_rate_lower", "reconnect.time.p99"}
STORM = {"connections.evicted", "limit.evictions_rate"}


class Broken(NamedTuple):
    """A scenario, broken in one way, and the metrics whose expectations are to be missed."""

    scenario: str
    what: str
    named: Set[str]
    edits: tuple[Edit, ...] = ()
    perhaps: Set[str] = frozenset()
    """what may be missed as well, depending on how busy the machine is"""
    verdicts: Set[str] = frozenset({"fail"})
    tape: Callable[[list[str]], None] | None = None
    """the break of the tape that is played"""

    @property
    def harm(self) -> str:
        """The break of the server's code; empty where an option is enough."""
        return "" if " " in self.what else self.what


def one_book(lines: list[str]) -> int:
    """Where an update of a book stands in the midst of a tape."""
    return next(index for index in range(len(lines) // 2, len(lines)) if is_book(lines[index]))


def is_book(line: str) -> bool:
    return "depthUpdate" in line and "BTCUSDT" in line


def drop(lines: list[str], at: int) -> None:
    del lines[at]


def double(lines: list[str], at: int) -> None:
    lines.insert(at + 1, lines[at])


def swap(lines: list[str], at: int) -> None:
    """What two updates of a book say; their times stay."""
    other = next(index for index in range(at + 1, len(lines)) if is_book(lines[index]))
    one, two = json.loads(lines[at]), json.loads(lines[other])
    one["text"], two["text"] = two["text"], one["text"]
    lines[at], lines[other] = json.dumps(one), json.dumps(two)


BREAKS = (
    Broken("auth", "let-anybody-in", {"auth.refused", "connections.opened"}),
    Broken("auth", "open-private-channels", {"auth.denied", "acks.ok"}),
    Broken("auth", "serve-bots-to-strangers", {"auth.denied", "acks.ok"}),
    # Denied one's own bots: nothing comes, so that nothing can be said of its order either.
    Broken("auth", "deny-everything", {"auth.denied", "messages.received", "ordering.gaps"}),
    Broken(
        "connection-limit",
        "no limit",
        {"connections.evicted", "connections.receiving", "limit.evicted_oldest_first"},
        (("limit_policy: evict-oldest", "max_per_user: 0"),),
    ),
    Broken(
        "connection-limit",
        "the other policy",
        {"connections.opened", "connections.refused", "connections.evicted"},
        (("limit_policy: reject-newest", "limit_policy: evict-oldest"),),
    ),
    Broken("connection-limit", "evict-newest", {"limit.evicted_oldest_first"}),
    Broken("connection-limit", "starve-survivors", {"limit.survivors_receiving"}),
    Broken("eviction-storm", "no limit", {*STORM, "connections.receiving"}, (("seed: 7", "seed: 7, max_per_user: 0"),)),
    Broken("eviction-storm", "no insisting clients", STORM, (("always: true, ", ""),)),
    Broken(
        "eviction-storm",
        "insisting clients only",
        STORM,
        (("user: bob, reconnect: {", "user: bob, reconnect: {always: true, "),),
        perhaps={"connections.receiving"},  # three are in at most moments of a storm
    ),
    Broken("eviction-storm", "invite-the-evicted", STORM, perhaps={"connections.receiving"}),
    Broken("fallback", "nothing blocked", {"connections.polling"}, ((", transports: [polling]", ""),)),
    Broken("fallback", "drop", {"ordering.gaps"}),
    Broken("fallback", "repeat", {"ordering.duplicates"}),
    Broken("fallback", "delay", {"latency.p95"}),
    # Whose first price comes late hears fewer in its time.
    Broken("latency", "delay", LATE, perhaps={"messages.rate"}),
    Broken("latency", "stall-source", {"latency.source.p95"}),
    Broken("latency", "serve-half-later", {*LATE, "fanout.spread.p99"}, perhaps={"messages.rate"}),
    Broken("latency", "half the rate", {"messages.rate"}, (("rate: 10", "rate: 5"),)),
    Broken("latency", "room for fifteen", {"connections.receiving"}, (("seed: 7", "seed: 7, max_connections: 15"),)),
    Broken("latency", "reset-some", {"errors"}),
    Broken("ordering", "drop", {"ordering.gaps"}),
    Broken("ordering", "repeat", {"ordering.duplicates"}),
    # Who joins between the two hears one that is older than its snapshot.
    Broken("ordering", "swap", {"ordering.reorders"}, perhaps={"ordering.duplicates"}),
    # Who hears the same number at two falls hears it again.
    Broken("ordering", "fall", {"ordering.regressions"}, perhaps={"ordering.duplicates"}),
    Broken("ordering", "leave-out", {"ordering.skipped"}),
    # Whoever still listens at the end is excused from the last five seconds.
    Broken("ordering", "forget-some", {"fanout.reach"}, (("duration: 2500ms", "duration: 7s"),)),
    Broken("platform-claims", "burn-cpu", {"server.cpu"}),
    Broken("platform-claims", "hog-memory", {"server.rss"}),
    Broken("platform-claims", "drop", {"ordering.gaps"}, (("rate: 1", "rate: 20"),)),
    Broken("reconnection", "turn-some-away", {*LOST, "connections.receiving"}),
    Broken(
        "reconnection",
        "no resubscription",
        {*LOST, "connections.receiving"},
        (("{attempts", "{resubscribe: false, attempts"),),
    ),
    Broken("reconnection", "no patience", {*LOST, "connections.receiving"}, (("attempts: 100", "attempts: 1"),)),
    Broken(
        "reconnection",
        "a long outage",
        {"reconnect.time.p99"},
        (("outage: 500ms", "outage: 2500ms"), ("duration: 4s", "duration: 6s")),
    ),
    # What came during the outage is lost without a word, and who has a hole in a channel is not back.
    Broken("reconnection", "no-snapshots", {*LOST, "ordering.gaps"}),
    Broken("reconnection", "repeat", {"ordering.duplicates"}, (("rate: 2", "rate: 20"),)),
    Broken("replay", "a frame dropped", {"ordering.gaps"}, tape=lambda lines: drop(lines, one_book(lines))),
    Broken("replay", "a frame doubled", {"ordering.duplicates"}, tape=lambda lines: double(lines, one_book(lines))),
    Broken("replay", "two frames swapped", {"ordering.reorders"}, tape=lambda lines: swap(lines, one_book(lines))),
    Broken("replay", "times as recorded", {"latency.p95"}, ((", restamp: true", ""),)),
    Broken("replay", "half of the tape", {"messages.received"}, (("restamp: true", "restamp: true, until: 3s"),)),
    # To overtake the system's buffers takes a rate that a busy machine is late with.
    Broken("slow-reader", "hold-everything", {"ordering.skipped"}, perhaps=LATE),
    # Where it is so late that the buffers are not overtaken, nothing is skipped at all, and there is no gap either.
    Broken("slow-reader", "skip-in-silence", {"ordering.skipped"}, perhaps={*LATE, "ordering.gaps"}),
    # Nothing is sent while the server waits, perhaps too little to miss any. What it catches up with is a burst; a
    # small machine's clients may be late themselves then: their latencies are called invalid, which is no pass either.
    Broken(
        "slow-reader",
        "wait-for-slow-readers",
        {"latency.source.p95"},
        perhaps={*LATE, "ordering.skipped"},
        verdicts={"fail", "invalid"},
    ),
    # Whoever comes back is told the current state: what came meanwhile is skipped.
    Broken("slow-reader", "close-others", {"connections.closed", "ordering.skipped"}, perhaps=LATE),
    Broken("throttle", "no throttle", {"messages.rate"}, ((", throttle: 100ms", ""),)),
    Broken("throttle", "number-before-throttling", {"ordering.gaps"}),
    Broken("throttle", "delay", {"latency.p95"}, perhaps={"messages.rate"}),
)


Result = dict[str, Any]


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Broken], Result]]:
    """Runs every break that a test is about to ask for, two at a time."""

    def run_one(broken: Broken, folder: Path) -> Result:
        env = {"WSCTL_TEST_BREAK": broken.harm} if broken.harm else {}
        scenario = smaller(broken.scenario, folder, *broken.edits)
        if broken.tape is not None:
            retape(folder, broken.tape)
        return run(str(scenario), out=folder, PYTHONPATH=python_path(BROKEN), **env)

    wanted = [item.callspec.params["broken"] for item in request.session.items if _is_break(item)]
    with ThreadPoolExecutor(2) as pool:
        started: dict[int, Future[Result]] = {
            id(broken): pool.submit(run_one, broken, tmp_path_factory.mktemp("broken")) for broken in wanted
        }
        yield lambda broken: started[id(broken)].result()
        pool.shutdown(cancel_futures=True)


def _is_break(item: Any) -> bool:
    return getattr(item, "function", None) is test_what_is_broken_is_named


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: f"{broken.scenario}, {broken.what}")
def test_what_is_broken_is_named(running: Callable[[Broken], Result], broken: Broken) -> None:
    result = running(broken)
    assert result["verdict"] in broken.verdicts
    assert missed(result) - (broken.perhaps - broken.named) == broken.named


def test_every_shipped_scenario_is_broken() -> None:
    shipped = {path.stem for path in SUITE.glob("*.yaml")}
    assert {broken.scenario for broken in BREAKS} == set(SMALLER) == shipped


def test_a_break_that_cannot_be_done_is_no_pass(tmp_path: Path) -> None:
    env = {"PYTHONPATH": python_path(BROKEN), "WSCTL_TEST_BREAK": "the-moon"}
    result = run(str(smaller("throttle", tmp_path)), out=tmp_path, **env)
    (scenario,) = result["scenarios"]
    assert (result["verdict"], "service feed did not start (exit 4)" in scenario["reason"]) == ("error", True)
