"""Bots over an hour of simulated time: whoever adds up what they say gets what they say."""

import re
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache
from itertools import pairwise, takewhile

import pytest
from listening import Ear, HandClock

from wsctl.server.hub import Hub
from wsctl.server.services.bots import Bot, BotService, owner_of
from wsctl.server.services.notifications import NotificationService
from wsctl.server.sources.simulated import SimulatedSource

DAWN = 1_700_000_000.0
MAJORS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
CROSSED = ("BTCUSDT", "ETH/BTC")
SMALL = ("PEPE/USDT", "SHIB/EUR", "ACME")
LISTS = (MAJORS, CROSSED, SMALL)
FEEDS = ("status", "trades", "positions", "logs")


class World:
    """A source, the bots of some users, and somebody who hears everything."""

    def __init__(self, symbols=MAJORS, seed=7, rate=2.0):
        self.clock = HandClock(DAWN)
        self.hub = Hub(self.clock, epoch="e")
        self.source = SimulatedSource(symbols, rate, seed)
        self.bots = BotService(self.hub, symbols, seed, NotificationService(self.hub))
        self.touch: dict[str, tuple[float, float]] = {}
        self.symbol = ""
        """of the latest tick"""
        self.ear = Ear(self.hub, beside=lambda: (self.symbol, *self.touch.get(self.symbol, ())))
        self._ticks = self.source.ticks()
        self._ahead = next(self._ticks)

    def ensure(self, *users):
        """Have these users' bots, and listen to them."""
        for user in users:
            self.bots.ensure(user)
            self.ear.join(*self.channels(user))
        return self

    def channels(self, user):
        ids = self.bots.bots_of(user)
        return [f"user:{user}:balance", f"user:{user}:notifications", *(f"bot:{id}:{f}" for id in ids for f in FEEDS)]

    def play(self, seconds):
        """Let the source run for so long."""
        end = self.clock.time - DAWN + seconds
        while self._ahead.due < end:
            tick, self._ahead = self._ahead, next(self._ticks)
            self.price(tick.symbol, tick.bid, tick.ask, tick.price, DAWN + tick.due)
        self.clock.time = DAWN + end
        return self

    def price(self, symbol, bid, ask, price, at):
        """One price, at a time of its source."""
        self.clock.time = at
        self.symbol, self.touch[symbol] = symbol, (bid, ask)
        with localcontext(prec=28):  # as it is outside of this test
            self.bots.on_price(symbol, bid, ask, price, at)

    def status(self, bot):
        """A bot's status as a newcomer gets it."""
        ((_, payload),) = self.hub.channels[f"bot:{bot}:status"].snapshot_source()
        return payload

    def trades(self, user):
        """All trades of a user's bots, as they were heard."""
        return {id: [one.payload["trade"] for one in self.ear.of(f"bot:{id}:trades")] for id in self.bots.bots_of(user)}


@cache
def hour(symbols):
    """An hour in which three users turn up one after the other. Shared: tests only read it."""
    world = World(symbols).ensure("ann").play(600).ensure("bob").play(600).ensure("c.y-n/1")
    return world.play(2400)


USERS = ("ann", "bob", "c.y-n/1")


def decimal(value):
    """What a JSON number says."""
    return Decimal(repr(value))


def eight(value):
    """A Decimal as it is to be pushed."""
    return float(value.quantize(Decimal("1e-8")))


