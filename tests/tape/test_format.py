"""Lines of a tape: what they look like, and that what goes in comes out."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tape.tapes import FRAMES, HEADER, source
from wsctl.errors import UsageError
from wsctl.tape.format import Header, TapeFrame, decode_frame, decode_header, encode_frame, encode_header
from wsctl.tape.reader import TapeReader

TEXT = st.text(st.characters(codec="utf-8"))
OFFSETS = st.integers(-(2**62), 2**62)
CONNS = st.sampled_from(["c1", "c2", "c1.2"])
HEADERS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
RECORDS = st.one_of(
    st.builds(TapeFrame, OFFSETS, CONNS, st.sampled_from(["in", "out"]), TEXT | st.binary()),
    st.builds(TapeFrame, OFFSETS, CONNS, st.just("open"), url=st.none() | TEXT, headers=HEADERS),
    st.builds(
        TapeFrame, OFFSETS, CONNS, st.just("close"), code=st.none() | st.integers(1000, 4999), reason=st.none() | TEXT
    ),
    st.builds(
        TapeFrame,
        OFFSETS,
        st.just(""),
        st.just("http"),
        TEXT | st.binary(),
        url=st.none() | TEXT,
        status=st.none() | st.integers(100, 599),
        headers=HEADERS,
        method=st.sampled_from(["GET", "POST"]),
    ),
)


@given(RECORDS)
def test_round_trip(record: TapeFrame) -> None:
    """Any frame at any time, and its kind: text stays text, bytes stay bytes, nothing is on a second line."""
    line = encode_frame(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_frame(line) == record


@given(
    st.integers(0, 253_402_300_799_999_999_999),
    st.none() | TEXT,
    st.none() | TEXT,
    st.sampled_from(["monotonic", "wall"]),
)
def test_header_round_trip(started_ns: int, dialect: str | None, url: str | None, clock: str) -> None:
    """To the nanosecond, which a float of this size could not hold."""
    header = Header(started_ns=started_ns, dialect=dialect, url=url, clock=clock)
    assert decode_header(encode_header(header), "t:1") == header


def test_lines() -> None:
    """The format to the letter, as docs/tape.md shows it."""
    assert [encode_header(HEADER), *map(encode_frame, FRAMES)] == [
        b'{"wsctl":"tape","version":1,"dialect":"binance","url":"wss://stream.example/ws",'
        b'"started_at":1763870000.123456789,"clock":"monotonic"}\n',
        b'{"at":0,"conn":"c1","dir":"open","url":"wss://stream.example/ws","headers":[["User-Agent","wsctl"]]}\n',
        b'{"at":1000000,"conn":"c1","dir":"out","text":"{\\"method\\":\\"SUBSCRIBE\\",\\"id\\":1}"}\n',
        b'{"at":2500000,"conn":"c1","dir":"in","text":"{\\"result\\":null,\\"id\\":1}"}\n',
        b'{"at":2500001,"conn":"c1","dir":"in","base64":"AP9ub3QgdGV4dA=="}\n',
        b'{"at":3000000,"dir":"http","text":"{\\"lastUpdateId\\":7}","url":"https://api.example/depth","status":200}\n',
        '{"at":4000000,"conn":"c1","dir":"close","code":1012,"reason":"restart – später"}\n'.encode(),
        b'{"at":5000000,"conn":"c1.2","dir":"open"}\n',
        b'{"at":6000000,"conn":"c1.2","dir":"in","text":"{\\"price\\":\\"0.35210000\\"}"}\n',
    ]


def test_methods() -> None:
    """An answer to GET does not say so."""
    get, post = (TapeFrame(1, "", "http", "", url="http://x/", method=method) for method in ("GET", "POST"))
    assert encode_frame(get) == b'{"at":1,"dir":"http","text":"","url":"http://x/"}\n'
    assert encode_frame(post) == b'{"at":1,"dir":"http","text":"","url":"http://x/","method":"POST"}\n'


def test_text_that_utf8_cannot_say() -> None:
    """Half a surrogate pair is kept as its bytes; in what is no frame it becomes `?`."""
    record = TapeFrame(1, "c1", "in", "a\ud800")
    assert decode_frame(encode_frame(record)) == TapeFrame(1, "c1", "in", b"a\xed\xa0\x80")
    record = TapeFrame(1, "c1", "close", reason="a\ud800")
    assert decode_frame(encode_frame(record)) == TapeFrame(1, "c1", "close", reason="a?")
    assert decode_header(encode_header(Header(started_ns=0, url="ws://\ud800")), "t:1").url == "ws://?"


def test_what_later_versions_add() -> None:
    """Unknown keys are ignored, and so are lines of an unknown `dir`."""
    tape = source(
        b'{"clock":"monotonic","new":[1],"started_at":0,"version":1,"wsctl":"tape"}\n'
        b'{"at":1,"conn":"c1","dir":"ping","base64":""}\n'
        b'{"at":2,"conn":"c1","dir":"in","text":"x","new":{}}\n'
    )
    assert list(TapeReader(tape)) == [TapeFrame(2, "c1", "in", "x")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"wsctl":"tape","version":2,"begun":5}', "a tape of version 2; this wsctl reads up to version 1"),
        ('{"wsctl":"tape","version":"1","started_at":0}', "version '1'; expected 1"),
        ('{"wsctl":"tape","version":0,"started_at":0}', "version 0; expected 1"),
        ('{"wsctl":"tape","started_at":0}', "version None; expected 1"),
        ('{"wsctl":"tape","version":1}', "not a tape's header: object missing required field `started_at`"),
        ('{"wsctl":"tape","version":1,"started_at":-1}', "started_at is no date; expected unix seconds"),
        ('{"wsctl":"tape","version":1,"started_at":1e99999}', "started_at is no date; expected unix seconds"),
        ('{"wsctl":"tape","version":1,"started_at":"nan"}', "started_at is no date; expected unix seconds"),
        ('{"wsctl":"tape","version":1,"started', "not a tape's header: input data was truncated"),
    ],
)
def test_headers_that_cannot_be_read(line: str, message: str) -> None:
    """A sentence with the place; a newer version is said to be one, whatever else is new in it."""
    with pytest.raises(UsageError) as caught:
        TapeReader(source(line.encode()))
    assert caught.value.message == f"t.jsonl:1: {message}"


@pytest.mark.parametrize(
    "line",
    [
        '{"at":1,"conn":"c1","dir":"in"}',
        '{"at":1.5,"conn":"c1","dir":"in","text":""}',
        '{"conn":"c1","dir":"in","text":""}',
        '{"at":1,"conn":"c1","text":""}',
        '{"at":1,"conn":"c1","dir":"in","base64":"*"}',
        "[]",
    ],
)
def test_lines_that_are_no_records(line: str) -> None:
    """A frame has content and an integral offset."""
    with pytest.raises(msgspec.DecodeError):
        decode_frame(line.encode())


def test_instants() -> None:
    """An offset is an instant by the header's start."""
    assert HEADER.unix_seconds(1_000_000) == 1763870000.124456789


def test_is_json() -> None:
    """Any JSON reader reads it, and sees the start to the microsecond at least."""
    first, *rest = (json.loads(line) for line in [encode_header(HEADER), *map(encode_frame, FRAMES)])
    assert first["started_at"] == pytest.approx(1763870000.123456789, abs=1e-6)
    assert [line["at"] for line in rest] == [frame.at_ns for frame in FRAMES]
