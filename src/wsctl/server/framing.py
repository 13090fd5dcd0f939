"""RFC 6455 framing of a message that many connections share."""

from websockets.frames import Frame, Opcode


def text_frame(packet: str) -> bytes:
    """One unmasked, uncompressed text frame: the same bytes for every WebSocket connection (RFC 6455, 5.2)."""
    return Frame(Opcode.TEXT, packet.encode()).serialize(mask=False)
