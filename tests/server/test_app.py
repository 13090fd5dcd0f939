"""The mock feed as a whole: where it listens, TLS, recorded prices, options, and what it leans on in uvicorn."""

import asyncio
import errno
import inspect
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httptools
import pytest
import trustme
import uvicorn
from served import BTC, ETH, WEBSOCKET, WebSocketPeer, feed, joined, post_control, run, until, websocket
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from wsctl.errors import UsageError
from wsctl.server import sockets as sockets_module
from wsctl.server.app import MockFeed
from wsctl.server.options import ServeOptions
from wsctl.server.sockets import bind, is_loopback

# Where it listens


def port_of(running: MockFeed) -> int:
    """The port that was picked."""
    return int(running.url.rpartition(":")[2])


def test_both_loopbacks_answer_on_the_same_port() -> None:
    """127.0.0.1 and [::1] answer on one port, and `localhost` therefore does."""

    async def test() -> None:
        async with feed() as running, aiohttp.ClientSession() as http:
            assert running.url.startswith("http://127.0.0.1:")
            hosts = ["127.0.0.1", "localhost", *(["[::1]"] if has_ipv6() else [])]
            for host in hosts:
                async with http.get(f"http://{host}:{port_of(running)}/healthz") as response:
                    assert response.status == 200

    run(test)


def has_ipv6() -> bool:
    """Whether this machine has [::1]."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_a_machine_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no [::1], 127.0.0.1 alone will do."""
    monkeypatch.setattr(sockets_module, "LOOPBACKS", ("127.0.0.1", "192.0.2.1"))
    (only,) = bind(None, 0)
    with only:
        assert only.getsockname()[0] == "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens already."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("host", [None, "127.0.0.1", "localhost"])
def test_a_port_in_use(host: str | None, taken: int) -> None:
    """A port in use is one clear sentence with a hint."""
    with pytest.raises(UsageError, match=rf"port {taken} on .* is already in use\nhint: --port 0 picks a free one"):
        bind(host, taken)