class Ledger:
    """A client's own books, from trades alone: money in Decimals, and every purchase open until sales close it.

    A sale closes the same part of each purchase, which is what an average price means.
    """

    def __init__(self):
        self.flows: dict[str, Decimal] = {}
        self.open: dict[str, list[list[Fraction]]] = {}
        self.profit: dict[str, Fraction] = {}

    def enter(self, bot, trade, base, quote):
        price, quantity = decimal(trade["price"]), decimal(trade["quantity"])
        sign = 1 if trade["side"] == "buy" else -1
        self.flows[base] = self.flows.get(base, 0) + sign * quantity
        self.flows[quote] = self.flows.get(quote, 0) - sign * quantity * price
        held = self.open.setdefault(bot, [])
        if sign > 0:
            held.append([Fraction(price), Fraction(quantity)])
            return
        part = Fraction(quantity) / sum(size for _, size in held)
        gains = sum(size * part * (Fraction(price) - paid) for paid, size in held)
        self.profit[bot] = self.profit.get(bot, 0) + gains
        self.open[bot] = [[paid, size * (1 - part)] for paid, size in held if part < 1]

    def position(self, bot, bid):
        """Size, average price and profit at a bid, as they are to be pushed."""
        held = self.open.get(bot, [])
        size = sum((size for _, size in held), Fraction(0))
        paid = sum((paid * size for paid, size in held), Fraction(0))
        worth = sum(((Fraction(decimal(bid)) - paid) * size for paid, size in held), Fraction(0))
        return eight(_ratio(size)), _price(_ratio(paid / size)) if size else 0.0, eight(_ratio(worth))

    def pnl(self, bot):
        """Profit of what was sold, as it is to be pushed."""
        return eight(_ratio(self.profit.get(bot, Fraction(0))))


def _ratio(value):
    return Decimal(value.numerator) / Decimal(value.denominator)


def _price(value):
    """Eight decimals; below 1 eight significant digits."""
    return float(f"{value:.8g}") if value < 1 else eight(value)


@pytest.fixture(autouse=True)
def many_digits():
    """Decimals as exact as they have to be."""
    with localcontext() as context:
        context.prec = 80
        yield


PAIRS = {
    "BTC/USDT": ("BTC", "USDT"),
    "ETH/USDT": ("ETH", "USDT"),
    "SOL/USDT": ("SOL", "USDT"),
    "BTCUSDT": ("BTC", "USDT"),
    "ETH/BTC": ("ETH", "BTC"),
    "PEPE/USDT": ("PEPE", "USDT"),
    "SHIB/EUR": ("SHIB", "EUR"),
    "ACME": ("ACME", "USDT"),
}
STARTS = {MAJORS: {"USDT": 100_000}, CROSSED: {"USDT": 100_000, "BTC": 2}, SMALL: {"USDT": 100_000, "EUR": 100_000}}


def of_user(world, user):
    """What was heard of a user and the user's bots."""
    names = set(world.channels(user))
    return [one for one in world.ear.heard if one.channel in names]


@pytest.mark.parametrize("symbols", LISTS)
@pytest.mark.parametrize("user", USERS)
def test_books_kept_from_the_trades_are_those_pushed_after_every_trade(symbols, user):
    heard = of_user(hour(symbols), user)
    ledger = Ledger()
    count = 0
    for place, one in enumerate(heard):
        if one.event != "bot:trade":
            continue
        count += 1
        bot, trade = one.payload["botId"], one.payload["trade"]
        base, quote = PAIRS[trade["symbol"]]
        ledger.enter(bot, trade, base, quote)
        position, *balances = heard[place + 1 : place + 4]
        size, entry, profit = ledger.position(bot, one.beside[1])
        pushed = {"symbol": trade["symbol"], "size": size, "entryPrice": entry, "unrealizedPnl": profit}
        assert (position.channel, position.payload) == (f"bot:{bot}:positions", {"botId": bot, "position": pushed})
        for update, asset in zip(balances, (quote, base), strict=True):
            free = eight(STARTS[symbols].get(asset, 0) + ledger.flows[asset])
            assert update.channel == f"user:{user}:balance"
            assert update.payload == {"asset": asset, "free": free, "locked": 0}
            assert free >= 0
        assert size >= 0
    assert count > 1500


