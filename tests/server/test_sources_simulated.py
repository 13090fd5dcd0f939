"""Simulated prices: repeatable, staggered, believable."""

import math
from itertools import islice, pairwise

import pytest
from client_book import ClientBook

from wsctl.errors import UsageError
from wsctl.server.sources.simulated import SimulatedSource

BTC = "BTC/USDT"
YEAR = 365.25 * 86_400


def first_ticks(count, symbols=(BTC,), rate=20.0, seed=7):
    return list(islice(SimulatedSource(symbols, rate, seed).ticks(), count))


def without_due(ticks):
    return [(t.price, t.bid, t.ask, t.volume, t.trade, t.bids, t.asks) for t in ticks]


def test_symbols_tick_in_turn_spread_over_the_period():
    ticks = first_ticks(6, ("A/B", "C/D", "E/F"), rate=10)
    assert [t.symbol for t in ticks] == ["A/B", "C/D", "E/F"] * 2
    assert [t.due for t in ticks] == pytest.approx([0, 1 / 30, 2 / 30, 0.1, 4 / 30, 5 / 30])


def test_due_never_goes_back_and_keeps_the_rate():
    ticks = first_ticks(5_000, ("A/B", "C/D", "E/F", "G/H", "I/J", "K/L", "M/N"), rate=7)
    assert all(one.due < other.due for one, other in pairwise(ticks))
    assert ticks[7 * 70].due == 10


def test_the_same_seed_gives_the_same_ticks_and_another_seed_others():
    symbols = (BTC, "FOO/BAR")
    assert first_ticks(200, symbols, seed=7) == first_ticks(200, symbols, seed=7)
    assert without_due(first_ticks(200, symbols, seed=7)) != without_due(first_ticks(200, symbols, seed=8))


def test_a_symbol_does_not_depend_on_its_neighbours():
    alone = first_ticks(100)
    among = [t for t in first_ticks(300, ("ETH/USDT", BTC, "FOO/BAR")) if t.symbol == BTC]
    assert without_due(alone) == without_due(among)


def test_a_seed_means_the_same_in_every_process_and_release():
    tick = first_ticks(2)[1]
    assert (tick.price, tick.bid, tick.ask, tick.trade.quantity) == (65003.98, 64989.88, 65018.09, 0.01537)


@pytest.mark.parametrize(
    ("symbol", "price"),
    [
        ("BTC/USDT", 65_000),
        ("BTC-USD", 65_000),
        ("BTCUSDT", 65_000),
        ("btc/usdt", 65_000),
        ("ETH/USDT", 3_200),
        ("ETH/BTC", 3_200 / 65_000),
        ("DOGE/USDT", 0.125),
        ("SHIB/USDT", 0.000024),
    ],
)
def test_the_usual_pairs_start_at_a_known_price(symbol, price):
    assert first_ticks(1, (symbol,))[0].price == pytest.approx(price, rel=0.01)


def test_any_other_symbol_starts_at_a_price_of_its_own():
    starts = {s: first_ticks(1, (s,), seed=1)[0].price for s in ("FOO/BAR", "ACME", "X-1", "a.b_c/d", "WBTC")}
    assert all(0.09 < price < 1_100 for price in starts.values())
    assert len(set(starts.values())) == len(starts)
    for symbol, price in starts.items():
        assert first_ticks(1, (symbol,), seed=2)[0].price == pytest.approx(price, rel=0.01)


def test_the_walk_has_the_volatility_of_a_coin():
    prices = [t.price for t in first_ticks(20_000, rate=1)]
    steps = [math.log(later / earlier) for earlier, later in pairwise(prices)]
    yearly = math.sqrt(sum(step * step for step in steps) / len(steps) * YEAR)
    assert 0.5 < yearly < 1.2


def test_calms_and_storms_come_in_clusters():
    prices = [t.price for t in first_ticks(20_000, rate=1)]
    sizes = [abs(math.log(later / earlier)) for earlier, later in pairwise(prices)]
    mean = sum(sizes) / len(sizes)
    together = sum((a - mean) * (b - mean) for a, b in pairwise(sizes))
    assert together / sum((size - mean) ** 2 for size in sizes) > 0.03


@pytest.mark.parametrize("rate", [1 / 3600, 1 / 86_400, 1e-9])
def test_a_price_does_not_stray_to_nothing_or_without_bound(rate):
    prices = [t.price for t in first_ticks(5_000, rate=rate)]
    assert 65_000 / 2 < min(prices) < 65_000 < max(prices) < 65_000 * 2


@pytest.mark.parametrize(
    ("symbol", "decimals"), [(BTC, 2), ("ETH/USDT", 2), ("XRP/USDT", 5), ("SHIB/USDT", 9), ("ETH/BTC", 6)]
)
def test_numbers_are_round(symbol, decimals):
    for tick in first_ticks(500, (symbol,)):
        numbers = [tick.price, tick.bid, tick.ask, *(price for price, _ in tick.bids + tick.asks)]
        assert all(number == round(number, decimals) for number in numbers)
        assert len(repr(tick.volume)) <= 18
        assert tick.trade.quantity == round(tick.trade.quantity, 5) > 0


