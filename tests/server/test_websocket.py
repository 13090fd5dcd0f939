"""WebSocket against a running feed, mostly by hand. Heartbeats are long: only the server's own decision can close."""

import asyncio
import base64
import json
from typing import Any

import pytest
from served import (
    HANDSHAKE,
    WEBSOCKET,
    Raw,
    feed,
    frame,
    joined,
    polling,
    raw_websocket,
    reasons,
    run,
    tcp,
    until,
    websocket,
)
from websockets.exceptions import InvalidStatus
from websockets.frames import Opcode

from wsctl.server import websocket as websocket_module

PLACEHOLDER = '{"_placeholder":true,"num":0}'

# frames a joined client sends, and the close code they must end in
MALFORMED: list[list[str | bytes]] = [
    [""],
    ["7"],
    ["9"],
    ["x"],
    ["٣"],
    ["b!"],
    ["bAQID"],
    ["0"],
    ["2"],
    ["2probe"],
    ["5"],
    ["6"],
    ["4"],
    ["4abc"],
    ["47"],
    ["40"],
    ["40[]"],
    ["42"],
    ["42{}"],
    ["42[]"],
    ["42[null]"],
    ['42[{"toString":"foo"}]'],
    ['42abc["x"]'],
    ["42" + "2" * 900 + '["x"]'],
    ['42["connect"]'],
    ['42["disconnecting"]'],
    ['42["x",NaN]'],
    ['42["x"'],
    ['42["x",' + "[" * 900],
    ['42/nope,["x"]'],
    ["43[]"],
    ["43/nope,1[]"],
    ['44{"message":"x"}'],
    ["41/nope,"],
    ["41{}"],
    [b"binary out of the blue"],
    ['45-["x"]'],
    ['45999999-["x"]'],
    ['450-["x"]', b"x"],
    [f'451-["x",{PLACEHOLDER}]', "3", '42["x"]'],
    ['451-["x",{"_placeholder":true,"num":-1}]', b"x"],
    [f'451-/nope,["x",{PLACEHOLDER}]', b"x"],
]


def test_a_malformed_packet_closes_the_connection() -> None:
    """Every packet that breaks Engine.IO or Socket.IO ends the connection with 1002, and nobody else's."""

    async def test() -> None:
        async with feed() as running, joined(running) as other:
            for frames in MALFORMED:
                async with joined(running) as peer:
                    await peer.send(*frames)
                    assert await peer.closed() == 1002, frames
                assert len(running.platform.connections) == 1
                assert "malformed packet" in (reasons(running)[-1] or ""), frames
            assert (await other.emit("time:sync"))["ok"]

    run(test)


EARLY = ["4abc", '42["before joining"]', '420["before joining"]', "43/,1[]", "41", "5", "6", "40[]"]


def test_a_malformed_packet_before_joining_closes_the_connection() -> None:
    """Before CONNECT, too, whatever breaks the protocol ends the connection."""

    async def test() -> None:
        async with feed() as running:
            for packet in EARLY:
                async with websocket(running) as peer:
                    await peer.send(packet)
                    assert await peer.closed() == 1002, packet
                assert not running.platform.connections

    run(test)


def test_close_from_the_client() -> None:
    """Engine.IO's CLOSE ends the WebSocket, and so does leaving the namespace, in good order."""

    async def test() -> None:
        async with feed() as running:
            for packet in ("1", "41"):
                async with joined(running) as peer:
                    await peer.send(packet)
                    assert await peer.closed() == 1000
            assert reasons(running) == ["client left", "client left"]

    run(test)


def test_who_does_not_join_in_time_is_closed() -> None:
    """Without a CONNECT the connection ends after connect_timeout, on either transport, refused ones or not."""

    async def test() -> None:
        async with feed(connect_timeout=0.2) as running, websocket(running) as peer, joined(running) as other:
            await peer.send("40/nope,")
            assert await peer.answer(lambda packet: packet.startswith("44/nope,"))
            assert await peer.closed() is not None
            async with polling(running) as poller:
                await poller.answer(lambda packet: packet == "1")
            assert (await other.emit("time:sync"))["ok"]

    run(test)


def test_an_unknown_namespace() -> None:
    """An unknown namespace is refused with `Invalid namespace`; the connection goes on."""

    async def test() -> None:
        async with feed() as running, websocket(running) as peer:
            await peer.send("40/random,")
            assert (
                await peer.answer(lambda packet: packet.startswith("44")) == '44/random,{"message":"Invalid namespace"}'
            )
            await peer.join()

    run(test)


