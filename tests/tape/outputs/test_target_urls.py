"""Which target a URL means: the same from a scenario and from the command line."""

import pytest

from tests.server.served import run
from wsctl.client.target import Target
from wsctl.errors import UsageError
from wsctl.tape.outputs.targets import normalised, target_for
from wsctl.wire.binance import Binance
from wsctl.wire.dialect import Dialect

TARGETS: list[tuple[str, Dialect | None, str]] = [
    ("ws://127.0.0.1:1", None, "SocketIOTarget"),
    ("WSS://127.0.0.1:1/x", Binance(), "WebSocketTarget"),
    ("http://127.0.0.1:1", Binance(), "SocketIOTarget"),
    ("127.0.0.1:1", None, "SocketIOTarget"),
    ("redis://127.0.0.1:1/0", Binance(), "RedisTarget"),
    ("rediss://127.0.0.1:1", None, "RedisTarget"),
]


@pytest.mark.parametrize(("url", "dialect", "kind"), TARGETS)
def test_by_url_and_dialect(url: str, dialect: Dialect | None, kind: str) -> None:
    """A tape that speaks Socket.IO goes to a Socket.IO server, also by `ws://`."""

    async def test() -> None:
        assert type(target_for(Target(url=normalised(url)), dialect)).__name__ == kind

    run(test)


def test_another_scheme() -> None:
    """Is an error that names all there are."""
    with pytest.raises(UsageError) as error:
        normalised("kafka://127.0.0.1:1")
    assert error.value.message == "bad URL scheme 'kafka'; expected http, https, ws, wss, redis, rediss"
