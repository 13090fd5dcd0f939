"""Recorded prices: every row of the file, exactly, in order; and files that cannot be played."""

import csv
from itertools import islice
from pathlib import Path

import pytest
from client_book import ClientBook

from wsctl.errors import UsageError
from wsctl.server.sources.recorded import RecordedSource

HEADER = "time_ms,symbol,price,quantity"
ROWS = f"""{HEADER}
1000000,BTC/USDT,30236,0.0002
1000500,BTC/USDT,30243.5,0.001
1000500,ETH/USDT,2001.25,1.5
1002000,BTC/USDT,30243.5,0.1
1003000,BTC/USDT,30240.1,0.2
"""
CAPTURES = Path(__file__).parents[2].parent / "shared/captures"


@pytest.fixture
def play(tmp_path):
    """Makes a source of a file with this text."""

    def make(text, *args, **kwargs):
        path = tmp_path / "prices.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return RecordedSource(path, *args, **kwargs)

    return make


def test_every_row_is_one_tick_with_its_price_quantity_and_time(play):
    source = play(ROWS)
    ticks = list(source.ticks())
    assert source.symbols == ("BTC/USDT", "ETH/USDT")
    assert [(t.symbol, t.price, t.trade.price, t.trade.quantity) for t in ticks] == [
        ("BTC/USDT", 30236.0, 30236.0, 0.0002),
        ("BTC/USDT", 30243.5, 30243.5, 0.001),
        ("ETH/USDT", 2001.25, 2001.25, 1.5),
        ("BTC/USDT", 30243.5, 30243.5, 0.1),
        ("BTC/USDT", 30240.1, 30240.1, 0.2),
    ]
    assert [t.source_at for t in ticks] == [1000.0, 1000.5, 1000.5, 1002.0, 1003.0]
    assert [t.due for t in ticks] == [0.0, 0.5, 0.5, 2.0, 3.0]


def test_the_side_follows_the_tick_rule_and_ids_and_volume_grow_by_symbol(play):
    btc = [t for t in play(ROWS).ticks() if t.symbol == "BTC/USDT"]
    assert [t.trade.side for t in btc] == ["buy", "buy", "buy", "sell"]
    assert [t.trade.id for t in btc] == [1, 2, 3, 4]
    assert [t.volume for t in btc] == [0.0002, 0.0012, 0.1012, 0.3012]


def test_speed_divides_the_time_to_wait_and_leaves_the_recorded_time(play):
    ticks = list(play(ROWS, speed=4).ticks())
    assert [t.due for t in ticks] == [0.0, 0.125, 0.125, 0.5, 0.75]
    assert ticks[-1].source_at == 1003.0


def test_a_row_dated_before_an_earlier_one_follows_at_once(play):
    text = f"{HEADER}\n5000,A,1,1\n7000,A,2,1\n4000,A,3,1\n6000,B,4,1\n8000,A,5,1\n"
    ticks = list(play(text).ticks())
    assert [t.price for t in ticks] == [1, 2, 3, 4, 5]
    assert [t.due for t in ticks] == [0, 2, 2, 2, 3]
    assert [t.source_at for t in ticks] == [5, 7, 4, 6, 8]


def test_a_loop_starts_again_after_one_mean_interval(play):
    ticks = list(islice(play(ROWS, speed=2, loop=True).ticks(), 15))
    assert [t.price for t in ticks] == [t.price for t in ticks[:5]] * 3
    assert [t.due for t in ticks[:5]] == [0, 0.25, 0.25, 1, 1.5]
    assert [t.due for t in ticks[5:10]] == [1.875, 2.125, 2.125, 2.875, 3.375]
    assert [t.due for t in ticks[10:11]] == [3.75]
    btc = [t for t in ticks if t.symbol == "BTC/USDT"]
    assert [t.trade.id for t in btc] == list(range(1, 13))
    assert btc[-1].volume == 0.9036
    assert ticks[5].source_at == 1000.0


def test_a_loop_over_one_instant_takes_a_second_a_lap(play):
    ticks = list(islice(play(f"{HEADER}\n5000,A,1,1\n5000,A,2,1\n", loop=True).ticks(), 6))
    assert [t.due for t in ticks] == [0, 0, 1, 1, 2, 2]


