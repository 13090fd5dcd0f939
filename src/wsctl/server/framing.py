"""RFC 6455 framing of a message that many connections share."""

from functools import cache

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from wsctl.errors import WireError

Extensions = list[Extension]
SETTINGS = {"level": 6, "memLevel": 5}
"""of zlib; smaller messages than these tables are all there is"""
_NEGOTIATOR = ServerProtocol(
    extensions=[
        ServerPerMessageDeflateFactory(
            server_no_context_takeover=True, client_no_context_takeover=True, compress_settings=SETTINGS
        )
    ]
)
"""for all connections; it agrees to no memory between messages on either side"""


def text_frame(packet: str, window_bits: int | None) -> bytes:
    """One unmasked text frame: the same bytes for every WebSocket connection that agreed on the same (RFC 6455, 5.2).

    `window_bits` of permessage-deflate; None: not compressed. As nothing is kept between messages
    (`server_no_context_takeover`, RFC 7692, 7.1.1.1), a compressed frame can be shared, too.
    """
    extensions = [] if window_bits is None else [_deflate(window_bits)]
    return Frame(Opcode.TEXT, packet.encode()).serialize(mask=False, extensions=extensions)


def binary_frame(packet: bytes) -> bytes:
    """The same of a binary message, never compressed: which are is up to the sender (RFC 7692, 6)."""
    return Frame(Opcode.BINARY, packet).serialize(mask=False)


def negotiate(offers: list[str]) -> tuple[str | None, Extensions]:
    """Of what a client offers: the answer's field (None: nothing is agreed on), and what it means. Raises WireError."""
    try:
        return _NEGOTIATOR.process_extensions(Headers([("Sec-WebSocket-Extensions", offer) for offer in offers]))
    except InvalidHandshake as error:
        raise WireError("Sec-WebSocket-Extensions cannot be read") from error


@cache
def _deflate(window_bits: int) -> PerMessageDeflate:
    return PerMessageDeflate(
        remote_no_context_takeover=True,
        local_no_context_takeover=True,
        remote_max_window_bits=15,
        local_max_window_bits=window_bits,
        compress_settings=SETTINGS,
    )
