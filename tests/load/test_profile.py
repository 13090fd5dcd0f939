"""Profiles: what they may say, what is made of it, and what is wrong told with its place."""

from pathlib import Path
from typing import Any

import jwt
import pytest

from wsctl.client.target import Target
from wsctl.errors import UsageError
from wsctl.load.options import LoadOptions, tokens_of
from wsctl.load.plan import Journey
from wsctl.load.profile import JourneySpec, LoadSpec, StageSpec, TokensSpec
from wsctl.load.read import read_profile

FULL = """\
name: a market opens
serve: {symbols: [BTC/USDT, ETH/USDT], rate: 20}
stages:
  - {ramp: 2000, over: 20s}
  - {hold: 1m}
  - {spike: 1000, lasting: 10s}
warmup: 25s
symbols: BTC/USDT, ETH/USDT
channels: [announcement]
journeys:
  - {do: prices, weight: 8, symbols: 0}
  - {do: churn, think: [2s, 10s]}
  - {do: returning, think: 30s, away: 500ms, polite: false}
  - {do: several, connections: 3}
tokens: {users: 500}
connect_rate: 300
reconnect: {attempts: 3, delay: 500ms}
abort: {on-breach: true, grace: 5s}
expect:
  latency.p95: ["< 50 ms", "> 0"]
"""


def profile(folder: Path, text: str) -> Path:
    file = folder / "profile.yaml"
    file.write_text(text)
    return file


def options(**given: Any) -> LoadOptions:
    spec = LoadSpec(**{"users": 100, "symbols": ("BTC/USDT", "ETH/USDT"), **given})
    return LoadOptions(target=Target(url="http://127.0.0.1:3000"), spec=spec)


def test_a_profile_is_read_in_seconds_and_names(tmp_path: Path) -> None:
    spec, _ = read_profile(profile(tmp_path, FULL), {})
    assert spec.stages == (
        StageSpec(ramp=2000, over=20.0),
        StageSpec(hold=60.0),
        StageSpec(spike=1000, lasting=10.0),
    )
    assert (spec.warmup, spec.symbols, spec.connect_rate) == (25.0, ("BTC/USDT", "ETH/USDT"), 300)
    assert spec.abort is not None
    assert (spec.abort.grace, spec.expect) == (5.0, {"latency.p95": ("< 50 ms", "> 0")})
    assert spec.reconnect.delay == 0.5


def test_variables_come_from_the_environment_as_in_scenarios(tmp_path: Path) -> None:
    text = "name: at ${FEED} $${so}\nurl: http://${FEED}/\nusers: ${USERS:-100}\nserve: {rate: '${RATE}'}\n"
    spec, document = read_profile(profile(tmp_path, text), {"FEED": "feed.example", "RATE": "7"})
    assert (spec.name, spec.url, spec.users) == ("at feed.example ${so}", "http://feed.example/", 100)
    assert spec.serve is not None
    assert (spec.serve.rate, document.at(("serve", "rate"))) == (7, "7")


