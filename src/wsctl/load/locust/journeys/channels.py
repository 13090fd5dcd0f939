"""Ask for channels by their names and stay."""

from wsctl.client.subscription import Subscription
from wsctl.load.locust.visit import Visit


def channels(visit: Visit) -> None:
    """All of them on each connection."""
    visit.enter(Subscription("channel:subscribe", visit.journey.channels))
