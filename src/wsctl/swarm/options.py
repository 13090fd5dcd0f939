"""What a swarm can be told."""

from typing import Any, Literal

from msgspec import Struct

from wsctl.client.subscription import Subscription
from wsctl.client.target import Reconnect, Target
from wsctl.errors import UsageError
from wsctl.wire.dialect import Dialect
from wsctl.wire.dialects import spoken

SETTLE = 30.0
"""seconds after the last client set out in which every client should be subscribed, refused or given up"""


class SwarmOptions(Struct, frozen=True, kw_only=True):
    """Who connects, to what, and for how long. Durations in seconds; the repr does not show tokens."""

    target: Target
    clients: int
    subscriptions: tuple[Subscription, ...] = ()
    """what each client asks for on each connection"""
    spread: bool = False
    """give each client one name only of all that are subscribed to, round robin: for crowds over many symbols"""
    tokens: tuple[str, ...] = ()
    """client i shows token i, round robin; none: the target's own, if it has one"""
    users: tuple[str | None, ...] = ()
    """whom those tokens name: connections are limited by user"""
    connect_rate: float = 500.0
    """clients that set out per second; 0: as fast as the target takes them"""
    duration: float = 10.0
    """from the moment when every client has settled"""
    warmup: float = 0.0
    """how much of the duration is left out of latencies"""
    reconnect: Reconnect = Reconnect()
    resubscribe: bool = True
    """False: clients that come back and forget to ask again"""
    format: Literal["full", "compact"] = "full"
    slow: int = 0
    """that many clients, the last ones, stop reading for `slow_for` when measuring begins"""
    slow_for: float = 5.0
    recovery_hold: float = 5.0
    """how long a client must stay well to count as back after a fault"""

    def check(self) -> None:
        """Raise UsageError for what cannot be done."""
        if self.target.transport == "polling":
            raise UsageError("a crowd of clients speaks WebSocket only; the target says polling")
        if self.clients < 1:
            raise UsageError(f"{self.clients} clients; expected at least 1")
        if self.slow > self.clients:
            raise UsageError(f"{self.slow} of {self.clients} clients are to be slow; expected at most all")
        dialect = spoken(self.target.dialect)
        if dialect is not None and dialect.over == "websocket":
            self._check_raw(dialect)
        if self.spread and any(one.arguments is not None for one in self.subscriptions):
            raise UsageError("spread parts lists of names; what is asked for here is no list")
        if self.users and len(self.users) != len(self.tokens):
            raise UsageError(f"{len(self.users)} users for {len(self.tokens)} tokens; expected one for each")

    def _check_raw(self, dialect: Dialect) -> None:
        if self.tokens or self.target.token or self.target.auth:
            raise UsageError(
                f"{dialect.name} takes no token", hint="raw feeds take credentials by --header, or in the dialect file"
            )
        session = dialect.client(self.target.url)
        for subscription in self.subscriptions:
            session.subscribe(subscription.names)  # raises for a bad name

    def subscriptions_of(self, index: int) -> tuple[Subscription, ...]:
        """What one client asks for."""
        if not self.spread:
            return self.subscriptions
        single = [Subscription(one.event, (name,)) for one in self.subscriptions for name in one.names]
        return (single[index % len(single)],) if single else self.subscriptions

    def token_of(self, index: int) -> str | None:
        """What one client shows; None: nothing."""
        return self.tokens[index % len(self.tokens)] if self.tokens else self.target.token

    def user_of(self, index: int) -> str | None:
        """Whom its token names, as far as known."""
        return self.users[index % len(self.users)] if self.users else None

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"SwarmOptions({fields})"

    def __rich_repr__(self) -> Any:  # msgspec's own would show the tokens in a traceback
        """The fields as rich shows them, tokens left out."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            yield name, f"{len(value)} tokens" if name == "tokens" else value
