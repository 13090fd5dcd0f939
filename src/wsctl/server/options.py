"""What `wsctl serve` can be told; the command line, a config file and scenarios fill the same struct."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from wsctl.server import defaults
from wsctl.spec.kinds import Duration, Names


class ServeOptions(Struct, frozen=True, kw_only=True):
    """Options of the mock feed. Sizes are in bytes."""

    host: Annotated[str | None, Meta(description="Address to listen on; 127.0.0.1 and, where IPv6 exists, [::1].")] = (
        None
    )
    port: Annotated[int, Meta(description="0 picks a free one.")] = defaults.PORT
    symbols: Annotated[
        Names | None, Meta(description="What to serve; a few well-known ones, or those of the prices file.")
    ] = None
    rate: Annotated[float, Meta(description="Updates per second and symbol.")] = defaults.RATE
    seed: Annotated[int | None, Meta(description="Of the simulated prices; a random one, told at start.")] = None
    prices: Annotated[str | None, Meta(description="CSV of recorded trades: time_ms,symbol,price,quantity.")] = None
    price_speed: Annotated[float, Meta(description="How fast to play them; 2 is twice as fast.")] = 1.0
    price_loop: Annotated[bool, Meta(description="Start again after the last one.")] = False
    throttle: Annotated[Duration, Meta(description="Only the newest price of each interval per symbol; 0: off.")] = 0.0
    transports: Annotated[Names, Meta(description="What clients may connect over.")] = ("polling", "websocket")
    ping_interval: Annotated[Duration, Meta(description="Heartbeat interval.")] = 25.0
    ping_timeout: Annotated[Duration, Meta(description="How long a heartbeat's answer may take.")] = 60.0
    connect_timeout: Annotated[Duration, Meta(description="How long a client may take to join a namespace.")] = 45.0
    max_payload: Annotated[int, Meta(description="Largest message or request body taken from a client.")] = (
        defaults.MAX_PAYLOAD
    )
    max_events: Annotated[
        int, Meta(description="Events a second that a client may send; more ends its connection.")
    ] = defaults.MAX_EVENTS
    max_subscriptions: Annotated[int, Meta(description="Channels a client may listen to.")] = defaults.MAX_SUBSCRIPTIONS
    max_per_user: Annotated[int, Meta(description="Live connections of one user; 0: any number.")] = (
        defaults.MAX_PER_USER
    )
    limit_policy: Annotated[
        Literal["evict-oldest", "reject-newest"], Meta(description="What happens to one too many.")
    ] = "evict-oldest"
    max_connections: Annotated[int, Meta(description="Live connections in all; 0: any number.")] = 0
    auth: Annotated[Literal["optional", "required"], Meta(description="Whether clients need a token.")] = "optional"
    accept_any_token: Annotated[bool, Meta(description="Take any token as the user of its unverified `sub`.")] = False
    jwt_secret: Annotated[str, Meta(description="Secret that tokens are checked with.")] = defaults.JWT_SECRET
    cors_origin: Annotated[
        Names, Meta(description="Pages of these origins may connect, besides those of loopback.")
    ] = ()
    conformance: Annotated[bool, Meta(description="Serve what the protocol authors' test suites ask for.")] = False
    compress: Annotated[bool, Meta(description="Offer permessage-deflate.")] = False
    control: Annotated[bool, Meta(description="Whether /control answers, to loopback only.")] = False
    tls_cert: Annotated[str | None, Meta(description="Certificate chain (PEM): serve https and wss.")] = None
    tls_key: Annotated[str | None, Meta(description="Private key of the certificate (PEM).")] = None
