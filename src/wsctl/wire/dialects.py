"""The dialects by name, by file, and by the host of a URL."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

from wsctl.errors import UsageError
from wsctl.spec.nearest import nearest
from wsctl.wire.binance import Binance
from wsctl.wire.coinbase import Coinbase
from wsctl.wire.dialect import Dialect

_BUILT = {dialect.name: dialect for dialect in (Binance(), Coinbase())}
_SHIPPED: dict[str, tuple[str, ...]] = {
    "kraken-v1": ("ws.kraken.com/", "beta-ws.kraken.com/"),
    "okx": ("ws.okx.com", "wsaws.okx.com", "wspap.okx.com", "ws.okex.com"),
    "bybit-inverse": ("stream.bybit.com/realtime", "stream-testnet.bybit.com/realtime"),
}
"""the hosts of shipped files, so that they are read only when they are meant; a test compares them"""

SOCKETIO = "socketio"
"""the platform's own way of speaking: Socket.IO events, which is more than frames"""

NAMES = (*_BUILT, *_SHIPPED)
"""of the dialects that need no file; SOCKETIO is none of them"""


def dialect_named(name: str) -> Dialect:
    """A dialect by its name, or by the path of a file that describes it.

    Raises UsageError for an unknown name and for a file with a mistake.
    """
    if name in _BUILT:
        return _BUILT[name]
    if name in _SHIPPED:
        return _shipped(name)
    if is_file(name):
        from wsctl.spec.loader import read_yaml  # slow imports, needed only where there is a file
        from wsctl.wire.generic import Generic

        return Generic(read_yaml(Path(name)))
    close = nearest(name, NAMES)
    hint = f"did you mean {close}?" if close else f"known: {', '.join(NAMES)}, or a file such as my-feed.yaml"
    raise UsageError(f"unknown dialect {name!r}", hint=hint)


def spoken(name: str | None) -> Dialect | None:
    """A dialect by what a target or a recording says of itself; None for Socket.IO, which is what nobody says.

    Raises UsageError as `dialect_named`.
    """
    return None if name is None or name == SOCKETIO else dialect_named(name)


def is_file(name: str) -> bool:
    """Whether it is a path rather than a name."""
    return name.endswith((".yaml", ".yml")) or "/" in name


def dialect_of(url: str) -> Dialect | None:
    """The dialect of a known exchange host; None for any other."""
    known = [(name, dialect.hosts) for name, dialect in _BUILT.items()] + list(_SHIPPED.items())
    for name, hosts in known:
        if any(_is_at(url, host) for host in hosts):
            return dialect_named(name)
    return None


def _is_at(url: str, host: str) -> bool:
    """Whether a URL is of a `host`, or of a `host/path`, on any port."""
    parts = urlsplit(url)
    name, slash, path = host.partition("/")
    return parts.hostname == name and (not slash or parts.path.strip("/") == path)


@cache
def _shipped(name: str) -> Dialect:
    from wsctl.spec.loader import load_yaml
    from wsctl.wire.generic import Generic

    file = files("wsctl") / "dialects" / f"{name}.yaml"
    return Generic(load_yaml(file.read_text(encoding="utf-8"), f"{name}.yaml"))