@pytest.mark.parametrize("symbols", LISTS)
def test_profits_follow_from_trades_and_prices(symbols):
    """Every open position's profit is that at the bid; the profit in a status is that of the sales so far."""
    world, marks, told = hour(symbols), 0, 0
    ledger = Ledger()
    for one in world.ear.heard:
        if one.event == "bot:trade":
            ledger.enter(one.payload["botId"], one.payload["trade"], "base", "quote")
        elif one.event == "bot:position":
            position = one.payload["position"]
            pushed = (position["size"], position["entryPrice"], position["unrealizedPnl"])
            assert position["symbol"] == one.beside[0]
            assert pushed == ledger.position(one.payload["botId"], one.beside[1])
            marks += 1
        elif one.event == "bot:status":
            assert one.payload["pnl"] == ledger.pnl(one.payload["botId"])
            told += 1
    assert marks > 10_000
    assert told > 1_000


@pytest.mark.parametrize("symbols", LISTS)
def test_trades_are_made_at_the_touch_at_random_times(symbols):
    world = hour(symbols)
    for user, seconds in zip(USERS, (3600, 3000, 2400), strict=True):
        for bot in world.bots.bots_of(user):
            heard = world.ear.of(f"bot:{bot}:trades")
            for one in heard:
                trade, (symbol, bid, ask) = one.payload["trade"], one.beside
                assert trade.keys() == {"id", "symbol", "side", "price", "quantity", "time"}
                assert (trade["symbol"], trade["price"]) == (symbol, ask if trade["side"] == "buy" else bid)
                assert trade["id"] == one.seq
                assert trade["time"] == round(one.source_at * 1000, 3)
                assert trade["quantity"] > 0
            assert [one.seq for one in heard] == list(range(1, len(heard) + 1))
            assert 0.75 < len(heard) * 4.3 / seconds < 1.25  # the next price after some 4 s
            sides = [one.payload["trade"]["side"] for one in heard]
            assert 0.3 < sides.count("sell") / len(sides) < 0.7


def test_sizes_are_whole_lots():
    world = hour(MAJORS)
    lots = {"BTC/USDT": 10**5, "ETH/USDT": 10**4, "SOL/USDT": 10**2}
    for trades in world.trades("ann").values():
        for trade in trades:
            assert decimal(trade["quantity"]) * lots[trade["symbol"]] % 1 == 0


def test_open_positions_are_marked_at_most_once_a_second():
    world = World(rate=20.0).ensure("ann").play(200)
    for bot in world.bots.bots_of("ann"):
        traded = {one.source_at for one in world.ear.of(f"bot:{bot}:trades")}
        heard = world.ear.of(f"bot:{bot}:positions")
        between = [
            later.source_at - earlier.source_at
            for earlier, later in pairwise(heard)
            if later.source_at not in traded  # a mark
        ]
        assert len(between) > 50
        assert 1 - 1e-6 < min(between) < 1.1
        for earlier, later in pairwise(heard):
            if later.source_at not in traded:
                assert later.payload["position"]["size"] > 0
                assert later.payload != earlier.payload


def test_status_tells_changes_at_once_and_profits_every_five_seconds_at_most():
    world = hour(MAJORS)
    for bot in world.bots.bots_of("ann"):
        assert world.status(bot) == world.ear.of(f"bot:{bot}:status")[-1].payload
        for earlier, later in pairwise(world.ear.of(f"bot:{bot}:status")):
            assert later.payload != earlier.payload
            if later.payload["status"] == earlier.payload["status"]:
                assert later.source_at - earlier.source_at > 5 - 1e-6


def test_trouble_comes_and_goes_and_is_told():
    """Now and then a bot is in error for a while: it does not trade, its log and its user's notifications say why."""
    spells = 0
    for symbols in LISTS:
        world = hour(symbols)
        for user in USERS:
            told = [one.payload for one in world.ear.of(f"user:{user}:notifications")]
            for bot in world.bots.bots_of(user):
                mine = [payload for payload in told if payload["title"].startswith(f"{bot} ")]
                feeds = {f"bot:{bot}:{feed}" for feed in ("status", "trades", "logs")}
                heard = [one for one in world.ear.heard if one.channel in feeds]
                for place, one in enumerate(heard):
                    if one.payload.get("status") != "error":
                        continue
                    spells += 1
                    log, *rest = heard[place + 1 :]
                    notice = mine.pop(0)
                    assert (log.payload["level"], notice["level"]) == ("error", "error")
                    assert notice["body"] == log.payload["message"]
                    silent = list(takewhile(lambda one: one.payload.get("status") != "running", rest))
                    assert silent == []
                    if rest:
                        assert 5 <= rest[0].source_at - one.source_at <= 31
                        assert mine.pop(0)["level"] == "info"
                        assert rest[1].payload == {"botId": bot, "level": "info", "message": "trading again"}
                assert mine == []
    assert 30 < spells < 200  # 20 bots, most of an hour each


