"""The accounting: exact for any trades, whatever floats they came in."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsctl.server.services.portfolio import (
    Account,
    Lots,
    Pair,
    Wallet,
    average_price,
    exact,
    number,
    open_accounts,
    pair_of,
    starting_balance,
)
from wsctl.server.sources.grid import HIGHEST, LOWEST

BTC = Pair("BTC", "USDT")
prices = st.floats(LOWEST, HIGHEST)
believable = st.decimals("0.00000001", "100000", places=8).map(float)
percents = st.integers(1, 100)
turns = st.lists(st.tuples(st.booleans(), believable, percents), max_size=25)


def new_account(cash=1000):
    wallet = Wallet()
    return wallet, Account(wallet, BTC, Decimal(cash))


def entry(account):
    """The exact average price."""
    return Fraction(account.paid) / Fraction(account.units) if account.units else 0


@pytest.mark.parametrize(
    ("symbol", "base", "quote"),
    [
        ("BTC/USDT", "BTC", "USDT"),
        ("btc/usdt", "BTC", "USDT"),
        ("BTC-USD", "BTC", "USD"),
        ("btc_eur", "BTC", "EUR"),
        ("1000SHIB-PERP/USDC", "1000SHIB-PERP", "USDC"),
        ("a.b_c/d", "A.B_C", "D"),
        ("BTCUSDT", "BTC", "USDT"),
        ("ethbtc", "ETH", "BTC"),
        ("ADAFDUSD", "ADA", "FDUSD"),
        ("DOTUSD", "DOT", "USD"),
        ("WBTC", "WBTC", "USDT"),
        ("USDT", "USDT", "USDT"),
        ("ACME", "ACME", "USDT"),
        ("/", "/", "USDT"),
        ("BTC/", "BTC/", "USDT"),
        ("-EUR", "-EUR", "USDT"),
    ],
)
def test_base_and_quote_of_a_symbol(symbol, base, quote):
    assert pair_of(symbol) == Pair(base, quote)


@given(prices)
def test_a_price_is_taken_as_it_is_written_and_given_back_unchanged(price):
    assert Fraction(exact(price)) == Fraction(repr(price))
    assert float(exact(price)) == price


@pytest.mark.parametrize(
    ("price", "quote", "decimals"),
    [
        (65_000, "USDT", 5),
        (3_200, "USDT", 4),
        (0.125, "USDT", 0),
        (9e-6, "USDT", 0),
        (0.05, "BTC", 4),
        (1e15, "USD", 8),
    ],
)
def test_lots_suit_the_price(price, quote, decimals):
    assert Lots.for_price(price, quote).decimals == decimals


@given(prices, st.sampled_from(["USDT", "BTC", "JPY"]))
def test_a_lot_is_small_money_unless_that_takes_too_many_decimals(price, quote):
    lots = Lots.for_price(price, quote)
    assert 0 <= lots.decimals <= 8
    if lots.decimals < 8:
        assert price / 10**lots.decimals <= starting_balance(quote) / 50_000 * (1 + 1e-9)


amounts = st.decimals(-(10**9), 10**9, places=12)


@given(st.decimals(0, 10**20, places=30), st.integers(0, 8))
def test_sizes_are_whole_lots_that_json_can_tell(quantity, decimals):
    size = Lots(decimals).floor(quantity)
    lots = Fraction(size) * 10**decimals
    assert lots == min(math.floor(Fraction(quantity) * 10**decimals), 10**15)
    assert Fraction(repr(float(size))) == Fraction(size)


@given(amounts)
def test_numbers_have_eight_places(value):
    assert number(value) == float(round(Fraction(value), 8))


def test_ties_go_to_the_even_digit_and_nothing_is_not_negative():
    assert number(Decimal("0.000000005")) == 0
    assert number(Decimal("0.000000015")) == 2e-8
    assert str(number(Decimal("-1e-12"))) == "0.0"


@given(st.decimals("1e-18", 10**6, places=25).filter(bool))
def test_average_prices_have_eight_significant_digits_at_least(value):
    told = Fraction(repr(average_price(value)))
    assert abs(told - Fraction(value)) <= min(Fraction(1, 2 * 10**8), Fraction(value) / 10**7)


def test_an_average_price_of_small_coins():
    assert average_price(Decimal(2) / 3) == 0.66666667
    assert average_price(Decimal(2) / (3 * 10**6)) == 0.00000066666667
    assert average_price(Decimal(200_000) / 3) == 66666.66666667
    assert average_price(Decimal("0.0999999999")) == 0.1
    assert average_price(Decimal(0)) == 0


def test_a_quotient_is_rounded_once():
    """An average just above a tie is no tie, however little it is above."""
    _, account = new_account()
    account.buy(Decimal(f"1.000000005{'0' * 90}1"), Decimal(3))
    assert average_price(account.entry) == 1.00000001


def test_an_asset_may_be_base_and_quote():
    wallet, (account,) = open_accounts(["USDT"])
    account.buy(Decimal(2), Decimal(50_000))
    assert (wallet.assets, wallet._free["USDT"]) == (("USDT",), 50_000)
    account.sell(Decimal(3), Decimal(50_000))
    assert (wallet._free["USDT"], account.realized) == (150_000, 50_000)


def test_the_average_is_that_of_what_is_held():
    wallet, account = new_account()
    account.buy(Decimal(10), Decimal(4))
    account.buy(Decimal(16), Decimal(2))
    assert (account.size, account.entry) == (6, 12)
    account.sell(Decimal(20), Decimal(3))
    assert (account.size, account.entry, account.realized) == (3, 12, 24)
    assert account.unrealized(Decimal(11)) == -3
    assert (wallet._free["USDT"], wallet._free["BTC"]) == (1000 - 72 + 60, 3)
    account.buy(Decimal(15), Decimal(1))
    assert (account.size, account.entry, account.realized) == (4, 12.75, 24)
    account.sell(Decimal(11), Decimal(4))
    assert (account.size, account.entry, account.realized, account.unrealized(Decimal(9))) == (0, 0, 17, 0)
    account.buy(Decimal(5), Decimal(1))
    assert (account.entry, account.realized) == (5, 17)


def test_nobody_spends_or_sells_what_is_not_there():
    wallet, account = new_account()
    refused = [
        lambda: account.buy(Decimal(10), Decimal(101)),
        lambda: account.buy(Decimal(10), Decimal(0)),
        lambda: account.buy(Decimal(10), Decimal(-1)),
        lambda: account.sell(Decimal(10), Decimal(1)),
        lambda: account.sell(Decimal(10), Decimal(0)),
        lambda: wallet.move("USDT", Decimal(-1001)),
        lambda: wallet.move("ETH", Decimal(-1)),
    ]
    for trade in refused:
        with pytest.raises(ValueError, match=r"cannot|expected no less than 0"):
            trade()
    assert (account.cash, account.size, account.realized, wallet._free["USDT"]) == (1000, 0, 0, 1000)
    account.buy(Decimal(10), Decimal(100))
    assert (account.cash, wallet._free["USDT"]) == (0, 0)


def test_parts_of_cash_and_holdings_are_whole_lots():
    _, account = new_account(1000)
    assert account.affords(Decimal(3), 10, Lots(2)) == Decimal("33.33")
    assert account.affords(Decimal(3), 100, Lots(0)) == 333
    assert account.affords(Decimal(1001), 100, Lots(0)) == 0
    account.buy(Decimal(3), Decimal("33.33"))
    assert account.part(50, Lots(2)) == Decimal("16.66")
    assert account.part(100, Lots(2)) == Decimal("33.33")
    assert account.part(2, Lots(0)) == 0


class Journal:
    """The same account, kept differently: every purchase stays open, and each sale closes the same part of all."""

    def __init__(self):
        self.open: list[tuple[Fraction, Fraction]] = []
        self.profit = Fraction(0)
        self.money = Fraction(0)

    def enter(self, buys, price, quantity):
        price, quantity = Fraction(price), Fraction(quantity)
        self.money += -price * quantity if buys else price * quantity
        if buys:
            self.open.append((price, quantity))
            return
        part = quantity / self.size
        self.profit += sum(part * held * (price - paid) for paid, held in self.open)
        self.open = [(paid, held * (1 - part)) for paid, held in self.open if part < 1]

    @property
    def size(self):
        return sum((held for _, held in self.open), Fraction(0))

    @property
    def entry(self):
        return sum((paid * held for paid, held in self.open), Fraction(0)) / self.size if self.open else 0

    def worth(self, bid):
        return sum(((Fraction(bid) - paid) * held for paid, held in self.open), Fraction(0))


@given(turns)
def test_any_trades_add_up(turns):
    with localcontext(prec=4):  # whatever the context of the day
        check_that_trades_add_up(turns)


def check_that_trades_add_up(turns):
    wallet, account = new_account(100_000)
    journal, lots = Journal(), Lots(6)
    for buys, price, percent in turns:
        paid = exact(price)
        quantity = account.affords(paid, percent, lots) if buys else account.part(percent, lots)
        if not quantity:
            continue
        (account.buy if buys else account.sell)(paid, quantity)
        journal.enter(buys, paid, quantity)
        assert (Fraction(account.size), entry(account)) == (journal.size, journal.entry)
        assert Fraction(account.cash) == 100_000 + journal.money
        assert (wallet._free["USDT"], wallet._free["BTC"]) == (account.cash, account.size)
        assert min(account.cash, account.size, account.entry) >= 0
        told = (account.realized, account.unrealized(paid))
        assert tuple(map(number, told)) == tuple(float(round(x, 8)) for x in (journal.profit, journal.worth(paid)))
        assert sum(map(Fraction, told)) == pytest.approx(
            Fraction(account.cash) + journal.size * Fraction(paid) - 100_000
        )


@given(
    st.lists(st.sampled_from(["BTC/USDT", "ETH/USDT", "ETH/BTC", "ACME", "USDT"]), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.booleans(), believable, percents), max_size=20),
)
def test_a_wallet_is_the_sum_of_its_accounts(symbols, turns):
    wallet, accounts = open_accounts(symbols)
    lots = Lots(3)
    for place, buys, price, percent in turns:
        account, paid = accounts[place % len(accounts)], exact(price)
        if quantity := account.affords(paid, percent, lots) if buys else account.part(percent, lots):
            (account.buy if buys else account.sell)(paid, quantity)
        for asset in wallet.assets:
            cash = sum(Fraction(one.cash) for one in accounts if one.pair.quote == asset)
            held = sum(Fraction(one.size) for one in accounts if one.pair.base == asset)
            assert Fraction(wallet._free[asset]) == cash + held
            payload = wallet.payload(asset)
            assert payload == {"asset": asset, "free": float(round(cash + held, 8)), "locked": 0}
            assert payload["free"] >= 0


def test_a_quote_currency_is_shared_evenly():
    wallet, accounts = open_accounts(["BTC/USDT", "ETH/BTC", "ETH/USDT", "SOL/USDT"])
    cash = [str(account.cash) for account in accounts]
    assert cash == ["33333.34", "2.00", "33333.33", "33333.33"]
    assert wallet.assets == ("USDT", "BTC", "ETH", "SOL")
    assert [wallet.payload(asset)["free"] for asset in wallet.assets] == [100_000, 2, 0, 0]


def test_digits_do_not_pile_up_over_round_trips():
    """Buys and sells at awkward prices, then out, again and again: nothing of it is left in the numbers."""
    _, account = new_account(100_000)
    for turn in range(800):
        account.buy(exact(math.pi * (turn % 7 + 1)), Lots(8).floor(Decimal(1) / (turn + 3)))
        account.sell(exact(3.3), account.part(100 if turn % 8 == 7 else 30, Lots(8)))
        assert max(len(one.as_tuple().digits) for one in (account.paid, account.units)) < 250
    assert len(account.cash.as_tuple().digits) < 40
