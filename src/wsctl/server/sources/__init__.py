"""Where prices come from: iterators of Ticks, simulated or recorded. No clock, no sleep; chance has a seed.

simulated.py   a random walk per symbol        ─┐
recorded.py    the rows of a CSV file          ─┴─ price and quantity -> market.py -> Tick
market.py      what both put around a price: spread, side, trade ids, volume, order book
book.py        the order book and its changes, in whole steps of a grid.py
tick.py        Tick, Trade, and Source: what the price service asks for
"""
