"""An order book kept from changes alone, as a client keeps it."""


class ClientBook:
    """What a client makes of changes: sizes by price."""

    def __init__(self, bids=(), asks=()):
        self.bids = dict(bids)
        self.asks = dict(asks)

    def apply(self, bids, asks):
        for side, changes in ((self.bids, bids), (self.asks, asks)):
            assert len({price for price, _ in changes}) == len(changes), "a price came twice"
            for price, size in changes:
                if size == 0:
                    side.pop(price, None)
                else:
                    side[price] = size

    def levels(self):
        return sorted(self.bids.items(), reverse=True), sorted(self.asks.items())
