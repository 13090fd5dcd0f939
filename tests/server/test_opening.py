"""The opening handshake, against the judgement of websockets' own server."""

from http import HTTPStatus

import pytest
from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request
from websockets.server import ServerProtocol

from wsctl.server.opening import Unsound, accept

KEY = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")
VERSION = (b"sec-websocket-version", b"13")
UPGRADE = [(b"host", b"x"), (b"upgrade", b"websocket"), (b"connection", b"keep-alive, Upgrade")]
DEFLATE = b"sec-websocket-extensions"
HEADS: list[tuple[str, str, list[tuple[bytes, bytes]]]] = [
    ("GET", "1.1", [KEY, VERSION]),
    ("POST", "1.1", [KEY, VERSION]),
    ("get", "1.1", [KEY, VERSION]),
    ("GET", "1.0", [KEY, VERSION]),
    ("GET", "1.1", []),
    ("GET", "1.1", [KEY]),
    ("GET", "1.1", [VERSION]),
    ("GET", "1.1", [KEY, (VERSION[0], b"8")]),
    ("GET", "1.1", [KEY, (VERSION[0], b"013")]),
    ("GET", "1.1", [KEY, VERSION, VERSION]),
    ("GET", "1.1", [KEY, KEY, VERSION]),
    *(
        ("GET", "1.1", [(KEY[0], key), VERSION])
        for key in (
            *(b"", b"again", b"dGhlIHNhbXBsZSBub25jZQ=", b"dGhlIHNhbXBsZSBub25jZQ", b"dGhlIHNhbXBsZSBub25jZQ==="),
            *(
                b"dGhlIHNhbXBsZSBub25jZR==",
                b"dGhlIHNhbXBsZSBub25jZQAA",
                b"_" * 22 + b"==",
            ),
            *(b"A" * 21 + b"===", b"A" * 24, b"A" * 20 + b"====", b"+/" * 11 + b"==", b"\xff" * 22 + b"=="),
        )
    ),
    *(
        ("GET", "1.1", [KEY, VERSION, (DEFLATE, offer)])
        for offer in (
            *(b"permessage-deflate", b"permessage-deflate; server_max_window_bits=10", b"x-unheard-of", b"x; y=1"),
            *(b"permessage-deflate; server_max_window_bits=8, permessage-deflate", b"", b",", b";", b"a;=", b'x;y="'),
        )
    ),
    ("GET", "1.1", [KEY, VERSION, (DEFLATE, b"x-one"), (DEFLATE, b"permessage-deflate")]),
]


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(("method", "version", "fields"), HEADS)
def test_a_handshake(method: str, version: str, fields: list[tuple[bytes, bytes]], *, compress: bool) -> None:
    """The same status, the same accepted key, the same extensions."""
    fields = UPGRADE + fields
    offer = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
    theirs = ServerProtocol(extensions=[offer] if compress else None)
    named = Headers([(name.decode(), value.decode("latin-1")) for name, value in fields])
    expected = theirs.accept(Request("/", named, method, f"HTTP/{version}"))
    if expected.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        with pytest.raises(Unsound) as caught:
            accept(method, version, fields, compress=compress)
        assert (caught.value.status, caught.value.body[:12]) == (expected.status_code, b'{"message":"')
        return
    answer, extensions = accept(method, version, fields, compress=compress)
    head, *lines = answer.decode().removesuffix("\r\n\r\n").split("\r\n")
    assert head == "HTTP/1.1 101 Switching Protocols"
    told = {(name.lower(), value) for name, value in expected.headers.raw_items() if name != "Date"}
    assert {(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)} == told
    assert [repr(one) for one in extensions] == [repr(one) for one in theirs.extensions]
