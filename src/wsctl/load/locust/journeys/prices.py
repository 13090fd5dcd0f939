"""Subscribe to symbols and stay."""

from wsctl.load.locust.visit import Visit


def prices(visit: Visit) -> None:
    """Which symbols: the user's turn."""
    visit.enter(visit.prices(visit.place.symbols))