def test_logs_say_what_is_done():
    world = hour(MAJORS)
    bot = "ann-bot-1"
    messages = [one.payload["message"] for one in world.ear.of(f"bot:{bot}:logs")]
    deals = [message for message in messages if message.startswith(("bought", "sold"))]
    deal = r"(bought|sold) ([0-9.]+) BTC at ([0-9.]+) USDT(, profit -?[0-9.]+ USDT)?"
    trades = world.trades("ann")[bot]
    for message, trade in zip(deals, trades, strict=True):
        done, quantity, price, _ = re.fullmatch(deal, message).groups()
        assert done == {"buy": "bought", "sell": "sold"}[trade["side"]]
        assert (float(quantity), float(price)) == (trade["quantity"], trade["price"])
    assert messages[0] == "started on BTC/USDT"


@pytest.mark.parametrize("symbols", LISTS)
def test_every_channel_counts_by_one(symbols):
    world = hour(symbols)
    latest: dict[str, int] = {}
    for one in world.ear.heard:
        # whoever is there first hears all but what was published when the bots came into being
        assert one.seq == latest.get(one.channel, one.seq - 1) + 1
        latest[one.channel] = one.seq
    assert latest == {name: world.hub.channels[name].seq for name in latest}


def test_snapshots_are_the_present_and_repeat_the_latest_seq():
    world = hour(MAJORS)
    ledger = Ledger()
    for one in of_user(world, "bob"):
        if one.event == "bot:trade":
            ledger.enter(one.payload["botId"], one.payload["trade"], *PAIRS[one.payload["trade"]["symbol"]])
    latecomer = Ear(world.hub, *world.channels("bob"))
    for _, payload in latecomer.snapshots:
        assert payload["snapshot"] is True
        assert payload["seq"] == world.hub.channels[payload["channel"]].seq
    assert [(name, payload["channel"]) for name, payload in latecomer.snapshots] == [
        *[("balance:update", "user:bob:balance")] * 4,
        *((name, f"bot:bob-bot-{n}:{feed}") for n in (1, 2, 3) for name, feed in SNAPSHOTS),
    ]
    balances = {payload["asset"]: payload["free"] for name, payload in latecomer.snapshots if name == "balance:update"}
    assert balances == {asset: eight(flow + STARTS[MAJORS].get(asset, 0)) for asset, flow in ledger.flows.items()}
    for name, payload in latecomer.snapshots:
        if name == "bot:position":
            position, bid = payload["position"], world.touch[payload["position"]["symbol"]][0]
            shown = (position["size"], position["entryPrice"], position["unrealizedPnl"])
            assert shown == ledger.position(payload["botId"], bid)
        elif name == "bot:status":
            assert payload.items() >= world.status(payload["botId"]).items()
    for channel in world.channels("bob"):
        world.hub.leave(latecomer, channel)


SNAPSHOTS = (("bot:status", "status"), ("bot:position", "positions"))


