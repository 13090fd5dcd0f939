"""What is wanted of a feed that speaks a dialect: its channels, and how they are asked for."""

from collections.abc import Sequence

from wsctl.client.subscription import Subscription
from wsctl.errors import UsageError
from wsctl.wire.dialect import Dialect, Subscribed


class Wanted:
    """Symbols (their tickers) and channels by the dialect's own names, at a URL that may ask for some itself.

    Raises UsageError for a symbol that is no pair, and for a channel that there is not.
    """

    def __init__(self, dialect: Dialect, url: str, symbols: Sequence[str], channels: Sequence[str]) -> None:
        self.dialect = dialect
        session = dialect.client(url)
        names = tuple(dict.fromkeys([*(_ticker(dialect, symbol) for symbol in symbols), *channels]))
        given = [name for said in session.open() if isinstance(said, Subscribed) for name in said.channels]
        self.expected = tuple(dict.fromkeys([*names, *given]))
        """the channels that should speak"""
        frames = session.subscribe(names)
        if dialect.over == "websocket":
            self.subscriptions = [Subscription("subscribe", names)] if names else []
            return
        from wsctl.wire.over_socketio import request  # slow imports, needed only where a file was read

        requests = [request(frame) for frame in frames]
        named = names if len(requests) == 1 else ()  # of several, none is about all names
        self.subscriptions = [Subscription(event, named, arguments) for event, arguments in requests]


def _ticker(dialect: Dialect, symbol: str) -> str:
    base, slash, quote = symbol.partition("/")
    if not (base and slash and quote):
        raise UsageError(
            f"symbol {symbol!r} is no pair; expected one such as BTC/USDT",
            hint=f"--channel takes the names that {dialect.name} uses itself",
        )
    return dialect.channel("ticker", symbol)