def test_the_price_lies_within_a_spread_of_one_to_five_basis_points():
    for tick in first_ticks(3_000, (BTC, "DOGE/USDT", "FOO/BAR")):
        assert tick.bid <= tick.price <= tick.ask
        step = 0.01 if tick.symbol == BTC else 0.00001
        assert tick.ask - tick.bid >= 0.99 * step
        assert tick.ask - tick.bid <= tick.price * 5e-4 + 1.01 * step


def test_every_tick_carries_a_trade_with_the_next_id_and_the_side_of_its_direction():
    ticks = first_ticks(1_000)
    assert [t.trade.id for t in ticks] == list(range(1, 1_001))
    assert all(t.trade.price == t.price for t in ticks)
    for earlier, later in pairwise(ticks):
        if later.price != earlier.price:
            assert later.trade.side == ("buy" if later.price > earlier.price else "sell")
        else:
            assert later.trade.side == earlier.trade.side
    assert {t.trade.side for t in ticks} == {"buy", "sell"}


def test_the_volume_starts_like_a_day_and_grows_by_each_trade():
    ticks = first_ticks(500)
    assert 1_000 < ticks[0].volume < 100_000
    for earlier, later in pairwise(ticks):
        assert later.volume == pytest.approx(earlier.volume + later.trade.quantity)


def test_the_changes_of_all_ticks_make_the_book():
    book = ClientBook()
    for tick in first_ticks(1_000, (BTC, "FOO/BAR")):
        if tick.symbol == BTC:
            book.apply(tick.bids, tick.asks)
            bids, asks = book.levels()
            assert (bids[0][0], asks[0][0]) == (tick.bid, tick.ask)


@pytest.mark.parametrize("price", [70_000, 64_999.5, 65_000.123456, 0.5, 0.00001, 1e12])
def test_a_price_set_comes_exactly_next_and_the_market_goes_on_from_there(price):
    source = SimulatedSource((BTC, "ETH/USDT"), 20, 7)
    ticks = source.ticks()
    before = list(islice(ticks, 100))
    source.set_price(BTC, price)
    after = list(islice(ticks, 400))
    mine = [t for t in after if t.symbol == BTC]
    assert mine[0].price == price
    assert [t.trade.id for t in mine[:2]] == [51, 52]
    book = ClientBook()
    for tick in before:
        if tick.symbol == BTC:
            book.apply(tick.bids, tick.asks)
    for tick in mine:
        book.apply(tick.bids, tick.asks)
        assert tick.price == pytest.approx(price, rel=0.02)
        assert tick.bid <= tick.price <= tick.ask
    bids, asks = book.levels()
    assert all(level[0] == pytest.approx(price, rel=0.05) for level in bids + asks)
    assert all(t.price == pytest.approx(3_200, rel=0.02) for t in after if t.symbol == "ETH/USDT")


def test_a_price_set_before_the_first_tick_is_the_first():
    source = SimulatedSource((BTC,), 20, 7)
    source.set_price(BTC, 0.25)
    assert next(source.ticks()).price == 0.25


def test_a_symbol_asked_for_twice_is_served_once():
    assert SimulatedSource((BTC, "A/B", BTC), 20, 7).symbols == (BTC, "A/B")


def source():
    return SimulatedSource((BTC, "A/B"), 20, 7)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: SimulatedSource((), 20, 7), "no symbols; expected at least one, such as BTC/USDT"),
        (lambda: SimulatedSource(("A:B",), 20, 7), "bad symbol 'A:B'; expected letters, digits and . _ / -"),
        (lambda: SimulatedSource(("",), 20, 7), "bad symbol ''; expected letters, digits and . _ / -"),
        (lambda: SimulatedSource((BTC,), 0, 7), "rate 0; expected updates per second above 0"),
        (lambda: SimulatedSource((BTC,), -2.5, 7), "rate -2.5; expected updates per second above 0"),
        (lambda: SimulatedSource((BTC,), math.nan, 7), "rate nan; expected updates per second above 0"),
        (lambda: SimulatedSource((BTC,), math.inf, 7), "rate inf; expected updates per second above 0"),
        (lambda: source().set_price("C/D", 1), "unknown symbol 'C/D'; expected one of BTC/USDT, A/B"),
        (lambda: source().set_price("A/B", 0), "price 0 of A/B; expected a number from 1e-18 to 1e+15"),
        (lambda: source().set_price("A/B", -1), "price -1 of A/B; expected a number from 1e-18 to 1e+15"),
        (
            lambda: source().set_price("A/B", math.nan),
            "price nan of A/B; expected a number from 1e-18 to 1e+15",
        ),
        (
            lambda: source().set_price("A/B", math.inf),
            "price inf of A/B; expected a number from 1e-18 to 1e+15",
        ),
    ],
)
def test_what_cannot_be_simulated_is_refused(ask, message):
    with pytest.raises(UsageError) as error:
        ask()
    assert str(error.value) == message
