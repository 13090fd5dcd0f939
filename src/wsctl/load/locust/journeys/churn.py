"""Give one symbol up and take another, again and again."""

import contextlib

from wsctl.errors import TargetError
from wsctl.load.locust.visit import Visit


def churn(visit: Visit) -> None:
    """The oldest goes, so that each is watched as long as any other."""
    watched = list(visit.place.symbols)
    visit.enter(visit.prices(watched))
    with contextlib.suppress(TargetError):  # never let in: the shard told why, and there is nothing to give up
        visit.client.wait()
        while (other := visit.other_symbol(watched)) is not None:
            visit.think()
            gone = watched.pop(0)
            watched.append(other)
            # one that is connecting again at this moment will ask for the others then
            with contextlib.suppress(TargetError):
                visit.client.unsubscribe(visit.no_prices([gone]))
            with contextlib.suppress(TargetError):
                visit.client.subscribe(visit.prices([other]))
