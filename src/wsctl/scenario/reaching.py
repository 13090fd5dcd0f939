"""Whether a target is up, in the dialects that its steps speak."""

from msgspec import structs

from wsctl.client.target import Target
from wsctl.errors import Refused, Unreachable
from wsctl.scenario.speech import raw_dialect

PATIENCE = 1.0
"""seconds for an answer"""


async def missing(target: Target, dialects: set[str]) -> str | None:
    """The first of the dialects, as messages name it, that nothing at the target speaks; None: all are spoken."""
    from wsctl.client.probe import speaks_socketio  # its HTTP library: a tenth of a second, for a --url only

    for name in sorted(dialects):
        dialect = raw_dialect(name)
        if dialect is None:
            if not await speaks_socketio(target):
                return "Socket.IO"
        elif not await _opens(structs.replace(target, dialect=name)):
            return dialect.name
    return None


async def _opens(target: Target) -> bool:
    """Whether there is a WebSocket; one that is refused is there."""
    from wsctl.client.raw import RawConnection

    dialect = raw_dialect(target.dialect)
    assert dialect is not None
    connection = RawConnection(
        target, "websocket", dialect=dialect, on_event=lambda name, args: None, on_close=lambda reason: None, tap=None
    )
    try:
        await connection.open(PATIENCE)
    except Unreachable:
        return False
    except Refused:
        return True
    finally:
        await connection.close()
    return True
