"""What serve does unless told otherwise. Apart from the options themselves, so that `--help` costs next to nothing."""

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT", "XRP/USDT")
PORT = 3000
RATE = 2.0
"""updates per second and symbol"""
MAX_PAYLOAD = 1_000_000
"""bytes of one message or request body"""
MAX_EVENTS = 100
"""events a second of one client"""
MAX_SUBSCRIPTIONS = 1000
"""channels of one client"""
MAX_PER_USER = 3
JWT_SECRET = "wsctl-dev"  # noqa: S105 - deliberately public; serve refuses to leave loopback with it
