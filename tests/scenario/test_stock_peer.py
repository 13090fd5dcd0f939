"""The suite against a server that is none of ours: true verdicts, and each part left out is named with its reason."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.scenario.suite import SMALLER, missed, run, smaller

Result = dict[str, Any]

RATE = 20
"""ticks a second and symbol: as many as any of these scenarios asks for"""

REASONS = {
    "the fourth connection is turned away": "it is about a server with limit_policy: reject-newest",
    "a client falls back and misses nothing": "it is about a server with transports: polling",
    "fifteen hundred clients ride out a flash": "flash needs control over the server",
    "clients that stop reading are told what they missed": (
        "whether a reader that stops falls behind depends on the server's rate"
    ),
    "ten prices a second, none missing": "it is about a server with throttle: 100ms",
    "order books whose every update is there": "it is about a recorded feed",
    "fifty clients hear what one heard": "it is about a recorded feed",
}
"""steps that cannot run, and why"""


@contextmanager
def stock(*options: str) -> Iterator[str]:
    """The peer in a process of its own: its URL."""
    command = [sys.executable, "-m", "tests.peers.stock", "--rate", str(RATE), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as peer:
        try:
            assert peer.stdout is not None
            yield peer.stdout.readline().strip()
        finally:
            peer.terminate()


@pytest.fixture(scope="module")
def tokens() -> dict[str, str]:
    """The environment that the shipped files take their tokens from, signed with the peer's secret."""
    secret = "wsctl-dev" + 32 * "\0"  # as HMAC pads it anyway: the same key, and no warning of a short one
    return {f"{user.upper()}_TOKEN": jwt.encode({"sub": user}, secret, "HS256") for user in ("alice", "bob", "carol")}


def steps(result: Result) -> dict[str, dict[str, Any]]:
    """All steps by name."""
    return {step["name"]: step for scenario in result["scenarios"] for step in scenario["steps"]}


def test_the_suite(tmp_path: Path, tokens: dict[str, str]) -> None:
    files = [str(smaller(name, tmp_path)) for name in sorted(SMALLER)]
    with stock() as url:
        result = run(*files, "--url", url, out=tmp_path, **tokens)
    ended = steps(result)
    assert {name: step["reason"] for name, step in ended.items() if step["verdict"] == "skipped"} == REASONS
    assert {name for name, step in ended.items() if step["verdict"] != "pass"} == set(REASONS)
    assert {scenario["name"]: scenario["verdict"] for scenario in result["scenarios"]} == {
        "Nobody hears what is not theirs": "pass",
        "A user has at most three connections": "pass",
        "Four clients of one user do not fight for three places": "pass",
        "Where WebSocket is blocked, long-polling takes over": "skipped",
        "Prices arrive in time": "pass",
        "Every message comes once and in its place": "pass",
        "What the platform claims, at a size that two cores hold": "pass",
        "Clients come back after a network flash": "skipped",
        "A recorded exchange session comes out of its tape whole": "skipped",
        "A slow reader harms nobody but itself": "pass",
        "A throttled feed sends the newest price, without gaps": "skipped",
    }
    assert (result["verdict"], result["target"]) == ("pass", url)
    claims = ended["two thousand connections, 2,000 messages a second"]["expectations"]
    assert {one["metric"]: one["reason"] for one in claims if one["verdict"] == "skipped"} == dict.fromkeys(
        ("server.cpu", "server.rss"), "a server that wsctl did not start cannot be looked into"
    )
    printed = (tmp_path / "printed.txt").read_text()
    assert all(reason in printed for reason in REASONS.values())


def test_a_server_that_does_not_keep_the_limit(tmp_path: Path, tokens: dict[str, str]) -> None:
    files = [str(smaller(name, tmp_path)) for name in ("connection-limit", "eviction-storm")]
    with stock("--max-per-user", "9") as url:
        result = run(*files, "--url", url, out=tmp_path, **tokens)
    assert [scenario["verdict"] for scenario in result["scenarios"]] == ["fail", "fail"]
    assert missed(result) == {
        "connections.evicted",
        "connections.receiving",
        "limit.evicted_oldest_first",
        "limit.evictions_rate",
    }


def test_without_tokens(tmp_path: Path, tokens: dict[str, str]) -> None:
    """What needs a user is skipped; what does not, runs."""
    with stock() as url:
        result = run(str(smaller("auth", tmp_path)), "--url", url, out=tmp_path, CAROL_TOKEN=tokens["CAROL_TOKEN"])
    reasons = {name: step["reason"] for name, step in steps(result).items() if step["verdict"] == "skipped"}
    assert reasons == dict.fromkeys(
        ("another user's bot is denied", "one's own bots and notifications are served"),
        "no token for alice: `tokens` has carol",
    )
    assert (result["verdict"], missed(result)) == ("pass", set())
