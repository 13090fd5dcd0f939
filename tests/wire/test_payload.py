"""The platform's payload forms, and the reader that takes other feeds as well."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsctl.errors import UsageError
from wsctl.model.event import Event
from wsctl.wire.payload import EventReader, Stamp, compact, full

PRICE = {"symbol": "BTC/USDT", "price": 1.5, "bid": 1.4, "ask": 1.6, "volume": 9.0}
STAMP = Stamp("symbol:BTC/USDT:ticker", "e1", 7, 1763870000.1234567, source_at=1763870000.1)
SNAPSHOT = Stamp("symbol:BTC/USDT:ticker", "e1", 7, 1763870000.1234567, snapshot=True)
PUBLIC = Stamp("price:public", "e1", 8, 1763870000.0)


def test_the_full_form() -> None:
    """The full form adds every common field, and nothing that is not known."""
    assert full("price:update", PRICE, STAMP) == {
        **PRICE,
        "channel": "symbol:BTC/USDT:ticker",
        "seq": 7,
        "epoch": "e1",
        "timestamp": 1763870000123.457,
        "sourceTime": 1763870000100.0,
    }
    snapshot = full("price:update", PRICE, SNAPSHOT)
    assert snapshot["snapshot"] is True
    assert "sourceTime" not in snapshot


def test_the_compact_form() -> None:
    """The compact form of a price has six keys, `c` outside the ticker and `n` on snapshots."""
    short = {"s": "BTC/USDT", "p": 1.5, "v": 9.0, "t": 1763870000123.457, "q": 7, "e": "e1"}
    assert compact("price:update", PRICE, STAMP) == short
    assert compact("price:update", PRICE, SNAPSHOT) == {**short, "n": 1}
    assert compact("price:update", PRICE, PUBLIC) == {**short, "t": 1763870000000.0, "q": 8, "c": "price:public"}


def test_only_prices_are_compact() -> None:
    """Everything but prices is written in full in the compact form too."""
    book = {"symbol": "BTC/USDT", "bids": [], "asks": []}
    assert compact("orderbook:update", book, STAMP) == full("orderbook:update", book, STAMP)


def test_the_payload_given_is_left_alone() -> None:
    """A form makes a new payload: one event is written in several forms."""
    before = dict(PRICE)
    full("price:update", PRICE, STAMP)
    compact("price:update", PRICE, STAMP)
    assert before == PRICE


@pytest.mark.parametrize("form", [full, compact])
@pytest.mark.parametrize("stamp", [STAMP, SNAPSHOT, PUBLIC])
def test_the_reader_reads_what_the_forms_write(form, stamp) -> None:
    """Channel, epoch, seq and time of either form come back."""
    body = form("price:update", PRICE, stamp)
    event = EventReader().read("price:update", [body])
    assert (event.channel, event.epoch, event.seq) == (stamp.channel, stamp.epoch, stamp.seq)
    assert event.sent_at == pytest.approx(stamp.sent_at, abs=1e-3)
    assert event.data is body


@pytest.mark.parametrize(
    ("args", "event"),
    [
        ([], Event(name="x")),
        (["text"], Event(name="x", data="text")),
        ([1, 2], Event(name="x", data=[1, 2])),
        ([{"sequence": 5}], Event(name="x", seq=5, data={"sequence": 5})),
        ([{"seq": "17"}], Event(name="x", seq=17, data={"seq": "17"})),
        ([{"seq": True}], Event(name="x", data={"seq": True})),
        ([{"seq": 1.5}], Event(name="x", data={"seq": 1.5})),
        ([{"seq": "٣"}], Event(name="x", data={"seq": "٣"})),
        ([{"seq": "9" * 20}], Event(name="x", data={"seq": "9" * 20})),
        ([{"channel": 5}], Event(name="x", data={"channel": 5})),
        ([{"s": "A", "seq": 1}], Event(name="x", seq=1, data={"s": "A", "seq": 1})),
        ([{"seq": 1, "payload": {}}, "more"], Event(name="x", seq=1, data=[{"seq": 1, "payload": {}}, "more"])),
    ],
)
def test_what_is_not_there_stays_none(args, event: Event) -> None:
    """Facts are read where feeds usually put them, and never invented."""
    assert EventReader().read("x", args) == event


@pytest.mark.parametrize(
    "value",
    [
        1763870000.5,
        1763870000500,
        1763870000500000,
        1763870000500000000,
        "2025-11-23T03:53:20.500Z",
        "2025-11-23T04:53:20.5+01:00",
    ],
)
def test_an_instant_in_any_unit(value) -> None:
    """Seconds, ms, µs, ns and ISO 8601 with a zone are the same instant."""
    assert EventReader().read("x", [{"timestamp": value}]).sent_at == pytest.approx(1763870000.5)


@pytest.mark.parametrize("value", [0, 12.5, True, None, [], "soon", "2025-11-23T03:53:20", 10**400, -(10**400)])
def test_what_is_no_instant(value) -> None:
    """Durations, flags, texts without a zone and absurd numbers are not taken for instants."""
    assert EventReader().read("x", [{"timestamp": value}]).sent_at is None


def test_paths_replace_the_usual_places() -> None:
    """JMESPath expressions say where other feeds keep their facts."""
    reader = EventReader(seq_path="meta.n", time_path="meta.at", channel_path="meta.topic")
    event = reader.read("x", [{"seq": 1, "meta": {"n": 9, "at": 1763870000, "topic": "t"}}])
    assert (event.seq, event.sent_at, event.channel) == (9, 1763870000.0, "t")
    assert reader.read("x", [{"seq": 1}]).seq is None


def test_a_path_that_does_not_parse() -> None:
    """A bad path is told as such, with a hint."""
    with pytest.raises(UsageError, match=r"bad path 'a\.\.b'"):
        EventReader(seq_path="a..b")


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["seq", "q", "t", "timestamp", "channel", "s", "c", "e", "epoch", "sourceTime", "x"]),
                inner,
            )
        ),
        max_leaves=10,
    )
)
def test_any_payload_can_be_read(body) -> None:
    """Whatever a feed sends, the reader makes an Event of it that can be written down."""
    event = EventReader().read("price:update", [body])
    assert event.data is body
    msgspec.json.encode(msgspec.structs.asdict(event) | {"data": None})