def test_quotes_and_book_are_made_up_around_the_price_on_the_grid_of_the_file(play):
    source = play(ROWS)
    books = {symbol: ClientBook() for symbol in source.symbols}
    for tick in source.ticks():
        assert tick.bid <= tick.price <= tick.ask
        assert 0 < tick.ask - tick.bid <= tick.price * 5e-4 + 0.1
        books[tick.symbol].apply(tick.bids, tick.asks)
        bids, asks = books[tick.symbol].levels()
        assert (bids[0][0], asks[0][0]) == (tick.bid, tick.ask)
        decimals = 1 if tick.symbol == "BTC/USDT" else 2
        assert all(price == round(price, decimals) for price, _ in bids + asks)


def test_playing_is_repeatable(play):
    assert list(play(ROWS).ticks()) == list(play(ROWS).ticks())
    assert list(play(ROWS, seed=1).ticks()) != list(play(ROWS, seed=2).ticks())


@pytest.mark.parametrize(
    "text",
    [
        ROWS.replace("\n", "\r\n"),
        "\ufeff" + ROWS,
        ROWS.rstrip("\n"),
        ROWS + "\n\n",
        ROWS.replace("BTC/USDT", '"BTC/USDT"'),
    ],
    ids=["crlf", "byte order mark", "no last newline", "blank lines", "quotes"],
)
def test_other_ways_to_write_the_same_file(play, text):
    assert list(play(text).ticks()) == list(play(ROWS).ticks())


@pytest.mark.parametrize(
    "price",
    [
        "0.1",
        "1e-7",
        "1.5E3",
        "+2",
        ".5",
        "7.",
        "3201.123456789012345678",
        "1e-18",
        "1e15",
        "0.30000000000000004",
    ],
)
def test_a_price_is_the_float_of_its_text(play, price):
    tick = next(play(f"{HEADER}\n1,A,{price},{price}\n").ticks())
    assert tick.price == tick.trade.quantity == float(price)
    assert tick.bid <= tick.price <= tick.ask


def test_prices_of_very_different_size_in_one_symbol(play):
    texts = ["1e-18", "1e15", "0.00001305", "30243.5", "1"]
    rows = "".join(f"{time},A,{price},1\n" for time, price in enumerate(texts))
    ticks = list(play(f"{HEADER}\n{rows}").ticks())
    assert [t.price for t in ticks] == [float(text) for text in texts]
    assert all(0 < t.bid <= t.price <= t.ask and t.bid < t.ask for t in ticks)


BAD_ROWS = [
    ("1,A,1", "3 columns; expected 4: time_ms,symbol,price,quantity"),
    ("1,A,1,1,1", "5 columns; expected 4: time_ms,symbol,price,quantity"),
    ("x,A,1,1", "time_ms 'x' is not a number; expected digits such as 30236.5"),
    (",A,1,1", "time_ms '' is not a number; expected digits such as 30236.5"),
    ("-1,A,1,1", "time_ms '-1' is no date; expected milliseconds since 1970"),
    ("nan,A,1,1", "time_ms 'nan' is no date; expected milliseconds since 1970"),
    ("1652459224818000,A,1,1", "time_ms '1652459224818000' is no date; expected milliseconds since 1970"),
    ("1,A:B,1,1", "bad symbol 'A:B'; expected letters, digits and . _ / -"),
    ("1,,1,1", "bad symbol ''; expected letters, digits and . _ / -"),
    ("1,Ä,1,1", "bad symbol 'Ä'; expected letters, digits and . _ / -"),
    ("1,A,abc,1", "price 'abc' is not a number; expected digits such as 30236.5"),
    ("1,A,,1", "price '' is not a number; expected digits such as 30236.5"),
    ("1,A, 1,1", "price ' 1' is not a number; expected digits such as 30236.5"),
    ("1,A,1_000,1", "price '1_000' is not a number; expected digits such as 30236.5"),
    ("1,A,٣,1", "price '٣' is not a number; expected digits such as 30236.5"),
    ("1,A,0,1", "price '0' is not positive and finite; expected a number above 0"),
    ("1,A,-5.5,1", "price '-5.5' is not positive and finite; expected a number above 0"),
    ("1,A,NaN,1", "price 'NaN' is not positive and finite; expected a number above 0"),
    ("1,A,Infinity,1", "price 'Infinity' is not positive and finite; expected a number above 0"),
    ("1,A,-inf,1", "price '-inf' is not positive and finite; expected a number above 0"),
    ("1,A,1e999,1", "price '1e999' is not positive and finite; expected a number above 0"),
    ("1,A,1e-30,1", "price '1e-30' is out of range; expected 1e-18 to 1e+15"),
    ("1,A,1,1e16", "quantity '1e16' is out of range; expected 1e-18 to 1e+15"),
    ("1,A,1,0", "quantity '0' is not positive and finite; expected a number above 0"),
    ("1,A,1,nan", "quantity 'nan' is not positive and finite; expected a number above 0"),
    ("1,A,1,?", "quantity '?' is not a number; expected digits such as 30236.5"),
    ('1,"A"B,1,1', "',' expected after '\"'"),
]