@pytest.mark.parametrize(
    "auth",
    [
        {"format": []},
        {"format": {}},
        {"format": 5},
        {"format": "brotli"},
        {"client": []},
        {"token": None},
        {"unknown": {"deep": [1]}},
    ],
    ids=repr,
)
def test_an_odd_auth_payload_is_no_reason_to_fall_over(auth: dict[str, Any]) -> None:
    """What the handshake's auth holds beside the agreed does not matter."""

    async def test() -> None:
        async with feed() as running, websocket(running) as peer:
            await peer.join(**auth)
            (client,) = running.platform.clients.values()
            assert (client.form, client.name) == ("full", None)

    run(test)


def deep_token() -> str:
    """A token whose head is nested without end."""

    def part(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    return ".".join([part("[" * 100_000), part("{}"), "x"])


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "é.é.é", 5, [], {}, True, deep_token()], ids=lambda token: repr(token)[:20]
)
def test_a_bad_token(token: Any) -> None:
    """Whatever is wrong with a token, the answer is `Authentication error`, and one may try again."""

    async def test() -> None:
        async with feed() as running, websocket(running) as peer:
            await peer.send("40" + json.dumps({"token": token}))
            assert await peer.answer(lambda packet: packet.startswith("44")) == '44{"message":"Authentication error"}'
            await peer.join()
            assert [log.what for log in running.logs] == ["refused", "connected"]  # type: ignore[attr-defined]

    run(test)


# RFC 6455


def test_fragmented_messages() -> None:
    """A message in pieces, empty ones and a ping between them, is one message, text or binary."""

    async def test() -> None:
        async with feed() as running, raw_websocket(running) as raw:
            text = '40{"client":"é"}'.encode()
            pieces = [text[:4], b"", text[4:14], b"", text[14:]]  # cut inside the é
            await raw.send(frame(pieces[0], fin=False, opcode=Opcode.TEXT))
            await raw.send(frame(b"p", opcode=Opcode.PING))
            for piece in pieces[1:]:
                await raw.send(frame(piece, fin=piece is pieces[-1], opcode=Opcode.CONT))
            answers = [await raw.read_frame() for _ in range(3)]
            assert [opcode for opcode, _ in answers] == [Opcode.TEXT, Opcode.PONG, Opcode.TEXT]
            assert answers[1][1] == b"p"
            (client,) = running.platform.clients.values()
            assert client.name == "é"
            await raw.text(f'451-0["price:subscribe",{PLACEHOLDER}]')
            await raw.send(frame(b"a", fin=False) + frame(b"b", opcode=Opcode.CONT))
            assert b"bad_request" in (await raw.read_frame())[1]

    run(test)


def test_fragments_without_end() -> None:
    """F7: fragments of a byte, or of none, are bounded by their number, not only by what is in them."""

    async def test() -> None:
        async with feed() as running:
            for piece in (b"", b"x"):
                async with raw_websocket(running) as raw:
                    await raw.send(
                        frame(b"4", fin=False)
                        + frame(piece, fin=False, opcode=Opcode.CONT) * websocket_module.MAX_FRAGMENTS
                    )
                    assert await raw.close_code() == 1008
            async with raw_websocket(running) as raw:
                continued = frame(b"", fin=False, opcode=Opcode.CONT) * (websocket_module.MAX_FRAGMENTS - 1)
                await raw.send(frame(b"4", fin=False, opcode=Opcode.TEXT) + continued + frame(b"0", opcode=Opcode.CONT))
                assert [(await raw.read_frame())[1][:3] for _ in range(2)] == [b'0{"', b"40{"]

    run(test)


