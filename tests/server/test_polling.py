"""Long-polling against a running feed."""

import asyncio
import json
from typing import Any

import pytest
from served import BTC, POLLING, SEPARATOR, feed, polling, reasons, run, tcp, until

from wsctl.server.app import MockFeed


def only(running: MockFeed) -> Any:
    """The one connection there is."""
    (connection,) = running.platform.connections.values()
    return connection


def test_the_open_packet_says_what_was_configured() -> None:
    """The handshake's answer is one OPEN packet, fractions of a second included."""

    async def test() -> None:
        async with feed(ping_interval=0.3, ping_timeout=0.2005, max_payload=1234) as running, polling(running) as peer:
            status, body = await peer.request("GET", POLLING)
            opening = json.loads(body[1:])
            running.platform.connections[opening.pop("sid")].lost("seen")
            assert (status, body[0]) == (200, "0")
            assert opening == {
                "upgrades": ["websocket"],
                "pingInterval": 300,
                "pingTimeout": 200.5,
                "maxPayload": 1234,
            }
            assert '"pingInterval":300,' in body

    run(test)


@pytest.mark.parametrize("base", ["/socket.io", "/socket.io/"])
def test_a_session_over_polling(base: str) -> None:
    """POST answers `ok`, a poll brings the answers, with and without the slash at the end of the path."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            sid = peer.handshake["sid"]
            target = f"{base}?EIO=4&transport=polling&sid={sid}"
            assert await peer.request("POST", target, data="40") == (200, "ok")
            status, body = await peer.request("GET", target)
            assert status == 200
            assert body.startswith('40{"sid":')
            assert json.loads(body[2:])["sid"] != sid

    run(test)


REFUSED = [
    ("GET", "EIO=4", 400, 0),
    ("GET", "", 400, 0),
    ("GET", "EIO=4&transport=abc", 400, 0),
    ("GET", "EIO=4&transport=polling&sid=unknown", 400, 1),
    ("POST", "EIO=4&transport=polling&sid=unknown", 400, 1),
    ("GET", "EIO=4&transport=polling&sid=__proto__", 400, 1),
    ("POST", "EIO=4&transport=polling", 400, 2),
    ("PUT", "EIO=4&transport=polling", 400, 2),
    ("GET", "EIO=4&transport=websocket", 400, 3),
    ("GET", "EIO=3&transport=polling", 400, 5),
    ("GET", "transport=polling", 400, 5),
    ("GET", "EIO=abc&transport=polling", 400, 5),
]


def test_a_request_that_is_refused() -> None:
    """Each bad query is answered with 400 and the reference server's code and message."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            for method, query, status, code in REFUSED:
                got, body = await peer.request(method, f"/socket.io/?{query}", data=b"" if method != "GET" else None)
                refusal = json.loads(body)
                assert (got, refusal["code"]) == (status, code), query
                assert refusal["message"]

    run(test)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_other_methods_on_a_session(method: str) -> None:
    """Only GET and POST are for sessions, and others do not disturb one."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            status, _ = await peer.request(method, peer.target)
            assert status == 400
            await peer.join()

    run(test)


BAD_BODIES: list[Any] = [
    "",
    "abc",
    "7",
    "9",
    "40\x1e",
    "b!",
    "٣",
    "0",
    "2",
    "5",
    "6",
    "4abc",
    "42[]",
    "44",
    "41",
    b"\xff\xfe",
    SEPARATOR * 10,
]


def test_a_malformed_body_ends_the_session() -> None:
    """A body that breaks either protocol is answered with 400 at once, the pending poll ends, the session is over."""

    async def test() -> None:
        async with feed() as running:
            for body in BAD_BODIES:
                async with polling(running) as peer:
                    poll = asyncio.create_task(peer.poll())
                    await until(lambda: only(running).carrier.polled)
                    status, answer = await peer.post(body)
                    assert (status, json.loads(answer)["code"]) == (400, 3), body
                    assert await poll == ["1"]
                    assert not running.platform.connections

    run(test)


@pytest.mark.parametrize("content_type", ["application/octet-stream", "text/html", "application/x-www-form-urlencoded"])
def test_the_content_type_does_not_matter(content_type: str) -> None:
    """E2: whatever the content type, a POST is answered at once."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            headers = {"content-type": content_type}
            for _ in range(20):
                assert await peer.request("POST", peer.target, data=b"3", headers=headers) == (200, "ok")

    run(test)