def test_journeys_become_those_of_the_plan(tmp_path: Path) -> None:
    spec, _ = read_profile(profile(tmp_path, FULL), {})
    work = LoadOptions(target=Target(url="http://127.0.0.1:3000"), spec=spec).plan().work
    assert work is not None
    prices, churn, returning, several = work.journeys
    assert prices == Journey(kind="prices", weight=8, symbols=0)
    assert churn.think == (2.0, 10.0)
    assert (returning.think, returning.away, returning.polite) == ((30.0, 30.0), (0.5, 0.5), False)
    assert several.connections == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("users: 10\nrmap: 3s\n", r":2:1: unknown key 'rmap'"),
        ("users: 10\nstages: [{hold: 1s}]\n", "both stages and users"),
        ("duration: 3s\n", "duration without users"),
        ("stages: [{ramp: 10}]\n", "ramp lacks 'over'"),
        ("users: 10\njourneys: [{do: price}]\n", "do is 'price'; expected bots"),
        (
            "users: 10\njourneys: [{do: prices, think: 3s}]\n",
            "prices knows no 'think'; churn and returning may have it",
        ),
        ("users: 10\njourneys: [{do: churn, think: [9s, 2s]}]\n", "think is a list; expected two times"),
        ("users: 10\njourneys: [{do: several}]\n", "several lacks 'connections'"),
        ("users: 10\ntokens: {users: 3, file: tokens}\n", "tokens has both users and file"),
        ("users: 10\nexpect: {latency.p59: < 5 ms}\n", r":2:10: unknown metric 'latency.p59'"),
        ("users: 10\nexpect: {latency.p95: < 5 MB}\n", r":2:10: bad bound '< 5 MB'"),
        ("users: 10\nurl: ${FEED}\n", r":2:6: environment variable FEED is not set"),
        ("users: ${matrix.users}\n", r":1:8: bad variable \${matrix.users}; expected something like"),
        ("", "the file is empty"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_profile(profile(tmp_path, text), {})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"symbols": ()}, "nothing to subscribe to"),
        ({"journeys": (JourneySpec(do="bots"),)}, "nobody has a token"),
        ({"journeys": (JourneySpec(do="channels"),)}, "channels has none to ask for"),
        ({"journeys": (JourneySpec(do="churn", symbols=2),)}, "expected more than 2 symbols"),
        ({"users": None}, "nobody says how many users"),
    ],
)
def test_what_cannot_be_done_is_told_before_it_is_tried(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        options(**given).plan()


def test_users_alone_ramp_as_the_connect_rate_allows_and_stay() -> None:
    ramp, hold = options(users=1000, connect_rate=500.0).stages()
    assert (ramp.ramp, ramp.over, hold.hold) == (1000, 2.5, 30.0)
    ramp, hold = options(users=1000, ramp=7.0, duration=11.0).stages()
    assert (ramp.over, hold.hold) == (7.0, 11.0)


def test_users_of_a_ramp_set_out_evenly() -> None:
    """Locust starts those of a second at once: the pace spreads them over it."""
    work = options(users=1000, ramp=10.0, connect_rate=5000.0).plan().work
    assert work is not None
    assert work.connect_rate == 125
    work = options(users=None, stages=(StageSpec(step=100, every=5.0, until=300),), connect_rate=5000.0).plan().work
    assert work is not None
    assert work.connect_rate == 5000


def test_tokens_are_minted_with_the_secret_that_is_said() -> None:
    first, second = tokens_of(TokensSpec(users=2), Path(), "of the service")
    assert (
        jwt.decode(second, "of the service", algorithms=["HS256"], options={"verify_signature": False})["sub"]
        == "load-2"
    )
    said = tokens_of(TokensSpec(users=2, jwt_secret="said"), Path(), "of the service")
    assert said[0] != first


def test_tokens_of_a_file_stand_one_a_line(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("one\n\n two \n")
    assert tokens_of(TokensSpec(file="tokens"), tmp_path) == ("one", "two")
    (tmp_path / "none").write_text("\n")
    with pytest.raises(UsageError, match="none is empty"):
        tokens_of(TokensSpec(file="none"), tmp_path)
    with pytest.raises(UsageError, match="gone cannot be read"):
        tokens_of(TokensSpec(file="gone"), tmp_path)


def test_tokens_do_not_show() -> None:
    hidden = LoadOptions(target=Target(url="http://127.0.0.1"), spec=LoadSpec(), tokens=("secret",))
    assert "secret" not in repr(hidden)


def test_a_raw_feed_takes_no_tokens() -> None:
    raw = LoadOptions(
        target=Target(url="ws://127.0.0.1:9", dialect="binance"),
        spec=LoadSpec(users=1, symbols=("BTC/USDT",)),
        tokens=("t",),
    )
    with pytest.raises(UsageError, match="binance takes no token"):
        raw.plan()