def test_snapshots_are_there_before_the_first_price():
    """A bot whose symbol has no price yet is stopped, and begins with the first."""
    world = World().ensure("ann")
    at_first = [(name, payload) for name, payload in world.ear.snapshots if "ann-bot-1" in payload["channel"]]
    assert [name for name, _ in at_first] == ["bot:status", "bot:position"]
    assert at_first[0][1].items() >= {"status": "stopped", "symbol": "BTC/USDT", "pnl": 0, "seq": 1}.items()
    flat = {"symbol": "BTC/USDT", "size": 0, "entryPrice": 0, "unrealizedPnl": 0}
    assert at_first[1][1]["position"] == flat
    balances = [payload for name, payload in world.ear.snapshots if name == "balance:update"]
    assert [(one["asset"], one["free"]) for one in balances] == [("USDT", 100_000), ("BTC", 0), ("ETH", 0), ("SOL", 0)]
    world.price("BTC/USDT", 64_990.0, 65_010.0, 65_000.0, DAWN)
    heard = [one.payload for one in world.ear.heard]
    assert heard[0] == world.status("ann-bot-1")
    assert heard[0]["status"] == "running"
    assert heard[1:] == [{"botId": "ann-bot-1", "level": "info", "message": "started on BTC/USDT"}]
    assert world.status("ann-bot-2")["status"] == "stopped"


def test_a_user_who_comes_later_finds_bots_running():
    world = World().play(10).ensure("ann")
    assert {world.status(bot)["status"] for bot in world.bots.bots_of("ann")} == {"running"}


def test_the_same_seed_and_prices_make_the_same_trades():
    def said(seed):
        world = World(seed=seed).ensure("ann", "bob").play(300)
        return [one[:5] for one in world.ear.heard]

    assert said(7) == said(7)
    assert said(7) != said(8)


def test_bots_of_one_seed_differ():
    trades = World(("BTC/USDT",)).ensure("ann", "bob").play(300).trades
    times = {tuple(trade["time"] for trade in made) for user in ("ann", "bob") for made in trades(user).values()}
    assert len(times) == 6


@pytest.mark.parametrize("symbols", [MAJORS, CROSSED, ("BTC/USDT",)])
def test_what_a_user_gets_does_not_depend_on_who_else_is_there(symbols):
    alone = World(symbols).ensure("bob").play(300)
    among = World(symbols).ensure("ann", "bob", "cyn").play(100).ensure("dan").play(200)

    def got(world):
        return [one[:5] for one in of_user(world, "bob")]

    assert got(alone) == got(among)
    assert alone.trades("bob")["bob-bot-1"]


def test_what_a_user_gets_does_not_depend_on_who_listens():
    """But for the marks of open positions: those that nobody hears are not made."""
    heard, unheard = World().ensure("ann"), World()
    unheard.bots.ensure("ann")
    heard.play(60)
    unheard.play(60)
    marks = 0
    for name in heard.channels("ann"):
        one, other = heard.hub.channels[name], unheard.hub.channels[name]
        if name.endswith(":positions"):
            assert other.seq == unheard.hub.channels[name.replace("positions", "trades")].seq + 1
            marks += one.seq - other.seq
        else:
            assert (one.seq, one.latest and one.latest.payload) == (other.seq, other.latest and other.latest.payload)
    assert marks > 20


@pytest.mark.parametrize("listened_to", ["bot:ann-bot-1:logs", "user:ann:balance", "user:ann:notifications"])
def test_a_bot_with_a_listener_to_anything_of_it_goes_on(listened_to):
    world, other = World(), World().ensure("ann").play(600)
    world.bots.ensure("ann")
    world.ear.join(listened_to)
    world.play(600)
    one, same = (each.hub.channels["bot:ann-bot-1:trades"] for each in (world, other))
    assert (one.seq, one.latest.payload) == (same.seq, same.latest.payload)


def test_a_bot_that_nobody_listens_to_dozes_until_somebody_does(monkeypatch):
    """After a minute alone nothing is traded or told and little is looked at; a listener finds it trading soon."""
    calls = Calls(monkeypatch)
    world = World(("BTC/USDT",))
    world.bots.ensure("ann")
    world.play(60 + 2 * 30)  # and the turns before and after
    before, looked = world.hub.ledger(), calls.count
    assert all(before[f"bot:ann-bot-{n}:trades"]["seq"] > 5 for n in (1, 2, 3))
    world.play(1000)
    assert world.hub.ledger() == before
    assert calls.count - looked <= 3 * 1000 / 10
    back = world.clock.time
    world.ear.join(*world.channels("ann"))
    world.play(300)
    for n in (1, 2, 3):
        heard = world.ear.of(f"bot:ann-bot-{n}:trades")
        assert heard[0].source_at - back < 10 + 31
        assert heard[0].seq == before[f"bot:ann-bot-{n}:trades"]["seq"] + 1
        assert len(heard) > 30


