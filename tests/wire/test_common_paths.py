"""Short cuts that tapes are read by say what the long way says."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wsctl.errors import WireError
from wsctl.model.event import Event
from wsctl.wire import socketio
from wsctl.wire.payload import EventReader

TIMES = st.sampled_from([0.0, 1e9, 99_999_999_999.9, 1e11, 1_763_870_000_123.25, 99_999_999_999_999.0, 1e14, 1e16])
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), TIMES, st.floats(allow_nan=False), st.text(max_size=3), st.just([1])
)
KEYS = ("channel", "epoch", "seq", "timestamp", "e", "q", "t", "c", "s", "symbol", "sequence", "payload", "snapshot")
PLATFORM = st.fixed_dictionaries(
    {"channel": st.text(max_size=3), "epoch": st.text(max_size=3), "seq": st.integers(), "timestamp": TIMES}
)
BODIES = PLATFORM | PLATFORM.flatmap(
    lambda usual: st.dictionaries(st.sampled_from(KEYS), VALUES).map(lambda odd: {**usual, **odd})
)
BRACKETS = st.text(alphabet='[]{}",:1a', max_size=20)


@given(BODIES, st.lists(VALUES, max_size=1))
def test_events(body: dict[str, Any], more: list[Any]) -> None:
    """A payload with the platform's common fields, or nearly, is read as by looking for each of them."""
    long_way = EventReader()
    long_way._usual = False
    assert EventReader().read("price:update", [body, *more]) == long_way.read("price:update", [body, *more])


def test_the_short_way_is_taken() -> None:
    """Or it would prove nothing."""
    reader = EventReader()
    reader._find_channel = None  # type: ignore[method-assign,assignment]
    body = {"channel": "a", "epoch": "b", "seq": 1, "timestamp": 1_763_870_000_123.25}
    event = Event(name="x", channel="a", epoch="b", seq=1, sent_at=1_763_870_000.12325, data=body)
    assert reader.read("x", [body]) == event


def decoded(text: str) -> Any:
    """What a Decoder makes of it, or its objection."""
    try:
        packet = socketio.Decoder().add(socketio.EVENT_HEAD + text)
    except WireError as error:
        return error.message
    return None if packet is None else packet.data


@given(
    BRACKETS.map("[".__add__) | st.sampled_from(['["a",{"b":[1]}]', '["connect"]', "[]", "[1]", "[" * 600 + "]" * 600])
)
def test_packets(text: str) -> None:
    """An event's JSON, or what should be some, is what the Decoder finds in it, or is refused in the same words."""
    try:
        found: Any = socketio.decode_event(text)
    except WireError as error:
        found = error.message
    assert found == decoded(text)
