"""Strategies for WebSocket frames and raw bytes, lawful or not (RFC 6455, sections 5.2 and 7.4)."""

from hypothesis import strategies as st

from wsctl.fuzz.generate.values import many, octets
from wsctl.fuzz.steps import Cut, Frame, Raw, Upgrade, data

CODES = (1000, 1001, 1002, 1005, 1006, 1015, 0, 999, 1004, 1016, 2999, 3000, 4999, 5000, 65535)
TEXTS = (b"", b"x", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x00", b"[]", b"{}", b'42["message"]')
"""of frames; some are no UTF-8"""
LINES = (
    *(b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"),
    *(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"\x00" * 20),
    *(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
)
"""what is, or is not, the beginning of a request"""
HEADERS = (
    *(("Sec-WebSocket-Version", "12"), ("Sec-WebSocket-Version", "99999999999999999999"), ("Sec-WebSocket-Key", "")),
    *(("Sec-WebSocket-Key", "=" * 5000), ("Sec-WebSocket-Extensions", "permessage-deflate;" * 300)),
    *(("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits=99"), ("Origin", "null")),
    *(("Sec-WebSocket-Protocol", "," * 2000), ("Connection", "close"), ("Upgrade", "h2c"), ("Content-Length", "5")),
    *(("Cookie", "io=" + "x" * 3000), ("Host", ""), ("Origin", "é"), ("X-" + "a" * 4000, "1")),
)
METHODS = ("GET", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "HEAD", "TRACE", "get", "X")

contents = st.one_of(
    st.one_of(st.sampled_from(TEXTS), octets).map(data),
    st.builds(lambda times: data(("a", times)), many),
)
lawful = st.builds(
    lambda opcode, content, wide: Frame(opcode=opcode, data=content, wide=wide),
    st.sampled_from((2, 10, 9)),
    octets.map(data),
    st.booleans(),
)
frames = st.one_of(
    lawful,
    st.builds(
        lambda opcode, content, rsv, odd: Frame(
            opcode=opcode,
            data=content,
            rsv=rsv,
            fin=odd != "unfinished",
            masked=False if odd == "unmasked" else None,
            deflated=odd == "deflated",
        ),
        st.sampled_from((1, 2, 0, 9, 10, 3, 7, 11, 15)),
        contents,
        st.sampled_from((0, 4, 2, 1, 7)),
        st.sampled_from(("", "unfinished", "unmasked", "deflated")),
    ),
)
"""any that is not a close, and is as long as it says"""
closes = st.builds(
    lambda code, reason: Frame(opcode=8, data=data(code.to_bytes(2, "big"), reason)),
    st.sampled_from(CODES),
    st.sampled_from((b"", b"bye", b"\xff", b"a" * 123, b"a" * 124)),
)

part = st.builds(
    lambda content, length: Frame(data=content, length=length, wide=length > 65535),
    contents,
    st.sampled_from((50_000, 1 << 20, 1 << 31, 1 << 62, (1 << 64) - 1)),
)
"""the beginning of a frame: nobody could tell silence from patience after it"""
noise = st.one_of(octets, st.sampled_from(LINES)).map(lambda content: (Raw(data=data(content)), Cut(how="fin")))
"""bytes that are hardly the beginning of anything, and the end"""
offences = st.one_of(
    frames.map(lambda frame: (frame,)),
    closes.map(lambda frame: (frame,)),
    part.map(lambda frame: (frame, Cut(how="fin"))),
    noise,
)
"""steps on a WebSocket"""


def handshakes(queries: tuple[str, ...]) -> st.SearchStrategy[Upgrade]:
    """Opening handshakes with odd queries and headers, which may well be refused."""
    return st.builds(
        lambda query, headers, leading: Upgrade(query=query, headers=tuple(headers), leading=leading, optional=True),
        st.sampled_from((None, *queries)),
        st.lists(st.sampled_from(HEADERS), max_size=2),
        st.booleans(),
    )
