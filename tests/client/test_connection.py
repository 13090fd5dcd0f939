"""One connection against real peers: joining, acknowledgements, ends, and each way of not getting there."""

import asyncio
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from peers_feeds import Babbler, Background, Peer, Relay

from wsctl.client.losses import AckTimeout, Lost
from wsctl.client.sio import SocketIOConnection
from wsctl.client.target import Target
from wsctl.errors import Refused, TargetError, Unreachable, UsageError

Run = Callable[[Any], Any]


class Watch:
    """A connection and what it said."""

    def __init__(self, url: str, transport: str = "websocket", **target: Any) -> None:
        self.target = Target(url=url, **target)
        self.transport = transport
        self.events: list[tuple[str, tuple[Any, ...]]] = []
        self.ends: list[str] = []
        self.changed = asyncio.Event()

    def make(self) -> SocketIOConnection:
        auth = self.target.handshake("me")
        return SocketIOConnection(self.target, auth, self.transport, on_event=self._on_event, on_close=self._on_close)

    def _on_event(self, name: str, args: tuple[Any, ...]) -> None:
        self.events.append((name, args))
        self.changed.set()

    def _on_close(self, reason: str) -> None:
        self.ends.append(reason)
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 10)


async def try_open(url: str, transport: str = "websocket", seconds: float = 5.0, **target: Any) -> TargetError:
    """The error of an attempt that must fail, and within its time."""
    started = time.monotonic()
    connection = Watch(url, transport, **target).make()
    with pytest.raises(TargetError) as caught:
        await connection.open(seconds)
    assert time.monotonic() - started < seconds + 2
    await connection.close()
    return caught.value


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_joins_answers_and_leaves(background: Background, run: Run, transport: str) -> None:
    async def main() -> None:
        watch = Watch(peer.url, transport, token="t", auth={"format": "compact"}, headers=(("X-Desk", "7"),))
        connection = watch.make()
        await connection.open(5)
        assert await connection.emit("echo", 1, "two", {"three": [3]}, timeout=5) == [1, "two", {"three": [3]}]
        assert await connection.emit("echo", timeout=5) == []
        await connection.send("price:subscribe", ["BTC/USDT"])
        await watch.until(lambda: bool(watch.events))
        assert watch.events[0][0] == "price:update"
        assert watch.events[0][1][0]["symbol"] == "BTC/USDT"
        await connection.close()
        await connection.close()
        assert watch.ends == []
        with pytest.raises(Lost):
            await connection.emit("echo", timeout=5)

    with Peer(background) as peer:
        run(main())
        assert peer.handshakes == [{"token": "t", "client": "me", "format": "compact"}]
        assert all(headers["X-Desk"] == "7" for headers in peer.headers), "every request carries them"


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_keeps_order_in_a_burst(background: Background, run: Run, transport: str) -> None:
    async def main() -> None:
        watch = Watch(peer.url, transport)
        connection = watch.make()
        await connection.open(5)
        await asyncio.to_thread(burst)
        await watch.until(lambda: len(watch.events) == 500)
        assert [args for _, args in watch.events] == [(number,) for number in range(500)]
        await connection.close()

    def burst() -> None:
        async def emit() -> None:
            for number in range(500):
                await peer.server.emit("n", number)

        background.run(emit())

    with Peer(background) as peer:
        run(main())


def test_no_acknowledgement(background: Background, run: Run) -> None:
    async def main() -> None:
        connection = Watch(peer.url).make()
        await connection.open(5)
        with pytest.raises(AckTimeout, match=r"quiet was not acknowledged within 50 ms"):
            await connection.emit("quiet", timeout=0.05)
        waiting = asyncio.create_task(connection.emit("quiet", timeout=60))
        await asyncio.sleep(0)
        await asyncio.to_thread(peer.drop)
        with pytest.raises(Lost, match="disconnected by the server"):
            await waiting
        await connection.close()

    with Peer(background) as peer:
        run(main())


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("how", ["drop", "stop"])
def test_ends_are_told_once(background: Background, run: Run, transport: str, how: str) -> None:
    async def main() -> None:
        watch = Watch(peer.url, transport)
        connection = watch.make()
        await connection.open(5)
        await asyncio.to_thread(getattr(peer, how))
        await watch.until(lambda: bool(watch.ends))
        await connection.close()
        lost = "connection lost" if transport == "websocket" else "a poll failed"
        assert watch.ends == ["disconnected by the server" if how == "drop" else lost]

    with Peer(background) as peer:
        run(main())


