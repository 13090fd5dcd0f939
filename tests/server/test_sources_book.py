"""The order book: whoever applies its changes has the book, and nobody ever sees it crossed."""

from random import Random

import pytest
from client_book import ClientBook
from hypothesis import given, settings
from hypothesis import strategies as st

from wsctl.server.sources.book import DEPTH, Book
from wsctl.server.sources.grid import HIGHEST, LOWEST, Grid, decimals_of
from wsctl.server.sources.market import Market

touches = st.lists(st.tuples(st.integers(1, 10**8), st.integers(1, 10**5)), min_size=1, max_size=30)
near_touches = st.lists(st.tuples(st.integers(990, 1010), st.integers(1, 5)), min_size=1, max_size=60)
seeds = st.integers(0, 2**32)


def new_book(seed=1, decimals=2):
    return Book(Grid(decimals), Grid(3), typical=0.5, random=Random(seed))


@settings(max_examples=60, deadline=None)
@given(moves=st.one_of(touches, near_touches), seed=seeds)
def test_changes_applied_to_an_earlier_snapshot_give_the_later_one(moves, seed):
    book = new_book(seed)
    clients = []
    for bid, width in moves:
        clients.append(ClientBook(*book.levels()))
        changes = book.move(bid, bid + width)
        for client in clients:
            client.apply(*changes)
            assert client.levels() == book.levels()


@settings(max_examples=60, deadline=None)
@given(moves=st.one_of(touches, near_touches), seed=seeds)
def test_the_book_is_sorted_positive_and_never_crossed(moves, seed):
    book = new_book(seed)
    for bid, width in moves:
        book.move(bid, bid + width)
        bids, asks = book.levels()
        assert bids[0][0] == bid / 100
        assert asks[0][0] == (bid + width) / 100
        assert [price for price, _ in bids] == sorted({price for price, _ in bids}, reverse=True)
        assert [price for price, _ in asks] == sorted({price for price, _ in asks})
        assert all(price > 0 and size > 0 for price, size in bids + asks)
        assert len(asks) == DEPTH
        assert 1 <= len(bids) <= DEPTH


def test_a_new_book_is_empty_and_its_first_move_brings_it_whole():
    book = new_book()
    assert book.levels() == ([], [])
    assert book.move(6_500_000, 6_500_100) == book.levels()


def test_prices_and_sizes_are_round():
    book = new_book()
    for bid in range(6_500_000, 6_500_400, 7):
        bids, asks = book.move(bid, bid + 100)
        for price, size in bids + asks:
            assert price == round(price, 2)
            assert size == round(size, 3)


def test_sizes_grow_away_from_the_touch():
    books = [new_book(seed) for seed in range(200)]
    for book in books:
        book.move(6_500_000, 6_500_100)
    for side in (0, 1):
        first, last = (sum(book.levels()[side][place][1] for book in books) for place in (0, -1))
        assert first * 3 < last


def test_a_near_move_changes_few_levels():
    book = new_book()
    book.move(6_500_000, 6_501_000)
    bids, asks = book.move(6_500_010, 6_501_010)
    assert len(bids) + len(asks) <= 8


def test_a_far_move_leaves_no_level_behind():
    book = new_book()
    book.move(6_500_000, 6_501_000)
    book.move(7_000_000, 7_001_000)
    assert book.levels()[0][-1][0] > 69_000


@pytest.mark.parametrize(("bid", "ask"), [(5, 5), (6, 5), (0, 5), (-1, 5)])
def test_a_touch_that_cannot_be_is_refused(bid, ask):
    with pytest.raises(ValueError, match=f"bid {bid} and ask {ask}; expected 0 < bid < ask"):
        new_book().move(bid, ask)


prices = st.one_of(
    st.floats(LOWEST, HIGHEST),
    st.floats(0.0001, 100_000),
    st.sampled_from([LOWEST, HIGHEST, 0.1, 0.01, 1.0, 1.011, 30243.5, 0.00001305]),
)


@settings(max_examples=100, deadline=None)
@given(
    given_prices=st.lists(prices, min_size=1, max_size=12),
    decimals=st.sampled_from([0, 2, 8, 22]),
    seed=seeds,
)
def test_a_market_quotes_around_any_price_and_its_changes_keep_a_client_right(given_prices, decimals, seed):
    market = Market("A", given_prices[0], decimals=decimals, lots=Grid(4), typical=0.5, random=Random(seed))
    client = ClientBook()
    for price in given_prices:
        tick = market.trade(0.0, price, 0.5)
        assert tick.price == price
        assert 0 < tick.bid <= price <= tick.ask
        assert tick.bid < tick.ask
        client.apply(tick.bids, tick.asks)
        bids, asks = market._book.levels()
        assert client.levels() == (bids, asks)
        assert (bids[0][0], asks[0][0]) == (tick.bid, tick.ask)


@given(steps=st.integers(1, 10**15), decimals=st.integers(0, 22))
def test_a_grid_answers_the_float_that_the_decimal_text_reads_as(steps, decimals):
    digits = str(steps).rjust(decimals + 1, "0")
    text = f"{digits[: len(digits) - decimals]}.{digits[len(digits) - decimals :]}"
    grid = Grid(decimals)
    assert grid.value(steps) == float(text)
    assert grid.nearest(float(text)) == steps
    assert grid.floor(float(text)) == steps


@pytest.mark.parametrize(
    ("text", "decimals"),
    [
        ("30236", 0),
        ("30243.5", 1),
        ("1.01100", 3),
        ("5.", 0),
        (".25", 2),
        ("1e-7", 7),
        ("1.5E3", 0),
        ("1e-99", 22),
    ],
)
def test_decimals_of_a_number_as_written(text, decimals):
    assert decimals_of(text) == decimals
