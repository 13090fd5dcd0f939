"""The events a client may send: what each does, and what it is acknowledged with."""

import time
from collections.abc import Iterable
from typing import Any

import pytest
from served import BTC, ETH, SYMBOLS, feed, joined, run, until

from wsctl.server.auth import mint
from wsctl.server.defaults import JWT_SECRET
from wsctl.spec.nearest import nearest

BOOK = "symbol:BTC/USDT:orderbook"


@pytest.mark.parametrize(
    ("name", "args", "subscribed"),
    [
        ("price:subscribe", [["BTC/USDT", "ETH/USDT"]], ["BTC/USDT", "ETH/USDT"]),
        ("price:subscribe", ["BTC/USDT", "ETH/USDT"], ["BTC/USDT", "ETH/USDT"]),
        ("price:subscribe", ["BTC/USDT"], ["BTC/USDT"]),
        ("price:subscribe", [["BTC/USDT", "BTC/USDT"]], ["BTC/USDT"]),
        ("channel:subscribe", [[BTC, BOOK, "price:public"]], [BTC, BOOK, "price:public"]),
        ("channel:subscribe", [BTC, ETH], [BTC, ETH]),
        ("channel:subscribe", ["symbol:BTC/USDT:trades"], ["symbol:BTC/USDT:trades"]),
    ],
)
def test_subscribing(name: str, args: list[Any], subscribed: list[str]) -> None:
    """A list, several arguments or one string join channels, each once, and the acknowledgement says which."""

    async def test() -> None:
        async with feed() as running, joined(running) as peer:
            assert await peer.emit(name, *args) == {"ok": True, "subscribed": subscribed}
            (connection,) = running.platform.clients.values()
            expected = [f"symbol:{one}:ticker" if name.startswith("price") else one for one in subscribed]
            assert list(connection.channels) == expected

    run(test)


REFUSALS: list[tuple[str, list[Any], str, list[str], list[str]]] = [
    ("price:subscribe", [["BTC/USDT", "DOGE/USDT"]], "unknown_symbol", ["BTC/USDT"], ["DOGE/USDT"]),
    ("price:subscribe", ["NOPE", "ETH/USDT", "NADA"], "unknown_symbol", ["ETH/USDT"], ["NOPE", "NADA"]),
    ("price:subscribe", [["a b", "BTC/USDT"]], "bad_request", ["BTC/USDT"], ["a b"]),
    ("price:subscribe", [""], "bad_request", [], [""]),
    ("price:subscribe", ["A:B"], "bad_request", [], ["A:B"]),
    ("price:subscribe", ["ВТС/USDT"], "bad_request", [], ["ВТС/USDT"]),
    ("price:subscribe", ["__proto__"], "unknown_symbol", [], ["__proto__"]),
    ("channel:subscribe", [["nope", BTC]], "unknown_channel", [BTC], ["nope"]),
    ("channel:subscribe", ["symbol:DOGE/USDT:ticker"], "unknown_symbol", [], ["symbol:DOGE/USDT:ticker"]),
    ("channel:subscribe", ["symbol:BTC/USDT:nope"], "unknown_channel", [], ["symbol:BTC/USDT:nope"]),
    ("channel:subscribe", ["user:alice:balance"], "auth_required", [], ["user:alice:balance"]),
    ("channel:subscribe", ["bot:1:status", BTC], "auth_required", [BTC], ["bot:1:status"]),
]


def test_what_cannot_be_served() -> None:
    """Of a list the others are served; the first refusal gives code and message, and nothing falls over."""

    async def test() -> None:
        async with feed() as running:
            for name, args, code, subscribed, refused in REFUSALS:
                async with joined(running) as peer:
                    answer = await peer.emit(name, *args)
                    message = answer.pop("message")
                    assert answer == {"ok": False, "code": code, "subscribed": subscribed, "refused": refused}
                    assert isinstance(message, str)
                    assert message

    run(test)


def test_the_advice_for_a_misspelt_symbol() -> None:
    """An unknown symbol is answered with the nearest one, or with what is served."""

    async def test() -> None:
        async with feed() as running, joined(running) as peer:
            near = await peer.emit("price:subscribe", "btc/usd")
            assert near["message"] == "unknown symbol 'btc/usd'; did you mean BTC/USDT?"
            far = await peer.emit("price:subscribe", "XXXXXXXX")
            assert far["message"] == "unknown symbol 'XXXXXXXX'; served are BTC/USDT, ETH/USDT"

    run(test)


