"""Transports, fallback and proxies, against a real server behind relays."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from peers_feeds import Babbler, Background, Peer, Proxy, Relay

from wsctl.client.dial import Dialler
from wsctl.client.emitting import Emitting
from wsctl.client.route import find_proxy
from wsctl.client.target import Target
from wsctl.errors import Unreachable, UsageError

Run = Callable[[Any], Any]


async def dial(dialler: Dialler, **options: Any) -> tuple[str, str | None]:
    """Open, talk, leave; the transport and the note."""
    connection, note = await dialler.open(lambda name, args: None, lambda reason: None, **options)
    assert isinstance(connection, Emitting)
    assert await connection.emit("echo", "x", timeout=5) == ["x"]
    await connection.close()
    return connection.transport, note


def dialler_to(url: str, **target: Any) -> Dialler:
    return Dialler(Target(url=url, **target), {"client": "me"})


def test_websocket_first(background: Background, run: Run) -> None:
    with Peer(background) as peer:
        assert run(dial(dialler_to(peer.url))) == ("websocket", None)
        assert run(dial(dialler_to(peer.url, transport="polling"))) == ("polling", None)


@pytest.mark.parametrize("block", ["403", "reset", "hang"])
def test_falls_back_to_polling_and_keeps_it(background: Background, run: Run, block: str) -> None:
    async def main() -> None:
        dialler = dialler_to(relay.url)
        transport, note = await dial(dialler, timeout=1.0)
        assert transport == "polling"
        assert note is not None
        assert note.startswith("no WebSocket, so long-polling: http://localhost")
        blocked = relay.blocked
        assert await dial(dialler) == ("polling", None)
        assert relay.blocked == blocked

    with Peer(background) as peer, Relay(background, peer.port, block=block) as relay:
        run(main())


def test_a_server_without_websocket(background: Background, run: Run) -> None:
    with Peer(background, transports=["polling"]) as peer:
        assert run(dial(dialler_to(peer.url)))[0] == "polling"


def test_websocket_that_worked_is_kept(background: Background, run: Run) -> None:
    async def main() -> None:
        dialler = dialler_to(relay.url)
        assert await dial(dialler) == ("websocket", None)
        relay.block = "403"
        with pytest.raises(Unreachable):
            await dial(dialler)

    with Peer(background) as peer, Relay(background, peer.port) as relay:
        run(main())


def test_an_explicit_websocket_never_falls_back(background: Background, run: Run) -> None:
    with (
        Peer(background) as peer,
        Relay(background, peer.port, block="403") as relay,
        pytest.raises(Unreachable, match="403 Forbidden"),
    ):
        run(dial(dialler_to(relay.url, transport="websocket")))


def test_the_timeout_is_for_both_transports(background: Background, run: Run) -> None:
    async def main() -> None:
        async with asyncio.timeout(1.5):
            with pytest.raises(Unreachable, match="did not answer the polling handshake within"):
                await dial(dialler_to(silent.url), timeout=0.4)

    with Babbler(background, None) as silent:
        run(main())


def test_nothing_there_is_tried_once(run: Run) -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1: connection refused"):
        run(dial(dialler_to("http://127.0.0.1:1")))


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_through_a_proxy(
    background: Background, run: Run, monkeypatch: pytest.MonkeyPatch, transport: str, variable: str
) -> None:
    with Peer(background) as peer, Proxy(background, peer.port) as proxy:
        monkeypatch.setenv(variable, f"http://user:word@127.0.0.1:{proxy.port}")
        assert run(dial(dialler_to("http://feed.test:8080", transport=transport))) == (transport, None)
        assert all(line.startswith(("GET http://feed.test:8080/", "POST http://")) for line in proxy.requests)
        assert proxy.requests
        assert proxy.credentials[0] == "Proxy-Authorization: Basic dXNlcjp3b3Jk"


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_tls_through_a_proxy(
    background: Background, run: Run, monkeypatch: pytest.MonkeyPatch, transport: str, tls: Any
) -> None:
    with Peer(background, tls=tls) as peer, Proxy(background, peer.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")
        dialler = dialler_to("wss://feed.test", insecure=True, transport=transport)
        assert run(dial(dialler)) == (transport, None)
        assert set(proxy.requests) == {"CONNECT feed.test:443"}


def test_a_proxy_that_is_not_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with pytest.raises(Unreachable) as caught:
        run(dial(dialler_to("http://feed.test")))
    assert caught.value.message == "the proxy on the way to http://feed.test cannot be reached: connection refused"


def test_a_proxy_that_says_no(background: Background, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with Babbler(background, answer) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(Unreachable, match=r"the proxy on the way to https://feed\.test answers 407"):
            run(dial(dialler_to("https://feed.test", insecure=True)))


def test_which_proxy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://plain:1")
    monkeypatch.setenv("HTTPS_PROXY", "secure:2")
    monkeypatch.setenv("NO_PROXY", "near.test,.inside.test,10.0.0.0/8,far.test:9")
    for url, expected in (
        ("http://far.test", "http://plain:1"),
        ("ws://far.test", "http://plain:1"),
        ("https://far.test", "http://secure:2"),
        ("wss://far.test", "http://secure:2"),
        ("http://near.test", None),
        ("http://a.inside.test:3000", None),
        ("http://10.1.2.3:3000", None),
        ("http://11.1.2.3:3000", "http://plain:1"),
        ("http://far.test:9", None),
        ("http://127.0.0.1:3000", "http://plain:1"),
    ):
        assert find_proxy(Target(url=url)) == expected, url
    assert find_proxy(Target(url="http://127.0.0.1:3000", direct=True)) is None
    monkeypatch.setenv("HTTP_PROXY", "socks5://old:1")
    with pytest.raises(UsageError, match="proxies of kind 'socks5' are not supported"):
        find_proxy(Target(url="http://far.test"))