def test_a_disconnect_right_after_the_join_is_seen(background: Background, run: Run) -> None:
    async def drop(peer: Peer, sid: str) -> None:
        await peer.server.emit("connection:closing", {"reason": "evicted", "retry": False}, to=sid)
        await peer.server.disconnect(sid)

    async def main() -> None:
        for _ in range(5):
            watch = Watch(peer.url)
            connection = watch.make()
            await connection.open(5)
            await watch.until(lambda watch=watch: bool(watch.ends))
            assert [name for name, _ in watch.events] == ["connection:closing"]
            await connection.close()

    with Peer(background, on_join=drop) as peer:
        run(main())


def test_reserved_event_names_end_nothing(background: Background, run: Run) -> None:
    async def main() -> None:
        watch = Watch(peer.url)
        connection = watch.make()
        await connection.open(5)
        for name in ("disconnect", "connect_error", "connect"):
            await asyncio.to_thread(peer.emit, name, "x")
        assert await connection.emit("echo", 1, timeout=5) == [1]
        assert watch.ends == []
        await connection.close()

    with Peer(background) as peer:
        run(main())


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_half_open_is_noticed(background: Background, run: Run, transport: str) -> None:
    async def main() -> None:
        watch = Watch(relay.url, transport)
        connection = watch.make()
        await connection.open(5)
        relay.stall()
        started = time.monotonic()
        if transport == "websocket":  # a silent poll is given five seconds more by the library
            await watch.until(lambda: bool(watch.ends))
            assert watch.ends == ["nothing received for 1.3 s, not even a ping"]
        await connection.close()
        assert time.monotonic() - started < 4, "closing does not wait for a peer that is gone"

    with Peer(background, ping_interval=1, ping_timeout=0.3) as peer, Relay(background, peer.port) as relay:
        run(main())


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_bad_token_is_refused(background: Background, run: Run, transport: str) -> None:
    async def main() -> None:
        error = await try_open(peer.url, transport, token="wrong")
        assert isinstance(error, Refused)
        assert error.message == f"{peer.url} refused the connection: Authentication error"
        assert error.hint == "the token may be expired, or signed with another secret"
        error = await try_open(peer.url, transport)
        assert error.hint is not None
        assert "--token" in error.hint

    with Peer(background, token="right") as peer:
        run(main())


def test_a_slow_join_is_bounded(background: Background, run: Run) -> None:
    async def main() -> None:
        error = await try_open(peer.url, seconds=0.3)
        assert error.message == (f"{peer.url} speaks Engine.IO, but did not let us join namespace / within 300 ms")

    with Peer(background, join_delay=30) as peer:
        run(main())


def test_nobody_listens(run: Run) -> None:
    async def main() -> None:
        for transport in ("websocket", "polling"):
            error = await try_open("http://127.0.0.1:1", transport)
            assert isinstance(error, Unreachable)
            assert error.message == "http://127.0.0.1:1: connection refused"
            assert error.hint == "is a server running there? wsctl serve starts a mock feed"
            assert not error.answered

    run(main())


def test_no_such_host(run: Run) -> None:
    async def main() -> None:
        error = await try_open("http://no-such-host.invalid")
        assert error.message == "http://no-such-host.invalid: host name not found"

    run(main())


HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
OLD = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 52\r\n\r\n"
    b'{"code":5,"message":"Unsupported protocol version"} '
)
OPEN_JUNK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n0{}"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
DENIED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "websocket", "polling"),
    [
        (HTML, "answers, but not as Socket.IO at /socket.io/: 200 OK (text/html)", None),
        (NOT_FOUND, "answers, but not as Socket.IO at /socket.io/: 404 Not Found (text/plain)", None),
        (BUSY, "answers 503 Service Unavailable", None),
        (
            OLD,
            "answers, but not as Socket.IO at /socket.io/: 400 Bad Request (application/json)",
            "refused the handshake: Unsupported protocol version (400 Bad Request)",
        ),
        (OPEN_JUNK, "answers, but not as Socket.IO at /socket.io/: 200 OK", None),
        (EMPTY, "answers, but not as Socket.IO at /socket.io/: 200 OK", None),
        (
            DENIED,
            "answers, but not as Socket.IO at /socket.io/: 401 Unauthorized",
            "refused the connection: 401 Unauthorized",
        ),
        (b"-ERR unknown command 'GET'\r\n", "answers, but not in HTTP", None),
        (b"\x15\x03\x01\x00\x02\x02\x16", "answers, but not in HTTP", None),
        (b"", "accepts connections and cuts them before an answer", None),
    ],
    ids=["html", "404", "503", "old", "open-junk", "empty", "401", "redis", "tls", "cut"],
)
def test_something_else_listens(
    background: Background, run: Run, answer: bytes, websocket: str, polling: str | None
) -> None:
    async def main() -> None:
        for transport, expected in (("websocket", websocket), ("polling", polling or websocket)):
            error = await try_open(other.url, transport)
            assert error.message == f"{other.url} {expected}"
            assert isinstance(error, Refused) or (isinstance(error, Unreachable) and error.answered)

    with Babbler(background, answer) as other:
        run(main())


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_something_silent_listens(background: Background, run: Run, transport: str) -> None:
    async def main() -> None:
        error = await try_open(other.url, transport, seconds=0.3)
        expected = f"accepts connections, but did not answer the {transport} handshake within 300 ms"
        assert error.message == f"{other.url} {expected}"

    with Babbler(background, None) as other:
        run(main())


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_tls(
    background: Background,
    run: Run,
    transport: str,
    authority: trustme.CA,
    tls: ssl.SSLContext,
    tmp_path: Path,
) -> None:
    pem = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))

    async def joins(url: str, **target: Any) -> None:
        connection = Watch(url, transport, **target).make()
        await connection.open(5)
        assert await connection.emit("echo", 1, timeout=5) == [1]
        await connection.close()

    async def main() -> None:
        await joins(peer.url, cacert=str(pem))
        await joins(peer.url.replace("https", "wss"), cacert=str(pem))
        await joins(peer.url, insecure=True)
        error = await try_open(peer.url, transport)
        assert isinstance(error, Unreachable)
        assert error.message.startswith(f"{peer.url}: its certificate is not trusted: ")
        assert error.hint == "--cacert FILE names the authority that signed it; --insecure skips the check"
        error = await try_open(peer.url.replace("localhost", "127.0.0.1"), transport, cacert=str(pem))
        assert "its certificate is not trusted: IP address mismatch" in error.message
        error = await try_open(peer.url.replace("https", "http"), transport)
        assert error.hint == "if it speaks TLS, the URL begins with https:// or wss://"

    with Peer(background, tls=tls) as peer:
        run(main())


def test_tls_to_a_plain_port(background: Background, run: Run) -> None:
    async def main() -> None:
        error = await try_open(peer.url.replace("http", "https"))
        assert ": TLS failed: " in error.message
        assert error.hint == "http:// or ws:// speak without TLS"

    with Peer(background) as peer:
        run(main())


def test_bad_certificate_files(run: Run, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")

    async def main() -> None:
        for file, cause in ((str(junk), "holds no certificate"), ("gone.pem", "cannot be read: no such file")):
            connection = Watch("https://127.0.0.1:1", cacert=file).make()
            with pytest.raises(UsageError, match=f"--cacert {file} {cause}"):
                await connection.open(5)

    run(main())


def test_a_path_in_the_url_is_not_guessed_at(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(UsageError) as caught:
            await Watch("http://127.0.0.1:1/admin").make().open(5)
        assert caught.value.hint == (
            "--namespace /admin joins a namespace; --path /admin says where the server listens"
        )

    run(main())


def test_another_namespace_and_path(background: Background, run: Run) -> None:
    async def main() -> None:
        connection = Watch(peer.url, namespace="/admin").make()
        await connection.open(5)
        await connection.close()
        error = await try_open(peer.url, path="/elsewhere/")
        assert "at /elsewhere/: 404 Not Found" in error.message

    with Peer(background) as peer:
        run(main())


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("steps", range(0, 60, 4))
def test_cancelled_while_opening(background: Background, run: Run, transport: str, steps: int) -> None:
    """After any number of the loop's turns; `run` checks that no task is left."""

    async def main() -> None:
        opening = asyncio.create_task(Watch(peer.url, transport).make().open(5))
        for _ in range(steps):
            await asyncio.sleep(0)
            if steps > 30:
                await asyncio.sleep(0.0005)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    with Peer(background, join_delay=5) as peer:
        run(main())
