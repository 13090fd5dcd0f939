"""Coinbase Exchange: requests and answers as the exchange has them, and messages that do not name their channel."""

import json
from typing import Any

import pytest

from wsctl.errors import WireError
from wsctl.model.event import Event
from wsctl.wire.coinbase import Coinbase
from wsctl.wire.dialect import Asked, Exists, Notice, Objected, Quote, Reply, Subscribed, Unsubscribed, everything

coinbase = Coinbase()


def subscriptions(*channels: tuple[str, list[str]]) -> Reply:
    listed = [{"name": name, "product_ids": products, "account_ids": None} for name, products in channels]
    return Reply(json.dumps({"type": "subscriptions", "channels": listed}, separators=(",", ":")))


def failed(reason: str, what: str = "subscribe") -> list[Any]:
    body = {"type": "error", "message": f"Failed to {what}", "reason": reason}
    return [Reply(json.dumps(body, separators=(",", ":")))]


B, E = "BTC-USD", "ETH-USD"

REQUESTS: list[tuple[dict[str, Any], list[Any]]] = [
    (
        {"type": "subscribe", "product_ids": [B],
         "channels": ["level2_batch", "heartbeat", {"name": "ticker", "product_ids": [E]}]},
        [
            subscriptions(("matches", [B, E]), ("level2_50", [B]), ("heartbeat", [B]), ("ticker", [E])),
            Asked(True, ("level2_batch:BTC-USD", "heartbeat:BTC-USD", "ticker:ETH-USD")),
        ],
    ),
    ({"type": "subscribe", "product_ids": [B], "channels": ["matches"]}, [subscriptions(("matches", [B, E]))]),
    (
        {"type": "subscribe", "channels": ["status"]},
        [subscriptions(("matches", [B, E]), ("status", [])), Asked(True, ("status",))],
    ),
    (
        {"type": "subscribe", "product_ids": [B], "channels": ["level2"], "signature": "c2ln", "key": "k"},
        [subscriptions(("matches", [B, E]), ("level2", [B])), Asked(True, ("level2:BTC-USD",))],
    ),
    (
        {"type": "unsubscribe", "channels": ["matches"]},
        [subscriptions(), Asked(False, ("matches:BTC-USD", "matches:ETH-USD"))],
    ),
    (
        {"type": "unsubscribe", "product_ids": [E], "channels": ["matches", "ticker"]},
        [subscriptions(("matches", [B])), Asked(False, ("matches:ETH-USD",))],
    ),
    ({"type": "subscribe"}, failed("No channels provided")),
    ({"type": "subscribe", "channels": []}, failed("No channels provided")),
    (
        {"type": "subscribe", "channels": ["heartbeat"]},
        failed("You need to specify at least one product ID for channel heartbeat"),
    ),
    ({"type": "subscribe", "product_ids": [B], "channels": ["candles"]}, failed("candles is not a valid channel")),
    (
        {"type": "subscribe", "product_ids": [B, "NOPE-USD"], "channels": ["ticker"]},
        failed("NOPE-USD is not a valid product"),
    ),
    ({"type": "subscribe", "channels": "ticker"}, failed("channels is no list")),
    ({"type": "subscribe", "channels": [7]}, failed("a channel without a name")),
    ({"type": "subscribe", "channels": ["ticker"], "product_ids": B}, failed("product_ids is no list of products")),
    ({"type": "unsubscribe", "channels": [None]}, failed("a channel without a name", "unsubscribe")),
    ({"type": "ping"}, failed("type has to be subscribe or unsubscribe")),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "answers"), REQUESTS)
def test_requests(request_: dict[str, Any], answers: list[Any]) -> None:
    """A request that fails fails whole."""
    exists: Exists = lambda channel: "NOPE" not in channel  # noqa: E731
    server = coinbase.server("", exists)
    server.receive('{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channels":["matches"]}')
    assert server.receive(json.dumps(request_)) == answers


def test_a_request_that_is_no_object() -> None:
    with pytest.raises(WireError):
        coinbase.server("", everything).receive("[]")


