"""Engine.IO v4: packets, payloads and both sides of a session, without a socket."""

import subprocess
import sys

import msgspec
import pytest

from wsctl.errors import WireError
from wsctl.wire import engineio
from wsctl.wire.engineio import (
    CLOSE,
    MAX_PACKETS_RECEIVED,
    MESSAGE,
    NOOP,
    OPEN,
    PING,
    PONG,
    RECORD_SEPARATOR,
    UPGRADE,
    ClientSession,
    Closed,
    Handshake,
    Message,
    Opened,
    Packet,
    PacketType,
    Pinged,
    Ponged,
    Probed,
    ServerSession,
    Upgraded,
    decode,
    decode_payload,
    encode,
    encode_payload,
)

HANDSHAKE = Handshake(sid="s", upgrades=["websocket"], ping_interval=300, ping_timeout=200.5, max_payload=1000)
OPENING = Packet(OPEN, msgspec.json.encode(HANDSHAKE).decode())


@pytest.mark.parametrize(
    ("packet", "frame"),
    [
        (Packet(OPEN, "{}"), "0{}"),
        (Packet(CLOSE), "1"),
        (Packet(PING), "2"),
        (Packet(PING, "probe"), "2probe"),
        (Packet(PONG, "probe"), "3probe"),
        (Packet(MESSAGE, "héllo €"), "4héllo €"),
        (Packet(MESSAGE, ""), "4"),
        (Packet(UPGRADE), "5"),
        (Packet(NOOP), "6"),
        (Packet(MESSAGE, b"\x00\xff"), b"\x00\xff"),
        (Packet(MESSAGE, b""), b""),
    ],
)
def test_a_packet_and_its_frame(packet: Packet, frame: str | bytes) -> None:
    """Each packet has the frame that the protocol gives it, both ways."""
    assert encode(packet) == frame
    assert decode(frame) == packet


@pytest.mark.parametrize(
    "frame", ["", "7", "8", "9", "x", "abc", "-1", " 4", "٣", "４", "\x1e", "b", "bAAAA", "\ud800"]
)
def test_a_frame_of_no_known_type_is_refused(frame: str) -> None:
    """A frame that starts with anything but 0 to 6 is a WireError, digits of other scripts included."""
    with pytest.raises(WireError):
        decode(frame)


def test_a_payload_joins_packets_and_writes_bytes_as_base64() -> None:
    """The example of the protocol document comes out as it stands there."""
    assert encode_payload(["4hello", "2", b"\x01\x02\x03\x04"]) == "4hello\x1e2\x1ebAQIDBA=="
    assert decode_payload("4hello\x1e2\x1ebAQIDBA==") == [
        Packet(MESSAGE, "hello"),
        Packet(PING),
        Packet(MESSAGE, b"\x01\x02\x03\x04"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "7",
        "abc",
        "4a\x1e",
        "\x1e4a",
        "4a\x1e\x1e4b",
        "b!",
        "bA",
        "bAQIDBA=",
        "b=AAA",
        "bAQ ID",
        "bé",
        "٣",
        "4a\x1e9",
    ],
)
def test_a_malformed_payload_is_refused(body: str) -> None:
    """One bad packet, an empty one or bad base64 spoils the whole payload."""
    with pytest.raises(WireError):
        decode_payload(body)


def test_the_number_of_packets_in_a_payload_is_bounded() -> None:
    """As many packets as the bound says pass, one more does not."""
    most = RECORD_SEPARATOR.join(["2"] * MAX_PACKETS_RECEIVED)
    assert len(decode_payload(most)) == MAX_PACKETS_RECEIVED
    with pytest.raises(WireError):
        decode_payload(most + RECORD_SEPARATOR + "2")


@pytest.mark.parametrize(
    ("packet", "fact"),
    [
        (Packet(MESSAGE, "x"), Message("x")),
        (Packet(MESSAGE, b"x"), Message(b"x")),
        (Packet(PONG), Ponged()),
        (Packet(CLOSE), Closed()),
    ],
)
def test_what_a_client_may_send(packet: Packet, fact: object) -> None:
    """A server's session takes messages, pongs and the end."""
    assert ServerSession("s").receive(packet) == fact


@pytest.mark.parametrize("kind", [OPEN, PING, UPGRADE, NOOP])
def test_what_a_client_never_sends(kind: PacketType) -> None:
    """A server's session refuses the packets that only servers send, and an upgrade out of place."""
    with pytest.raises(WireError):
        ServerSession("s").receive(Packet(kind))


