"""Clients are attacked: who survives is told from who does not, and nothing is made of nobody."""

import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio
import websockets.asyncio.client as websockets_client
from hosting import BIT, NINE, NO_ACCEPT, NO_PRICE, Attack, attacked, program, row, verdicts
from tests.cli.program import command
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from wsctl.errors import UsageError
from wsctl.fuzz.catalogue import PROBES
from wsctl.fuzz.ending import ENDED
from wsctl.fuzz.events import Listening, Planned
from wsctl.fuzz.probe import Probe
from wsctl.fuzz.result import FuzzResult, ProbeResult
from wsctl.fuzz.steps import Answer, Await, Case, Cut, Frame, Join, Open, Raw, Say, Upgrade, Wait, data
from wsctl.model.finding import Verdict

Rows = Callable[..., None]
PRICES = str(Path(__file__).with_name("prices.py"))
SESSION = str(Path(__file__).parents[1] / "node" / "session.mjs")
SUBSCRIBE = '{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":7}'


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    """Makes some probes the catalogue."""

    def use(*given: Probe) -> None:
        monkeypatch.setattr("wsctl.fuzz.serving.server.against_clients", lambda ids, groups: given)

    return use


def test_python_socketio_survives(rows: Rows) -> None:
    """It begins with polling and goes over to a WebSocket, is let in and acknowledged, attacked, and comes back."""
    rows(BIT, NINE, NO_PRICE)
    got: list[Any] = []

    async def scenario() -> FuzzResult:
        attack = Attack()
        async with aiohttp.ClientSession() as session:
            client = socketio.AsyncClient(
                reconnection_delay=0.01, randomization_factor=0, handle_sigint=False, http_session=session
            )

            async def subscribe() -> None:
                await client.emit("price:subscribe", ["ETH/USDT"], callback=lambda *answer: got.append(answer))

            client.on("connect", subscribe)
            client.on("price:update", got.append)
            await client.connect(await attack.url())
            result = await attack.result()
            await client.shutdown()
        return result

    result = attacked(scenario())
    assert verdicts(result) == {"BIT": "passed", "NINE": "passed", "NO-PRICE": "passed"}
    assert (result.verdict, result.metrics["fuzz.played"], result.notes) == (Verdict.PASS, 3, ())
    assert result.counts["passed"] == 3
    assert ({"ok": True},) in got
    lawful = next(one for one in got if isinstance(one, dict))
    assert (lawful["symbol"], lawful["price"], lawful["seq"]) == ("ETH/USDT", 100.0, 1)
    assert {"symbol": "BTC/USDT"} in got
    assert "closed with 1002" in result.probes[0].ending
    assert result.probes[0].sent.startswith("c101"), "servers do not mask"


def test_node_survives(node: str, rows: Rows) -> None:
    """Node's client survives a handshake that is no answer to its own, too."""
    rows(NO_ACCEPT, BIT, NINE, NO_PRICE)

    async def scenario() -> FuzzResult:
        attack = Attack()
        url = await attack.url()
        async with program(node, SESSION, url, "{}"):
            return await attack.result()

    result = attacked(scenario())
    # the answer to the handshake comes last, so that it meets a client that was let in before
    assert list(verdicts(result).items())[-1] == ("NO-ACCEPT", "passed")
    assert result.counts["passed"] == 4


@pytest.mark.parametrize(
    ("mode", "verdict", "harm"),
    [("soft", "failed", "the process is gone"), ("stuck", "failed", None), ("sound", "passed", None)],
)
def test_a_price_is_missing(rows: Rows, mode: str, verdict: str, harm: str | None) -> None:
    """A client that dies of it or hangs fails, and passes once it is mended; it was well before."""
    rows(NINE, NO_PRICE)

    async def scenario() -> FuzzResult:
        async with program(sys.executable, PRICES, mode) as client:
            attack = Attack(client_pid=client.pid, wait=1.0)
            assert client.stdin is not None
            client.stdin.write(f"{await attack.url()}\n".encode())
            return await attack.result()

    result = attacked(scenario())
    assert verdicts(result) == {"NINE": "passed", "NO-PRICE": verdict}
    assert result.verdict is (Verdict.PASS if verdict == "passed" else Verdict.FAIL)
    last = result.probes[1]
    assert (harm in last.harms) if harm else "gone" not in str(last.harms)
    assert (last.ending == "neither ended nor answers") is (mode == "stuck")


def test_nobody_comes(rows: Rows) -> None:
    """Nothing can be said about clients that are not there."""
    rows(BIT, NINE)

    async def scenario() -> FuzzResult:
        attack = Attack(wait=0.05)
        result = await attack.result()
        kinds = [type(one) for one in attack.told]
        assert kinds == [Listening, Planned, ProbeResult, ProbeResult]
        return result

    result = attacked(scenario())
    assert verdicts(result) == {"BIT": "inconclusive", "NINE": "inconclusive"}
    assert {one.reason for one in result.probes} == {"no client connected within 0.05 s"}
    assert (result.verdict, result.reason) == (Verdict.UNVERIFIABLE, "no client connected within 0.05 s")


