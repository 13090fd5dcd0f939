"""What `wsctl serve` can be told; the command line, a config file and scenarios fill the same struct."""

from typing import Literal

from msgspec import Struct

from wsctl.server import defaults
from wsctl.spec.kinds import Duration, Names


class ServeOptions(Struct, frozen=True, kw_only=True):
    """Options of the mock feed. Durations in seconds, sizes in bytes."""

    host: str | None = None
    """address to bind; None: 127.0.0.1 and, where IPv6 exists, [::1] on the same port"""
    port: int = defaults.PORT
    """0 picks a free one"""
    symbols: Names | None = None
    """None: the default symbols, or those of the prices file"""
    rate: float = defaults.RATE
    """updates per second and symbol"""
    seed: int | None = None
    """None: a random one, told at start"""
    prices: str | None = None
    """CSV of recorded trades: time_ms,symbol,price,quantity"""
    price_speed: float = 1.0
    price_loop: bool = False
    throttle: Duration = 0.0
    """only the newest price of each interval per symbol; 0: off"""
    transports: Names = ("polling", "websocket")
    """what clients may connect over"""
    ping_interval: Duration = 25.0
    ping_timeout: Duration = 60.0
    connect_timeout: Duration = 45.0
    """how long a client may take to join a namespace"""
    max_payload: int = defaults.MAX_PAYLOAD
    """largest message or request body taken from a client"""
    max_events: int = defaults.MAX_EVENTS
    """events a second that a client may send; more ends its connection"""
    max_subscriptions: int = defaults.MAX_SUBSCRIPTIONS
    """channels a client may listen to"""
    max_per_user: int = defaults.MAX_PER_USER
    """live connections of one user; 0: any number. Anonymous ones do not count"""
    limit_policy: Literal["evict-oldest", "reject-newest"] = "evict-oldest"
    max_connections: int = 0
    """live connections in all; 0: any number"""
    auth: Literal["optional", "required"] = "optional"
    accept_any_token: bool = False
    """take any token as the user of its unverified `sub`"""
    jwt_secret: str = defaults.JWT_SECRET
    cors_origins: Names = ()
    """pages of these origins may connect, besides those of loopback"""
    conformance: bool = False
    """serve what the protocol authors' test suites ask for, instead of the platform"""
    compress: bool = False
    """offer permessage-deflate"""
    control: bool = False
    """whether /control answers (to loopback only)"""
    tls_cert: str | None = None
    tls_key: str | None = None
