"""Socket.IO v5: packets with attachments and both sides of a session, without a socket."""

from typing import Any

import pytest

from wsctl.errors import WireError
from wsctl.wire.socketio import (
    ACK,
    CONNECT,
    CONNECT_ERROR,
    DISCONNECT,
    EVENT,
    MAX_ATTACHMENTS,
    RESERVED_EVENTS,
    AckReceived,
    ClientSession,
    ConnectRequested,
    Decoder,
    EventReceived,
    Frame,
    Joined,
    Left,
    Packet,
    Refused,
    ServerSession,
    encode,
    encode_event,
)

PLACEHOLDER = '{"_placeholder":true,"num":0}'

PACKETS: list[tuple[Packet, list[Frame]]] = [
    (Packet(CONNECT), ["0"]),
    (Packet(CONNECT, "/admin"), ["0/admin,"]),
    (Packet(CONNECT, "/", {"token": "t"}), ['0{"token":"t"}']),
    (Packet(CONNECT, "/admin", {"sid": "x"}), ['0/admin,{"sid":"x"}']),
    (Packet(DISCONNECT), ["1"]),
    (Packet(DISCONNECT, "/admin"), ["1/admin,"]),
    (Packet(CONNECT_ERROR, "/", {"message": "no"}), ['4{"message":"no"}']),
    (Packet(CONNECT_ERROR, "/admin", "no"), ['4/admin,"no"']),
    (Packet(EVENT, "/", ["hello", 1]), ['2["hello",1]']),
    (Packet(EVENT, "/admin", ["hello"], 456), ['2/admin,456["hello"]']),
    (Packet(EVENT, "/", ["é€😀", {"a": [None, True, 1.5]}], 0), ['20["é€😀",{"a":[null,true,1.5]}]']),
    (Packet(ACK, "/", [], 12), ["312[]"]),
    (Packet(ACK, "/admin", ["x"], 456), ['3/admin,456["x"]']),
    (Packet(EVENT, "/", ["b", b"\x01"]), [f'51-["b",{PLACEHOLDER}]', b"\x01"]),
    (Packet(ACK, "/admin", [b""], 7), [f"61-/admin,7[{PLACEHOLDER}]", b""]),
    (
        Packet(EVENT, "/", ["b", {"x": b"1", "y": [b"2"]}]),
        ['52-["b",{"x":{"_placeholder":true,"num":0},"y":[{"_placeholder":true,"num":1}]}]', b"1", b"2"],
    ),
]


def read(*frames: Frame) -> Packet | None:
    """What a new decoder makes of messages, of which only the last may complete a packet."""
    decoder = Decoder()
    for frame in frames[:-1]:
        assert decoder.add(frame) is None
    return decoder.add(frames[-1])


@pytest.mark.parametrize(("packet", "frames"), PACKETS)
def test_a_packet_and_its_messages(packet: Packet, frames: list[Frame]) -> None:
    """Each packet has the messages that the protocol gives it, both ways."""
    assert encode(packet) == frames
    assert read(*frames) == packet


def test_the_fan_outs_form_is_the_ordinary_one() -> None:
    """`encode_event` writes what `encode` writes."""
    assert [encode_event("e", {"a": 1})] == encode(Packet(EVENT, "/", ["e", {"a": 1}]))


@pytest.mark.parametrize(
    ("frame", "packet"),
    [
        ("0/admin", Packet(CONNECT, "/admin")),
        ("1/admin", Packet(DISCONNECT, "/admin")),
        ("0/admin?token=1234&uid=x,", Packet(CONNECT, "/admin?token=1234&uid=x")),
        ('2/a-b,1["x"]', Packet(EVENT, "/a-b", ["x"], 1)),
        ('2["1-2"]', Packet(EVENT, "/", ["1-2"])),
        ('2["a,b/c,"]', Packet(EVENT, "/", ["a,b/c,"])),
        ('2[ "x" , 1 ]', Packet(EVENT, "/", ["x", 1])),
        ('2["x","\\u20ac"]', Packet(EVENT, "/", ["x", "€"])),
        ('2123456789012345["x"]', Packet(EVENT, "/", ["x"], 123456789012345)),
        ('50-["x"]', Packet(EVENT, "/", ["x"])),
        (
            f'50-["x",{PLACEHOLDER.replace("true", "false")}]',
            Packet(EVENT, "/", ["x", {"_placeholder": False, "num": 0}]),
        ),
    ],
)
def test_less_usual_spellings(frame: str, packet: Packet) -> None:
    """What the reference parser takes beside its own spelling, ours takes too."""
    assert read(frame) == packet