def test_an_upgrade_probes_then_upgrades() -> None:
    """`2probe` is answered with `3probe`, then `5` upgrades, once."""
    session = ServerSession("s")
    assert session.receive_on_candidate(Packet(PING, "probe")) == Probed(Packet(PONG, "probe"))
    assert session.probed
    assert session.receive_on_candidate(Packet(UPGRADE)) == Upgraded()
    assert not session.probed
    with pytest.raises(WireError):
        session.receive_on_candidate(Packet(UPGRADE))


@pytest.mark.parametrize(
    "packets",
    [
        [Packet(UPGRADE)],
        [Packet(PING)],
        [Packet(PING, "prob")],
        [Packet(MESSAGE, "probe")],
        [Packet(MESSAGE, b"")],
        [Packet(PING, "probe"), Packet(PING, "probe")],
        [Packet(PING, "probe"), Packet(MESSAGE, "x")],
        [Packet(PING, "probe"), Packet(CLOSE)],
    ],
)
def test_an_upgrade_out_of_order_is_refused(packets: list[Packet]) -> None:
    """A candidate that does anything else than probe and upgrade is refused."""
    session = ServerSession("s")
    for packet in packets[:-1]:
        session.receive_on_candidate(packet)
    with pytest.raises(WireError):
        session.receive_on_candidate(packets[-1])


def opened() -> ClientSession:
    """A client's session after its OPEN packet."""
    session = ClientSession()
    assert session.receive(OPENING) == Opened(HANDSHAKE)
    return session


@pytest.mark.parametrize(
    ("packet", "fact"),
    [
        (Packet(MESSAGE, "x"), Message("x")),
        (Packet(MESSAGE, b"x"), Message(b"x")),
        (Packet(PING), Pinged(Packet(PONG))),
        (Packet(PING, "probe"), Pinged(Packet(PONG, "probe"))),
        (Packet(CLOSE), Closed()),
        (Packet(NOOP), None),
    ],
)
def test_what_a_server_may_send(packet: Packet, fact: object) -> None:
    """A client's session takes messages, pings, noops and the end, once it is open."""
    assert opened().receive(packet) == fact


@pytest.mark.parametrize("packet", [OPENING, Packet(PONG), Packet(UPGRADE)])
def test_what_a_server_never_sends(packet: Packet) -> None:
    """A client's session refuses a second OPEN, pongs and upgrades."""
    with pytest.raises(WireError):
        opened().receive(packet)


@pytest.mark.parametrize("kind", [CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP])
def test_open_comes_first(kind: PacketType) -> None:
    """Nothing is taken from a server before OPEN."""
    with pytest.raises(WireError):
        ClientSession().receive(Packet(kind))


@pytest.mark.parametrize(
    "data",
    [
        "",
        "{",
        "[]",
        "null",
        '{"sid":"s"}',
        '{"sid":1,"upgrades":[],"pingInterval":1,"pingTimeout":1,"maxPayload":1}',
        '{"sid":"s","upgrades":[],"pingInterval":NaN,"pingTimeout":1,"maxPayload":1}',
        '{"sid":"s","upgrades":[],"pingInterval":1e999,"pingTimeout":1,"maxPayload":1}',
        '{"sid":"s","upgrades":[],"pingInterval":1,"pingTimeout":1,"maxPayload":1,"x":' + "[" * 100_000,
        '"\ud800"',
    ],
)
def test_an_open_packet_that_cannot_be_read(data: str) -> None:
    """A malformed OPEN packet is a WireError, however it is malformed."""
    with pytest.raises(WireError):
        ClientSession().receive(Packet(OPEN, data))


def test_the_handshake_keeps_fractions_and_ignores_what_it_does_not_know() -> None:
    """Fractions of milliseconds survive, unknown keys do not disturb."""
    known = msgspec.json.decode(OPENING.data)
    assert known["pingTimeout"] == 200.5
    extended = msgspec.json.encode({**known, "more": {"x": 1}}).decode()
    assert ClientSession().receive(Packet(OPEN, extended)) == Opened(HANDSHAKE)


def test_an_older_server_does_not_say_how_much_it_takes() -> None:
    """socket.io before 4.5 opens without maxPayload; it is a server all the same."""
    opened = ClientSession().receive(Packet(OPEN, '{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'))
    assert isinstance(opened, Opened)
    assert opened.handshake.max_payload is None


def test_the_limits_are_those_of_the_peers() -> None:
    """A poll answer holds no more packets than python-engineio's client takes."""
    # asked of a fresh process: wsctl.client.sio raises the limit in this one
    program = "from engineio.payload import Payload; print(Payload.max_decode_packets)"
    shipped = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert int(shipped) == engineio.MAX_PACKETS_SENT