@pytest.mark.skipif(not has_ipv6(), reason="needs [::1]")
def test_a_port_in_use_on_the_other_loopback() -> None:
    """A port in use on [::1] alone is told as well, and 127.0.0.1 is given back."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} on ::1 is already in use"):
            bind(None, port)
    for sock in bind(None, port):
        sock.close()


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("192.0.2.1", "192.0.2.1 is not an address of this machine"),
        ("no-such-host.invalid", "cannot listen on no-such-host.invalid: "),
        ("256.1.1.1", "cannot listen on 256.1.1.1: "),
        ("a" * 70 + ".example", "cannot listen on a+.example: not a host name"),
        ("a..b", "cannot listen on a..b: not a host name"),
    ],
)
def test_a_host_that_is_none_of_ours(host: str, message: str) -> None:
    """A host that cannot be listened on is named, with the reason."""
    with pytest.raises(UsageError, match=message):
        bind(host, 0)


def test_a_privileged_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port for the superuser is told as such."""

    def refuse(self: socket.socket, address: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(sockets_module.socket, "socket", type("S", (socket.socket,), {"bind": refuse}))
    with pytest.raises(
        UsageError, match=r"port 80 on 127\.0\.0\.1 is not for ordinary users\nhint: take one above 1023"
    ):
        bind(None, 80)


@pytest.mark.parametrize("host", [None, "localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback(host: str | None) -> None:
    """These reach this machine only."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.0.2.1", "127.evil.example", "127.0.0.1.evil.example", "example.org"]
)
def test_not_loopback(host: str) -> None:
    """These may be reached from elsewhere, whatever they begin with."""
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "0.0.0.0"}, r"refusing to listen on 0\.0\.0\.0 with the public JWT secret"),
        ({"host": "127.evil.example"}, "refusing to listen"),
        ({"port": 70000}, "port is 70000; expected 0 to 65535"),
        ({"port": -1}, "port is -1"),
        ({"rate": 0.0}, "rate is 0"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"ping_interval": 0.0}, "ping_interval is 0 s; expected a finite time above 0"),
        ({"ping_interval": float("inf")}, "ping_interval is inf s; expected a finite time above 0"),
        ({"connect_timeout": float("nan")}, "connect_timeout is nan s"),
        ({"ping_timeout": -1.0}, "ping_timeout is -1 s"),
        ({"connect_timeout": 0.0}, "connect_timeout is 0 s"),
        ({"throttle": -1.0}, "throttle is -1 s; expected a finite time, 0 or more"),
        ({"throttle": float("inf")}, "throttle is inf s"),
        ({"max_payload": 99}, "max_payload is 99; expected 100 or more"),
        ({"max_events": 0}, "max_events is 0; expected 1 or more"),
        ({"max_subscriptions": 0}, "max_subscriptions is 0; expected 1 or more"),
        ({"max_per_user": -1}, "max_per_user is -1; expected 0 or more"),
        ({"max_connections": -1}, "max_connections is -1; expected 0 or more"),
        ({"auth": "requird"}, "auth is 'requird'; expected optional or required\nhint: did you mean required\\?"),
        ({"auth": ""}, "auth is ''; expected optional or required$"),
        ({"limit_policy": "evict"}, "limit_policy is 'evict'; expected evict-oldest or reject-newest"),
        ({"transports": ("polling", "websockets")}, "transports is 'websockets'; expected polling or websocket"),
        ({"transports": ()}, "transports names none; expected polling or websocket"),
        ({"cors_origin": ("*",)}, r"'\*' names no origin; expected one such as https://app\.example"),
        ({"cors_origin": ("https://x.example", "https://*.y.example")}, r"'https://\*\.y\.example' names no origin"),
        ({"prices": "x.csv", "symbols": ("A",)}, "--prices brings its own symbols"),
        ({"prices": "no-such-file.csv", "symbols": None}, "cannot read no-such-file.csv"),
        ({"tls_cert": "cert.pem"}, "--tls-cert and --tls-key go together"),
        ({"tls_cert": "no.pem", "tls_key": "no.pem"}, r"cannot use no\.pem and no\.pem for TLS"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    """Each is a UsageError before anything is opened."""

    async def test() -> None:
        with pytest.raises(UsageError, match=message):
            await MockFeed(ServeOptions(**{"port": 0, **options})).__aenter__()

    run(test)


# TLS


def test_tls(tmp_path: Path) -> None:
    """With certificate and key the feed speaks https and wss, upgrades included."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.private_key_pem.write_to_path(key)
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(cert, append=number > 0)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)

    async def test() -> None:
        async with feed(tls_cert=str(cert), tls_key=str(key)) as running:
            assert running.url.startswith("https://127.0.0.1:")
            async with websocket(running, ssl=trust) as peer:
                await peer.join()
                assert (await peer.emit("price:subscribe", "BTC/USDT"))["ok"]
                await peer.event("price:update")
                await peer.send("x")
                assert await peer.closed() == 1002
            async with websocket(running, ssl=trust, max_size=None) as peer:
                await peer.join()
                end = asyncio.create_task(peer.closed())
                await running.__aexit__(None, None, None)
                assert await end == 1012

    run(test)


# Recorded prices

ROWS = [
    (1_700_000_000_000, "BTC/USDT", "100.5", "1"),
    (1_700_000_000_000, "ETH/USDT", "10", "2"),
    (1_700_000_000_000, "BTC/USDT", "100.5", "1"),
    (1_700_000_000_050, "BTC/USDT", "100.5", "3"),
    (1_700_000_000_040, "ETH/USDT", "11", "2"),
    (1_700_000_000_100, "BTC/USDT", "99", "1"),
]


@pytest.fixture
def prices(tmp_path: Path) -> str:
    """A small file of recorded trades, with equal and simultaneous values and one out of order."""
    path = tmp_path / "prices.csv"
    lines = ["time_ms,symbol,price,quantity", *(",".join(map(str, row)) for row in ROWS)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_recorded_prices_wait_for_the_first_subscription(prices: str) -> None:
    """The clock starts with the first subscription; every row comes once, in order, equal and simultaneous ones too."""

    async def test() -> None:
        async with feed(prices=prices, symbols=None) as running, joined(running) as idle, joined(running) as peer:
            assert running.symbols == ("BTC/USDT", "ETH/USDT")
            await asyncio.sleep(0.2)  # longer than the recording: the clock must not have started
            assert (await idle.emit("time:sync"))["ok"]
            assert not any(channel.seq for channel in running.platform.hub.channels.values())
            answer = await peer.emit("channel:subscribe", ["price:public", BTC, ETH, "symbol:BTC/USDT:trades"])
            assert answer["ok"]
            await peer.gather(lambda: len(peer.of("price:public")) == len(ROWS))
            await peer.gather(lambda: len(peer.of("symbol:BTC/USDT:trades")) == 4)
            got = [(update["symbol"], update["price"]) for update in peer.of("price:public")]
            assert got == [(symbol, float(price)) for _, symbol, price, _ in ROWS]
            assert [update["seq"] for update in peer.of("price:public")] == list(range(1, len(ROWS) + 1))
            assert [update["sourceTime"] for update in peer.of("price:public")] == [row[0] for row in ROWS]
            assert [trade["quantity"] for trade in peer.of("symbol:BTC/USDT:trades")] == [1, 1, 3, 1]
            assert not peer.of(BTC, snapshots=True)
            await post_control(running, "pause")
            assert (await peer.event("channel:heartbeat", lambda beat: beat["channel"] == BTC))["nextSeq"] == 5
            assert not running._tasks[0].done()

    run(test)


def test_a_refused_subscription_does_not_start_the_clock(prices: str) -> None:
    """Only a subscription that joined something starts a recording."""

    async def test() -> None:
        async with feed(prices=prices, symbols=None) as running, joined(running) as peer:
            await peer.emit("price:subscribe", "NOPE")
            await peer.emit("price:subscribe")
            assert not running.prices._started.is_set()
            await peer.emit("price:subscribe", "ETH/USDT")
            assert running.prices._started.is_set()
            await peer.gather(lambda: len(peer.of(ETH)) == 2)

    run(test)


def test_a_recording_in_a_loop_at_another_speed(prices: str) -> None:
    """With price_loop the rows come again, numbered on; price_speed shortens the wait."""

    async def test() -> None:
        async with (
            feed(prices=prices, symbols=None, price_loop=True, price_speed=10.0) as running,
            joined(running) as peer,
        ):
            await peer.emit("channel:subscribe", "price:public")
            await peer.gather(lambda: len(peer.of("price:public")) >= 2 * len(ROWS))
            got = [(update["symbol"], update["price"]) for update in peer.of("price:public")]
            rows = [(symbol, float(price)) for _, symbol, price, _ in ROWS]
            assert got[: 2 * len(ROWS)] == rows * 2

    run(test)


# A service that breaks


def test_a_broken_service_is_told() -> None:
    """When the price service breaks, `wait` raises its error, and the feed can still be left."""

    async def test() -> None:
        async with feed() as running:
            waiting = asyncio.create_task(running.wait())

            def broken(*args: Any) -> None:
                raise ZeroDivisionError

            running.prices._publish = broken  # type: ignore[method-assign]
            with pytest.raises(ZeroDivisionError):
                await waiting

    run(test)


def test_the_end_of_a_recording_is_no_end_of_the_feed(prices: str) -> None:
    """After the last row the feed stays: `wait` goes on."""

    async def test() -> None:
        async with feed(prices=prices, symbols=None) as running, joined(running) as peer:
            waiting = asyncio.create_task(running.wait())
            await peer.emit("price:subscribe", "BTC/USDT")
            await until(lambda: running._tasks[1].done())
            assert (await peer.emit("time:sync"))["ok"]
            assert not waiting.done()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    run(test)


# What we lean on in uvicorn, whose classes are not a public interface


def parameters(function: Any) -> dict[str, Any]:
    """Names and kinds of a callable's parameters, without self."""
    return {name: p.kind for name, p in inspect.signature(function).parameters.items() if name != "self"}


def test_uvicorn_makes_its_http_protocols_as_we_expect() -> None:
    """uvicorn's HTTP protocol still takes config, server_state, app_state and _loop by name, as ours hands them on."""
    expected = ["config", "server_state", "app_state", "_loop"]
    assert list(parameters(HttpToolsProtocol.__init__)) == expected, "uvicorn changed how it makes HTTP protocols"


def test_uvicorn_makes_its_websocket_protocols_as_we_expect() -> None:
    """uvicorn's own WebSocket protocol still takes what ours swallows: config, server_state, app_state (and a loop)."""
    names = list(parameters(WebSocketsSansIOProtocol.__init__))
    assert names[:3] == ["config", "server_state", "app_state"], "uvicorn changed how it makes WebSocket protocols"


def test_uvicorn_hands_over_as_we_expect() -> None:
    """Our front door does this in its stead: nothing may be added that it would leave out."""
    source = inspect.getsource(HttpToolsProtocol.handle_websocket_upgrade)
    steps = [
        "self.ws_protocol_class(",
        "config=",
        "server_state=",
        "app_state=",
        "connection_made",
        "data_received",
        "set_protocol",
    ]
    places = [source.find(step) for step in steps]
    assert -1 not in places, "uvicorn changed how it hands over an upgraded connection"
    assert places == sorted(places), "uvicorn changed the order in which it hands over an upgraded connection"


@pytest.mark.parametrize(
    "name",
    [
        "connection_made",
        "connection_lost",
        "data_received",
        "handle_websocket_upgrade",
        "on_message_begin",
        "on_headers_complete",
        "on_message_complete",
        "send_400_response",
    ],
)
def test_uvicorn_has_what_we_override(name: str) -> None:
    """Each method that our HTTP protocol overrides or calls is still uvicorn's."""
    assert callable(getattr(HttpToolsProtocol, name, None)), f"uvicorn's HTTP protocol has no {name} any more"


def test_uvicorns_server_has_what_we_override() -> None:
    """startup and shutdown still take the sockets; signals are still captured by a context manager."""
    assert list(parameters(uvicorn.Server.startup)) == ["sockets"]
    assert list(parameters(uvicorn.Server.shutdown)) == ["sockets"]
    assert parameters(uvicorn.Server.capture_signals) == {}
    assert uvicorn.__version__.startswith("0.54."), "another uvicorn: read its protocol classes before moving the pin"


def test_httptools_says_where_the_head_ended() -> None:
    """The exception that ends parsing at an upgrade still carries the offset of what follows."""
    head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    with pytest.raises(httptools.HttpParserUpgrade) as caught:
        httptools.HttpRequestParser(object()).feed_data(head + b"rest")
    assert caught.value.args == (len(head),)


def test_a_session_through_the_whole_stack() -> None:
    """What the contract tests stand for: an upgraded connection works from the first frame on."""

    async def test() -> None:
        async with feed() as running, websocket(running, WEBSOCKET + "&t=x") as peer:
            assert isinstance(await peer.join(), WebSocketPeer)

    run(test)