MALFORMED: list[tuple[Frame, ...]] = [
    # not a packet at all
    ("",),
    ("abc",),
    ("999",),
    ("7",),
    ("-1",),
    ("٢[]",),
    (" 2[]",),
    (b"orphan",),
    # S1: acknowledgement ids
    ("2" + "2" * 16 + '["x"]',),
    ("2" + "2" * 1_000_000,),
    ('2٣["x"]',),
    ('2-1["x"]',),
    ('3["no id"]',),
    # S2: placeholders
    *(
        (f'51-["hello",{{"_placeholder":true,"num":{number}}}]', b"x")
        for number in ('"splice"', "-1", "1", "1000000000", "null", "0.5", "true", "[]", "1e400")
    ),
    ('51-["hello",{"_placeholder":true}]', b"x"),
    # S3: names of events
    ('2[{"toString":"foo"}]',),
    ('2[true,"x"]',),
    ("2[null]",),
    ("2[1]",),
    ("2[]",),
    ("2{}",),
    ('2"x"',),
    ("2null",),
    ("2",),
    # S4: reserved names
    *((f'2["{name}","x"]',) for name in sorted(RESERVED_EVENTS)),
    ('51-["connect",' + PLACEHOLDER + "]", b"x"),
    # S5: many attachments
    ('5999999-["x"]',),
    ('559999999999-["x"]',),
    (f'5{MAX_ATTACHMENTS + 1}-["x"]',),
    # S6: attachments after none were announced
    ('50-["x"]', b"x"),
    # S8: the reference parser's own list, and more of the kind
    ('442["some","data"',),
    ('0/admin,"invalid"',),
    ("0[]",),
    ("1/admin,{}",),
    ("2/admin,{}",),
    ('2/admin,"invalid',),
    ("2/admin",),
    ("5",),
    ("51",),
    ("5a-",),
    ("51.23-",),
    ('5-["x"]',),
    ('5["x"]',),
    ('6["x"]',),
    ("61-[" + PLACEHOLDER + "]", b"x"),
    ('21-["x"]',),
    ("4",),
    ("41",),
    ('2["x"]trailing',),
    ('2["x"][]',),
    ('51-["x",' + PLACEHOLDER + "]", '2["text during attachments"]'),
    ('51-["x",' + PLACEHOLDER + "]", b"x", b"one too many"),
    # S9: deep JSON, with and without an attachment
    ('2["e",' + "[" * 100_000,),
    ('2["e",' + "[" * 100_000 + "]" * 100_000 + "]",),
    # J1: numbers that JSON does not have
    ('2["e",NaN]',),
    ('2["e",Infinity]',),
    ('2["e",1e999]',),
    ('2["e",01]',),
    ('2["e",' + "1" * 5000 + "]",),
    # text that is none
    ('2["e","\ud800"]',),
    ('2["e","\\ud800"]',),
    ('2["e","\x00"]',),
]


@pytest.mark.parametrize("frames", MALFORMED, ids=lambda frames: repr(frames)[:60])
def test_a_malformed_packet_is_refused(frames: tuple[Frame, ...]) -> None:
    """Every malformed packet of the catalogue ends in a WireError, at the message that shows it or before."""
    with pytest.raises(WireError):
        add_all(Decoder(), frames)


def add_all(decoder: Decoder, frames: tuple[Frame, ...]) -> None:
    """Feed every message, whatever comes of it."""
    for frame in frames:
        decoder.add(frame)


@pytest.mark.parametrize("depth", [200, 400, 900, 5000])
def test_deep_data_around_an_attachment_is_read_or_refused(depth: int) -> None:
    """However deep an attachment hides, it is found or the packet is refused: no other exception."""
    text = '51-["e",' + "[" * depth + PLACEHOLDER + "]" * depth + "]"
    decoder = Decoder()
    try:
        assert decoder.add(text) is None
        assert decoder.add(b"x") is not None
    except WireError:
        assert depth > 200


def test_the_most_attachments_that_are_taken() -> None:
    """As many attachments as the bound says are put in their places, in any order of their numbers."""
    numbers = list(reversed(range(MAX_ATTACHMENTS)))
    text = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in numbers)
    parts = [bytes([number]) for number in range(MAX_ATTACHMENTS)]
    packet = read(f'5{MAX_ATTACHMENTS}-["e",{text}]', *parts)
    assert packet == Packet(EVENT, "/", ["e", *(parts[number] for number in numbers)])


def test_a_decoder_is_ready_again_after_attachments() -> None:
    """After a complete binary packet the next text is a packet of its own."""
    decoder = Decoder()
    for _ in range(3):
        assert decoder.add(f'51-["e",{PLACEHOLDER}]') is None
        assert decoder.add(b"x") == Packet(EVENT, "/", ["e", b"x"])
        assert decoder.add('2["t"]') == Packet(EVENT, "/", ["t"])


def server(*joined: str) -> ServerSession:
    """A server's session whose client is in these namespaces."""
    session = ServerSession()
    for namespace in joined:
        session.accept(namespace, "sid")
    return session


def client(*joined: str) -> ClientSession:
    """A client's session that is in these namespaces."""
    session = ClientSession()
    for namespace in joined:
        for frame in ServerSession().accept(namespace, "sid"):
            assert session.receive(frame) == Joined(namespace, {"sid": "sid"})
    return session