def test_two_polls_at_once_end_the_session() -> None:
    """The second poll is refused, the first one gets CLOSE, the session is over."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            await peer.join()
            first = asyncio.create_task(peer.poll())
            await until(lambda: only(running).carrier.polled)
            status, body = await peer.request("GET", peer.target)
            assert (status, json.loads(body)["code"]) == (400, 3)
            assert await first == ["1"]
            assert (await peer.request("GET", peer.target))[0] == 400
            assert reasons(running) == ["two polls at once"]

    run(test)


def test_two_posts_at_once_end_the_session() -> None:
    """Two POSTs side by side could swap their packets: the second one ends the session."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer, tcp(running) as slow:
            await peer.join()
            connection = only(running)
            head = f"POST {peer.target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\n"
            await slow.send(head.encode() + b"4")
            await until(lambda: connection.carrier.posting)
            assert (await peer.post("3"))[0] == 400
            assert not running.platform.connections
            assert reasons(running) == ["two posts at once"]
            assert await peer.poll() == ["1"]

    run(test)


def test_close_answers_the_pending_poll_with_a_noop() -> None:
    """A client's CLOSE ends its pending poll at once, with a NOOP; afterwards its id is unknown."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            poll = asyncio.create_task(peer.poll())
            await until(lambda: only(running).carrier.polled)
            assert await peer.post("1") == (200, "ok")
            assert await poll == ["6"]
            status, body = await peer.request("GET", peer.target)
            assert (status, json.loads(body)["code"]) == (400, 1)

    run(test)


def test_packets_after_a_close_are_ignored() -> None:
    """What follows CLOSE in the same payload has no effect."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            await peer.join()
            assert await peer.post('1\x1e420["time:sync"]\x1e1') == (200, "ok")
            assert reasons(running) == ["client left"]

    run(test)


def test_leaving_the_namespace_ends_the_session() -> None:
    """A client that leaves gets CLOSE with its next poll."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            await peer.join()
            assert await peer.post("41\x1e1") == (200, "ok")
            assert await peer.post("3") == (200, "ok")
            assert await peer.poll() == ["1"]
            assert (await peer.request("GET", peer.target))[0] == 400
            assert reasons(running) == ["client left"]

    run(test)


def test_an_abandoned_poll_loses_nothing() -> None:
    """What is published after a client dropped its poll waits for the next one."""

    async def test() -> None:
        async with feed(rate=200.0) as running, polling(running) as peer:
            await peer.join()
            await peer.emit("price:subscribe", ["BTC/USDT"])
            connection = only(running)
            for _ in range(5):
                running.prices.pause()
                while connection.carrier.waiting:
                    await peer.more()
                abandoned = asyncio.create_task(peer.more())
                await until(lambda: connection.carrier.polled)
                abandoned.cancel()
                await until(lambda: not connection.carrier.polled)
                running.prices.resume()
                await peer.more()
            running.prices.pause()
            last = running.platform.hub.channels[BTC].seq
            await peer.gather(lambda: peer.of(BTC)[-1]["seq"] == last)
            assert [payload["seq"] for payload in peer.of(BTC)] == list(range(peer.of(BTC)[0]["seq"], last + 1))

    run(test)


def test_a_poll_dropped_while_it_is_answered_loses_nothing() -> None:
    """A client that vanished in the same turn of the loop in which its poll was answered finds the packets later."""

    async def test() -> None:
        async with feed(rate=1.0) as running, polling(running) as peer:
            await peer.join()
            connection = only(running)
            async with tcp(running) as raw:
                await raw.send(f"GET {peer.target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                await until(lambda: connection.carrier.polled)
                raw.writer.transport.abort()
                connection.application.send_event("kept", 1)
                # both are known to the loop now, and none was seen by the poll yet
                await until(lambda: not connection.carrier.polled)
            if connection.carrier.waiting:
                assert await peer.event("kept") == 1

    run(test)


def test_no_more_than_sixteen_packets_in_an_answer() -> None:
    """What python-engineio's client would refuse is split over several polls, in order."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            await peer.join()
            connection = only(running)
            for number in range(40):
                connection.application.send_event("n", number)
            sizes = []
            while len(peer.events) < 40:
                packets = await peer.poll()
                sizes.append(len(packets))
                for packet in packets:
                    peer.take(packet)
            assert sizes == [16, 16, 8]
            assert [payload for _, payload in peer.events] == list(range(40))

    run(test)


