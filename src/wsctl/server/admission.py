"""Who may join: tokens, connections per user, connections in all."""

from typing import TYPE_CHECKING

from wsctl.server.auth import BadToken, User, read_unverified, verify
from wsctl.server.options import ServeOptions

if TYPE_CHECKING:
    from wsctl.server.client import Client

AUTHENTICATION_ERROR = "Authentication error"
TOO_MANY = "Too many connections"


class NotAdmitted(Exception):
    """A client may not join: `message` is what it is told, `reason` what the operator reads."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class Admission:
    """Keeps who is in; anonymous clients count for the whole server only."""

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._count = 0
        self._by_user: dict[str, dict[Client, None]] = {}
        """each user's clients, the oldest first"""

    def identify(self, token: object) -> User | None:
        """The user a token names; None for none given. Raises NotAdmitted."""
        if token is None:
            if self._options.auth == "required":
                raise NotAdmitted(AUTHENTICATION_ERROR, "no token")
            return None
        try:
            if self._options.accept_any_token:
                return read_unverified(token)
            return verify(token, self._options.jwt_secret)
        except BadToken as error:
            raise NotAdmitted(AUTHENTICATION_ERROR, str(error)) from error

    def enter(self, client: "Client") -> list["Client"]:
        """Let a client in; answers those that have to go for it. Raises NotAdmitted when there is no room."""
        limit = self._options.max_connections
        evicted = [] if client.user is None else self._in_the_way(client.user.id)
        if limit and self._count - len(evicted) >= limit:
            raise NotAdmitted(TOO_MANY, f"{self._count} connections in all")
        if client.user is not None:
            self._by_user.setdefault(client.user.id, {})[client] = None
        self._count += 1
        return evicted

    def _in_the_way(self, user: str) -> list["Client"]:
        """A user's oldest clients, as many as must go for one more. Raises NotAdmitted under `reject-newest`."""
        mine, limit = self._by_user.get(user, {}), self._options.max_per_user
        if not limit or len(mine) < limit:
            return []
        if self._options.limit_policy == "reject-newest":
            raise NotAdmitted(TOO_MANY, f"{len(mine)} connections of {user}")
        return list(mine)[: len(mine) - limit + 1]

    def leave(self, client: "Client") -> None:
        """A client that was let in is gone."""
        self._count -= 1
        if client.user is not None:
            mine = self._by_user[client.user.id]
            del mine[client]
            if not mine:
                del self._by_user[client.user.id]