@pytest.mark.parametrize(
    ("frame", "fact"),
    [
        ('0{"token":"t"}', ConnectRequested("/", {"token": "t"})),
        ("0", ConnectRequested("/", {})),
        ("0/admin,", ConnectRequested("/admin", {})),
        ('2/in,["e",1,2]', EventReceived("/in", "e", [1, 2], None)),
        ('2/in,9["e"]', EventReceived("/in", "e", [], 9)),
        ("3/in,9[1]", AckReceived("/in", 9, [1])),
        ("1/in,", Left("/in")),
    ],
)
def test_what_a_server_takes(frame: Frame, fact: object) -> None:
    """A server's session says what a client's packet means."""
    assert server("/in").receive(frame) == fact


@pytest.mark.parametrize(
    "frame",
    [
        "0/in,",
        '0/in,{"token":"t"}',
        '4{"message":"x"}',
        '4/in,{"message":"x"}',
        '2["before joining"]',
        '20["before joining"]',
        '2/out,["e"]',
        "3/out,1[]",
        "1",
        "1/out,",
        b"binary out of the blue",
    ],
)
def test_what_a_server_refuses(frame: Frame) -> None:
    """A second CONNECT, packets that servers send, and anything for a namespace not joined are WireErrors."""
    with pytest.raises(WireError):
        server("/in").receive(frame)


def test_a_client_takes_events_from_when_it_asked() -> None:
    """python-socketio's servers send before they let in; nothing else may come that early, nor after a refusal."""
    session = ClientSession()
    session.connect("/in")
    assert session.receive('2/in,["hello",1]') == EventReceived("/in", "hello", [1], None)
    for early in ('2["hello"]', "3/in,1[]", "1/in,"):
        with pytest.raises(WireError):
            session.receive(early)
    assert session.receive('4/in,{"message":"no"}') == Refused("/in", {"message": "no"})
    with pytest.raises(WireError):
        session.receive('2/in,["hello",1]')


def test_binary_for_a_namespace_not_joined_is_bounded() -> None:
    """S7: attachments for a namespace not joined end in a WireError, after at most as many as may be announced."""
    session = server("/in")
    assert session.receive(f'51-/nope,["x",{PLACEHOLDER}]') is None
    with pytest.raises(WireError):
        session.receive(b"x")
    with pytest.raises(WireError):
        server("/in").receive('59999999999-["x"]')


@pytest.mark.parametrize("identifier", [0, 1, 999_999])
def test_an_acknowledgement_nobody_asked_for_is_told(identifier: int) -> None:
    """S10: unknown and repeated ids are facts for the driver, which keeps no table that could grow."""
    session = server("/")
    for _ in range(3):
        assert session.receive(f"3{identifier}[]") == AckReceived("/", identifier, [])


def test_leaving_ends_the_right_to_send() -> None:
    """After DISCONNECT from either side, events for the namespace are refused, and it may be joined again."""
    session = server("/", "/in")
    assert session.receive("1/in,") == Left("/in")
    with pytest.raises(WireError):
        session.receive('2/in,["e"]')
    assert session.leave("/") == ["1"]
    with pytest.raises(WireError):
        session.receive('2["e"]')
    assert session.receive("0/in,") == ConnectRequested("/in", {})


def test_a_binary_event_and_its_acknowledgement() -> None:
    """An event with attachments reaches the other session whole, and so does the answer."""
    ours, theirs = client("/in"), server("/in")
    facts = [theirs.receive(frame) for frame in ours.event("/in", "e", [b"1", {"x": b"2"}], 5)]
    assert facts == [None, None, EventReceived("/in", "e", [b"1", {"x": b"2"}], 5)]
    answers = [ours.receive(frame) for frame in theirs.ack("/in", 5, [b"3"])]
    assert answers == [None, AckReceived("/in", 5, [b"3"])]


def test_a_client_is_let_in_or_not() -> None:
    """CONNECT is answered with Joined or Refused."""
    ours, theirs = ClientSession(), ServerSession()
    (request,) = ours.connect(auth={"token": "t"})
    assert theirs.receive(request) == ConnectRequested("/", {"token": "t"})
    (refusal,) = theirs.refuse("/", "Authentication error")
    assert refusal == '4{"message":"Authentication error"}'
    assert ours.receive(refusal) == Refused("/", {"message": "Authentication error"})
    (acceptance,) = theirs.accept("/", "sid")
    assert ours.receive(acceptance) == Joined("/", {"sid": "sid"})
    assert ours.receive('2["e"]') == EventReceived("/", "e", [], None)


@pytest.mark.parametrize("frame", ['2/out,["e"]', "1/out,", "3/out,1[]", "", b"x"])
def test_what_a_client_refuses(frame: Any) -> None:
    """Packets for a namespace that let nobody in are WireErrors at the client too."""
    with pytest.raises(WireError):
        client("/in").receive(frame)


def test_a_client_told_to_leave() -> None:
    """A server's DISCONNECT is Left, and events after it are refused."""
    session = client("/")
    assert session.receive("1") == Left("/")
    with pytest.raises(WireError):
        session.receive('2["e"]')