@pytest.mark.parametrize(("row", "message"), BAD_ROWS, ids=[row for row, _ in BAD_ROWS])
def test_a_bad_row_is_named(play, tmp_path, row, message):
    with pytest.raises(UsageError) as error:
        play(f"{HEADER}\n1,A,1,1\n\n{row}\n1,A,1,1\n")
    assert str(error.value) == f"{tmp_path / 'prices.csv'}, row 4: {message}"


BAD_FILES = [
    (b"", " is empty; expected the header time_ms,symbol,price,quantity"),
    (HEADER.encode(), " has no rows below its header; expected at least one trade"),
    (b"1,A,1,1\n", ", row 1: header '1,A,1,1'; expected time_ms,symbol,price,quantity"),
    (b"time,symbol,price\n", ", row 1: header 'time,symbol,price'; expected time_ms,symbol,price,quantity"),
    (b"\n\n", ", row 1: header ''; expected time_ms,symbol,price,quantity"),
    (
        f"{HEADER}\n1,A,1,1\n1,".encode() + b"\xff,1,1\n",
        ", row 3: byte 0xff is not UTF-8; expected UTF-8 text",
    ),
    (b"\x1f\x8b\x08\x00", ", row 1: byte 0x8b is not UTF-8; expected UTF-8 text"),
]


@pytest.mark.parametrize(("content", "message"), BAD_FILES, ids=[message for _, message in BAD_FILES])
def test_a_bad_file_is_named(play, tmp_path, content, message):
    with pytest.raises(UsageError) as error:
        play(content)
    assert str(error.value) == f"{tmp_path / 'prices.csv'}{message}"


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "none.csv"
    with pytest.raises(UsageError) as error:
        RecordedSource(path)
    assert str(error.value) == (
        f"cannot read {path}: no such file or directory; expected a CSV file of time_ms,symbol,price,quantity"
    )


def test_a_directory_is_named(tmp_path):
    with pytest.raises(UsageError) as error:
        RecordedSource(tmp_path)
    assert str(error.value) == (
        f"cannot read {tmp_path}: is a directory; expected a CSV file of time_ms,symbol,price,quantity"
    )


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # file modes do not stop the superuser
    with pytest.raises(UsageError, match=r"cannot read .*prices\.csv: permission denied; expected a CSV file"):
        RecordedSource(tmp_path / "prices.csv")


def test_a_path_that_cannot_be_one_is_named():
    with pytest.raises(UsageError, match="embedded null byte; expected a CSV file"):
        RecordedSource(Path("a\0b"))


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_must_be_above_zero(play, speed):
    with pytest.raises(UsageError) as error:
        play(ROWS, speed=speed)
    assert str(error.value) == f"speed {speed:g}; expected a number above 0"


def test_recorded_prices_cannot_be_set(play):
    with pytest.raises(UsageError) as error:
        play(ROWS).set_price("BTC/USDT", 1)
    assert str(error.value) == (
        "the price of BTC/USDT is recorded and cannot be set; expected a simulated symbol\n"
        "hint: serve without --prices to simulate"
    )


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captured market data is not here")
@pytest.mark.parametrize("name", ["trades-binance-futures.csv", "trades-coinbase.csv", "trades-okx.csv"])
def test_captured_trades_are_played_exactly(name):
    path = CAPTURES / name
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    played = [(t.source_at, t.symbol, t.price, t.trade.quantity) for t in RecordedSource(path).ticks()]
    assert played == [
        (int(row["time_ms"]) / 1000, row["symbol"], float(row["price"]), float(row["quantity"])) for row in rows
    ]
