"""The notification service: what the platform tells one user, or everybody."""

from collections import Counter
from typing import Literal, TypeAlias, get_args

from wsctl.errors import UsageError
from wsctl.model.channel import ANNOUNCEMENT
from wsctl.model.event import ANNOUNCEMENT as ANNOUNCED
from wsctl.server.hub import Hub

NOTIFICATION = "notification"

Level: TypeAlias = Literal["info", "warning", "error"]
LEVELS: tuple[Level, ...] = get_args(Level)


def notifications(user: str) -> str:
    """The channel of what a user is told."""
    return f"user:{user}:notifications"


class NotificationService:
    """Publishes notifications and announcements; their ids start at 1 and grow by 1 per channel. No snapshots."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._ids: Counter[str] = Counter()
        self._users: set[str] = set()
        hub.open(ANNOUNCEMENT)

    def ensure(self, user: str) -> None:
        """Open a user's channel, unless it is open."""
        if user not in self._users:
            self._users.add(user)
            self._hub.open(notifications(user))

    def notify(self, user: str, level: Level, title: str, body: str, source_at: float | None = None) -> int:
        """Tell one user, known or not yet: `{id, level, title, body}`; answers the id.

        `source_at` is when it came about, in unix seconds. Raises UsageError for a level that there is not.
        """
        if level not in LEVELS:
            raise UsageError(f"level {level!r}; expected {', '.join(LEVELS[:-1])} or {LEVELS[-1]}")
        self.ensure(user)
        channel = notifications(user)
        id = self._next_id(channel)
        payload = {"id": id, "level": level, "title": title, "body": body}
        self._hub.publish(channel, NOTIFICATION, payload, source_at)
        return id

    def announce(self, title: str, body: str) -> int:
        """Tell everybody who listens: `{id, title, body}`; answers the id."""
        id = self._next_id(ANNOUNCEMENT)
        self._hub.publish(ANNOUNCEMENT, ANNOUNCED, {"id": id, "title": title, "body": body})
        return id

    def _next_id(self, channel: str) -> int:
        self._ids[channel] += 1
        return self._ids[channel]