def test_the_list_of_subscriptions_says_what_changed() -> None:
    """It is of everything that is on, under the exchange's own names."""
    client = coinbase.client("")
    one = '{"type":"subscriptions","channels":[{"name":"level2_50","product_ids":["BTC-USD"],"account_ids":null}]}'
    assert client.receive(one) == [Subscribed(("level2_batch:BTC-USD",))]
    assert client.receive(one) == [Subscribed(("level2_batch:BTC-USD",))]
    assert client.receive('{"type":"subscriptions","channels":[]}') == [Unsubscribed(("level2_batch:BTC-USD",))]
    with pytest.raises(WireError, match="a list of subscriptions that cannot be read: a channel without a name"):
        client.receive('{"type":"subscriptions","channels":[{}]}')


CARRIED: list[tuple[str, list[str], str]] = [
    ("l2update", [], "level2:BTC-USD"),
    ("l2update", ["level2_batch:BTC-USD"], "level2_batch:BTC-USD"),
    ("snapshot", ["level2_batch:ETH-USD"], "level2:BTC-USD"),
    ("ticker", ["ticker_batch:BTC-USD"], "ticker_batch:BTC-USD"),
    ("match", [], "matches:BTC-USD"),
    ("match", ["full:BTC-USD"], "full:BTC-USD"),
    ("match", ["full:BTC-USD", "matches:BTC-USD"], "full:BTC-USD"),
    ("last_match", ["full:BTC-USD", "matches:BTC-USD"], "matches:BTC-USD"),
    ("open", [], "full:BTC-USD"),
    ("heartbeat", [], "heartbeat:BTC-USD"),
    ("auction", [], "auction:BTC-USD"),
]


@pytest.mark.parametrize(("kind", "asked", "channel"), CARRIED)
def test_which_channel_a_message_came_on(kind: str, asked: list[str], channel: str) -> None:
    """Told by its type and by what was asked for, here or by the program on a tape."""
    for tell in ("subscribe", "sent"):
        client = coinbase.client("")
        frames = client.subscribe(asked) if tell == "subscribe" else coinbase.client("").subscribe(asked)
        for frame in frames if tell == "sent" else ():
            client.sent(frame)
        (event,) = client.receive(json.dumps({"type": kind, "product_id": B}))
        assert isinstance(event, Event)
        assert (event.name, event.channel) == (kind, channel)


MATCH = {
    "type": "match",
    "product_id": B,
    "sequence": 2**70,
    "price": "64000.10",
    "time": "2026-11-20T10:00:00.200001Z",
}
ACTIVATE = {"type": "activate", "product_id": B, "timestamp": "1790000003.000001"}


def test_numbers_and_times() -> None:
    client = coinbase.client("")
    (match,), (activate,) = client.receive(json.dumps(MATCH)), client.receive(json.dumps(ACTIVATE))
    assert match == Event(name="match", channel="matches:BTC-USD", seq=2**70, sent_at=1795168800.200001, data=MATCH)
    assert isinstance(activate, Event)
    assert (activate.channel, activate.sent_at) == ("full:BTC-USD", 1790000003.000001)
    assert coinbase.quote("matches:BTC-USD", MATCH) == Quote(B, "64000.10")


OTHERS: list[tuple[dict[str, Any], Any]] = [
    ({"type": "error", "message": "Failed to subscribe", "reason": "x"}, Objected("Failed to subscribe: x")),
    ({"type": "error"}, Objected("error")),
    ({"type": "schema", "schema": {}}, Notice("schema", {"type": "schema", "schema": {}})),
]


@pytest.mark.parametrize(("message", "received"), OTHERS)
def test_other_messages(message: dict[str, Any], received: Any) -> None:
    assert coinbase.client("").receive(json.dumps(message)) == [received]


SCHEMES = [("full", "counter"), ("matches", "monotonic"), ("ticker_batch", "monotonic"), ("heartbeat", "monotonic")]


@pytest.mark.parametrize(("channel", "scheme"), [*SCHEMES, ("level2", "none"), ("status", "none")])
def test_schemes(channel: str, scheme: str) -> None:
    assert coinbase.scheme(f"{channel}:BTC-USD") == scheme