def test_a_channel_of_somebody_else() -> None:
    """With a token, what is not yours is `Access denied`."""

    async def test() -> None:
        async with feed() as running, joined(running, token=mint("alice", JWT_SECRET)) as peer:
            for channel in ("user:bob:balance", "bot:7:trades"):
                answer = await peer.emit("channel:subscribe", channel)
                assert (answer["code"], answer["message"]) == ("access_denied", "Access denied")
            (connection,) = running.platform.clients.values()
            assert connection.user is not None
            assert connection.user.id == "alice"

    run(test)


def test_an_admin_and_a_bot_that_nobody_asked_for_yet() -> None:
    """A bot's id says whose it is, so an admin gets it at once; ids that no bot can have are refused to everybody."""

    async def test() -> None:
        async with (
            feed() as running,
            joined(running, token=mint("root", JWT_SECRET, admin=True)) as admin,
            joined(running, token=mint("bob", JWT_SECRET)) as bob,
        ):
            assert await bob.emit("bot:subscribe:one", "alice-bot-1") == DENIED
            assert "bot:alice-bot-1:status" not in running.platform.hub.channels
            for bot in ("alice-bot-4", "alice", "-bot-1", "a b-bot-1"):
                assert await admin.emit("bot:subscribe:one", bot) == DENIED
            assert await admin.emit("bot:subscribe:one", "alice-bot-1") == {"ok": True, "subscribed": ["alice-bot-1"]}
            assert (await admin.event("bot:status"))["botId"] == "alice-bot-1"
            assert (await admin.emit("channel:subscribe", "bot:carol-bot-3:trades"))["ok"]
            assert (await bob.emit("channel:subscribe", "bot:bob-bot-1:trades"))["ok"]

    run(test)


DENIED = {"ok": False, "code": "access_denied", "message": "Access denied"}

BAD: list[list[Any]] = [
    [],
    [[]],
    [5],
    [None],
    [{}],
    [["BTC/USDT", 5]],
    ["BTC/USDT", ["ETH/USDT"]],
    [[["BTC/USDT"]]],
    [True],
]


@pytest.mark.parametrize("name", ["price:subscribe", "price:unsubscribe", "channel:subscribe", "channel:unsubscribe"])
def test_bad_requests(name: str) -> None:
    """What is no list of names is a bad request, and changes nothing."""

    async def test() -> None:
        async with feed() as running, joined(running) as peer:
            for args in BAD:
                answer = await peer.emit(name, *args)
                assert (answer["ok"], answer["code"]) == (False, "bad_request"), args
            (connection,) = running.platform.clients.values()
            assert not connection.channels

    run(test)


