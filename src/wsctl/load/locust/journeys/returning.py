"""Leave, be away for a while, and come back as the same client on a new connection."""

import contextlib

from wsctl.errors import TargetError
from wsctl.load.locust.visit import Visit


def returning(visit: Visit) -> None:
    """Who is not let in tries again after its absence."""
    while True:
        visit.enter(visit.prices(visit.place.symbols))
        with contextlib.suppress(TargetError):
            visit.client.wait()
            visit.think()
        visit.client.leave(polite=visit.journey.polite)
        visit.be_away()
