"""Our codecs against python-socketio's and python-engineio's: two implementations, one protocol.

Where the two differ on purpose, a test of its own says so.
"""

from typing import Any

import engineio.packet as their_engine
import engineio.payload as their_payload
import pytest
import socketio.packet as theirs
from hypothesis import given, settings
from hypothesis import strategies as st

from wsctl.errors import WireError
from wsctl.wire import engineio as our_engine
from wsctl.wire import socketio as ours

# what both sides can say: JSON of 64-bit numbers, text without lone surrogates
text = st.text(st.characters(exclude_categories=["Cs"]))
integers = st.integers(-(2**63), 2**64 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | integers | floats | text
keys = text.filter(lambda key: key != "_placeholder")


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists and objects of leaves, a few levels deep."""
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))


json_values = nested(scalars)
values = nested(scalars | st.binary(max_size=20))
names = text.filter(lambda name: name not in ours.RESERVED_EVENTS)
namespaces = st.sampled_from(["/", "/admin", "/a-b", "/ü"])
ids = st.none() | st.integers(0, 10**15 - 1)


def attachments_in(value: Any) -> int:
    """How many bytes values a value holds."""
    if isinstance(value, dict):
        return sum(map(attachments_in, value.values()))
    return sum(map(attachments_in, value)) if isinstance(value, list) else isinstance(value, bytes)


def few(value: Any) -> bool:
    """Whether a value stays within our bound on attachments."""
    return attachments_in(value) <= ours.MAX_ATTACHMENTS


events = st.builds(lambda name, args: [name, *args], names, st.lists(values, max_size=3)).filter(few)
answers = st.lists(values, max_size=3).filter(few)
packets = st.one_of(
    st.builds(ours.Packet, st.just(ours.EVENT), namespaces, events, ids),
    st.builds(ours.Packet, st.just(ours.ACK), namespaces, answers, st.integers(0, 10**15 - 1)),
    st.builds(ours.Packet, st.just(ours.CONNECT), namespaces, st.none() | st.dictionaries(keys, json_values)),
    st.builds(ours.Packet, st.just(ours.DISCONNECT), namespaces),
    st.builds(ours.Packet, st.just(ours.CONNECT_ERROR), namespaces, text | st.dictionaries(keys, json_values)),
)


def read_by_them(frames: list[ours.Frame]) -> ours.Packet:
    """What python-socketio reads, as one of our packets."""
    packet = theirs.Packet(encoded_packet=frames[0])
    for number, attachment in enumerate(frames[1:], 1):
        assert packet.add_attachment(attachment) is (number == len(frames) - 1)
    kind = ours.PacketType(packet.packet_type)
    kind = {ours.BINARY_EVENT: ours.EVENT, ours.BINARY_ACK: ours.ACK}.get(kind, kind)
    return ours.Packet(kind, packet.namespace or "/", packet.data, packet.id)


def written_by_them(packet: ours.Packet) -> list[ours.Frame]:
    """One of our packets as python-socketio writes it."""
    binary = None if packet.type in (ours.EVENT, ours.ACK) else False
    frames = theirs.Packet(packet.type.value, packet.data, packet.namespace, packet.id, binary).encode()
    return frames if isinstance(frames, list) else [frames]


def read_by_us(frames: list[ours.Frame]) -> ours.Packet | None:
    """What our decoder makes of one packet's messages."""
    decoder = ours.Decoder()
    for frame in frames[:-1]:
        assert decoder.add(frame) is None
    return decoder.add(frames[-1])


@settings(deadline=None)
@given(packets)
def test_they_read_what_we_write(packet: ours.Packet) -> None:
    """python-socketio decodes every packet of ours to the same value."""
    assert read_by_them(ours.encode(packet)) == packet


@settings(deadline=None)
@given(packets)
def test_we_read_what_they_write(packet: ours.Packet) -> None:
    """Our decoder reads every packet of python-socketio's as the same value."""
    assert read_by_us(written_by_them(packet)) == packet


@settings(deadline=None)
@given(packets)
def test_both_announce_the_same_attachments(packet: ours.Packet) -> None:
    """Attachments come in the same number and order from both encoders."""
    assert ours.encode(packet)[1:] == written_by_them(packet)[1:]


engine_packets = st.one_of(
    st.builds(our_engine.Packet, st.just(our_engine.MESSAGE), st.binary(max_size=50)),
    st.builds(our_engine.Packet, st.sampled_from(list(our_engine.PacketType)), text.filter(lambda t: "\x1e" not in t)),
)


def engine_packet_of(packet: their_engine.Packet, frame: our_engine.Frame) -> our_engine.Packet:
    """Their packet as one of ours; text is taken from the frame, because they hand it over parsed if it is JSON."""
    data = packet.data if isinstance(packet.data, bytes) else frame[1:]
    return our_engine.Packet(our_engine.PacketType(packet.packet_type), data)


@settings(deadline=None)
@given(engine_packets)
def test_engineio_frames_mean_the_same_to_both(packet: our_engine.Packet) -> None:
    """A packet's frame is the same from both encoders, and both read it as that packet."""
    frame = our_engine.encode(packet)
    assert their_engine.Packet(packet.type.value, packet.data).encode() == frame
    assert our_engine.decode(frame) == packet
    assert engine_packet_of(their_engine.Packet(encoded_packet=frame), frame) == packet


@settings(deadline=None)
@given(st.lists(engine_packets, min_size=1, max_size=16))
def test_engineio_payloads_mean_the_same_to_both(packets: list[our_engine.Packet]) -> None:
    """A payload is the same from both encoders, and both read the same packets in it."""
    payload = our_engine.encode_payload(map(our_engine.encode, packets))
    assert their_payload.Payload([their_engine.Packet(p.type.value, p.data) for p in packets]).encode() == payload
    assert our_engine.decode_payload(payload) == packets
    read = their_payload.Payload(encoded_payload=payload).packets
    assert [engine_packet_of(p, our_engine.encode(q)) for p, q in zip(read, packets, strict=True)] == packets


# Whatever comes, it is a packet or a WireError

tokens = ["-", ",", "/", "/a", '"', '["e"', "[", "]", "{", "}", ":", "null", "٣", "\n", "\x1e", "b", "1e999", "\ud800"]
placeholders = ['{"_placeholder":true,"num":0}', '"_placeholder":true', '"num"']
grammar = st.sampled_from([*"0123456789", *tokens, *placeholders])
frames_like = st.lists(grammar, max_size=12).map("".join)
any_frame = st.one_of(frames_like, st.text(), st.binary(max_size=8))


@st.composite
def mutated(draw: st.DrawFn) -> list[ours.Frame]:
    """The messages of a sound packet with one character lost, doubled or replaced, or a message lost or doubled."""
    frames = ours.encode(draw(packets))
    head, at = frames[0], draw(st.integers(0, len(frames[0])))
    assert isinstance(head, str)
    frames[0] = (
        head[:at] + draw(st.one_of(st.just(""), grammar, st.text(max_size=2))) + head[at + draw(st.integers(0, 2)) :]
    )
    return frames[: draw(st.integers(1, len(frames)))] + frames[draw(st.integers(1, len(frames))) :]


@settings(max_examples=300, deadline=None)
@given(st.one_of(mutated(), st.lists(any_frame, max_size=4)))
def test_any_messages_are_packets_or_wire_errors(frames: list[ours.Frame]) -> None:
    """Mutated and random messages never raise anything but WireError, and what is read can be written again."""
    decoder = ours.Decoder()
    for frame in frames:
        try:
            packet = decoder.add(frame)
        except WireError:
            return
        if packet is not None and few(packet.data):
            assert ours.encode(packet)


@settings(max_examples=300, deadline=None)
@given(st.lists(any_frame, max_size=6), st.sampled_from([ours.ServerSession, ours.ClientSession]))
def test_any_messages_to_a_session(
    frames: list[ours.Frame], kind: type[ours.ServerSession | ours.ClientSession]
) -> None:
    """Neither side's session raises anything but WireError."""
    session = kind()
    session.joined = ("/",)
    for frame in frames:
        try:
            session.receive(frame)
        except WireError:
            return


@settings(max_examples=300, deadline=None)
@given(st.lists(any_frame, max_size=6))
def test_any_frames_to_the_engine(frames: list[our_engine.Frame]) -> None:
    """Frames and payloads of Engine.IO are packets or WireErrors, for both sides of a session and a candidate."""
    server, client = our_engine.ServerSession("s"), our_engine.ClientSession()
    for frame in frames:
        for read in (our_engine.decode, our_engine.decode_payload):
            if isinstance(frame, bytes) and read is our_engine.decode_payload:
                continue
            try:
                packet = read(frame)  # type: ignore[arg-type]
            except WireError:
                continue
            for one in packet if isinstance(packet, list) else [packet]:
                for receive in (server.receive, client.receive, server.receive_on_candidate):
                    with_wire_error_only(receive, one)


def with_wire_error_only(receive: Any, packet: our_engine.Packet) -> None:
    """Hand a packet to a session; a WireError is a fair answer."""
    try:
        receive(packet)
    except WireError:
        return


# Deliberate differences: what they let through and we refuse, and what the two spell differently


@pytest.mark.parametrize("number", ["-1", "true", "false"])
def test_difference_a_placeholder_may_not_reach_back(number: str) -> None:
    """They index the list of attachments with whatever stands there (-1 is the last one); we refuse."""
    frames: list[ours.Frame] = [f'52-["e",{{"_placeholder":true,"num":{number}}}]', b"a", b"b"]
    assert read_by_them(frames).data[1] in (b"a", b"b")
    with pytest.raises(WireError):
        read_by_us(frames)


def test_difference_attachments_are_bounded() -> None:
    """They take ten digits' worth of attachments; we take as many as the reference parser."""
    head = '59999999999-["e"]'
    assert theirs.Packet(encoded_packet=head).attachment_count == 9_999_999_999
    with pytest.raises(WireError):
        ours.Decoder().add(head)


@pytest.mark.parametrize(
    "frame", ["2[]", "2[null]", "2{}", '2"e"', "2", "3[]", "31{}", "0[]", '0"t"', "1[]", "4", "41"]
)
def test_difference_payloads_are_checked(frame: str) -> None:
    """They read any JSON in any packet; we refuse what the type cannot carry, as the reference parser does."""
    theirs.Packet(encoded_packet=frame)
    with pytest.raises(WireError):
        ours.Decoder().add(frame)


@pytest.mark.parametrize("name", sorted(ours.RESERVED_EVENTS))
def test_difference_reserved_names_are_refused(name: str) -> None:
    """They read an event called `connect`; we refuse the reserved names, as the reference parser does."""
    frame = f'2["{name}"]'
    assert read_by_them([frame]).data == [name]
    with pytest.raises(WireError):
        ours.Decoder().add(frame)


@pytest.mark.parametrize("frame", ['2٣["e"]', '٢["e"]'])
def test_difference_digits_are_ascii(frame: str) -> None:
    """They take digits of other scripts for the type and the id; we do not."""
    assert theirs.Packet(encoded_packet=frame).data == ["e"]
    with pytest.raises(WireError):
        ours.Decoder().add(frame)
    assert their_engine.Packet(encoded_packet="٣").packet_type == their_engine.PONG
    with pytest.raises(WireError):
        our_engine.decode("٣")


def test_difference_ids_are_short() -> None:
    """They take ids of a hundred digits; we take fifteen, which JavaScript can count to."""
    frame = "2" + "9" * 16 + '["e"]'
    assert theirs.Packet(encoded_packet=frame).id == 10**16 - 1
    with pytest.raises(WireError):
        ours.Decoder().add(frame)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_difference_numbers_are_those_of_json(number: str) -> None:
    """They read NaN and infinities; we refuse what JSON does not have."""
    frame = f'2["e",{number}]'
    theirs.Packet(encoded_packet=frame)
    with pytest.raises(WireError):
        ours.Decoder().add(frame)


def test_difference_not_a_number_is_written_as_null() -> None:
    """They write NaN, which no browser reads; we write null, as JavaScript does."""
    assert theirs.Packet(theirs.EVENT, ["e", float("nan")]).encode() == '2["e",NaN]'
    assert ours.encode_event("e", float("nan")) == '2["e",null]'


def test_difference_lone_surrogates_are_refused() -> None:
    """They read half a character, which cannot be sent on; we refuse it."""
    frame = '2["e","\\ud800"]'
    assert theirs.Packet(encoded_packet=frame).data == ["e", "\ud800"]
    with pytest.raises(WireError):
        ours.Decoder().add(frame)


def test_difference_deep_json_is_a_wire_error() -> None:
    """They let RecursionError out, which is no ValueError; we refuse the packet."""
    frame = '2["e",' + "[" * 100_000
    with pytest.raises(RecursionError):
        theirs.Packet(encoded_packet=frame)
    with pytest.raises(WireError):
        ours.Decoder().add(frame)


def test_difference_the_query_of_a_namespace_is_kept() -> None:
    """They drop what follows `?`; we keep it, as the reference parser does, and then know no such namespace."""
    assert theirs.Packet(encoded_packet="0/admin?x=1,").namespace == "/admin"
    assert ours.Decoder().add("0/admin?x=1,") == ours.Packet(ours.CONNECT, "/admin?x=1")


def test_difference_a_truthy_placeholder_is_data() -> None:
    """They take any truthy `_placeholder` for one; we take only true, as the reference parser does."""
    frames: list[ours.Frame] = ['51-["e",{"_placeholder":1,"num":0}]', b"x"]
    assert read_by_them(frames).data == ["e", b"x"]
    assert read_by_us(frames) == ours.Packet(ours.EVENT, "/", ["e", {"_placeholder": 1, "num": 0}])


def test_difference_an_empty_payload_is_refused() -> None:
    """They read no packets in an empty body; we refuse it: a packet has at least its type."""
    assert their_payload.Payload(encoded_payload="").packets == []
    with pytest.raises(WireError):
        our_engine.decode_payload("")


def test_difference_no_jsonp() -> None:
    """They read JSONP bodies; Engine.IO 4 without JSONP is what we speak."""
    assert len(their_payload.Payload(encoded_payload="d=4x").packets) == 1
    with pytest.raises(WireError):
        our_engine.decode_payload("d=4x")


def test_difference_base64_is_strict() -> None:
    """They skip characters that are not base64; we refuse them."""
    assert their_payload.Payload(encoded_payload="bAQ!ID").packets[0].data == b"\x01\x02\x03"[:3]
    with pytest.raises(WireError):
        our_engine.decode_payload("bAQ!ID")


def test_difference_a_polled_packet_is_no_websocket_frame() -> None:
    """They read base64 in a WebSocket text frame as well; it belongs to polling only."""
    assert their_engine.Packet(encoded_packet="bAQID").data == b"\x01\x02\x03"
    with pytest.raises(WireError):
        our_engine.decode("bAQID")


def test_difference_payloads_may_be_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take 16 packets in a payload; we send no more than that, and take more from browsers."""
    payload = "\x1e".join(["4x"] * 17)
    monkeypatch.setattr(their_payload.Payload, "max_decode_packets", 16)  # as shipped; wsctl.client.sio raises it
    with pytest.raises(ValueError, match="Too many packets"):
        their_payload.Payload(encoded_payload=payload)
    assert len(our_engine.decode_payload(payload)) == 17