def test_too_many_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a thousand names in one request are over the limit; of a thousand unknown ones one gets advice."""
    advised: list[str] = []

    def count(name: str, known: Iterable[str]) -> str | None:
        advised.append(name)
        return nearest(name, known)

    monkeypatch.setattr("wsctl.server.requests.nearest", count)

    async def test() -> None:
        symbols = tuple(f"COIN{number}/USDT" for number in range(300))
        async with feed(symbols=symbols, rate=0.01) as running, joined(running) as peer:
            names = [f"COYN{number}/USDT" for number in range(1001)]
            assert (await peer.emit("price:subscribe", names))["code"] == "limit"
            answer = await peer.emit("price:subscribe", names[:1000])
            assert advised == names[:1]
            assert (answer["code"], len(answer["refused"])) == ("unknown_symbol", 1000)
            assert (await peer.emit("price:subscribe", "A" * 128))["code"] == "unknown_symbol"
            assert (await peer.emit("price:subscribe", "A" * 900_000))["code"] == "bad_request"

    run(test)


LONG = "A" * 900_000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("price:subscribe", LONG),
        ("price:unsubscribe", LONG),
        ("channel:subscribe", f"symbol:{LONG}:ticker"),
        ("channel:subscribe", f"user:{LONG}:balance"),
        (LONG, "x"),
    ],
    ids=["symbol", "unsubscribed", "ticker", "balance", "event"],
)
def test_a_name_as_long_as_a_message(name: str, text: str) -> None:
    """It is a bad request, and not repeated: a client that reads slowly was dismissed for an answer twice as long."""

    async def test() -> None:
        async with feed(rate=0.01) as running, joined(running) as peer:
            answer = await peer.emit(name, [text, "BTC/USDT"])
            assert (answer["ok"], answer["code"]) == (False, "bad_request")
            assert len(str(answer)) < 1000

    run(test)


@pytest.mark.parametrize("name", ["nope", "", "connection", "é" * 100, "bot:status", "price:update"])
def test_an_unknown_event(name: str) -> None:
    """An event that nobody serves is a bad request when it asks, and ignored when it does not."""

    async def test() -> None:
        async with feed() as running, joined(running) as peer:
            answer = await peer.emit(name, 1)
            assert (answer["ok"], answer["code"]) == (False, "bad_request")
            await peer.send(f'42["{name}"]')
            assert (await peer.emit("time:sync"))["ok"]
            assert not peer.events

    run(test)


def test_a_failure_that_is_not_acknowledged_is_an_event() -> None:
    """Who does not ask for an acknowledgement is told by `error`, only about failures."""

    async def test() -> None:
        async with feed(rate=0.01) as running, joined(running) as peer:
            await peer.send(
                '42["price:subscribe",["BTC/USDT"]]',
                '42["channel:subscribe","user:x:balance"]',
                '42["price:unsubscribe",5]',
            )
            assert await peer.event("error") == {"message": "user:x:balance needs a token", "code": "auth_required"}
            assert (await peer.event("error"))["code"] == "bad_request"
            assert (await peer.emit("time:sync"))["ok"]
            assert [name for name, _ in peer.events if name == "error"] == ["error", "error"]

    run(test)


def test_unsubscribing() -> None:
    """After an unsubscription nothing of the channel comes any more; what was not subscribed does not matter."""

    async def test() -> None:
        async with feed(rate=200.0) as running, joined(running) as peer:
            await peer.emit("price:subscribe", list(SYMBOLS))
            await peer.gather(lambda: len(peer.of(BTC)) > 5 and len(peer.of(ETH)) > 5)
            answer = await peer.emit("price:unsubscribe", ["BTC/USDT", "NOPE"])
            assert answer == {"ok": True, "unsubscribed": ["BTC/USDT", "NOPE"]}
            before = len(peer.of(BTC))
            enough = len(peer.of(ETH)) + 10
            await peer.gather(lambda: len(peer.of(ETH)) > enough)
            assert len(peer.of(BTC)) == before
            assert await peer.emit("channel:unsubscribe", ETH) == {"ok": True, "unsubscribed": [ETH]}
            assert await peer.emit("channel:unsubscribe", ETH) == {"ok": True, "unsubscribed": [ETH]}
            assert not any(channel.subscribers() for channel in running.platform.hub.channels.values())
            await peer.emit("price:subscribe", "BTC/USDT")
            snapshot = await peer.event(
                "price:update", lambda payload: "snapshot" in payload and payload["seq"] > before
            )
            assert (await peer.event("price:update"))["seq"] == snapshot["seq"] + 1

    run(test)


def test_time_sync() -> None:
    """`time:sync` is acknowledged with the server's clock in milliseconds."""

    async def test() -> None:
        async with feed() as running, joined(running) as peer:
            before = time.time() * 1000 - 1
            answer = await peer.emit("time:sync", {"anything": 1})
            assert answer["ok"]
            assert before <= answer["serverTime"] <= time.time() * 1000 + 1

    run(test)


def test_acknowledgements_nobody_asked_for() -> None:
    """S10: acknowledgements of events that were never sent are dropped."""

    async def test() -> None:
        async with feed() as running, joined(running) as peer:
            await peer.send(*[f"43{number}[]" for number in (0, 1, 1, 999_999)])
            assert (await peer.emit("time:sync"))["ok"]

    run(test)


def test_arguments_in_binary() -> None:
    """Bytes where a name should be are a bad request."""

    async def test() -> None:
        async with feed() as running, joined(running) as peer:
            await peer.send('451-7["price:subscribe",{"_placeholder":true,"num":0}]', b"BTC/USDT")
            assert "bad_request" in await peer.answer(lambda packet: packet.startswith("437["))
            await until(lambda: len(running.platform.connections) == 1)

    run(test)