BROKEN: list[tuple[bytes, int]] = [
    (frame(b"\xff\xfe", opcode=Opcode.TEXT), 1007),
    (frame("40", mask=False), 1002),
    (frame("4" + "x" * 2000), 1009),
    (frame("4" + "x" * 900, fin=False) + frame(b"x" * 900, opcode=Opcode.CONT), 1009),
    (b"\xc1\x80\0\0\0\0", 1002),  # RSV1 without permessage-deflate
    (b"\x83\x80\0\0\0\0", 1002),  # opcode 3
    (b"\x8b\x80\0\0\0\0", 1002),  # opcode 11
    (b"\x89\xfe\x00\x7e\0\0\0\0" + b"x" * 126, 1002),  # a ping of 126 bytes
    (b"\x09\x80\0\0\0\0", 1002),  # a fragmented ping
    (frame(b"x", opcode=Opcode.CONT), 1002),
    (frame("4", fin=False) + frame("4"), 1002),
    (b"\x81\xff" + b"\x7f" + b"\xff" * 7 + b"\0\0\0\0", 1009),
    (b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0", 1009),
    (b"\x88\x81\0\0\0\0\x03", 1002),  # a close of one byte
    (b"\x88\x82\0\0\0\0\x03\xec", 1002),  # close code 1004
]


def test_broken_framing_closes_with_the_right_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks RFC 6455 is answered with its close code, which the client can read; then the socket goes."""
    monkeypatch.setattr(websocket_module, "CLOSE_TIMEOUT", 0.1)

    async def test() -> None:
        async with feed(max_payload=1000) as running:
            for data, code in BROKEN:
                async with raw_websocket(running) as raw:
                    await raw.send(data)
                    assert await raw.close_code() == code, data
                    assert not running.platform.connections
                    await raw.send(frame("40"))
                    await raw.ended()  # although this client never closes
                    await until(lambda: not running.platform.sockets)

    run(test)


def test_the_code_is_read_although_the_rest_of_the_frame_is_still_coming() -> None:
    """A client that sends megabytes at once learns 1009, not a reset connection."""

    async def test() -> None:
        async with feed(max_payload=1000) as running, joined(running) as peer:
            for size in (1001, 3_000_000):
                async with websocket(running) as big:
                    await big.send("4" + "x" * size)
                    assert await big.closed() == 1009
            assert (await peer.emit("time:sync"))["ok"]

    run(test)


def test_a_message_of_just_the_limit() -> None:
    """A message of exactly maxPayload bytes is taken, in one piece or several."""

    async def test() -> None:
        async with feed(max_payload=1000) as running, joined(running) as peer:
            packet = '420["time:sync","' + "x" * 981 + '"]'
            await peer.send(packet)
            await peer.answer(lambda answer: answer.startswith("430["))
            await peer.ws.send([packet[:500], packet[500:]])
            await peer.answer(lambda answer: answer.startswith("430["))

    run(test)


def test_a_client_that_closes_is_let_go() -> None:
    """A close frame is answered with the same code, and a socket that just ends is noticed."""

    async def test() -> None:
        async with feed() as running:
            async with raw_websocket(running) as raw:
                await raw.send(frame((3001).to_bytes(2) + b"bye", opcode=Opcode.CLOSE))
                assert await raw.close_code() == 3001
                await raw.ended()
            async with raw_websocket(running) as raw:
                await raw.text("40")
                await until(lambda: running.platform.clients)
                raw.writer.write_eof()
                await raw.ended()
            await until(lambda: not running.platform.sockets)
            assert reasons(running) == ["transport closed"]

    run(test)


# The HTTP handshake


async def refused(raw: Raw, target: str, more: str = "") -> str:
    """The answer's head to a handshake that must be refused; the connection ends."""
    await raw.send(HANDSHAKE.format(target=target, more=more).encode())
    head = await raw.read_head()
    await raw.ended()
    return head.partition("\r\n")[0].partition(" ")[2]


REFUSED = [
    ("/", "", 404),
    ("/socket.io/x?EIO=4&transport=websocket", "", 404),
    ("//[", "", 404),
    ("//[::1?EIO=4&transport=websocket", "", 404),
    ("/socket.io/?EIO=4", "", 400),
    ("/socket.io/?EIO=4&transport=polling", "", 400),
    ("/socket.io/?EIO=3&transport=websocket", "", 400),
    ("/socket.io/?transport=websocket", "", 400),
    ("/socket.io/?EIO=4&transport=websocket&sid=unknown", "", 400),
    ("/socket.io/?EIO=4&transport=websocket&sid=%ff%00", "", 400),
    (WEBSOCKET, "Origin: http://example.org\r\n", 403),
    (WEBSOCKET, "Origin: null\r\n", 403),
    (WEBSOCKET, "Origin: http://localhost\r\nOrigin: http://example.org\r\n", 403),
    (WEBSOCKET, "Sec-WebSocket-Key: again\r\n", 400),
]


def test_a_handshake_that_is_refused() -> None:
    """A bad path, query, origin or header gets its status, and the connection ends without an error."""

    async def test() -> None:
        async with feed() as running:
            for target, more, status in REFUSED:
                async with tcp(running) as raw:
                    assert (await refused(raw, target, more)).startswith(str(status)), (target, more)
            await until(lambda: not running.platform.sockets)
            assert not running.platform.connections

    run(test)


@pytest.mark.parametrize(
    "origin", ["http://localhost:5173", "https://127.0.0.1", "http://[::1]:3000", "http://127.1.2.3"]
)
def test_a_loopback_origin_is_let_in(origin: str) -> None:
    """Pages of this machine may connect."""

    async def test() -> None:
        async with feed() as running, websocket(running, origin=origin) as peer:
            await peer.join()

    run(test)


def test_a_refusal_says_why() -> None:
    """The body of a refusal is the reference server's JSON."""

    async def test() -> None:
        async with feed() as running:
            with pytest.raises(InvalidStatus) as caught:
                async with websocket(running, "/socket.io/?EIO=3&transport=websocket"):
                    pass
            body = caught.value.response.body
            assert json.loads(body or b"") == {"code": 5, "message": "Unsupported protocol version"}

    run(test)


def test_bytes_behind_the_handshake_are_not_lost() -> None:
    """Frames that arrive in the same write as the handshake reach the session."""

    async def test() -> None:
        async with feed() as running, tcp(running) as raw:
            await raw.send(
                HANDSHAKE.format(target=WEBSOCKET, more="").encode() + frame("40") + frame('420["time:sync"]')
            )
            assert (await raw.read_head()).startswith("HTTP/1.1 101")
            assert (await raw.read_frame())[1].startswith(b"0{")
            assert (await raw.read_frame())[1].startswith(b"40{")
            assert (await raw.read_frame())[1].startswith(b'430[{"ok":true')

    run(test)


def test_bytes_behind_a_refused_handshake_do_no_harm() -> None:
    """Frames behind a handshake that is refused are thrown away."""

    async def test() -> None:
        async with feed() as running, tcp(running) as raw:
            await raw.send(HANDSHAKE.format(target="/nowhere", more="").encode() + frame("40") * 3)
            assert (await raw.read_head()).startswith("HTTP/1.1 404")
            await raw.ended()

    run(test)


@pytest.mark.parametrize(
    "head",
    [
        "X: " + "x" * 70_000,
        "".join(f"X-{number}: {'y' * 50}\r\n" for number in range(2000)),
    ],
    ids=["long", "many"],
)
@pytest.mark.parametrize("upgrade", [False, True])
def test_a_head_without_end(head: str, upgrade: bool) -> None:
    """H1: a request head over the limit ends the connection, whatever it asks for, and takes no more memory."""

    async def test() -> None:
        async with feed() as running, tcp(running) as raw, joined(running) as other:
            start = HANDSHAKE.format(target=WEBSOCKET, more="")[:-2] if upgrade else "GET / HTTP/1.1\r\nHost: x\r\n"
            try:
                for part in (start.encode(), *(head.encode()[at : at + 20_000] for at in range(0, len(head), 20_000))):
                    await raw.send(part)
                await raw.send(b"\r\n\r\n")
            except ConnectionError:
                pass
            await raw.ended()
            assert (await other.emit("time:sync"))["ok"]

    run(test)


def test_a_request_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that says nothing, or half a request, is let go after a while; an idle WebSocket is not."""
    monkeypatch.setattr("wsctl.server.front_door.REQUEST_TIMEOUT", 0.2)

    async def test() -> None:
        async with feed() as running, joined(running) as other, tcp(running) as silent, tcp(running) as slow:
            await slow.send(b"GET /healthz HTTP/1.1\r\nHost:")
            await asyncio.gather(silent.ended(), slow.ended())
            assert (await other.emit("time:sync"))["ok"]

    run(test)


def test_not_http_at_all() -> None:
    """Bytes that are no HTTP get a 400 and the end."""

    async def test() -> None:
        async with feed() as running, tcp(running) as raw:
            await raw.send(b"\x16\x03\x01 hello\r\n\r\n")
            assert (await raw.read_head()).startswith("HTTP/1.1 400")
            await raw.ended()

    run(test)


# Heartbeats


def test_heartbeats_are_sent_and_answered() -> None:
    """Pings come as often as the open packet says; who answers stays."""

    async def test() -> None:
        async with feed(ping_interval=0.05, ping_timeout=5.0) as running, joined(running) as peer:
            opening = {"pingInterval": 50, "pingTimeout": 5000}
            async with raw_websocket(running) as raw:
                assert opening.items() <= json.loads((await raw.read_frame())[1][1:]).items()
                assert (await raw.read_frame())[1] == b"2"
            for _ in range(3):
                await peer.answer(lambda packet: packet == "2")
            assert not [reason for reason in reasons(running) if reason == "ping timeout"]

    run(test)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_who_does_not_answer_a_ping_is_closed(transport: str) -> None:
    """Without a pong the session ends with `ping timeout`, on either transport."""

    async def test() -> None:
        async with feed(ping_interval=0.05, ping_timeout=0.05) as running:
            if transport == "websocket":
                async with raw_websocket(running) as raw:
                    await raw.text("40")
                    assert await raw.close_code() is not None
            else:
                async with polling(running) as peer:
                    await peer.join()
                    await until(lambda: not running.platform.connections)
            await until(lambda: reasons(running) == ["ping timeout"])

    run(test)
