"""What is spoken to a target, in words: what helps where something else, or nothing, answers."""

from typing import Final

from msgspec import Struct

TOKEN_HINT: Final = "--token, --token-file or $WSCTL_TOKEN let you in; --auth and --header carry other credentials"  # noqa: S105

PING_EVERY: Final = 15.0
"""seconds of silence after which a WebSocket whose server need not ping us is pinged; half as many later it is dead"""


class Speech(Struct, frozen=True):
    """What was to be spoken, and what helps where it is not."""

    name: str
    server_hint: str
    """nothing listens"""
    place_hint: str
    """something else listens"""
    credentials_hint: str
    raw: bool = False
    """a WebSocket and nothing else: there is no other transport to try"""


SOCKETIO = Speech(
    "Socket.IO",
    "is a server running there? wsctl serve starts a mock feed",
    "is it the right port? --path says where a Socket.IO server listens, if not at /socket.io/",
    TOKEN_HINT,
)


def raw_speech(dialect: str) -> Speech:
    """Of a dialect of raw WebSocket feeds, by its name."""
    return Speech(
        dialect,
        "is a server running there? wsctl replay plays a tape as one",
        "is it the right URL? a WebSocket is asked for at its very path",
        "--header carries credentials",
        raw=True,
    )