def test_one_that_never_comes_back(rows: Rows) -> None:
    """A client without reconnection that closes properly did right; there is nobody to go on with."""
    rows(BIT, NINE)

    async def scenario() -> FuzzResult:
        attack = Attack(wait=0.2)
        async with _client(await _socketio(attack)) as client:
            with pytest.raises(ConnectionClosed):
                await _converse(client)
        return await attack.result()

    result = attacked(scenario())
    assert verdicts(result) == {"BIT": "passed", "NINE": "inconclusive"}
    assert result.verdict is Verdict.PASS
    assert result.notes == ("no client came back after BIT within 0.2 s: nobody was left to go on with",)


def test_one_that_came_back_and_does_no_more(rows: Rows) -> None:
    """A client that is known to come back did not survive what it does not come back from."""
    rows(BIT, NINE)

    async def scenario() -> FuzzResult:
        attack = Attack(wait=0.2)
        for _ in range(2):
            async with _client(await _socketio(attack)) as client:
                with pytest.raises(ConnectionClosed):
                    await _converse(client)
        return await attack.result()

    result = attacked(scenario())
    assert verdicts(result) == {"BIT": "passed", "NINE": "failed"}
    assert result.probes[1].harms == ("it did not come back within 0.2 s",)


def test_others_meanwhile(rows: Rows) -> None:
    """Who comes while another is attacked is served lawfully, and is attacked next."""
    quiet = row("QUIET", Case(steps=(Say(data=data("6")),)), safe=ENDED, deadline=60.0)
    rows(quiet, BIT)

    async def scenario() -> FuzzResult:
        attack = Attack()
        url = await _socketio(attack)
        async with _client(url) as first:
            heard = await _heard(first, "6")
            assert heard[-1] == "6"
            async with _client(url) as second:
                assert (await _heard(second, "42"))[-1].startswith('42["price:update"')
                await first.close()  # which is its ending, and the second's turn
                with pytest.raises(ConnectionClosed):
                    await _converse(second)
                await _knock(url)
        return await attack.result()

    assert verdicts(attacked(scenario())) == {"QUIET": "passed", "BIT": "passed"}


def test_raw_websocket(rows: Rows) -> None:
    """Clients of a dialect are acknowledged in its words; what needs Socket.IO is left out."""
    rows(BIT, NINE, NO_ACCEPT)
    heard: list[Any] = []

    async def scenario() -> FuzzResult:
        attack = Attack(dialect="binance")
        url = await attack.url()
        assert url.startswith("ws://")
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(f"{url}/ws") as client:
                await client.send_str(SUBSCRIBE)
                heard.extend([message.data async for message in client if message.type == aiohttp.WSMsgType.TEXT])
                assert client.close_code == 1002
            with pytest.raises(aiohttp.WSServerHandshakeError, match="Invalid challenge response"):
                await session.ws_connect(f"{url}/ws")
        await _knock(f"{url}/ws")
        return await attack.result()

    result = attacked(scenario())
    assert heard == ['{"result":null,"id":7}']
    assert verdicts(result) == {"BIT": "passed", "NO-ACCEPT": "passed"}
    assert result.notes == ("1 probe does not apply to clients of a raw WebSocket",)


def test_compression_that_nobody_offered(rows: Rows) -> None:
    """A client that does not compress cannot be attacked so; it is served instead."""
    deflate = Answer(headers=(("Sec-WebSocket-Extensions", "permessage-deflate"),))
    rows(row("BOMB", Case(steps=(deflate, Frame(data=data(("x", 9)), rsv=4, deflated=True)))))

    async def scenario() -> FuzzResult:
        attack = Attack()
        url = await _socketio(attack)
        for _ in range(3):
            async with websockets_client.connect(url, proxy=None, ping_interval=None, compression=None) as client:
                with pytest.raises(ConnectionClosed):
                    await _converse(client)
        return await attack.result()

    [result] = attacked(scenario()).probes
    assert (result.verdict.value, result.reason) == ("inconclusive", "the client does not offer to compress")


def test_long_polling_only(rows: Rows) -> None:
    """A client that stays with long-polling is served, not attacked, and that is said."""
    rows(BIT)
    got: list[Any] = []

    async def scenario() -> FuzzResult:
        attack = Attack(wait=0.5)
        async with aiohttp.ClientSession() as session:
            client = socketio.AsyncClient(reconnection=False, handle_sigint=False, http_session=session)
            await client.connect(await attack.url(), transports=["polling"])
            got.append(await client.call("price:subscribe", ["BTC/USDT"]))
            result = await attack.result()
            await client.wait()
        return result

    result = attacked(scenario())
    assert got == [{"ok": True}]
    assert result.verdict is Verdict.UNVERIFIABLE
    assert "long-polling" in str(result.reason)