def test_books_are_exact_across_a_doze(monkeypatch):
    """All trades before and after it add up to the balances that are pushed in the end."""
    world = World(("BTC/USDT",))
    ledger, balances, times = Ledger(), {"USDT": 0, "BTC": 0}, []
    publish = world.hub.publish

    def note(channel, event, payload, at=None):
        """Hears everything without being a listener."""
        if event == "bot:trade":
            ledger.enter(payload["botId"], payload["trade"], "BTC", "USDT")
            times.append(at)
        elif event == "balance:update":
            balances[payload["asset"]] = payload["free"]
        publish(channel, event, payload, at)

    monkeypatch.setattr(world.hub, "publish", note)
    world.bots.ensure("ann")
    world.play(500).ensure("ann").play(300)
    assert max(later - earlier for earlier, later in pairwise(times)) > 350, "no doze"
    assert balances == {"USDT": eight(100_000 + ledger.flows["USDT"]), "BTC": eight(ledger.flows["BTC"])}
    for bot in world.bots.bots_of("ann"):
        assert world.status(bot)["pnl"] == ledger.pnl(bot)


class Calls:
    """Counts how often bots are woken."""

    def __init__(self, monkeypatch):
        self.count = 0
        act = Bot.act

        def counted(bot):
            self.count += 1
            act(bot)

        monkeypatch.setattr(Bot, "act", counted)


def test_a_price_wakes_the_bots_that_are_due_and_no_others(monkeypatch):
    calls = Calls(monkeypatch)
    world = World(("BTC/USDT",))
    for number in range(1000):
        world.bots.ensure(f"user-{number}")
    world.price("BTC/USDT", 64_990.0, 65_010.0, 65_000.0, DAWN)
    assert calls.count == 3000  # all begin
    world.price("BTC/USDT", 64_990.0, 65_010.0, 65_000.0, DAWN)
    assert calls.count == 3000
    market = world.bots._markets["BTC/USDT"]
    for step in range(1, 40):
        at, before = DAWN + step / 20, calls.count
        due = sum(when <= at for when, _, _ in market.due)
        world.price("BTC/USDT", 64_990.0, 65_010.0, 65_000.0, at)
        assert calls.count - before == due < 3000 / 4
    assert all(when > DAWN + 39 / 20 for when, _, _ in market.due)


def test_a_bot_is_woken_for_something(monkeypatch):
    """Turns, marks once a second, and profits to be told: no bot is looked at more often."""
    calls = Calls(monkeypatch)
    world = World(("BTC/USDT",), rate=20.0).ensure("ann").play(600)
    trades = sum(map(len, world.trades("ann").values()))
    assert calls.count < 3 * 600 + 2 * trades + 100


def test_a_symbol_without_bots_costs_none(monkeypatch):
    calls = Calls(monkeypatch)
    world = World((*MAJORS, "XRP/USDT"))
    world.bots.ensure("ann")
    world.price("XRP/USDT", 0.51, 0.53, 0.52, DAWN)
    assert calls.count == 0


def test_an_asset_that_is_base_and_quote_is_told_once_a_trade():
    world = World(("USDT",)).ensure("ann").play(100)
    told = world.ear.of("user:ann:balance")
    assert len(told) == sum(map(len, world.trades("ann").values())) > 0
    assert {one.payload["asset"] for one in told} == {"USDT"}


