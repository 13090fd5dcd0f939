"""Watch the bots of whom the token names."""

from wsctl.client.subscription import Subscription
from wsctl.load.locust.visit import Visit


def bots(visit: Visit) -> None:
    """All of the user's: no names, no more than what is one's own."""
    visit.enter(Subscription("bot:subscribe"))
