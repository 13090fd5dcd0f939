"""Channel names of the platform, such as `symbol:BTC/USDT:ticker`; `:` separates the parts."""

import re

PRICE_PUBLIC = "price:public"
ANNOUNCEMENT = "announcement"

_NAME = re.compile(r"[A-Za-z0-9._/-]{1,128}")


def is_name(text: str) -> bool:
    """Whether a text may be an id or a symbol: up to 128 of these, so that a token cannot name a megabyte."""
    return _NAME.fullmatch(text) is not None


def ticker(symbol: str) -> str:
    """The channel of a symbol's prices."""
    return f"symbol:{symbol}:ticker"


def orderbook(symbol: str) -> str:
    """The channel of a symbol's order book."""
    return f"symbol:{symbol}:orderbook"


def trades(symbol: str) -> str:
    """The channel of a symbol's trades."""
    return f"symbol:{symbol}:trades"


def symbol_of(channel: str) -> str | None:
    """The symbol a channel is about, or None."""
    parts = channel.split(":")
    return parts[1] if len(parts) == 3 and parts[0] == "symbol" else None