def test_a_long_farewell_is_split_too() -> None:
    """More than sixteen last packets come over several polls; then the session is unknown."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            await peer.join()
            connection = only(running)
            for number in range(20):
                connection.application.send_event("n", number)
            connection.end("for the test")
            packets = await peer.poll() + await peer.poll()
            assert packets == [f'42["n",{number}]' for number in range(20)]
            assert (await peer.request("GET", peer.target))[0] == 400

    run(test)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit(chunked: bool) -> None:
    """A body over maxPayload is refused with 413 before all of it came, and the session ends."""

    async def test() -> None:
        async with feed(max_payload=1000) as running, polling(running) as peer, tcp(running) as raw:
            length = "Transfer-Encoding: chunked" if chunked else "Content-Length: 50000000"
            head = f"POST {peer.target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n\r\n"
            body = b"3e9\r\n" + b"4" * 1001 + b"\r\n" if chunked else b"4" * 1001
            await raw.send(head.encode() + body)
            assert (await raw.read_head()).startswith("HTTP/1.1 413")
            assert not running.platform.connections
            assert await peer.poll() == ["1"]

    run(test)


def test_a_body_of_just_the_limit() -> None:
    """A body of exactly maxPayload bytes is taken."""

    async def test() -> None:
        async with feed(max_payload=1000) as running, polling(running) as peer:
            await peer.join()
            packet = '420["time:sync","' + "x" * 981 + '"]'
            assert len(packet) == 1000
            await peer.send(packet)
            assert await peer.answer(lambda answer: answer.startswith("430["))

    run(test)


def test_a_post_broken_off_does_no_harm() -> None:
    """A client that goes away in the middle of a POST leaves no error behind, and its session goes on."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            connection = only(running)
            for target in (peer.target, "/control/price"):
                async with tcp(running) as raw:
                    head = f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                    await raw.send(f"{head}Content-Length: 50\r\n\r\n4".encode())
                    if target is peer.target:
                        await until(lambda: connection.carrier.posting)
                await until(lambda: not connection.carrier.posting)
            await peer.join()

    run(test)


def test_pongs_without_end() -> None:
    """E3: ten thousand pongs nobody asked for leave one timer, as one does."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            before = len(asyncio.all_tasks())
            for _ in range(10):
                assert await peer.post(SEPARATOR.join(["3"] * 1000)) == (200, "ok")
            assert len(asyncio.all_tasks()) == before
            await peer.join()

    run(test)


def test_a_thousand_and_one_packets() -> None:
    """E5: more packets in a POST than anybody needs are refused."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            assert (await peer.post(SEPARATOR.join(["3"] * 1001)))[0] == 400

    run(test)


def test_cors() -> None:
    """Loopback pages may poll, with credentials; pages from elsewhere may not."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            for origin in ("http://localhost:5173", "http://127.0.0.1", "https://[::1]:8443"):
                async with peer.http.get(running.url + POLLING, headers={"Origin": origin}) as response:
                    assert response.status == 200
                    assert response.headers["Access-Control-Allow-Origin"] == origin
                    assert response.headers["Access-Control-Allow-Credentials"] == "true"
            preflight = {"Origin": "http://localhost:1", "Access-Control-Request-Method": "POST"}
            async with peer.http.options(running.url + POLLING, headers=preflight) as response:
                assert response.status == 200
                assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:1"
            for origin in (
                "http://example.org",
                "http://localhost.example.org",
                "http://127.0.0.1.example.org",
                "null",
            ):
                async with peer.http.get(running.url + POLLING, headers={"Origin": origin}) as response:
                    assert response.status == 403
                    assert "Access-Control-Allow-Origin" not in response.headers
                    assert (await response.json())["code"] == 4
            for connection in tuple(running.platform.connections.values()):
                connection.lost("seen")

    run(test)


def test_no_farewell_timer_outlives_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session whose client never polls again is forgotten after a while."""
    monkeypatch.setattr("wsctl.server.endpoint.FAREWELL", 0.05)

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            platform = running.platform
            platform.connections[peer.handshake["sid"]].end("for the test")
            assert platform.departing
            await until(lambda: not platform.departing)

    run(test)