def test_a_user_has_three_bots_on_the_symbols_in_turn():
    world = World(("BTC/USDT", "ETH/USDT"))
    assert world.bots.bots_of("ann") == []
    assert "user:ann:balance" not in world.hub.channels
    world.bots.ensure("ann")
    assert world.bots.bots_of("ann") == ["ann-bot-1", "ann-bot-2", "ann-bot-3"]
    served = [world.status(bot)["symbol"] for bot in world.bots.bots_of("ann")]
    assert served == ["BTC/USDT", "ETH/USDT", "BTC/USDT"]
    assert {owner_of(bot) for bot in world.bots.bots_of("ann")} == {"ann"}
    assert all(name in world.hub.channels for name in world.channels("ann"))


@pytest.mark.parametrize(
    ("bot", "owner"),
    [
        ("ann-bot-1", "ann"),
        ("c.y-n/1-bot-3", "c.y-n/1"),
        ("ann-bot-1-bot-2", "ann-bot-1"),
        ("ann-bot-0", None),
        ("ann-bot-4", None),
        ("ann-bot-01", None),
        ("ann-bot-", None),
        ("ann", None),
        ("", None),
    ],
)
def test_the_owner_of_a_bot_is_in_its_id(bot, owner):
    assert owner_of(bot) == owner


def test_to_ensure_twice_changes_nothing():
    world = World().ensure("ann").play(60)
    before = (len(world.ear.heard), world.hub.ledger(), world.bots.bots_of("ann"))
    world.bots.ensure("ann")
    assert (len(world.ear.heard), world.hub.ledger(), world.bots.bots_of("ann")) == before
    world.play(10)
    assert len(world.ear.heard) > before[0]


def test_the_list_of_bots_is_the_callers_own():
    world = World().ensure("ann")
    world.bots.bots_of("ann").clear()
    assert len(world.bots.bots_of("ann")) == 3


def test_a_source_that_starts_again_does_not_stop_the_bots():
    """Recorded prices in a loop: source times fall, trading goes on, and every time told is the source's."""
    world = World(("BTC/USDT",)).ensure("ann")
    for _ in range(3):
        for step in range(200):
            world.price("BTC/USDT", 64_990.0, 65_010.0, 65_000.0, DAWN + step)
    times = [trade["time"] / 1000 - DAWN for trade in world.trades("ann")["ann-bot-1"]]
    falls = [place for place, (one, other) in enumerate(pairwise(times), 1) if other < one]
    assert len(falls) == 2
    assert all(len(part) > 20 for part in (times[: falls[0]], times[falls[0] : falls[1]], times[falls[1] :]))


def test_a_gap_in_the_source_is_no_burst():
    world = World(("BTC/USDT",)).ensure("ann")
    for at in (0.0, 3600.0, 7200.0):
        world.price("BTC/USDT", 64_990.0, 65_010.0, 65_000.0, DAWN + at)
    assert [len(trades) for trades in world.trades("ann").values()] == [2, 2, 2]


def test_bots_survive_any_price():
    """A market moved by hand: cheap as nothing, then dear beyond any purse. Nobody is ever in debt."""
    world = World(("BTC/USDT",)).ensure("ann")
    ledger = Ledger()
    at = DAWN
    for price in (65_000.0, 1e-18, 1e15, 3e-7, 1e15, 65_000.0, 1e9):
        for _ in range(150):
            at += 1
            world.price("BTC/USDT", price * 0.999, price * 1.001, price, at)
    for one in world.ear.heard:
        if one.event == "bot:trade":
            ledger.enter(one.payload["botId"], one.payload["trade"], "BTC", "USDT")
            assert ledger.flows["BTC"] >= 0
            assert ledger.flows["USDT"] + 100_000 >= 0
        elif one.event == "balance:update":
            assert one.payload["free"] >= 0
        elif one.event == "bot:position":
            assert one.payload["position"]["size"] >= 0
    warnings = [one.payload["message"] for one in world.ear.heard if one.payload.get("level") == "warning"]
    assert any(re.fullmatch(r"[0-9.]+ USDT do not buy one lot", message) for message in warnings)