def test_stopped(rows: Rows) -> None:
    """Ctrl-C gives the result so far, and leaves nobody connected."""
    forever = row("FOREVER", Case(steps=(Wait(seconds=3600),)))
    rows(NINE, forever)

    async def scenario() -> FuzzResult:
        attack = Attack()
        url = await _socketio(attack)
        async with _client(url) as first:
            with pytest.raises(ConnectionClosed):
                await _converse(first)
        async with _client(url) as second:
            await _heard(second, "42")
            attack.server.stop()
            result = await attack.result()
            with pytest.raises(ConnectionClosed) as end:
                await _converse(second)
            assert end.value.rcvd is not None
            assert end.value.rcvd.code == 1012
        return result

    result = attacked(scenario())
    assert verdicts(result) == {"NINE": "passed"}
    assert result.interrupted


def test_stops_at_the_first_failure(rows: Rows) -> None:
    """With fail_fast."""
    must_end = row("MUST-END", Case(steps=(Say(data=data("6")),)), safe=ENDED, deadline=0.05)
    rows(must_end, NINE)

    async def scenario() -> FuzzResult:
        attack = Attack(fail_fast=True, wait=0.1)
        async with _client(await _socketio(attack)) as client:
            with pytest.raises(ConnectionClosed):
                await _converse(client)
        return await attack.result()

    result = attacked(scenario())
    assert verdicts(result) == {"MUST-END": "failed"}
    assert "1 probe was not played: stopped at a failure" in result.notes


def test_loopback_only() -> None:
    """Elsewhere only where somebody says that the clients are theirs."""

    async def scenario() -> FuzzResult:
        with pytest.raises(UsageError, match=r"0\.0\.0\.0 is not on this machine only"):
            Attack(host="0.0.0.0")
        attack = Attack(host="0.0.0.0", allow_remote=True, wait=0.01)
        return await attack.result()

    assert attacked(scenario()).verdict is Verdict.UNVERIFIABLE


def test_subscribe_outlives_events_without_a_name() -> None:
    """wsctl's own command, of which a name that is no text once was the end."""

    async def scenario() -> FuzzResult:
        attack = Attack(probes=("S3C",), wait=5.0)
        url = await attack.url()
        more = ("--reconnect-delay", "10ms", "--reconnect-delay-max", "10ms", "--format", "jsonl")
        async with program(*command("subscribe", "BTC/USDT", "--url", url, *more)):
            return await attack.result()

    assert verdicts(attacked(scenario())) == {"S3C": "passed"}


@pytest.mark.parametrize("probe", [probe for probe in PROBES if probe.attacks == "client"], ids=lambda probe: probe.id)
def test_catalogue_can_be_played(probe: Probe) -> None:
    """Rows that attack clients are made of what a server can do."""
    kinds = (Answer, Upgrade, Open, Join, Frame, Say, Raw, Wait, Await, Cut)
    for case in probe.cases:
        assert all(isinstance(step, kinds) for step in case.steps), case
        assert not any(isinstance(step, Answer) for step in case.steps[1:]), "an answer comes first"
        assert case.at_once == 1


@pytest.fixture
def node() -> str:
    """Node, with socket.io-client beside its scripts."""
    found = shutil.which("node")
    if found is None or not (Path(SESSION).parent / "node_modules" / "socket.io-client").exists():
        pytest.skip("no Node, or its packages are not installed: make test installs them")
    return found


async def _socketio(attack: Attack) -> str:
    return (await attack.url()).replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"


def _client(url: str) -> websockets_client.connect:
    return websockets_client.connect(url, proxy=None, ping_interval=None)


async def _knock(url: str) -> None:
    """Come back; nobody may be left to answer, after the last probe."""
    with suppress(ConnectionClosed, InvalidHandshake, OSError):
        async with _client(url):
            pass


async def _converse(client: websockets_client.ClientConnection) -> None:
    """Be a lawful client until the connection ends. Raises ConnectionClosed."""
    while True:
        await _answer(client)


async def _heard(client: websockets_client.ClientConnection, prefix: str) -> list[str]:
    """What came, until it begins so."""
    heard = [await _answer(client)]
    while not heard[-1].startswith(prefix):
        heard.append(await _answer(client))
    return heard


async def _answer(client: websockets_client.ClientConnection) -> str:
    message = str(await client.recv())
    if message.startswith("0"):
        await client.send("40")
    elif message == "2":
        await client.send("3")
    return message
